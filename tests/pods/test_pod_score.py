"""The learned placement: every answer passes the check, and no pod that fits is left out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from random_clusters import random_cluster

from cpsched.agents.data import PodData
from cpsched.errors import InputError
from cpsched.pods.check import check
from cpsched.pods.score import Network, Placing, shapes

if TYPE_CHECKING:
    from cpsched.pods.instance import Cluster


def network(seed: int, width: int = 5) -> Network:
    count = sum(int(np.prod(shape)) for shape in shapes(width).values())
    return Network(np.random.default_rng(seed).normal(0, 1, count), width)


def bare_of_rules(cluster: Cluster) -> Cluster:
    return replace(cluster, affinities=(), spreads=(), conflicts=())


@pytest.mark.parametrize("seed", range(60))
def test_placements_pass_the_check_and_leave_out_no_pod_that_fits(seed: int) -> None:
    cluster = bare_of_rules(random_cluster(seed, pods=12))
    placing = Placing(cluster)
    rng = np.array([seed + 1], np.uint64)
    for temperature in (0.0, 0.5):
        found = placing.run(network(seed), temperature=temperature, rng=rng)
        report = check(cluster, found)
        # Budgets and pods that may not preempt are the plan's affair.
        if cluster.budgets or not cluster.preempts.all():
            continue
        assert report.ok, report.violations
        free = cluster.allocatable - cluster.usage_of(found.node)
        for pod in np.flatnonzero((found.node < 0) & ~cluster.is_held).tolist():
            fits = ((cluster.request[pod] <= free) | (cluster.request[pod] == 0)).all(axis=1)
            assert not (fits & cluster.allowed[cluster.profile[pod]]).any()


def test_equal_seeds_are_equal_and_draws_differ() -> None:
    cluster = PodData(nodes=(8,)).draw(np.random.default_rng(1), 1)[0]
    placing = Placing(cluster)
    found = [
        placing.run(network(3), temperature=1.0, rng=np.array([seed], np.uint64))
        for seed in (1, 1, 2)
    ]
    assert found[0] == found[1] != found[2]


def test_rules_between_pods_are_refused() -> None:
    for seed in range(40):
        cluster = random_cluster(seed, pods=9)
        if cluster.affinities or cluster.spreads or len(cluster.conflicts):
            with pytest.raises(InputError, match="knows no affinities, spreads or conflicts"):
                Placing(cluster)
            return
    pytest.fail("no random cluster has rules")
