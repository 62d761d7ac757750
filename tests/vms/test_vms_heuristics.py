"""Gains against enumeration, bounds against random plans, heuristics against the check."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from random_vms import random_plan, small, steps
from three_pms import cluster

import cpsched
from cpsched.instances.generate_vms import generate_vms
from cpsched.vms import objective
from cpsched.vms.baselines import best_fit
from cpsched.vms.bounds import impossible, is_steady, simple_bound
from cpsched.vms.check import check
from cpsched.vms.greedy import NoWayError, greedy, rate_now
from cpsched.vms.instance import Fragment, Policy, VmCluster
from cpsched.vms.methods import obstacle
from cpsched.vms.moving import NEVER, Moving
from cpsched.vms.partition import partition
from cpsched.vms.simulate import Occupancy
from cpsched.vms.solution import Migration, Migrations

if TYPE_CHECKING:
    from collections.abc import Callable

HEURISTICS: dict[str, Callable[[VmCluster], Moving]] = {
    "greedy": lambda one: greedy(one, lambda: False),
    "best fit": lambda one: best_fit(one, lambda: False),
    "partition": lambda one: partition(one, lambda: False, 0),
}


def worth(one: VmCluster, numa: np.ndarray) -> int:
    kinds = one.policy.fragments
    return sum(
        w * objective.slots(one, numa, k) for w, k in zip(objective.worth(one), kinds, strict=True)
    )


@pytest.mark.parametrize("seed", range(80))
def test_best_move_of_each_vm_is_that_of_enumeration(seed: int) -> None:
    rng = random.Random(seed)
    one = small(rng)
    moving, occupancy = Moving(one), Occupancy(one)
    for _ in range(3):  # at first, and after moves
        now = worth(one, occupancy.numa)
        assert moving.total == now
        moved = [move.vm for move in moving.moves]
        best: dict[int, int] = {}
        for move in steps(one):
            if moved.count(move.vm) < 2 and not list(occupancy.problems(move)):
                end = occupancy.numa.copy()
                end[move.vm] = (*move.numa, -1)[:2]
                gain = worth(one, end) - now
                best[move.vm] = max(best.get(move.vm, NEVER), gain)
        for vm in range(one.num_vms):
            assert moving.best(vm)[0] == best.get(vm, NEVER)
        if not best:
            return
        vm = rng.choice(list(best))
        move = Migration(vm, tuple(n for n in moving.places.numa[moving.best(vm)[1]] if n >= 0))
        occupancy.begin(move)
        occupancy.finish(move)
        moving.move(vm, moving.best(vm)[1])


@pytest.mark.parametrize("name", HEURISTICS)
@pytest.mark.parametrize("seed", range(40))
def test_plans_of_heuristics_keep_every_rule(name: str, seed: int) -> None:
    one = small(random.Random(seed))
    if name == "partition" and obstacle("pop", one):
        one = replace(one, policy=Policy(max_moves=one.policy.max_moves))
    try:
        moving = HEURISTICS[name](one)
    except NoWayError:
        assert one.evacuate[one.pm].any()
        return
    plan = Migrations(tuple(moving.moves))
    report = check(one, plan)
    assert report.ok, report.violations
    end = plan.end(one)
    assert moving.total == worth(one, end)
    assert rate_now(moving) == objective.weighted_fr(one, end)
    if not one.evacuate.any() and one.policy.objective == "fragments":
        assert moving.total >= worth(one, one.numa)


@pytest.mark.parametrize("name", HEURISTICS)
def test_heuristics_lower_the_rate(name: str) -> None:
    one = generate_vms(70, "high", 3)
    moving = HEURISTICS[name](one)
    assert 0 < len(moving.moves) <= 50
    assert moving.total > worth(one, one.numa)
    assert check(one, Migrations(tuple(moving.moves))).ok


def test_greedy_takes_the_largest_gain_first_and_ends_where_none_is_left() -> None:
    one = replace(
        generate_vms(40, "high", 5), policy=Policy(max_moves=None, fragments=(Fragment(16),))
    )
    moving = Moving(one)
    most = max(moving.best(vm)[0] for vm in range(one.num_vms))
    done = greedy(one, lambda: False)
    first = Migrations(tuple(done.moves[:1]))
    assert worth(one, first.end(one)) - worth(one, one.numa) == most
    assert max(done.best(vm)[0] for vm in range(one.num_vms)) <= 0


def test_a_goal_ends_the_climb_and_a_goal_out_of_reach_is_no_plan() -> None:
    one = generate_vms(40, "high", 5)
    now = objective.weighted_fr(one, one.numa)
    goal = now * 3 / 4
    policy = Policy(objective="goal", goal=(goal.numerator, goal.denominator))
    moving = greedy(replace(one, policy=policy), lambda: False)
    assert rate_now(moving) <= goal
    before = Migrations(tuple(moving.moves[:-1])).end(one)
    assert objective.weighted_fr(one, before) > goal, "it stops as soon as it can"
    with pytest.raises(NoWayError, match=r"the goal 0/1 was not reached: .* after \d+ migrations"):
        greedy(replace(one, policy=replace(policy, goal=(0, 1))), lambda: False)


def test_empty_pms_are_made_and_what_cannot_be_emptied_stays_as_it_is() -> None:
    one = generate_vms(30, "low", 1)
    one = replace(one, policy=Policy(objective="empty", max_moves=40))
    moving = greedy(one, lambda: False)
    used = lambda pm: len(np.unique(pm))  # noqa: E731
    assert used(moving.pm) < used(one.pm)
    plan = Migrations(tuple(moving.moves))
    assert check(one, plan).ok
    emptied = np.setdiff1d(one.pm, moving.pm)
    moved = [move.vm for move in plan.moves]
    assert sorted(moved) == np.flatnonzero(np.isin(one.pm, emptied)).tolist()


def test_parts_of_a_partition_keep_to_themselves() -> None:
    one = generate_vms(140, "high", 1)
    moving = partition(one, lambda: False, 4)
    part = np.random.default_rng(4).permutation(140) % 2
    for move in moving.moves:
        assert part[one.pm[move.vm]] == part[one.numa_pm[move.numa[0]]]
    assert {int(part[one.pm[move.vm]]) for move in moving.moves} == {0, 1}


def test_a_partition_into_one_part_is_the_exact_answer() -> None:
    one = generate_vms(40, "high", 7)
    moving = partition(one, lambda: False, 0)
    exact = cpsched.solve(one, workers=1)
    assert exact.status == "optimal"
    assert objective.objective(one, Migrations(tuple(moving.moves))) == exact.objective


def test_an_evacuation_beyond_the_limit() -> None:
    one = cluster(evacuate=[True, False, False], policy=Policy(max_moves=1))
    with pytest.raises(NoWayError, match="the limit of 1 migrations leaves VM"):
        greedy(one, lambda: False)
    assert next(impossible(one)) == (
        "2 VMs are on PMs that are to be evacuated, and the limit is 1 migrations"
    )


@pytest.mark.parametrize("seed", range(150))
def test_bounds_hold_for_random_plans(seed: int) -> None:
    rng = random.Random(seed)
    one = small(rng)
    if seed % 3 == 0:
        goal = Policy(objective="goal", goal=(rng.randint(1, 9), 10))
        one = replace(one, policy=replace(goal, fragments=one.policy.fragments))
    bound, why = simple_bound(one), list(impossible(one))
    for _ in range(10):
        report = check(one, random_plan(rng, one))
        if report.ok:
            assert not why
            assert report.objective is not None
            assert report.objective >= bound


def test_bounds_meet_what_is_reached_in_simple_cases() -> None:
    one = cluster(policy=Policy(objective="empty"))
    first = objective.digits(one, simple_bound(one))
    assert first[:2] == (1, 3), "one VM leaves q, two leave p or r"
    eight = cluster(policy=Policy(max_moves=1, fragments=(Fragment(8),)))
    done = greedy(eight, lambda: False)
    plan = Migrations(tuple(done.moves))
    assert objective.objective(eight, plan) == simple_bound(eight), "one slot in one move"


def test_what_is_impossible_is_said_with_names() -> None:
    large = cluster(
        evacuate=[False, True, False], capacity=[[4000, 1024]] * 2 + [[8000, 1024]] * 4
    )
    assert not list(impossible(large)), "r is large enough"
    narrow = cluster(
        evacuate=[False, True, False], allowed=[[True, True, False]], capacity=large.capacity
    )
    assert list(impossible(narrow)) == [
        "VM c of PM q, which is to be evacuated, is allowed on no open PM that is large enough "
        "for it"
    ]
    goal = Policy(objective="goal", goal=(0, 1), fragments=(Fragment(5),))
    (said,) = impossible(cluster(policy=goal))
    assert said.startswith("no plan within the limits reaches the goal 0/1: the fragment rate")


def test_free_cpu_is_steady_only_between_pms_that_count() -> None:
    assert is_steady(cluster())
    assert not is_steady(cluster(active=[True, True, False]))
    assert not is_steady(cluster(active=[True, True, False], closed=[False, False, True]))
    gone = {"active": [True, False, True], "closed": [False, True, False]}
    assert not is_steady(cluster(**gone)), "c may come from q"
    assert is_steady(cluster(**gone, pinned=("", "", "x", "", "")))
