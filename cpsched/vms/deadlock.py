"""VMs that wait for one another: a proof that no order without hops leads to a state."""

from __future__ import annotations

from typing import TYPE_CHECKING

import networkx as nx

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cpsched.arrays import LongArray
    from cpsched.vms.instance import VmCluster


def deadlocks(cluster: VmCluster, target: Mapping[int, tuple[int, ...]]) -> list[list[int]]:
    """Sets of VMs of which none can be the first to reach its *target*, by VM.

    Nobody of such a set finds room even if all VMs outside of these sets that move have left and
    none has come. So each set needs an additional move of its own: a hop of one of its VMs, or one
    of the two moves of a VM that steps aside and back and is on two NUMA nodes at most. For who
    waits for somebody to leave a NUMA node is in one set with all who leave it. That there are no
    such sets says nothing.
    """
    stuck = dict(target)
    free = cluster.free.copy()
    while True:
        gone = [vm for vm, numa in stuck.items() if _fits(cluster, free, vm, numa)]
        if not gone:
            break
        for vm in gone:
            del stuck[vm]
            free[_home(cluster, vm)] += cluster.demand[vm]
    graph: nx.Graph[tuple[str, int]] = nx.Graph()
    for vm, numa in stuck.items():
        for place in (*numa, *_home(cluster, vm)):
            graph.add_edge(("vm", vm), ("numa", place))
    parts = nx.connected_components(graph)
    return sorted(sorted(number for kind, number in part if kind == "vm") for part in parts)


def least_extra_cost(
    cluster: VmCluster, sets: list[list[int]], movers: Mapping[int, object]
) -> int:
    """A bound on the cost of as many additional moves as there are *sets* of ``deadlocks``.

    With so many, one that steps aside, twice, helps two sets: it is on two NUMA nodes.
    """
    others = ~cluster.is_pinned & (cluster.parts == 2)
    others[list(movers)] = False
    aside = int(cluster.move_cost[others].min()) if others.any() else None
    total = 0
    for vms in sets:
        hop = min(int(cluster.move_cost[vm]) for vm in vms)
        total += hop if aside is None else min(hop, aside)
    return total


def _home(cluster: VmCluster, vm: int) -> list[int]:
    return [numa for numa in cluster.numa[vm].tolist() if numa >= 0]


def _fits(cluster: VmCluster, free: LongArray, vm: int, numa: tuple[int, ...]) -> bool:
    demand = cluster.demand[vm]
    return bool(((demand <= free[list(numa)]) | (demand == 0)).all())
