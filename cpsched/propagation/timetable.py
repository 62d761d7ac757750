"""Filtering of a cumulative resource by its timetable.

An interval i starts in ``est[i]..lst[i]``, has at least the size ``p[i]`` and takes at least
``demand[i]`` of the capacity all the while. If ``lst[i] < est[i] + p[i]`` it runs for sure between
the two: its compulsory part. The profile is the sum of the compulsory parts of the intervals that
are present for sure, piecewise constant; where it leaves less than the demand of another interval,
that one cannot run (Beldiceanu & Carlsson, A new multi-resource cumulatives constraint with
negative heights, CP 2002: the sweep; Lahrichi 1982 for compulsory parts).

As in CP-SAT, an interval of size 0 or of demand 0 takes nothing and may lie anywhere, whatever its
demand or size, and the capacity is never negative.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import types

from cpsched.kernels import kernel
from cpsched.propagation.disjunctive import Int, sort_by

if TYPE_CHECKING:
    import numpy.typing as npt

    from cpsched.propagation.disjunctive import Int64Array

I8 = types.int64[::1]
U1 = types.uint8[::1]
INT = types.int64

#: Demands of one resource add up to no more than this, and no size is greater; with bounds up to
#: 2**62 nothing overflows.
LIMIT = 2**60


@kernel(INT(I8, I8, I8, I8, U1, I8, I8, I8))
def build_profile(
    est: Int64Array,
    lst: Int64Array,
    p: Int64Array,
    demand: Int64Array,
    present: npt.NDArray[np.uint8],
    begin: Int64Array,
    end: Int64Array,
    level: Int64Array,
) -> Int:
    """Write the profile where it is not 0, in order of time; returns the number of segments.

    begin, end, level: shape (2 n,), segment k is begin[k] <= t < end[k]. Every edge of a
    compulsory part is an edge of segments. p and demand not negative.
    """
    n = len(est)
    time = np.empty(2 * n, np.int64)
    step = np.empty(2 * n, np.int64)
    count = 0
    for i in range(n):
        if present[i] and demand[i] > 0 and lst[i] < est[i] + p[i]:
            time[count] = lst[i]
            step[count] = demand[i]
            time[count + 1] = est[i] + p[i]
            step[count + 1] = -demand[i]
            count += 2
    order = np.empty(count, np.uint32)
    for k in range(count):
        order[k] = k
    sort_by(order, time, np.empty(count, np.uint32))
    segments = 0
    height = 0
    for k in range(count):
        height += step[order[k]]
        if k + 1 < count and height > 0 and time[order[k]] < time[order[k + 1]]:
            begin[segments] = time[order[k]]
            end[segments] = time[order[k + 1]]
            level[segments] = height
            segments += 1
    return segments


@kernel(INT(I8, INT, INT))
def first_above(values: Int64Array, count: Int, bound: Int) -> Int:
    """Index of the first of *count* ascending values that is greater than *bound*."""
    low = 0
    high = count
    while low < high:
        middle = (low + high) >> 1
        if values[middle] > bound:
            high = middle
        else:
            low = middle + 1
    return low


@kernel(INT(I8, I8, I8, I8, U1, INT, I8))
def filter_timetable(
    est: Int64Array,
    lst: Int64Array,
    p: Int64Array,
    demand: Int64Array,
    present: npt.NDArray[np.uint8],
    capacity: Int,
    peak: Int64Array,
) -> Int:
    """Tighten *est* and *lst* in place by one pass against the profile of the present intervals.

    The profile is that of the windows on entry. If all present intervals have fixed starts, sizes
    and demands, the result is -1 exactly if they exceed the capacity. On -1 the windows may have
    been changed in part.

    Parameters
    ----------
    est, lst
        Earliest and latest starts, shape (n,); within ±2**62.
    p, demand
        Least sizes and demands, shape (n,). Sizes are read as if no greater than 2**60, demands
        as if no greater than 2**60 / n.
    present
        Shape (n,); 1: the interval runs for sure, 0: it is optional. An optional one has no part
        in the profile. Its window may become empty (est > lst): it cannot run then.
    capacity
        Greatest capacity.
    peak
        Shape (1,), written: the least capacity that the present intervals need for sure.

    Returns
    -------
    int
        Number of entries changed, or -1: there is no feasible schedule of the present intervals.
    """
    n = len(est)
    peak[0] = 0
    most = LIMIT // max(n, 1)
    size = np.empty(n, np.int64)
    height = np.empty(n, np.int64)
    feasible = capacity >= 0
    for i in range(n):
        size[i] = min(max(p[i], 0), LIMIT)
        height[i] = min(max(demand[i], 0), most) if size[i] > 0 else 0
        if present[i]:
            if size[i] > 0 and demand[i] > peak[0]:
                peak[0] = demand[i]
            if est[i] > lst[i]:
                feasible = False
    begin = np.empty(2 * n, np.int64)
    end = np.empty(2 * n, np.int64)
    level = np.empty(2 * n, np.int64)
    segments = build_profile(est, lst, size, height, present, begin, end, level)
    highest = 0
    for k in range(segments):
        highest = max(highest, level[k])
    peak[0] = max(peak[0], highest)
    if not feasible or peak[0] > capacity:
        return -1

    changed = 0
    for i in range(n):
        if height[i] == 0 or est[i] > lst[i] or (present[i] and est[i] == lst[i]):
            continue
        if demand[i] > capacity:
            # An optional one: no place at all, not only none beside the others.
            est[i] = lst[i] + 1
            changed += 1
            continue
        room = capacity - height[i]
        if highest <= room:
            continue
        # Its own compulsory part, where the profile holds it already and cannot be too high.
        first = lst[i]
        last = est[i] + size[i] if present[i] else first
        start = est[i]
        k = first_above(end, segments, start)
        while k < segments and begin[k] < start + size[i] and start <= lst[i]:
            if level[k] > room and not (first <= begin[k] and end[k] <= last):
                start = end[k]
            k += 1
        latest = lst[i]
        if start <= latest:
            k = first_above(begin, segments, latest + size[i] - 1) - 1
            while k >= 0 and end[k] > latest and latest >= start:
                if level[k] > room and not (first <= begin[k] and end[k] <= last):
                    latest = begin[k] - size[i]
                k -= 1
        elif present[i]:
            return -1
        changed += (start > est[i]) + (latest < lst[i])
        est[i] = start
        lst[i] = latest
    return changed
