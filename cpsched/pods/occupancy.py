"""A cluster at one moment: what runs where, and which nodes would take one more pod.

The filters are those of the Kubernetes scheduler (kubernetes/kubernetes, ``noderesources/fit.go``,
``interpodaffinity/filtering.go``, ``podtopologyspread/filtering.go``), asked of all nodes at once.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Protocol

import numpy as np

from cpsched.pods.instance import PENDING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cpsched.pods.instance import (
        Affinity,
        BoolArray,
        Cluster,
        Conflict,
        IntArray,
        LongArray,
        Spread,
    )

#: What a pod is to a rule: who is asked (holder), who is counted (target); it may be both.
_HOLDER, _TARGET = 1, 2

_ALL = slice(None)


class _Rule(Protocol):
    """Counts of one rule per domain; the pod that is asked about is not among them."""

    reason: str

    def refused(self, role: int, at: slice | int) -> BoolArray:
        """Nodes of *at* that the rule forbids to a pod of *role*."""
        ...

    def shift(self, role: int, node: int, by: int) -> None:
        """A pod of *role* came to *node* (by = 1) or left it (by = -1)."""
        ...


def _count(domain: IntArray, members: IntArray, node: IntArray) -> LongArray:
    """Members per domain; one more entry, always 0, is what the domain -1 points to."""
    at = node[members]
    found = domain[at[at >= 0]]
    return np.bincount(found[found >= 0], minlength=int(domain.max()) + 2).astype(np.int64)


def _named(kind: str, name: str) -> str:
    """*name* of a rule, behind its *kind* unless it says that itself, as those of snapshots do."""
    speaks = name.startswith((kind, "anti-affinity ", "host port "))
    return name if speaks else f"{kind} {name}"


class _Apart:
    """Required anti-affinity, both ways."""

    def __init__(self, rule: Conflict, node: IntArray) -> None:
        self.reason = _named("conflict", rule.name)
        self.domain = rule.domain
        self.holders = _count(rule.domain, rule.holders, node)
        self.targets = _count(rule.domain, rule.targets, node)

    def refused(self, role: int, at: slice | int) -> BoolArray:
        met = np.zeros(len(self.holders), dtype=np.bool_)
        if role & _HOLDER:
            met |= self.targets > 0
        if role & _TARGET:
            met |= self.holders > 0
        return np.asarray(met[self.domain[at]])

    def shift(self, role: int, node: int, by: int) -> None:
        domain = self.domain[node]
        if domain >= 0:
            self.holders[domain] += by * (role & _HOLDER > 0)
            self.targets[domain] += by * (role & _TARGET > 0)


class _Together:
    """Required affinity, with the exception for the first pod of a group."""

    def __init__(self, rule: Affinity, node: IntArray) -> None:
        self.reason = _named("affinity", rule.name)
        self.domains = rule.domains
        self.counts = [_count(domain, rule.targets, node) for domain in rule.domains]
        #: Nodes that have one of the labels: a target elsewhere is not seen at all.
        self.seen: BoolArray = np.asarray((rule.domains >= 0).any(axis=0))
        at = node[rule.targets]
        self.total = int(self.seen[at[at >= 0]].sum())

    def refused(self, role: int, at: slice | int) -> BoolArray:
        bad = np.zeros(self.domains.shape[1], dtype=np.bool_)[at]
        if not role & _HOLDER:
            return np.asarray(bad)
        first = not self.total and role & _TARGET
        for domain, count in zip(self.domains, self.counts, strict=True):
            # The entry of domain -1 is 0, so where the label is missing nothing is met.
            bad = bad | (domain[at] < 0 if first else count[domain[at]] == 0)
        return np.asarray(bad)

    def shift(self, role: int, node: int, by: int) -> None:
        if role & _TARGET:
            self.total += by * bool(self.seen[node])
            for domain, count in zip(self.domains, self.counts, strict=True):
                if domain[node] >= 0:
                    count[domain[node]] += by


class _Evenly:
    """Topology spread; the pod counts itself where it is counted."""

    def __init__(self, rule: Spread, node: IntArray) -> None:
        self.reason = _named("spread", rule.name)
        self.domain = rule.domain
        self.counts = _count(rule.domain, rule.counted, node)
        self.domains = np.unique(rule.domain[rule.domain >= 0])
        self.enough = len(self.domains) >= rule.min_domains
        self.skew = rule.max_skew

    def refused(self, role: int, at: slice | int) -> BoolArray:
        if not role & _HOLDER:
            return np.asarray(np.zeros(len(self.domain), dtype=np.bool_)[at])
        least = int(self.counts[self.domains].min()) if self.enough and len(self.domains) else 0
        bad = self.counts + (role & _TARGET > 0) - least > self.skew
        bad[-1] = True
        return np.asarray(bad[self.domain[at]])

    def shift(self, role: int, node: int, by: int) -> None:
        domain = self.domain[node]
        if domain >= 0 and role & _TARGET:
            self.counts[domain] += by


class Occupancy:
    """Where pods are at one moment, what is free, which nodes take one more pod.

    Counts of a rule are made when a pod of it is first asked about, and follow each change.

    Parameters
    ----------
    cluster
        The cluster.
    node
        Shape (num_pods,): node of each pod, -1 for none; by default where they run now.

    Attributes
    ----------
    node
        Shape (num_pods,): node of each pod at this moment. To be changed by ``place``, ``remove``.
    free
        Shape (num_nodes, num_resources): allocatable less requested; negative where a node runs
        more than it has. To be read only.
    """

    node: IntArray
    free: LongArray

    def __init__(self, cluster: Cluster, node: IntArray | None = None) -> None:
        self.cluster = cluster
        self.node = np.array(cluster.node if node is None else node, dtype=np.int32)
        usage = cluster.usage if node is None else cluster.usage_of(self.node)
        # One row for each resource, so that a comparison runs over adjacent numbers.
        self._rows = np.ascontiguousarray((cluster.allocatable - usage).T)
        self.free = self._rows.T
        self._rules = (*cluster.conflicts, *cluster.affinities, *cluster.spreads)
        self._made: list[_Rule | None] = [None] * len(self._rules)
        self._index()

    def _index(self) -> None:
        """Rules of each pod and its role in each, pod after pod."""
        cluster = self.cluster
        sides = [(rule.holders, rule.targets) for rule in cluster.conflicts]
        sides += [(rule.holders, rule.targets) for rule in cluster.affinities]
        sides += [(rule.holders, rule.counted) for rule in cluster.spreads]
        keys = [np.empty(0, dtype=np.int64)]
        roles = [np.empty(0, dtype=np.int8)]
        for number, both in enumerate(sides):
            for role, members in zip((_HOLDER, _TARGET), both, strict=True):
                keys.append(members.astype(np.int64) * len(sides) + number)
                roles.append(np.full(len(members), role, dtype=np.int8))
        key, role_of = np.concatenate(keys), np.concatenate(roles)
        order = np.argsort(key, kind="stable")
        key, first = np.unique(key[order], return_index=True)
        role_of = role_of[order]
        self._role = np.bitwise_or.reduceat(role_of, first) if len(first) else role_of
        pods, self._rule_of = np.divmod(key, max(1, len(sides)))
        self._start = np.searchsorted(pods, np.arange(cluster.num_pods + 1))

    def _entries(self, pod: int, *, make: bool) -> Iterator[tuple[_Rule, int]]:
        """Rules of *pod* and its role in each; without make those only that have counts."""
        for entry in range(self._start[pod], self._start[pod + 1]):
            number = self._rule_of[entry]
            made = self._made[number]
            if made is None and make:
                made = self._made[number] = self._make(number)
            if made is not None:
                yield made, int(self._role[entry])

    def _make(self, number: int) -> _Rule:
        conflicts, affinities = self.cluster.conflicts, self.cluster.affinities
        if number < len(conflicts):
            return _Apart(conflicts[number], self.node)
        number -= len(conflicts)
        if number < len(affinities):
            return _Together(affinities[number], self.node)
        return _Evenly(self.cluster.spreads[number - len(affinities)], self.node)

    def has_rules(self, pod: int) -> bool:
        """Whether a rule between pods concerns *pod*."""
        return bool(self._start[pod] < self._start[pod + 1])

    def fits(self, pod: int) -> BoolArray:
        """Shape (num_nodes,): nodes that are allowed and have room; other rules unasked.

        A resource that the pod does not request is not looked at, however over-committed.
        """
        cluster = self.cluster
        good: BoolArray = cluster.allowed[cluster.profile[pod]].copy()
        for row, need in zip(self._rows, cluster.request[pod].tolist(), strict=True):
            if need > 0:
                good &= row >= need
        return good

    def feasible(self, pod: int) -> BoolArray:
        """Shape (num_nodes,): nodes that would take *pod* now.

        Raises ValueError if *pod* is on a node: it would stand in its own way.
        """
        if self.node[pod] >= 0:
            raise ValueError(f"pod {self.cluster.pods[pod]} is on a node: remove it first")
        good = self.fits(pod)
        for rule, role in self._entries(pod, make=True):
            good &= ~rule.refused(role, _ALL)
        return good

    def accepts(self, pod: int, node: int) -> bool:
        """Whether *node* would take *pod*, which is on no node, now."""
        cluster = self.cluster
        need = cluster.request[pod]
        if not cluster.allowed[cluster.profile[pod], node]:
            return False
        if ((need > self._rows[:, node]) & (need > 0)).any():
            return False
        return not any(rule.refused(role, node) for rule, role in self._entries(pod, make=True))

    def place(self, pod: int, node: int) -> None:
        """Put *pod* on *node* unasked; ValueError if it is on one, or there is no such node."""
        if self.node[pod] >= 0:
            raise ValueError(f"pod {self.cluster.pods[pod]} is on a node: remove it first")
        if not 0 <= node < self.cluster.num_nodes:
            raise ValueError(f"there is no node {node}")
        self._shift(pod, node, 1)
        self.node[pod] = node

    def remove(self, pod: int) -> None:
        """Take *pod* from its node; ValueError if it is on none."""
        node = int(self.node[pod])
        if node < 0:
            raise ValueError(f"pod {self.cluster.pods[pod]} is on no node")
        self._shift(pod, node, -1)
        self.node[pod] = PENDING

    def _shift(self, pod: int, node: int, by: int) -> None:
        self._rows[:, node] -= by * self.cluster.request[pod]
        # Counts that are not made yet will be made from where pods are then.
        for rule, role in self._entries(pod, make=False):
            rule.shift(role, node, by)

    def blocked(self, pod: int) -> str:
        """Why no node takes *pod*, with the number of nodes for each reason; empty if one does.

        As the scheduler does, it names for each node the filter that refuses it first, but every
        resource that is short there.
        """
        if self.feasible(pod).any():
            return ""
        cluster = self.cluster
        left = cluster.allowed[cluster.profile[pod]].copy()
        found = Counter({"not allowed by selector, affinity, taint or cordon": int((~left).sum())})
        short = np.zeros_like(left)
        needs = cluster.request[pod].tolist()
        for name, row, need in zip(cluster.resources, self._rows, needs, strict=True):
            lacking = left & (row < need) & (need > 0)
            found[f"insufficient {name}"] += int(lacking.sum())
            short |= lacking
        left &= ~short
        for rule, role in self._entries(pod, make=True):
            refused = left & rule.refused(role, _ALL)
            found[rule.reason] += int(refused.sum())
            left &= ~refused
        reasons = ", ".join(f"{count} {reason}" for reason, count in found.most_common() if count)
        return f"0 of {cluster.num_nodes} nodes: {reasons}"
