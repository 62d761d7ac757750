"""First fit decreasing and best fit, by hand and against the filters."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from random_clusters import random_cluster

from cpsched.pods.baselines import best_fit, first_fit_decreasing, sizes
from cpsched.pods.instance import Affinity, Cluster
from cpsched.pods.occupancy import Occupancy


def cluster(sizes: list[int], room: list[int], **changes: Any) -> Cluster:
    """One resource; all pending, of one priority."""
    pods = len(sizes)
    base = Cluster(
        name="baselines",
        resources=("cpu",),
        nodes=tuple(f"n{k}" for k in range(len(room))),
        allocatable=np.array(room)[:, None],
        pods=tuple(f"web/p{k}" for k in range(pods)),
        request=np.array(sizes)[:, None],
        priority=np.ones(pods, dtype=int),
        node=np.full(pods, -1),
        owners=(),
        owner=np.full(pods, -1),
        allowed=np.ones((1, len(room)), dtype=bool),
        profile=np.zeros(pods, dtype=int),
        held=("",) * pods,
        preempts=np.ones(pods, dtype=bool),
        grace=np.zeros(pods, dtype=int),
    )
    return replace(base, **changes)


def test_first_fit_takes_the_first_node_the_largest_pod_first() -> None:
    assert first_fit_decreasing(cluster([2, 3, 5], [5, 5])).node.tolist() == [1, 1, 0]


def test_best_fit_takes_the_node_with_the_least_left() -> None:
    c = cluster([2], [9, 4, 4, 3])
    assert best_fit(c).node.tolist() == [3]
    assert first_fit_decreasing(c).node.tolist() == [0]
    assert best_fit(cluster([2], [9, 4, 4])).node.tolist() == [1]


def test_priority_goes_before_size() -> None:
    c = cluster([5, 4], [5], priority=np.array([1, 2]))
    for method in (first_fit_decreasing, best_fit):
        assert method(c).node.tolist() == [-1, 0]


def test_size_is_the_largest_share_of_a_mean_node() -> None:
    c = cluster(
        [1, 1, 1],
        [1, 1],
        resources=("cpu", "memory", "gpu"),
        allocatable=np.array([[10, 100, 0], [30, 300, 0]]),
        request=np.array([[10, 20, 0], [1, 150, 0], [0, 0, 7]]),
    )
    assert sizes(c).tolist() == [0.5, 0.75, 0.0]


def test_a_pod_that_must_be_near_a_smaller_one_is_tried_again() -> None:
    near = (Affinity("near", [0, 1], [0], [1]),)
    for method in (first_fit_decreasing, best_fit):
        assert method(cluster([3, 1], [9, 9], affinities=near)).node.tolist() == [0, 0]


@pytest.mark.parametrize("method", [first_fit_decreasing, best_fit])
@pytest.mark.parametrize("seed", range(100))
def test_nothing_moves_and_nothing_more_fits(seed: int, method: Any) -> None:
    c = random_cluster(seed, pods=12)
    node = method(c).node
    settled = c.running | c.is_held
    assert (node[settled] == c.node[settled]).all()
    now = Occupancy(c, node)
    over = now.free < 0
    for pod in np.flatnonzero(~settled).tolist():
        if node[pod] < 0:
            assert not now.feasible(pod).any()
        else:
            assert c.allowed[c.profile[pod], node[pod]]
            assert not (over[node[pod]] & (c.request[pod] > 0)).any()
