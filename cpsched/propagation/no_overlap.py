"""Propagation of no-overlap: every interval against the fixed ones, then rules over sets.

The fixed intervals of a no-overlap are kept sorted. One that gets fixed is put among them and
pushes those it meets; one that moves goes to the first gap long enough for it. That is bounds
reasoning on pairs of a fixed and a free interval, in time logarithmic per move and linear per
fixing, and what a dispatching decision needs. ``disjunctive`` has the rules that see whole sets.

Two intervals overlap if each starts before the other ends: one of size 0 may stand at the ends of
another, not strictly inside. An optional interval that cannot fit becomes absent; until it is
known to be present, what it learns about its start is kept as its own earliest start.
"""

from __future__ import annotations

import numpy as np

from cpsched.kernels import part
from cpsched.propagation.disjunctive import filter_disjunctive
from cpsched.propagation.domains import (
    Int,
    Ints,
    enqueue,
    expr_at_least,
    expr_at_most,
    fail,
    highest,
    literal,
    lowest,
    mark_changed,
    put,
    set_false,
)
from cpsched.propagation.layout import (
    ABSENT,
    ALTERNATIVE,
    END,
    FIXED,
    FREE,
    HEADER,
    I8,
    INT,
    INTERVAL,
    INTERVALS,
    ITEM_DATA,
    MEMBER,
    OK,
    PRESENCE,
    RULES,
    SIZE,
    START,
    T_EARLIEST,
    TIED,
)


@part(INT(I8, I8, INT))
def earliest_start(S: Ints, T: Ints, interval: Int) -> Int:
    """Earliest start of an interval if it is present."""
    row = S[INTERVALS] + INTERVAL * interval
    start = max(lowest(S, T, row + START), T[S[T_EARLIEST] + interval])
    if S[row + TIED] > 0:
        start = max(start, T[HEADER + 2 * (S[row + TIED] - 1)] + S[row + START + 2])
    return start


@part(OK(I8, I8, I8, INT, INT, INT))
def start_at_least(S: Ints, T: Ints, trail: Ints, interval: Int, value: Int, item: Int) -> Int:
    """Post that *interval* starts no earlier than *value* if it is present."""
    row = S[INTERVALS] + INTERVAL * interval
    presence = literal(T, S[row + PRESENCE])
    if presence > 0:
        return expr_at_least(S, T, trail, row + START, value, item)
    if presence < 0:
        return True
    if value > highest(S, T, row + START):
        return set_false(S, T, trail, S[row + PRESENCE], item)
    slot = S[T_EARLIEST] + interval
    if value > max(T[slot], lowest(S, T, row + START)):
        put(T, trail, slot, value)
        # Its presence stands for it among the changed variables.
        ref = S[row + PRESENCE]
        mark_changed(S, T, ref if ref >= 0 else -ref - 1)
        if S[row + ALTERNATIVE] >= 0:
            enqueue(S, T, S[row + ALTERNATIVE])
    return True


@part(INT(I8, INT, INT))
def next_fixed(T: Ints, fixed: Int, moment: Int) -> Int:
    """Number of the first fixed interval at T[fixed] that ends after *moment*, or of all."""
    low: Int = 0
    high: Int = T[fixed]
    if high == 0 or T[fixed + 2 * high] <= moment:
        # The usual case of a dispatcher: behind all of them.
        return high
    while low < high:
        middle = (low + high) >> 1
        if T[fixed + 2 + 2 * middle] <= moment:
            low = middle + 1
        else:
            high = middle
    return low


@part(INT(I8, INT, INT, INT))
def first_gap(T: Ints, fixed: Int, start: Int, size: Int) -> Int:
    """Earliest start from *start* on that overlaps none of the fixed intervals at T[fixed]."""
    count = T[fixed]
    for k in range(next_fixed(T, fixed, start), count):
        begin, end = T[fixed + 1 + 2 * k], T[fixed + 2 + 2 * k]
        if begin >= start + size:
            break
        start = max(start, end)
    return start


@part(INT(I8, INT, INT, INT))
def last_gap(T: Ints, fixed: Int, end: Int, size: Int) -> Int:
    """Latest end up to *end* that overlaps none of the fixed intervals at T[fixed]."""
    count = T[fixed]
    if count == 0 or T[fixed + 2 * count] <= end - size:
        return end
    low: Int = 0
    high: Int = count
    while low < high:
        middle = (low + high) >> 1
        if T[fixed + 1 + 2 * middle] < end:
            low = middle + 1
        else:
            high = middle
    for k in range(low - 1, -1, -1):
        begin, finish = T[fixed + 1 + 2 * k], T[fixed + 2 + 2 * k]
        if finish <= end - size:
            break
        end = min(end, begin)
    return end


@part(OK(I8, I8, I8, INT, INT, INT))
def fit(S: Ints, T: Ints, trail: Ints, fixed: Int, interval: Int, item: Int) -> Int:
    """Move the start window of a free interval into gaps between the fixed ones."""
    row = S[INTERVALS] + INTERVAL * interval
    size = lowest(S, T, row + SIZE)
    start = earliest_start(S, T, interval)
    gap = first_gap(T, fixed, start, size)
    if gap > start and not start_at_least(S, T, trail, interval, gap, item):
        return False
    presence = literal(T, S[row + PRESENCE])
    if presence < 0:
        return True
    latest = highest(S, T, row + START) + size
    gap = last_gap(T, fixed, latest, size)
    if gap < latest:
        if presence > 0:
            if not expr_at_most(S, T, trail, row + START, gap - size, item):
                return False
        elif earliest_start(S, T, interval) > gap - size:
            return set_false(S, T, trail, S[row + PRESENCE], item)
    if presence > 0 and size < highest(S, T, row + SIZE):
        # It starts too early to come after the next fixed one, so it ends before that starts.
        before = next_fixed(T, fixed, highest(S, T, row + START))
        if before < T[fixed]:
            return expr_at_most(S, T, trail, row + END, T[fixed + 1 + 2 * before], item)
    return True


@part(OK(I8, I8, I8, INT))
def member(S: Ints, T: Ints, trail: Ints, item: Int) -> Int:
    """Propagate what became of one interval in one no-overlap."""
    data = S[S[ITEM_DATA] + item]
    sure = S[data + 2]
    if sure >= 0:
        # The usual case of a dispatcher: free, and behind all that is fixed.
        soonest = T[HEADER + 2 * sure]
        if soonest < T[HEADER + 2 * sure + 1]:
            place = S[data + 4]
            n = T[place]
            if n == 0 or T[place + 2 * n] <= soonest + S[data + 3]:
                return True
    whole, position = S[data], S[data + 1]
    count, fixed, flags, members = S[whole], S[whole + 1], S[whole + 2], S[whole + 3]
    if T[flags + position] != FREE:
        return True
    interval = S[members + MEMBER * position]
    row = S[INTERVALS] + INTERVAL * interval
    presence = literal(T, S[row + PRESENCE])
    if presence < 0:
        put(T, trail, flags + position, ABSENT)
        return True
    start, size = lowest(S, T, row + START), lowest(S, T, row + SIZE)
    if presence == 0 or start != highest(S, T, row + START) or size != highest(S, T, row + SIZE):
        if presence > 0:
            # What it learnt while it was optional.
            known = T[S[T_EARLIEST] + interval]
            if known > start and not expr_at_least(S, T, trail, row + START, known, item):
                return False
        return fit(S, T, trail, fixed, interval, item)
    if start < T[S[T_EARLIEST] + interval]:
        return fail(T, item, S[row + START])
    end = start + size
    # Its place among the fixed, sorted by start, then end; mostly the last.
    at = T[fixed]
    while at > 0 and (
        T[fixed + 2 * at - 1] > start
        or (T[fixed + 2 * at - 1] == start and T[fixed + 2 * at] > end)
    ):
        at -= 1
    if at > 0 and T[fixed + 2 * at] > start and T[fixed + 2 * at - 1] < end:
        return fail(T, item, S[row + START])
    if at < T[fixed] and T[fixed + 1 + 2 * at] < end and start < T[fixed + 2 + 2 * at]:
        return fail(T, item, S[row + START])
    for k in range(2 * T[fixed], 2 * at, -1):
        put(T, trail, fixed + 2 + k, T[fixed + k])
    put(T, trail, fixed + 1 + 2 * at, start)
    put(T, trail, fixed + 2 + 2 * at, end)
    put(T, trail, fixed, T[fixed] + 1)
    put(T, trail, flags + position, FIXED)
    for k in range(count):
        if T[flags + k] != FREE:
            continue
        entry = members + MEMBER * k
        v, length = S[entry + 1], S[entry + 3]
        if v >= 0 and length >= 0:
            # The usual case, without a call: it meets neither end of the start window.
            low = T[HEADER + 2 * v] + S[entry + 2]
            high = T[HEADER + 2 * v + 1] + S[entry + 2]
            if (low >= end or low + length <= start) and (high >= end or high + length <= start):
                other = S[entry]
                known = T[S[T_EARLIEST] + other]
                if known <= low or known >= end or known + length <= start:
                    continue
        if not fit(S, T, trail, fixed, S[entry], item):
            return False
    return True


@part(OK(I8, I8, I8, INT))
def alternative(S: Ints, T: Ints, trail: Ints, item: Int) -> Int:
    """Exactly one of some optional intervals with one start: no sooner than the first can."""
    data = S[S[ITEM_DATA] + item]
    count = S[data]
    row = S[INTERVALS] + INTERVAL * S[data + 1]
    floor = lowest(S, T, row + START)
    least = highest(S, T, row + START) + 1
    for k in range(data + 1, data + 1 + count):
        if literal(T, S[S[INTERVALS] + INTERVAL * S[k] + PRESENCE]) >= 0:
            least = min(least, max(floor, T[S[T_EARLIEST] + S[k]]))
            if least == floor:
                return True
    return expr_at_least(S, T, trail, row + START, least, item)


@part(OK(I8, I8, I8, INT))
def no_overlap(S: Ints, T: Ints, trail: Ints, item: Int) -> Int:
    """Apply the rules over sets that are on to the intervals that are present for sure."""
    data = S[S[ITEM_DATA] + item]
    count, members = S[data], S[data + 3]
    which = np.empty(count, np.int64)
    windows = np.empty((3, count), np.int64)
    n = 0
    for k in range(count):
        interval = S[members + MEMBER * k]
        row = S[INTERVALS] + INTERVAL * interval
        size = lowest(S, T, row + SIZE)
        if size > 0 and literal(T, S[row + PRESENCE]) > 0:
            which[n] = row
            windows[0, n] = lowest(S, T, row + START)
            windows[1, n] = min(
                highest(S, T, row + END), highest(S, T, row + START) + highest(S, T, row + SIZE)
            )
            windows[2, n] = size
            n += 1
    if n < 2:
        return True
    est, lct, p = windows[0, :n], windows[1, :n], windows[2, :n]
    changes = filter_disjunctive(S[RULES], est, lct, p)
    if changes < 0:
        return fail(T, item, -1)
    if changes > 0:
        for k in range(n):
            row = which[k]
            if not expr_at_least(S, T, trail, row + START, est[k], item):
                return False
            if not expr_at_most(S, T, trail, row + START, lct[k] - p[k], item):
                return False
            if not expr_at_most(S, T, trail, row + END, lct[k], item):
                return False
    return True
