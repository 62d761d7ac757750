"""Kernels of the sequential engine: take a decision, propagate, say what may be decided next."""

from __future__ import annotations

import numpy as np

from cpsched.construct.layout import (
    ACTIVE,
    ALL,
    ASSIGN,
    BOUND,
    DEAD_END,
    DECISION,
    DECISIONS,
    ELIGIBLE,
    FINISHED,
    GONE,
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
    OUTCOME,
    REFERENCE,
    REJECT,
    RUNNING,
    START,
    T_ELIGIBLE,
    T_LEFT,
    T_LEGAL,
    T_PLACE,
    T_PREDECESSORS,
    T_READY,
    T_STATUS,
    TAKEN,
    TAKEN_COUNT,
    TASK,
    TASK_DECISIONS,
    TASK_SUCCESSORS,
    WAIT,
    WAITING,
)
from cpsched.kernels import kernel, part, pointer
from cpsched.propagation.domains import (
    NONE,
    Int,
    Ints,
    at_least,
    at_most,
    clear_queues,
    expr_at_least,
    expr_at_most,
    literal,
    lowest,
    put,
    set_false,
    set_true,
)
from cpsched.propagation.fixpoint import enqueue_all, objective_bound, propagate
from cpsched.propagation.layout import (
    ARRAY,
    HEADER,
    I8,
    INT,
    INTERVAL,
    INTERVALS,
    LEVEL,
    NUM_MODEL_VARS,
    OBJECTIVE,
    OK,
    PRESENCE,
    PROBING,
    SIZE,
    SLOTS,
)
from cpsched.propagation.layout import START as START_EXPR
from cpsched.propagation.no_overlap import earliest_start, start_at_least


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


@part(OK(I8, I8, I8))
def post_wait(S: Ints, T: Ints, trail: Ints) -> Int:
    """Let everything that could start now start no earlier than the next event.

    The waiting of Tassel et al. (2023): the next event is the second earliest of the starts.
    """
    now, then = T[NOW], T[NEXT]
    for k in range(T[NUM_ELIGIBLE]):
        at = S[DECISIONS] + DECISION * T[S[T_ELIGIBLE] + k]
        interval = S[at + REFERENCE]
        if (
            S[at + KIND] == START
            and earliest_start(S, T, interval) == now
            and not start_at_least(S, T, trail, interval, then, -1)
        ):
            return False
    return True


@part(OK(I8, I8, I8, INT))
def post_decision(S: Ints, T: Ints, trail: Ints, d: Int) -> Int:
    """Post what decision *d* says.

    A start is fixed at the earliest that propagation has left, a variable size at its least.
    """
    at = S[DECISIONS] + DECISION * d
    kind, ref = S[at + KIND], S[at + REFERENCE]
    if kind == START:
        row = S[INTERVALS] + INTERVAL * ref
        # What its presence implies, such as an equality with the start of a task whose alternative
        # it is, may move its earliest start.
        if literal(T, S[row + PRESENCE]) <= 0 and not (
            set_true(S, T, trail, S[row + PRESENCE], -1) and propagate(S, T, trail)
        ):
            return False
        start = earliest_start(S, T, ref)
        return (
            expr_at_least(S, T, trail, row + START_EXPR, start, -1)
            and expr_at_most(S, T, trail, row + START_EXPR, lowest(S, T, row + START_EXPR), -1)
            and expr_at_most(S, T, trail, row + SIZE, lowest(S, T, row + SIZE), -1)
        )
    if kind == ASSIGN:
        return set_true(S, T, trail, ref, -1)
    ptr = S[TASK_DECISIONS] + S[at + TASK]
    for k in range(S[ptr], S[ptr + 1]):
        other = S[DECISIONS] + DECISION * S[k]
        which = S[other + REFERENCE]
        if S[other + KIND] == START:
            which = S[S[INTERVALS] + INTERVAL * which + PRESENCE]
        if S[other + KIND] != REJECT and not set_false(S, T, trail, which, -1):
            return False
    return True


@part(OK(I8, I8, I8, INT))
def apply(S: Ints, T: Ints, trail: Ints, d: Int) -> Int:
    """Take legal decision *d*, NUM_DECISIONS to wait, and propagate.

    False, with empty queues, if that fails.
    """
    waits = d == S[NUM_DECISIONS]
    ok = post_wait(S, T, trail) if waits else post_decision(S, T, trail, d)
    if not ok:
        clear_queues(S, T)
        return False
    if not propagate(S, T, trail):
        return False
    if waits:
        return True
    at = S[DECISIONS] + DECISION * d
    task = S[at + TASK]
    end = np.int64(0)
    if S[at + KIND] == START:
        row = S[INTERVALS] + INTERVAL * S[at + REFERENCE]
        end = lowest(S, T, row + START_EXPR) + lowest(S, T, row + SIZE)
    ptr = S[TASK_DECISIONS] + task
    for k in range(S[ptr], S[ptr + 1]):
        if T[S[T_STATUS] + S[k]] == ELIGIBLE:
            remove_eligible(S, T, trail, S[k], TAKEN if S[k] == d else GONE)
    put(T, trail, S[T_LEFT] + task, 0)
    put(T, trail, TAKEN_COUNT, T[TAKEN_COUNT] + 1)
    release(S, T, trail, task, end)
    return True


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
            release(S, T, trail, task, 0)


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


@part(NONE(I8, I8))
def copy_state(T: Ints, into: Ints) -> None:
    """Copy a state to where nothing is logged."""
    for slot in range(T[SLOTS]):
        into[slot] = T[slot]
    into[LEVEL] = 0


@part(OK(I8, I8, I8))
def finish(S: Ints, T: Ints, trail: Ints) -> Int:
    """Fix what decisions have left open; False if that fails.

    Variables of the objective take their better end, in its order, then all others their least
    value; each is propagated before the next.
    """
    at = S[OBJECTIVE]
    for k in range(at + 1, at + 1 + 2 * S[at], 2):
        v = S[k]
        low, high = T[HEADER + 2 * v], T[HEADER + 2 * v + 1]
        if low < high:
            if S[k + 1] > 0:
                ok = at_most(S, T, trail, v, low, -1)
            else:
                ok = at_least(S, T, trail, v, high, -1)
            if not ok or not propagate(S, T, trail):
                clear_queues(S, T)
                return False
    for v in range(S[NUM_MODEL_VARS]):
        low = T[HEADER + 2 * v]
        if low < T[HEADER + 2 * v + 1] and not (
            at_most(S, T, trail, v, low, -1) and propagate(S, T, trail)
        ):
            clear_queues(S, T)
            return False
    return True


@part(INT(I8, I8, I8, I8, INT, INT))
def advance(S: Ints, T: Ints, trail: Ints, scratch: Ints, frame: Int, d: Int) -> Int:
    """Take legal decision *d*, NUM_DECISIONS to wait, none if -1; say what is legal then.

    scratch: room for another state if ``PROBING``: then decisions that fail at once are struck.
    Returns the outcome so far.
    """
    T[NUM_LEGAL] = 0
    if d >= 0 and not apply(S, T, trail, d):
        T[NEXT] = NEVER
        put(T, trail, OUTCOME, DEAD_END)
        return DEAD_END
    T[NEXT] = NEVER
    drop_impossible(S, T, trail)
    if T[NUM_ELIGIBLE] == 0:
        put(T, trail, OUTCOME, FINISHED if finish(S, T, trail) else DEAD_END)
    else:
        collect_legal(S, T, frame)
        if T[PROBING] != 0:
            legal, n = S[T_LEGAL], 0
            # Waiting is probed last.
            for k in range(T[NUM_LEGAL] + (T[NEXT] != NEVER)):
                candidate = T[legal + k] if k < T[NUM_LEGAL] else S[NUM_DECISIONS]
                copy_state(T, scratch)
                if not apply(S, scratch, trail, candidate):
                    if k == T[NUM_LEGAL]:
                        T[NEXT] = NEVER
                elif k < T[NUM_LEGAL]:
                    T[legal + n] = candidate
                    n += 1
            T[NUM_LEGAL] = n
        if T[NUM_LEGAL] == 0 and T[NEXT] == NEVER:
            put(T, trail, OUTCOME, DEAD_END)
    put(T, trail, BOUND, objective_bound(S, T))
    return T[OUTCOME]


@part(INT(I8, I8, INT))
def place_of_legal_at(S: Ints, T: Ints, d: Int) -> Int:
    """Place of decision *d* among the legal ones, NUM_LEGAL for waiting, -1 if not legal."""
    if d == S[NUM_DECISIONS]:
        return T[NUM_LEGAL] if T[NEXT] != NEVER else -1
    for k in range(T[NUM_LEGAL]):
        if T[S[T_LEGAL] + k] == d:
            return k
    return -1


@kernel(INT(ARRAY, ARRAY, ARRAY, ARRAY, INT, INT))
def step(S: Ints, T: Ints, trail: Ints, scratch: Ints, frame: Int, d: Int) -> Int:
    """``advance`` on arrays; -1 if *d* is neither legal nor -1, nothing having happened.

    d = -2 begins: it propagates the root and lists the decisions without predecessors; returns
    ``DEAD_END`` if the root fails, else ``RUNNING``.
    """
    static, state, log = pointer(S), pointer(T), pointer(trail)
    if d == -2:
        enqueue_all(static, state)
        if not propagate(static, state, log):
            return DEAD_END
        for task in range(S[NUM_TASKS]):
            if T[S[T_PREDECESSORS] + task] == 0 and T[S[T_LEFT] + task] > 0:
                make_eligible(static, state, log, task)
        T[BOUND] = objective_bound(static, state)
        return RUNNING
    if d >= 0 and place_of_legal_at(static, state, d) < 0:
        return -1
    return advance(static, state, log, pointer(scratch), frame, d)


def look_around(S: Ints, T: Ints, trail: Ints, scratch: Ints, frame: int) -> None:
    """Say what is legal now and whether the episode is over."""
    step(S, T, trail, scratch, frame, -1)


def begin(S: Ints, T: Ints, trail: Ints) -> bool:
    """Propagate the root and list the decisions without predecessors; False if it fails."""
    return bool(step(S, T, trail, trail, 0, -2) == RUNNING)
