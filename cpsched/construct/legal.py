"""Kernels that say which eligible decisions are legal in a frame."""

from __future__ import annotations

import numpy as np

from cpsched.construct.layout import (
    ACTIVE,
    ALL,
    DECISION,
    DECISIONS,
    INTERVAL_RESOURCES,
    KIND,
    NEVER,
    NEXT,
    NEXT_TASK,
    NOW,
    NUM_DECISIONS,
    NUM_ELIGIBLE,
    NUM_LEGAL,
    NUM_TASKS,
    REFERENCE,
    START,
    T_ELIGIBLE,
    T_LEGAL,
    TASK,
    WAIT,
)
from cpsched.kernels import part
from cpsched.propagation.domains import (
    NONE,
    Int,
    Ints,
    highest,
    literal,
    lowest,
)
from cpsched.propagation.layout import (
    I8,
    INT,
    INTERVAL,
    INTERVALS,
    OK,
    PRESENCE,
    SIZE,
)
from cpsched.propagation.layout import START as START_EXPR
from cpsched.propagation.no_overlap import earliest_start


@part(OK(I8, INT, INT))
def share_resource(S: Ints, one: Int, other: Int) -> Int:
    """Whether two intervals lie on a common no-overlap or cumulative."""
    ptr = S[INTERVAL_RESOURCES]
    for k in range(S[ptr + one], S[ptr + one + 1]):
        for m in range(S[ptr + other], S[ptr + other + 1]):
            if S[k] == S[m]:
                return True
    return False


@part(NONE(I8, I8, INT))
def collect_legal(S: Ints, T: Ints, frame: Int) -> None:
    """List the eligible decisions that are legal in *frame*.

    Of starts: all; active, those on the resource of the earliest possible completion that could
    start before it (Giffler & Thompson 1960); non-delay, those with the earliest start; with
    waiting, the same, ``NEXT`` being the next event. ``NEXT_TASK``: those of the first task.
    Other decisions than starts are legal in every frame.
    """
    eligible, legal, decisions, intervals = S[T_ELIGIBLE], S[T_LEGAL], S[DECISIONS], S[INTERVALS]
    count = T[NUM_ELIGIBLE]
    earliest = second = np.int64(NEVER)
    chosen = np.int64(-1)
    first_task = S[NUM_TASKS]
    for k in range(count):
        d = T[eligible + k]
        at = decisions + DECISION * d
        first_task = min(first_task, S[at + TASK])
        if S[at + KIND] != START:
            continue
        value = earliest_start(S, T, S[at + REFERENCE])
        if frame == ACTIVE:
            value += lowest(S, T, intervals + INTERVAL * S[at + REFERENCE] + SIZE)
        if value < earliest:
            second = earliest
            earliest = value
            chosen = d
        elif value == earliest:
            chosen = min(chosen, d)
        elif value < second:
            second = value
    if frame == WAIT and second != NEVER:
        for k in range(count):
            at = decisions + DECISION * T[eligible + k]
            if S[at + KIND] == START and earliest_start(S, T, S[at + REFERENCE]) == earliest:
                row = intervals + INTERVAL * S[at + REFERENCE]
                if highest(S, T, row + START_EXPR) < second and literal(T, S[row + PRESENCE]) > 0:
                    # It cannot wait that long.
                    second = np.int64(NEVER)
                    break
    T[NOW] = earliest
    T[NEXT] = second if frame == WAIT else NEVER
    on = np.int64(-1)
    if chosen >= 0:
        on = S[decisions + DECISION * chosen + REFERENCE]
    n = 0
    for k in range(count):
        d = T[eligible + k]
        at = decisions + DECISION * d
        if frame == NEXT_TASK:
            if S[at + TASK] != first_task:
                continue
        elif S[at + KIND] == START:
            interval = S[at + REFERENCE]
            if frame == ACTIVE:
                begin = earliest_start(S, T, interval)
                if begin >= earliest and d != chosen:
                    # An interval of size 0 completes no later than it starts.
                    size = lowest(S, T, intervals + INTERVAL * interval + SIZE)
                    if begin + size > earliest:
                        continue
                if d != chosen and not share_resource(S, interval, on):
                    continue
            elif frame != ALL and earliest_start(S, T, interval) > earliest:
                continue
        T[legal + n] = d
        n += 1
    T[NUM_LEGAL] = n


@part(INT(I8, I8, INT))
def place_of_legal_at(S: Ints, T: Ints, d: Int) -> Int:
    """Place of decision *d* among the legal ones, NUM_LEGAL for waiting, -1 if not legal."""
    if d == S[NUM_DECISIONS]:
        return T[NUM_LEGAL] if T[NEXT] != NEVER else -1
    for k in range(T[NUM_LEGAL]):
        if T[S[T_LEGAL] + k] == d:
            return k
    return -1
