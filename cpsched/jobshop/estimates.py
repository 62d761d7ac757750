"""Estimated makespan of a move: the longest path through the moved stretch, in its length.

Taillard's (1994) estimate for a swap, extended to insertions by Balas & Vazacopoulos (1998): heads
and tails are recomputed along the stretch only, those of the operations around it are taken as
they were before the move.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cpsched.jobshop.graph import I4, INDEX, INT, U4, IndexArray, Int
from cpsched.kernels import kernel

if TYPE_CHECKING:
    from cpsched.jobshop.instance import IntArray


@kernel(INT(INDEX, INDEX, INT, I4, U4, U4, U4, U4, I4, I4, I4))
def estimate_after(
    u: Int,
    v: Int,
    cutoff: Int,
    p: IntArray,
    jp: IndexArray,
    js: IndexArray,
    mp: IndexArray,
    ms: IndexArray,
    ends: IntArray,
    tails: IntArray,
    scratch: IntArray,
) -> Int:
    """Estimated longest path through the moved stretch once u is right after v.

    May return early with any value above *cutoff* once it is passed.
    """
    end = ends[mp[u]]
    stop = ms[v]
    k = 0
    w = ms[u]
    while w != stop:
        end = p[w] + max(ends[jp[w]], end)
        scratch[k] = end
        k += 1
        w = ms[w]
    tail = max(tails[js[u]], tails[stop])
    value = p[u] + max(ends[jp[u]], end) + tail
    tail += p[u]
    w = v
    while w != u:
        if value > cutoff:
            return value
        k -= 1
        tail = max(tails[js[w]], tail)
        value = max(value, scratch[k] + tail)
        tail += p[w]
        w = mp[w]
    return value


@kernel(INT(INDEX, INDEX, INT, I4, U4, U4, U4, U4, I4, I4, I4))
def estimate_before(
    u: Int,
    v: Int,
    cutoff: Int,
    p: IntArray,
    jp: IndexArray,
    js: IndexArray,
    mp: IndexArray,
    ms: IndexArray,
    ends: IntArray,
    tails: IntArray,
    scratch: IntArray,
) -> Int:
    """Estimated longest path through the moved stretch once v is right before u."""
    tail = tails[ms[v]]
    stop = mp[u]
    k = 0
    w = mp[v]
    while w != stop:
        tail = p[w] + max(tails[js[w]], tail)
        scratch[k] = tail
        k += 1
        w = mp[w]
    end = max(ends[jp[v]], ends[stop])
    value = p[v] + max(tails[js[v]], tail) + end
    end += p[v]
    w = u
    while w != v:
        if value > cutoff:
            return value
        k -= 1
        end = max(ends[jp[w]], end)
        value = max(value, scratch[k] + end)
        end += p[w]
        w = ms[w]
    return value
