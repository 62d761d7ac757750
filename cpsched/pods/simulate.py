"""Replay of a plan, step by step: every rule re-stated, nothing taken from the one who planned.

What an arriving pod is asked is what the filters of kube-scheduler ask (reference in
``cpsched.pods.instance``): each count is taken afresh from where the pods are at that moment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cpsched.pods.steps import Action, PlanError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cpsched.pods.instance import Affinity, Cluster, Conflict, IntArray, Spread
    from cpsched.pods.steps import Plan


def simulate(cluster: Cluster, plan: Plan) -> IntArray:
    """Node of each pod, shape (num_pods,), after *plan*.

    Raises
    ------
    PlanError
        If a step breaks a rule, naming the step and the rule.
    """
    replay = Replay(cluster, {step.pod for step in plan.steps})
    for number, step in enumerate(plan.steps, 1):
        if not (0 <= step.pod < cluster.num_pods and 0 <= step.node < cluster.num_nodes):
            raise PlanError(f"step {number}: no pod {step.pod} or no node {step.node}")
        problem = replay.attempt(step.action, step.pod, step.node)
        if problem:
            name, node = cluster.pods[step.pod], cluster.nodes[step.node]
            raise PlanError(f"step {number} ({step.action} {name}, node {node}): {problem}")
    return replay.node


class Replay:
    """Where pods are at one moment, and what is wrong with the next step.

    touched: pods that steps will name; rules of other pods are not looked up.
    """

    def __init__(self, cluster: Cluster, touched: set[int]) -> None:
        self.cluster = cluster
        self.node = cluster.node.copy()
        self.usage = cluster.usage.copy()
        self.disruptions = [0] * len(cluster.budgets)
        chosen = np.zeros(cluster.num_pods, dtype=np.bool_)
        chosen[[pod for pod in touched if 0 <= pod < cluster.num_pods]] = True

        def of_pod(members: Iterable[IntArray]) -> dict[int, list[int]]:
            rules: dict[int, list[int]] = {}
            for number, pods in enumerate(members):
                for pod in pods[chosen[pods]].tolist():
                    rules.setdefault(pod, []).append(number)
            return rules

        self.budgets = of_pod(rule.pods for rule in cluster.budgets)
        self.repels = of_pod(rule.holders for rule in cluster.conflicts)
        self.repelled = of_pod(rule.targets for rule in cluster.conflicts)
        self.joins = of_pod(rule.holders for rule in cluster.affinities)
        self.spreads = of_pod(rule.holders for rule in cluster.spreads)

    def attempt(self, action: Action, pod: int, node: int) -> str:
        """Do a step if no rule forbids it; the first that does in words, empty if it is done."""
        act = self.evict if action is Action.EVICT else self.bind
        # A step with a problem ends at its first sentence, before it changes where pods are.
        return next(act(pod, node), "")

    def evict(self, pod: int, node: int) -> Iterator[str]:
        """Take *pod* from *node*; what is wrong with that, if anything."""
        cluster = self.cluster
        if self.node[pod] != node:
            yield "the pod does not run there"
        if cluster.held[pod]:
            yield f"it may not be disrupted: {cluster.held[pod]}"
        for number in self.budgets.get(pod, ()):
            self.disruptions[number] += 1
            if self.disruptions[number] > cluster.budgets[number].allowed:
                yield f"budget {cluster.budgets[number].name} is used up"
        self.node[pod] = -1
        self.usage[node] -= cluster.request[pod]

    def bind(self, pod: int, node: int) -> Iterator[str]:
        """Start *pod* on *node*; what is wrong with that, if anything."""
        cluster = self.cluster
        need = cluster.request[pod]
        if self.node[pod] >= 0:
            yield f"the pod runs on {cluster.nodes[self.node[pod]]} already"
        if cluster.held[pod]:
            yield f"it may not be placed: {cluster.held[pod]}"
        if not cluster.allowed[cluster.profile[pod], node]:
            yield "the node is not allowed for it"
        short = np.flatnonzero((need > 0) & (self.usage[node] + need > cluster.allocatable[node]))
        for resource in short.tolist():
            yield f"there is not enough {cluster.resources[resource]}"
        for number in self.repels.get(pod, ()):
            rule = cluster.conflicts[number]
            yield from self._apart(rule, rule.targets, pod, node)
        for number in self.repelled.get(pod, ()):
            rule = cluster.conflicts[number]
            yield from self._apart(rule, rule.holders, pod, node)
        for number in self.joins.get(pod, ()):
            yield from self._together(cluster.affinities[number], pod, node)
        for number in self.spreads.get(pod, ()):
            yield from self._evenly(cluster.spreads[number], pod, node)
        self.node[pod] = node
        self.usage[node] += need

    def _apart(self, rule: Conflict, others: IntArray, pod: int, node: int) -> Iterator[str]:
        domain = rule.domain[node]
        there = others[(self.node[others] >= 0) & (others != pod)]
        there = there[rule.domain[self.node[there]] == domain]
        if domain >= 0 and len(there):
            yield f"{rule.name} keeps it from {self.cluster.pods[there[0]]}"

    def _together(self, rule: Affinity, pod: int, node: int) -> Iterator[str]:
        domains = rule.domains[:, node]
        targets = self.node[rule.targets]
        targets = targets[targets >= 0]
        # As in interpodaffinity/filtering.go: a node without any of the labels counts nothing.
        seen = (rule.domains[:, targets] >= 0).any()
        starts_group = not seen and bool(np.isin(pod, rule.targets))
        joined = (rule.domains[:, targets] == domains[:, None]).any(axis=1).all()
        if (domains < 0).any():
            yield f"the node is outside a topology of {rule.name}"
        elif not starts_group and not joined:
            yield f"{rule.name} finds no pod for it to join"

    def _evenly(self, rule: Spread, pod: int, node: int) -> Iterator[str]:
        domains = np.unique(rule.domain[rule.domain >= 0])
        there = self.node[rule.counted]
        found = rule.domain[there[there >= 0]]
        counts = np.bincount(found[found >= 0], minlength=self.cluster.num_nodes)
        least = counts[domains].min() if len(domains) >= max(1, rule.min_domains) else 0
        if rule.domain[node] < 0:
            yield f"the node is outside every domain of {rule.name}"
            return
        # As in podtopologyspread/filtering.go: matchNum + selfMatch - minMatchNum <= maxSkew.
        itself = int(np.isin(pod, rule.counted))
        if counts[rule.domain[node]] + itself - least > rule.max_skew:
            yield f"{rule.name} would be more than {rule.max_skew} apart"
