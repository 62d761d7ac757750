"""The best change of every class of bins for given integer prices: labels, exact.

What comes to a bin and what leaves it are chosen apart from each other, type by type; of two
choices the one that takes no less (frees no more) of any resource and is worth no more is left
out. Slots never get fewer with more free room, so nothing is lost.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import int64, types

from cpsched.kernels import kernel, part

LongArray = npt.NDArray[np.int64]

#: Labels that there is room for.
LABELS = 4096

VECTOR = int64[::1]
MATRIX = int64[:, ::1]

#: Worth of a label that is left out.
_DEAD = -(2**60)


@part(types.boolean(MATRIX, int64, MATRIX, int64, int64))
def _covers(amount: LongArray, i: int, other: LongArray, j: int, sign: int) -> bool:
    """Whether label i is no worse than j in every resource: takes less (sign 1), frees more."""
    worse = False
    for r in range(amount.shape[1]):
        worse |= sign * amount[i, r] > sign * other[j, r]
    return not worse


@part(int64(MATRIX, VECTOR, MATRIX, int64, int64))
def _compact(amount: LongArray, worth: LongArray, content: LongArray, size: int, sign: int) -> int:
    """Leave out what another label covers; returns how many are left, in their order."""
    for j in range(1, size):
        for i in range(size):
            if i == j or worth[i] == _DEAD or worth[i] < worth[j]:
                continue
            if not _covers(amount, i, amount, j, sign):
                continue
            # Of two equal ones the first stays.
            if i < j or worth[i] > worth[j] or not _covers(amount, j, amount, i, sign):
                worth[j] = _DEAD
                break
    kept = 1
    for j in range(1, size):
        if worth[j] == _DEAD:
            continue
        if kept != j:
            amount[kept] = amount[j]
            worth[kept] = worth[j]
            content[kept] = content[j]
        kept += 1
    return kept


@kernel(int64(MATRIX, VECTOR, VECTOR, VECTOR, int64, MATRIX, VECTOR, MATRIX))
def choices(
    weight: LongArray,
    price: LongArray,
    most: LongArray,
    room: LongArray,
    sign: int,
    amount: LongArray,
    worth: LongArray,
    content: LongArray,
) -> int:
    """Undominated selections of items; returns how many labels, -1 if they are too many.

    sign 1: items that come, worth *price* each, within *room*; sign -1: items that leave, at the
    *price* (not positive) of each. most: (types,) of each at most. amount, worth, content: the
    labels, of shape (labels, resources), (labels,), (labels, types).
    """
    number, resources = weight.shape
    size = 1
    amount[0] = 0
    worth[0] = 0
    content[0] = 0
    for t in range(number):
        if most[t] == 0 or (sign > 0 and price[t] <= 0):
            continue
        before = size
        for i in range(before):
            for k in range(1, most[t] + 1):
                fits = True
                for r in range(resources):
                    total = amount[i, r] + k * weight[t, r]
                    if sign > 0 and weight[t, r] > 0 and total > room[r]:
                        fits = False
                if not fits:
                    break
                if size == len(worth):
                    return -1
                for r in range(resources):
                    amount[size, r] = amount[i, r] + k * weight[t, r]
                worth[size] = worth[i] + k * price[t]
                for s in range(number):
                    content[size, s] = content[i, s]
                content[size, t] += k
                covered = False
                for j in range(size):
                    if worth[j] >= worth[size] and _covers(amount, j, amount, size, sign):
                        covered = True
                        break
                if not covered:
                    size += 1
        size = _compact(amount, worth, content, size, sign)
    return size


@part(int64(int64, VECTOR, VECTOR))
def slots_of(free: int, size: LongArray, worth: LongArray) -> int:
    """Worth of the whole slots in *free* room."""
    total = 0
    if free > 0:
        for k in range(len(size)):
            total += worth[k] * (free // size[k])
    return total


@kernel(
    types.boolean(
        MATRIX, MATRIX, VECTOR, MATRIX, VECTOR, int64, VECTOR, VECTOR, VECTOR, int64,
        MATRIX, VECTOR, MATRIX, int64, MATRIX, VECTOR, MATRIX, VECTOR, MATRIX, MATRIX,
    )
)  # fmt: skip
def best_changes(
    free: LongArray,
    have: LongArray,
    counts: LongArray,
    weight: LongArray,
    leaving: LongArray,
    gain: int,
    size: LongArray,
    worth: LongArray,
    door: LongArray,
    this_door: int,
    come_amount: LongArray,
    come_worth: LongArray,
    come_content: LongArray,
    come_size: int,
    amount: LongArray,
    label_worth: LongArray,
    content: LongArray,
    best: LongArray,
    leave: LongArray,
    come: LongArray,
) -> bool:
    """Best change of each class behind *this_door*; False if there are too many labels.

    free, have, counts: of the classes; leaving: (types,), price of an item that leaves, not
    positive; gain: price of a slot's worth; come_*: choices of what comes, by their amounts; amount,
    label_worth, content: room for what leaves. Written: best (classes,), at least 0, which no
    change exceeds;
    leave, come: (classes, types).
    """
    resources = free.shape[1]
    none = np.zeros(resources, dtype=np.int64)
    for c in range(len(free)):
        if door[c] != this_door:
            continue
        labels = choices(weight, leaving, have[c], none, -1, amount, label_worth, content)
        if labels < 0:
            return False
        before = slots_of(free[c, 0], size, worth)
        best[c] = 0
        leave[c] = 0
        come[c] = 0
        first, second = 0, 0
        for i in range(labels):
            for j in range(come_size):
                if 0 < come_amount[j, 0] > free[c, 0] + amount[i, 0]:
                    break  # what follows takes no less
                fits = True
                for r in range(resources):
                    if come_amount[j, r] > 0 and come_amount[j, r] > free[c, r] + amount[i, r]:
                        fits = False
                        break
                if not fits:
                    continue
                after = free[c, 0] + amount[i, 0] - come_amount[j, 0]
                value = label_worth[i] + come_worth[j]
                value += counts[c] * gain * (slots_of(after, size, worth) - before)
                if value > best[c]:
                    best[c] = value
                    first, second = i, j
        if best[c] > 0:
            leave[c] = content[first]
            come[c] = come_content[second]
    return True
