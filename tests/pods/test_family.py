"""Pod packing through the common layers: solve, check, JSON, CSV, text."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import numpy as np
import pytest
from random_clusters import random_cluster

import cpsched
from cpsched import families, report, solving
from cpsched.checking import check
from cpsched.incumbent import Incumbent
from cpsched.instances.solutions import parse_result
from cpsched.pods import account, objective, running
from cpsched.pods.instance import Cluster
from cpsched.pods.methods import METHODS
from cpsched.pods.plan import make_plan, simulate
from cpsched.pods.solution import Placement
from cpsched.result import Result, Status


def two_nodes(node: tuple[int, ...] = (0, 1, -1), held: tuple[str, ...] = ("", "", "")) -> Cluster:
    """Two nodes of 4, running pods of 2 on each and a pending one of 4: one move makes room."""
    return Cluster(
        name="two",
        resources=("cpu",),
        nodes=("n1", "n2"),
        allocatable=np.array([[4], [4]]),
        pods=("default/a", "default/b", "default/c"),
        request=np.array([[2], [2], [4]]),
        priority=np.array([1, 1, 2]),
        node=np.array(node),
        owners=("default/ReplicaSet/r",),
        owner=np.zeros(3, dtype=np.int32),
        allowed=np.ones((1, 2), dtype=np.bool_),
        profile=np.zeros(3, dtype=np.int32),
        held=held,
        preempts=np.ones(3, dtype=np.bool_),
        grace=np.full(3, 30),
    )


def result(cluster: Cluster, node: tuple[int, ...], digits: tuple[int, ...]) -> Result[Placement]:
    placement = Placement(np.array(node))
    total = objective.objective(cluster, placement.node)
    bound = objective.number(cluster, digits)
    status = Status.OPTIMAL if total == bound else Status.FEASIBLE
    return Result("two", "pods", "auto", status, total, bound, placement, (), 0.1, 0)


def test_registry_knows_every_family() -> None:
    assert sorted(families.names()) == ["jobshop", "pods", "reassignment", "vms"]
    assert families.of(two_nodes()).INSTANCE is Cluster
    with pytest.raises(cpsched.InputError, match="unknown family 'zoo'"):
        families.get("zoo")


def test_solution_record_of_the_proven_optimum() -> None:
    cluster = two_nodes()
    found = report.record(cluster, result(cluster, (1, 1, 0), (0, 0, 1)))["solution"]
    assert found["tiers"] == [
        {"priority": 2, "pods": 1, "placed_before": 0, "placed": 1, "bound": 1, "proven": True},
        {"priority": 1, "pods": 2, "placed_before": 2, "placed": 2, "bound": 2, "proven": True},
    ]
    assert (found["moved"], found["evicted"]) == (1, 0)
    assert (found["disruption"], found["disruption_bound"]) == (1, 1)
    assert found["disruption_proven"] is True
    assert found["placements"] == {"default/a": "n2", "default/b": "n2", "default/c": "n1"}
    assert found["unplaced"] == []
    assert [(step["action"], step["pod"], step["node"]) for step in found["plan"]] == [
        ("evict", "default/a", "n1"),
        ("bind", "default/a", "n2"),
        ("bind", "default/c", "n1"),
    ]


def test_a_stage_after_an_open_one_is_not_proven() -> None:
    cluster = two_nodes()
    rows = account.stage_rows(
        cluster, Placement.now(cluster), objective.number(cluster, (0, 0, 0))
    )
    assert [(row.value, row.bound, row.proven) for row in rows] == [
        (1, 0, False),
        (0, 0, False),
        (0, 0, False),
    ]


def test_summary_says_what_moves_where_and_whether_better_exists() -> None:
    cluster = two_nodes()
    text = report.summary(report.Entry(cluster, result(cluster, (1, 1, 0), (0, 0, 1))))
    assert "priority    2: 1 of 1 pod placed (now 0); proven: no more is possible" in text
    assert "1 pod moved, 0 evicted for good, cost 1; proven: no cheaper way exists" in text
    plan = text[text.index("plan:") :].splitlines()
    assert plan[0] == "plan: 3 steps, in this order"
    assert "evict default/a from n1" in plan[1]
    assert "bind default/c on n1" in plan[3]


def test_summary_of_the_current_state_says_why_a_pod_waits() -> None:
    cluster = two_nodes(held=("", "", "scheduling gate"))
    text = report.summary(report.Entry(cluster, result(cluster, (0, 1, -1), (0, 0, 0))))
    assert "default/c  scheduling gate" in text
    assert "at most 1 possible" in text
    assert "plan: nothing to do" in text


@pytest.mark.parametrize("seed", range(12))
def test_csv_and_json_hold_the_placement(seed: int) -> None:
    cluster = random_cluster(seed)
    now = Placement.now(cluster)
    done = result(cluster, tuple(now.node.tolist()), objective.values(cluster, now.node))
    rows = list(
        csv.DictReader(io.StringIO(report.csv_header("pods") + report.csv_rows(cluster, done)))
    )
    names = [*cluster.nodes, ""]
    assert [row["pod"] for row in rows] == list(cluster.pods)
    assert [row["node"] for row in rows] == [names[node] for node in cluster.node.tolist()]
    done = replace(done, instance=cluster.name)
    line = report.json_line(report.record(cluster, done))
    assert parse_result(line.encode(), "r.json", cluster)[1] == now


def test_trivial_bound_counts_held_pending_pods() -> None:
    free, held = two_nodes(), two_nodes(held=("", "", "gate"))
    assert objective.digits(free, running.trivial_bound(free)) == (0, 0, 0)
    assert objective.digits(held, running.trivial_bound(held)) == (1, 0, 0)


@pytest.mark.parametrize("method", list(METHODS))
def test_every_method_answers_with_a_plan(method: str) -> None:
    for cluster in (two_nodes(), random_cluster(4), random_cluster(7)):
        done = cpsched.solve(cluster, method=method, time_limit=0.5)
        assert done.solution is not None
        assert check(cluster, done.solution).objective == done.objective
        assert done.objective <= objective.objective(cluster, cluster.node)
        end = simulate(cluster, make_plan(cluster, done.solution))
        assert end.tolist() == done.solution.node.tolist()
        assert report.summary(report.Entry(cluster, done))


def test_current_state_is_offered_before_any_method() -> None:
    cluster = two_nodes()
    incumbent: Incumbent[Placement] = Incumbent(5.0)
    incumbent.finish()
    running.start(cluster, cpsched.Limits(5.0, 1, 0), "auto", incumbent).join()
    assert incumbent.solution is not None
    assert incumbent.trace[0].source == "current state"


def test_methods_of_the_other_family_are_refused() -> None:
    with pytest.raises(cpsched.InputError, match="method tabu cannot solve two"):
        solving.check_supported("tabu", two_nodes())
    with pytest.raises(cpsched.InputError, match="cannot solve ft06"):
        solving.check_supported("best-fit", cpsched.read("ft06"))
