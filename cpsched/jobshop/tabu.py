"""Tabu search over critical blocks of the disjunctive graph, in one numba kernel.

Each iteration walks one critical path (random where it forks), collects the moves of its blocks,
estimates each, and makes the best one that is not tabu. Moves take an operation to the start or
the end of its block (N6: Balas & Vazacopoulos 1998) and the first or last operation into the block
(N7: Zhang, Li, Guan & Rao 2007), each only where the Balas-Vazacopoulos condition on heads and
tails excludes a cycle; N5 (Nowicki & Smutnicki 1996) swaps the first and last two only.

Tabu are arcs: reversing u -> w forbids u -> w for a random tenure in [low, 2 low).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import types

from cpsched.jobshop.estimates import estimate_after, estimate_before
from cpsched.jobshop.graph import (
    I4,
    INT,
    U4,
    U8,
    IndexArray,
    Int,
    WordArray,
    evaluate,
    insert_after,
    insert_before,
    latest_end,
    link,
    scan_ends,
    scan_tails,
)
from cpsched.jobshop.randomness import random_below, random_word
from cpsched.kernels import kernel

if TYPE_CHECKING:
    from cpsched.jobshop.instance import IntArray

I8 = types.int64[::1]

#: Slots of the ``control`` array of ``tabu_search``.
ITERATION, LIMIT, IMPROVED_AT, PATIENCE, TARGET, BEST, CURRENT, NEIGHBOURHOOD, TENURE = range(9)
CONTROL_SLOTS = 9
#: Why ``tabu_search`` returned; OPTIMAL: the current makespan is a lower bound.
AT_LIMIT, AT_TARGET, STAGNATED, NO_MOVE, OPTIMAL, HALTED = range(6)


@kernel(INT(U4, U4, I4, U4, U4, U4, U4, INT, U4, I4, U8, I8, I8))
def tabu_search(
    order: IndexArray,
    best_order: IndexArray,
    p: IntArray,
    jp: IndexArray,
    js: IndexArray,
    job: IndexArray,
    machine: IndexArray,
    num_machines: Int,
    job_last: IndexArray,
    tabu: IntArray,
    rng: WordArray,
    control: np.ndarray[tuple[int], np.dtype[np.int64]],
    halt: np.ndarray[tuple[int], np.dtype[np.int64]],
) -> Int:
    """Run tabu search from *order* and leave its last point there; returns why it stopped.

    Parameters
    ----------
    order, best_order
        Shape (N,): topological orders; the best of the trajectory is kept in *best_order* with
        its makespan in ``control[BEST]`` (a start above that value changes neither).
    p, jp, js
        Shape (N + 1,): durations, job predecessors and successors, sentinel N.
    job, machine
        Shape (N,).
    tabu
        Iteration until which an arc is tabu; hashed by (operation, job), length a power of two.
    control
        See the slot names; ``ITERATION`` goes on from call to call.
    halt
        Shape (1,): set to non-zero by another thread to stop at once.
    """
    n = np.uint32(len(order))
    num_jobs = len(job_last)
    mask = len(tabu) - 1
    pos = np.empty(n + 1, np.uint32)
    mp = np.empty(n + 1, np.uint32)
    ms = np.empty(n + 1, np.uint32)
    ends = np.empty(n + 1, np.int32)
    tails = np.empty(n + 1, np.int32)
    work = np.zeros(2 * n + 2, np.int32)
    path = np.empty(n, np.uint32)
    scratch = np.empty(n, np.int32)
    size: Int = 64
    cand_u = np.empty(size, np.uint32)
    cand_v = np.empty(size, np.uint32)
    link(order, machine, mp, ms, num_machines)
    current = evaluate(order, pos, p, jp, js, mp, ms, ends, tails)
    iteration = control[ITERATION]
    improved_at = control[IMPROVED_AT]
    best = control[BEST]
    if current < best:
        best = current
        best_order[:] = order
        improved_at = iteration
    stop_at = iteration + control[LIMIT]
    target = control[TARGET]
    patience = control[PATIENCE]
    neighbourhood = control[NEIGHBOURHOOD]
    tenure = control[TENURE]
    reason = AT_LIMIT
    while True:
        if best <= target:
            reason = AT_TARGET
            break
        if iteration >= stop_at:
            break
        if iteration - improved_at > patience:
            reason = STAGNATED
            break
        if halt[0] != 0:
            reason = HALTED
            break
        iteration += 1
        # A critical path, last operation first.
        seen = 0
        i = n
        for k in job_last:
            if ends[k] == current and k != n:
                seen += 1
                if seen == 1 or random_below(rng, seen) == 0:
                    i = k
        length = 0
        while i != n:
            length += 1
            path[n - length] = i
            start = ends[i] - p[i]
            a = jp[i]
            b = mp[i]
            by_job = a != n and ends[a] == start
            by_machine = b != n and ends[b] == start
            if by_job and by_machine:
                i = a if random_word(rng) & np.uint64(1024) else b
            elif by_machine:
                i = b
            elif by_job:
                i = a
            else:
                i = n
        # Its blocks and their moves; a move to the back is (u, v), one to the front (v, u).
        count = 0
        chosen = -1
        chosen_value = np.int64(1) << 40
        ties = 0
        longest_block: Int = 1
        lo = n - length
        while lo < n:
            hi = lo
            while hi + 1 < n and mp[path[hi + 1]] == path[hi]:
                hi += 1
            longest_block = max(longest_block, hi - lo + 1)
            if hi > lo:
                if 4 * (hi - lo + 1) + count > size:
                    grown = 2 * (4 * (hi - lo + 1) + count)
                    more_u = np.empty(grown, np.uint32)
                    more_v = np.empty(grown, np.uint32)
                    more_u[:count] = cand_u[:count]
                    more_v[:count] = cand_v[:count]
                    cand_u = more_u
                    cand_v = more_v
                    size = grown
                begin = count
                u = path[lo]
                v = path[hi]
                is_first = lo == n - length
                is_last = hi == n - 1
                if hi == lo + 1:
                    if not (is_first and is_last):
                        cand_u[count] = u
                        cand_v[count] = v
                        count += 1
                elif neighbourhood == 5:
                    if not is_first:
                        cand_u[count] = u
                        cand_v[count] = path[lo + 1]
                        count += 1
                    if not is_last:
                        cand_u[count] = path[hi - 1]
                        cand_v[count] = v
                        count += 1
                else:
                    if not is_last:
                        # To the very end; and (N7) the last one into the block.
                        for k in range(lo, hi):
                            x = path[k]
                            if tails[v] >= tails[js[x]] and job[x] != job[v]:
                                cand_u[count] = x
                                cand_v[count] = v
                                count += 1
                        if neighbourhood == 7:
                            for k in range(lo + (0 if is_first else 1), hi - 1):
                                x = path[k]
                                if ends[x] >= ends[jp[v]] and job[x] != job[v]:
                                    cand_u[count] = v
                                    cand_v[count] = x
                                    count += 1
                    if not is_first:
                        # To the very front; and (N7) the first one into the block.
                        for k in range(lo + 1, hi + 1):
                            x = path[k]
                            if ends[u] >= ends[jp[x]] and job[x] != job[u]:
                                cand_u[count] = x
                                cand_v[count] = u
                                count += 1
                        if neighbourhood == 7:
                            for k in range(lo + 2, hi + (1 if is_last else 0)):
                                x = path[k]
                                if tails[x] >= tails[js[u]] and job[x] != job[u]:
                                    cand_u[count] = u
                                    cand_v[count] = x
                                    count += 1
                for c in range(begin, count):
                    a = cand_u[c]
                    b = cand_v[c]
                    if pos[a] < pos[b]:
                        value = estimate_after(
                            a, b, chosen_value, p, jp, js, mp, ms, ends, tails, scratch
                        )
                    else:
                        value = estimate_before(
                            b, a, chosen_value, p, jp, js, mp, ms, ends, tails, scratch
                        )
                    if value > chosen_value:
                        continue
                    if value >= best:
                        # Is an arc that the move would create tabu?
                        is_tabu = False
                        if pos[a] < pos[b]:
                            x = b
                            while x != a:
                                if tabu[(x * num_jobs + job[a]) & mask] > iteration:
                                    is_tabu = True
                                    break
                                x = mp[x]
                        else:
                            x = b
                            while x != a:
                                if tabu[(a * num_jobs + job[x]) & mask] > iteration:
                                    is_tabu = True
                                    break
                                x = ms[x]
                        if is_tabu:
                            continue
                    if value < chosen_value:
                        chosen_value = value
                        chosen = c
                        ties = 1
                    else:
                        ties += 1
                        if random_below(rng, ties) == 0:
                            chosen = c
            lo = hi + 1
        if longest_block == 1 or longest_block == length:
            # One job, or operations of one machine without a gap: the path is a lower bound.
            reason = OPTIMAL
            break
        if count == 0:
            reason = NO_MOVE
            break
        if chosen < 0:
            # Every move is tabu: the best estimate would loop for ever, a random one does not.
            chosen = random_below(rng, count)
        a = cand_u[chosen]
        b = cand_v[chosen]
        low = min(pos[a], pos[b])
        high = max(pos[a], pos[b])
        until = iteration + tenure + random_below(rng, tenure)
        if pos[a] < pos[b]:
            first = ms[a]
            if not insert_after(a, b, order, pos, jp, mp, ms, work):
                tabu[(b * num_jobs + job[a]) & mask] = until
                continue
            x = first
            while x != a:
                tabu[(a * num_jobs + job[x]) & mask] = until
                x = ms[x]
        else:
            last = mp[a]
            if not insert_before(b, a, order, pos, js, mp, ms, work):
                tabu[(a * num_jobs + job[b]) & mask] = until
                continue
            x = last
            while x != a:
                tabu[(x * num_jobs + job[a]) & mask] = until
                x = mp[x]
        scan_ends(low, order, p, jp, mp, ends)
        scan_tails(high, order, p, js, ms, tails)
        current = latest_end(job_last, ends)
        if current < best:
            best = current
            best_order[:] = order
            improved_at = iteration
    control[ITERATION] = iteration
    control[IMPROVED_AT] = improved_at
    control[BEST] = best
    control[CURRENT] = current
    return reason
