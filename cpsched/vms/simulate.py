"""Replay of a plan, step by step: every rule re-stated, nothing taken from the one who planned.

While a VM is on its way it has both places: it takes the room and counts for the rules of each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cpsched.errors import CpschedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cpsched.arrays import BoolArray, IntArray
    from cpsched.vms.groups import Group
    from cpsched.vms.instance import VmCluster
    from cpsched.vms.solution import Migration, Migrations


class PlanError(CpschedError):
    """A plan that cannot be carried out as it stands: which step, and why."""


def simulate(cluster: VmCluster, migrations: Migrations) -> IntArray:
    """NUMA nodes of each VM, shape (num_vms, 2), after all steps, one after the other.

    Raises PlanError at the first step that breaks a rule, naming the step and the rule.
    """
    occupancy = Occupancy(cluster)
    for number, move in enumerate(migrations.moves, 1):
        for problem in occupancy.problems(move):
            raise PlanError(f"{describe(cluster, number, move)}: {problem}")
        occupancy.begin(move)
        occupancy.finish(move)
    return occupancy.numa


def describe(cluster: VmCluster, number: int, move: Migration) -> str:
    """A step in words, whether or not the cluster has its VM and its NUMA nodes."""
    vm = cluster.vms[move.vm] if 0 <= move.vm < cluster.num_vms else f"number {move.vm}"
    return f"step {number} (VM {vm} to {place(cluster, move.numa)})"


def place(cluster: VmCluster, numa: Sequence[int]) -> str:
    """NUMA nodes in words: the PM and their numbers on it."""
    if not all(0 <= one < cluster.num_numa for one in numa):
        return f"NUMA nodes {list(numa)}"
    pm = int(cluster.numa_pm[numa[0]])
    inside = ", ".join(str(one - int(cluster.numa_ptr[pm])) for one in numa)
    return f"PM {cluster.pms[pm]} NUMA {inside}"


def malformed(cluster: VmCluster, move: Migration) -> str:
    """Why *move* is no step of any plan of *cluster*; empty if it is one."""
    if not 0 <= move.vm < cluster.num_vms:
        return f"the VM must be in 0..{cluster.num_vms - 1}"
    if not all(0 <= numa < cluster.num_numa for numa in move.numa):
        return f"NUMA nodes must be in 0..{cluster.num_numa - 1}"
    if len(move.numa) != cluster.parts[move.vm]:
        return f"the VM has {cluster.parts[move.vm]} parts, the step {len(move.numa)} NUMA nodes"
    if len({int(cluster.numa_pm[numa]) for numa in move.numa}) > 1:
        return "the NUMA nodes are not of one PM"
    return ""


class Occupancy:
    """Where VMs are, and where those on their way will be, at one moment.

    numa: shape (num_vms, 2), where each VM is, its source while it is on its way. free: shape
    (num_numa, num_resources), with both places of VMs on their way taken.
    """

    def __init__(self, cluster: VmCluster) -> None:
        self.cluster = cluster
        self.numa = cluster.numa.copy()
        self.free = cluster.free.copy()
        self._pm = cluster.pm.copy()
        # PMs to which a VM is on its way, or for which room is kept.
        self._coming: dict[int, list[int]] = {}

    def problems(self, move: Migration, *, room: bool = True) -> Iterator[str]:
        """What is wrong if *move* begins now; each finding a sentence without its subject.

        room: whether to ask for free resources, too.
        """
        cluster = self.cluster
        if problem := malformed(cluster, move) or self._stuck(move):
            yield problem
            return
        vm, pm = move.vm, int(cluster.numa_pm[move.numa[0]])
        if cluster.pinned[vm]:
            yield f"it is pinned: {cluster.pinned[vm]}"
        if cluster.closed[pm]:
            yield "the PM accepts no VM"
        if not cluster.allowed[cluster.profile[vm], pm]:
            yield "the PM is not allowed for it"
        demand = cluster.demand[vm]
        for numa in move.numa if room else ():
            short = np.flatnonzero((demand > 0) & (demand > self.free[numa]))
            for resource in short.tolist():
                yield (
                    f"{place(cluster, (numa,))} has {max(0, self.free[numa, resource])} of "
                    f"{cluster.resources[resource]} free, not {demand[resource]}"
                )
        yield from self._company(vm, pm)

    def _stuck(self, move: Migration) -> str:
        if move.vm in self._coming:
            return "the VM is on its way already"
        if (*move.numa, -1)[:2] == tuple(self.numa[move.vm].tolist()):
            return "the VM is there already"
        return ""

    def _company(self, vm: int, pm: int) -> Iterator[str]:
        """Rules between VMs, asked when *vm* comes to a PM, or a rack, where it is not."""
        cluster = self.cluster
        if self._pm[vm] != pm:
            partners = cluster.partners_of(vm)
            there = partners[self._in(partners, np.arange(cluster.num_pms) == pm)]
            if len(there):
                yield f"it conflicts with VM {cluster.vms[there[0]]}, which is there"
        for number in cluster.groups_of[vm]:
            group = cluster.groups[number]
            domain = cluster.domain(group.scope)
            inside = domain == domain[pm]
            if not inside[self._pm[vm]]:
                yield from self._group(group, group.vms[group.vms != vm], inside)

    def _group(self, group: Group, others: IntArray, inside: BoolArray) -> Iterator[str]:
        where = "PM" if group.scope == "pm" else "rack"
        if group.apart:
            there = int(self._in(others, inside).sum())
            if there >= group.most:
                yield (
                    f"anti-affinity group {group.name} lets {group.most} of its VMs be on one "
                    f"{where}, where {there} others are"
                )
            return
        elsewhere = others[self._in(others, ~inside)]
        if len(elsewhere):
            yield (
                f"affinity group {group.name} keeps its VMs on one {where}, and "
                f"VM {self.cluster.vms[elsewhere[0]]} is on another"
            )

    def _in(self, vms: IntArray, inside: BoolArray) -> BoolArray:
        """Which of *vms* have a place on the PMs *inside*, shape (num_pms,), now or to come."""
        found = inside[self._pm[vms]]
        if self._coming:
            for at, vm in enumerate(vms.tolist()):
                found[at] |= any(inside[pm] for pm in self._coming.get(vm, ()))
        return found

    def pm(self, vm: int) -> int:
        """PM that *vm* is on, its source while it is on its way."""
        return int(self._pm[vm])

    def begin(self, move: Migration) -> None:
        """The VM takes its new place and keeps the old one."""
        self.free[list(move.numa)] -= self.cluster.demand[move.vm]
        self._coming.setdefault(move.vm, []).append(int(self.cluster.numa_pm[move.numa[0]]))

    def cancel(self, move: Migration) -> None:
        """Undo ``begin``."""
        self.free[list(move.numa)] += self.cluster.demand[move.vm]
        pms = self._coming[move.vm]
        pms.remove(int(self.cluster.numa_pm[move.numa[0]]))
        if not pms:
            del self._coming[move.vm]

    def finish(self, move: Migration) -> None:
        """The VM leaves its old place; *move* has begun."""
        vm = move.vm
        self.cancel(move)
        for numa, sign in ((self.numa[vm].tolist(), 1), (move.numa, -1)):
            self.free[[one for one in numa if one >= 0]] += sign * self.cluster.demand[vm]
        self.numa[vm] = (*move.numa, -1)[:2]
        self._pm[vm] = self.cluster.numa_pm[move.numa[0]]
