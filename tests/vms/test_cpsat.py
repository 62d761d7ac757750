"""CP-SAT on VM rescheduling against brute force over ordered plans; its bounds, its end."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from every_plan import best_plan
from random_vms import small, steps
from three_pms import cluster as three

from cpsched.errors import InputError, StopRequestedError
from cpsched.incumbent import Incumbent
from cpsched.instances.generate_vms import generate_vms
from cpsched.protocols import Limits
from cpsched.vms import cpsat, variables
from cpsched.vms.check import check
from cpsched.vms.cpsat import solve_by_stages, solve_in_one_go
from cpsched.vms.model import formulate
from cpsched.vms.policy import Policy

if TYPE_CHECKING:
    from cpsched.vms.instance import VmCluster
    from cpsched.vms.solution import Migrations


def solved(cluster: VmCluster, seconds: float = 30.0) -> Incumbent[Migrations]:
    incumbent: Incumbent[Migrations] = Incumbent(seconds)
    solve_by_stages(cluster, incumbent, workers=1, seed=0)
    return incumbent


def tiny(seed: int, **policy: Any) -> VmCluster | None:
    rng = random.Random(seed)
    cluster = small(rng, max_moves=rng.choice([1, 2, 3]), **policy)
    return cluster if len(steps(cluster)) <= 60 else None


def agrees(cluster: VmCluster, seed: int) -> bool:
    """Whether there is a plan; the optimum is that of brute force over ordered plans."""
    assert cluster.policy.max_moves is not None
    best, _ = best_plan(cluster, cluster.policy.max_moves)
    found = solved(cluster)
    assert found.infeasible is (best is None), seed
    assert found.objective == best, seed
    if best is None:
        return False
    assert found.bound == best, seed
    assert found.solution is not None
    assert check(cluster, found.solution).objective == best
    plain: Incumbent[Migrations] = Incumbent(30.0)
    solve_in_one_go(cluster, plain, workers=1, seed=0)
    assert plain.bound is not None
    assert plain.bound <= best
    if plain.solution is not None:
        assert check(cluster, plain.solution).objective == plain.objective
    return True


@pytest.mark.parametrize("block", range(3))
def test_optimum_is_that_of_brute_force_over_plans(block: int) -> None:
    feasible = infeasible = 0
    for seed in range(40 * block, 40 * block + 40):
        if (cluster := tiny(seed)) is not None:
            one = agrees(cluster, seed)
            feasible, infeasible = feasible + one, infeasible + (not one)
    assert feasible > 10
    assert infeasible > 2


def test_goal_with_fewest_moves_is_that_of_brute_force() -> None:
    feasible = infeasible = 0
    for seed in range(60):
        goal = (random.Random(seed).randint(1, 8), 10)
        cluster = tiny(seed, objective="goal", goal=goal)
        if cluster is not None:
            one = agrees(cluster, seed)
            feasible, infeasible = feasible + one, infeasible + (not one)
    assert feasible > 10
    assert infeasible > 5


@pytest.mark.parametrize("seed", [24, 266, 346, 402])
def test_final_state_that_no_plan_leads_to_is_cut_off(seed: int) -> None:
    cluster = tiny(seed)
    assert cluster is not None
    incumbent: Incumbent[Migrations] = Incumbent(30.0)
    solve = cpsat._Solve(cluster, incumbent, 1, 0)
    solve.rounds()
    assert solve.forbidden
    refused = solve.forbidden[0]
    formulation = formulate(cluster)
    again = formulation.solution(formulation.encode(refused))
    report = check(cluster, again)
    # Without an order, or with a hop that costs more than another state.
    assert not report.ok or len(again.moves) > len(refused.moves)
    assert incumbent.objective == incumbent.bound
    assert agrees(cluster, seed)


def test_time_is_kept_and_bounds_are_honest() -> None:
    cluster = generate_vms(30, "high", 1)
    started = time.perf_counter()
    incumbent = solved(cluster, 2.0)
    assert time.perf_counter() - started < 4.0
    assert incumbent.solution is not None
    assert check(cluster, incumbent.solution).objective == incumbent.objective
    assert incumbent.bound is not None
    assert incumbent.objective is not None
    assert 0 <= incumbent.bound <= incumbent.objective


@pytest.mark.parametrize("method", [cpsat.CPSAT, cpsat.PLAIN])
def test_methods_start_and_end(method: str) -> None:
    cluster = generate_vms(6, "high", 3)
    incumbent: Incumbent[Migrations] = Incumbent(30.0)
    thread = cpsat.start(cluster, Limits(time_limit=30.0, workers=1), method, incumbent)
    thread.join(40.0)
    assert not thread.is_alive()
    assert incumbent.error is None
    assert incumbent.done
    assert incumbent.solution is not None
    assert check(cluster, incumbent.solution).objective == incumbent.objective
    assert incumbent.objective == incumbent.bound


@pytest.mark.parametrize("method", [cpsat.CPSAT, cpsat.PLAIN])
def test_too_large_a_model_is_not_begun(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(variables, "MAX_PAIRS", 3)
    incumbent: Incumbent[Migrations] = Incumbent(30.0)
    cpsat.start(three(), Limits(), method, incumbent).join(10.0)
    assert incumbent.done
    assert "27 pairs of VMs and places are more than the 3 of a model" in incumbent.reason
    assert incumbent.solution is None
    with pytest.raises(InputError, match="three: 27 pairs of VMs and places"):
        formulate(three())


def test_stop_ends_the_building_of_a_model() -> None:
    with pytest.raises(StopRequestedError):
        formulate(three(), stop=lambda: True)


def test_contradiction_of_limit_and_evacuation_is_proven() -> None:
    cluster = three(evacuate=np.array([True, False, False]), policy=Policy(max_moves=1))
    assert solved(cluster).infeasible
    plain: Incumbent[Migrations] = Incumbent(30.0)
    solve_in_one_go(cluster, plain, workers=1, seed=0)
    assert plain.infeasible
