"""The part of the kernel that makes room: one process comes, those in its way go elsewhere.

After the big process rearrangement of Gavranović, Buljubašić and Demirović, "Variable
neighborhood search for Google machine reassignment problem", Electronic Notes in Discrete
Mathematics 39 (2012).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from cpsched.draws import U8, below
from cpsched.kernels import part
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

#: Processes that make way at most, and machines that each is tried on.
MOST, TRIES = 8, 6


@part(types.int64(types.int64, types.int64, types.boolean, I8x2, I8x2, I8x2, I8x2))
def excess(
    m: Number,
    r0: Number,
    gently: Number,
    capacity: Array,
    safety: Array,
    used: Array,
    occupied: Array,
) -> Number:
    """First resource from *r0* on, in turn, of which machine *m* has too much, -1 for none.

    gently: too much is what costs something, not only what is beyond the capacity.
    """
    number = capacity.shape[1]
    for k in range(number):
        r = r0 + k
        if r >= number:
            r -= number
        if occupied[m, r] > capacity[m, r] or (gently and used[m, r] > safety[m, r]):
            return r
    return -1


@part(types.int64(types.int64, types.int64, types.int64, types.int64, U8, I4, I8x2, I4, I4))
def in_the_way(
    b: Number,
    p: Number,
    r: Number,
    rival: Number,
    rng: Array,
    service: Array,
    requirement: Array,
    first: Array,
    after: Array,
) -> Number:
    """Process of machine *b* that should go, -1 if none can; never *p*.

    r: resource there is too much of; rival: service whose process must go, -1 for none.
    """
    chosen = np.int64(-1)
    seen = 0
    q = np.int64(first[b])
    while q >= 0:
        if q != p and (service[q] == rival if rival >= 0 else requirement[q, r] > 0):
            seen += 1
            if below(rng, seen) == 0:
                chosen = q
        q = np.int64(after[q])
    return chosen


@part(
    types.boolean(
        types.int64, types.float64, types.float64,
        I4, I4, I8x2, I8, I8x2, I8x2, I8, I8x2, I8x2, I8, I4, I4, I4, I4, I4, I4, I4, types.int64,
        I4, I8x2, I8x2, I8, I4x2, I4x2, I4, I4x2, I4, I4, I8, I4, I4, I4, I8, U8,
    )
)  # fmt: skip
def make_room(
    p: Number,
    limit: Number,
    toll: Number,
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
    rng: Array,
) -> Number:
    """Move *p* to a random machine and others out of its way, if that costs at most *limit*.

    toll: what the judgement, but not the cost, adds for each process away from home. Arrays as in
    ``anneal``. Returns whether it was done; if not, everything is as before.
    """
    num_machines = len(location)
    process = np.empty(MOST + 1, np.int64)
    source = np.empty(MOST + 1, np.int64)
    target = np.empty(MOST + 1, np.int64)
    old_cost = np.empty(MOST + 1, np.int64)
    a = np.int64(machine[p])
    b = below(rng, num_machines)
    if a == b:
        return False
    most = most_moved[0]
    gently = below(rng, 2) == 0
    rival = np.int64(service[p]) if here[service[p], b] > 0 else np.int64(-1)
    cost_b = machine_cost[b]
    old_cost[0] = machine_cost[a]
    process[0] = p
    source[0] = a
    target[0] = b
    number = 1
    place(
        p, b, home, service, requirement, transient, location, neighbourhood, machine, used,
        occupied, here, in_location, spread, in_neighbourhood, moved, moved_count, most_moved,
        first, after, before,
    )  # fmt: skip
    machine_cost[a] = exchanged(
        a, np.int64(-1), np.int64(-1), home, requirement, capacity, safety, transient, load_weight,
        balance, used, occupied,
    )  # fmt: skip
    delta = machine_cost[a] - old_cost[0]
    delta += machine_move[home[p], b] - machine_move[home[p], a]
    delta += (process_move[p] if b != home[p] else 0) - (process_move[p] if a != home[p] else 0)
    away = (1 if b != home[p] else 0) - (1 if a != home[p] else 0)
    fits = False
    while True:
        r = excess(b, below(rng, len(load_weight)), gently, capacity, safety, used, occupied)
        if r < 0 and rival < 0:
            fits = True
            break
        q = np.int64(-1)
        if number <= MOST:
            q = in_the_way(b, p, r, rival, rng, service, requirement, first, after)
        if q < 0:
            break
        where = np.int64(-1)
        least = np.int64(0)
        cost_there = np.int64(0)
        for k in range(TRIES):
            c = a if k == 0 else below(rng, num_machines)
            if k == 1 and machine[q] != home[q]:
                c = np.int64(home[q])
            if c == b or here[service[q], c] > 0:
                continue
            there = exchanged(
                c, np.int64(-1), q, home, requirement, capacity, safety, transient, load_weight,
                balance, used, occupied,
            )  # fmt: skip
            if there == FULL:
                continue
            change = there - machine_cost[c]
            change += machine_move[home[q], c] - machine_move[home[q], b]
            change += (process_move[q] if c != home[q] else 0) - (
                process_move[q] if b != home[q] else 0
            )
            if where < 0 or change < least:
                where = c
                least = change
                cost_there = there
        if where < 0:
            break
        process[number] = q
        source[number] = b
        target[number] = where
        old_cost[number] = machine_cost[where]
        place(
            q, where, home, service, requirement, transient, location, neighbourhood, machine,
            used, occupied, here, in_location, spread, in_neighbourhood, moved, moved_count,
            most_moved, first, after, before,
        )  # fmt: skip
        machine_cost[where] = cost_there
        delta += least
        away += (1 if where != home[q] else 0) - (1 if b != home[q] else 0)
        number += 1
        rival = np.int64(-1)
    # What costs may stay, if it cannot go; what does not fit may not.
    right = fits or (
        gently and rival < 0 and excess(b, 0, False, capacity, safety, used, occupied) < 0
    )
    if right:
        machine_cost[b] = exchanged(
            b, np.int64(-1), np.int64(-1), home, requirement, capacity, safety, transient,
            load_weight, balance, used, occupied,
        )  # fmt: skip
        delta += machine_cost[b] - cost_b + service_weight * (most_moved[0] - most)
        right = delta + toll * away <= limit
        for k in range(number):
            right = right and kept(
                service[process[k]], source[k], target[k], spread_min, needs_start, needs,
                needed_start, needed_by, spread, neighbourhood, in_neighbourhood,
            )  # fmt: skip
    if right:
        costs[0] += delta
        return True
    for k in range(number - 1, -1, -1):
        place(
            process[k], source[k], home, service, requirement, transient, location, neighbourhood,
            machine, used, occupied, here, in_location, spread, in_neighbourhood, moved,
            moved_count, most_moved, first, after, before,
        )  # fmt: skip
        machine_cost[source[k] if k == 0 else target[k]] = old_cost[k]
    machine_cost[b] = cost_b
    return False
