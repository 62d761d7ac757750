"""The default Kubernetes scheduler, simulated: deterministic, one pod at a time.

Queue by priority, then arrival. Filters are those of ``Occupancy``. Scores are those of the
default plugins with their default weights and integer arithmetic, as of versions 1.32 to 1.34
(kubernetes/kubernetes, ``noderesources/least_allocated.go``, ``balanced_allocation.go``,
``podtopologyspread/scoring.go``):

* NodeResourcesFit, LeastAllocated over cpu and memory (weight 1): 100 * free // allocatable, their
  mean rounded down. A pod without a request counts as 100 millicores and 200 MiB here, which the
  original does for each container, of which a cluster knows nothing;
* NodeResourcesBalancedAllocation (1): 100 * (1 - half the distance of the two used shares);
* PodTopologySpread (2), the system's default constraints: pods of the same controller on the node,
  maxSkew 3. Not for pods with constraints of their own, whose soft ones a cluster does not hold,
  nor for those of a DaemonSet or Job, which have no selector to count by.

Constant, as a cluster holds nothing they ask for, and left out: the default constraint over zones
(as if no node had a zone label), TaintToleration, preferred NodeAffinity, preferred
InterPodAffinity, ImageLocality. All nodes are scored (percentageOfNodesToScore 100). The original
breaks ties by lot, this by the name of the node.

Preemption is that of DefaultPreemption (``default_preemption.go``), with three differences that
keep what it does within the rules of a cluster: it never exceeds a disruption budget, which the
original does as a last resort; held pods are never victims; candidates are the first in order of
names, a tenth of the nodes but at least 100, where the original starts at a random one.
"""

from __future__ import annotations

import heapq
import math
from typing import TYPE_CHECKING

import numpy as np

from cpsched.pods.occupancy import Occupancy
from cpsched.pods.solution import Placement

if TYPE_CHECKING:
    import threading

    from cpsched.pods.instance import Cluster, IntArray, LongArray

#: What a pod that requests none is taken to use when nodes are scored: millicores, bytes.
_ASSUMED = {"cpu": 100, "memory": 200 * 2**20}
_BEST = 100
_SPREAD_WEIGHT = 2
_HOST_SKEW = 3
#: Kinds of controllers that the default selector does not know.
_NO_SELECTOR = ("/DaemonSet/", "/Job/")
#: Added to each victim's priority where they are summed, so that fewer victims sum to less.
_SHIFT = 2**31
_LEAST_CANDIDATES = 100


def schedule(
    cluster: Cluster,
    *,
    arrival_order: bool = False,
    preemption: bool = False,
    stop: threading.Event | None = None,
) -> Placement:
    """Running pods stay, pending ones are tried as the default scheduler would.

    A pod that fits nowhere is tried again after others were placed, if a rule ties it to other
    pods, or after pods were preempted, until nothing changes. Victims of preemption wait in the
    queue like the others. Held pending pods are not tried. If *stop* is set, the placement so far
    is returned.

    Parameters
    ----------
    cluster
        The cluster.
    arrival_order
        Take pods in order of arrival alone; victims are tried again at once.
    preemption
        Whether a pod that fits nowhere may evict pods of strictly lower priority from one node.
    """
    return Placement(_Simulation(cluster, arrival_order, preemption).run(stop))


class _Scores:
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

    def shift(self, pod: int, node: int, by: int) -> None:
        """*pod* came to *node* (by = 1) or left it (by = -1)."""
        if self.missing[pod].any():
            self.extra[:, node] += by * self.missing[pod]
        siblings = self.siblings.get(int(self.cluster.owner[pod]))
        if siblings is not None:
            siblings[node] += by

    def of(self, pod: int, at: IntArray) -> LongArray:
        """Total score of each node of *at*, all of which are feasible, for *pod*."""
        offers = [offer[at] for offer in self.allocatable]
        free = [self.now.free[:, column][at] for column in self.columns]
        total = self._least_allocated(pod, at, offers, free) + self._balanced(pod, offers, free)
        if self.owner[pod] >= 0:
            total += _SPREAD_WEIGHT * self._spread(int(self.owner[pod]), at)
        return total

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


class _Simulation:
    """The queue, and what has been bound so far."""

    def __init__(self, cluster: Cluster, arrival_order: bool, preemption: bool) -> None:
        self.cluster = cluster
        self.preemption = preemption
        self.now = Occupancy(cluster)
        self.scores = _Scores(cluster, self.now)
        names = cluster.nodes
        self.by_name = np.array(sorted(range(len(names)), key=names.__getitem__), dtype=np.int32)
        self.rank = np.argsort(self.by_name)
        self.urgency = (cluster.priority * (0 if arrival_order else -1)).tolist()
        self.left = [budget.allowed for budget in cluster.budgets]
        # Pods that wait from the start are no disruption when they are preempted.
        self.budget: dict[int, int] = {}
        for number, budget in enumerate(cluster.budgets):
            running = budget.pods[cluster.running[budget.pods]]
            self.budget.update(dict.fromkeys(running.tolist(), number))

    def run(self, stop: threading.Event | None) -> IntArray:
        """Try pods until none can be placed; where each is then."""
        pending = np.flatnonzero(~self.cluster.running & ~self.cluster.is_held).tolist()
        queue = sorted((self.urgency[pod], pod) for pod in pending)
        while queue:
            failed, placed, freed = list[int](), False, False
            while queue:
                if stop is not None and stop.is_set():
                    return self.now.node
                pod = heapq.heappop(queue)[1]
                at = np.flatnonzero(self.now.feasible(pod)).astype(np.int32)
                if len(at):
                    self._bind(pod, self._best(pod, at))
                    placed = True
                    continue
                victims = self._preempt(pod) if self.preemption else []
                failed += [] if victims else [pod]
                placed, freed = placed or bool(victims), freed or bool(victims)
                for victim in victims:
                    heapq.heappush(queue, (self.urgency[victim], victim))
            again = failed if freed else [pod for pod in failed if self.now.has_rules(pod)]
            queue = sorted((self.urgency[pod], pod) for pod in again if placed)
        return self.now.node

    def _best(self, pod: int, at: IntArray) -> int:
        """Node of *at* with the highest score, of these the first by name."""
        if len(at) > 1:
            score = self.scores.of(pod, at)
            at = at[score == score.max()]
        return int(at[np.argmin(self.rank[at])])

    def _bind(self, pod: int, node: int) -> None:
        self.now.place(pod, node)
        self.scores.shift(pod, node, 1)

    def _preempt(self, pod: int) -> list[int]:
        """Evict from the best node what keeps *pod* from it, and bind it there; the victims."""
        cluster, now = self.cluster, self.now
        if not cluster.preempts[pod]:
            return []
        lower = (now.node >= 0) & (cluster.priority < cluster.priority[pod]) & ~cluster.is_held
        pods = np.flatnonzero(lower)
        # Node after node, more important pods first: higher priority, then earlier arrival.
        pods = pods[np.lexsort((pods, -cluster.priority[pods], now.node[pods]))]
        start = np.searchsorted(now.node[pods], np.arange(cluster.num_nodes + 1))
        room = now.free.copy()
        np.add.at(room, now.node[pods], cluster.request[pods])
        need = cluster.request[pod]
        good = ((room >= need) | (need == 0)).all(axis=1) & (np.diff(start) > 0)
        good &= cluster.allowed[cluster.profile[pod]]
        most = max(_LEAST_CANDIDATES, cluster.num_nodes // 10)
        found: list[tuple[tuple[int, ...], int, list[int]]] = []
        for node in self.by_name[good[self.by_name]].tolist():
            victims = self._victims(pod, node, pods[start[node] : start[node + 1]].tolist())
            if victims:
                importance = [priority + _SHIFT for priority in cluster.priority[victims].tolist()]
                key = (max(importance), sum(importance), len(victims), int(self.rank[node]))
                found.append((key, node, victims))
            if len(found) == most:
                break
        if not found:
            return []
        _, node, victims = min(found)
        for victim in victims:
            now.remove(victim)
            self.scores.shift(victim, node, -1)
            # It is disrupted once, however often it is preempted before it finds a place.
            budget = self.budget.pop(victim, None)
            if budget is not None:
                self.left[budget] -= 1
        self._bind(pod, node)
        return victims

    def _victims(self, pod: int, node: int, pods: list[int]) -> list[int]:
        """Victims on *node* that make room for *pod*, of *pods*, most important first.

        Empty if there is no room even without all of them, or a budget does not allow it.
        """
        left = self.left.copy()
        over, within = list[int](), list[int]()
        for candidate in pods:
            budget = self.budget.get(candidate)
            if budget is not None:
                left[budget] -= 1
            (over if budget is not None and left[budget] < 0 else within).append(candidate)
        reprieve = self._by_trial if self.now.has_rules(pod) else self._by_room
        victims = reprieve(pod, node, [*over, *within])
        return [] if set(over) & set(victims) else victims

    def _by_room(self, pod: int, node: int, order: list[int]) -> list[int]:
        """Pods of *order*, all that *pod* may evict from *node*, that do not fit beside it."""
        request = self.cluster.request
        asked = np.flatnonzero(request[pod])
        uses = request[order][:, asked]
        left = (self.now.free[node, asked] + uses.sum(axis=0) - request[pod, asked]).tolist()
        victims = []
        for candidate, use in zip(order, uses.tolist(), strict=True):
            after = [have - take for have, take in zip(left, use, strict=True)]
            if min(after, default=0) < 0:
                victims.append(candidate)
            else:
                left = after
        return victims

    def _by_trial(self, pod: int, node: int, order: list[int]) -> list[int]:
        """The same where rules have a say; empty if they keep *pod* out in any case."""
        for candidate in order:
            self.now.remove(candidate)
        victims: list[int] = []
        if self.now.accepts(pod, node):
            for candidate in order:
                self.now.place(candidate, node)
                if not self.now.accepts(pod, node):
                    self.now.remove(candidate)
                    victims.append(candidate)
        for candidate in order:
            if self.now.node[candidate] < 0:
                self.now.place(candidate, node)
        return victims
