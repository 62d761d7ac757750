"""The learned heuristic: every trajectory is allowed, step by step, and worth what it says."""

from __future__ import annotations

import random
import time
from dataclasses import replace

import numpy as np
import pytest
from random_vms import small

from cpsched.errors import InputError
from cpsched.instances.generate_vms import generate_vms
from cpsched.vms import objective
from cpsched.vms.check import check
from cpsched.vms.greedy import NoWayError
from cpsched.vms.instance import Policy, VmCluster
from cpsched.vms.score import Moves, Network, num_weights
from cpsched.vms.simulate import Occupancy, PlanError, simulate
from cpsched.vms.solution import Migration


def network(seed: int, width: int = 5) -> Network:
    rng = np.random.default_rng(seed)
    return Network(rng.normal(0, 0.5, num_weights(width)), width)


def worth(one: VmCluster, numa: np.ndarray) -> int:
    kinds = one.policy.fragments
    return sum(
        w * objective.slots(one, numa, k) for w, k in zip(objective.worth(one), kinds, strict=True)
    )


@pytest.mark.parametrize("seed", range(200))
def test_trajectories_keep_every_rule(seed: int) -> None:
    one = small(random.Random(seed))
    if one.policy.objective == "empty":
        one = replace(one, policy=Policy(max_moves=one.policy.max_moves))
    try:
        moves = Moves(one)
    except NoWayError:
        assert one.evacuate[one.pm].any()
        return
    rng = np.array([seed + 1], np.uint64)
    for temperature in (0.0, 1.0):
        plan, value = moves.run(network(seed), temperature=temperature, rng=rng)
        assert len(value) == len(plan) + 1 <= moves.limit + 1
        for count in range(len(plan) + 1):
            made = moves.migrations(plan, count)
            try:
                end = simulate(one, made)
            except PlanError as problem:
                pytest.fail(str(problem))
            assert worth(one, end) == value[count]
        best = moves.best(value)
        if best is None:
            assert one.policy.goal is not None
            assert not objective.reaches_goal(one, end)
        else:
            assert check(one, moves.migrations(plan, best)).ok


@pytest.mark.parametrize("seed", range(120))
def test_a_trajectory_ends_early_only_where_no_vm_can_move_to_another_pm(seed: int) -> None:
    one = small(random.Random(seed), rules=("conflicts", "apart", "together", "pinned", "closed"))
    one = replace(one, evacuate=[False] * one.num_pms, policy=Policy(max_moves=40))
    moves = Moves(one)
    plan, _ = moves.run(network(seed))
    if len(plan) == moves.limit:
        return
    occupancy = Occupancy(one)
    times = np.zeros(one.num_vms, int)
    for move in moves.migrations(plan, len(plan)).moves:
        occupancy.begin(move)
        occupancy.finish(move)
        times[move.vm] += 1
    for vm in np.flatnonzero(times < 2).tolist():
        for numa in moves.places.numa.tolist():
            place = tuple(n for n in numa if n >= 0)
            if one.numa_pm[place[0]] != occupancy.pm(vm) and len(place) == one.parts[vm]:
                assert list(occupancy.problems(Migration(vm, place)))


def test_draws_differ_and_equal_seeds_are_equal() -> None:
    moves = Moves(generate_vms(40, "high", 5))
    found = []
    for seed in (1, 1, 2):
        rng = np.array([seed], np.uint64)
        found.append(moves.run(network(0), temperature=0.5, rng=rng)[0].tolist())
    assert found[0] == found[1]
    assert found[0] != found[2]


def test_medium_takes_milliseconds() -> None:
    moves = Moves(generate_vms(280, "high", 5))
    net = network(0, 16)
    moves.run(net)
    begin = time.perf_counter()
    plan, _ = moves.run(net)
    assert len(plan) == 50
    assert time.perf_counter() - begin < 0.5


def test_what_it_does_not_do() -> None:
    one = generate_vms(10, "high", 5)
    with pytest.raises(InputError, match="the learned heuristic does not empty PMs"):
        Moves(replace(one, policy=Policy(objective="empty")))
    with pytest.raises(InputError, match="the networks have 255 weights"):
        Network(np.zeros(3), 5)
