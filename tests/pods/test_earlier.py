"""An answer to an earlier snapshot: which steps have gone stale, and what of it still applies."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from random_clusters import random_cluster

import cpsched
from cpsched.pods.account import record
from cpsched.pods.check import check
from cpsched.pods.earlier import earlier
from cpsched.pods.instance import Cluster
from cpsched.pods.solution import Placement

#: a runs on n1 and moves to n2, so that big fits on n1; late waits for the free room on n3.
CLUSTER = Cluster(
    name="monday",
    resources=("cpu",),
    nodes=("n1", "n2", "n3"),
    allocatable=np.array([[4], [4], [4]]),
    pods=("d/a", "d/big", "d/late"),
    request=np.array([[2], [4], [3]]),
    priority=np.array([1, 9, 1]),
    node=np.array([0, -1, -1]),
    owners=("d/ReplicaSet/a",),
    owner=np.array([0, -1, -1]),
    allowed=np.ones((1, 3), dtype=bool),
    profile=np.array([0, 0, 0]),
    held=("", "", ""),
    preempts=np.array([True, True, True]),
    grace=np.array([30, 30, 30]),
)
GOAL = Placement(np.array([1, 0, 2]))
GONE = "the pod is gone; d/ReplicaSet/a has since made d/a2 (pending)"
STATED = {"instance": "monday", "solution": record(CLUSTER, GOAL, None)}


def changed(**entries):
    return replace(CLUSTER, name="tuesday", **entries)


def with_pod(name: str, cpu: int, node: int, owner: int = -1, without: int | None = None):
    """The cluster with one pod more, perhaps in place of another one."""
    keep = [pod for pod in range(3) if pod != without]

    def grow(values, last):
        return np.append(values[keep], last)

    return changed(
        pods=(*(CLUSTER.pods[pod] for pod in keep), name),
        request=np.append(CLUSTER.request[keep], [[cpu]], axis=0),
        priority=grow(CLUSTER.priority, 1),
        node=grow(CLUSTER.node, node),
        owner=grow(CLUSTER.owner, owner),
        profile=grow(CLUSTER.profile, 0),
        held=("",) * (len(keep) + 1),
        preempts=grow(CLUSTER.preempts, True),
        grace=grow(CLUSTER.grace, 30),
    )


def test_the_same_state_under_another_name_is_not_an_earlier_one() -> None:
    assert [step["action"] for step in STATED["solution"]["plan"]] == [
        "evict",
        "bind",
        "bind",
        "bind",
    ]
    assert earlier(changed(), STATED) is None


@pytest.mark.parametrize(
    ("now", "change", "stale"),
    [
        (
            with_pod("d/new", 1, -1),
            ["1 pod came since: d/new"],
            [],
        ),
        (
            with_pod("d/new", 2, 2),
            ["1 pod came since: d/new"],
            ["bind d/late, node n3): there is not enough cpu"],
        ),
        (
            with_pod("d/a2", 2, -1, owner=0, without=0),
            ["1 pod came since: d/a2", "1 pod is gone: d/a"],
            [
                "evict d/a, node n1): " + GONE,
                "bind d/a, node n2): " + GONE,
            ],
        ),
        (
            changed(node=np.array([1, -1, -1])),
            ["1 pod is elsewhere: d/a (n1, now n2)"],
            [
                "evict d/a, node n1): the pod runs on n2 now",
                "bind d/a, node n2): the pod runs on n2 already",
            ],
        ),
        (
            changed(node=np.array([-1, -1, -1])),
            ["1 pod is elsewhere: d/a (n1, now pending)"],
            ["evict d/a, node n1): it is pending"],
        ),
        (
            changed(nodes=("n1", "n2", "n4")),
            ["1 node is gone: n3"],
            ["bind d/late, node n3): the node is gone"],
        ),
    ],
)
def test_stale_steps_are_named_with_the_reason(now, change, stale) -> None:
    found = earlier(now, STATED)
    assert found is not None
    assert list(found.changes) == change
    assert found.total == 4
    assert [sentence.split(" (", 1)[1] for sentence in found.stale()] == stale


def test_what_still_applies_is_kept() -> None:
    found = earlier(with_pod("d/a2", 2, -1, owner=0, without=0), STATED)
    assert found is not None
    placement, dropped = found.salvage()
    assert placement.node.tolist() == [0, 2, 1]  # big, late, and a2 where a was to go
    assert dropped == ["bind d/a, node n2: the pod is gone; d/a2 takes its place"]
    found = earlier(with_pod("d/new", 3, 1), STATED)  # no room for a: it stays, big has to wait
    assert found is not None
    placement, dropped = found.salvage()
    assert placement.node.tolist() == [0, -1, 2, 1]
    assert dropped == [
        "bind d/a, node n2: there is not enough cpu",
        "bind d/big, node n1: there is not enough cpu",
    ]


def test_a_bare_placement_of_other_pods() -> None:
    bare = {"placements": {"d/gone": "n2", "d/a": "n2", "d/big": "n1"}}
    found = earlier(CLUSTER, bare)
    assert found is not None
    assert found.changes == ("1 pod came since: d/late", "1 pod is gone: d/gone")
    assert found.salvage()[0].node.tolist() == [1, 0, -1]


@pytest.mark.parametrize(
    "stated",
    [
        {"placements": 3},
        {"placements": {"d/gone": 3}},
        {"solution": {"placements": {"d/gone": "n1"}, "plan": 3}},
        {"solution": {"placements": {"d/gone": "n1"}, "plan": [3]}},
        {"solution": {"placements": {"d/gone": "n1"}, "plan": [{"action": "evict"}]}},
        {"solution": {"placements": {"d/gone": "n1"}, "plan": [{"action": ["evict"]}]}},
        {"solution": 3},
    ],
)
def test_what_is_no_answer_is_left_to_the_parser(stated) -> None:
    assert earlier(CLUSTER, stated) is None


@pytest.mark.parametrize("seed", range(40))
def test_whatever_happens_the_hint_keeps_the_rules(seed: int) -> None:
    then = random_cluster(seed, nodes=3, pods=8)
    result = cpsched.solve(then, time_limit=0.1, workers=1, method="search")
    stated = {"solution": record(then, result.solution, result.bound)}
    now = random_cluster(seed + 1000, nodes=3, pods=8)
    found = earlier(now, stated)
    if found is not None:
        placement, dropped = found.salvage()
        assert check(now, placement).ok
        assert len(dropped) >= len(set(dropped)) > 0 or not found.stale()
