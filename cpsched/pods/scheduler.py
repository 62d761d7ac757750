"""The default Kubernetes scheduler, simulated: deterministic, one pod at a time.

Queue by priority, then arrival. Filters are those of ``Occupancy``, scores those of ``Scores``.
All nodes are scored (percentageOfNodesToScore 100). The original breaks ties by lot, this by the
name of the node.

Preemption is that of DefaultPreemption (kubernetes/kubernetes, ``default_preemption.go`` and
``preemption.go``). Of the candidates it takes the one whose most important victim has the lowest
priority, then the lowest sum of priorities, then the fewest victims, then whose victims of that
priority started last (the earliest of them counts). It differs in three ways, which keep what it
does within the rules of a cluster: it never exceeds a disruption budget, which the original does
as a last resort; held pods are never victims; candidates are the first in order of names, a tenth
of the nodes that could take the pod but at least 100, where the original starts at a random one. A
cluster does not say when pods started: running ones did in order of arrival, then the others as
they are bound.
"""

from __future__ import annotations

import heapq
import itertools
from typing import TYPE_CHECKING

import numpy as np

from cpsched.pods.occupancy import Occupancy
from cpsched.pods.scores import Scores
from cpsched.pods.solution import Placement

if TYPE_CHECKING:
    import threading

    from cpsched.pods.instance import Cluster, IntArray

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
    pods, or after pods were preempted, until nothing changes. Victims of preemption are tried
    again after all pods of their priority that wait already: controllers create them anew. Held
    pending pods are not tried. If *stop* is set, the placement so far is returned.

    Parameters
    ----------
    cluster
        The cluster.
    arrival_order
        Take pods in order of arrival alone, victims after all others.
    preemption
        Whether a pod that fits nowhere may evict pods of strictly lower priority from one node.
    """
    return Placement(_Simulation(cluster, arrival_order, preemption).run(stop))


class _Simulation:
    """The queue, and what has been bound so far."""

    def __init__(self, cluster: Cluster, arrival_order: bool, preemption: bool) -> None:
        self.cluster = cluster
        self.preemption = preemption
        self.now = Occupancy(cluster)
        self.scores = Scores(cluster, self.now)
        names = cluster.nodes
        self.by_name = np.array(sorted(range(len(names)), key=names.__getitem__), dtype=np.int32)
        self.rank = np.argsort(self.by_name)
        self.urgency = (cluster.priority * (0 if arrival_order else -1)).tolist()
        #: When pods came, or came again, to the queue, and when they started: higher is later.
        self.came = list(range(cluster.num_pods))
        self.started = np.arange(cluster.num_pods)
        self.clock = itertools.count(cluster.num_pods)
        self.left = [budget.allowed for budget in cluster.budgets]
        # Pods that wait from the start are no disruption when they are preempted.
        self.budget: dict[int, int] = {}
        for number, budget in enumerate(cluster.budgets):
            running = budget.pods[cluster.running[budget.pods]]
            self.budget.update(dict.fromkeys(running.tolist(), number))

    def run(self, stop: threading.Event | None) -> IntArray:
        """Try pods until none can be placed; where each is then."""
        pending = np.flatnonzero(~self.cluster.running & ~self.cluster.is_held).tolist()
        queue = sorted(map(self._entry, pending))
        while queue:
            failed, placed, freed = list[int](), False, False
            while queue:
                if stop is not None and stop.is_set():
                    return self.now.node
                pod = heapq.heappop(queue)[-1]
                at = np.flatnonzero(self.now.feasible(pod)).astype(np.int32)
                if len(at):
                    self._bind(pod, self._best(pod, at))
                    placed = True
                    continue
                victims = self._preempt(pod) if self.preemption else []
                failed += [] if victims else [pod]
                placed, freed = placed or bool(victims), freed or bool(victims)
                for victim in victims:
                    self.came[victim] = next(self.clock)
                    heapq.heappush(queue, self._entry(victim))
            again = failed if freed else [pod for pod in failed if self.now.has_rules(pod)]
            queue = sorted(map(self._entry, again if placed else ()))
        return self.now.node

    def _entry(self, pod: int) -> tuple[int, int, int]:
        """*pod*, the last, behind what decides when its turn is."""
        return self.urgency[pod], self.came[pod], pod

    def _best(self, pod: int, at: IntArray) -> int:
        """Node of *at* with the highest score, of these the first by name."""
        if len(at) > 1:
            score = self.scores.of(pod, at)
            at = at[score == score.max()]
        return int(at[np.argmin(self.rank[at])])

    def _bind(self, pod: int, node: int) -> None:
        self.now.place(pod, node)
        self.started[pod] = next(self.clock)
        self.scores.shift(pod, node, 1)

    def _preempt(self, pod: int) -> list[int]:
        """Evict from the best node what keeps *pod* from it, and bind it there; the victims."""
        cluster, now = self.cluster, self.now
        if not cluster.preempts[pod]:
            return []
        lower = (now.node >= 0) & (cluster.priority < cluster.priority[pod]) & ~cluster.is_held
        pods = np.flatnonzero(lower)
        # Node after node, more important pods first: higher priority, then earlier start.
        pods = pods[np.lexsort((self.started[pods], -cluster.priority[pods], now.node[pods]))]
        start = np.searchsorted(now.node[pods], np.arange(cluster.num_nodes + 1))
        room = now.free.copy()
        np.add.at(room, now.node[pods], cluster.request[pods])
        need = cluster.request[pod]
        # Of the nodes that preemption may help, not of all.
        possible = ((cluster.allocatable >= need) | (need == 0)).all(axis=1)
        possible &= cluster.allowed[cluster.profile[pod]]
        most = max(_LEAST_CANDIDATES, int(possible.sum()) // 10)
        good = ((room >= need) | (need == 0)).all(axis=1) & (np.diff(start) > 0)
        good &= possible
        found: list[tuple[tuple[int, ...], int, list[int]]] = []
        for node in self.by_name[good[self.by_name]].tolist():
            victims = self._victims(pod, node, pods[start[node] : start[node + 1]].tolist())
            if victims:
                found.append((self._harm(victims), node, victims))
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

    def _harm(self, victims: list[int]) -> tuple[int, ...]:
        """What makes a node with these *victims* a worse candidate, most weighty first."""
        importance = [priority + _SHIFT for priority in self.cluster.priority[victims].tolist()]
        worst = max(importance)
        # An earlier start means more work lost; only the pods of highest priority are asked.
        started = self.started[victims].tolist()
        first = min(at for at, mine in zip(started, importance, strict=True) if mine == worst)
        return worst, sum(importance), len(victims), -first

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
