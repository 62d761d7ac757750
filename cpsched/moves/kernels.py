"""Kernels that try and take moves: activities of rows are kept, not recomputed.

A decision is tried on top of the item left empty, so that only the rows of one bit are looked at.
After a move only what shares a row that it changed is tried again.
"""

from __future__ import annotations

from cpsched.kernels import kernel, part, pointer
from cpsched.moves.layout import (
    BIT_DECISIONS,
    BIT_ITEMS,
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
    NUM_BITS,
    NUM_ITEMS,
    REJECTS,
    ROW_BITS,
    ROW_PEERS,
    ROW_REACH,
    STAIR_COST,
    STAIRS,
    STALE,
    T_ACTIVITY,
    T_ALLOWED,
    T_CURRENT,
    T_FLIPPED,
    T_GAIN,
    T_GUARD,
    T_OLD,
    T_STALE,
    T_STALE_DECISION,
    T_STALE_LIST,
    T_TOUCHED,
    T_TOUCHED_LIST,
    T_VALUE,
    TOUCHED,
    VIOLATED,
)
from cpsched.propagation.domains import NONE, Int, Ints
from cpsched.propagation.layout import ARRAY, I8, INT, OK


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
def look_at(S: Ints, T: Ints, item: Int) -> None:
    """Say of the stale decisions of *item* whether rows allow them and what they change."""
    whole = T[S[T_STALE] + item] == 2
    stairs = T[STAIR_COST]
    T[S[T_STALE] + item] = 0
    mixed = S[S[MIXED] + item] != 0
    left, left_cost = False, 0
    ptr = S[ITEM_DECISIONS] + item
    for k in range(S[ptr], S[ptr + 1]):
        d = S[k]
        if not whole and T[S[T_STALE_DECISION] + d] == 0:
            continue
        T[S[T_STALE_DECISION] + d] = 0
        ref = S[S[LITERAL] + d]
        if mixed:
            choose(S, T, d)
            possible = ref != REJECTS or not any_true(S, T, item)
            T[S[T_ALLOWED] + d] = possible and T[VIOLATED] == 0 and T[FLIPPED] > 0
            T[S[T_GAIN] + d] = flipped_cost(S, T) + T[STAIR_COST] - stairs
            flip_back(S, T)
            continue
        if not left:
            leave(S, T, item, REJECTS)
            left, left_cost = True, flipped_cost(S, T) + T[STAIR_COST] - stairs
        if ref == REJECTS:
            T[S[T_ALLOWED] + d] = T[VIOLATED] == 0 and T[FLIPPED] > 0
            T[S[T_GAIN] + d] = left_cost
            continue
        bit = ref if ref >= 0 else -ref - 1
        same = T[FLIPPED] == 1 and T[S[T_FLIPPED]] == bit
        T[S[T_ALLOWED] + d] = not same and T[VIOLATED] + trial(S, T, bit) == 0
        rise = S[S[COST] + bit] if T[S[T_VALUE] + bit] == 0 else -S[S[COST] + bit]
        T[S[T_GAIN] + d] = left_cost + rise + stair_trial(S, T, bit)
    if left:
        flip_back(S, T)


@part(NONE(I8, I8, INT, INT))
def make_stale(S: Ints, T: Ints, item: Int, how: Int) -> None:
    """Have *item* looked at again: 1 for its stale decisions, 2 for all."""
    flag = S[T_STALE] + item
    if T[flag] == 0:
        T[S[T_STALE_LIST] + T[STALE]] = item
        T[STALE] += 1
    T[flag] = max(T[flag], how)


@part(NONE(I8, I8))
def refresh(S: Ints, T: Ints) -> None:
    """Look at all that is stale."""
    for k in range(T[STALE]):
        look_at(S, T, T[S[T_STALE_LIST] + k])
    T[STALE] = 0


@part(NONE(I8, I8, INT))
def find_current(S: Ints, T: Ints, item: Int) -> None:
    """Note which decision of *item* is in force, -1 if none is."""
    found, rejected = -1, -1
    ptr = S[ITEM_DECISIONS] + item
    for k in range(S[ptr], S[ptr + 1]):
        ref = S[S[LITERAL] + S[k]]
        if ref == REJECTS:
            rejected = S[k]
        elif found < 0 and is_true(S, T, ref):
            found = S[k]
    if found < 0 and not any_true(S, T, item):
        found = rejected
    T[S[T_CURRENT] + item] = found


@part(NONE(I8, I8, INT))
def touch(S: Ints, T: Ints, bit: Int) -> None:
    """Remember the rows of *bit* as they are before the move."""
    ptr = S[COLUMNS] + bit
    for k in range(S[ptr], S[ptr + 1], 3):
        row = S[k]
        if T[S[T_TOUCHED] + row] == 0:
            T[S[T_TOUCHED] + row] = 1
            T[S[T_OLD] + 2 * row] = T[S[T_ACTIVITY] + row]
            T[S[T_OLD] + 2 * row + 1] = T[S[T_GUARD] + row]
            T[S[T_TOUCHED_LIST] + T[TOUCHED]] = row
            T[TOUCHED] += 1


@part(NONE(I8, I8, INT))
def spread(S: Ints, T: Ints, row: Int) -> None:
    """Have looked at again what the changed *row* has to do with."""
    ptr = S[ROW_BITS] + row
    for k in range(S[ptr], S[ptr + 1]):
        bit = S[k]
        pairs = S[BIT_ITEMS] + bit
        for m in range(S[pairs], S[pairs + 1], 2):
            # Leaving what is in force concerns every decision of the item.
            in_force = T[S[T_VALUE] + bit] == S[m + 1]
            make_stale(S, T, S[m], 2 if in_force else 1)
        decisions = S[BIT_DECISIONS] + bit
        for m in range(S[decisions], S[decisions + 1]):
            T[S[T_STALE_DECISION] + S[m]] = 1


@part(OK(I8, INT, INT))
def is_slack(S: Ints, row: Int, activity: Int) -> Int:
    """Whether no change of one decision could violate *row* with this *activity*."""
    reach = S[S[ROW_REACH] + row]
    ptr = S[S[DOMAINS] + row]
    return reach > 0 and S[ptr] + reach <= activity <= S[ptr + 1] - reach


@kernel(INT(ARRAY, ARRAY, INT))
def take(static: Ints, state: Ints, d: Int) -> Int:
    """Put decision *d* in force and look at what that changed; returns the rows now violated.

    With d = -1: begin with the values that the bits have, the rows being those of all bits false,
    and look at everything for the first time.
    """
    S, T = pointer(static), pointer(state)
    T[FLIPPED] = 0
    if d < 0:
        for bit in range(S[NUM_BITS]):
            if T[S[T_VALUE] + bit] == 1:
                T[S[T_VALUE] + bit] = 0
                flip(S, T, bit)
        T[FLIPPED] = 0
        for item in range(S[NUM_ITEMS]):
            find_current(S, T, item)
            make_stale(S, T, item, 2)
        if T[VIOLATED] == 0:
            refresh(S, T)
        return T[VIOLATED]
    # Flip once to know the bits, then from the old state again.
    choose(S, T, d)
    count = T[FLIPPED]
    flip_back(S, T)
    T[TOUCHED] = 0
    for k in range(count):
        touch(S, T, T[S[T_FLIPPED] + k])
    choose(S, T, d)
    for k in range(T[TOUCHED]):
        row = T[S[T_TOUCHED_LIST] + k]
        T[S[T_TOUCHED] + row] = 0
        old, now = T[S[T_OLD] + 2 * row], T[S[T_ACTIVITY] + row]
        if is_slack(S, row, old) and is_slack(S, row, now):
            continue
        if old != now or T[S[T_OLD] + 2 * row + 1] != T[S[T_GUARD] + row]:
            spread(S, T, row)
            peers = S[ROW_PEERS] + row
            for m in range(S[peers], S[peers + 1]):
                spread(S, T, S[m])
    for k in range(count):
        pairs = S[BIT_ITEMS] + T[S[T_FLIPPED] + k]
        for m in range(S[pairs], S[pairs + 1], 2):
            find_current(S, T, S[m])
            make_stale(S, T, S[m], 2)
    # Trying overwrites the list of flips.
    T[FLIPPED] = 0
    refresh(S, T)
    return T[VIOLATED]
