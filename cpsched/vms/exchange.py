"""A cluster as an exchange of items between bins: NUMA nodes are the bins, parts of VMs the items.

It is a relaxation: conflicts, groups, racks and the order of migrations are not in it, nor are
resources that no set of VMs can exhaust before the cpu. So its bounds hold; what it chooses is
realised by single VMs and checked. VMs on two NUMA nodes are two halves, of half a move each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cpsched.columns.exchange import Exchange
from cpsched.vms.objective import worth

if TYPE_CHECKING:
    from cpsched.arrays import BoolArray, IntArray, LongArray
    from cpsched.vms.instance import VmCluster


class VmExchange:
    """The exchange of a cluster, and the way back.

    problem: the exchange; kind: shape (num_vms,), type of each VM that may move, -1 of others;
    whole: shape (types,), types of VMs on one NUMA node; member: NUMA nodes of each class; unit:
    what one move counts.
    """

    problem: Exchange

    def __init__(self, cluster: VmCluster, limit: int) -> None:
        self.cluster = cluster
        self.resources = binding(cluster)
        movable = ~cluster.is_pinned
        if needless(cluster, self.resources):
            sizes = [one.size for one in cluster.policy.fragments]
            movable &= (cluster.parts == 1) & (cluster.demand[:, 0] % min(sizes) > 0)
        halves = bool((movable & (cluster.parts == 2)).any())
        self.unit = 2 if halves else 1
        asked = cluster.demand[:, self.resources]
        keys = np.column_stack((asked, cluster.parts, cluster.move_cost, cluster.profile))
        rows, kind = np.unique(keys[movable], axis=0, return_inverse=True)
        self.kind: IntArray = np.full(cluster.num_vms, -1, dtype=np.int32)
        self.kind[movable] = kind.ravel()
        count = len(self.resources)
        parts = rows[:, count]
        self.whole: BoolArray = parts == 1
        have = np.zeros((cluster.num_numa, len(rows)), dtype=np.int64)
        for part in range(2):
            there = np.flatnonzero(movable & (cluster.numa[:, part] >= 0))
            np.add.at(have, (cluster.numa[there, part], self.kind[there]), 1)
        free = cluster.free[:, self.resources]
        open_to = (
            cluster.allowed[rows[:, -1]][:, cluster.numa_pm] & ~cluster.closed[cluster.numa_pm]
        )
        accepts, door = np.unique(open_to.T, axis=0, return_inverse=True)
        active = cluster.active[cluster.numa_pm]
        classes, member = np.unique(
            np.column_stack((free, have, door.ravel(), active)), axis=0, return_inverse=True
        )
        order = np.argsort(member.ravel(), kind="stable")
        number = np.bincount(member.ravel(), minlength=len(classes))
        self.member: list[LongArray] = np.split(order, np.cumsum(number)[:-1])
        whole_unit = self.unit // np.maximum(parts, 1)
        fragments = cluster.policy.fragments
        self.problem = Exchange(
            weight=np.ascontiguousarray(rows[:, :count], dtype=np.int64),
            cost=rows[:, count + 1].astype(np.int64) * whole_unit,
            moves=whole_unit.astype(np.int64),
            free=np.ascontiguousarray(classes[:, :count]),
            have=np.ascontiguousarray(classes[:, count:-2]),
            number=number.astype(np.int64),
            counts=np.ascontiguousarray(classes[:, -1]),
            door=np.ascontiguousarray(classes[:, -2]),
            accepts=accepts,
            size=np.array([one.size for one in fragments], dtype=np.int64),
            worth=np.array(worth(cluster), dtype=np.int64),
            limit=self.unit * limit,
        )


def binding(cluster: VmCluster) -> list[int]:
    """Resources that VMs may exhaust before the cpu of a NUMA node: cpu itself comes first."""
    found = [0]
    cpu = cluster.demand[:, 0]
    for r in range(1, len(cluster.resources)):
        need = cluster.demand[:, r]
        if not need.any():
            continue
        # Room for every set of VMs whose cpu fits: need / cpu is at most that of the greediest.
        k = int(np.argmax(np.where(cpu > 0, need / np.maximum(cpu, 1), 0.0)))
        greedy = int(need[k]) + 1, int(cpu[k])
        enough = cluster.capacity[:, r] * greedy[1] >= cluster.capacity[:, 0] * greedy[0]
        fits = (cluster.free[:, r] >= 0).all() and (cluster.free[:, 0] >= 0).all()
        if (need[cpu == 0] > 0).any() or not (enough.all() and fits):
            found.append(r)
    return found


def needless(cluster: VmCluster, resources: list[int]) -> bool:
    """Whether moving VMs of whole slots, and those on two NUMA nodes, gains nothing.

    With cpu alone, one size of slots, and all other sizes dividing each other and the slot: take
    such moves back. A NUMA node that then has too little room by e passes on smaller VMs of at
    least e and at most a slot in sum, which is there since their sizes divide each other, to where
    the slots were to go. No slot is lost, and no move is added.
    """
    kinds = cluster.policy.fragments
    if resources != [0] or len(kinds) != 1 or kinds[0].double:
        return False
    slot = kinds[0].size
    movable = ~cluster.is_pinned
    if (cluster.demand[movable & (cluster.parts == 2), 0] % slot).any():
        return False
    if (cluster.closed | ~cluster.active).any() or not cluster.allowed.all():
        return False
    if (cluster.free[:, 0] < 0).any():
        return False
    sizes = np.unique(cluster.demand[movable, 0])
    small = [int(size) for size in sizes if size % slot]
    return all(
        larger % smaller == 0 for smaller, larger in zip(small, [*small[1:], slot], strict=True)
    )
