"""What every single migration would gain, kept up to date while VMs are moved.

The gain of a migration is the worth of the slots that it makes, in the units of
``cpsched.vms.objective.worth``. Between two PMs it is what the departure makes plus what the
arrival makes (mostly a loss), which do not depend on each other. So it is enough to know the
departure of each VM, and the arrival of each kind of VM at each place; only moves within one PM
are looked at one by one.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from cpsched.vms.objective import worth
from cpsched.vms.places import Places
from cpsched.vms.solution import Migration

if TYPE_CHECKING:
    from cpsched.arrays import BoolArray, IntArray, LongArray
    from cpsched.vms.instance import VmCluster

#: Gain of what is not possible; two of them can still be added.
NEVER = -(2**60)

_MUCH = 2**60


class Moving:
    """VMs on their way from the current state to another, one migration after another.

    Parameters
    ----------
    cluster
        Where it begins.

    Attributes
    ----------
    at
        Shape (num_vms,): place of each VM, a number of ``Places``.
    pm
        Shape (num_vms,): its PM.
    moves
        The migrations made so far.
    total
        Worth of all slots now.
    """

    def __init__(self, cluster: VmCluster) -> None:
        self.cluster = cluster
        self.places = Places(cluster)
        self.moves: list[Migration] = []
        self.at = self.places.find(cluster.numa)
        self.pm = cluster.pm.copy()
        self._times = np.zeros(cluster.num_vms, dtype=np.int64)
        self._free = np.concatenate((cluster.free, np.zeros_like(cluster.free[:1])))
        keys = np.column_stack((cluster.parts, cluster.profile, cluster.demand))
        found, kind = np.unique(keys, axis=0, return_inverse=True)
        self.kind = kind.reshape(-1)
        self._demand: LongArray = np.ascontiguousarray(found[:, 2:])
        allowed = cluster.allowed[found[:, 1]] & ~cluster.closed
        single = self.places.numa[:, 1] < 0
        # Shape (kinds, places): where a kind may come, room aside.
        self._all_open = allowed[:, self.places.pm] & ((found[:, 0] == 1)[:, None] == single)
        everywhere = np.arange(cluster.num_pms, dtype=np.int32)
        self.total = int(self._worth(self._cpu(everywhere), everywhere).sum())
        self.restrict(np.ones(cluster.num_pms, dtype=np.bool_))

    def restrict(self, inside: BoolArray) -> None:
        """From now on VMs move only between the PMs *inside*, shape (num_pms,)."""
        self._open = self._all_open & inside[self.places.pm]
        self._fixed = self.cluster.is_pinned | ~inside[self.pm]
        self.arrival = np.full(self._open.shape, NEVER, dtype=np.int64)
        self.departure = np.full(self.cluster.num_vms, NEVER, dtype=np.int64)
        self.inner = np.full(self.cluster.num_vms, NEVER, dtype=np.int64)
        self.refresh(np.arange(self.cluster.num_pms, dtype=np.int32))

    @cached_property
    def _kinds(self) -> list[tuple[int, int, bool]]:
        """Worth, size and whether double of each slot size."""
        kinds = self.cluster.policy.fragments
        return [
            (value, one.size, one.double)
            for value, one in zip(worth(self.cluster), kinds, strict=True)
        ]

    def _cpu(self, pms: IntArray) -> LongArray:
        """Shape (len(pms), most NUMA nodes of a PM): free cpu, 0 where there is none."""
        found: LongArray = self._free[self.places.grid[pms], 0]
        return found

    def _worth(self, cpu: LongArray, pms: IntArray) -> LongArray:
        """Worth of the slots if *cpu*, shape (..., NUMA nodes), is free on *pms*, shape (...)."""
        room = np.maximum(cpu, 0)
        found = np.zeros(np.broadcast_shapes(room.shape[:-1], pms.shape), dtype=np.int64)
        count = self.places.count[pms]
        for value, size, double in self._kinds:
            if double:
                slots = np.where(self.places.there[pms], room // (size // count)[..., None], _MUCH)
                found += value * slots.min(axis=-1)
            else:
                found += value * (room // size).sum(axis=-1)
        return np.where(self.cluster.active[pms], found, 0)

    def refresh(self, pms: IntArray) -> None:
        """Bring the gains of moves to and from *pms* up to date."""
        places = self.places.of_pms(pms)
        room = self._room(places)
        fits = self._fits(room) & self._open[:, places]
        at, owner = self.places.cover[places], self.places.pm[places]
        before = self._worth(self._cpu(pms), pms)
        now = np.zeros(self.cluster.num_pms, dtype=np.int64)
        now[pms] = before
        cpu = self._cpu(owner) - self._demand[:, :1, None] * at
        gain = self._worth(cpu, owner) - now[owner]
        self.arrival[:, places] = np.where(fits, gain, NEVER)
        touched = np.zeros(self.cluster.num_pms, dtype=np.bool_)
        touched[pms] = True
        vms = np.flatnonzero(touched[self.pm] & ~self.is_fixed).astype(np.int32)
        if len(vms):
            self._refresh_vms(vms, now)

    def _refresh_vms(self, vms: IntArray, now: LongArray) -> None:
        """Gains of departures and of moves within a PM; now: worth of each VM's PM."""
        owner = self.pm[vms]
        cpu = self._demand[self.kind[vms], 0][:, None] * self.places.cover[self.at[vms]]
        cpu += self._cpu(owner)
        self.departure[vms] = self._worth(cpu, owner) - now[owner]
        self.inner[vms] = self._inside(vms, cpu, now).max(axis=1)

    def _inside(self, vms: IntArray, without: LongArray, now: LongArray) -> LongArray:
        """Shape (len(vms), most places of a PM): gain of each place of the own PM."""
        owner, kind = self.pm[vms], self.kind[vms]
        places = self.places.local[owner]
        fits = self._open[kind[:, None], places] & (places != self.at[vms][:, None])
        fits &= self.places.is_local[owner]
        demand = self._demand[kind][:, None, :]
        fits &= ((demand == 0) | (demand <= self._room(places))).all(axis=-1)
        cpu = without[:, None, :] - demand[..., :1] * self.places.cover[places]
        gain = self._worth(cpu, owner[:, None]) - now[owner][:, None]
        return np.where(fits, gain, NEVER)

    def _room(self, places: IntArray) -> LongArray:
        """Shape (..., resources): what fits on every NUMA node of each of *places*."""
        first, second = self.places.numa[places, 0], self.places.numa[places, 1]
        room = self._free[first]
        two = second >= 0
        room[two] = np.minimum(room[two], self._free[second[two]])
        found: LongArray = room
        return found

    def _fits(self, room: LongArray) -> BoolArray:
        """Shape (kinds, len(room)): whether a VM of a kind fits into *room*."""
        found = np.ones((len(self._demand), len(room)), dtype=np.bool_)
        for resource in range(room.shape[1]):
            asked = self._demand[:, resource][:, None]
            found &= (asked == 0) | (asked <= room[:, resource])
        return found

    def gains(self, vm: int) -> LongArray:
        """Shape (places,): gain of moving *vm* to each place, every rule looked at."""
        found: LongArray = self.departure[vm] + self.arrival[self.kind[vm]]
        if self.departure[vm] == NEVER:
            return np.full_like(found, NEVER)
        barred = self.barred(vm)
        if barred is not None:
            found[barred[self.places.pm]] = NEVER
        own = int(self.pm[vm])
        low, high = self.places.ptr[own], self.places.ptr[own + 1]
        one = np.array([vm])
        now = np.zeros(self.cluster.num_pms, dtype=np.int64)
        here = np.array([own])
        now[own] = self._worth(self._cpu(here), here)[0]
        cpu = self._demand[self.kind[vm], 0] * self.places.cover[self.at[one]] + self._cpu(here)
        found[low:high] = self._inside(one, cpu, now)[0, : high - low]
        return np.maximum(found, NEVER)

    def best(self, vm: int, among: BoolArray | None = None) -> tuple[int, int]:
        """Gain and place of the best move of *vm*; of equals the place that it fills best.

        among: shape (num_pms,), PMs to look at. The gain is ``NEVER`` if there is no move.
        """
        gains = self.gains(vm)
        if among is not None:
            gains[~among[self.places.pm]] = NEVER
        most = int(gains.max())
        if most <= NEVER // 2:
            return NEVER, -1
        equal = np.flatnonzero(gains == most).astype(np.int32)
        left = self._room(equal)[:, 0]
        return most, int(equal[np.argmin(left)])

    def barred(self, vm: int, pms: IntArray | None = None) -> BoolArray | None:
        """Shape (num_pms,): PMs to which rules between VMs keep *vm* from coming; None: none.

        pms: shape (num_vms,), where the others are, -1 for nowhere; by default where they are.
        """
        cluster, others = self.cluster, self.pm if pms is None else pms
        partners, groups = cluster.partners_of(vm), cluster.groups_of[vm]
        if not len(partners) and not groups:
            return None
        own = int(self.pm[vm])
        found = np.zeros(cluster.num_pms, dtype=np.bool_)
        where = others[partners]
        found[where[where >= 0]] = True
        for number in groups:
            group, domain = cluster.groups[number], self._domain(number)
            where = others[group.vms[group.vms != vm]]
            there = domain[where[where >= 0]]
            if group.apart:
                full = np.bincount(there, minlength=int(domain.max()) + 1) >= group.most
                kept = full[domain]
            else:
                kept = (domain[:, None] != np.unique(there)).any(axis=1)
            kept[domain == domain[own]] = False
            found |= kept
        found[own] = False
        return found

    def _domain(self, number: int) -> IntArray:
        return self._domains[self.cluster.groups[number].scope]

    @cached_property
    def _domains(self) -> dict[str, IntArray]:
        return {scope: self.cluster.domain(scope) for scope in ("pm", "rack")}

    def move(self, vm: int, place: int) -> None:
        """Move *vm* to *place*, which is possible, and bring the gains up to date."""
        self._shift(vm, place)
        self._times[vm] += 1
        numa = self.places.numa[place]
        self.moves.append(Migration(vm, tuple(one for one in numa.tolist() if one >= 0)))
        if self._times[vm] == 2:
            self.departure[vm] = self.inner[vm] = NEVER

    def undo(self, vm: int, place: int) -> None:
        """Take back the last move, which brought *vm* from *place*."""
        self.moves.pop()
        self._times[vm] -= 1
        self._shift(vm, place)

    def _shift(self, vm: int, place: int) -> None:
        pms = np.unique([self.pm[vm], self.places.pm[place]])
        before = int(self._worth(self._cpu(pms), pms).sum())
        demand = self._demand[self.kind[vm]]
        for numa, sign in ((self.places.numa[self.at[vm]], 1), (self.places.numa[place], -1)):
            self._free[[one for one in numa.tolist() if one >= 0]] += sign * demand
        self.at[vm], self.pm[vm] = place, self.places.pm[place]
        self.total += int(self._worth(self._cpu(pms), pms).sum()) - before
        self.refresh(pms)

    @property
    def free(self) -> LongArray:
        """Shape (num_numa, resources): free now; not to be written to."""
        return self._free[:-1]

    def is_open(self, vm: int) -> BoolArray:
        """Shape (places,): where *vm* may come, room and rules between VMs aside."""
        found: BoolArray = self._open[self.kind[vm]]
        return found

    @property
    def is_fixed(self) -> BoolArray:
        """Shape (num_vms,): VMs that may not move, or not any more."""
        return self._fixed | (self._times >= 2)

    @property
    def free_cpu(self) -> int:
        """Free millicores of active PMs."""
        counted = self.cluster.active[self.cluster.numa_pm]
        return int(self._free[:-1][counted, 0].sum())
