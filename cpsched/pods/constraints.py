"""The rules of pod packing as constraints, one function per family, the contents at the end.

They say of the final state what ``cpsched.pods.check`` says; the way there is the plan's affair.
What stays is let be: rules are asked of arrivals, pods on a node where they do not run now.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from ortools.sat.python import cp_model

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cpsched.pods.instance import Affinity, Conflict, IntArray, Spread
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
        at = _by_domain(v, rule.domain, np.union1d(rule.holders, rule.targets))
        settled = _held_in(v, rule.domain)
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


def affinities(v: Variables) -> None:
    """An arriving holder finds a target, or is of a group that starts in one domain."""
    for rule in v.cluster.affinities:
        arriving = [pair for pod in rule.holders.tolist() for pair in v.arrivals(pod)]
        for domain in rule.domains if arriving else []:
            _join(v, rule, domain, arriving)


def _join(v: Variables, rule: Affinity, domain: IntArray, arriving: list[int]) -> None:
    holders = set(rule.holders.tolist())
    at = _by_domain(v, domain, rule.targets, everywhere=True)
    held = v.cluster.is_held & v.cluster.running
    there = domain[v.cluster.node[rule.targets[held[rule.targets]]]]
    settled = set(there.tolist())
    present = {where: v.any(pairs) for where, pairs in at.items()}
    group = _one_domain(v, present, settled)
    come: dict[int, list[int]] = {}
    for pair in arriving:
        come.setdefault(int(domain[v.node[pair]]), []).append(pair)
    for where, pairs in come.items():
        if where in settled:
            continue
        first = [p for p in at.get(where, []) if v.stays[p] or int(v.pod[p]) not in holders]
        anchors = v.literals(first)
        if (arrives := v.any(pairs)) is None:
            continue
        for needed in (group, present.get(where)):
            v.model.add_bool_or([~arrives, *anchors, *([] if needed is None else [needed])])


def _one_domain(
    v: Variables, present: dict[int, cp_model.IntVar | None], settled: set[int]
) -> cp_model.IntVar | None:
    """Literal: all targets that are placed are in one domain; None if they cannot be.

    With a held target nobody starts a group: in its own domain, it is there to be joined.
    """
    if settled:
        return None
    known = [some for where, some in present.items() if where >= 0 and some is not None]
    lost = present.get(-1)
    indices, weights = [some.index for some in known], [1] * len(known)
    terms = list(known)
    if lost is not None:
        indices, weights, terms = [*indices, lost.index], [*weights, 2], [*terms, lost]
    index, weight = np.array(indices, np.intp), np.array(weights, np.int64)
    one = v.boolean(lambda values: int(values[index] @ weight <= 1))
    total = cp_model.LinearExpr.weighted_sum(terms, weights)
    most = max(1, sum(weights))
    v.model.add(total + (most - 1) * one <= most)
    v.model.add(total + 2 * one >= 2)
    return one


def spreads(v: Variables) -> None:
    """Where a holder comes to, a domain counts at most *max_skew* more than the least one."""
    for rule in v.cluster.spreads:
        at = _by_domain(v, rule.domain, np.array(rule.holders))
        come = {
            domain: v.any(pair for pair in pairs if not v.stays[pair])
            for domain, pairs in at.items()
        }
        if any(some is not None for some in come.values()):
            _even(v, rule, come)


def _even(v: Variables, rule: Spread, come: dict[int, cp_model.IntVar | None]) -> None:
    counted = _by_domain(v, rule.domain, rule.counted)
    members = set(rule.counted.tolist())
    held = {domain: len(pods & members) for domain, pods in _held_in(v, rule.domain).items()}
    domains = np.unique(rule.domain[rule.domain >= 0]).tolist()
    most = {
        domain: held.get(domain, 0) + len({int(v.pod[pair]) for pair in counted.get(domain, [])})
        for domain in domains
    }
    total = {
        domain: v.total(counted.get(domain, []), [1] * len(counted.get(domain, [])))
        + held.get(domain, 0)
        for domain in domains
    }
    least: cp_model.IntVar | int = 0
    if len(domains) >= rule.min_domains:
        parts = [
            (np.array(counted.get(domain, []), np.intp), held.get(domain, 0)) for domain in domains
        ]
        least = v.integer(
            0,
            max(1, min(most.values())),
            lambda values: min(int(values[pairs].sum()) + more for pairs, more in parts),
        )
        for domain in domains:
            v.model.add(least <= total[domain])
    for domain, some in come.items():
        slack = most[domain] - rule.max_skew
        if some is not None and slack > 0:
            v.model.add(total[domain] - least + slack * some <= rule.max_skew + slack)


def budgets(v: Variables) -> None:
    """No more pods of a budget are moved or evicted than it allows."""
    for budget in v.cluster.budgets:
        stay = [pair for pod in budget.pods.tolist() for pair in v.stay(pod)]
        if len(stay) > budget.allowed:
            v.model.add(v.total(stay, [1] * len(stay)) >= len(stay) - budget.allowed)


def never(v: Variables) -> None:
    """Arriving pods of ``preemptionPolicy: Never`` take room that is free now, and displace none.

    If the policy lets them cause moves, what moved pods leave is free, too.
    """
    cluster = v.cluster
    meek = ~cluster.running & ~cluster.preempts
    if not meek[v.pod].any():
        return
    room = cluster.allocatable - cluster.usage
    for node, there in enumerate(v.at_node):
        come = [pair for pair in there if meek[v.pod[pair]]]
        for resource in range(len(cluster.resources)):
            _modest(v, node, resource, come, int(room[node, resource]))
    for rule in cluster.conflicts:
        for mine, theirs in ((rule.holders, rule.targets), (rule.targets, rule.holders)):
            _displaces_none(v, rule, mine[meek[mine]], theirs)


def _modest(v: Variables, node: int, resource: int, come: list[int], room: int) -> None:
    cluster = v.cluster
    pairs = [pair for pair in come if cluster.request[v.pod[pair], resource]]
    needs = cluster.request[v.pod[pairs], resource].tolist()
    if not pairs or sum(needs) <= room:
        return
    leave: list[int] = []
    if cluster.policy.never_moves:
        here = np.flatnonzero((cluster.node == node) & (cluster.request[:, resource] > 0))
        leave = [pair for pod in here.tolist() for pair in v.arrivals(pod)]
    if room < 0 and not leave:
        v.forbid(pairs)
        return
    freed = (-cluster.request[v.pod[leave], resource]).tolist()
    total = v.total([*pairs, *leave], [*needs, *freed])
    if room >= 0:
        v.model.add(total <= room)
    elif (some := v.any(pairs)) is not None:
        v.model.add(total - room * some <= 0)


def _displaces_none(v: Variables, rule: Conflict, mine: IntArray, theirs: IntArray) -> None:
    at = _by_domain(v, rule.domain, mine)
    now: dict[int, list[int]] = {}
    for pod in theirs[v.cluster.node[theirs] >= 0].tolist():
        now.setdefault(int(rule.domain[v.cluster.node[pod]]), []).append(pod)
    for domain, pairs in at.items():
        for pod in now.get(domain, []):
            leave = v.arrivals(pod) if v.cluster.policy.never_moves else []
            if not leave:
                v.forbid(pairs)
            elif (some := v.any(pairs)) is not None:
                v.model.add_bool_or([~some, *v.literals(leave)])


def _by_domain(
    v: Variables, domain: IntArray, pods: IntArray, *, everywhere: bool = False
) -> dict[int, list[int]]:
    """Pairs of *pods* by domain; those in none, under -1, only if *everywhere*."""
    found: dict[int, list[int]] = {}
    for pod in pods.tolist():
        for pair in v.of_pod[pod]:
            where = int(domain[v.node[pair]])
            if where >= 0 or everywhere:
                found.setdefault(where, []).append(pair)
    return found


def _held_in(v: Variables, domain: IntArray) -> dict[int, set[int]]:
    """Running pods that may not be moved, by domain."""
    found: dict[int, set[int]] = {}
    for pod in np.flatnonzero(v.cluster.is_held & v.cluster.running).tolist():
        found.setdefault(int(domain[v.cluster.node[pod]]), set()).add(pod)
    return found


#: Every family of constraints.
CONSTRAINTS = (one_place, capacity, conflicts, affinities, spreads, budgets, never)
