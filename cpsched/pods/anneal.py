"""Annealing over the packing of a cluster, a matrix of nodes and types of pods."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from cpsched.columns.ruin import ruin_and_recreate

if TYPE_CHECKING:
    from cpsched.columns.packing import LongArray
    from cpsched.incumbent import Incumbent
    from cpsched.pods.columns import PodHost
    from cpsched.pods.packing import PodPacking
    from cpsched.pods.solution import Placement

#: Cost of an unplaced item relative to one of the tier below.
_TIER_RATIO = 8.0
#: Iterations of one call of the kernel: some tens of milliseconds.
SLICE = 20_000
#: Temperatures, in units of an unplaced item of the lowest tier, and the weight of disruption, of
#: the two phases: first places, then moves.
PLACING = (0.3, 0.03, 0.0005)
SETTLING = (0.1, 0.01, 0.01)


class Search:
    """Ruin and recreate over all nodes of a packing; ``contents`` is the best so far.

    Equal seeds and numbers of iterations give equal results.
    """

    def __init__(self, pods: PodPacking, seed: int, halt: LongArray) -> None:
        cluster, packing = pods.cluster, pods.packing
        self._halt = halt
        items, single = packing.items, packing.single
        node_class = np.zeros(packing.num_bins, dtype=np.int64)
        for c, rows in enumerate(packing.single_member):
            node_class[rows] = c
        first = pods.first
        rank = {priority: k for k, priority in enumerate(cluster.tiers)}
        tiers = len(rank)
        tier = np.array([rank[int(p)] for p in cluster.priority[first]], dtype=np.int64)
        quotas = packing.quotas
        member = np.array([quota.member for quota in quotas], dtype=np.int64)
        self._problem = (
            items.weight,
            np.ascontiguousarray(single.capacity[node_class]),
            np.ascontiguousarray(single.limit[node_class]),
            packing.home,
            single.conflict,
            items.count,
            items.running,
            tier,
            cluster.move_cost[first],
            cluster.evict_cost[first],
            member.reshape(len(quotas), items.number),
            np.array([quota.allowed for quota in quotas], dtype=np.int64),
            _TIER_RATIO ** np.arange(tiers - 1, -1, -1, dtype=np.float64),
        )
        self.contents = packing.home.copy()
        self._digits = np.full(2 * tiers, 2**60, dtype=np.int64)
        self._random = np.array([(seed * 2 + 1) * 0x9E3779B97F4A7C15 % 2**64], dtype=np.uint64)

    def start_from(self, contents: LongArray) -> None:
        """Go on from *contents*, such as another method has found."""
        self.contents = contents.copy()
        self._digits[:] = 2**60

    def run(self, iterations: int, hot: float, cold: float, disruption: float) -> LongArray:
        """Anneal from *hot* to *cold*; the best contents so far, shape (nodes, types)."""
        ruin_and_recreate(
            *self._problem,
            self.contents,
            self._digits,
            self._random,
            self._halt,
            iterations,
            hot,
            cold,
            disruption,
        )
        return self.contents


def improve(
    pods: PodPacking,
    host: PodHost,
    incumbent: Incumbent[Placement],
    *,
    seed: int,
    deadline: float,
) -> None:
    """Anneal again and again, longer each time, until *deadline* (perf_counter) or the end.

    Each round begins with the best placement known, whoever found it.
    """
    search = Search(pods, seed, host.halt)
    slices = 1
    while True:
        _, (contents, *_) = host.best()
        search.start_from(contents)
        for hot, cold, disruption in (PLACING, SETTLING):
            for k in range(slices):
                if incumbent.done or time.perf_counter() >= deadline:
                    return
                begin, end = (hot * (cold / hot) ** ((k + step) / slices) for step in (0, 1))
                host.offer(search.run(SLICE, begin, end, disruption), "search")
        slices *= 2
