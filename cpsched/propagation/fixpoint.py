"""The loop that runs what is queued until nothing changes any more."""

from __future__ import annotations

from cpsched.kernels import part
from cpsched.propagation.boolean import at_most_one, clause, exclusive_or
from cpsched.propagation.cumulative import cumulative
from cpsched.propagation.domains import Int, Ints, clear_queues, enqueue
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


@part(OK(I8, I8, I8, INT))
def run_item(S: Ints, T: Ints, trail: Ints, item: Int) -> Int:
    """Propagate one item; False if it failed."""
    kind = S[S[ITEM_KIND] + item]
    if kind == K_PRECEDENCE:
        return precedence(S, T, trail, item)
    if kind == K_MEMBER:
        return member(S, T, trail, item)
    if kind == K_LINEAR:
        return linear(S, T, trail, item)
    if kind == K_CLAUSE:
        return clause(S, T, trail, item)
    if kind == K_AT_MOST_ONE:
        return at_most_one(S, T, trail, item)
    if kind == K_ALTERNATIVE:
        return alternative(S, T, trail, item)
    if kind == K_MAX:
        return maximum(S, T, trail, item)
    if kind == K_ELEMENT:
        return element(S, T, trail, item)
    if kind == K_ALL_DIFFERENT:
        return all_different(S, T, trail, item)
    if kind == K_XOR:
        return exclusive_or(S, T, trail, item)
    if kind == K_CUMULATIVE:
        return cumulative(S, T, trail, item)
    return no_overlap(S, T, trail, item)


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
        if not run_item(S, T, trail, item):
            clear_queues(S, T)
            return False


@part(OK(I8, I8, I8))
def propagate_all(S: Ints, T: Ints, trail: Ints) -> Int:
    """Run every item, then what follows, to the fix point."""
    for item in range(S[NUM_ITEMS]):
        enqueue(S, T, item)
    return propagate(S, T, trail)


@part(INT(I8, I8))
def objective_bound(S: Ints, T: Ints) -> Int:
    """Least value of the objective's sum under the bounds of its variables."""
    at = S[OBJECTIVE]
    bound = 0
    for k in range(at + 1, at + 1 + 2 * S[at], 2):
        a, slot = S[k + 1], HEADER + 2 * S[k]
        bound += a * T[slot if a > 0 else slot + 1]
    return bound
