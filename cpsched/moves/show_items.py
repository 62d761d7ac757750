"""The kernels that show a move state in two stages: the items, then the decisions of one of them.

Features of an item, as many as there:

0. 1;
1. 1 if another decision of it is in force than at the start;
2. 1 if a decision of it is legal now;
3. share of its decisions that are legal;
4. the best change of the objective among these / scale, 0 if none is legal;
5. the same on a logarithmic scale, as ``moves.show`` has it;
6. its decisions / the most of any item;
7. 1 if it is the one chosen;
8. the least share that is left of the limits that the decision in force counts in.

Features of an option, a decision of the item chosen: the eight of ``moves.show``, then the least
share that is left of the limits that it would count in. A share is 1 where there is no limit.
"""

from __future__ import annotations

import numpy as np

from cpsched.construct.observe import BYTES, F8, TABLE, Bytes, Floats
from cpsched.kernels import kernel, part, pointer
from cpsched.moves.layout import (
    COLUMNS,
    DOMAINS,
    ITEM_DECISIONS,
    LITERAL,
    NUM_ITEMS,
    POSSIBLE,
    REJECTS,
    SCALE,
    T_ACTIVITY,
    T_ALLOWED,
    T_CURRENT,
    T_GAIN,
)
from cpsched.propagation.domains import NONE, Int, Ints
from cpsched.propagation.layout import ARRAY, I8, INT

#: Columns of the two tables.
ITEM_FEATURES = OPTION_FEATURES = 9


@part(F8(I8, I8, INT))
def share_left(S: Ints, T: Ints, d: Int) -> float:
    """The least share that is left of the limits that decision *d* counts in, by more than one."""
    ref = S[S[LITERAL] + d] if d >= 0 else REJECTS
    if ref == REJECTS or ref < 0:
        return 1.0
    left = 1.0
    ptr = S[COLUMNS] + ref
    for k in range(S[ptr], S[ptr + 1], 3):
        # Coefficients of 1 are those of at-most-ones, which say nothing of room.
        if S[k + 1] > 1:
            high = np.float64(S[S[S[DOMAINS] + S[k]] + 1])
            room = high - np.float64(T[S[T_ACTIVITY] + S[k]])
            left = min(left, max(0.0, room / max(1.0, high)))
    return left


@kernel(NONE(ARRAY, ARRAY, BYTES, ARRAY, ARRAY, INT, INT, TABLE, BYTES))
def show_items(
    static: Ints,
    state: Ints,
    verdict: Bytes,
    extra: Ints,
    start: Ints,
    over: Int,
    most: Int,
    table: Floats,
    mask: Bytes,
) -> None:
    """Write the features of all items, and which have a legal decision.

    None is chosen. verdict, extra, start, over: as in ``moves.show``; most: decisions of the item
    that has most.
    """
    S, T = pointer(static), pointer(state)
    inverse, logarithm = 1.0 / S[SCALE], 1.0 / np.log1p(np.float64(S[SCALE]))
    for item in range(S[NUM_ITEMS]):
        ptr = S[ITEM_DECISIONS] + item
        count, legal, best = S[ptr + 1] - S[ptr], 0, 0
        for k in range(S[ptr], S[ptr + 1]):
            d = S[k]
            if over == 0 and T[S[T_ALLOWED] + d] != 0 and verdict[d] == 1:
                change = T[S[T_GAIN] + d] + extra[d]
                best = change if legal == 0 else min(best, change)
                legal += 1
        current = T[S[T_CURRENT] + item]
        left = share_left(S, T, current)
        change = np.float64(best)
        table[item, 0] = np.float32(1.0)
        table[item, 1] = np.float32(1.0 if current != start[item] else 0.0)
        table[item, 2] = np.float32(1.0 if legal > 0 else 0.0)
        table[item, 3] = np.float32(np.float64(legal) / max(1, count))
        table[item, 4] = np.float32(change * inverse)
        table[item, 5] = np.float32(np.sign(change) * np.log1p(abs(change)) * logarithm)
        table[item, 6] = np.float32(np.float64(count) / most)
        table[item, 7] = np.float32(0.0)
        table[item, 8] = np.float32(left)
        mask[item] = np.int8(1 if legal > 0 else 0)


@kernel(NONE(ARRAY, ARRAY, BYTES, ARRAY, INT, INT, TABLE, BYTES))
def show_options(
    static: Ints,
    state: Ints,
    verdict: Bytes,
    extra: Ints,
    start: Int,
    item: Int,
    table: Floats,
    mask: Bytes,
) -> None:
    """Write the features of the decisions of *item*, in their order, and which are legal.

    start: decision of the item that was in force at the start.
    """
    S, T = pointer(static), pointer(state)
    inverse, logarithm = 1.0 / S[SCALE], 1.0 / np.log1p(np.float64(S[SCALE]))
    ptr = S[ITEM_DECISIONS] + item
    current = T[S[T_CURRENT] + item]
    for option in range(S[ptr + 1] - S[ptr]):
        d = S[S[ptr] + option]
        legal = T[S[T_ALLOWED] + d] != 0 and verdict[d] == 1
        change = np.float64(T[S[T_GAIN] + d] + extra[d]) if legal else 0.0
        left = share_left(S, T, d)
        table[option, 0] = np.float32(1.0)
        table[option, 1] = np.float32(1.0 if current == d else 0.0)
        table[option, 2] = np.float32(1.0 if start == d else 0.0)
        table[option, 3] = np.float32(change * inverse)
        table[option, 4] = np.float32(np.sign(change) * np.log1p(abs(change)) * logarithm)
        table[option, 5] = np.float32(1.0 if current != start else 0.0)
        table[option, 6] = np.float32(1.0 if legal else 0.0)
        table[option, 7] = np.float32(S[S[POSSIBLE] + d])
        table[option, 8] = np.float32(left)
        mask[option] = np.int8(1 if legal else 0)
