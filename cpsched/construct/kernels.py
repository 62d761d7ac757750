"""Kernels of the sequential engine: take a decision, propagate, say what may be decided next."""

from __future__ import annotations

from cpsched.construct.layout import (
    ASSIGN,
    BOUND,
    DEAD_END,
    DECISION,
    DECISIONS,
    ELIGIBLE,
    FINISHED,
    GONE,
    KIND,
    NEVER,
    NEXT,
    NOW,
    NUM_DECISIONS,
    NUM_ELIGIBLE,
    NUM_LEGAL,
    NUM_TASKS,
    ORIGIN,
    OUTCOME,
    REFERENCE,
    REJECT,
    RUNNING,
    START,
    T_ELIGIBLE,
    T_LEFT,
    T_LEGAL,
    T_PREDECESSORS,
    T_STATUS,
    TAKEN,
    TAKEN_COUNT,
    TASK,
    TASK_DECISIONS,
)
from cpsched.construct.legal import collect_legal, place_of_legal_at
from cpsched.construct.tasks import drop_impossible, make_eligible, release, remove_eligible
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
    end = S[ORIGIN]
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
