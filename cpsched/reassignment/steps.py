"""Parts of the kernel of the local search: random numbers, and what one process's move does.

Arrays are those of ``cpsched.reassignment.state.State``. *occupied* is what counts against the
capacity: what is used and, of transient resources, what processes that left still hold.
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
I4x2 = types.int32[:, ::1]
I8 = types.int64[::1]
I8x2 = types.int64[:, ::1]

#: A machine's cost where a move does not fit.
FULL = -1


@part(
    types.int64(
        types.int64, types.int64, types.int64,
        I4, I8x2, I8x2, I8x2, I8, I8, I8x2, I8x2, I8x2,
    )
)  # fmt: skip
def exchanged(
    m: Number,
    out: Number,
    in_: Number,
    home: Array,
    requirement: Array,
    capacity: Array,
    safety: Array,
    transient: Array,
    load_weight: Array,
    balance: Array,
    used: Array,
    occupied: Array,
) -> Number:
    """Cost of machine *m* once *out* has left and *in_* has come, -1 for none; FULL if too much.

    transient: 1 or 0; balance: rows r1, r2, target, weight.
    """
    stays = 0
    comes = 0
    if out >= 0 and home[out] == m:
        stays = 1
    if in_ >= 0 and home[in_] == m:
        comes = 1
    cost = 0
    for r in range(len(load_weight)):
        change = 0
        more = 0
        if in_ >= 0:
            change += requirement[in_, r]
            more += requirement[in_, r] * (1 - (transient[r] & comes))
        if out >= 0:
            change -= requirement[out, r]
            more -= requirement[out, r] * (1 - (transient[r] & stays))
        if more > 0 and occupied[m, r] + more > capacity[m, r]:
            return FULL
        over = used[m, r] + change - safety[m, r]
        if over > 0:
            cost += load_weight[r] * over
    for b in range(len(balance)):
        first = balance[b, 0]
        second = balance[b, 1]
        free1 = capacity[m, first] - used[m, first]
        free2 = capacity[m, second] - used[m, second]
        if in_ >= 0:
            free1 -= requirement[in_, first]
            free2 -= requirement[in_, second]
        if out >= 0:
            free1 += requirement[out, first]
            free2 += requirement[out, second]
        lack = balance[b, 2] * free1 - free2
        if lack > 0:
            cost += balance[b, 3] * lack
    return cost


@part(
    types.void(
        types.int64, types.int64,
        I4, I4, I8x2, I8, I4, I4, I4, I8x2, I8x2, I4x2, I4x2, I4, I4x2, I4, I4, I8, I4, I4, I4,
    )
)  # fmt: skip
def place(
    p: Number,
    b: Number,
    home: Array,
    service: Array,
    requirement: Array,
    transient: Array,
    location: Array,
    neighbourhood: Array,
    machine: Array,
    used: Array,
    occupied: Array,
    here: Array,
    in_location: Array,
    spread: Array,
    in_neighbourhood: Array,
    moved: Array,
    moved_count: Array,
    most_moved: Array,
    first: Array,
    after: Array,
    before: Array,
) -> None:
    """Move process *p* to machine *b*, rules and costs of machines left aside."""
    a = machine[p]
    s = service[p]
    at_home = home[p]
    for r in range(len(transient)):
        amount = requirement[p, r]
        used[a, r] -= amount
        used[b, r] += amount
        if transient[r] == 0 or a != at_home:
            occupied[a, r] -= amount
        if transient[r] == 0 or b != at_home:
            occupied[b, r] += amount
    here[s, a] -= 1
    here[s, b] += 1
    j = location[a]
    k = location[b]
    if j != k:
        in_location[s, j] -= 1
        if in_location[s, j] == 0:
            spread[s] -= 1
        if in_location[s, k] == 0:
            spread[s] += 1
        in_location[s, k] += 1
    in_neighbourhood[s, neighbourhood[a]] -= 1
    in_neighbourhood[s, neighbourhood[b]] += 1
    machine[p] = b
    if before[p] >= 0:
        after[before[p]] = after[p]
    else:
        first[a] = after[p]
    if after[p] >= 0:
        before[after[p]] = before[p]
    after[p] = first[b]
    before[p] = -1
    if first[b] >= 0:
        before[first[b]] = p
    first[b] = p
    if a == at_home or b == at_home:
        moved_count[moved[s]] -= 1
        moved[s] += 1 if a == at_home else -1
        moved_count[moved[s]] += 1
        if moved[s] > most_moved[0]:
            most_moved[0] = moved[s]
        while most_moved[0] > 0 and moved_count[most_moved[0]] == 0:
            most_moved[0] -= 1


@part(
    types.boolean(
        types.int64, types.int64, types.int64,
        I4, I4, I4, I4, I4, I4, I4, I4x2,
    )
)  # fmt: skip
def kept(
    s: Number,
    left: Number,
    come: Number,
    spread_min: Array,
    needs_start: Array,
    needs: Array,
    needed_start: Array,
    needed_by: Array,
    spread: Array,
    neighbourhood: Array,
    in_neighbourhood: Array,
) -> Number:
    """Whether service *s* keeps spread and dependencies, having moved from *left* to *come*.

    left, come: machines. Dependencies can only break where *s* went to, by what it needs, and
    where it has left for good, by what needs it.
    """
    if spread[s] < spread_min[s]:
        return False
    j = neighbourhood[left]
    k = neighbourhood[come]
    if j == k:
        return True
    if in_neighbourhood[s, k] > 0:
        for i in range(needs_start[s], needs_start[s + 1]):
            if in_neighbourhood[needs[i], k] == 0:
                return False
    if in_neighbourhood[s, j] == 0:
        for i in range(needed_start[s], needed_start[s + 1]):
            if in_neighbourhood[needed_by[i], j] > 0:
                return False
    return True
