"""The best change of every class of bins with two compartments, for given integer prices."""

from __future__ import annotations

import numpy as np
from numba import int64, types

from cpsched.columns.exchange_kernels import MATRIX, VECTOR, LongArray, choices, slots_of
from cpsched.kernels import kernel, part

CUBE = int64[:, :, ::1]

#: Different amounts of free room that a compartment may end with.
ENDS = 512


@part(
    int64(
        VECTOR, VECTOR, VECTOR, MATRIX, VECTOR, int64, MATRIX, VECTOR, int64, int64, VECTOR,
        VECTOR, MATRIX,
    )
)  # fmt: skip
def _ends(
    free: LongArray,
    shift: LongArray,
    both: LongArray,
    leave_amount: LongArray,
    leave_worth: LongArray,
    leaving: int,
    come_amount: LongArray,
    come_worth: LongArray,
    coming: int,
    gain: int,
    size: LongArray,
    worth: LongArray,
    ends: LongArray,
) -> int:
    """Free room a compartment may end with, and the best way to each; -1: too many rows.

    Returns the number of rows. shift: what items in both compartments free, less what those that
    come take, *both*. Rows of ends: room, value, and the two labels.
    """
    found = 0
    for i in range(leaving):
        for j in range(coming):
            if 0 < come_amount[j, 0] > free[0] + shift[0] + leave_amount[i, 0]:
                break  # what follows takes no less
            fits = True
            for r in range(len(free)):
                asked = come_amount[j, r] > 0 or both[r] > 0
                if asked and free[r] + shift[r] + leave_amount[i, r] < come_amount[j, r]:
                    fits = False
                    break
            if not fits:
                continue
            room = free[0] + shift[0] + leave_amount[i, 0] - come_amount[j, 0]
            value = leave_worth[i] + come_worth[j] + gain * slots_of(room, size, worth)
            row = 0
            while row < found and ends[row, 0] != room:
                row += 1
            if row == found:
                if found == len(ends):
                    return -1
                found += 1
                ends[row, 0] = room
                ends[row, 1] = value - 1
            if value > ends[row, 1]:
                ends[row, 1] = value
                ends[row, 2] = i
                ends[row, 3] = j
    # More room at no less value covers the rest: the twin slots never get fewer with it.
    kept = 0
    for row in range(found):
        covered = False
        for other in range(found):
            if ends[other, 0] > ends[row, 0] and ends[other, 1] >= ends[row, 1]:
                covered = True
                break
        ends[row, 3] += 0 if not covered else 2**40
    for row in range(found):
        if ends[row, 3] < 2**40:
            for column in range(4):
                ends[kept, column] = ends[row, column]
            kept += 1
    return kept


@kernel(
    types.boolean(
        CUBE, CUBE, MATRIX, VECTOR, MATRIX, MATRIX, VECTOR, VECTOR, int64, VECTOR, VECTOR, VECTOR,
        VECTOR, VECTOR, int64, MATRIX, VECTOR, MATRIX, int64, MATRIX, VECTOR, MATRIX, int64,
        CUBE, MATRIX, CUBE, MATRIX, VECTOR, MATRIX, CUBE, VECTOR, MATRIX, MATRIX,
    )
)  # fmt: skip
def best_pairs(
    free: LongArray,
    have: LongArray,
    twins: LongArray,
    counts: LongArray,
    weight: LongArray,
    twin_weight: LongArray,
    leaving: LongArray,
    twin_leaving: LongArray,
    gain: int,
    size: LongArray,
    worth: LongArray,
    twin_size: LongArray,
    twin_worth: LongArray,
    door: LongArray,
    this_door: int,
    come_amount: LongArray,
    come_worth: LongArray,
    come_content: LongArray,
    coming: int,
    twin_amount: LongArray,
    twin_come_worth: LongArray,
    twin_content: LongArray,
    twins_coming: int,
    amount: LongArray,
    label_worth: LongArray,
    content: LongArray,
    gone_amount: LongArray,
    gone_worth: LongArray,
    gone_content: LongArray,
    ends: LongArray,
    best: LongArray,
    leave: LongArray,
    come: LongArray,
) -> bool:
    """Best change of each class behind *this_door*; False if there are too many labels.

    free: (classes, 2, resources); have: (classes, 2, types); twins: (classes, twin types), items
    that take room in both compartments, ``twin_weight`` in each; leaving, twin_leaving: prices of
    what leaves, not positive; come_*, twin_*: choices of what comes; amount, label_worth, content
    (2, labels, ..), gone_*, ends (2, rows, 4): room to work. Written: best, at least 0; leave,
    come: entries are the types in the first compartment, in the second, the twin types.
    """
    number, resources = weight.shape
    none = np.zeros(resources, dtype=np.int64)
    shift = np.zeros(resources, dtype=np.int64)
    labels = np.zeros(2, dtype=np.int64)
    rows = np.zeros(2, dtype=np.int64)
    for c in range(len(free)):
        if door[c] != this_door:
            continue
        for k in range(2):
            labels[k] = choices(
                weight, leaving, have[c, k], none, -1, amount[k], label_worth[k], content[k]
            )
            if labels[k] < 0:
                return False
        gone = choices(
            twin_weight, twin_leaving, twins[c], none, -1, gone_amount, gone_worth, gone_content
        )
        if gone < 0:
            return False
        price = counts[c] * gain
        before = slots_of(min(free[c, 0, 0], free[c, 1, 0]), twin_size, twin_worth)
        for k in range(2):
            before += slots_of(free[c, k, 0], size, worth)
        best[c] = 0
        leave[c] = 0
        come[c] = 0
        for e in range(gone):
            for b in range(twins_coming):
                for r in range(resources):
                    shift[r] = gone_amount[e, r] - twin_amount[b, r]
                for k in range(2):
                    rows[k] = _ends(
                        free[c, k], shift, twin_amount[b], amount[k], label_worth[k], labels[k],
                        come_amount, come_worth, coming, price, size, worth, ends[k],
                    )  # fmt: skip
                    if rows[k] < 0:
                        return False
                base = gone_worth[e] + twin_come_worth[b] - price * before
                for i in range(rows[0]):
                    for j in range(rows[1]):
                        value = base + ends[0, i, 1] + ends[1, j, 1]
                        value += price * slots_of(
                            min(ends[0, i, 0], ends[1, j, 0]), twin_size, twin_worth
                        )
                        if value > best[c]:
                            best[c] = value
                            for t in range(number):
                                leave[c, t] = content[0, ends[0, i, 2], t]
                                come[c, t] = come_content[ends[0, i, 3], t]
                                leave[c, number + t] = content[1, ends[1, j, 2], t]
                                come[c, number + t] = come_content[ends[1, j, 3], t]
                            for t in range(twins.shape[1]):
                                leave[c, 2 * number + t] = gone_content[e, t]
                                come[c, 2 * number + t] = twin_content[b, t]
    return True
