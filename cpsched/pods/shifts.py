"""What one pod does to the state of the local search: come, leave, fit; and random numbers.

Parts of the kernel; the arrays are those of ``cpsched.pods.ruin.ruin_recreate``, and pods of one
node are a list: *first* of each node, *after* and *before* of each pod, -1 at the ends.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from cpsched.kernels import part

Array = np.ndarray[Any, Any]
Number = Any

U8 = types.uint64[::1]
I4 = types.int32[::1]
I8 = types.int64[::1]
I8x2 = types.int64[:, ::1]
F8 = types.float64[::1]
B1 = types.boolean[::1]
B1x2 = types.boolean[:, ::1]


@part(types.float64(I8x2, F8, types.int64))
def room(free: Array, scale: Array, n: Number) -> Number:
    """Free amounts of node *n*, scaled and added up."""
    total = 0.0
    for r in range(len(scale)):
        total += max(free[n, r], 0) * scale[r]
    return total


@part(types.void(types.int64, types.int64, I4, I4, I4, I4, I4, I8x2, I8x2, I4, I8))
def put(
    p: Number,
    n: Number,
    node: Array,
    home: Array,
    first: Array,
    after: Array,
    before: Array,
    request: Array,
    free: Array,
    budget: Array,
    used: Array,
) -> None:
    """Pod *p*, which is nowhere, comes to node *n*."""
    node[p] = n
    head = first[n]
    after[p] = head
    before[p] = -1
    if head >= 0:
        before[head] = p
    first[n] = p
    for r in range(request.shape[1]):
        free[n, r] -= request[p, r]
    if budget[p] >= 0 and home[p] == n:
        used[budget[p]] -= 1


@part(types.void(types.int64, I4, I4, I4, I4, I4, I8x2, I8x2, I4, I8))
def take(
    p: Number,
    node: Array,
    home: Array,
    first: Array,
    after: Array,
    before: Array,
    request: Array,
    free: Array,
    budget: Array,
    used: Array,
) -> None:
    """Pod *p* leaves its node."""
    n = node[p]
    a = after[p]
    b = before[p]
    if a >= 0:
        before[a] = b
    if b >= 0:
        after[b] = a
    else:
        first[n] = a
    for r in range(request.shape[1]):
        free[n, r] += request[p, r]
    if budget[p] >= 0 and home[p] == n:
        used[budget[p]] += 1
    node[p] = -1


@part(
    types.boolean(types.int64, types.int64, I4, I4, I4, I4, I8x2, I8x2, B1x2, B1x2, I4, I4, I4, I4)
)
def fits(
    p: Number,
    n: Number,
    node: Array,
    home: Array,
    first: Array,
    after: Array,
    request: Array,
    free: Array,
    over: Array,
    allowed: Array,
    profile: Array,
    rule_start: Array,
    rule: Array,
    side: Array,
) -> Number:
    """Whether pod *p* may come to *n*, or come back to it, as things stand."""
    for r in range(request.shape[1]):
        if request[p, r] > free[n, r] and request[p, r] > 0:
            return False
    at_home = home[p] == n
    if not at_home:
        if not allowed[profile[p], n]:
            return False
        for r in range(request.shape[1]):
            if over[n, r] and request[p, r] > 0:
                return False
    if rule_start[p] < rule_start[p + 1]:
        q = first[n]
        while q >= 0:
            # A pair that runs there now and stays is let be.
            if not (at_home and home[q] == n):
                for i in range(rule_start[p], rule_start[p + 1]):
                    for j in range(rule_start[q], rule_start[q + 1]):
                        if rule[i] == rule[j] and (
                            (side[i] & 1 and side[j] & 2) or (side[i] & 2 and side[j] & 1)
                        ):
                            return False
            q = after[q]
    return True


@part(types.float64(types.int64, types.int64, I4, F8, F8, F8))
def price(
    p: Number, n: Number, home: Array, absent: Array, evicted: Array, moved: Array
) -> Number:
    """What the annealing pays for pod *p* on node *n*, -1 for none."""
    if n < 0:
        return absent[p] + evicted[p]
    return moved[p] if home[p] >= 0 and home[p] != n else 0.0
