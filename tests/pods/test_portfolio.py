"""The portfolio against CP-SAT on the model, brute force and the clock."""

from __future__ import annotations

import itertools
import threading
import time
from dataclasses import replace

import numpy as np
import pytest
from random_clusters import random_cluster

import cpsched
from cpsched.instances import generate_pods
from cpsched.instances.formats.scenario import to_cluster
from cpsched.pods import objective
from cpsched.pods.check import check
from cpsched.pods.instance import Cluster
from cpsched.pods.packing import PodPacking
from cpsched.pods.solution import Placement
from cpsched.result import Status

PACKING = ("budgets", "conflicts", "held", "profiles")


def scenario(nodes: int, per_node: int, priorities: int, share: float, seed: int):
    return to_cluster(generate_pods.scenario(nodes, per_node, priorities, share, seed))


@pytest.mark.parametrize("seed", range(40))
def test_auto_proves_what_brute_force_finds(seed: int) -> None:
    cluster = random_cluster(seed, nodes=1 + seed % 3, pods=1 + seed % 5)
    best = None
    for node in itertools.product(range(-1, cluster.num_nodes), repeat=cluster.num_pods):
        report = check(cluster, Placement(np.array(node)))
        if report.ok and report.objective is not None:
            best = report.objective if best is None else min(best, report.objective)
    result = cpsched.solve(cluster, time_limit=20, workers=1)
    assert result.status is Status.OPTIMAL
    assert result.objective == result.bound == best


@pytest.mark.parametrize("seed", range(100, 130))
def test_columns_prove_what_cpsat_proves(seed: int) -> None:
    cluster = random_cluster(seed, nodes=3, pods=9, rules=PACKING)
    one = cpsched.solve(cluster, time_limit=20, workers=1, method="columns")
    other = cpsched.solve(cluster, time_limit=20, workers=1, method="cpsat")
    assert other.status is Status.OPTIMAL
    assert one.bound is not None
    assert one.bound <= other.objective <= one.objective
    if PodPacking(cluster).exact:
        assert one.status is Status.OPTIMAL


def test_the_middle_sized_scenario_is_proven() -> None:
    cluster = scenario(16, 4, 2, 0.9, 1000)
    result = cpsched.solve(cluster, time_limit=30, workers=1)
    assert result.status is Status.OPTIMAL
    model = cpsched.solve(cluster, time_limit=3, workers=1, method="cpsat", hint=result.solution)
    assert model.bound is not None
    assert model.bound <= result.objective == model.objective


@pytest.mark.parametrize("workers", [1, 2])
def test_large_scenarios_improve_and_keep_the_limit(workers: int) -> None:
    cluster = scenario(32, 8, 4, 1.05, 1000)
    cpsched.solve(scenario(4, 4, 1, 1.0, 1), time_limit=1, workers=1)  # kernels
    start = time.perf_counter()
    result = cpsched.solve(cluster, time_limit=1, workers=workers)
    assert time.perf_counter() - start < 1.5
    tiers = len(cluster.tiers)
    before = objective.values(cluster, cluster.node)
    after = objective.digits(cluster, result.objective)
    bound = objective.digits(cluster, result.bound)
    assert after[: tiers - 1] == bound[: tiers - 1] == (0,) * (tiers - 1) < before[: tiers - 1]
    assert 0 < bound[tiers - 1] <= after[tiers - 1] < sum(before[:tiers])


def test_a_stop_is_obeyed() -> None:
    cluster = scenario(32, 8, 4, 1.05, 1001)
    stop = threading.Event()
    threading.Timer(0.4, stop.set).start()
    result = cpsched.solve(cluster, time_limit=60, workers=1, stop=stop)
    assert result.wall_time < 10
    assert check(cluster, result.solution).ok


@pytest.mark.parametrize("seed", range(60))
def test_contents_and_placements_are_the_same_thing(seed: int) -> None:
    cluster = random_cluster(seed, pods=9)
    pods = PodPacking(cluster)
    now = pods.contents(cluster.node)
    again = pods.place(now)
    # Interchangeable pods: as many of each type on each node, and everything stays.
    assert (pods.contents(again) == now).all()
    assert objective.values(cluster, again) == objective.values(cluster, cluster.node)
    rng = np.random.default_rng(seed)
    node = np.where(
        cluster.is_held, cluster.node, rng.integers(-1, cluster.num_nodes, cluster.num_pods)
    ).astype(np.int32)
    packed = pods.place(pods.contents(node))
    assert (pods.contents(packed) == pods.contents(node)).all()
    # Of equal contents, the placement that disturbs least.
    assert objective.objective(cluster, packed) <= objective.objective(cluster, node)


def test_values_of_aims_are_the_digits() -> None:
    for seed in range(60):
        cluster = random_cluster(seed, pods=9)
        pods = PodPacking(cluster)
        contents = pods.contents(cluster.node)
        stays = np.minimum(contents, pods.home).sum(axis=0)
        items = pods.packing.items
        values = [aim.value(items, contents.sum(axis=0), stays) for aim in pods.packing.aims]
        digits = [c - u * v for c, u, v in zip(pods.constant, pods.unit, values, strict=True)]
        assert tuple(digits) == objective.values(cluster, cluster.node)


@pytest.mark.parametrize("method", ["auto", "columns", "cpsat"])
def test_a_pod_without_a_request_comes_where_held_pods_take_too_much(method: str) -> None:
    """A held pod uses 6 of 4 cpu: what requests none may still come."""
    cluster = Cluster(
        name="over",
        resources=("cpu", "pods"),
        nodes=("n",),
        allocatable=np.array([[4, 10]]),
        pods=("default/held", "default/none", "default/huge"),
        request=np.array([[6, 1], [0, 1], [99, 1]]),
        priority=np.zeros(3, dtype=np.int64),
        node=np.array([0, -1, -1]),
        owners=(),
        owner=np.full(3, -1),
        allowed=np.ones((1, 1), dtype=np.bool_),
        profile=np.zeros(3, dtype=np.int32),
        held=("mirror pod", "", ""),
        preempts=np.ones(3, dtype=np.bool_),
        grace=np.zeros(3, dtype=np.int64),
    )
    result = cpsched.solve(cluster, time_limit=5, workers=1, method=method)
    assert objective.digits(cluster, result.objective) == (1, 0)
    assert result.bound is not None
    assert result.bound <= result.objective


def test_an_endless_grace_period_has_a_price() -> None:
    cluster = random_cluster(3, nodes=2, pods=4)
    endless = replace(cluster, grace=np.full(4, 2**63 - 1))
    assert (endless.evict_cost > 0).all()
    assert cpsched.solve(endless, time_limit=5, workers=1).status is Status.OPTIMAL
