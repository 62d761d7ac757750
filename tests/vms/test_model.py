"""The VM model against the check: of final states, and of those that plans lead to."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from every_plan import best_plan
from ortools.sat.python import cp_model
from random_vms import random_plan, small, steps
from three_pms import cluster as three
from three_pms import plan

from cpsched.errors import InputError
from cpsched.formulation import Assign
from cpsched.vms.check import check
from cpsched.vms.constraints import cliques
from cpsched.vms.groups import Group
from cpsched.vms.model import formulate, values_without_hops
from cpsched.vms.objective import number
from cpsched.vms.policy import Fragment, Policy
from cpsched.vms.simulate import simulate
from cpsched.vms.solution import Migration, Migrations

if TYPE_CHECKING:
    from cpsched.formulation import Formulation
    from cpsched.vms.instance import VmCluster


def accepted(formulation: Formulation[Migrations], migrations: Migrations) -> int | None:
    """Objective with everything fixed; None if that breaks a constraint."""
    try:
        model = formulation.fixed(migrations)
    except ValueError:
        return None
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    status = solver.solve(model)
    return round(solver.objective_value) if status == cp_model.OPTIMAL else None


def changed(cluster: VmCluster, rng: random.Random) -> Migrations:
    """Up to three VMs go somewhere, rules aside."""
    every = steps(cluster)
    moves = {}
    for move in rng.sample(every, min(len(every), rng.randint(1, 3))):
        if (*move.numa, -1)[:2] != tuple(cluster.numa[move.vm]):
            moves[move.vm] = move
    return Migrations(tuple(moves.values()))


def swapped(cluster: VmCluster, rng: random.Random) -> Migrations:
    """Two VMs change places."""
    one, two = rng.sample(range(cluster.num_vms), 2)
    if cluster.parts[one] != cluster.parts[two] or (cluster.numa[one] == cluster.numa[two]).all():
        return Migrations()
    there = [tuple(numa for numa in cluster.numa[vm].tolist() if numa >= 0) for vm in (two, one)]
    return Migrations((Migration(one, there[0]), Migration(two, there[1])))


@pytest.mark.parametrize("block", range(4))
def test_model_and_check_agree(block: int) -> None:
    kept = broken = 0
    for seed in range(block * 50, block * 50 + 50):
        rng = random.Random(seed)
        cluster = small(rng)
        formulation = formulate(cluster)
        for migrations in (
            Migrations(),
            *(random_plan(rng, cluster) for _ in range(3)),
            *(changed(cluster, rng) for _ in range(5)),
        ):
            value = accepted(formulation, migrations)
            report = check(cluster, migrations)
            if report.ok:
                kept += 1
                assert report.objective is not None
                without = number(cluster, values_without_hops(cluster, migrations))
                assert value == without == formulation.objective(migrations)
                assert value <= report.objective
            if value is None:
                broken += 1
                assert not report.ok
                continue
            again = formulation.solution(formulation.encode(migrations))
            assert np.array_equal(again.end(cluster), migrations.end(cluster))
            if report.ok:
                assert check(cluster, again).objective <= report.objective
    assert kept > 100
    assert broken > 100


def test_what_the_model_accepts_has_a_plan_or_needs_more_moves() -> None:
    """States of the model that brute force does not reach are those that no order leads to."""
    reachable = missed = 0
    for seed in range(200):
        rng = random.Random(seed)
        cluster = small(rng, max_moves=3)
        if len(steps(cluster)) > 24:
            continue
        _, reached = best_plan(cluster, 3)
        formulation = formulate(cluster)
        for _ in range(10):
            migrations = rng.choice([changed, swapped])(cluster, rng)
            if accepted(formulation, migrations) is None:
                continue
            again = formulation.solution(formulation.encode(migrations))
            right = check(cluster, again).ok
            assert right is (again.end(cluster).tobytes() in reached), seed
            reachable, missed = reachable + right, missed + (not right)
    assert reachable > 50
    assert missed > 1


def test_what_bounds_say_follows_from_the_rest() -> None:
    """With them, the same is accepted with the same objective."""
    for seed in range(80):
        rng = random.Random(seed)
        cluster = small(rng)
        plain, bounded = formulate(cluster), formulate(cluster, bounded=True)
        for migrations in (random_plan(rng, cluster), changed(cluster, rng)):
            assert accepted(bounded, migrations) == accepted(plain, migrations), seed


def test_easy_states_are_reached_in_any_order() -> None:
    """Where no rules tie VMs, every order of an accepted state is a plan."""
    easy = hard = 0
    for seed in range(150):
        rng = random.Random(seed)
        cluster = small(rng, rules=("pinned", "profiles", "closed", "inactive", "over"))
        formulation, plain = formulate(cluster, easy=True), formulate(cluster)
        for migrations in (random_plan(rng, cluster, 3), changed(cluster, rng)):
            moves = list(migrations.moves)
            twice = len({move.vm for move in moves}) < len(moves)
            shared = any(
                len(move.numa) == 2
                and not set(move.numa).isdisjoint(cluster.numa[move.vm].tolist())
                for move in moves
            )
            if twice or shared or not moves:
                continue
            if accepted(formulation, migrations) is None:
                hard += accepted(plain, migrations) is not None
                continue
            easy += 1
            for order in itertools.permutations(moves):
                simulate(cluster, Migrations(order))
    assert easy > 50
    assert hard > 5


def test_decisions_go_vm_by_vm_own_place_first() -> None:
    for seed in range(20):
        cluster = small(random.Random(seed))
        formulation = formulate(cluster)
        values = formulation.encode(Migrations())
        places = [decision.literal for decision in formulation.decisions]
        assert places == list(range(len(places)))
        assert all(type(decision) is Assign for decision in formulation.decisions)
        assert values[places].sum() == (~cluster.is_pinned).sum()
        features = formulation.features
        assert features is not None
        assert len(features) == len(places)
        assert np.array_equal(features[:, 0], values[places])
        assert ((features >= 0) & (features <= 1)).all()


def test_cliques_cover_every_conflict_once() -> None:
    rng = random.Random(0)
    for _ in range(30):
        pairs = [rng.sample(range(5), 2) for _ in range(rng.randint(1, 9))]
        cluster = three(conflicts=np.array(pairs, np.int32))
        wanted = {tuple(pair) for pair in cluster.conflicts.tolist()}
        covered = set()
        for clique in cliques(cluster):
            covered |= {(a, b) for a in clique.tolist() for b in clique.tolist() if a < b}
        assert covered == wanted


def test_affinity_group_lets_only_the_last_one_come() -> None:
    group = Group("near", "affinity", "pm", np.array([0, 1, 3]))
    cluster = three(groups=(group,))
    formulation = formulate(cluster)
    assert accepted(formulation, plan((3, 1))) is not None
    # Together again in the end, but no first one could go.
    assert accepted(formulation, plan((0, 4), (1, 5))) is None
    two = formulate(three(groups=(Group("near", "affinity", "pm", np.array([0, 3])),)))
    assert accepted(two, plan((0, 5))) is not None
    assert accepted(two, plan((3, 0))) is not None
    assert accepted(two, plan((0, 5), (3, 0))) is None


def test_number_or_goal_that_does_not_fit_is_an_error() -> None:
    large = (Fragment(16, weight=10**6), Fragment(8, weight=999_999))
    policy = Policy(max_moves=None, fragments=large, cost_unit=1)
    disk = np.full(5, 2**52)
    cluster = three(policy=policy, disk=disk)
    with pytest.raises(InputError, match=r"3 stages .* only methods that go stage by stage"):
        formulate(cluster)
    formulate(cluster, objective="stages")
    hard = Policy(objective="goal", goal=(2**30, 2**31 - 1), fragments=large)
    wide = replace(
        cluster, policy=hard, capacity=np.array([[2**40, 1024]] * 6), disk=np.zeros(5, np.int64)
    )
    with pytest.raises(InputError, match="a fraction with a smaller denominator"):
        formulate(wide)
