"""Why a pod has no place: what is said is so, whatever is moved."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from random_clusters import random_cluster

import cpsched
from cpsched.pods.account import record
from cpsched.pods.instance import Budget, Cluster
from cpsched.pods.reasons import binding, held, unplaced
from cpsched.pods.solution import Placement

CLUSTER = Cluster(
    name="one",
    resources=("cpu", "gpu"),
    nodes=("n1", "n2"),
    allocatable=np.array([[4, 0], [4, 1]]),
    pods=("d/a", "d/b", "d/new"),
    request=np.array([[3, 0], [2, 0], [3, 0]]),
    priority=np.array([1, 1, 9]),
    node=np.array([0, 1, -1]),
    owners=(),
    owner=np.array([-1, -1, -1]),
    allowed=np.ones((2, 2), dtype=bool),
    profile=np.array([0, 0, 1]),
    held=("", "", ""),
    preempts=np.array([True, True, True]),
    grace=np.array([30, 30, 30]),
)


def why(**entries) -> str:
    cluster = replace(CLUSTER, **entries)
    ((pod, reason),) = unplaced(cluster, Placement.now(cluster))
    assert pod == 2
    return reason


def test_reasons_that_no_repack_changes() -> None:
    only_first = np.array([[True, True], [True, False]])
    nowhere = np.array([[True, True], [False, False]])
    zero = (Budget("d/keep", [0, 1], 0),)
    assert why() == "0 of 2 nodes: 2 insufficient cpu"
    assert why(allowed=nowhere).startswith("not allowed on any node")
    assert why(request=np.array([[3, 0], [2, 0], [5, 0]])) == "larger than any node (cpu)"
    assert why(request=np.array([[3, 0], [2, 0], [1, 1]]), allowed=only_first) == (
        "larger than any node that is allowed for it (gpu)"
    )
    assert why(held=("local volume", "mirror pod", "")).startswith("on every node it is allowed")
    assert why(held=("", "", "scheduling gate")) == "scheduling gate"
    assert why(budgets=zero) == (
        "would need room that pods under budget d/keep take, and no disruption is allowed there"
    )
    assert "budget" not in why(budgets=(Budget("d/keep", [0, 1], 1),))
    assert "budget" not in why(budgets=(Budget("d/keep", [0], 0),)), "b may leave n2"


@pytest.mark.parametrize("seed", range(60))
def test_a_lasting_reason_is_never_given_for_a_pod_that_can_be_placed(seed: int) -> None:
    cluster = random_cluster(seed)
    lasting = [
        pod
        for pod, reason in unplaced(cluster, Placement.now(cluster))
        if not reason.startswith(("0 of", "fits"))
    ]
    result = cpsched.solve(cluster, method="cpsat", time_limit=5, workers=1)
    assert result.solution is not None
    assert not [pod for pod in lasting if result.solution.node[pod] >= 0]


def test_held_pods_and_used_up_budgets_are_in_the_record() -> None:
    cluster = replace(
        CLUSTER,
        held=("local volume", "", "gate"),
        budgets=(Budget("d/keep", [1], 0), Budget("d/idle", [2], 0)),
    )
    now = Placement.now(cluster)
    assert held(cluster) == {0: "local volume"}
    assert [(budget.name, used) for budget, used in binding(cluster, now)] == [("d/keep", 0)]
    found = record(cluster, now, None)
    assert found["held"] == {"d/a": "local volume"}
    assert found["budgets"] == [{"name": "d/keep", "allowed": 0, "used": 0}]
    assert found["unplaced"] == [{"pod": "d/new", "reason": "gate"}]
    assert found["policy"]["evict"] == 2
