"""Propagation of cumulative: timetable filtering over the intervals' compulsory parts."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from cpsched.kernels import part
from cpsched.propagation.domains import (
    Int,
    Ints,
    expr_at_least,
    expr_at_most,
    fail,
    highest,
    literal,
    lowest,
    set_false,
)
from cpsched.propagation.layout import (
    ARRAY,
    I8,
    INT,
    INTERVAL,
    INTERVALS,
    ITEM_DATA,
    OK,
    PRESENCE,
    SIZE,
    START,
)
from cpsched.propagation.no_overlap import earliest_start, start_at_least
from cpsched.propagation.timetable import filter_timetable

FLAGS = types.uint8[::1]


@part(INT(ARRAY, ARRAY, ARRAY, ARRAY, FLAGS, INT))
def others_peak(est: Ints, lst: Ints, p: Ints, demand: Ints, present: Any, k: Int) -> Int:
    """Largest sum of the demands of the intervals but k in the compulsory part of k."""
    end = est[k] + p[k]
    peak = np.int64(0)
    for first in range(len(est)):
        moment = lst[first]
        if not lst[k] <= moment < end:
            continue
        total = np.int64(0)
        for j in range(len(est)):
            if j != k and present[j] != 0 and lst[j] <= moment < est[j] + p[j]:
                total += demand[j]
        peak = max(peak, total)
    return peak


@part(OK(I8, I8, I8, INT))
def cumulative(S: Ints, T: Ints, trail: Ints, item: Int) -> Int:
    """Keep the sum of demands at or below the capacity at every moment."""
    data = S[S[ITEM_DATA] + item]
    capacity, count = data, S[data + 3]
    entries = data + 4
    table = np.empty((4, count), np.int64)
    present = np.empty(count, np.uint8)
    which = np.empty(count, np.int64)
    n = 0
    for k in range(count):
        entry = entries + 4 * k
        row = S[INTERVALS] + INTERVAL * S[entry]
        presence = literal(T, S[row + PRESENCE])
        if presence < 0:
            continue
        which[n] = entry
        present[n] = presence
        table[0, n] = earliest_start(S, T, S[entry])
        table[1, n] = highest(S, T, row + START)
        table[2, n] = lowest(S, T, row + SIZE)
        table[3, n] = lowest(S, T, entry + 1)
        n += 1
    if n == 0:
        return expr_at_least(S, T, trail, capacity, 0, item)
    est, lst = table[0, :n], table[1, :n]
    peak = np.zeros(1, np.int64)
    changes = filter_timetable(
        est, lst, table[2, :n], table[3, :n], present[:n], highest(S, T, capacity), peak
    )
    if changes < 0:
        return fail(T, item, -1)
    if not expr_at_least(S, T, trail, capacity, peak[0], item):
        return False
    for k in range(n):
        interval = S[which[k]]
        row = S[INTERVALS] + INTERVAL * interval
        if present[k] != 0:
            if not expr_at_least(S, T, trail, row + START, est[k], item):
                return False
            if not expr_at_most(S, T, trail, row + START, lst[k], item):
                return False
        elif est[k] > lst[k]:
            if not set_false(S, T, trail, S[row + PRESENCE], item):
                return False
        elif not start_at_least(S, T, trail, interval, est[k], item):
            return False
    for k in range(n):
        low, high = table[3, k], highest(S, T, which[k] + 1)
        if present[k] == 0 or low == high or lst[k] >= est[k] + table[2, k]:
            continue
        # What the others leave while it runs for sure.
        room = highest(S, T, capacity) - others_peak(
            est, lst, table[2, :n], table[3, :n], present, k
        )
        if room < high and not expr_at_most(S, T, trail, which[k] + 1, room, item):
            return False
    return True
