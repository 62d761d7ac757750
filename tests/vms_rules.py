"""The rules of VM rescheduling stated a second time, slowly and in plain sets."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cpsched.vms.instance import VmCluster
    from cpsched.vms.solution import Migration

#: Where each VM is: several places while it is on its way.
Places = list[list[tuple[int, ...]]]


def now(cluster: VmCluster) -> Places:
    return [[tuple(one for one in row if one >= 0)] for row in cluster.numa.tolist()]


def may_begin(cluster: VmCluster, places: Places, move: Migration) -> bool:
    """Whether *move* keeps every rule if it begins while VMs have *places*."""
    pm_of = cluster.numa_pm.tolist()
    vm, pm = move.vm, pm_of[move.numa[0]]
    if cluster.pinned[vm] or cluster.closed[pm]:
        return False
    if not cluster.allowed[cluster.profile[vm]][pm] or len(places[vm]) > 1:
        return False
    if places[vm][0] == move.numa or len(move.numa) != cluster.parts[vm]:
        return False
    for numa in move.numa:
        if pm_of[numa] != pm:
            return False
        for r in range(len(cluster.resources)):
            used = sum(
                int(cluster.demand[other][r])
                for other, held in enumerate(places)
                for place in held
                for one in place
                if one == numa
            )
            mine = int(cluster.demand[vm][r])
            if mine and used + mine > cluster.capacity[numa][r]:
                return False
    pms = [{pm_of[place[0]] for place in held} for held in places]
    if pm not in pms[vm]:
        for pair in cluster.conflicts.tolist():
            if vm in pair and pm in pms[pair[1] if pair[0] == vm else pair[0]]:
                return False

    def rack(one: int) -> object:
        number = int(cluster.rack[one])
        return number if number >= 0 else ("alone", one)

    for group in cluster.groups:
        members = set(group.vms.tolist())
        if vm not in members:
            continue
        spots = [{one if group.scope == "pm" else rack(one) for one in held} for held in pms]
        spot = pm if group.scope == "pm" else rack(pm)
        if spot in spots[vm]:
            continue
        others = members - {vm}
        if group.kind == "affinity" and any(spots[other] != {spot} for other in others):
            return False
        if group.kind != "affinity" and sum(spot in spots[o] for o in others) >= group.most:
            return False
    return True
