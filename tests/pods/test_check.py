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
from cpsched.pods.occupancy import Occupancy
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


def asking(cpu: dict[int, int]) -> dict[str, Any]:
    request = cluster().request.copy()
    request[list(cpu), 0] = list(cpu.values())
    return {"request": request}


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
    # The group starts on c, then a target that asks for no company comes to a.
    (affinity([2, 3], [2, 3, 4]), (0, 1, 2, 2, 0, -1), None),
    (affinity([2, 3], [2, 3]), (0, 1, 2, 1, -1, -1), "where with finds no pod"),
    # A target that is where nobody sees it keeps no group from starting.
    (affinity([2, 3], [0, 2, 3], [-1, 1, 2]), (0, 1, 2, 2, -1, -1), None),
    # Who is joined may leave afterwards.
    (affinity([3], [1]), (0, 2, -1, 1, -1, -1), None),
    # Whom the rule does not ask may come after those that it asks.
    (spread([2], [2, 3]), GOOD, None),
    (spread([2, 3], [2, 3]), GOOD, "where even counts 2 against 0 elsewhere"),
    (spread([2], [2], min_domains=3, skew=1), GOOD, None),
    (spread([2, 3], [2, 3, 0], min_domains=3), GOOD, "even counts 2 against 0"),
    (
        {"budgets": (Budget("pdb", np.array([0, 1]), 1),)},
        (2, -1, -1, -1, -1, -1),
        "budget pdb allows 1 disruptions, not 2",
    ),
    (never(), (2, 1, 0, -1, -1, -1), None),
    (never(), (0, 2, 1, -1, -1, -1), "pod web/p1 leaves node b for web/p2, which may displace"),
    (never(never_moves=True), (0, 2, 1, -1, -1, -1), None),
    (never(never_moves=True), (0, -1, 1, -1, -1, -1), "pod web/p1 leaves node b for web/p2"),
    # Who leaves for a pod that may preempt leaves room for all.
    (never(), (0, -1, 1, 1, -1, -1), "leaves node b for web/p2"),
    ({**never(), **asking({3: 2})}, (0, -1, 1, 1, -1, -1), None),
    # What is free now goes to the more important pod.
    ({**never(), **asking({2: 1, 3: 3})}, (0, 2, 1, 1, -1, -1), None),
    (
        {**never(), **asking({2: 2, 3: 1}), "priority": np.array([1, 1, 0, 1, 1, 0])},
        (0, 2, 1, 1, -1, -1),
        "leaves node b for web/p2",
    ),
    (
        {**never(), **conflict([2], [0])},
        (2, -1, 0, -1, -1, -1),
        "pod web/p0 leaves node a for web/p2",
    ),
    ({**never(never_moves=True), **conflict([2], [0])}, (2, 1, 0, -1, -1, -1), None),
    (
        {**never(), **spread([2], [0, 2]), **asking({2: 1})},
        (2, 1, 1, -1, -1, -1),
        "leaves node a for web/p2",
    ),
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


# -- a slow statement of the rules


def reached(c: Cluster, node: list[int]) -> bool:
    """Whether some order of evictions and bindings, one of each for a pod, leads to *node*."""
    changed = [p for p in range(c.num_pods) if node[p] != c.node[p]]
    left = [p for p in changed if c.node[p] >= 0]
    if any(c.held[p] for p in changed):
        return False
    if any(len(set(left) & set(b.pods.tolist())) > b.allowed for b in c.budgets):
        return False
    seen = set()
    stack = [tuple(c.node.tolist())]
    while stack:
        at = stack.pop()
        if at == tuple(node):
            return True
        if at in seen:
            continue
        seen.add(at)
        now = Occupancy(c, np.array(at))
        for p in changed:
            if at[p] >= 0 and at[p] == c.node[p]:
                to = -1
            elif at[p] < 0 <= node[p] and now.accepts(p, node[p]):
                to = node[p]
            else:
                continue
            stack.append((*at[:p], to, *at[p + 1 :]))
    return False


def meek(c: Cluster, node: list[int]) -> bool:
    """No running pod leaves for a Never pod's sake only."""
    pods = range(c.num_pods)
    came = [p for p in pods if node[p] >= 0 and node[p] != c.node[p]]
    never = [p for p in came if c.node[p] < 0 and not c.preempts[p]]
    gone = [p for p in pods if c.node[p] >= 0 and node[p] != c.node[p]]
    if c.policy.never_moves:
        gone = [p for p in gone if node[p] < 0]
    return not any(_displaces(c, node, came, never, p, w) for p in never for w in gone)


def _displaces(
    c: Cluster, node: list[int], came: list[int], never: list[int], p: int, w: int
) -> bool:
    n, here = node[p], int(c.node[w])
    resources = [r for r in range(len(c.resources)) if c.request[p, r] > 0]
    ahead = [q for q in came if node[q] == n and c.priority[q] >= c.priority[p]]
    running = [q for q in range(c.num_pods) if c.node[q] == n]
    unasked = all(
        sum(int(c.request[q, r]) for q in (*ahead, *running)) <= c.allocatable[n, r]
        for r in resources
    )
    takes = here == n and not unasked and any(c.request[w, r] > 0 for r in resources)
    if not takes and not any(
        p in mine and w in theirs and _same(rule.domain, n, here)
        for rule in (*c.conflicts, *c.spreads)
        for mine, theirs in rule.sides
    ):
        return False
    others = [q for q in range(c.num_pods) if node[q] == here and q not in never]
    for r in range(len(c.resources)):
        used = sum(int(c.request[q, r]) for q in (*others, w))
        if c.request[w, r] > 0 and used > c.allocatable[here, r]:
            return False
    return not any(
        w in mine and q in theirs and _same(rule.domain, here, node[q])
        for rule in c.conflicts
        for mine, theirs in rule.sides
        for q in came
        if q not in never and q != w
    )


def _same(domain: Any, m: int, n: int) -> bool:
    return m >= 0 and n >= 0 and domain[m] >= 0 and domain[m] == domain[n]


@pytest.mark.parametrize("seed", range(250))
def test_agrees_with_the_slow_statement(seed: int) -> None:
    c = random_cluster(seed)
    rng = random.Random(seed)
    for share in (0.1, 0.3, 0.3, 0.6, 1.0):
        node = [
            rng.randrange(-1, c.num_nodes) if rng.random() < share else n for n in c.node.tolist()
        ]
        report = check(c, Placement(np.array(node)))
        assert report.ok == (reached(c, node) and meek(c, node)), (node, report.violations)


@pytest.mark.parametrize("seed", range(60))
def test_changing_one_pod_of_a_good_placement_is_judged_alone(seed: int) -> None:
    c = random_cluster(seed, nodes=3, pods=6)
    for pod, n in itertools.product(range(6), range(-1, 3)):
        node = c.node.copy()
        node[pod] = n
        report = check(c, Placement(node))
        good = reached(c, node.tolist()) and meek(c, node.tolist())
        assert report.ok == good, report.violations
        assert (report.objective is not None) == report.ok


@pytest.mark.parametrize("seed", range(300))
def test_what_an_allowed_walk_leads_to_is_never_refused(seed: int) -> None:
    rules = ("affinities", "spreads", "conflicts", "over", "held", "profiles")
    c = random_cluster(seed + 1000, nodes=seed % 4 + 2, pods=seed % 7 + 4, rules=rules)
    rng = random.Random(seed)
    for _ in range(4):
        now = Occupancy(c)
        stay = [p for p in range(c.num_pods) if c.node[p] >= 0 and rng.random() < 0.3]
        leave = [p for p in np.flatnonzero(c.node >= 0) if p not in stay and not c.held[p]]
        wait = [p for p in np.flatnonzero(c.node < 0) if not c.held[p]]
        rng.shuffle(leave)
        while leave or wait:
            if leave and (not wait or rng.random() < 0.5):
                pod = leave.pop()
                now.remove(pod)
                wait += [pod] if rng.random() < 0.85 else []
            else:
                pod = wait.pop(rng.randrange(len(wait)))
                free = [n for n in np.flatnonzero(now.feasible(pod)) if n != c.node[pod]]
                if free:
                    now.place(pod, rng.choice(free))
        assert check(c, Placement(now.node)).ok


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
