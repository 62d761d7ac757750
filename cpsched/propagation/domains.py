"""Kernels on variables: read and tighten bounds, wake the items that watch them, keep the trail.

The trail is one int64 array: a stamp per slot of the state, then pairs (slot, old value). A slot
is logged once per level, which the stamp tells; a call logs at most as many entries as the state
has slots, and the caller provides that much room. At level 0 nothing is logged and the trail may
be empty.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from numba import types

from cpsched.kernels import part
from cpsched.propagation.layout import (
    CHANGED,
    COUNT,
    COUNT2,
    FAIL_ITEM,
    FAIL_VAR,
    FAILED,
    HEAD,
    HEAD2,
    HEADER,
    I8,
    INT,
    LEVEL,
    LOWER_WATCH,
    MAGIC,
    NUM_CHEAP,
    NUM_ITEMS,
    NUM_VARS,
    OK,
    PUSHES,
    SLOTS,
    T_CHANGED_FLAG,
    T_CHANGED_LIST,
    T_QUEUE,
    T_QUEUE2,
    T_QUEUED,
    TRAIL,
    UPPER_WATCH,
)

Ints: TypeAlias = npt.NDArray[np.int64]
#: An integer or truth value inside a kernel: its type is in the signature.
Int: TypeAlias = Any
NONE = types.void


@part(NONE(I8, I8, INT, INT))
def put(T: Ints, trail: Ints, slot: Int, value: Int) -> None:
    """Write one slot of the state, to be undone by the next pop."""
    if T[LEVEL] > 0 and trail[slot] != T[MAGIC]:
        trail[slot] = T[MAGIC]
        entry = T[SLOTS] + 2 * T[TRAIL]
        trail[entry] = slot
        trail[entry + 1] = T[slot]
        T[TRAIL] += 1
    T[slot] = value


@part(NONE(I8, I8, INT))
def enqueue(S: Ints, T: Ints, item: Int) -> None:
    """Have *item* run, unless it waits already."""
    flag = S[T_QUEUED] + item
    if T[flag] != 0:
        return
    T[flag] = 1
    cheap = S[NUM_CHEAP]
    if item < cheap:
        at = T[HEAD] + T[COUNT]
        if at >= cheap:
            at -= cheap
        T[S[T_QUEUE] + at] = item
        T[COUNT] += 1
    else:
        size = S[NUM_ITEMS] - cheap
        at = T[HEAD2] + T[COUNT2]
        if at >= size:
            at -= size
        T[S[T_QUEUE2] + at] = item
        T[COUNT2] += 1


@part(NONE(I8, I8, INT))
def mark_changed(S: Ints, T: Ints, v: Int) -> None:
    """Put variable *v* on the list of those that changed."""
    flag = S[T_CHANGED_FLAG] + v
    if T[flag] == 0:
        T[flag] = 1
        T[S[T_CHANGED_LIST] + T[CHANGED]] = v
        T[CHANGED] += 1


@part(OK(I8, INT, INT))
def fail(T: Ints, item: Int, v: Int) -> Int:
    """Record a failure of *item* at variable *v*; returns False."""
    T[FAILED] = 1
    T[FAIL_ITEM] = item
    T[FAIL_VAR] = v
    return False


@part(INT(I8, INT, INT))
def next_in_domain(S: Ints, domain: Int, value: Int) -> Int:
    """Least value of the domain at index *domain* of S that is at least *value*, or value."""
    n = S[domain]
    for k in range(n):
        if value <= S[domain + 2 + 2 * k]:
            return max(value, S[domain + 1 + 2 * k])
    return value


@part(INT(I8, INT, INT))
def previous_in_domain(S: Ints, domain: Int, value: Int) -> Int:
    """Greatest value of the domain at index *domain* of S that is at most *value*, or value."""
    for k in range(S[domain] - 1, -1, -1):
        if value >= S[domain + 1 + 2 * k]:
            return min(value, S[domain + 2 + 2 * k])
    return value


@part(OK(I8, I8, I8, INT, INT, INT))
def at_least(S: Ints, T: Ints, trail: Ints, v: Int, value: Int, item: Int) -> Int:
    """Post v >= value for *item*; False if that empties the domain."""
    slot = HEADER + 2 * v
    if value <= T[slot]:
        return True
    domain = S[HEADER + v]
    if domain != 0:
        value = next_in_domain(S, domain, value)
    if value > T[slot + 1]:
        return fail(T, item, v)
    put(T, trail, slot, value)
    mark_changed(S, T, v)
    watch = S[LOWER_WATCH] + v
    for k in range(S[watch], S[watch + 1]):
        enqueue(S, T, S[k])
    return True


@part(OK(I8, I8, I8, INT, INT, INT))
def at_most(S: Ints, T: Ints, trail: Ints, v: Int, value: Int, item: Int) -> Int:
    """Post v <= value for *item*; False if that empties the domain."""
    slot = HEADER + 2 * v + 1
    if value >= T[slot]:
        return True
    domain = S[HEADER + v]
    if domain != 0:
        value = previous_in_domain(S, domain, value)
    if value < T[slot - 1]:
        return fail(T, item, v)
    put(T, trail, slot, value)
    mark_changed(S, T, v)
    watch = S[UPPER_WATCH] + v
    for k in range(S[watch], S[watch + 1]):
        enqueue(S, T, S[k])
    return True


@part(INT(I8, INT))
def literal(T: Ints, ref: Int) -> Int:
    """1 if the literal is true, -1 if it is false, 0 if open."""
    if ref >= 0:
        slot = HEADER + 2 * ref
        return 1 if T[slot] == 1 else (-1 if T[slot + 1] == 0 else 0)
    slot = HEADER + 2 * (-ref - 1)
    return -1 if T[slot] == 1 else (1 if T[slot + 1] == 0 else 0)


@part(OK(I8, I8, I8, INT, INT))
def set_true(S: Ints, T: Ints, trail: Ints, ref: Int, item: Int) -> Int:
    """Post that a literal is true; False if it is false."""
    if ref >= 0:
        return at_least(S, T, trail, ref, 1, item)
    return at_most(S, T, trail, -ref - 1, 0, item)


@part(OK(I8, I8, I8, INT, INT))
def set_false(S: Ints, T: Ints, trail: Ints, ref: Int, item: Int) -> Int:
    """Post that a literal is false; False if it is true."""
    return set_true(S, T, trail, -ref - 1, item)


@part(INT(I8, I8, INT))
def lowest(S: Ints, T: Ints, expr: Int) -> Int:
    """Least value of the affine expression at index *expr* of S."""
    a = S[expr + 1]
    slot = HEADER + 2 * S[expr]
    if a == 1:
        return T[slot] + S[expr + 2]
    return a * T[slot if a > 0 else slot + 1] + S[expr + 2]


@part(INT(I8, I8, INT))
def highest(S: Ints, T: Ints, expr: Int) -> Int:
    """Greatest value of the affine expression at index *expr* of S."""
    a = S[expr + 1]
    slot = HEADER + 2 * S[expr]
    if a == 1:
        return T[slot + 1] + S[expr + 2]
    return a * T[slot + 1 if a > 0 else slot] + S[expr + 2]


@part(OK(I8, I8, I8, INT, INT, INT))
def expr_at_least(S: Ints, T: Ints, trail: Ints, expr: Int, value: Int, item: Int) -> Int:
    """Post a x + b >= value."""
    a = S[expr + 1]
    value -= S[expr + 2]
    if a == 1:
        return at_least(S, T, trail, S[expr], value, item)
    if a > 0:
        return at_least(S, T, trail, S[expr], -((-value) // a), item)
    # a x >= value with a < 0: x <= floor(value / a).
    return at_most(S, T, trail, S[expr], value // a, item)


@part(OK(I8, I8, I8, INT, INT, INT))
def expr_at_most(S: Ints, T: Ints, trail: Ints, expr: Int, value: Int, item: Int) -> Int:
    """Post a x + b <= value."""
    a = S[expr + 1]
    value -= S[expr + 2]
    if a == 1:
        return at_most(S, T, trail, S[expr], value, item)
    if a > 0:
        return at_most(S, T, trail, S[expr], value // a, item)
    # a x <= value with a < 0: x >= ceil(value / a).
    return at_least(S, T, trail, S[expr], -((-value) // a), item)


@part(NONE(I8, I8))
def clear_queues(S: Ints, T: Ints) -> None:
    """Drop everything that waits to run."""
    flags = S[T_QUEUED]
    for item in range(S[NUM_ITEMS]):
        T[flags + item] = 0
    T[HEAD] = 0
    T[COUNT] = 0
    T[HEAD2] = 0
    T[COUNT2] = 0


@part(NONE(I8, I8))
def forget_changes(S: Ints, T: Ints) -> None:
    """Empty the list of changed variables."""
    at = S[T_CHANGED_LIST]
    for k in range(T[CHANGED]):
        T[S[T_CHANGED_FLAG] + T[at + k]] = 0
    T[CHANGED] = 0


@part(NONE(I8, I8))
def push(T: Ints, trail: Ints) -> None:
    """Begin a level; what it logs follows a mark (slot -1, magic of the level below)."""
    entry = T[SLOTS] + 2 * T[TRAIL]
    trail[entry] = -1
    trail[entry + 1] = T[MAGIC]
    T[TRAIL] += 1
    T[LEVEL] += 1
    # Stamps of popped levels stay behind, so the number must be one that no level had before.
    T[PUSHES] += 1
    T[MAGIC] = T[PUSHES]


@part(NONE(I8, I8, I8))
def pop(S: Ints, T: Ints, trail: Ints) -> None:
    """Undo everything since the last push, a failure included; the queues must be empty."""
    while True:
        T[TRAIL] -= 1
        entry = T[SLOTS] + 2 * T[TRAIL]
        slot = trail[entry]
        if slot < 0:
            T[MAGIC] = trail[entry + 1]
            break
        T[slot] = trail[entry + 1]
        v = (slot - HEADER) >> 1
        if 0 <= v < S[NUM_VARS]:
            mark_changed(S, T, v)
    T[LEVEL] -= 1
    T[FAILED] = 0
