"""CP-SAT stage by stage against brute force; its bounds, its end."""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest
from random_clusters import random_cluster

from cpsched.incumbent import Incumbent
from cpsched.pods import cpsat, objective, offering
from cpsched.pods.check import check
from cpsched.pods.cpsat import solve_by_stages
from cpsched.pods.solution import Placement
from cpsched.result import CheckReport

if TYPE_CHECKING:
    from cpsched.pods.instance import Cluster


def solved(cluster: Cluster, seconds: float = 20.0) -> Incumbent[Placement]:
    incumbent: Incumbent[Placement] = Incumbent(seconds)
    solve_by_stages(cluster, incumbent, workers=1, seed=0)
    return incumbent


def best_number(cluster: Cluster, forbidden: Placement | None = None) -> int:
    """Least number of all placements that pass the check."""
    best: int | None = None
    for node in itertools.product(range(-1, cluster.num_nodes), repeat=cluster.num_pods):
        placement = Placement(np.array(node))
        number = objective.objective(cluster, placement.node)
        if placement == forbidden or (best is not None and number >= best):
            continue
        if check(cluster, placement).ok:
            best = number
    assert best is not None
    return best


@pytest.mark.parametrize("block", range(4))
def test_lexicographic_optimum_is_proven(block: int) -> None:
    for seed in range(block * 30, block * 30 + 30):
        cluster = random_cluster(seed, pods=1 + seed % 5)
        if (cluster.num_nodes + 1) ** cluster.num_pods > 800:
            continue
        incumbent = solved(cluster)
        assert incumbent.solution is not None
        assert check(cluster, incumbent.solution).objective == incumbent.objective
        assert incumbent.objective == incumbent.bound == best_number(cluster), seed


def test_placement_without_a_plan_is_forbidden(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = next(
        c
        for c in (random_cluster(seed, pods=4, nodes=2) for seed in range(100))
        if solved(c).objective != objective.objective(c, c.node)
    )
    refused = solved(cluster).solution

    def strict(what: Cluster, placement: Placement) -> CheckReport:
        if placement == refused:
            return CheckReport(None, ("no executable plan",))
        return check(what, placement)

    monkeypatch.setattr(offering, "check", strict)
    incumbent = solved(cluster)
    assert incumbent.solution != refused
    assert incumbent.objective is not None
    assert incumbent.objective == best_number(cluster, refused)
    assert incumbent.bound is not None
    assert incumbent.bound <= incumbent.objective


def test_bounds_and_answers_when_time_is_short() -> None:
    cluster = random_cluster(5, nodes=8, pods=60)
    started = time.perf_counter()
    incumbent = solved(cluster, 1.0)
    assert time.perf_counter() - started < 3.0
    assert incumbent.solution is not None
    assert check(cluster, incumbent.solution).objective == incumbent.objective
    assert incumbent.bound is not None
    assert incumbent.objective is not None
    assert 0 <= incumbent.bound <= incumbent.objective


def test_too_large_a_model_is_not_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpsat, "MAX_PAIRS", 3)
    incumbent = solved(random_cluster(0, nodes=3, pods=4, rules=()))
    assert incumbent.done
    assert "12 pairs of pods and nodes" in incumbent.reason
    assert incumbent.solution is None
