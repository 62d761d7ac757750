"""A cluster without what has no effect: equal problems become equal instances."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from cpsched.pods.instance import (
        Affinity,
        BoolArray,
        Budget,
        Cluster,
        Conflict,
        IntArray,
        Spread,
    )

#: Resources that are kept even if nobody requests them.
BASIC: Final = ("cpu", "memory", "pods")


def canonical(cluster: Cluster) -> Cluster:
    """*cluster* without what cannot make a difference.

    * Held pods go nowhere: they share the profile that allows no node, hold no affinity and no
      spread, and are under no budget; nor are pending pods. What others may not do to them stays.
    * Conflicts of which no pair has a pod that may come anywhere, affinities and spreads without
      holders and budgets without pods are left out.
    * Profiles and owners are those in use, each once, in order of their first pod.
    * Resources that nobody requests are left out, but for cpu, memory and pods.
    """
    free = ~cluster.is_held
    asked: list[bool] = np.asarray(cluster.request.any(axis=0)).tolist()
    kept = [at for at, name in enumerate(cluster.resources) if name in BASIC or asked[at]]
    allowed, profile = _profiles(cluster, free)
    owners, owner = _owners(cluster)
    return replace(
        cluster,
        resources=tuple(cluster.resources[at] for at in kept),
        allocatable=cluster.allocatable[:, kept],
        request=cluster.request[:, kept],
        allowed=allowed,
        profile=profile,
        owners=owners,
        owner=owner,
        budgets=tuple(_budgets(cluster, free)),
        conflicts=tuple(entry for entry in cluster.conflicts if binds(entry, free)),
        affinities=tuple(_affinities(cluster, free)),
        spreads=tuple(_spreads(cluster, free)),
    )


def _profiles(cluster: Cluster, free: BoolArray) -> tuple[BoolArray, IntArray]:
    nowhere = np.zeros(cluster.num_nodes, dtype=np.bool_)
    numbers: dict[bytes, int] = {}
    rows: list[BoolArray] = []
    # Many pods share a profile already: each is looked at once.
    known: dict[int, int] = {}
    profile = np.zeros(cluster.num_pods, dtype=np.int32)
    for pod, old in enumerate(np.where(free, cluster.profile, -1).tolist()):
        if old not in known:
            row = cluster.allowed[old] if old >= 0 else nowhere
            number = numbers.setdefault(row.tobytes(), len(rows))
            if number == len(rows):
                rows.append(row)
            known[old] = number
        profile[pod] = known[old]
    return np.array(rows, dtype=np.bool_).reshape(-1, cluster.num_nodes), profile


def _owners(cluster: Cluster) -> tuple[tuple[str, ...], IntArray]:
    numbers: dict[int, int] = {-1: -1}
    owner = [numbers.setdefault(old, len(numbers) - 1) for old in cluster.owner.tolist()]
    return (
        tuple(cluster.owners[old] for old in numbers if old >= 0),
        np.array(owner, dtype=np.int32),
    )


def _budgets(cluster: Cluster, free: BoolArray) -> list[Budget]:
    found = []
    for budget in cluster.budgets:
        pods = budget.pods[free[budget.pods] & cluster.running[budget.pods]]
        if len(pods):
            found.append(replace(budget, pods=pods))
    return found


def binds(conflict: Conflict, free: BoolArray) -> bool:
    """Whether two different pods are in *conflict* of which one may come to a node."""
    for here, there in (
        (conflict.holders, conflict.targets),
        (conflict.targets, conflict.holders),
    ):
        movable = here[free[here]]
        if len(movable) and (len(there) > 1 or (len(there) == 1 and (movable != there[0]).any())):
            return True
    return False


def _affinities(cluster: Cluster, free: BoolArray) -> list[Affinity]:
    found = []
    for affinity in cluster.affinities:
        holders = affinity.holders[free[affinity.holders]]
        if len(holders):
            found.append(replace(affinity, holders=holders))
    return found


def _spreads(cluster: Cluster, free: BoolArray) -> list[Spread]:
    found = []
    for spread in cluster.spreads:
        holders = spread.holders[free[spread.holders]]
        if len(holders):
            found.append(replace(spread, holders=holders))
    return found
