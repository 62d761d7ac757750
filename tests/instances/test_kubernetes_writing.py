"""Writing a cluster as a snapshot, and reading it again."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from random_clusters import random_cluster

from cpsched.errors import InputError
from cpsched.instances.kubernetes import canonical, dumps_snapshot, is_snapshot, parse_snapshot
from cpsched.pods.instance import Affinity, Budget, Cluster, Spread


def read(text: str) -> Cluster:
    return parse_snapshot([("written.json", text.encode())], "unnamed")


def writable(cluster: Cluster) -> Cluster:
    """*cluster* without the rules that no API object can say."""
    cluster = canonical(cluster)
    kept: list[Affinity] = []
    taken: set[int] = set()
    for affinity in cluster.affinities:
        if taken.isdisjoint(affinity.holders.tolist()):
            kept.append(affinity)
            taken.update(affinity.holders.tolist())
    spreads: list[Spread] = []
    for spread in cluster.spreads:
        if all(
            ((spread.domain < 0) == (other.domain < 0)).all()
            or not np.isin(spread.holders, other.holders).any()
            for other in spreads
        ):
            spreads.append(spread)
    return replace(cluster, affinities=tuple(kept), spreads=tuple(spreads))


@pytest.mark.parametrize("seed", range(300))
def test_reads_back_as_it_was(seed: int) -> None:
    cluster = writable(random_cluster(seed))
    found = read(dumps_snapshot(cluster))
    for entry in fields(Cluster):
        before, after = getattr(cluster, entry.name), getattr(found, entry.name)
        assert np.array_equal(before, after) if isinstance(before, np.ndarray) else before == after
    assert found == cluster
    assert canonical(found) == found


def test_the_random_clusters_have_every_kind_of_rule() -> None:
    clusters = [writable(random_cluster(seed)) for seed in range(300)]
    for rules in ("budgets", "conflicts", "affinities", "spreads"):
        assert sum(bool(getattr(cluster, rules)) for cluster in clusters) >= 30


def test_what_is_written_is_recognised() -> None:
    assert is_snapshot(dumps_snapshot(random_cluster(1)))


def test_resources_without_slots_come_back() -> None:
    cluster = random_cluster(3, rules=())
    cluster = replace(
        cluster,
        resources=("memory", "nvidia.com/gpu"),
        allocatable=cluster.allocatable[:, :2],
        request=np.maximum(cluster.request[:, :2], 1),
    )
    assert read(dumps_snapshot(cluster)) == canonical(cluster)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda c: {"pods": ("p", *c.pods[1:])}, "namespace/name"),
        (lambda c: {"request": np.full_like(c.request, 2)}, "one slot"),
        (lambda c: {"nodes": ("no de", *c.nodes[1:])}, "cannot be called 'no de'"),
        (lambda c: {"priority": c.priority + 2**40}, "no Kubernetes priority"),
        (lambda c: {"pods": ("other/p", *c.pods[1:])}, "owner"),
        (
            lambda c: {
                "pods": (*c.pods[:-1], "other/p"),
                "owner": np.full(c.num_pods, -1),
                "owners": (),
                "spreads": (
                    Spread("s", np.zeros(c.num_nodes, int), [0], range(c.num_pods), max_skew=1),
                ),
            },
            "several namespaces",
        ),
        (
            lambda c: {
                "affinities": tuple(
                    Affinity(name, np.zeros((1, c.num_nodes), int), [0], [1]) for name in "ab"
                )
            },
            "several affinities",
        ),
        (
            lambda c: {
                "pods": (*c.pods[:-1], "other/p"),
                "owner": np.full(c.num_pods, -1),
                "owners": (),
                "node": np.zeros(c.num_pods, int),
                "budgets": (Budget("b", range(c.num_pods), 1),),
            },
            "several namespaces",
        ),
    ],
)
def test_what_an_api_object_cannot_say_is_refused(change, reason) -> None:
    cluster = random_cluster(2, nodes=3, pods=6, rules=())
    cluster = replace(cluster, **change(cluster))
    with pytest.raises(InputError, match=reason):
        dumps_snapshot(cluster)
