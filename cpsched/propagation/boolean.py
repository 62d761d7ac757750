"""Propagation of clauses, at-most-one, exactly-one and exclusive or."""

from __future__ import annotations

from cpsched.kernels import part
from cpsched.propagation.domains import Int, Ints, fail, literal, set_false, set_true
from cpsched.propagation.layout import I8, INT, ITEM_DATA, OK
from cpsched.propagation.linear import open_enforcement, violated


@part(OK(I8, I8, I8, INT))
def clause(S: Ints, T: Ints, trail: Ints, item: Int) -> Int:
    """At least one literal is true."""
    data = S[S[ITEM_DATA] + item]
    last = 0
    still_open = 0
    for k in range(data + 1, data + 1 + S[data]):
        value = literal(T, S[k])
        if value > 0:
            return True
        if value == 0:
            still_open += 1
            last = S[k]
            if still_open == 2:
                return True
    if still_open == 0:
        return fail(T, item, -1)
    return set_true(S, T, trail, last, item)


@part(OK(I8, I8, I8, INT))
def at_most_one(S: Ints, T: Ints, trail: Ints, item: Int) -> Int:
    """At most one literal is true, or exactly one."""
    data = S[S[ITEM_DATA] + item]
    first, stop = data + 2, data + 2 + S[data]
    taken = still_open = 0
    last = 0
    for k in range(first, stop):
        value = literal(T, S[k])
        if value > 0:
            taken += 1
        elif value == 0:
            still_open += 1
            last = S[k]
    if taken > 1:
        return fail(T, item, -1)
    if taken == 1:
        if still_open > 0:
            for k in range(first, stop):
                # A literal that occurs twice may have become true meanwhile: then it fails here.
                if literal(T, S[k]) == 0 and not set_false(S, T, trail, S[k], item):
                    return False
        return True
    if S[data + 1] == 0 or still_open > 1:
        return True
    if still_open == 0:
        return fail(T, item, -1)
    return set_true(S, T, trail, last, item)


@part(OK(I8, I8, I8, INT))
def exclusive_or(S: Ints, T: Ints, trail: Ints, item: Int) -> Int:
    """An odd number of literals is true."""
    data = S[S[ITEM_DATA] + item]
    num_enforcement, count = S[data], S[data + 1]
    enforcement = data + 2
    unenforced = open_enforcement(S, T, enforcement, num_enforcement)
    if unenforced < 0 or unenforced > 1:
        return True
    first = enforcement + num_enforcement
    odd = False
    still_open = 0
    last = 0
    for k in range(first, first + count):
        value = literal(T, S[k])
        if value > 0:
            odd = not odd
        elif value == 0:
            still_open += 1
            last = S[k]
            if still_open == 2:
                return True
    if still_open == 0:
        return odd or violated(S, T, trail, enforcement, num_enforcement, item)
    if unenforced == 1:
        return True
    if odd:
        return set_false(S, T, trail, last, item)
    return set_true(S, T, trail, last, item)
