"""A cluster at one moment while a plan is made: what an arriving pod would be refused for.

Only pods that change their node are asked, so only rules with such pods are kept, as counts per
domain that follow each step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from cpsched.pods.instance import Affinity, BoolArray, Cluster, Conflict, IntArray, Spread


class _Rule(Protocol):
    """Counts of one rule; the pod that is asked about runs nowhere."""

    def refuses(self, pod: int, node: int) -> bool: ...

    def shift(self, pod: int, node: int, by: int) -> None: ...


def _count(domain: IntArray, members: IntArray, node: IntArray) -> list[int]:
    at = node[members]
    found = domain[at[at >= 0]]
    counts: list[int] = np.bincount(found[found >= 0], minlength=len(domain)).tolist()
    return counts


class _Apart:
    def __init__(self, rule: Conflict, node: IntArray, changed: set[int]) -> None:
        self.domain = rule.domain
        self.holders = changed.intersection(rule.holders.tolist())
        self.targets = changed.intersection(rule.targets.tolist())
        self.repelling = _count(rule.domain, rule.holders, node)
        self.repelled = _count(rule.domain, rule.targets, node)

    def refuses(self, pod: int, node: int) -> bool:
        domain = int(self.domain[node])
        if domain < 0:
            return False
        if pod in self.holders and self.repelled[domain]:
            return True
        return pod in self.targets and self.repelling[domain] > 0

    def shift(self, pod: int, node: int, by: int) -> None:
        domain = int(self.domain[node])
        if domain >= 0:
            self.repelling[domain] += by * (pod in self.holders)
            self.repelled[domain] += by * (pod in self.targets)


class _Together:
    def __init__(self, rule: Affinity, node: IntArray, changed: set[int]) -> None:
        self.domains = list(rule.domains)
        self.holders = changed.intersection(rule.holders.tolist())
        self.targets = changed.intersection(rule.targets.tolist())
        self.counts = [_count(domain, rule.targets, node) for domain in rule.domains]
        self.seen: BoolArray = np.asarray((rule.domains >= 0).any(axis=0))
        at = node[rule.targets]
        self.total = int(self.seen[at[at >= 0]].sum())

    def refuses(self, pod: int, node: int) -> bool:
        if pod not in self.holders:
            return False
        at = [int(domain[node]) for domain in self.domains]
        if min(at, default=0) < 0:
            return True
        if not self.total and pod in self.targets:
            return False
        return not all(count[domain] for count, domain in zip(self.counts, at, strict=True))

    def shift(self, pod: int, node: int, by: int) -> None:
        if pod in self.targets:
            self.total += by * bool(self.seen[node])
            for count, domain in zip(self.counts, self.domains, strict=True):
                if domain[node] >= 0:
                    count[domain[node]] += by


class _Evenly:
    def __init__(self, rule: Spread, node: IntArray, changed: set[int]) -> None:
        self.domain = rule.domain
        self.holders = changed.intersection(rule.holders.tolist())
        self.counted = changed.intersection(rule.counted.tolist())
        self.domains = np.unique(rule.domain[rule.domain >= 0])
        self.enough = len(self.domains) >= rule.min_domains
        self.skew = rule.max_skew
        self.counts = np.array(_count(rule.domain, rule.counted, node))

    def refuses(self, pod: int, node: int) -> bool:
        if pod not in self.holders:
            return False
        domain = int(self.domain[node])
        if domain < 0:
            return True
        least = int(self.counts[self.domains].min()) if self.enough else 0
        return bool(self.counts[domain] + (pod in self.counted) - least > self.skew)

    def shift(self, pod: int, node: int, by: int) -> None:
        domain = int(self.domain[node])
        if domain >= 0 and pod in self.counted:
            self.counts[domain] += by


class Moment:
    """Where the *changed* pods are now, and what would keep one from a node.

    node: current node of each pod, shape (num_pods,), -1 for none.
    """

    def __init__(self, cluster: Cluster, changed: set[int]) -> None:
        self.cluster = cluster
        self.node = cluster.node.copy()
        self.free = cluster.allocatable - cluster.usage
        chosen = np.zeros(cluster.num_pods, dtype=np.bool_)
        chosen[list(changed)] = True
        self.rules: dict[int, list[_Rule]] = {}

        def keep(rule: _Rule, *members: IntArray) -> None:
            for pod in {pod for side in members for pod in side[chosen[side]].tolist()}:
                self.rules.setdefault(pod, []).append(rule)

        # A rule none of whose changed pods can be refused needs no counts.
        for conflict in cluster.conflicts:
            if chosen[conflict.holders].any() or chosen[conflict.targets].any():
                apart = _Apart(conflict, cluster.node, changed)
                keep(apart, conflict.holders, conflict.targets)
        for affinity in cluster.affinities:
            if chosen[affinity.holders].any():
                together = _Together(affinity, cluster.node, changed)
                keep(together, affinity.holders, affinity.targets)
        for spread in cluster.spreads:
            if chosen[spread.holders].any():
                evenly = _Evenly(spread, cluster.node, changed)
                keep(evenly, spread.holders, spread.counted)

    def fits(self, pod: int, node: int) -> bool:
        """Whether *node* is allowed for *pod* and has room for all that it requests."""
        cluster = self.cluster
        need = cluster.request[pod]
        if ((need > self.free[node]) & (need > 0)).any():
            return False
        return bool(cluster.allowed[cluster.profile[pod], node])

    def refuses(self, pod: int, node: int) -> bool:
        """Whether a rule keeps *pod*, which runs nowhere, from *node*."""
        return any(rule.refuses(pod, node) for rule in self.rules.get(pod, ()))

    def accepts(self, pod: int, node: int) -> bool:
        """Whether *pod* could start on *node* now, having left the node it runs on."""
        if not self.fits(pod, node):
            return False
        if pod not in self.rules:
            return True
        source = int(self.node[pod])
        if source < 0:
            return not self.refuses(pod, node)
        self.remove(pod)
        refused = self.refuses(pod, node)
        self.place(pod, source)
        return not refused

    def remove(self, pod: int) -> None:
        """Take *pod* from its node."""
        source = int(self.node[pod])
        self._shift(pod, source, -1)
        self.node[pod] = -1

    def place(self, pod: int, node: int) -> None:
        """Put *pod* on *node* unasked."""
        self._shift(pod, node, 1)
        self.node[pod] = node

    def _shift(self, pod: int, node: int, by: int) -> None:
        self.free[node] -= by * self.cluster.request[pod]
        for rule in self.rules.get(pod, ()):
            rule.shift(pod, node, by)
