"""Scores that the default Kubernetes scheduler gives to the nodes that would take a pod.

Those of the default plugins with their default weights and integer arithmetic, as of versions 1.32
to 1.34 (kubernetes/kubernetes, ``noderesources/least_allocated.go``, ``balanced_allocation.go``,
``podtopologyspread/scoring.go``, ``interpodaffinity/scoring.go``):

* NodeResourcesFit, LeastAllocated over cpu and memory (weight 1): 100 * free // allocatable, their
  mean rounded down. A pod without a request counts as 100 millicores and 200 MiB here, which the
  original does for each container, of which a cluster knows nothing;
* NodeResourcesBalancedAllocation (1): 100 * (1 - half the distance of the two used shares);
* PodTopologySpread (2), the system's default constraints: pods of the same controller on the node,
  maxSkew 3. Not for pods with constraints of their own, whose soft ones a cluster does not hold,
  nor for those of a DaemonSet or Job, which have no selector to count by;
* InterPodAffinity (2): each required affinity term of a pod that runs, and that the next pod
  matches, draws it to its domain (hardPodAffinityWeight 1). A cluster knows which pods match all
  terms of another, not which match only some; and a snapshot keeps no terms of pods that are held.

Constant, as a cluster holds nothing they ask for, and left out: the default constraint over zones
(as if no node had a zone label), TaintToleration, preferred NodeAffinity, preferred
InterPodAffinity, ImageLocality.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from cpsched.pods.instance import Cluster, IntArray, LongArray
    from cpsched.pods.occupancy import Occupancy

#: What a pod that requests none is taken to use when nodes are scored: millicores, bytes.
_ASSUMED = {"cpu": 100, "memory": 200 * 2**20}
_BEST = 100
_SPREAD_WEIGHT = 2
_HOST_SKEW = 3
_AFFINITY_WEIGHT = 2
#: Kinds of controllers that the default selector does not know.
_NO_SELECTOR = ("/DaemonSet/", "/Job/")


class Scores:
    """Scores of nodes for the next pod; follows each change of the occupancy."""

    def __init__(self, cluster: Cluster, now: Occupancy) -> None:
        self.cluster, self.now = cluster, now
        names = [name for name in _ASSUMED if name in cluster.resources]
        self.columns = [cluster.resources.index(name) for name in names]
        self.allocatable = [np.ascontiguousarray(cluster.allocatable[:, c]) for c in self.columns]
        self.request = cluster.request[:, self.columns]
        assumed = np.array([_ASSUMED[name] for name in names], dtype=np.int64)
        self.missing = np.where(self.request == 0, assumed, 0)
        # What pods without a request are taken to use, on each node.
        self.extra = np.zeros((len(names), cluster.num_nodes), dtype=np.int64)
        there = now.node >= 0
        np.add.at(self.extra.T, now.node[there], self.missing[there])
        # 100 times an amount must stay below 2^63; beyond that in Python's integers.
        self.huge = any(int(offer.max()) > 2**63 // _BEST - 1 for offer in self.allocatable)
        self.owner = cluster.owner.copy()
        for spread in cluster.spreads:
            self.owner[spread.holders] = -1
        for number, name in enumerate(cluster.owners):
            if any(kind in name for kind in _NO_SELECTOR):
                self.owner[cluster.owner == number] = -1
        self.siblings: dict[int, LongArray] = {}
        self.draw = _Draw(cluster, now)

    def shift(self, pod: int, node: int, by: int) -> None:
        """*pod* came to *node* (by = 1) or left it (by = -1)."""
        if self.missing[pod].any():
            self.extra[:, node] += by * self.missing[pod]
        siblings = self.siblings.get(int(self.cluster.owner[pod]))
        if siblings is not None:
            siblings[node] += by
        self.draw.shift(pod, node, by)

    def of(self, pod: int, at: IntArray) -> LongArray:
        """Total score of each node of *at*, all of which are feasible, for *pod*."""
        offers = [offer[at] for offer in self.allocatable]
        free = [self.now.free[:, column][at] for column in self.columns]
        total = self._least_allocated(pod, at, offers, free) + self._balanced(pod, offers, free)
        if self.owner[pod] >= 0:
            total += _SPREAD_WEIGHT * self._spread(int(self.owner[pod]), at)
        return total + _AFFINITY_WEIGHT * self.draw.of(pod, at)

    def _least_allocated(
        self, pod: int, at: IntArray, offers: list[LongArray], free: list[LongArray]
    ) -> LongArray:
        total = np.zeros(len(at), dtype=np.int64)
        counted = np.zeros(len(at), dtype=np.int64)
        needs = (self.request[pod] + self.missing[pod]).tolist()
        for k, (offer, left, need) in enumerate(zip(offers, free, needs, strict=True)):
            room = np.maximum(left - self.extra[k][at] - need, 0)
            whole = np.maximum(offer, 1)
            if self.huge:
                total += (room.astype(object) * _BEST // whole).astype(np.int64)
            else:
                total += _BEST * room // whole
            counted += offer > 0
        return total // np.maximum(counted, 1)

    def _balanced(self, pod: int, offers: list[LongArray], free: list[LongArray]) -> LongArray:
        request = self.request[pod].tolist()
        if len(request) < 2 or not any(request):
            return np.zeros(1, dtype=np.int64)
        shares = [
            np.minimum((offer - left + need) / np.maximum(offer, 1), 1.0)
            for offer, left, need in zip(offers, free, request, strict=True)
        ]
        deviation = np.abs(shares[0] - shares[1]) / 2
        deviation[(offers[0] == 0) | (offers[1] == 0)] = 0.0
        return np.asarray((1 - deviation) * _BEST).astype(np.int64)

    def _spread(self, owner: int, at: IntArray) -> LongArray:
        if owner not in self.siblings:
            node = self.now.node[(self.cluster.owner == owner) & (self.now.node >= 0)]
            count = np.bincount(node, minlength=self.cluster.num_nodes)
            self.siblings[owner] = count.astype(np.int64)
        # Rounded half away from zero, as the original does.
        raw = self.siblings[owner][at] * math.log(len(at) + 2) + (_HOST_SKEW - 1)
        score = np.floor(raw + 0.5).astype(np.int64)
        return np.asarray(_BEST * (score.max() + score.min() - score) // score.max())


class _Draw:
    """How required affinities of pods draw others to their domains; counts are made when asked."""

    def __init__(self, cluster: Cluster, now: Occupancy) -> None:
        self.now = now
        self.affinities = cluster.affinities
        self.held_by: dict[int, list[int]] = {}
        self.drawing: dict[int, list[int]] = {}
        for number, affinity in enumerate(cluster.affinities):
            for pod in affinity.holders.tolist():
                self.held_by.setdefault(pod, []).append(number)
            for pod in affinity.targets.tolist():
                self.drawing.setdefault(pod, []).append(number)
        # For each affinity, per term: holders in each domain, and a 0 for nodes without the label.
        self.counts: dict[int, list[LongArray]] = {}

    def shift(self, pod: int, node: int, by: int) -> None:
        """*pod* came to *node* (by = 1) or left it (by = -1)."""
        for number in self.held_by.get(pod, ()):
            if number in self.counts:
                for domain, count in self._terms(number):
                    if domain[node] >= 0:
                        count[domain[node]] += by

    def of(self, pod: int, at: IntArray) -> LongArray:
        """Score of each node of *at* for *pod*, 0 to 100."""
        raw = np.zeros(len(at), dtype=np.int64)
        for number in self.drawing.get(pod, ()):
            for domain, count in self._terms(number):
                raw += count[domain[at]]
        low, high = int(raw.min()), int(raw.max())
        return np.asarray(_BEST * ((raw - low) / max(high - low, 1))).astype(np.int64)

    def _terms(self, number: int) -> list[tuple[IntArray, LongArray]]:
        """Domain of each node and count of each domain, for each term of an affinity."""
        affinity = self.affinities[number]
        if number not in self.counts:
            node = self.now.node[affinity.holders]
            node = node[node >= 0]
            self.counts[number] = []
            for domain in affinity.domains:
                there = domain[node]
                count = np.bincount(there[there >= 0], minlength=int(domain.max()) + 2)
                self.counts[number].append(count.astype(np.int64))
        return list(zip(affinity.domains, self.counts[number], strict=True))
