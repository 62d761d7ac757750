"""A cluster as an exchange of items between bins: what the engine makes of it, and the way back.

It is a relaxation: conflicts, groups, racks and the order of migrations are not in it, nor are
resources that no set of VMs can exhaust before the cpu. So its bounds hold; what it chooses is
realised by single VMs and checked.

Bins are NUMA nodes where that is enough, else PMs of two NUMA nodes, with VMs on both as twins.
Where PMs have more NUMA nodes, VMs on two of them are two halves, of half a move each.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from cpsched.columns.exchange import BinExchange, Exchange, Slots
from cpsched.columns.pairs import PairExchange
from cpsched.vms.objective import worth

if TYPE_CHECKING:
    from cpsched.arrays import BoolArray, IntArray, LongArray
    from cpsched.vms.instance import VmCluster


class VmExchange:
    """The exchange of a cluster.

    Attributes
    ----------
    problem
        The exchange.
    kind
        Shape (num_vms,), type of each VM that may move, -1 of others.
    member
        Bins of each class: NUMA nodes, or PMs.
    entire
        Shape (entries,): entries that are whole VMs.
    unit
        What one move counts.
    homeless
        VMs of PMs that are to be empty: they move anyway.
    """

    problem: Exchange
    entire: BoolArray
    unit = 1

    def __init__(self, cluster: VmCluster, movable: BoolArray) -> None:
        self.cluster = cluster
        self.resources = binding(cluster)
        asked = cluster.demand[:, self.resources]
        keys = np.column_stack((cluster.parts, asked, cluster.move_cost, cluster.profile))
        rows, kind = np.unique(keys[movable], axis=0, return_inverse=True)
        self.kind: IntArray = np.full(cluster.num_vms, -1, dtype=np.int32)
        self.kind[movable] = kind.ravel()
        self.parts = rows[:, 0]
        self.weight = np.ascontiguousarray(rows[:, 1:-2], dtype=np.int64)
        self.cost = rows[:, -2].astype(np.int64)
        self.free = cluster.free[:, self.resources]
        leaving = cluster.evacuate[cluster.pm]
        self.homeless = np.flatnonzero(movable & leaving)
        self.waiting = np.bincount(self.kind[self.homeless], minlength=len(rows))
        self.have = np.zeros((cluster.num_numa, len(rows)), dtype=np.int64)
        for part in range(2):
            there = np.flatnonzero(movable & ~leaving & (cluster.numa[:, part] >= 0))
            np.add.at(self.have, (cluster.numa[there, part], self.kind[there]), 1)
        opens = cluster.allowed[rows[:, -1]] & ~cluster.closed
        self.accepts, self.door = np.unique(opens.T, axis=0, return_inverse=True)
        self.door = self.door.ravel()
        self.member: list[LongArray] = []

    def place(self, member: int, entry: int) -> tuple[int, ...]:
        """NUMA nodes of an entry of a change of a bin."""
        del entry
        return (member,)

    def _classes(self, rows: LongArray) -> tuple[LongArray, LongArray]:
        """Different *rows*, one of each bin, and how many there are of each."""
        classes, member = np.unique(rows, axis=0, return_inverse=True)
        number = np.bincount(member.ravel(), minlength=len(classes))
        self.member = np.split(np.argsort(member.ravel(), kind="stable"), np.cumsum(number)[:-1])
        return classes, number.astype(np.int64)


class NumaExchange(VmExchange):
    """Bins are NUMA nodes."""

    def __init__(self, cluster: VmCluster, limit: int, movable: BoolArray) -> None:
        super().__init__(cluster, movable)
        self.entire = self.parts == 1
        self.unit = 1 if self.entire.all() else 2
        active = cluster.active[cluster.numa_pm]
        count, door = len(self.resources), self.door[cluster.numa_pm]
        rows = np.column_stack((self.free, self.have, door, active)).astype(np.int64)
        classes, number = self._classes(rows)
        whole = self.unit // np.maximum(self.parts, 1)
        self.problem = BinExchange(
            weight=self.weight,
            cost=self.cost * whole,
            moves=whole.astype(np.int64),
            free=np.ascontiguousarray(classes[:, :count]),
            have=np.ascontiguousarray(classes[:, count:-2]),
            number=number,
            counts=np.ascontiguousarray(classes[:, -1]),
            door=np.ascontiguousarray(classes[:, -2]),
            accepts=self.accepts,
            slots=_slots(cluster, [True, False]),
            homeless=self.waiting.astype(np.int64) * self.parts,
            limit=self.unit * (limit - len(self.homeless)),
        )


class PmExchange(VmExchange):
    """Bins are PMs of two NUMA nodes."""

    def __init__(self, cluster: VmCluster, limit: int, movable: BoolArray) -> None:
        super().__init__(cluster, movable)
        self.entire = np.ones(len(self.parts) + int((self.parts == 1).sum()), dtype=np.bool_)
        single = self.parts == 1
        self.singles = int(single.sum())
        pms, count = cluster.num_pms, len(self.resources)
        have = self.have[:, single].reshape(pms, 2 * self.singles)
        twins = self.have[::2, ~single]
        free = self.free.reshape(pms, 2 * count)
        rows = np.column_stack((free, have, twins, self.door, cluster.active)).astype(np.int64)
        classes, number = self._classes(rows)
        split = np.cumsum((2 * count, 2 * self.singles, int((~single).sum()), 1))
        free, have, twins, door, active = np.split(classes, split, axis=1)
        self.problem = PairExchange(
            weight=np.ascontiguousarray(self.weight[single]),
            twin_weight=np.ascontiguousarray(self.weight[~single]),
            cost=self.cost,
            free=np.ascontiguousarray(free).reshape(len(number), 2, count),
            have=np.ascontiguousarray(have).reshape(len(number), 2, self.singles),
            twins=np.ascontiguousarray(twins),
            number=number,
            counts=np.ascontiguousarray(active.ravel()),
            door=np.ascontiguousarray(door.ravel()),
            accepts=self.accepts,
            slots=_slots(cluster, [False]),
            twin_slots=_slots(cluster, [True]),
            homeless=self.waiting.astype(np.int64),
            limit=limit - len(self.homeless),
        )

    def place(self, member: int, entry: int) -> tuple[int, ...]:
        """NUMA nodes of an entry of a change of a PM."""
        first = int(self.cluster.numa_ptr[member])
        if entry >= 2 * self.singles:
            return first, first + 1
        return (first + entry // self.singles,)


def exchange_of(cluster: VmCluster, limit: int) -> VmExchange:
    """The exchange that fits *cluster* best."""
    movable = ~cluster.is_pinned
    double = any(one.double for one in cluster.policy.fragments)
    if not double and needless(cluster):
        size = cluster.policy.fragments[0].size
        movable &= (cluster.parts == 1) & (cluster.demand[:, 0] % size > 0)
        return NumaExchange(cluster, limit, movable)
    in_pairs = bool((np.diff(cluster.numa_ptr) == 2).all())
    if in_pairs and (double or (cluster.parts[movable] == 2).any()):
        return PmExchange(cluster, limit, movable)
    return NumaExchange(cluster, limit, movable)


def _slots(cluster: VmCluster, double: list[bool]) -> Slots:
    """Slots of those of the policy's fragments; of a double one the share of one NUMA node."""
    shares = int(np.diff(cluster.numa_ptr).max())
    chosen = [
        (one.size // shares if one.double else one.size, value)
        for one, value in zip(cluster.policy.fragments, worth(cluster), strict=True)
        if one.double in double
    ]
    size, value = np.array(chosen, dtype=np.int64).reshape(-1, 2).T
    return Slots(np.ascontiguousarray(size), np.ascontiguousarray(value))


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


def needless(cluster: VmCluster) -> bool:
    """Whether moving VMs of whole slots, and those on two NUMA nodes, gains nothing.

    With cpu alone, one size of slots, and all other sizes dividing each other and the slot: take
    such moves back. A NUMA node that then has too little room by e passes on smaller VMs of at
    least e and at most a slot in sum, which is there since their sizes divide each other, to where
    the slots were to go. No slot is lost, and no move is added.
    """
    kinds = cluster.policy.fragments
    if len(kinds) != 1 or kinds[0].double or binding(cluster) != [0]:
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
    return all(larger % smaller == 0 for smaller, larger in pairwise([*small, slot]))
