"""The rules of pod packing as constraints, one function per family, the contents at the end.

Those of whole domains and of Never pods have modules of their own. All say of the final state what
``cpsched.pods.check`` says; the way there is the plan's affair.
What stays is let be: rules are asked of arrivals, pods on a node where they do not run now.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cpsched.pods.domains import by_domain, held_in
from cpsched.pods.never import never
from cpsched.pods.topology import affinities, spreads

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cpsched.pods.variables import Variables


def one_place(v: Variables) -> None:
    """A pod is on at most one node."""
    for pairs in v.of_pod:
        if len(pairs) > 1:
            v.model.add_at_most_one(v.literals(pairs))


def capacity(v: Variables) -> None:
    """Nodes hold what they have; one that runs more accepts nothing of it until it has room."""
    cluster = v.cluster
    fixed = np.where(cluster.is_held, cluster.node, -1).astype(np.int32)
    room = cluster.allocatable - cluster.usage_of(fixed)
    for node, there in enumerate(v.at_node):
        request = cluster.request[v.pod[there]]
        for resource in np.flatnonzero(request.sum(axis=0) > room[node]).tolist():
            amounts = request[:, resource]
            pairs = [pair for pair, need in zip(there, amounts, strict=True) if need]
            if not pairs:
                continue
            needs = amounts[amounts > 0].tolist()
            free = int(room[node, resource])
            staying = sum(need for pair, need in zip(pairs, needs, strict=True) if v.stays[pair])
            if staying <= free:
                v.model.add(v.total(pairs, needs) <= free)
                continue
            arriving = [pair for pair in pairs if not v.stays[pair]]
            if free < 0:
                v.forbid(arriving)
            elif (opened := v.any(arriving)) is not None:
                v.model.add(v.total(pairs, needs) + (staying - free) * opened <= staying)
                # Follows, and lets propagation see what the first arrival finds no room for.
                need = dict(zip(pairs, needs, strict=True))
                there_now = [pair for pair in pairs if v.stays[pair]]
                for pair in arriving:
                    least = need[pair] + staying - free
                    weights = [*(need[one] for one in there_now), least]
                    v.model.add(v.total([*there_now, pair], weights) <= staying)


def conflicts(v: Variables) -> None:
    """No arrival shares a domain with a pod it conflicts with, from either side."""
    for rule in v.cluster.conflicts:
        both = np.intersect1d(rule.holders, rule.targets)
        holders, targets = np.setdiff1d(rule.holders, both), np.setdiff1d(rule.targets, both)
        at = by_domain(v, rule.domain, np.union1d(rule.holders, rule.targets))
        settled = held_in(v, rule.domain)
        for domain, pairs in at.items():
            here = settled.get(domain, set())
            sides = [
                _Side(v, pairs, here, set(side.tolist())) for side in (holders, targets, both)
            ]
            for k, one in enumerate(sides):
                for other in sides[:k]:
                    one.excludes(other)
            sides[2].is_alone()


class _Side:
    """Pods of one side of a conflict in one domain: those that arrive, stay, are held."""

    def __init__(
        self, v: Variables, pairs: Iterable[int], held: set[int], members: set[int]
    ) -> None:
        self.v = v
        mine = [pair for pair in pairs if int(v.pod[pair]) in members]
        self.arriving = [pair for pair in mine if not v.stays[pair]]
        self.staying = [pair for pair in mine if v.stays[pair]]
        self.held = bool(held & members)

    def excludes(self, other: _Side) -> None:
        """No pair of one of mine and one of the other's, unless both stay."""
        for one, two in ((self, other), (other, self)):
            arrives = self.v.any(one.arriving)
            if arrives is None:
                continue
            if two.held:
                self.v.forbid(one.arriving)
            if (stays := self.v.any(two.staying)) is not None:
                self.v.model.add_implication(arrives, ~stays)
        mine, others = self.v.any(self.arriving), self.v.any(other.arriving)
        if mine is not None and others is not None:
            self.v.model.add_implication(mine, ~others)

    def is_alone(self) -> None:
        """At most one of mine, unless all stay."""
        arriving = self.v.literals(self.arriving)
        if self.held:
            self.v.forbid(self.arriving)
            return
        for stays in self.v.literals(self.staying) if arriving else []:
            self.v.model.add_at_most_one([stays, *arriving])
        if not self.staying and len(arriving) > 1:
            self.v.model.add_at_most_one(arriving)


def budgets(v: Variables) -> None:
    """No more pods of a budget are moved or evicted than it allows."""
    for budget in v.cluster.budgets:
        stay = [pair for pod in budget.pods.tolist() for pair in v.stay(pod)]
        if len(stay) > budget.allowed:
            v.model.add(v.total(stay, [1] * len(stay)) >= len(stay) - budget.allowed)


#: Every family of constraints.
CONSTRAINTS = (one_place, capacity, conflicts, affinities, spreads, budgets, never)
