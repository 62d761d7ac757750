"""Slots, rates and the objective of VM rescheduling."""

from __future__ import annotations

import random
from fractions import Fraction

import numpy as np
import pytest
from random_vms import random_plan, small
from three_pms import cluster, plan

from cpsched.vms.instance import Fragment, Policy
from cpsched.vms.objective import (
    Goal,
    Stage,
    digits,
    fr,
    free_cpu,
    most_slots,
    move_limit,
    number,
    objective,
    reaches_goal,
    slots,
    stages,
    values,
    weighted_fr,
    worth,
)
from cpsched.vms.solution import Migrations

FOUR, PAIR = Fragment(4), Fragment(8, True)


def test_slots_of_numa_nodes_and_of_pms() -> None:
    # Free cores: 4, 4 | 0, 8 | 6, 6.
    one = cluster()
    assert one.free[:, 0].tolist() == [4000, 4000, 0, 8000, 6000, 6000]
    assert slots(one, one.numa, FOUR) == 1 + 1 + 0 + 2 + 1 + 1
    assert slots(one, one.numa, PAIR) == 1 + 0 + 1
    assert free_cpu(one, one.numa) == 28_000
    assert fr(one, one.numa, FOUR) == Fraction(4, 28)
    assert fr(one, one.numa, PAIR) == Fraction(12, 28)
    assert fr(one, one.numa, Fragment(16)) == 1


def test_only_active_pms_count() -> None:
    one = cluster(active=[True, True, False])
    assert slots(one, one.numa, FOUR) == 4
    assert slots(one, one.numa, PAIR) == 1
    assert free_cpu(one, one.numa) == 16_000


def test_a_pm_with_one_numa_node_is_its_own_pair() -> None:
    one = cluster(numa_pm=[0, 0, 1, 2, 2, 2], policy=Policy(fragments=(Fragment(6, True),)))
    # PM q: nothing of 6 free; PM r: 8, 6 and 6 cores, shares of 2.
    assert slots(one, one.numa, Fragment(6, True)) == 1 + 0 + 3


def test_over_committed_cpu_gives_no_slot_and_is_deducted() -> None:
    one = cluster(capacity=[[8000, 1024], [1000, 1024], *[[8000, 1024]] * 4])
    assert slots(one, one.numa, FOUR) == 5
    assert free_cpu(one, one.numa) == 21_000
    lost = cluster(capacity=[[4000, 1024], [1000, 1024], [0, 0], [0, 0], [2000, 0], [2000, 0]])
    assert fr(lost, lost.numa, FOUR) == 0  # nothing is free in sum


def test_weights() -> None:
    kinds = (Fragment(4, False, 2), Fragment(8, True, 3))
    one = cluster(policy=Policy(fragments=kinds))
    assert worth(one) == (1, 3)  # 8 and 24 in units of 8
    rates = [fr(one, one.numa, kind) for kind in kinds]
    assert weighted_fr(one, one.numa) == (2 * rates[0] + 3 * rates[1]) / 5


def test_stages_of_fragments() -> None:
    one = cluster(policy=Policy(max_moves=3, fragments=(FOUR,)))
    assert most_slots(one, FOUR) == 7
    assert most_slots(one, Fragment(16)) == 0  # 28 cores are free, but no NUMA node has 16
    assert stages(one) == (Stage(Goal.FRAGMENTS, 7), Stage(Goal.MOVES, 3), Stage(Goal.COST, 3))
    assert values(one, Migrations()) == (1, 0, 0)
    # 4, 4 | 4, 4 | 6, 6 would be one slot less again.
    assert values(one, plan((0, 3))) == (1, 1, 1)
    assert objective(one, Migrations()) == 16
    assert digits(one, 16) == (1, 0, 0)


def test_stages_of_goal_and_empty() -> None:
    one = cluster(policy=Policy(objective="goal", goal=(1, 7), fragments=(FOUR,)))
    assert [stage.goal for stage in stages(one)] == [Goal.MOVES, Goal.COST]
    assert reaches_goal(one, one.numa)
    tight = cluster(policy=Policy(objective="goal", goal=(1, 8), fragments=(FOUR,)))
    assert not reaches_goal(tight, one.numa)
    one = cluster(policy=Policy(objective="empty", max_moves=2))
    assert stages(one)[0] == Stage(Goal.OCCUPIED, 3)
    assert values(one, Migrations()) == (3, 0, 0)
    assert values(one, plan((3, 4), (4, 0, 1))) == (3, 2, 2)
    assert values(one, plan((3, 1), (4, 0, 1))) == (2, 2, 2)


def test_slots_gained_on_a_pm_that_is_not_active_are_not_lost_from_sight() -> None:
    """VMs that leave for an inactive, open PM make cpu free: the bound knows."""
    one = cluster(active=[True, True, False], policy=Policy(fragments=(FOUR,)))
    assert most_slots(one, FOUR) == 8
    away = plan((0, 4), (1, 5))
    assert slots(one, away.end(one), FOUR) == 6
    assert min(values(one, away)) >= 0
    closed = cluster(active=[True, True, False], closed=[False, False, True])
    assert most_slots(closed, FOUR) == 4


def test_without_a_limit_each_vm_moves_twice_at_most() -> None:
    one = cluster(policy=Policy(max_moves=None), pinned=("x", "", "", "", ""))
    assert move_limit(one) == 8
    assert stages(one)[1:] == (Stage(Goal.MOVES, 8), Stage(Goal.COST, 8))


@pytest.mark.parametrize("seed", range(80))
def test_every_plan_is_within_the_stages(seed: int) -> None:
    rng = random.Random(seed)
    one = small(rng)
    best = None
    for _ in range(4):
        migrations = random_plan(rng, one, 8)
        found = values(one, migrations)
        assert all(0 <= v <= stage.worst for v, stage in zip(found, stages(one), strict=True))
        total = objective(one, migrations)
        assert digits(one, total) == found
        assert number(one, found) == total
        assert best is None or (total < best[0]) == (found < best[1])
        best = total, found


@pytest.mark.parametrize("seed", range(40))
def test_slots_by_definition(seed: int) -> None:
    rng = random.Random(seed)
    one = small(rng)
    numa = random_plan(rng, one).end(one)
    free = one.capacity[:, 0].tolist()
    for vm, row in enumerate(numa.tolist()):
        for place in row[: one.parts[vm]]:
            free[place] -= int(one.demand[vm, 0])
    for fragment in one.policy.fragments:
        count = 0
        for pm in np.flatnonzero(one.active).tolist():
            rooms = [free[n] for n in one.numas_of(pm)]
            if fragment.double:
                share = fragment.cores * 1000 // len(rooms)
                count += max(0, min(room // share for room in rooms))
            else:
                count += sum(max(0, room) // (fragment.cores * 1000) for room in rooms)
        assert slots(one, numa, fragment) == count
