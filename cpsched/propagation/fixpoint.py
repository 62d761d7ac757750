"""The loop that runs what is queued until nothing changes any more."""

from __future__ import annotations

from cpsched.kernels import part
from cpsched.propagation.boolean import at_most_one, clause, exclusive_or
from cpsched.propagation.cumulative import cumulative
from cpsched.propagation.domains import NONE, Int, Ints, clear_queues, enqueue
from cpsched.propagation.expressions import all_different, element, maximum
from cpsched.propagation.layout import (
    COUNT,
    COUNT2,
    HEAD,
    HEAD2,
    HEADER,
    I8,
    INT,
    ITEM_KIND,
    K_ALL_DIFFERENT,
    K_ALTERNATIVE,
    K_AT_MOST_ONE,
    K_CLAUSE,
    K_CUMULATIVE,
    K_ELEMENT,
    K_LINEAR,
    K_MAX,
    K_MEMBER,
    K_PRECEDENCE,
    K_XOR,
    NUM_CHEAP,
    NUM_ITEMS,
    OBJECTIVE,
    OK,
    T_QUEUE,
    T_QUEUE2,
    T_QUEUED,
)
from cpsched.propagation.linear import linear, precedence
from cpsched.propagation.no_overlap import alternative, member, no_overlap


@part(OK(I8, I8, I8))
def propagate(S: Ints, T: Ints, trail: Ints) -> Int:
    """Run what is queued to the fix point; False, with empty queues, if something failed."""
    cheap = S[NUM_CHEAP]
    expensive = S[NUM_ITEMS] - cheap
    queue, queue2, queued = S[T_QUEUE], S[T_QUEUE2], S[T_QUEUED]
    while True:
        if T[COUNT] > 0:
            head = T[HEAD]
            item = T[queue + head]
            T[HEAD] = head + 1 if head + 1 < cheap else 0
            T[COUNT] -= 1
        elif T[COUNT2] > 0:
            head = T[HEAD2]
            item = T[queue2 + head]
            T[HEAD2] = head + 1 if head + 1 < expensive else 0
            T[COUNT2] -= 1
        else:
            return True
        T[queued + item] = 0
        kind = S[S[ITEM_KIND] + item]
        if kind == K_PRECEDENCE:
            ok = precedence(S, T, trail, item)
        elif kind == K_MEMBER:
            ok = member(S, T, trail, item)
        elif kind == K_LINEAR:
            ok = linear(S, T, trail, item)
        elif kind == K_CLAUSE:
            ok = clause(S, T, trail, item)
        elif kind == K_AT_MOST_ONE:
            ok = at_most_one(S, T, trail, item)
        elif kind == K_ALTERNATIVE:
            ok = alternative(S, T, trail, item)
        elif kind == K_MAX:
            ok = maximum(S, T, trail, item)
        elif kind == K_ELEMENT:
            ok = element(S, T, trail, item)
        elif kind == K_ALL_DIFFERENT:
            ok = all_different(S, T, trail, item)
        elif kind == K_XOR:
            ok = exclusive_or(S, T, trail, item)
        elif kind == K_CUMULATIVE:
            ok = cumulative(S, T, trail, item)
        else:
            ok = no_overlap(S, T, trail, item)
        if not ok:
            clear_queues(S, T)
            return False


@part(NONE(I8, I8))
def enqueue_all(S: Ints, T: Ints) -> None:
    """Have every item run."""
    for item in range(S[NUM_ITEMS]):
        enqueue(S, T, item)


@part(INT(I8, I8))
def objective_bound(S: Ints, T: Ints) -> Int:
    """Least value of the objective's sum under the bounds of its variables."""
    at = S[OBJECTIVE]
    bound = 0
    for k in range(at + 1, at + 1 + 2 * S[at], 2):
        a, slot = S[k + 1], HEADER + 2 * S[k]
        bound += a * T[slot if a > 0 else slot + 1]
    return bound
