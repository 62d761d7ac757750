"""Path relinking between two schedules: swap by swap from one towards the other.

The path runs through neighbouring pairs of operations on a machine that the two schedules order
differently (Nowicki & Smutnicki 2005; Peng, Lu & Cheng 2015), chosen at random. Every point on it
is acyclic, because a swap that closes a cycle is refused, and it keeps every arc that the two
ends share.
"""

from __future__ import annotations

import numpy as np

from cpsched.jobshop.graph import INT, U4, U8, IndexArray, Int, WordArray, insert_after, link
from cpsched.jobshop.randomness import random_below
from cpsched.kernels import kernel


@kernel(INT(U4, U4, U4, INT))
def distance(a: IndexArray, b: IndexArray, machine: IndexArray, num_machines: Int) -> Int:
    """Number of pairs of operations of one machine in a different order in a and in b."""
    n = len(a)
    rank = np.empty(n, np.int32)
    for k in range(n):
        rank[b[k]] = k
    # Operations grouped by machine, in the order of a, as positions in b.
    offset = np.zeros(num_machines + 1, np.int64)
    for i in machine:
        offset[i + 1] += 1
    for m in range(num_machines):
        offset[m + 1] += offset[m]
    fill = offset[:-1].copy()
    sequence = np.empty(n, np.int32)
    for k in range(n):
        m = machine[a[k]]
        sequence[fill[m]] = rank[a[k]]
        fill[m] += 1
    total = 0
    for m in range(num_machines):
        for k in range(offset[m] + 1, offset[m + 1]):
            x = sequence[k]
            for h in range(offset[m], k):
                total += sequence[h] > x
    return total


@kernel(INT(U4, U4, INT, U4, U4, U4, INT, U8))
def relink(
    order: IndexArray,
    guide: IndexArray,
    steps: Int,
    jp: IndexArray,
    js: IndexArray,
    machine: IndexArray,
    num_machines: Int,
    rng: WordArray,
) -> Int:
    """Walk up to *steps* swaps from *order* (changed in place) towards *guide*.

    Both are topological orders, shape (N,); jp, js as in ``graph``. Returns the number of swaps
    made, fewer only if the two schedules are the same before that.
    """
    n = np.uint32(len(order))
    pos = np.empty(n + 1, np.uint32)
    rank = np.empty(n + 1, np.int32)
    mp = np.empty(n + 1, np.uint32)
    ms = np.empty(n + 1, np.uint32)
    work = np.zeros(2 * n + 2, np.int32)
    link(order, machine, mp, ms, num_machines)
    pos[n] = n
    rank[n] = n
    for k in range(n):
        pos[order[k]] = k
        rank[guide[k]] = k
    # Operations whose machine successor the guide wants before them; index[i] is i's place.
    wanted = np.empty(n, np.uint32)
    index = np.full(n + 1, -1, np.int32)
    count = 0
    for i in range(n):
        if rank[i] > rank[ms[i]]:
            index[i] = count
            wanted[count] = i
            count += 1
    made = 0
    while made < steps and count > 0:
        # Some wanted swap is acyclic: the first of them in the guide's own order.
        x = wanted[random_below(rng, count)]
        y = ms[x]
        if not insert_after(x, y, order, pos, jp, mp, ms, work):
            continue
        made += 1
        for op in (mp[y], y, x):
            if op == n:
                continue
            is_wanted = rank[op] > rank[ms[op]]
            if is_wanted and index[op] < 0:
                index[op] = count
                wanted[count] = op
                count += 1
            elif not is_wanted and index[op] >= 0:
                count -= 1
                last = wanted[count]
                wanted[index[op]] = last
                index[last] = index[op]
                index[op] = -1
    return made
