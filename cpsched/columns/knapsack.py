"""The most profitable contents of one bin: a bounded knapsack with several resources.

Depth-first search over the types of items, best profit per scarce resource first, cut off by a
Lagrangian bound: with prices mu on the resources, what is still to come is worth at most
``mu * room + sum of max(0, profit - mu * weight)``. Profits are integers, so that what is cut off
is cut off exactly; the bound itself is rounded outwards.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import types

from cpsched.kernels import kernel

LongArray = npt.NDArray[np.int64]

INT = types.int64
I8 = types.int64[::1]
I8X2 = types.int64[:, ::1]
F8 = types.float64[::1]
U1X2 = types.uint8[:, ::1]

#: Profits stay below this, so that float64 holds their sums exactly.
MAX_PROFIT = 2**40

#: How ``enumerate_patterns`` uses its threshold.
BEST, ALL = 0, 1

#: Relative error that the rounding of the bound may have, by far.
_SLACK = 1e-9


@kernel(types.void(I8X2, I8, I8, I8, I8, I8, F8))
def prices(
    weight: LongArray,
    limit: LongArray,
    stay: LongArray,
    profit: LongArray,
    bonus: LongArray,
    capacity: LongArray,
    mu: npt.NDArray[np.float64],
) -> None:
    """Prices of the resources that make the Lagrangian bound of the whole bin small.

    Cyclic descent: for one resource at a time the exact minimiser, a break point of a convex
    piecewise linear function. mu, shape (resources,): overwritten.
    """
    items, resources = weight.shape
    count = 2 * items
    value = np.empty(count)
    size = np.empty((count, resources))
    number = np.empty(count)
    for k in range(items):
        first = min(stay[k], limit[k])
        number[2 * k] = first
        value[2 * k] = profit[k] + bonus[k]
        number[2 * k + 1] = limit[k] - first
        value[2 * k + 1] = profit[k]
        for r in range(resources):
            share = (
                weight[k, r] / capacity[r]
                if capacity[r] > 0
                else (0.0 if weight[k, r] == 0 else 2.0)
            )
            size[2 * k, r] = share
            size[2 * k + 1, r] = share
    best = np.zeros(resources)
    current = np.zeros(resources)
    best_bound = np.inf
    rest = np.empty(count)
    point = np.empty(count)
    for start in range(resources + 1):
        for r in range(resources):
            current[r] = 0.0
        for sweep in range(6):
            for turn in range(resources):
                r = (turn + start) % resources
                for k in range(count):
                    left = value[k]
                    for q in range(resources):
                        if q != r:
                            left -= current[q] * size[k, q]
                    rest[k] = left
                    point[k] = (
                        left / size[k, r]
                        if (size[k, r] > 0 and left > 0 and number[k] > 0)
                        else -1.0
                    )
                order = np.argsort(-point)
                filled = 0.0
                price = 0.0
                for position in range(count):
                    k = order[position]
                    if point[k] <= 0:
                        break
                    filled += number[k] * size[k, r]
                    if filled >= 1.0:
                        price = point[k]
                        break
                # Damped at first in the last attempt: the minimum is seldom on an axis.
                if sweep < 2 and start == resources:
                    price = 0.5 * (price + current[r])
                current[r] = price
            bound = 0.0
            for r in range(resources):
                bound += current[r]
            for k in range(count):
                left = value[k]
                for q in range(resources):
                    left -= current[q] * size[k, q]
                if left > 0:
                    bound += number[k] * left
            if bound < best_bound:
                best_bound = bound
                for r in range(resources):
                    best[r] = current[r]
    # A few steps along the subgradient: coordinate descent stops at a kink.
    step = 0.1
    for r in range(resources):
        current[r] = best[r]
    for _ in range(60):
        bound = 0.0
        slope = np.ones(resources)
        for r in range(resources):
            bound += current[r]
        for k in range(count):
            left = value[k]
            for q in range(resources):
                left -= current[q] * size[k, q]
            if left > 0:
                bound += number[k] * left
                for q in range(resources):
                    slope[q] -= number[k] * size[k, q]
        if bound < best_bound:
            best_bound = bound
            for r in range(resources):
                best[r] = current[r]
        else:
            step *= 0.85
        norm = 0.0
        for r in range(resources):
            norm += slope[r] * slope[r]
        if norm < 1e-18:
            break
        for r in range(resources):
            current[r] = max(0.0, best[r] - step * best_bound * slope[r] / np.sqrt(norm) * 0.2)
    for r in range(resources):
        mu[r] = best[r]


@kernel(INT(I8X2, I8, I8, I8, I8, I8, U1X2, F8, I8, INT, INT, INT, I8X2, I8, I8))
def enumerate_patterns(
    weight: LongArray,
    limit: LongArray,
    stay: LongArray,
    profit: LongArray,
    bonus: LongArray,
    capacity: LongArray,
    conflict: npt.NDArray[np.uint8],
    mu: npt.NDArray[np.float64],
    halt: LongArray,
    threshold: int,
    mode: int,
    max_nodes: int,
    out: LongArray,
    out_profit: LongArray,
    info: LongArray,
) -> int:
    """Contents of one bin worth *threshold* or more; return how many are in *out*.

    weight (types, resources), limit (types,): most of a type; stay (types,): so many of a type
    earn the *bonus* on top of the *profit*; conflict (types, types): 1 where two types exclude
    each other, on the diagonal where a type excludes itself. mode BEST: every find raises the
    threshold to one more than its profit, so that the last is the best; if *out* is full, the
    oldest are overwritten. ALL: every maximal content worth the threshold, until *out* is full.
    info: [complete (1 or 0), nodes visited, best profit found or -1, next free row].
    """
    items, resources = weight.shape
    rows = out.shape[0]
    scarce = np.zeros(items)
    for k in range(items):
        for r in range(resources):
            if capacity[r] > 0:
                scarce[k] += mu[r] * weight[k, r] / capacity[r]
    key = np.empty(items)
    for k in range(items):
        gain = profit[k] + (bonus[k] if stay[k] > 0 else 0)
        if limit[k] <= 0:
            key[k] = 1e300
        elif gain <= 0:
            key[k] = 1e200
        else:
            key[k] = (scarce[k] + 1e-9) / gain
    order = np.argsort(key)
    used = 0
    while used < items and key[order[used]] < 1e299:
        used += 1
    # Best that the types from a position on can add beyond the price of what they take.
    suffix = np.zeros(used + 1)
    for position in range(used - 1, -1, -1):
        k = order[position]
        first = min(stay[k], limit[k])
        extra = first * max(0.0, profit[k] + bonus[k] - scarce[k])
        extra += (limit[k] - first) * max(0.0, profit[k] - scarce[k])
        suffix[position] = suffix[position + 1] + extra
    room = np.empty((used + 1, resources), np.int64)
    worth = np.zeros(used + 1, np.int64)
    taken = np.zeros(used, np.int64)
    blocked = np.zeros((used + 1, items), np.uint8)
    has_conflict = False
    for a in range(items):
        for b in range(items):
            if conflict[a, b]:
                has_conflict = True
    for r in range(resources):
        room[0, r] = capacity[r]
    scale = np.empty(resources)
    for r in range(resources):
        scale[r] = mu[r] / capacity[r] if capacity[r] > 0 else 0.0
    found = 0
    best = -1
    nodes = 0
    complete = 1
    position = 0
    # taken[position] counts down from the most that fits; -1 marks "not entered".
    entering = True
    while position >= 0:
        if position == used:
            value = worth[used]
            good = value >= threshold
            if good and mode == ALL:
                for q in range(used):
                    k = order[q]
                    if taken[q] < limit[k] and not (has_conflict and blocked[used, k]):
                        fits = True
                        for r in range(resources):
                            if weight[k, r] > room[used, r]:
                                fits = False
                                break
                        if fits:
                            good = False
                            break
            if good:
                row = found % rows if mode == BEST else found
                if mode == ALL and found >= rows:
                    complete = 0
                    break
                for k in range(items):
                    out[row, k] = 0
                for q in range(used):
                    out[row, order[q]] = taken[q]
                out_profit[row] = value
                found += 1
                if value > best:
                    best = value
                if mode == BEST:
                    threshold = value + 1
            position -= 1
            entering = False
            continue
        k = order[position]
        if entering:
            nodes += 1
            if nodes & 1023 == 0 and (halt[0] != 0 or nodes > max_nodes):
                complete = 0
                break
            most = limit[k]
            for r in range(resources):
                if weight[k, r] > 0:
                    fit = room[position, r] // weight[k, r]
                    if fit < most:
                        most = fit
            if has_conflict:
                if blocked[position, k]:
                    most = 0
                elif conflict[k, k] and most > 1:
                    most = 1
            taken[position] = most
        else:
            taken[position] -= 1
            if taken[position] < 0:
                position -= 1
                continue
        number = taken[position]
        gain = number * profit[k] + min(number, stay[k]) * bonus[k]
        value = worth[position] + gain
        bound = float(value) + suffix[position + 1]
        for r in range(resources):
            left = room[position, r] - number * weight[k, r]
            room[position + 1, r] = left
            bound += scale[r] * left
        if bound * (1.0 + _SLACK) + 1e-6 < threshold:
            entering = False
            if profit[k] >= scarce[k]:
                position -= 1  # fewer of a type that pays its price are worth no more
            continue
        worth[position + 1] = value
        if has_conflict:
            for a in range(items):
                blocked[position + 1, a] = blocked[position, a]
                if number > 0 and (conflict[k, a] or conflict[a, k]):
                    blocked[position + 1, a] = 1
        position += 1
        entering = True
    info[0] = complete
    info[1] = nodes
    info[2] = best
    info[3] = found % rows if mode == BEST else found
    return found if found < rows else rows
