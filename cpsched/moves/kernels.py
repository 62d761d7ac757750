"""Kernels that take moves: after one, only what shares a row that it changed is tried again."""

from __future__ import annotations

from cpsched.kernels import kernel, part, pointer
from cpsched.moves.layout import (
    BIT_DECISIONS,
    BIT_ITEMS,
    COLUMNS,
    DOMAINS,
    FLIPPED,
    ITEM,
    ITEM_DECISIONS,
    LITERAL,
    NUM_BITS,
    NUM_ITEMS,
    REJECTS,
    ROW_BITS,
    ROW_PEERS,
    ROW_REACH,
    STALE,
    STALE_DECISIONS,
    T_ACTIVITY,
    T_CURRENT,
    T_FLIPPED,
    T_GUARD,
    T_OLD,
    T_STALE,
    T_STALE_DECISION,
    T_STALE_DECISIONS,
    T_STALE_LIST,
    T_TOUCHED,
    T_TOUCHED_LIST,
    T_VALUE,
    TOUCHED,
    VIOLATED,
)
from cpsched.moves.trying import any_true, choose, flip, flip_back, is_true, look_at
from cpsched.propagation.domains import NONE, Int, Ints
from cpsched.propagation.layout import ARRAY, I8, INT, OK


@part(NONE(I8, I8, INT))
def make_stale(S: Ints, T: Ints, item: Int) -> None:
    """Have all of *item* looked at again."""
    flag = S[T_STALE] + item
    if T[flag] == 0:
        T[flag] = 1
        T[S[T_STALE_LIST] + T[STALE]] = item
        T[STALE] += 1


@part(NONE(I8, I8))
def refresh(S: Ints, T: Ints) -> None:
    """Look at all that is stale."""
    for k in range(T[STALE]):
        item = T[S[T_STALE_LIST] + k]
        T[S[T_STALE] + item] = 0
        look_at(S, T, item, -1)
    T[STALE] = 0
    for k in range(T[STALE_DECISIONS]):
        d = T[S[T_STALE_DECISIONS] + k]
        # Unless it has been looked at with its item.
        if T[S[T_STALE_DECISION] + d] != 0:
            look_at(S, T, S[S[ITEM] + d], d)
    T[STALE_DECISIONS] = 0


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
            if T[S[T_VALUE] + bit] == S[m + 1]:
                make_stale(S, T, S[m])
        decisions = S[BIT_DECISIONS] + bit
        for m in range(S[decisions], S[decisions + 1]):
            flag = S[T_STALE_DECISION] + S[m]
            if T[flag] == 0:
                T[flag] = 1
                T[S[T_STALE_DECISIONS] + T[STALE_DECISIONS]] = S[m]
                T[STALE_DECISIONS] += 1


@part(OK(I8, INT, INT))
def is_slack(S: Ints, row: Int, activity: Int) -> Int:
    """Whether no change of one decision could violate *row* with this *activity*."""
    reach = S[S[ROW_REACH] + row]
    ptr = S[S[DOMAINS] + row]
    return reach > 0 and S[ptr] + reach <= activity <= S[ptr + 1] - reach


@kernel(INT(ARRAY, ARRAY, INT, INT))
def take(static: Ints, state: Ints, d: Int, last: Int) -> Int:
    """Put decision *d* in force and look at what that changed; returns the rows now violated.

    last: 1 if no move follows, so that nothing is looked at.

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
            make_stale(S, T, item)
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
            make_stale(S, T, S[m])
    # Trying overwrites the list of flips.
    T[FLIPPED] = 0
    if last == 0:
        refresh(S, T)
    return T[VIOLATED]
