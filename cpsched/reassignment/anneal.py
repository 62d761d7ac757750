"""The kernel of the local search: simulated annealing over moves of one, two or three machines.

Moves: a *shift* takes a process to another machine, a *swap* exchanges two, a *chain* takes one to
the machine of a second and that to a third machine. Each costs O(resources + balances) to judge.
After Portal, Ritt, Borba and Buriol, "Simulated annealing for the machine reassignment problem",
Annals of Operations Research 242 (2016), who use shifts and swaps.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import types

from cpsched.draws import U8, below, positive
from cpsched.kernels import kernel
from cpsched.reassignment.eject import make_room
from cpsched.reassignment.steps import (
    FULL,
    I4,
    I8,
    I4x2,
    I8x2,
    exchanged,
    kept,
    place,
)

Array = np.ndarray[Any, Any]
Number = Any

#: Out of so many moves, shifts, swaps and chains; the others make room.
MOVES, SHIFTS, SWAPS, CHAINS = 32, 14, 14, 2
#: Moves between two looks at the temperature and at whether to stop.
BEAT = 1024


@kernel(
    types.int64(
        I4, I4, I8x2, I8, I8x2, I8x2, I8, I8x2, I8x2, I8, I4, I4, I4, I4, I4, I4, I4, types.int64,
        I4, I8x2, I8x2, I8, I4x2, I4x2, I4, I4x2, I4, I4, I8, I4, I4, I4, I8, I4,
        U8, I8, types.int64, types.float64, types.float64, types.float64,
    )
)  # fmt: skip
def anneal(
    home: Array,
    service: Array,
    requirement: Array,
    transient: Array,
    capacity: Array,
    safety: Array,
    load_weight: Array,
    balance: Array,
    machine_move: Array,
    process_move: Array,
    location: Array,
    neighbourhood: Array,
    spread_min: Array,
    needs_start: Array,
    needs: Array,
    needed_start: Array,
    needed_by: Array,
    service_weight: Number,
    machine: Array,
    used: Array,
    occupied: Array,
    machine_cost: Array,
    here: Array,
    in_location: Array,
    spread: Array,
    in_neighbourhood: Array,
    moved: Array,
    moved_count: Array,
    most_moved: Array,
    first: Array,
    after: Array,
    before: Array,
    costs: Array,
    best: Array,
    rng: Array,
    halt: Array,
    iterations: Number,
    hot: Number,
    cold: Number,
    reluctance: Number,
) -> Number:
    """Anneal from *hot* to *cold* in *iterations* moves, fewer once halt[0] is set.

    The first arrays are those of ``state.Problem``, the next those of ``state.State``; costs[0] is
    the present cost, costs[1] the least so far, *best* the machines at that. Temperatures are in
    units of cost. Returns the number of moves that were judged.
    """
    num_processes = len(home)
    num_machines = len(location)
    fresh = False
    # Exact only after a move: how many processes of a service have moved at most.
    slack = 2 * service_weight
    process = np.empty(2, np.int64)
    source = np.empty(2, np.int64)
    target = np.empty(2, np.int64)
    temperature = hot
    done = 0
    for i in range(iterations):
        if i % BEAT == 0:
            if halt[0] != 0:
                break
            temperature = hot * (cold / hot) ** (i / iterations)
        done += 1
        limit = -temperature * math.log(positive(rng))
        kind = below(rng, MOVES)
        p = below(rng, num_processes)
        a = np.int64(machine[p])
        if kind >= SHIFTS + SWAPS + CHAINS:
            if fresh:
                best[:] = machine
                fresh = False
            make_room(
                p, limit, temperature * reluctance, home, service, requirement, transient,
                capacity, safety, load_weight, balance, machine_move, process_move, location,
                neighbourhood, spread_min, needs_start, needs, needed_start, needed_by,
                service_weight, machine, used, occupied, machine_cost, here, in_location, spread,
                in_neighbourhood, moved, moved_count, most_moved, first, after, before, costs, rng,
            )  # fmt: skip
            if costs[0] < costs[1]:
                costs[1] = costs[0]
                fresh = True
            continue
        s = service[p]
        q = np.int64(-1)
        c = np.int64(-1)
        cost_c = np.int64(0)
        delta = np.int64(0)
        if kind < SHIFTS:
            b = below(rng, num_machines)
            if a == b or here[s, b] > 0:
                continue
        else:
            q = below(rng, num_processes)
            b = np.int64(machine[q])
            t = service[q]
            if a == b or (s != t and here[s, b] > 0):
                continue
            c = a if kind < SHIFTS + SWAPS else below(rng, num_machines)
            if c == b or (c == a and s != t and here[t, a] > 0) or (c != a and here[t, c] > 0):
                continue
        cost_b = exchanged(
            b, q, p, home, requirement, capacity, safety, transient, load_weight, balance, used,
            occupied,
        )  # fmt: skip
        if cost_b == FULL:
            continue
        if c >= 0 and c != a:
            cost_c = exchanged(
                c, np.int64(-1), q, home, requirement, capacity, safety, transient, load_weight,
                balance, used, occupied,
            )  # fmt: skip
            if cost_c == FULL:
                continue
            delta += cost_c - machine_cost[c]
        cost_a = exchanged(
            a, p, q if c == a else np.int64(-1), home, requirement, capacity, safety, transient,
            load_weight, balance, used, occupied,
        )  # fmt: skip
        if cost_a == FULL:
            continue
        delta += cost_a - machine_cost[a] + cost_b - machine_cost[b]
        delta += machine_move[home[p], b] - machine_move[home[p], a]
        delta += (process_move[p] if b != home[p] else 0) - (
            process_move[p] if a != home[p] else 0
        )
        if q >= 0:
            delta += machine_move[home[q], c] - machine_move[home[q], b]
            delta += (process_move[q] if c != home[q] else 0) - (
                process_move[q] if b != home[q] else 0
            )
        away = (1 if b != home[p] else 0) - (1 if a != home[p] else 0)
        if q >= 0:
            away += (1 if c != home[q] else 0) - (1 if b != home[q] else 0)
        limit -= temperature * reluctance * away
        if delta - slack > limit:
            continue
        if fresh and delta + slack > 0:
            best[:] = machine
            fresh = False
        process[0] = p
        source[0] = a
        target[0] = b
        process[1] = q
        source[1] = b
        target[1] = c
        number = 1 if q < 0 else 2
        most = most_moved[0]
        for k in range(number):
            place(
                process[k], target[k], home, service, requirement, transient, location,
                neighbourhood, machine, used, occupied, here, in_location, spread,
                in_neighbourhood, moved, moved_count, most_moved, first, after, before,
            )  # fmt: skip
        delta += service_weight * (most_moved[0] - most)
        right = delta <= limit
        for k in range(number):
            right = right and kept(
                service[process[k]], source[k], target[k], spread_min, needs_start, needs,
                needed_start, needed_by, spread, neighbourhood, in_neighbourhood,
            )  # fmt: skip
        if not right:
            for k in range(number - 1, -1, -1):
                place(
                    process[k], source[k], home, service, requirement, transient, location,
                    neighbourhood, machine, used, occupied, here, in_location, spread,
                    in_neighbourhood, moved, moved_count, most_moved, first, after, before,
                )  # fmt: skip
            continue
        machine_cost[a] = cost_a
        machine_cost[b] = cost_b
        if c >= 0 and c != a:
            machine_cost[c] = cost_c
        costs[0] += delta
        if costs[0] < costs[1]:
            costs[1] = costs[0]
            fresh = True
    if fresh:
        best[:] = machine
    return done
