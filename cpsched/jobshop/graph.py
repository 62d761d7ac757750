"""Kernels on the disjunctive graph: a schedule as one topological order that moves repair locally.

A complete selection of the disjunctive graph is kept as machine predecessor and successor links
``mp``/``ms`` plus one topological order of all operations (``order``, inverse ``pos``). With
``ends[i]`` the earliest completion of operation i (head plus duration) and ``tails[i]`` the
longest path from the start of i to the sink (duration included), the makespan is ``max(ends)`` and
an operation is critical where ``ends[i] - p[i] + tails[i]`` equals it.

Operations are 0..N-1; index N is a sentinel "no operation" with duration, end and tail 0, so that
the recurrences need no branches. Arrays have length N + 1 unless said otherwise; times are int32,
indices uint32.

Moving an operation past a stretch of its machine sequence changes the order only between the two
positions (the scheme of Pearce & Kelly 2006 for dynamic topological order), which at the same time
tests exactly whether the move closes a cycle. Ends are then recomputed forward from the first
position and tails backward from the last. Visiting only the operations whose time changes (a bit
set over positions) was tried: 3 times slower at 15x15, 6 times at 100x100, no faster at 1,000x100,
because most times downstream change and a plain scan has no branch to mispredict.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt
from numba import types

from cpsched.kernels import kernel

if TYPE_CHECKING:
    from cpsched.jobshop.instance import IntArray

I4 = types.int32[::1]
U4 = types.uint32[::1]
U8 = types.uint64[::1]
BOOL = types.boolean
INT = types.int64
INDEX = types.uint32

#: Operations, machines, jobs: unsigned, so that compiled indexing need not test for negatives.
IndexArray = npt.NDArray[np.uint32]
WordArray = npt.NDArray[np.uint64]
#: An integer inside a kernel: its width is in the signature, beyond what mypy can follow.
Int: TypeAlias = Any


@kernel(types.void(U4, U4, U4, U4, INT))
def link(
    order: IndexArray, machine: IndexArray, mp: IndexArray, ms: IndexArray, num_machines: Int
) -> None:
    """Machine links of the sequences that *order* implies."""
    n = np.uint32(len(order))
    last = np.full(num_machines, n, np.uint32)
    for k in range(n):
        i = order[k]
        before = last[machine[i]]
        mp[i] = before
        ms[before] = i
        last[machine[i]] = i
    for m in range(num_machines):
        ms[last[m]] = n
    mp[n] = n
    ms[n] = n


@kernel(INT(U4, U4, I4, U4, U4, U4, U4, I4, I4))
def evaluate(
    order: IndexArray,
    pos: IndexArray,
    p: IntArray,
    jp: IndexArray,
    js: IndexArray,
    mp: IndexArray,
    ms: IndexArray,
    ends: IntArray,
    tails: IntArray,
) -> Int:
    """Positions, ends and tails from scratch; returns the makespan."""
    n = np.uint32(len(order))
    ends[n] = 0
    tails[n] = 0
    pos[n] = n
    makespan = 0
    for k in range(n):
        i = order[k]
        pos[i] = k
        ends[i] = p[i] + max(ends[jp[i]], ends[mp[i]])
        makespan = max(makespan, ends[i])
    for k in range(n - 1, -1, -1):
        i = order[k]
        tails[i] = p[i] + max(tails[js[i]], tails[ms[i]])
    return makespan


@kernel(BOOL(INDEX, INDEX, U4, U4, U4, U4, U4, I4))
def insert_after(
    u: Int,
    v: Int,
    order: IndexArray,
    pos: IndexArray,
    jp: IndexArray,
    mp: IndexArray,
    ms: IndexArray,
    work: IntArray,
) -> bool:
    """Move u right after v on their machine (v later than u); False and no change on a cycle.

    work: scratch of length 2 (N + 1); its first half is a stamp per operation, its last entry
    the stamp counter.
    """
    n = np.uint32(len(order))
    a = pos[u]
    b = pos[v]
    before = mp[u]
    first = ms[u]
    after = ms[v]
    ms[before] = first
    mp[first] = before
    ms[v] = u
    mp[u] = v
    ms[u] = after
    mp[after] = u
    stamp = work[2 * n + 1] + 1
    work[2 * n + 1] = stamp
    work[u] = stamp
    # Later than u in the new graph: collected behind, in order.
    buffer = n + 1
    count = 1
    work[buffer] = u
    fine = True
    for k in range(a + 1, b + 1):
        x = order[k]
        if work[jp[x]] == stamp or work[mp[x]] == stamp:
            if x == v:
                fine = False
                break
            work[x] = stamp
            work[buffer + count] = x
            count += 1
    ms[n] = n
    mp[n] = n
    if not fine:
        ms[before] = u
        mp[u] = before
        ms[u] = first
        mp[first] = u
        ms[v] = after
        mp[after] = v
        ms[n] = n
        mp[n] = n
        return False
    w = a
    for k in range(a + 1, b + 1):
        x = order[k]
        if work[x] != stamp:
            order[w] = x
            pos[x] = w
            w += 1
    for c in range(count):
        x = work[buffer + c]
        order[w] = x
        pos[x] = w
        w += 1
    return True


@kernel(BOOL(INDEX, INDEX, U4, U4, U4, U4, U4, I4))
def insert_before(
    u: Int,
    v: Int,
    order: IndexArray,
    pos: IndexArray,
    js: IndexArray,
    mp: IndexArray,
    ms: IndexArray,
    work: IntArray,
) -> bool:
    """Move v right before u on their machine (u earlier than v); see ``insert_after``."""
    n = np.uint32(len(order))
    a = pos[u]
    b = pos[v]
    before = mp[u]
    last = mp[v]
    after = ms[v]
    ms[last] = after
    mp[after] = last
    ms[before] = v
    mp[v] = before
    ms[v] = u
    mp[u] = v
    stamp = work[2 * n + 1] + 1
    work[2 * n + 1] = stamp
    work[v] = stamp
    # Earlier than v in the new graph: collected in front, last first.
    buffer = n + 1
    count = 1
    work[buffer] = v
    fine = True
    for k in range(b - 1, a - 1, -1):
        x = order[k]
        if work[js[x]] == stamp or work[ms[x]] == stamp:
            if x == u:
                fine = False
                break
            work[x] = stamp
            work[buffer + count] = x
            count += 1
    ms[n] = n
    mp[n] = n
    if not fine:
        ms[before] = u
        mp[u] = before
        ms[last] = v
        mp[v] = last
        ms[v] = after
        mp[after] = v
        ms[n] = n
        mp[n] = n
        return False
    w = b
    for k in range(b - 1, a - 1, -1):
        x = order[k]
        if work[x] != stamp:
            order[w] = x
            pos[x] = w
            w -= 1
    for c in range(count):
        x = work[buffer + c]
        order[w] = x
        pos[x] = w
        w -= 1
    return True


@kernel(types.void(INT, U4, I4, U4, U4, I4))
def scan_ends(
    start: Int, order: IndexArray, p: IntArray, jp: IndexArray, mp: IndexArray, ends: IntArray
) -> None:
    """Recompute the ends of all operations from position *start* on."""
    for k in range(np.uint64(start), np.uint64(len(order))):
        i = order[k]
        ends[i] = p[i] + max(ends[jp[i]], ends[mp[i]])


@kernel(types.void(INT, U4, I4, U4, U4, I4))
def scan_tails(
    start: Int, order: IndexArray, p: IntArray, js: IndexArray, ms: IndexArray, tails: IntArray
) -> None:
    """Recompute the tails of all operations from position *start* back."""
    for k in range(start, -1, -1):
        i = order[k]
        tails[i] = p[i] + max(tails[js[i]], tails[ms[i]])


@kernel(INT(U4, I4))
def latest_end(job_last: IndexArray, ends: IntArray) -> Int:
    """Makespan; job_last: last operation of each job (the sentinel for an empty job)."""
    makespan = 0
    for i in job_last:
        makespan = max(makespan, ends[i])
    return makespan
