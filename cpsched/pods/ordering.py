"""In which order pods leave and start, so that every step is allowed when its turn comes.

First greedily: a pod leaves and starts at once, into room that is free already, the most
important first. Who waits for whom is a graph; where it has a cycle, the least important pod of
it is evicted early and bound later. Rules that tie pods (affinity, spread) can make that fail: a
bounded search over all orders follows.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from cpsched.pods.moment import Moment
from cpsched.pods.steps import Action, NoPlanError, Plan, Step

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cpsched.pods.instance import Cluster, LongArray
    from cpsched.pods.solution import Placement

#: Questions whether a pod could start somewhere that the search over all orders may ask.
MAX_QUESTIONS = 20_000

#: Pods of a cycle that are tried as the one to be evicted early.
MAX_CANDIDATES = 32


def make_plan(cluster: Cluster, placement: Placement) -> Plan:
    """Ordered evictions and bindings that lead from where pods are to *placement*.

    No arrival ever over-commits a node, each passes the filters of the scheduler at its moment,
    and every pod is evicted once at most, so that no disruption budget is exceeded on the way if
    it is not in the end. Deterministic.

    Raises
    ------
    NoPlanError
        If a pod that changes is held, a budget is exceeded, or no order was found; the message
        says whether all orders were tried.
    """
    _admissible(cluster, placement)
    for evict_first in (False, True):
        order = _Order(cluster, placement)
        if order.greedy(evict_first=evict_first):
            return Plan(tuple(order.steps))
    # Those that could not start even when all that changes had left.
    stuck = sorted(order.target)
    order = _Order(cluster, placement)
    if order.search():
        return Plan(tuple(order.steps))
    names = ", ".join(cluster.pods[pod] for pod in stuck[:5])
    more = f" and {len(stuck) - 5} more" if len(stuck) > 5 else ""
    tried = "no order exists" if order.questions < MAX_QUESTIONS else "no order was found"
    raise NoPlanError(f"{tried} in which {names}{more} could start within the rules")


def _admissible(cluster: Cluster, placement: Placement) -> None:
    changed = placement.node != cluster.node
    for pod in np.flatnonzero(changed & cluster.is_held)[:1].tolist():
        raise NoPlanError(f"pod {cluster.pods[pod]} may not change: {cluster.held[pod]}")
    for budget in cluster.budgets:
        used = int((changed & cluster.running)[budget.pods].sum())
        if used > budget.allowed:
            raise NoPlanError(f"budget {budget.name} allows {budget.allowed}, not {used}")


class _Order:
    """A plan in the making: *steps* so far, *target* of pods that wait, *leaving* for good."""

    def __init__(self, cluster: Cluster, placement: Placement) -> None:
        self.cluster = cluster
        changed = np.flatnonzero(placement.node != cluster.node).tolist()
        self.changed = changed
        self.goal = placement.node
        self.moment = Moment(cluster, set(changed))
        self.steps: list[Step] = []
        self.questions = 0
        self.target = {p: int(placement.node[p]) for p in changed if placement.node[p] >= 0}
        self.leaving: dict[int, list[int]] = defaultdict(list)
        # Least important last, so that they are the first to be popped.
        for pod in sorted((p for p in changed if placement.node[p] < 0), key=self._worth)[::-1]:
            self.leaving[int(cluster.node[pod])].append(pod)
        self.parked: dict[int, list[int]] = defaultdict(list)

    def greedy(self, *, evict_first: bool) -> bool:
        """Plan without looking back; evict_first: all that changes leaves before any starts."""
        if evict_first:
            for pod in sorted(self._movers(), key=self._worth):
                self._evict(pod, self._moves(pod))
            self._leave_all()
        ready = [self._urgency(pod) for pod in self.target]
        heapq.heapify(ready)
        refused: list[int] = []
        progress = False
        while self.target:
            while ready:
                pod = heapq.heappop(ready)[-1]
                if pod not in self.target:
                    continue
                node = self.target[pod]
                if not self.moment.fits(pod, node):
                    self.parked[node].append(pod)
                elif not self.moment.accepts(pod, node):  # fits, so a rule is against it
                    refused.append(pod)
                else:
                    self._move(pod, ready)
                    progress = True
            if not (progress and refused):
                if not self.target:
                    break
                if not self._make_room(ready):
                    return False
            for pod in refused:
                heapq.heappush(ready, self._urgency(pod))
            refused, progress = [], False
        self._leave_all()
        return True

    def _move(self, pod: int, ready: list[tuple[int, bool, int]]) -> None:
        source = int(self.moment.node[pod])
        if source >= 0:
            self._evict(pod, self._moves(pod))
            self._wake(source, ready)
        self._bind(pod)

    def _wake(self, node: int, ready: list[tuple[int, bool, int]]) -> None:
        for pod in self.parked.pop(node, ()):
            heapq.heappush(ready, self._urgency(pod))

    def _make_room(self, ready: list[tuple[int, bool, int]]) -> bool:
        """One eviction that no pod can start without; False if there is none left to do."""
        cluster, moment = self.cluster, self.moment
        waiting = np.fromiter(self.target, np.int64, len(self.target))
        waiting = waiting[
            np.lexsort((waiting, moment.node[waiting] < 0, -cluster.priority[waiting]))
        ]
        goal = self.goal[waiting]
        left = np.zeros(cluster.num_nodes, dtype=np.bool_)
        left[[node for node, pods in self.leaving.items() if pods]] = True
        for pod in waiting[left[goal]][:1].tolist():
            node = int(self.goal[pod])
            self._evict(self.leaving[node].pop(), self._room(pod))
            self._wake(node, ready)
            return True
        if left.any():
            node = min(np.flatnonzero(left).tolist(), key=lambda node: cluster.nodes[node])
            self._evict(self.leaving[node].pop(), "left without a place")
            self._wake(node, ready)
            return True
        movers = waiting[moment.node[waiting] >= 0]
        if not len(movers):
            return False
        order = np.lexsort((movers, cluster.move_cost[movers], cluster.priority[movers]))
        pod, helped = self._cycle_breaker(movers[order], waiting)
        node = int(moment.node[pod])
        self._evict(pod, self._room(helped))
        self._wake(node, ready)
        heapq.heappush(ready, self._urgency(pod))
        return True

    def _cycle_breaker(self, movers: LongArray, waiting: LongArray) -> tuple[int, int]:
        """The least important pod on a cycle whose leaving lets another one start, and that.

        movers: least important first; waiting: most urgent first.
        """
        moment = self.moment
        size = self.cluster.num_nodes
        leads: dict[int, list[int]] = {}
        for edge in np.unique(moment.node[movers].astype(np.int64) * size + self.goal[movers]):
            source, node = divmod(int(edge), size)
            leads.setdefault(source, []).append(node)
        goal = self.goal[waiting]
        chosen: list[tuple[int, int]] = []
        for pod in movers.tolist():
            node = int(moment.node[pod])
            wanted = waiting[goal == node]
            others = [
                other for other in (wanted if len(wanted) else waiting).tolist() if other != pod
            ]
            if not others or not _reaches(leads, int(self.goal[pod]), node):
                continue
            chosen.append((pod, others[0]))
            moment.remove(pod)
            helped = next((p for p in others if moment.accepts(p, int(self.goal[p]))), None)
            moment.place(pod, node)
            if helped is not None:
                return pod, helped
            if len(chosen) == MAX_CANDIDATES:
                break
        # No cycle of room: a rule waits for somebody to leave, or several have to.
        return chosen[0] if chosen else (int(movers[0]), int(waiting[0]))

    def search(self) -> bool:
        """Depth-first search over all orders of evictions and bindings; bounded."""
        seen: set[bytes] = set()
        stack = [self._choices()]
        leaving = {pod for pods in self.leaving.values() for pod in pods}
        while True:
            choice = next(stack[-1], None)
            if choice is None:
                stack.pop()
                if not stack:
                    return False
                self._undo()
                continue
            if self.moment.node[choice] >= 0:
                gone = choice in leaving
                self._evict(choice, "left without a place" if gone else self._moves(choice))
            else:
                self._bind(choice)
            if not self.target:
                self.leaving = {
                    node: [pod for pod in pods if self.moment.node[pod] >= 0]
                    for node, pods in self.leaving.items()
                }
                self._leave_all()
                return True
            if self.questions >= MAX_QUESTIONS:
                return False
            state = self.moment.node[self.changed].tobytes()
            stack.append(iter(()) if state in seen else self._choices())
            seen.add(state)

    def _choices(self) -> Iterator[int]:
        """Pods that can start now, then pods that can leave, the most helpful first."""
        waiting = sorted(self.target, key=self._urgency)
        for pod in waiting:
            if self.moment.node[pod] < 0:
                self.questions += 1
                if self.moment.accepts(pod, self.target[pod]):
                    yield pod
        going = [pod for pods in self.leaving.values() for pod in pods]
        for pod in sorted([*going, *self._movers()], key=self._worth):
            if self.moment.node[pod] >= 0:
                self.questions += 1
                yield pod

    def _undo(self) -> None:
        step = self.steps.pop()
        if step.action is Action.BIND:
            self.moment.remove(step.pod)
            self.target[step.pod] = step.node
        else:
            self.moment.place(step.pod, step.node)

    def _movers(self) -> list[int]:
        return [pod for pod in self.target if self.moment.node[pod] >= 0]

    def _leave_all(self) -> None:
        rest = [pod for pods in self.leaving.values() for pod in pods]
        for pod in sorted(rest, key=self._worth):
            self._evict(pod, "left without a place")
        self.leaving = defaultdict(list)

    def _evict(self, pod: int, reason: str) -> None:
        costs = self.cluster.move_cost if pod in self.target else self.cluster.evict_cost
        node = int(self.moment.node[pod])
        self.moment.remove(pod)
        self.steps.append(Step(Action.EVICT, pod, node, reason, int(costs[pod])))

    def _bind(self, pod: int) -> None:
        node, source = self.target.pop(pod), int(self.cluster.node[pod])
        self.moment.place(pod, node)
        if source < 0:
            step = Step(Action.BIND, pod, node, "was pending")
        else:
            reason = f"moves from {self.cluster.nodes[source]}"
            step = Step(Action.BIND, pod, node, reason, source=source)
        self.steps.append(step)

    def _moves(self, pod: int) -> str:
        return f"moves to {self.cluster.nodes[self.target[pod]]}"

    def _room(self, pod: int) -> str:
        return f"makes room for {self.cluster.pods[pod]}"

    def _urgency(self, pod: int) -> tuple[int, bool, int]:
        """Most important first; among equals those that free a node before those that do not."""
        return -int(self.cluster.priority[pod]), bool(self.moment.node[pod] < 0), pod

    def _worth(self, pod: int) -> tuple[int, int, int]:
        """Least important and cheapest to disrupt first."""
        return int(self.cluster.priority[pod]), int(self.cluster.move_cost[pod]), pod


def _reaches(leads: dict[int, list[int]], start: int, goal: int) -> bool:
    seen, stack = {start}, [start]
    while stack:
        node = stack.pop()
        if node == goal:
            return True
        for other in leads.get(node, ()):
            if other not in seen:
                seen.add(other)
                stack.append(other)
    return False
