"""Occupancy against a slow statement of the scheduler's filters, node by node, pod by pod."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
from random_clusters import random_cluster

from cpsched.pods.instance import Affinity, Cluster, Conflict, Spread
from cpsched.pods.occupancy import Occupancy


def takes(c: Cluster, node: list[int], pod: int, n: int) -> bool:
    """Whether *n* takes *pod* while the others are on *node*, from the words of the rules."""

    def there(members: list[int], domain: list[int], d: int) -> list[int]:
        return [q for q in members if node[q] >= 0 and domain[node[q]] == d]

    if not c.allowed[c.profile[pod]][n]:
        return False
    for r in range(len(c.resources)):
        used = sum(int(c.request[q, r]) for q in range(c.num_pods) if node[q] == n)
        if c.request[pod, r] > 0 and used + c.request[pod, r] > c.allocatable[n, r]:
            return False
    for conflict in c.conflicts:
        domain = conflict.domain.tolist()
        if domain[n] >= 0:
            holders, targets = conflict.holders.tolist(), conflict.targets.tolist()
            if pod in holders and there(targets, domain, domain[n]):
                return False
            if pod in targets and there(holders, domain, domain[n]):
                return False
    for affinity in c.affinities:
        if pod in affinity.holders:
            targets = affinity.targets.tolist()
            anywhere = any(node[q] >= 0 for q in targets)
            for term in affinity.domains.tolist():
                if term[n] < 0:
                    return False
                if not there(targets, term, term[n]) and (anywhere or pod not in targets):
                    return False
    for spread in c.spreads:
        if pod in spread.holders:
            domain, counted = spread.domain.tolist(), spread.counted.tolist()
            if domain[n] < 0:
                return False
            domains = {d for d in domain if d >= 0}
            least = min(len(there(counted, domain, d)) for d in domains)
            least = least if len(domains) >= spread.min_domains else 0
            after = len(there(counted, domain, domain[n])) + (pod in counted)
            if after - least > spread.max_skew:
                return False
    return True


@pytest.mark.parametrize("seed", range(300))
def test_equal_to_the_rules_while_pods_come_and_go(seed: int) -> None:
    c = random_cluster(seed)
    rng = random.Random(seed)
    now = Occupancy(c)
    node = c.node.tolist()
    for _ in range(12):
        pod = rng.randrange(c.num_pods)
        if node[pod] >= 0:
            now.remove(pod)
            node[pod] = -1
        good = now.feasible(pod)
        assert good.tolist() == [takes(c, node, pod, n) for n in range(c.num_nodes)]
        assert good.tolist() == [now.accepts(pod, n) for n in range(c.num_nodes)]
        assert bool(now.blocked(pod)) == (not good.any())
        if rng.random() < 0.8:
            # Anywhere, not only where it may: what runs may break rules.
            node[pod] = rng.randrange(c.num_nodes)
            now.place(pod, node[pod])
        assert now.node.tolist() == node
        assert (now.free == c.allocatable - c.usage_of(np.array(node))).all()


def test_random_clusters_have_every_answer() -> None:
    """The comparison above would be empty if rules never decided."""
    seen = set()
    for seed in range(300):
        c = random_cluster(seed)
        now = Occupancy(c)
        for pod in np.flatnonzero(~c.running).tolist():
            words = now.blocked(pod)
            parts = ("insufficient", "conflict", "affinity", "spread", "selector")
            seen |= {part for part in parts if part in words}
    assert seen == {"insufficient", "conflict", "affinity", "spread", "selector"}


def small(**changes: object) -> Cluster:
    base = Cluster(
        name="small",
        resources=("cpu", "gpu", "pods"),
        nodes=("a", "b", "c"),
        allocatable=np.array([[4, 1, 3]] * 3),
        pods=tuple(f"web/p{k}" for k in range(4)),
        request=np.array([[3, 2, 1], [2, 0, 1], [0, 0, 1], [1, 1, 1]]),
        priority=np.zeros(4, dtype=int),
        node=np.array([0, -1, -1, -1]),
        owners=(),
        owner=np.full(4, -1),
        allowed=np.array([[True, True, True], [True, False, False]]),
        profile=np.zeros(4, dtype=int),
        held=("",) * 4,
        preempts=np.ones(4, dtype=bool),
        grace=np.zeros(4, dtype=int),
    )
    return replace(base, **changes)


def test_what_is_not_requested_is_not_asked_even_where_it_is_over_committed() -> None:
    now = Occupancy(small())
    assert now.free.tolist() == [[1, -1, 2], [4, 1, 3], [4, 1, 3]]
    assert now.feasible(2).tolist() == [True, True, True]
    assert now.feasible(1).tolist() == [False, True, True]
    assert now.feasible(3).tolist() == [False, True, True]


def test_a_given_placement_is_what_counts_and_the_cluster_is_left_alone() -> None:
    c = small()
    given = np.array([-1, 1, 1, -1], dtype=np.int32)
    now = Occupancy(c, given)
    now.place(0, 2)
    assert given.tolist() == [-1, 1, 1, -1]
    assert c.node.tolist() == [0, -1, -1, -1]
    assert now.free[:, 0].tolist() == [4, 2, 1]


def test_reasons_count_nodes_and_name_every_short_resource() -> None:
    c = small(
        profile=np.array([0, 1, 1, 1]),
        request=np.array([[3, 2, 1], [2, 1, 1], [0, 0, 1], [1, 1, 1]]),
    )
    assert Occupancy(c).blocked(1) == (
        "0 of 3 nodes: 2 not allowed by selector, affinity, taint or cordon, 1 insufficient cpu, "
        "1 insufficient gpu"
    )
    assert Occupancy(c).blocked(2) == ""


def test_reasons_name_rules() -> None:
    c = small(
        conflicts=(Conflict("host", [0, 0, -1], [0], [1]),),
        affinities=(Affinity("near", [0, 1, 2], [2, 3], [0]),),
        spreads=(Spread("even", [-1, -1, -1], [1], [1], 1),),
    )
    now = Occupancy(c)
    assert now.blocked(1) == ("0 of 3 nodes: 1 insufficient cpu, 1 conflict host, 1 spread even")
    assert now.blocked(3) == "0 of 3 nodes: 2 affinity near, 1 insufficient gpu"
    now.remove(0)
    assert now.blocked(2) == "0 of 3 nodes: 3 affinity near"
    # A name that says what kind of rule it is stands alone.
    near = Affinity("affinity to app=a by zone", [0, 1, 2], [3], [1])
    apart = Conflict("anti-affinity to app=b by zone", [0, 0, 0], [0], [1])
    now = Occupancy(small(affinities=(near,), conflicts=(apart,)))
    assert now.blocked(3) == "0 of 3 nodes: 2 affinity to app=a by zone, 1 insufficient gpu"
    assert "2 anti-affinity to app=b by zone" in now.blocked(1)


def test_the_first_pod_of_a_group_may_start_it_anywhere_the_label_is() -> None:
    c = small(affinities=(Affinity("near", [0, 1, -1], [1, 2], [1, 2]),))
    now = Occupancy(c)
    assert now.feasible(2).tolist() == [True, True, False]
    now.place(1, 2)  # a target where the label is missing is not seen
    assert now.feasible(2).tolist() == [True, True, False]
    now.remove(1)
    now.place(1, 0)
    assert now.feasible(2).tolist() == [True, False, False]


def test_misuse_is_refused() -> None:
    now = Occupancy(small())
    with pytest.raises(ValueError, match="web/p0 is on a node"):
        now.feasible(0)
    with pytest.raises(ValueError, match="web/p0 is on a node"):
        now.place(0, 1)
    with pytest.raises(ValueError, match="web/p1 is on no node"):
        now.remove(1)
    with pytest.raises(ValueError, match="there is no node 3"):
        now.place(1, 3)
