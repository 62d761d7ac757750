"""Propagation of constraints over affine expressions: element, maximum, all different."""

from __future__ import annotations

from cpsched.kernels import part
from cpsched.propagation.domains import (
    Int,
    Ints,
    expr_at_least,
    expr_at_most,
    fail,
    highest,
    lowest,
)
from cpsched.propagation.layout import I8, INT, ITEM_DATA, OK
from cpsched.propagation.linear import open_enforcement, violated


@part(OK(I8, I8, I8, INT))
def element(S: Ints, T: Ints, trail: Ints, item: Int) -> Int:
    """Propagate target == exprs[index]; needs every enforcement literal true."""
    data = S[S[ITEM_DATA] + item]
    num_enforcement, count = S[data], S[data + 1]
    index, target, enforcement = data + 2, data + 5, data + 8
    if open_enforcement(S, T, enforcement, num_enforcement) != 0:
        return True
    exprs = enforcement + num_enforcement
    if not expr_at_least(S, T, trail, index, 0, item):
        return False
    if not expr_at_most(S, T, trail, index, count - 1, item):
        return False
    # The index moves inwards past entries that cannot equal the target.
    while True:
        i = lowest(S, T, index)
        entry = exprs + 3 * i
        if lowest(S, T, entry) <= highest(S, T, target) and highest(S, T, entry) >= lowest(
            S, T, target
        ):
            break
        if not expr_at_least(S, T, trail, index, i + 1, item):
            return False
    while True:
        i = highest(S, T, index)
        entry = exprs + 3 * i
        if lowest(S, T, entry) <= highest(S, T, target) and highest(S, T, entry) >= lowest(
            S, T, target
        ):
            break
        if not expr_at_most(S, T, trail, index, i - 1, item):
            return False
    first, last = lowest(S, T, index), highest(S, T, index)
    least, greatest = lowest(S, T, exprs + 3 * first), highest(S, T, exprs + 3 * first)
    for i in range(first + 1, last + 1):
        low, high = lowest(S, T, exprs + 3 * i), highest(S, T, exprs + 3 * i)
        if low <= highest(S, T, target) and high >= lowest(S, T, target):
            least, greatest = min(least, low), max(greatest, high)
    if not expr_at_least(S, T, trail, target, least, item):
        return False
    if not expr_at_most(S, T, trail, target, greatest, item):
        return False
    if first == last:
        entry = exprs + 3 * first
        if not expr_at_least(S, T, trail, entry, lowest(S, T, target), item):
            return False
        return expr_at_most(S, T, trail, entry, highest(S, T, target), item)
    return True


@part(OK(I8, I8, I8, INT))
def maximum(S: Ints, T: Ints, trail: Ints, item: Int) -> Int:
    """Propagate target == max(exprs); needs every enforcement literal true."""
    data = S[S[ITEM_DATA] + item]
    num_enforcement, count = S[data], S[data + 1]
    target, enforcement = data + 2, data + 5
    if open_enforcement(S, T, enforcement, num_enforcement) != 0:
        return True
    exprs = enforcement + num_enforcement
    stop = exprs + 3 * count
    if count == 0:
        return fail(T, item, -1)
    least, greatest = lowest(S, T, exprs), highest(S, T, exprs)
    for entry in range(exprs + 3, stop, 3):
        least, greatest = max(least, lowest(S, T, entry)), max(greatest, highest(S, T, entry))
    if not expr_at_least(S, T, trail, target, least, item):
        return False
    if not expr_at_most(S, T, trail, target, greatest, item):
        return False
    low, high = lowest(S, T, target), highest(S, T, target)
    able = 0
    last = exprs
    for entry in range(exprs, stop, 3):
        if not expr_at_most(S, T, trail, entry, high, item):
            return False
        if highest(S, T, entry) >= low:
            able += 1
            last = entry
    if able == 0:
        return fail(T, item, -1)
    return able > 1 or expr_at_least(S, T, trail, last, low, item)


@part(OK(I8, I8, I8, INT))
def all_different(S: Ints, T: Ints, trail: Ints, item: Int) -> Int:
    """Keep the bounds of every expression off the values of the fixed ones."""
    data = S[S[ITEM_DATA] + item]
    num_enforcement, count = S[data], S[data + 1]
    enforcement = data + 2
    still_open = open_enforcement(S, T, enforcement, num_enforcement)
    if still_open < 0 or still_open > 1:
        return True
    first = enforcement + num_enforcement
    stop = first + 3 * count
    for one in range(first, stop, 3):
        value = lowest(S, T, one)
        if value != highest(S, T, one):
            continue
        for other in range(first, stop, 3):
            if other == one:
                continue
            low, high = lowest(S, T, other), highest(S, T, other)
            if low == value == high:
                return violated(S, T, trail, enforcement, num_enforcement, item)
            if still_open == 1:
                continue
            if low == value and not expr_at_least(S, T, trail, other, value + 1, item):
                return False
            if high == value and not expr_at_most(S, T, trail, other, value - 1, item):
                return False
    return True
