"""Kernels that keep the list of eligible decisions: what may be decided, in any frame."""

from __future__ import annotations

from cpsched.construct.layout import (
    ASSIGN,
    DECISION,
    DECISIONS,
    ELIGIBLE,
    GONE,
    KIND,
    NUM_ELIGIBLE,
    ORIGIN,
    REFERENCE,
    REJECT,
    START,
    T_ELIGIBLE,
    T_LEFT,
    T_PLACE,
    T_PREDECESSORS,
    T_READY,
    T_STATUS,
    TASK,
    TASK_DECISIONS,
    TASK_SUCCESSORS,
    WAITING,
)
from cpsched.kernels import part
from cpsched.propagation.domains import (
    NONE,
    Int,
    Ints,
    literal,
    put,
)
from cpsched.propagation.layout import (
    I8,
    INT,
    INTERVAL,
    INTERVALS,
    OK,
    PRESENCE,
)


@part(NONE(I8, I8, I8, INT))
def make_eligible(S: Ints, T: Ints, trail: Ints, task: Int) -> None:
    """Put the decisions of *task* on the list of eligible ones."""
    ptr = S[TASK_DECISIONS] + task
    for k in range(S[ptr], S[ptr + 1]):
        d = S[k]
        if T[S[T_STATUS] + d] == WAITING:
            count = T[NUM_ELIGIBLE]
            put(T, trail, S[T_STATUS] + d, ELIGIBLE)
            put(T, trail, S[T_ELIGIBLE] + count, d)
            put(T, trail, S[T_PLACE] + d, count)
            put(T, trail, NUM_ELIGIBLE, count + 1)


@part(NONE(I8, I8, I8, INT, INT))
def remove_eligible(S: Ints, T: Ints, trail: Ints, d: Int, status: Int) -> None:
    """Take decision *d* off the list of eligible ones; the last one takes its place."""
    put(T, trail, S[T_STATUS] + d, status)
    place = T[S[T_PLACE] + d]
    last = T[NUM_ELIGIBLE] - 1
    moved = T[S[T_ELIGIBLE] + last]
    put(T, trail, S[T_ELIGIBLE] + place, moved)
    put(T, trail, S[T_PLACE] + moved, place)
    put(T, trail, NUM_ELIGIBLE, last)


@part(NONE(I8, I8, I8, INT, INT))
def release(S: Ints, T: Ints, trail: Ints, task: Int, end: Int) -> None:
    """Task *task*, which ends at *end*, is decided: those after it have one predecessor less."""
    ptr = S[TASK_SUCCESSORS] + task
    for k in range(S[ptr], S[ptr + 1]):
        after = S[k]
        if end > T[S[T_READY] + after]:
            put(T, trail, S[T_READY] + after, end)
        left = T[S[T_PREDECESSORS] + after] - 1
        put(T, trail, S[T_PREDECESSORS] + after, left)
        if left == 0:
            make_eligible(S, T, trail, after)


@part(OK(I8, I8, INT))
def impossible(S: Ints, T: Ints, d: Int) -> Int:
    """Whether propagation has already decided against, or without, decision *d*."""
    at = S[DECISIONS] + DECISION * d
    kind, ref = S[at + KIND], S[at + REFERENCE]
    if kind == START:
        return literal(T, S[S[INTERVALS] + INTERVAL * ref + PRESENCE]) < 0
    if kind == ASSIGN:
        return literal(T, ref) != 0
    ptr = S[TASK_DECISIONS] + S[at + TASK]
    for k in range(S[ptr], S[ptr + 1]):
        other = S[DECISIONS] + DECISION * S[k]
        if S[other + KIND] == REJECT:
            continue
        which = S[other + REFERENCE]
        if S[other + KIND] == START:
            which = S[S[INTERVALS] + INTERVAL * which + PRESENCE]
        value = literal(T, which)
        if value > 0:
            return True
        if value == 0:
            return False
    return True


@part(NONE(I8, I8, I8))
def drop_impossible(S: Ints, T: Ints, trail: Ints) -> None:
    """Take what propagation has decided off the list of eligible decisions."""
    k = 0
    while k < T[NUM_ELIGIBLE]:
        d = T[S[T_ELIGIBLE] + k]
        if not impossible(S, T, d):
            k += 1
            continue
        remove_eligible(S, T, trail, d, GONE)
        task = S[S[DECISIONS] + DECISION * d + TASK]
        left = T[S[T_LEFT] + task] - 1
        put(T, trail, S[T_LEFT] + task, left)
        if left == 0:
            release(S, T, trail, task, S[ORIGIN])
