"""Local search on pods: legal whatever the rules, optimal on tiny clusters, and it stops."""

from __future__ import annotations

import itertools
import threading
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest

from cpsched.errors import InputError
from cpsched.incumbent import Incumbent
from cpsched.pods.check import check
from cpsched.pods.objective import objective, values
from cpsched.pods.search import Search, improve
from cpsched.pods.solution import Placement
from tests.random_clusters import random_cluster

if TYPE_CHECKING:
    from cpsched.pods.instance import Cluster, IntArray


def rule_sentences(cluster: Cluster, node: IntArray) -> list[str]:
    """What the checker says against a placement, the way there left aside."""
    report = check(cluster, Placement(node))
    return [text for text in report.violations if "plan" not in text]


@pytest.mark.parametrize("block", range(6))
def test_keeps_every_rule(block: int) -> None:
    moved = 0
    for seed in range(50 * block, 50 * block + 50):
        cluster = random_cluster(seed, nodes=5, pods=25) if seed % 2 else random_cluster(seed)
        search = Search(cluster, seed)
        search.run(iterations=300)
        assert rule_sentences(cluster, search.best) == [], seed
        assert search.digits == values(cluster, search.best)
        assert objective(cluster, search.best) <= objective(cluster, cluster.node)
        moved += int((search.best != cluster.node).any())
    assert moved >= 10


@pytest.mark.parametrize("seed", range(40))
def test_finds_the_optimum_of_tiny_clusters(seed: int) -> None:
    cluster = random_cluster(seed, pods=5, nodes=3, rules=("profiles", "held"))
    choices = [
        [int(cluster.node[pod])]
        if cluster.is_held[pod]
        else [
            -1,
            *(
                n
                for n in range(cluster.num_nodes)
                if cluster.allowed[cluster.profile[pod], n] or n == cluster.node[pod]
            ),
        ]
        for pod in range(cluster.num_pods)
    ]
    least = min(
        objective(cluster, node)
        for node in map(np.array, itertools.product(*choices))
        if (cluster.usage_of(node) <= cluster.allocatable).all()
    )
    search = Search(cluster, seed)
    search.run(iterations=10_000)
    assert objective(cluster, search.best) == least


def test_the_same_seed_and_iterations_give_the_same() -> None:
    cluster = random_cluster(3, nodes=8, pods=60)
    one, other = Search(cluster, 5), Search(cluster, 5)
    one.run(iterations=6000)
    for part in (1, 999, 3000, 2000):
        other.run(iterations=part)
    assert (one.best == other.best).all()
    assert one.iterations == other.iterations == 6000


def test_goes_on_from_a_start() -> None:
    cluster = random_cluster(4, nodes=6, pods=40, rules=())
    first = Search(cluster, 1)
    first.run(iterations=3000)
    second = Search(cluster, 2, start=first.best)
    assert second.digits == first.digits
    second.run(iterations=500)
    assert second.digits <= first.digits
    with pytest.raises(InputError, match="node indices"):
        Search(cluster, 1, start=first.best[1:])


def test_offers_what_the_checker_passes_and_stops_on_time() -> None:
    cluster = random_cluster(11, nodes=8, pods=60)
    incumbent: Incumbent[Placement] = Incumbent(0.4)
    improve(cluster, incumbent, seed=1)
    assert 0.4 <= incumbent.elapsed < 0.55
    assert incumbent.solution is not None
    report = check(cluster, incumbent.solution)
    assert report.ok
    assert incumbent.objective == objective(cluster, incumbent.solution.node)


def test_halts_at_once() -> None:
    cluster = random_cluster(12, nodes=60, pods=600, rules=())
    incumbent: Incumbent[Placement] = Incumbent(60.0)
    threading.Timer(0.3, incumbent.finish).start()
    improve(cluster, incumbent, seed=1)
    assert incumbent.elapsed < 0.6


def test_stops_at_the_deadline() -> None:
    cluster = random_cluster(12, nodes=8, pods=60, rules=())
    incumbent: Incumbent[Placement] = Incumbent(60.0)
    improve(cluster, incumbent, seed=1, deadline=time.perf_counter() + 0.2)
    assert incumbent.elapsed < 0.4
    assert not incumbent.done
