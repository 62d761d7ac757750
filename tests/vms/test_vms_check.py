"""The check of VM rescheduling: each rule broken once, and a second statement of the rules."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import vms_rules
from random_vms import random_plan, small, steps
from three_pms import cluster, plan

from cpsched.vms.check import MAX_VIOLATIONS_PER_RULE, check
from cpsched.vms.instance import Group, Policy
from cpsched.vms.objective import digits, objective
from cpsched.vms.simulate import Occupancy, PlanError, simulate
from cpsched.vms.solution import Migration, Migrations

if TYPE_CHECKING:
    from cpsched.vms.instance import VmCluster


def broken(one: VmCluster, migrations: Migrations) -> str:
    """The only sentence about *migrations*; simulate says the same of steps."""
    report = check(one, migrations)
    assert not report.ok
    assert report.objective is None
    assert len(report.violations) == 1, report.violations
    return report.violations[0]


def test_a_plan_that_keeps_every_rule() -> None:
    one = cluster()
    report = check(one, plan((0, 3), (4, 0, 1), (3, 4)))
    assert report.ok, report.violations
    assert report.objective == objective(one, plan((0, 3), (4, 0, 1), (3, 4)))
    assert digits(one, report.objective)[1:] == (3, 3)
    assert check(one, Migrations()).ok


@pytest.mark.parametrize(
    ("changes", "moves", "words"),
    [
        ({}, [(5, 0)], "step 1 (VM number 5 to PM p NUMA 0): the VM must be in 0..4"),
        ({}, [(-1, 0)], "the VM must be in 0..4"),
        ({}, [(0, 6)], "NUMA nodes must be in 0..5"),
        ({}, [(0, -1)], "NUMA nodes must be in 0..5"),
        ({}, [(0, 4, 5)], "the VM has 1 parts, the step 2 NUMA nodes"),
        ({}, [(4, 0)], "the VM has 2 parts, the step 1 NUMA nodes"),
        ({}, [(4, 1, 3)], "not of one PM"),
        ({}, [(0, 0)], "the VM is there already"),
        ({}, [(4, 5, 4)], "the VM is there already"),
        ({"pinned": ("gpu", "", "", "", "")}, [(0, 3)], "it is pinned: gpu"),
        ({"closed": [False, True, False]}, [(0, 3)], "the PM accepts no VM"),
        ({"closed": [False, True, False]}, [(2, 3)], "the PM accepts no VM"),
        ({"allowed": [[True, False, True]]}, [(0, 3)], "the PM is not allowed for it"),
        ({}, [(0, 2)], "PM q NUMA 0 has 0 of cpu free, not 4000"),
        ({}, [(2, 0)], "PM p NUMA 0 has 4000 of cpu free, not 8000"),
        (
            {"capacity": [[8000, 1024]] * 3 + [[8000, 255]] + [[8000, 1024]] * 2},
            [(0, 3)],
            "memory",
        ),
        ({"conflicts": [[0, 2]]}, [(0, 3)], "it conflicts with VM c, which is there"),
        ({"conflicts": [[2, 0]]}, [(0, 3)], "it conflicts with VM c, which is there"),
        (
            {"groups": (Group("g", "anti-affinity", "pm", [0, 2]),)},
            [(0, 3)],
            "anti-affinity group g lets 1 of its VMs be on one PM, where 1 others are",
        ),
        (
            {"groups": (Group("g", "anti-affinity", "pm", [0, 2, 3], 2),)},
            [(3, 3), (0, 3)],
            "lets 2 of its VMs be on one PM, where 2 others are",
        ),
        (
            {"groups": (Group("g", "anti-affinity", "rack", [0, 2]),), "rack": [0, 1, 1]},
            [(0, 4)],
            "be on one rack",
        ),
        (
            {"groups": (Group("g", "affinity", "pm", [0, 1]),)},
            [(0, 3)],
            "affinity group g keeps its VMs on one PM, and VM b is on another",
        ),
        (
            {"groups": (Group("g", "affinity", "rack", [0, 3]),), "rack": [0, 1, 0]},
            [(3, 3)],
            "affinity group g keeps its VMs on one rack, and VM a is on another",
        ),
        ({"policy": Policy(max_moves=1)}, [(0, 3), (3, 4)], "2 migrations, the limit is 1"),
        ({}, [(3, 4), (3, 5), (3, 4)], "VM d moves 3 times; twice, with a hop, is the most"),
        ({"evacuate": [False, True, False]}, [], "VM c is left on PM q, which is to be evacuated"),
        (
            {"policy": Policy(objective="goal", goal=(1, 5))},
            [],
            "the fragment rate at the end is 1.0000, the goal is 1/5",
        ),
    ],
)
def test_each_rule_is_refused(
    changes: dict[str, Any], moves: list[tuple[int, ...]], words: str
) -> None:
    assert words in broken(cluster(**changes), plan(*moves))


def test_a_vm_that_leaves_still_counts_until_it_has_left() -> None:
    """A swap of two VMs that fill their NUMA nodes has no order, with a hop it has."""
    full = cluster(
        demand=np.array([[8000, 1]] * 3 + [[0, 0], [0, 0]]),
        numa=[[0, -1], [2, -1], [4, -1], [5, -1], [4, 5]],
    )
    assert not check(full, plan((0, 2), (1, 0))).ok
    assert check(full, plan((0, 3), (1, 0), (0, 2))).ok


def test_within_a_pm_groups_and_conflicts_are_not_asked() -> None:
    rules = (Group("g", "anti-affinity", "pm", [0, 1]), Group("h", "affinity", "rack", [0, 2]))
    one = cluster(groups=rules, conflicts=[[0, 1]])
    assert check(one, plan((0, 1))).ok


def test_what_is_over_committed_accepts_nothing_of_that_resource() -> None:
    one = cluster(capacity=np.array([[8000, 1024], [2000, 1024], *[[8000, 1024]] * 4]))
    assert one.free[1, 0] == -2000
    assert "has 0 of cpu free" in broken(one, plan((0, 1)))
    assert check(one, plan((3, 1))).ok  # asks for nothing
    assert check(one, plan((1, 3))).ok


def test_joining_an_affinity_group_is_allowed() -> None:
    one = cluster(groups=(Group("g", "affinity", "pm", [0, 2]),))
    assert check(one, plan((0, 3))).ok


def test_a_vm_on_its_way_counts_on_both_sides() -> None:
    wide: dict[str, Any] = {"capacity": [[16000, 1024]] * 6}
    apart = Group("apart", "anti-affinity", "pm", [0, 1])
    for rules, words in (({"groups": (apart,)}, "apart"), ({"conflicts": [[0, 1]]}, "conflicts")):
        occupancy = Occupancy(cluster(**wide, **rules))
        occupancy.begin(Migration(0, (3,)))  # from p to q
        assert words in " ".join(occupancy.problems(Migration(1, (2,))))
        assert not list(occupancy.problems(Migration(1, (4,))))
        occupancy.begin(Migration(1, (4,)))
        occupancy.finish(Migration(1, (4,)))
        assert words in " ".join(occupancy.problems(Migration(1, (1,))))  # a has not left p yet
        occupancy.finish(Migration(0, (3,)))
        assert not list(occupancy.problems(Migration(1, (1,))))
    # Two that are to be together do not swap their places.
    occupancy = Occupancy(cluster(groups=(Group("near", "affinity", "pm", [0, 3]),)))
    occupancy.begin(Migration(0, (4,)))
    assert "near" in " ".join(occupancy.problems(Migration(3, (0,))))


def test_many_sentences_are_counted() -> None:
    one = cluster(pinned=("x",) * 5)
    report = check(one, plan(*[(0, 3), (0, 0)] * 40))
    assert len(report.violations) == MAX_VIOLATIONS_PER_RULE + 3
    assert report.violations[MAX_VIOLATIONS_PER_RULE] == "and 60 more sentences of that kind"


def test_simulate_names_the_step() -> None:
    with pytest.raises(PlanError, match=r"step 2 \(VM c to PM p NUMA 0\): PM p NUMA 0 has 4000"):
        simulate(cluster(), plan((3, 4), (2, 0)))


@pytest.mark.parametrize("seed", range(40))
def test_every_step_is_judged_as_by_the_second_statement(seed: int) -> None:
    rng = random.Random(seed)
    one = small(rng)
    done = random_plan(rng, one, 3)
    occupancy, places = Occupancy(one), vms_rules.now(one)
    for move in done.moves:
        occupancy.begin(move)
        occupancy.finish(move)
        places[move.vm] = [move.numa]
    assert (simulate(one, done) == done.end(one)).all()
    under_way = [move for move in steps(one) if vms_rules.may_begin(one, places, move)]
    if under_way and rng.random() < 0.7:
        occupancy.begin(under_way[0])
        places[under_way[0].vm].append(under_way[0].numa)
    judged = {True: 0, False: 0}
    for move in steps(one):
        allowed = not list(occupancy.problems(move))
        judged[allowed] += 1
        assert allowed == vms_rules.may_begin(one, places, move), move
    used = one.usage_of(occupancy.numa)
    taken = one.capacity - occupancy.free
    for vm in [vm for vm, held in enumerate(places) if len(held) > 1]:
        used[list(places[vm][1])] += one.demand[vm]
    assert (used == taken).all()
    assert judged[False]


@pytest.mark.parametrize("seed", range(30))
def test_random_plans_pass(seed: int) -> None:
    rng = random.Random(seed)
    one = small(rng)
    report = check(one, random_plan(rng, one))
    assert all("evacuated" in sentence for sentence in report.violations)
