"""The pod model against the check, brute force and the environment's State."""

from __future__ import annotations

import itertools
import random
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from ortools.sat.python import cp_model
from random_clusters import random_cluster

from cpsched.construct import Frame, Outcome, State
from cpsched.errors import InputError, StopRequestedError
from cpsched.formulation import Assign, Reject
from cpsched.pods import objective
from cpsched.pods.check import check
from cpsched.pods.instance import Cluster, IntArray
from cpsched.pods.interchange import canonical, groups
from cpsched.pods.model import formulate
from cpsched.pods.solution import Placement

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cpsched.formulation import Formulation


def verdict(model: cp_model.CpModel) -> tuple[str, int]:
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.catch_sigint_signal = False
    solver.solve(model)
    return solver.response_proto.status.name, round(solver.objective_value)


def accepted(formulation: Formulation[Placement], placement: Placement) -> tuple[str, int]:
    try:
        model = formulation.fixed(placement)
    except ValueError:
        return "INFEASIBLE", 0
    return verdict(model)


def keeps_rules(cluster: Cluster, placement: Placement) -> bool:
    """Whether the final state is right; that no plan leads there is not the model's affair."""
    report = check(cluster, placement)
    return report.ok or report.violations[0].startswith(
        ("no executable plan", "the plan breaks a rule")
    )


def changed(cluster: Cluster, seed: int, count: int = 8) -> Iterator[Placement]:
    """The current state, then some in which up to four pods are elsewhere."""
    rng = random.Random(seed)
    yield Placement.now(cluster)
    for _ in range(count):
        node = cluster.node.copy()
        for pod in rng.sample(range(cluster.num_pods), rng.randint(0, min(cluster.num_pods, 4))):
            node[pod] = rng.randint(-1, cluster.num_nodes - 1)
        yield Placement(node)


def every_placement(cluster: Cluster) -> Iterator[IntArray]:
    for node in itertools.product(range(-1, cluster.num_nodes), repeat=cluster.num_pods):
        yield np.array(node, np.int32)


def tiny(seeds: range, limit: int = 300) -> list[Cluster]:
    clusters = [random_cluster(seed, pods=1 + seed % 5) for seed in seeds]
    return [c for c in clusters if (c.num_nodes + 1) ** c.num_pods <= limit]


@pytest.mark.parametrize("block", range(6))
def test_model_and_check_agree(block: int) -> None:
    kept = broken = 0
    for seed in range(block * 40, block * 40 + 40):
        cluster = random_cluster(seed)
        formulation = formulate(cluster)
        for placement in changed(cluster, seed):
            status, value = accepted(formulation, placement)
            right = keeps_rules(cluster, placement)
            assert status == ("OPTIMAL" if right else "INFEASIBLE"), (seed, placement.node)
            if right:
                kept += 1
                assert value == objective.objective(cluster, placement.node)
                assert formulation.objective(placement) == value
                assert formulation.solution(formulation.encode(placement)) == placement
            broken += not right
    assert kept > 50
    assert broken > 50


def test_optimum_is_that_of_brute_force() -> None:
    for cluster in tiny(range(60)):
        best = min(
            objective.objective(cluster, node)
            for node in every_placement(cluster)
            if keeps_rules(cluster, Placement(node))
        )
        assert verdict(formulate(cluster).model) == ("OPTIMAL", best), cluster.name
        assert verdict(formulate(cluster, symmetric=True).model) == ("OPTIMAL", best), cluster.name


def best_of_all(state: State[Any], cluster: Cluster) -> float:
    """Least number over all orders of decisions."""
    if state.outcome is Outcome.FINISHED:
        placement = state.formulation.solution(state.values())
        assert keeps_rules(cluster, placement)
        return objective.objective(cluster, placement.node)
    best = float("inf")
    for decision in state.legal().tolist():
        state.push()
        state.apply(decision)
        best = min(best, best_of_all(state, cluster))
        state.pop()
    return best


def test_optimum_is_that_of_brute_force_over_the_state() -> None:
    searched = 0
    for cluster in tiny(range(100, 160)):
        formulation = formulate(cluster)
        if not formulation.decisions:
            continue
        state = State(formulation, Frame.NEXT)
        assert verdict(formulation.model) == ("OPTIMAL", best_of_all(state, cluster)), cluster.name
        searched += 1
    assert searched > 20


def test_symmetric_model_keeps_one_of_each() -> None:
    ordered = 0
    for seed in range(80):
        cluster = random_cluster(seed, rules=("conflicts", "budgets", "over", "never"))
        plain, symmetric = formulate(cluster), formulate(cluster, symmetric=True)
        for placement in changed(cluster, seed, 12):
            same = Placement(canonical(cluster, placement.node))
            assert accepted(symmetric, same) == accepted(plain, placement), seed
            if same != placement:
                ordered += 1
                assert accepted(symmetric, placement)[0] == "INFEASIBLE"
        for pods in groups(cluster):
            assert len(set(cluster.node[pods].tolist())) == 1
    assert ordered > 5


def test_decisions_go_pod_by_pod_most_important_first() -> None:
    for seed in range(30):
        cluster = random_cluster(seed)
        formulation = formulate(cluster)
        pods: list[int] = []
        values = formulation.encode(Placement.now(cluster))
        group: list[int] = []
        for decision in formulation.decisions:
            if isinstance(decision, Assign):
                group.append(decision.literal)
                continue
            assert decision == Reject(tuple(group))
            alone = np.zeros_like(values)
            alone[group[0]] = 1
            placed = formulation.solution(alone).node
            pods += np.flatnonzero((placed >= 0) & ~cluster.is_held).tolist()
            group = []
        assert not cluster.is_held[pods].any()
        assert len(set(pods)) == len(pods)
        assert set(np.flatnonzero(cluster.running & ~cluster.is_held)) <= set(pods)
        assert (np.diff(cluster.priority[pods]) <= 0).all()
        features = formulation.features
        assert features is not None
        assert len(features) == len(formulation.decisions)
        assert ((features >= 0) & (features <= 1)).all()


def many_stages() -> Cluster:
    """A cluster with sixty tiers of one running pod each."""
    count = 60
    return Cluster(
        name="tiers",
        resources=("pods",),
        nodes=("a",),
        allocatable=[[count]],
        pods=tuple(f"default/p{k}" for k in range(count)),
        request=[[1]] * count,
        priority=range(count),
        node=[0] * count,
        owners=(),
        owner=[-1] * count,
        allowed=[[True]],
        profile=[0] * count,
        held=("",) * count,
        preempts=[True] * count,
        grace=[30] * count,
    )


def test_number_that_does_not_fit_is_an_error() -> None:
    cluster = many_stages()
    with pytest.raises(InputError, match=r"120 stages .* only methods that go stage by stage"):
        formulate(cluster)
    formulation = formulate(cluster, objective="stages")
    assert len(formulation.stages) == 120
    assert verdict(formulation.model) == ("OPTIMAL", 0)


def test_building_stops_when_asked() -> None:
    with pytest.raises(StopRequestedError):
        formulate(random_cluster(3), stop=lambda: True)
