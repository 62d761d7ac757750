"""Bounds propagation of precedences and of linear constraints with enforcement and any domain."""

from __future__ import annotations

from cpsched.kernels import part
from cpsched.propagation.domains import (
    Int,
    Ints,
    at_least,
    at_most,
    fail,
    literal,
    next_in_domain,
    previous_in_domain,
    set_false,
)
from cpsched.propagation.layout import HEADER, I8, INT, ITEM_DATA, OK


@part(OK(I8, I8, I8, INT))
def precedence(S: Ints, T: Ints, trail: Ints, item: Int) -> Int:
    """Propagate x + c <= y."""
    data = S[S[ITEM_DATA] + item]
    x, c, y = S[data], S[data + 1], S[data + 2]
    lower, upper = T[HEADER + 2 * x] + c, T[HEADER + 2 * y + 1] - c
    if lower > T[HEADER + 2 * y] and not at_least(S, T, trail, y, lower, item):
        return False
    return upper >= T[HEADER + 2 * x + 1] or at_most(S, T, trail, x, upper, item)


@part(INT(I8, I8, INT, INT))
def open_enforcement(S: Ints, T: Ints, at: Int, count: Int) -> Int:
    """What enforcement literals say: -1 not enforced, else the number still open.

    at: index in S of the first of *count* literals.
    """
    still_open = 0
    for k in range(at, at + count):
        value = literal(T, S[k])
        if value < 0:
            return -1
        if value == 0:
            still_open += 1
    return still_open


@part(OK(I8, I8, I8, INT, INT, INT))
def violated(S: Ints, T: Ints, trail: Ints, at: Int, count: Int, item: Int) -> Int:
    """What follows from a violated constraint: its last open enforcement literal is false."""
    for k in range(at, at + count):
        if literal(T, S[k]) == 0:
            return set_false(S, T, trail, S[k], item)
    return fail(T, item, -1)


@part(OK(I8, I8, I8, INT))
def linear(S: Ints, T: Ints, trail: Ints, item: Int) -> Int:
    """Propagate lo <= sum a x <= hi, or the sum in a domain of several intervals."""
    data = S[S[ITEM_DATA] + item]
    num_enforcement, num_terms, lo, hi, num_parts = (
        S[data],
        S[data + 1],
        S[data + 2],
        S[data + 3],
        S[data + 4],
    )
    enforcement = data + 5
    still_open = open_enforcement(S, T, enforcement, num_enforcement)
    if still_open < 0 or still_open > 1:
        return True
    terms = enforcement + num_enforcement
    least = greatest = 0
    for k in range(terms, terms + 2 * num_terms, 2):
        slot, a = HEADER + 2 * S[k], S[k + 1]
        if a > 0:
            least += a * T[slot]
            greatest += a * T[slot + 1]
        else:
            least += a * T[slot + 1]
            greatest += a * T[slot]
    if num_parts > 0:
        domain = terms + 2 * num_terms
        lo = max(lo, next_in_domain(S, domain, least))
        hi = min(hi, previous_in_domain(S, domain, greatest))
    if least > hi or greatest < lo or lo > hi:
        return violated(S, T, trail, enforcement, num_enforcement, item)
    if still_open == 1:
        return True
    room, need = hi - least, greatest - lo
    for k in range(terms, terms + 2 * num_terms, 2):
        v, a = S[k], S[k + 1]
        lower, upper = T[HEADER + 2 * v], T[HEADER + 2 * v + 1]
        size = abs(a)
        span = size * (upper - lower)
        if span > room:
            # The part of the span that fits: from the lower end if a > 0, from the upper if not.
            steps = room // size
            if a > 0:
                if not at_most(S, T, trail, v, lower + steps, item):
                    return False
            elif not at_least(S, T, trail, v, upper - steps, item):
                return False
        if span > need:
            steps = need // size
            if a > 0:
                if not at_least(S, T, trail, v, upper - steps, item):
                    return False
            elif not at_most(S, T, trail, v, lower + steps, item):
                return False
    return True
