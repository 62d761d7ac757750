"""The check of pod packing against hand-made violations and a slow statement of the rules."""

from __future__ import annotations

import itertools
import random
import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from random_clusters import random_cluster

from cpsched.pods.check import MAX_VIOLATIONS_PER_RULE, check
from cpsched.pods.instance import Affinity, Budget, Cluster, Conflict, Policy, Spread
from cpsched.pods.objective import objective
from cpsched.pods.solution import Placement

# Three nodes of 4 CPUs in two zones; pods 0 and 1 run, 2 to 5 are pending.
ZONES = [0, 0, 1]


def cluster(**changes: Any) -> Cluster:
    base = Cluster(
        name="small",
        resources=("cpu", "pods"),
        nodes=("a", "b", "c"),
        allocatable=np.array([[4, 4]] * 3),
        pods=tuple(f"web/p{k}" for k in range(6)),
        request=np.array([[2, 1], [3, 1], [2, 1], [1, 1], [1, 1], [0, 1]]),
        priority=np.array([1, 1, 2, 1, 1, 0]),
        node=np.array([0, 1, -1, -1, -1, -1]),
        owners=(),
        owner=np.full(6, -1),
        allowed=np.array([[True, True, True], [False, True, True]]),
        profile=np.array([0, 0, 0, 1, 0, 0]),
        held=("",) * 6,
        preempts=np.array([True] * 6),
        grace=np.zeros(6, dtype=int),
    )
    return replace(base, **changes)


GOOD = (0, 1, 2, 2, -1, -1)


def test_a_correct_placement_has_its_objective() -> None:
    report = check(cluster(), Placement(np.array(GOOD)))
    assert report.ok
    assert report.objective == objective(cluster(), np.array(GOOD))


def conflict(holders: list[int], targets: list[int], domain: list[int] = ZONES) -> dict[str, Any]:
    return {"conflicts": (Conflict("anti", np.array(domain), holders, targets),)}


def affinity(holders: list[int], targets: list[int], *domains: list[int]) -> dict[str, Any]:
    rule = Affinity("with", np.array(domains or (ZONES,)), holders, targets)
    return {"affinities": (rule,)}


def spread(holders: list[int], counted: list[int], **more: int) -> dict[str, Any]:
    rule = Spread("even", np.array(ZONES), holders, counted, more.pop("skew", 1), **more)
    return {"spreads": (rule,)}


def never(**policy: bool) -> dict[str, Any]:
    return {
        "preempts": np.array([True, True, False, True, True, True]),
        "policy": Policy(**policy),
    }


REFUSED = [
    ({}, (0, 1, 2, 2, 3, -1), "pod web/p4 is on node number 3, not in -1..2"),
    ({}, (0, 1, 2, 2, -2, -1), "is on node number -2"),
    ({}, (0, 1, 2, 0, -1, -1), "pod web/p3 comes to node a, which is not allowed"),
    ({}, (0, 1, 1, -1, -1, -1), "node b would run 5 of cpu, it has 4"),
    (
        {"held": ("mirror pod",) + ("",) * 5},
        (1, -1, 2, 2, -1, -1),
        "may not leave its node: mirror",
    ),
    ({"held": ("",) * 2 + ("gate",) + ("",) * 3}, GOOD, "p2 may not be placed: gate"),
    (conflict([2], [3]), GOOD, "pod web/p2 comes to node c, where a pod is that anti keeps"),
    (conflict([0], [4]), (0, 1, -1, -1, 1, -1), "pod web/p4 comes to node b"),
    (affinity([2], [0]), GOOD, "pod web/p2 comes to node c, where with finds no pod"),
    (affinity([2], [2, 0]), GOOD, "where with finds no pod"),
    (affinity([2], [2, 3], [0, 0, -1]), GOOD, "where with finds no pod"),
    (affinity([2, 3], [2, 3, 4]), GOOD, None),
    (affinity([2, 3], [2, 3, 4]), (0, 1, 2, 2, 0, -1), "where with finds no pod"),
    (spread([2], [2, 3]), GOOD, "where even counts 2 against 0 elsewhere"),
    (spread([2], [2], min_domains=3, skew=1), GOOD, None),
    (spread([2], [2, 3, 0], min_domains=3), GOOD, "even counts 2 against 0"),
    (
        {"budgets": (Budget("pdb", np.array([0, 1]), 1),)},
        (2, -1, -1, -1, -1, -1),
        "budget pdb allows 1 disruptions, not 2",
    ),
    (never(), (2, 1, 0, -1, -1, -1), None),
    (never(), (0, 2, 1, -1, -1, -1), "take 2 of cpu on node b, where 1 may be used"),
    (never(never_moves=True), (0, 2, 1, -1, -1, -1), None),
    (never(never_moves=True), (0, -1, 1, -1, -1, -1), "take 2 of cpu on node b, where 1 may"),
    (
        {**never(), **conflict([2], [0])},
        (2, -1, 0, -1, -1, -1),
        "where a running pod is that anti keeps it from",
    ),
    ({**never(never_moves=True), **conflict([2], [0])}, (2, 1, 0, -1, -1, -1), None),
]


@pytest.mark.parametrize(("changes", "node", "words"), REFUSED)
def test_one_broken_rule_is_named(
    changes: dict[str, Any], node: tuple[int, ...], words: str | None
) -> None:
    report = check(cluster(**changes), Placement(np.array(node)))
    if words is None:
        assert report.violations == ()
    else:
        assert any(words in sentence for sentence in report.violations), report.violations
        assert report.objective is None


def test_a_wrong_shape_is_one_sentence() -> None:
    report = check(cluster(), Placement(np.array([0, 1])))
    assert report.violations == ("the placement has shape (2,), not (6,): one entry per pod",)


def test_a_full_node_keeps_what_it_runs_and_takes_what_asks_nothing_of_it() -> None:
    over = cluster(allocatable=np.array([[1, 4]] * 3))
    assert check(over, Placement(np.array([0, 1, -1, -1, -1, 0]))).ok
    assert not check(over, Placement(np.array([0, 1, -1, 1, -1, -1]))).ok


def test_sentences_of_a_rule_are_limited() -> None:
    many = random_cluster(1, pods=60, nodes=4, rules=())
    many = replace(many, allowed=np.zeros((1, 4), dtype=bool))
    arrivals = np.where(many.node < 0, 0, (many.node + 1) % 4)
    sentences = [s for s in check(many, Placement(arrivals)).violations if "not allowed" in s]
    assert len(sentences) == MAX_VIOLATIONS_PER_RULE
    assert sentences[-1].endswith(f"and {60 - MAX_VIOLATIONS_PER_RULE} more like it")


# -- a slow statement of the rules of the final state


def holds(c: Cluster, node: list[int]) -> bool:
    now, pods, nodes = c.node.tolist(), range(c.num_pods), range(c.num_nodes)
    came = [p for p in pods if node[p] >= 0 and node[p] != now[p]]
    left = [p for p in pods if now[p] >= 0 and node[p] != now[p]]
    if any(c.held[p] for p in (*came, *left)):
        return False
    if any(not c.allowed[c.profile[p], node[p]] for p in came):
        return False
    for p, r in itertools.product(came, range(len(c.resources))):
        used = sum(int(c.request[q, r]) for q in pods if node[q] == node[p])
        if c.request[p, r] > 0 and used > c.allocatable[node[p], r]:
            return False
    for budget in c.budgets:
        if len(set(left) & set(budget.pods.tolist())) > budget.allowed:
            return False
    return (
        all(_apart(rule, node, came) for rule in c.conflicts)
        and all(_joined(rule, node, came) for rule in c.affinities)
        and all(_even(rule, node, came) for rule in c.spreads)
        and all(_meek(c, node, left, n) for n in nodes)
    )


def _same(domain: Any, m: int, n: int) -> bool:
    return m >= 0 and n >= 0 and domain[m] >= 0 and domain[m] == domain[n]


def _apart(rule: Conflict, node: list[int], came: list[int]) -> bool:
    return not any(
        p != q and (p in came or q in came) and _same(rule.domain, node[p], node[q])
        for p in rule.holders.tolist()
        for q in rule.targets.tolist()
    )


def _joined(rule: Affinity, node: list[int], came: list[int]) -> bool:
    holders, targets = set(rule.holders.tolist()), set(rule.targets.tolist())
    placed = [q for q in targets if node[q] >= 0]
    for p in holders.intersection(came):
        for domain in rule.domains:
            near = [q for q in placed if _same(domain, node[p], node[q])]
            first = any(q not in came or q not in holders for q in near)
            if not near or not (first or near == placed):
                return False
    return True


def _even(rule: Spread, node: list[int], came: list[int]) -> bool:
    domains = {d for d in rule.domain.tolist() if d >= 0}
    counts = {
        d: sum(node[q] >= 0 and rule.domain[node[q]] == d for q in rule.counted.tolist())
        for d in domains
    }
    least = min(counts.values(), default=0) if len(domains) >= rule.min_domains else 0
    at = [int(rule.domain[node[p]]) for p in rule.holders.tolist() if p in came]
    return all(d >= 0 and counts[d] - least <= rule.max_skew for d in at)


def _meek(c: Cluster, node: list[int], left: list[int], n: int) -> bool:
    moves = c.policy.never_moves
    there = [
        q
        for q in range(c.num_pods)
        if c.node[q] >= 0 and not (moves and q in left and node[q] >= 0)
    ]
    meek = [p for p in range(c.num_pods) if node[p] == n and c.node[p] < 0 and not c.preempts[p]]
    for r in range(len(c.resources)):
        asked = sum(int(c.request[p, r]) for p in meek)
        room = c.allocatable[n, r] - sum(int(c.request[q, r]) for q in there if c.node[q] == n)
        if asked > max(room, 0):
            return False
    for rule in c.conflicts:
        for p, q in itertools.product(meek, there):
            pair = (p in rule.holders and q in rule.targets) or (
                p in rule.targets and q in rule.holders
            )
            if pair and _same(rule.domain, n, int(c.node[q])):
                return False
    return True


@pytest.mark.parametrize("seed", range(250))
def test_agrees_with_the_slow_statement(seed: int) -> None:
    c = random_cluster(seed)
    rng = random.Random(seed)
    for share in (0.1, 0.3, 0.3, 0.6, 1.0):
        node = [
            rng.randrange(-1, c.num_nodes) if rng.random() < share else n for n in c.node.tolist()
        ]
        report = check(c, Placement(np.array(node)))
        final = [sentence for sentence in report.violations if "plan" not in sentence.split()[:3]]
        assert (not final) == holds(c, node), (node, report.violations)


@pytest.mark.parametrize("seed", range(60))
def test_changing_one_pod_of_a_good_placement_is_judged_alone(seed: int) -> None:
    c = random_cluster(seed, nodes=3, pods=6)
    for pod, n in itertools.product(range(6), range(-1, 3)):
        node = c.node.copy()
        node[pod] = n
        report = check(c, Placement(node))
        assert report.ok == holds(c, node.tolist()), report.violations
        assert (report.objective is not None) == report.ok


def test_a_large_cluster_is_checked_within_seconds() -> None:
    nodes, pods = 5000, 50_000
    rng = np.random.default_rng(1)
    now = rng.integers(0, nodes, pods)
    now[-500:] = -1
    big = Cluster(
        name="big",
        resources=("cpu", "memory", "pods"),
        nodes=tuple(f"n{k}" for k in range(nodes)),
        allocatable=np.array([[10**6, 10**12, 110]] * nodes),
        pods=tuple(f"d/p{k}" for k in range(pods)),
        request=np.array([[100, 10**9, 1]] * pods),
        priority=rng.integers(0, 4, pods),
        node=now,
        owners=(),
        owner=np.full(pods, -1),
        allowed=np.ones((1, nodes), dtype=bool),
        profile=np.zeros(pods, dtype=int),
        held=("",) * pods,
        preempts=np.ones(pods, dtype=bool),
        grace=np.zeros(pods, dtype=int),
        conflicts=tuple(
            Conflict(f"c{k}", np.arange(nodes), np.arange(k, pods, 500), np.arange(k, pods, 500))
            for k in range(5)
        ),
        spreads=(Spread("s", np.arange(nodes) % 3, np.arange(100), np.arange(100), 100),),
    )
    node = big.node.copy()
    node[:1000] = (node[:1000] + 1) % nodes
    node[-500:] = rng.integers(0, nodes, 500)
    start = time.perf_counter()
    report = check(big, Placement(node))
    seconds = time.perf_counter() - start
    assert all("keeps" in sentence for sentence in report.violations)
    assert seconds < 5  # takes 0.1 s: guards against a slip to quadratic, on any machine
