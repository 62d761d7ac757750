"""Kernel parts that try a decision: activities of rows are kept, not recomputed.

A decision is tried on top of the item left empty, so that only the rows of one bit are looked at.
"""

from __future__ import annotations

from cpsched.kernels import part
from cpsched.moves.layout import (
    BIT_STAIRS,
    COLUMNS,
    COST,
    DOMAINS,
    FLIPPED,
    ITEM,
    ITEM_DECISIONS,
    ITEM_LITERALS,
    LITERAL,
    MIXED,
    REJECTS,
    STAIR_COST,
    STAIRS,
    T_ACTIVITY,
    T_ALLOWED,
    T_FLIPPED,
    T_GAIN,
    T_GUARD,
    T_STALE_DECISION,
    T_VALUE,
    VIOLATED,
)
from cpsched.propagation.domains import NONE, Int, Ints
from cpsched.propagation.layout import I8, INT, OK


@part(OK(I8, I8, INT))
def is_true(S: Ints, T: Ints, ref: Int) -> Int:
    """Whether a literal is true."""
    return T[S[T_VALUE] + ref] == 1 if ref >= 0 else T[S[T_VALUE] - ref - 1] == 0


@part(OK(I8, I8, INT))
def any_true(S: Ints, T: Ints, item: Int) -> Int:
    """Whether a literal of *item* is true."""
    ptr = S[ITEM_LITERALS] + item
    found = False
    for k in range(S[ptr], S[ptr + 1]):
        found = found or is_true(S, T, S[k])
    return found


@part(OK(I8, INT, INT, INT))
def holds(S: Ints, row: Int, activity: Int, guard: Int) -> Int:
    """Whether *row* holds with this activity and guard."""
    if guard != 0:
        return True
    ptr = S[DOMAINS] + row
    for k in range(S[ptr], S[ptr + 1], 2):
        if activity < S[k]:
            return False
        if activity <= S[k + 1]:
            return True
    return False


@part(INT(I8, I8, INT))
def trial(S: Ints, T: Ints, bit: Int) -> Int:
    """How many more rows would be violated with *bit* flipped."""
    sign = 1 - 2 * T[S[T_VALUE] + bit]
    more = 0
    ptr = S[COLUMNS] + bit
    for k in range(S[ptr], S[ptr + 1], 3):
        row = S[k]
        activity, guard = T[S[T_ACTIVITY] + row], T[S[T_GUARD] + row]
        if holds(S, row, activity, guard):
            more += 1
        if holds(S, row, activity + sign * S[k + 1], guard + sign * S[k + 2]):
            more -= 1
    return more


@part(INT(I8, I8, INT))
def stair_trial(S: Ints, T: Ints, bit: Int) -> Int:
    """Change of the objective by stairs with *bit* flipped."""
    sign = 1 - 2 * T[S[T_VALUE] + bit]
    more = 0
    begin, end = S[S[COLUMNS] + bit], S[S[COLUMNS] + bit + 1]
    ptr = S[BIT_STAIRS] + bit
    for m in range(S[ptr], S[ptr + 1]):
        stair = S[STAIRS] + S[m]
        first = S[stair]
        before = after = S[first + 1]
        for k in range(first + 2, S[stair + 1], 4):
            row = S[k]
            activity = T[S[T_ACTIVITY] + row]
            before = min(before, (S[k + 2] + S[k + 1] * activity) // S[k + 3])
            for c in range(begin, end, 3):
                if S[c] == row:
                    activity += sign * S[c + 1]
            after = min(after, (S[k + 2] + S[k + 1] * activity) // S[k + 3])
        more += S[first] * (before - after)
    return more


@part(NONE(I8, I8, INT))
def flip(S: Ints, T: Ints, bit: Int) -> None:
    """Flip *bit*, and put it on the list of flipped ones."""
    T[VIOLATED] += trial(S, T, bit)
    T[STAIR_COST] += stair_trial(S, T, bit)
    value = S[T_VALUE] + bit
    sign = 1 - 2 * T[value]
    T[value] = 1 - T[value]
    ptr = S[COLUMNS] + bit
    for k in range(S[ptr], S[ptr + 1], 3):
        T[S[T_ACTIVITY] + S[k]] += sign * S[k + 1]
        T[S[T_GUARD] + S[k]] += sign * S[k + 2]
    T[S[T_FLIPPED] + T[FLIPPED]] = bit
    T[FLIPPED] += 1


@part(NONE(I8, I8))
def flip_back(S: Ints, T: Ints) -> None:
    """Undo the flips on the list."""
    count = T[FLIPPED]
    for k in range(count - 1, -1, -1):
        flip(S, T, T[S[T_FLIPPED] + k])
    T[FLIPPED] = 0


@part(INT(I8, I8))
def flipped_cost(S: Ints, T: Ints) -> Int:
    """Change of the objective by the flips on the list."""
    total = 0
    for k in range(T[FLIPPED]):
        bit = T[S[T_FLIPPED] + k]
        total += S[S[COST] + bit] * (2 * T[S[T_VALUE] + bit] - 1)
    return total


@part(NONE(I8, I8, INT, INT))
def leave(S: Ints, T: Ints, item: Int, wanted: Int) -> None:
    """Flip what makes a literal of *item* true, but for the literal *wanted*."""
    ptr = S[ITEM_LITERALS] + item
    for k in range(S[ptr], S[ptr + 1]):
        ref = S[k]
        if ref != wanted and is_true(S, T, ref):
            bit = ref if ref >= 0 else -ref - 1
            # Of an item with both literals of a bit, one is true whatever happens.
            seen = False
            for m in range(T[FLIPPED]):
                seen = seen or T[S[T_FLIPPED] + m] == bit
            if not seen:
                flip(S, T, bit)


@part(NONE(I8, I8, INT))
def choose(S: Ints, T: Ints, d: Int) -> None:
    """Put decision *d* in force in its item."""
    ref = S[S[LITERAL] + d]
    leave(S, T, S[S[ITEM] + d], ref)
    if ref != REJECTS and not is_true(S, T, ref):
        flip(S, T, ref if ref >= 0 else -ref - 1)


@part(NONE(I8, I8, INT))
def judge_mixed(S: Ints, T: Ints, d: Int) -> None:
    """Say whether rows allow *d*, and what it changes, by choosing it and going back."""
    stairs = T[STAIR_COST]
    choose(S, T, d)
    possible = S[S[LITERAL] + d] != REJECTS or not any_true(S, T, S[S[ITEM] + d])
    T[S[T_ALLOWED] + d] = possible and T[VIOLATED] == 0 and T[FLIPPED] > 0
    T[S[T_GAIN] + d] = flipped_cost(S, T) + T[STAIR_COST] - stairs
    flip_back(S, T)


@part(NONE(I8, I8, INT, INT))
def judge(S: Ints, T: Ints, d: Int, left_cost: Int) -> None:
    """The same with the item left, which has changed the objective by *left_cost*."""
    ref = S[S[LITERAL] + d]
    if ref == REJECTS:
        T[S[T_ALLOWED] + d] = T[VIOLATED] == 0 and T[FLIPPED] > 0
        T[S[T_GAIN] + d] = left_cost
        return
    bit = ref if ref >= 0 else -ref - 1
    same = T[FLIPPED] == 1 and T[S[T_FLIPPED]] == bit
    T[S[T_ALLOWED] + d] = not same and T[VIOLATED] + trial(S, T, bit) == 0
    rise = S[S[COST] + bit] if T[S[T_VALUE] + bit] == 0 else -S[S[COST] + bit]
    T[S[T_GAIN] + d] = left_cost + rise + stair_trial(S, T, bit)


@part(NONE(I8, I8, INT, INT))
def look_at(S: Ints, T: Ints, item: Int, only: Int) -> None:
    """Say of decision *only* of *item*, of all with -1, if it is allowed and what it changes."""
    mixed = S[S[MIXED] + item] != 0
    left_cost = 0
    if not mixed:
        stairs = T[STAIR_COST]
        leave(S, T, item, REJECTS)
        left_cost = flipped_cost(S, T) + T[STAIR_COST] - stairs
    ptr = S[ITEM_DECISIONS] + item
    count = 1 if only >= 0 else S[ptr + 1] - S[ptr]
    for k in range(count):
        d = only if only >= 0 else S[S[ptr] + k]
        T[S[T_STALE_DECISION] + d] = 0
        if mixed:
            judge_mixed(S, T, d)
        else:
            judge(S, T, d, left_cost)
    if not mixed:
        flip_back(S, T)
