"""Orders of migrations against brute force: hops where they are needed, as cheap as can be."""

from __future__ import annotations

import random
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from every_plan import best_plan
from random_vms import small, steps
from three_pms import cluster as three

from cpsched.instances.generate_vms import generate_vms
from cpsched.vms import ordering
from cpsched.vms.check import check
from cpsched.vms.deadlock import deadlocks, least_extra_cost
from cpsched.vms.objective import objective
from cpsched.vms.ordering import NoPlanError, make_plan, ordered
from cpsched.vms.policy import Policy

if TYPE_CHECKING:
    from cpsched.vms.instance import VmCluster


def test_every_reachable_state_gets_its_best_plan() -> None:
    hops = states = proven = 0
    for seed in range(1000, 1090):
        cluster = small(random.Random(seed), max_moves=3)
        if len(steps(cluster)) > 36:
            continue
        _, reached = best_plan(cluster, 3)
        for end, plan in reached.items():
            numa = np.frombuffer(end, np.int32).reshape(-1, 2)
            found = ordered(cluster, numa)
            assert found.least
            assert objective(cluster, found.plan) == objective(cluster, plan), seed
            assert np.array_equal(found.plan.end(cluster), numa)
            changed = np.flatnonzero((numa != cluster.numa).any(axis=1)).tolist()
            extra = len(plan.moves) - len(changed)
            target = {vm: tuple(n for n in numa[vm].tolist() if n >= 0) for vm in changed}
            sets = deadlocks(cluster, target)
            # No more than are needed, and their cost no higher.
            assert len(sets) <= extra
            if sets and len(sets) == extra:
                costs = cluster.move_cost
                paid = sum(int(costs[move.vm]) for move in plan.moves) - int(costs[changed].sum())
                assert least_extra_cost(cluster, sets, target) <= paid
                proven += 1
            states += 1
            hops += extra > 0
    assert states > 1000
    assert hops > 5
    assert proven > 2


def full(room: int, most: int | None = None) -> VmCluster:
    """VMs 0 and 2 on full NUMA nodes of p and q, to be swapped; r has some room for a hop."""
    return three(
        capacity=np.array([[8000, 1024], [4000, 1024], [8000, 1024], *[[room, 1024]] * 3]),
        demand=np.array([[8000, 256], [4000, 256], [8000, 256], [0, 0], [0, 512]]),
        policy=Policy(max_moves=most),
    )


def test_swap_needs_a_hop() -> None:
    cluster = full(8000)
    end = cluster.numa.copy()
    end[[0, 2]] = end[[2, 0]]
    plan = make_plan(cluster, end)
    assert len(plan.moves) == 3
    assert check(cluster, plan).ok
    assert plan == make_plan(cluster, end)
    with pytest.raises(NoPlanError, match="no order exists with 2 moves in which VMs a, c") as no:
        make_plan(full(8000, 2), end)
    assert no.value.proven
    with pytest.raises(NoPlanError, match="no order exists in which VMs a, c can migrate"):
        make_plan(full(7000), end)
    with pytest.raises(NoPlanError, match="2 VMs change their place, the limit is 1"):
        make_plan(full(8000, 1), end)


def test_search_that_is_cut_short_proves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ordering, "MAX_QUESTIONS", 0)
    cluster = full(7000)
    end = cluster.numa.copy()
    end[[0, 2]] = end[[2, 0]]
    with pytest.raises(NoPlanError, match="no order was found in which") as no:
        make_plan(cluster, end)
    assert not no.value.proven


def test_pinned_vm_is_named() -> None:
    cluster = three(pinned=("licence", "", "", "", ""))
    end = cluster.numa.copy()
    end[0] = (4, -1)
    with pytest.raises(NoPlanError, match="VM a is pinned: licence"):
        make_plan(cluster, end)


def test_fifty_moves_and_three_swaps_are_ordered_fast() -> None:
    policy = Policy(max_moves=100)
    cluster = replace(generate_vms(300, "high", 0), policy=policy)
    rng = random.Random(0)
    free, end = cluster.free.copy(), cluster.numa.copy()
    # Some swap full NUMA nodes; the others go one after the other into room that is free by then,
    # listed by VM: an order must be found.
    large = (cluster.demand[:, 0] == 16000) & (cluster.parts == 1)
    full = np.flatnonzero(large & (cluster.free[cluster.numa[:, 0], 0] < 16000)).tolist()
    for one, other in zip(full[0:6:2], full[1:6:2], strict=True):
        end[one], end[other] = cluster.numa[other], cluster.numa[one]
    single = np.setdiff1d(np.flatnonzero(cluster.parts == 1), full).tolist()
    for vm in rng.sample(single, 50):
        roomy = np.flatnonzero((free >= cluster.demand[vm]).all(axis=1)).tolist()
        numa = rng.choice([one for one in roomy if one != cluster.numa[vm, 0]])
        free[cluster.numa[vm, 0]] += cluster.demand[vm]
        free[numa] -= cluster.demand[vm]
        end[vm, 0] = numa
    started = time.perf_counter()
    found = ordered(cluster, end)
    assert time.perf_counter() - started < 0.5
    assert found.least
    assert len(found.plan.moves) == 50 + 6 + 3
    assert check(cluster, found.plan).ok
