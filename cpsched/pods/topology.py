"""Constraints that look at whole domains: required affinity and topology spread.

The model knows where pods are in the end, not when they came: a constraint here is what every
allowed order leads to. Whether there is an order, the plan says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cpsched.pods.domains import by_domain, held_in, split

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ortools.sat.python import cp_model

    from cpsched.pods.instance import Affinity, IntArray, Spread
    from cpsched.pods.variables import Variables


def affinities(v: Variables) -> None:
    """An arriving holder finds a target, or is of a group that starts in one domain."""
    for rule in v.cluster.affinities:
        arriving = [pair for pod in rule.holders.tolist() for pair in v.arrivals(pod)]
        for domain in rule.domains if arriving else []:
            _join(v, rule, domain, arriving)


def _join(v: Variables, rule: Affinity, domain: IntArray, arriving: list[int]) -> None:
    cluster, holders = v.cluster, set(rule.holders.tolist())
    # Where a target runs, one can be joined: it may leave afterwards.
    ran = rule.targets[cluster.running[rule.targets]]
    if v.lasting:
        ran = ran[cluster.is_held[ran]]
    known = set(domain[cluster.node[ran]].tolist())
    come = {
        where: pairs
        for where, pairs in split(domain, v, arriving).items()
        if where >= 0 and where not in known
    }
    bold = [p for pod in rule.targets.tolist() if pod not in holders for p in v.arrivals(pod)]
    if v.lasting:
        bold += [pair for pod in rule.targets.tolist() for pair in v.stay(pod)]
    anchors = split(domain, v, bold)
    starts: list[cp_model.IntVar] = []
    targets = set(rule.targets.tolist())
    for where, pairs in come.items():
        if (arrives := v.any(pairs)) is None:
            continue
        there = v.any(anchors.get(where, []))
        first = [pair for pair in pairs if int(v.pod[pair]) in targets]
        clause = [~arrives] if there is None else [~arrives, there]
        if first and (begins := _start(v, rule, arrives, there)) is not None:
            v.model.add_bool_or([~begins, *v.literals(first)])
            starts.append(begins)
            clause.append(begins)
        v.model.add_bool_or(clause)
    if len(starts) > 1:
        v.model.add_at_most_one(starts)


def _start(
    v: Variables, rule: Affinity, arrives: cp_model.IntVar, there: cp_model.IntVar | None
) -> cp_model.IntVar | None:
    """Literal: a group starts with those that arrive; None if a target stays that is seen."""
    cluster = v.cluster
    ran = rule.targets[cluster.running[rule.targets]]
    seen = ran[(rule.domains[:, cluster.node[ran]] >= 0).any(axis=0)]
    if cluster.is_held[seen].any():
        return None
    comes, by_itself = arrives.index, -1 if there is None else there.index
    begins = v.boolean(
        lambda values: int(values[comes] and (by_itself < 0 or not values[by_itself]))
    )
    if (stays := v.any(pair for pod in seen.tolist() for pair in v.stay(pod))) is not None:
        v.model.add_implication(begins, ~stays)
    return begins


def spreads(v: Variables) -> None:
    """Where a holder comes to, a domain counts at most *max_skew* more than the least one."""
    for rule in v.cluster.spreads:
        at = by_domain(v, rule.domain, np.array(rule.holders))
        come = {
            domain: v.any(pair for pair in pairs if not v.stays[pair])
            for domain, pairs in at.items()
        }
        if any(some is not None for some in come.values()):
            _even(v, rule, come)


def _even(v: Variables, rule: Spread, come: dict[int, cp_model.IntVar | None]) -> None:
    """Who comes without being a holder may come later; who leaves may leave later."""
    counted, first = set(rule.counted.tolist()), set(rule.holders.tolist())
    pairs = [pair for pod in rule.counted.tolist() for pair in v.of_pod[pod]]
    certain = [p for p in pairs if v.lasting or v.stays[p] or int(v.pod[p]) in first]
    held = {domain: len(pods & counted) for domain, pods in held_in(v, rule.domain).items()}
    at = split(rule.domain, v, certain)
    ever = _ever(v, rule.domain, pairs)
    domains = np.unique(rule.domain[rule.domain >= 0]).tolist()
    most = {d: held.get(d, 0) + len({int(v.pod[pair]) for pair in at.get(d, [])}) for d in domains}
    least: cp_model.IntVar | int = 0
    if len(domains) >= rule.min_domains:
        parts = [
            (np.array(ever[d][0] if d in ever else [], np.intp), _base(ever, held, d))
            for d in domains
        ]
        top = min(len(some) + more for some, more in parts)
        least = v.integer(
            0,
            max(1, top),
            lambda values: min(int(values[some].sum()) + more for some, more in parts),
        )
        for some, more in parts:
            v.model.add(least <= v.total(some.tolist(), [1] * len(some)) + more)
    for domain, arrives in come.items():
        slack = most[domain] - rule.max_skew
        if arrives is not None and slack > 0:
            there = at.get(domain, [])
            total = v.total(there, [1] * len(there)) + held.get(domain, 0)
            v.model.add(total - least + slack * arrives <= rule.max_skew + slack)


def _ever(
    v: Variables, domain: IntArray, pairs: Iterable[int]
) -> dict[int, tuple[list[int], int]]:
    """By domain: pairs that bring a pod there, and number of those that are there at first."""
    found: dict[int, tuple[list[int], int]] = {}
    for pair in pairs:
        pod = int(v.pod[pair])
        now = int(v.cluster.node[pod])
        before = int(domain[now]) if now >= 0 else -1
        where = int(domain[v.node[pair]])
        if where >= 0 and (where != before or v.lasting):
            found.setdefault(where, ([], 0))[0].append(pair)
        elif v.stays[pair] and where >= 0:
            brought, there = found.get(where, ([], 0))
            found[where] = (brought, there + 1)
    return found


def _base(ever: dict[int, tuple[list[int], int]], held: dict[int, int], domain: int) -> int:
    return held.get(domain, 0) + (ever[domain][1] if domain in ever else 0)
