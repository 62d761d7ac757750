"""Filtering of a machine: intervals that run one after another, never two at a time.

An interval i starts no earlier than ``est[i]``, ends no later than ``lct[i]`` and has at least the
size ``p[i]``; ``ect = est + p`` is its earliest end, ``lst = lct - p`` its latest start. For a set
Θ of intervals, ect(Θ) is the largest of est(Ω) + p(Ω) over its non-empty subsets Ω: a lower bound
on the end of Θ. The rules, each also in its mirror image (est′ = -lct, lct′ = -est):

- overload: no feasible schedule if ect(Θ) > lct(Θ);
- detectable precedences: if ect[i] > lst[j] then j is before i; est[i] rises to ect of all those;
- not last: if ect(Θ) > lst[i] then i is before some j of Θ; lct[i] falls to the largest lst[j];
- edge finding: if ect(Θ and i) > lct(Θ) then Θ is before i; est[i] rises to ect(Θ).

All run in O(n log n) on the Θ-tree and the Θ-Λ-tree of Vilím, Global constraints in scheduling
(PhD thesis, Charles University in Prague, 2007). Plain O(n²) scans in the order of ``est`` were
tried: less than 0.1 µs a rule faster at n = 15, but 5 to 25 times slower at n = 100. Sorting takes
half of a call or more, except with edge finding.

An interval of size 0 may lie at an end of another one but not inside it; the rules leave such
intervals out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numba import types

from cpsched.kernels import kernel

if TYPE_CHECKING:
    import numpy.typing as npt

    Int64Array = npt.NDArray[np.int64]
    IndexArray = npt.NDArray[np.uint32]

I8 = types.int64[::1]
T8 = types.int64[:, ::1]
U4 = types.uint32[::1]
U4S = types.uint32[:, ::1]
INT = types.int64
BOOL = types.boolean

#: An integer inside a kernel: its width is in the signature, beyond what mypy can follow.
Int: TypeAlias = Any

#: Bits of the parameter *rules*.
DETECTABLE_PRECEDENCES = 1
NOT_FIRST_NOT_LAST = 2
EDGE_FINDING = 4

#: Rows of the table of interval data, each of length n.
EST, LCT, P, ECT, LST, ORIGIN = range(6)
#: Rows of the table of orders: intervals by this key, ascending; RANK is the inverse of BY_EST.
BY_EST, BY_LCT, BY_ECT, BY_LST, RANK, SPARE = range(6)
#: Rows of the tree, node 1 the root and node m + r the interval of rank r. The first two are of Θ
#: alone, the others with at most one interval of Λ added, and which one that is (-1: none).
SUM, END, SUM_ONE, END_ONE, SUM_WHICH, END_WHICH = range(6)

#: ect of the empty set. A sum of sizes can be added without reaching any true value.
NEVER = np.iinfo(np.int64).min
#: Sizes of one machine add up to no more than this; bounds go up to 2**62, so nothing overflows.
SIZE_LIMIT = 2**60
#: Runs of this length are sorted by insertion.
RUN = 32


@kernel(types.void(U4, I8, U4))
def sort_by(order: IndexArray, key: Int64Array, spare: IndexArray) -> None:
    """Sort *order* by key[order[k]], stably; linear if little is out of place (merge sort).

    spare: scratch of the same length.
    """
    n = len(order)
    for first in range(0, n, RUN):
        for k in range(first + 1, min(first + RUN, n)):
            i = order[k]
            value = key[i]
            w = k
            while w > first and key[order[w - 1]] > value:
                order[w] = order[w - 1]
                w -= 1
            order[w] = i
    width = RUN
    while width < n:
        for first in range(0, n - width, 2 * width):
            middle = first + width
            last = min(middle + width, n)
            if key[order[middle - 1]] <= key[order[middle]]:
                continue
            for k in range(first, middle):
                spare[k] = order[k]
            a = first
            b = middle
            w = first
            while a < middle:
                if b < last and key[order[b]] < key[spare[a]]:
                    order[w] = order[b]
                    b += 1
                else:
                    order[w] = spare[a]
                    a += 1
                w += 1
        width *= 2


@kernel(types.void(T8, INT))
def clear_theta(tree: Int64Array, m: Int) -> None:
    """Θ becomes the empty set."""
    for v in range(2 * m):
        tree[SUM, v] = 0
        tree[END, v] = NEVER


@kernel(types.void(T8, INT, INT, INT))
def insert_theta(tree: Int64Array, leaf: Int, size: Int, end: Int) -> None:
    """Add to Θ the interval of node *leaf* with this size and earliest end."""
    tree[SUM, leaf] = size
    tree[END, leaf] = end
    v = leaf >> 1
    while v > 0:
        right = tree[SUM, 2 * v + 1]
        tree[SUM, v] = tree[SUM, 2 * v] + right
        tree[END, v] = max(tree[END, 2 * v + 1], tree[END, 2 * v] + right)
        v >>= 1


@kernel(INT(T8, INT))
def end_without(tree: Int64Array, leaf: Int) -> Int:
    """ect(Θ) without the interval of node *leaf*."""
    # Of the part of Θ below node v: sum of sizes and earliest end.
    total = 0
    end = NEVER
    v = leaf
    while v > 1:
        sibling = v ^ 1
        if v & 1:
            end = max(end, tree[END, sibling] + total)
        else:
            end = max(tree[END, sibling], end + tree[SUM, sibling])
        total += tree[SUM, sibling]
        v >>= 1
    return end


@kernel(types.void(T8, INT))
def join(tree: Int64Array, v: Int) -> None:
    """Node v of the Θ-Λ-tree from its two children."""
    a = 2 * v
    b = a + 1
    tree[SUM, v] = tree[SUM, a] + tree[SUM, b]
    tree[END, v] = max(tree[END, b], tree[END, a] + tree[SUM, b])
    left = tree[SUM_ONE, a] + tree[SUM, b]
    right = tree[SUM, a] + tree[SUM_ONE, b]
    if left >= right:
        tree[SUM_ONE, v] = left
        tree[SUM_WHICH, v] = tree[SUM_WHICH, a]
    else:
        tree[SUM_ONE, v] = right
        tree[SUM_WHICH, v] = tree[SUM_WHICH, b]
    end = tree[END_ONE, b]
    which = tree[END_WHICH, b]
    if tree[END_ONE, a] + tree[SUM, b] > end:
        end = tree[END_ONE, a] + tree[SUM, b]
        which = tree[END_WHICH, a]
    if tree[END, a] + tree[SUM_ONE, b] > end:
        end = tree[END, a] + tree[SUM_ONE, b]
        which = tree[SUM_WHICH, b]
    tree[END_ONE, v] = end
    tree[END_WHICH, v] = which


@kernel(BOOL(INT, T8, U4S, T8, INT))
def overloaded(n: Int, data: Int64Array, order: IndexArray, tree: Int64Array, m: Int) -> bool:
    """Whether some set of the intervals cannot end in time."""
    clear_theta(tree, m)
    for k in range(n):
        i = order[BY_LCT, k]
        insert_theta(tree, m + order[RANK, i], data[P, i], data[ECT, i])
        if tree[END, 1] > data[LCT, i]:
            return True
    return False


@kernel(BOOL(INT, T8, U4S, T8, INT))
def detectable_precedences(
    n: Int, data: Int64Array, order: IndexArray, tree: Int64Array, m: Int
) -> bool:
    """Raise ``est`` by detectable precedences; whether any changed."""
    clear_theta(tree, m)
    changed = False
    q = 0
    for k in range(n):
        i = order[BY_ECT, k]
        while q < n:
            j = order[BY_LST, q]
            if data[ECT, i] <= data[LST, j]:
                break
            insert_theta(tree, m + order[RANK, j], data[P, j], data[ECT, j])
            q += 1
        # i itself may be in Θ; without it the end is no later. ECT keeps the old est: the tree
        # is ordered by it.
        if tree[END, 1] > data[EST, i]:
            end = end_without(tree, m + order[RANK, i])
            if end > data[EST, i]:
                data[EST, i] = end
                changed = True
    return changed


@kernel(BOOL(INT, T8, U4S, T8, INT))
def not_last(n: Int, data: Int64Array, order: IndexArray, tree: Int64Array, m: Int) -> bool:
    """Lower ``lct`` of intervals that cannot be last of a set; whether any changed."""
    clear_theta(tree, m)
    changed = False
    q = 0
    for k in range(n):
        i = order[BY_LCT, k]
        while q < n:
            j = order[BY_LST, q]
            if data[LCT, i] <= data[LST, j]:
                break
            insert_theta(tree, m + order[RANK, j], data[P, j], data[ECT, j])
            q += 1
        # Θ holds i and is the first q by lst. i must start before the end of the others, hence
        # before one of them starts; the last of those (i excluded) is the weakest case.
        start = data[LST, i]
        if tree[END, 1] > start and end_without(tree, m + order[RANK, i]) > start:
            j = order[BY_LST, q - 1]
            if j == i:
                j = order[BY_LST, q - 2]
            if data[LST, j] < data[LCT, i]:
                data[LCT, i] = data[LST, j]
                changed = True
    return changed


@kernel(INT(INT, T8, U4S, T8, INT))
def edge_finding(n: Int, data: Int64Array, order: IndexArray, tree: Int64Array, m: Int) -> Int:
    """Raise ``est`` by edge finding; whether any changed, or -1 on an overload."""
    for r in range(m):
        v = m + r
        if r < n:
            i = order[BY_EST, r]
            tree[SUM, v] = data[P, i]
            tree[END, v] = data[ECT, i]
        else:
            tree[SUM, v] = 0
            tree[END, v] = NEVER
        tree[SUM_ONE, v] = tree[SUM, v]
        tree[END_ONE, v] = tree[END, v]
        tree[SUM_WHICH, v] = -1
        tree[END_WHICH, v] = -1
    for v in range(m - 1, 0, -1):
        join(tree, v)
    changed = 0
    for k in range(n - 1, -1, -1):
        # Θ: the first k + 1 by lct; Λ: those of the others not yet dealt with.
        j = order[BY_LCT, k]
        latest = data[LCT, j]
        if tree[END, 1] > latest:
            return -1
        while tree[END_ONE, 1] > latest:
            i = tree[END_WHICH, 1]
            if tree[END, 1] > data[EST, i]:
                data[EST, i] = tree[END, 1]
                changed = 1
            v = m + order[RANK, i]
            tree[SUM_ONE, v] = 0
            tree[END_ONE, v] = NEVER
            tree[SUM_WHICH, v] = -1
            tree[END_WHICH, v] = -1
            v >>= 1
            while v > 0:
                join(tree, v)
                v >>= 1
        v = m + order[RANK, j]
        tree[SUM, v] = 0
        tree[END, v] = NEVER
        tree[SUM_WHICH, v] = j
        tree[END_WHICH, v] = j
        v >>= 1
        while v > 0:
            join(tree, v)
            v >>= 1
    return changed


@kernel(types.void(INT, T8, U4S))
def update_starts(n: Int, data: Int64Array, order: IndexArray) -> None:
    """Earliest ends, and the orders by earliest start and end, after a change of ``est``."""
    for i in range(n):
        data[ECT, i] = data[EST, i] + data[P, i]
    sort_by(order[BY_EST, :n], data[EST], order[SPARE, :n])
    sort_by(order[BY_ECT, :n], data[ECT], order[SPARE, :n])
    for r in range(n):
        order[RANK, order[BY_EST, r]] = r


@kernel(types.void(INT, T8, U4S))
def update_ends(n: Int, data: Int64Array, order: IndexArray) -> None:
    """Latest starts, and the orders by latest start and end, after a change of ``lct``."""
    for i in range(n):
        data[LST, i] = data[LCT, i] - data[P, i]
    sort_by(order[BY_LCT, :n], data[LCT], order[SPARE, :n])
    sort_by(order[BY_LST, :n], data[LST], order[SPARE, :n])


@kernel(types.void(INT, T8, U4S))
def mirror(n: Int, data: Int64Array, order: IndexArray) -> None:
    """Turn time round: est′ = -lct, lct′ = -est, and the orders with it."""
    for i in range(n):
        data[EST, i], data[LCT, i] = -data[LCT, i], -data[EST, i]
        data[ECT, i], data[LST, i] = -data[LST, i], -data[ECT, i]
    for k in range(n):
        a = n - 1 - k
        order[BY_EST, k], order[BY_LCT, a] = order[BY_LCT, a], order[BY_EST, k]
        order[BY_ECT, k], order[BY_LST, a] = order[BY_LST, a], order[BY_ECT, k]
    for r in range(n):
        order[RANK, order[BY_EST, r]] = r


@kernel(INT(INT, I8, I8, I8))
def filter_disjunctive(rules: Int, est: Int64Array, lct: Int64Array, p: Int64Array) -> Int:
    """Tighten *est* and *lct* in place by one pass of each rule in both directions.

    Sound for intervals that all run; what a rule changes the next one sees. On -1 *est* and *lct*
    are as before.

    Parameters
    ----------
    rules
        Bit mask of the rules; overload is checked whenever it is not 0.
    est, lct, p
        Earliest start, latest end and least size, shape (n,); bounds within ±2**62. Sizes are
        read as if no greater than 2**60 / n.

    Returns
    -------
    int
        Number of entries changed, or -1: there is no feasible schedule.
    """
    size = len(est)
    longest = SIZE_LIMIT // max(size, 1)
    order = np.empty((SPARE + 1, max(size, 1)), np.uint32)
    n = 0
    for i in range(size):
        if est[i] + min(max(p[i], 0), longest) > lct[i]:
            return -1
        if p[i] > 0:
            order[BY_LCT, n] = i
            n += 1
    if rules == 0 or n < 2:
        return 0
    data = np.empty((ORIGIN + 1, n), np.int64)
    sort_by(order[BY_LCT, :n], est, order[SPARE, :n])
    # Intervals that start when all before them have ended, and end before all others start,
    # stay as they are and have no effect on others.
    kept = 0
    ended = NEVER
    for k in range(n):
        i = order[BY_LCT, k]
        if ended > est[i] or (k + 1 < n and lct[i] > est[order[BY_LCT, k + 1]]):
            data[EST, kept] = est[i]
            data[LCT, kept] = lct[i]
            data[P, kept] = min(p[i], longest)
            data[ORIGIN, kept] = i
            kept += 1
        ended = max(ended, lct[i])
    n = kept
    if n < 2:
        return 0
    for k in range(n):
        order[BY_EST, k] = k
        order[BY_ECT, k] = k
        order[BY_LCT, k] = k
    sort_by(order[BY_LCT, :n], data[LCT], order[SPARE, :n])
    for k in range(n):
        order[BY_LST, k] = order[BY_LCT, k]
    update_starts(n, data, order)
    update_ends(n, data, order)

    m = 2
    while m < n:
        m *= 2
    tree = np.empty((END_WHICH + 1, 2 * m), np.int64)
    if overloaded(n, data, order, tree, m):
        return -1
    for _ in range(2):
        if rules & DETECTABLE_PRECEDENCES and detectable_precedences(n, data, order, tree, m):
            update_starts(n, data, order)
        if rules & NOT_FIRST_NOT_LAST and not_last(n, data, order, tree, m):
            update_ends(n, data, order)
        if rules & EDGE_FINDING:
            found = edge_finding(n, data, order, tree, m)
            if found < 0:
                return -1
            if found > 0:
                update_starts(n, data, order)
        mirror(n, data, order)

    for k in range(n):
        if data[ECT, k] > data[LCT, k]:
            return -1
    changed = 0
    for k in range(n):
        i = data[ORIGIN, k]
        if data[EST, k] > est[i]:
            est[i] = data[EST, k]
            changed += 1
        if data[LCT, k] < lct[i]:
            lct[i] = data[LCT, k]
            changed += 1
    return changed
