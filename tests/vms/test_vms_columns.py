"""The certifying engine of VM rescheduling against every ordered plan of few steps."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from random_vms import small

from cpsched.incumbent import Incumbent
from cpsched.instances.generate_vms import generate_vms
from cpsched.vms import objective
from cpsched.vms.check import check
from cpsched.vms.columns import Columns, obstacle
from cpsched.vms.instance import Fragment, VmCluster
from cpsched.vms.simulate import Occupancy
from cpsched.vms.solution import Migration, Migrations


def solved(cluster: VmCluster, seconds: float = 10.0) -> Incumbent[Migrations]:
    incumbent: Incumbent[Migrations] = Incumbent(seconds)
    if check(cluster, Migrations()).ok:
        incumbent.offer(objective.objective(cluster, Migrations()), Migrations(), "nothing moves")
    Columns(cluster, incumbent).run(incumbent.deadline)
    return incumbent


def places(cluster: VmCluster, vm: int) -> list[tuple[int, ...]]:
    if cluster.parts[vm] == 1:
        return [(numa,) for numa in range(cluster.num_numa)]
    return [
        pair
        for pm in range(cluster.num_pms)
        for pair in itertools.combinations(cluster.numas_of(pm), 2)
    ]


def best_plan(cluster: VmCluster, steps: int) -> int | None:
    """The best objective of all plans of at most *steps*; None if none keeps the rules."""
    found = []
    if check(cluster, Migrations()).ok:
        found.append(objective.objective(cluster, Migrations()))
    moves = [
        Migration(vm, place) for vm in range(cluster.num_vms) for place in places(cluster, vm)
    ]

    def extend(plan: tuple[Migration, ...], now: Occupancy) -> None:
        for move in moves if len(plan) < steps else ():
            if next(now.problems(move), None) is not None:
                continue
            longer = Migrations((*plan, move))
            if check(cluster, longer).ok:
                found.append(objective.objective(cluster, longer))
            if len(plan) + 1 < steps:
                after = Occupancy(cluster)
                for step in longer.moves:
                    after.begin(step)
                    after.finish(step)
                extend(longer.moves, after)

    extend((), Occupancy(cluster))
    return min(found, default=None)


@pytest.mark.parametrize("seed", range(60))
def test_bounds_and_plans_against_all_plans(seed: int) -> None:
    cluster = small(random.Random(seed))
    # A slot over all NUMA nodes of a PM: where all PMs have one, or all have two.
    wide = set(np.diff(cluster.numa_ptr).tolist()) in ({1}, {2})
    fragments = (Fragment(3), Fragment(8, double=True, weight=2)) if wide else (Fragment(4),)
    policy = replace(
        cluster.policy, max_moves=2, objective="fragments", goal=None, fragments=fragments
    )
    cluster = replace(cluster, policy=policy)
    assert obstacle(cluster) == ""
    incumbent = solved(cluster)
    best = best_plan(cluster, 2)
    if best is None:
        assert incumbent.solution is None
        return
    assert not incumbent.infeasible
    assert incumbent.bound is None or incumbent.bound <= best
    if incumbent.solution is not None:
        assert check(cluster, incumbent.solution).objective == incumbent.objective
        assert incumbent.objective is not None
        assert incumbent.objective >= best


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("double", [False, True])
def test_a_medium_cluster_is_proven(seed: int, double: bool) -> None:
    cluster = generate_vms(pms=80, workload="high", seed=seed)
    fragments = (Fragment(16), *([Fragment(64, double=True)] if double else []))
    cluster = replace(cluster, policy=replace(cluster.policy, max_moves=15, fragments=fragments))
    incumbent = solved(cluster)
    assert incumbent.objective is not None
    assert incumbent.bound is not None
    digits = [objective.digits(cluster, n) for n in (incumbent.objective, incumbent.bound)]
    if double:
        assert digits[0][0] - digits[1][0] <= 1
    else:
        assert digits[0] == digits[1]
    assert np.array(digits[0])[1] <= 15


def test_conflicts_are_kept() -> None:
    cluster = generate_vms(pms=60, workload="high", seed=1, conflicts=20)
    cluster = replace(cluster, policy=replace(cluster.policy, max_moves=12))
    incumbent = solved(cluster)
    assert incumbent.objective == incumbent.bound


def test_a_goal_takes_the_fewest_migrations() -> None:
    cluster = generate_vms(pms=60, workload="high", seed=2)
    goal = (9, 20)
    policy = replace(cluster.policy, objective="goal", goal=goal, max_moves=None)
    asked = replace(cluster, policy=policy)
    incumbent = solved(asked)
    assert incumbent.objective == incumbent.bound
    assert incumbent.solution is not None
    moves = len(incumbent.solution.moves)
    assert moves > 0
    # With one move less, the most slots do not reach the goal.
    policy = replace(cluster.policy, max_moves=moves - 1)
    fewer = solved(replace(cluster, policy=policy))
    assert fewer.objective == fewer.bound
    assert fewer.solution is not None
    end = fewer.solution.end(cluster)
    assert objective.fr(cluster, end, Fragment(16)) > Fraction(*goal)


def test_a_goal_out_of_reach_is_proven_to_be() -> None:
    cluster = generate_vms(pms=40, workload="high", seed=3)
    policy = replace(cluster.policy, objective="goal", goal=(1, 20), max_moves=5)
    incumbent = solved(replace(cluster, policy=policy))
    assert incumbent.infeasible
    assert incumbent.solution is None


def test_a_pm_is_emptied_and_slots_are_gained() -> None:
    cluster = generate_vms(pms=60, workload="mid", seed=4)
    evacuate = np.zeros(cluster.num_pms, dtype=bool)
    evacuate[7] = True
    policy = replace(cluster.policy, max_moves=40)
    incumbent = solved(replace(cluster, policy=policy, evacuate=evacuate))
    assert incumbent.solution is not None
    assert (cluster.numa_pm[incumbent.solution.end(cluster)[:, 0]] != 7).all()
    assert incumbent.bound is not None
    assert incumbent.objective is not None
    assert incumbent.bound <= incumbent.objective


@pytest.mark.parametrize("parts", [1, 2])
def test_clusters_without_single_or_without_double_vms(parts: int) -> None:
    cluster = generate_vms(pms=20, workload="mid", seed=5)
    pinned = tuple("" if own == parts else "stays" for own in cluster.parts)
    fragments = (Fragment(16), Fragment(64, double=True))
    policy = replace(cluster.policy, max_moves=5, fragments=fragments)
    incumbent = solved(replace(cluster, pinned=pinned, policy=policy))
    assert incumbent.objective is not None
    assert incumbent.bound is not None
    assert incumbent.bound <= incumbent.objective


def test_a_cluster_where_nothing_may_move() -> None:
    cluster = generate_vms(pms=10, workload="mid", seed=6)
    incumbent = solved(replace(cluster, pinned=("stays",) * cluster.num_vms))
    assert incumbent.objective == incumbent.bound
    assert incumbent.solution == Migrations()
