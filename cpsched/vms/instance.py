"""The instance of VM rescheduling: PMs with NUMA nodes, VMs on them, rules, limits."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from cpsched.arrays import Arrays, BoolArray, IntArray, LongArray, flags, ints
from cpsched.errors import InputError
from cpsched.vms.groups import Group as Group
from cpsched.vms.groups import contradictions
from cpsched.vms.inventory import MAX_AMOUNT
from cpsched.vms.inventory import Inventory as Inventory
from cpsched.vms.policy import Fragment as Fragment
from cpsched.vms.policy import Policy as Policy

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, eq=False)
class VmCluster(Arrays):
    """PMs, their NUMA nodes, the VMs on them, what holds them, and what is asked.

    Parameters
    ----------
    name
        Name for reports.
    resources
        Names, ``cpu`` first; its unit is the millicore, that of ``memory`` the MiB, of others the
        piece.
    pms
        Names.
    numa_pm
        Shape (num_numa,): PM of each NUMA node, ascending; each PM has at least one.
    capacity
        Shape (num_numa, num_resources): what may be used, after reserves and overcommit.
    racks, rack
        Names, and shape (num_pms,): rack of each PM, -1 for none.
    closed
        Shape (num_pms,): no migration may end on the PM, not even one that begins on it.
    evacuate
        Shape (num_pms,): to be empty at the end; such PMs are closed.
    active
        Shape (num_pms,): PMs whose free cpu counts in slots, fragments and rates.
    vms
        Names.
    flavors, flavor
        Names, and shape (num_vms,): a label; *demand* and *parts* are what counts.
    parts
        Shape (num_vms,): 1, or 2 for a VM that is spread evenly over two NUMA nodes of one PM.
    demand
        Shape (num_vms, num_resources), **per part**.
    numa
        Shape (num_vms, 2): NUMA nodes a VM is on, ascending; the second is -1 for one part.
    disk
        Shape (num_vms,): MiB of local disk that a migration copies.
    pinned
        For each VM the reason why it may not move, empty if it may.
    profile, allowed
        Shape (num_vms,): profile of each VM; shape (num_profiles, num_pms): where VMs of a
        profile may come. A VM stays where it is not allowed.
    groups
        See ``Group``.
    conflicts
        Shape (num_conflicts, 2): pairs of VMs of which none comes to a PM where the other is;
        kept sorted, the lower index first.
    policy
        See ``Policy``.
    inventory
        Where *capacity* comes from, if the format says so.

    A NUMA node may run more than it has: then nothing that asks for that resource may come to it
    until it has room, but what is there may stay.

    Raises
    ------
    InputError
        If sizes do not fit together, a name occurs twice, an index is out of range, an amount is
        negative, or rules contradict each other.
    """

    family: ClassVar[str] = "vms"

    name: str
    resources: tuple[str, ...]
    pms: tuple[str, ...]
    numa_pm: IntArray
    capacity: LongArray
    racks: tuple[str, ...]
    rack: IntArray
    closed: BoolArray
    evacuate: BoolArray
    active: BoolArray
    vms: tuple[str, ...]
    flavors: tuple[str, ...]
    flavor: IntArray
    parts: IntArray
    demand: LongArray
    numa: IntArray
    disk: LongArray
    pinned: tuple[str, ...]
    profile: IntArray
    allowed: BoolArray
    groups: tuple[Group, ...] = ()
    conflicts: IntArray = field(default_factory=lambda: np.zeros((0, 2), dtype=np.int32))
    policy: Policy = field(default_factory=Policy)
    inventory: Inventory | None = None

    def __post_init__(self) -> None:
        for entry in ("capacity", "demand", "disk"):
            object.__setattr__(self, entry, ints(getattr(self, entry), entry, np.int64))
        for entry in ("numa_pm", "rack", "flavor", "parts", "numa", "profile", "conflicts"):
            object.__setattr__(self, entry, ints(getattr(self, entry), entry, np.int32))
        for entry in ("evacuate", "active", "allowed", "closed"):
            object.__setattr__(self, entry, flags(getattr(self, entry)))
        for problem in self._problems():
            raise InputError(f"{self.name}: {problem}")

    def _problems(self) -> Iterator[str]:
        """What is wrong, most basic first; the first is raised."""
        if not self.pms:
            yield "a cluster needs at least one PM"
        if self.resources[:1] != ("cpu",):
            yield f"the first resource must be cpu, not {', '.join(self.resources) or 'nothing'}"
        for kind in ("resources", "pms", "racks", "vms", "flavors"):
            names = getattr(self, kind)
            if len(set(names)) != len(names):
                twice = next(name for name in names if names.count(name) > 1)
                yield f"{twice} occurs twice among the {kind}"
        yield from self._shape_problems()
        yield from self._index_problems()
        object.__setattr__(self, "closed", flags(self.closed | self.evacuate))
        # As one number each: rows would be compared byte by byte.
        low, high = self.conflicts.min(axis=1), self.conflicts.max(axis=1)
        keys = np.unique(low.astype(np.int64) * self.num_vms + high)
        pairs = np.stack((keys // self.num_vms, keys % self.num_vms), axis=1)
        object.__setattr__(self, "conflicts", ints(pairs, "conflicts", np.int32))
        yield from self._place_problems()
        yield from contradictions(self)

    def _shape_problems(self) -> Iterator[str]:
        pms, numa, vms = len(self.pms), len(self.numa_pm), len(self.vms)
        if self.allowed.ndim != 2:
            yield f"allowed has shape {self.allowed.shape}, not (profiles, PMs)"
        for entry, shape in (
            ("numa_pm", (numa,)),
            ("capacity", (numa, len(self.resources))),
            *((name, (pms,)) for name in ("rack", "closed", "evacuate", "active")),
            *((name, (vms,)) for name in ("flavor", "parts", "disk", "profile")),
            ("demand", (vms, len(self.resources))),
            ("numa", (vms, 2)),
            ("allowed", (len(self.allowed), pms)),
            ("conflicts", (len(self.conflicts), 2)),
        ):
            if getattr(self, entry).shape != shape:
                yield f"{entry} has shape {getattr(self, entry).shape}, not {shape}"
        if len(self.pinned) != vms:
            yield f"{len(self.pinned)} reasons in pinned for {vms} VMs"
        for entry in ("capacity", "demand", "disk"):
            array = getattr(self, entry)
            if array.size and array.min() < 0:
                yield f"{entry} holds the negative number {array.min()}"
            # Demands are counted twice: a VM on its way has both places.
            if array.size and 4 * float(array.astype(np.float64).sum(axis=0).max()) >= MAX_AMOUNT:
                yield f"the sum of {entry} is beyond the 2^60 that fit"
        if self.inventory is not None and not np.array_equal(self.inventory.usable, self.capacity):
            yield "the capacity is not (total - reserved) * ratio of the inventory"

    def _index_problems(self) -> Iterator[str]:
        for entry, low, high in (
            ("numa_pm", 0, len(self.pms)),
            ("rack", -1, len(self.racks)),
            ("flavor", 0, len(self.flavors)),
            ("parts", 1, 3),
            ("profile", 0, len(self.allowed)),
            ("conflicts", 0, len(self.vms)),
        ):
            array = getattr(self, entry)
            if array.size and (array.min() < low or array.max() >= high):
                yield f"{entry} holds a number outside {low}..{high - 1}"
        if (np.diff(self.numa_pm) < 0).any():
            yield "numa_pm must ascend"
        bare = np.setdiff1d(np.arange(len(self.pms)), self.numa_pm)
        if len(bare):
            yield f"PM {self.pms[bare[0]]} has no NUMA node"
        for group in self.groups:
            if len(group.vms) and (group.vms[0] < 0 or group.vms[-1] >= len(self.vms)):
                yield f"group {group.name}: a VM index is outside 0..{len(self.vms) - 1}"
        alone = self.conflicts[:, 0] == self.conflicts[:, 1]
        if alone.any():
            yield f"VM {self.vms[self.conflicts[alone][0, 0]]} conflicts with itself"

    def _place_problems(self) -> Iterator[str]:
        first, second = self.numa.T
        low = np.where(self.parts == 2, 0, -1)
        wrong = (first < 0) | (first >= self.num_numa) | (second < low) | (second >= self.num_numa)
        wrong |= (self.parts == 1) & (second != -1)
        for vm in np.flatnonzero(wrong).tolist():
            yield (
                f"VM {self.vms[vm]} has {self.parts[vm]} parts on the NUMA nodes "
                f"{self.numa[vm].tolist()}: one node in 0..{self.num_numa - 1} for each part, "
                "then -1"
            )
        double = np.flatnonzero(self.parts == 2)
        for vm in double[first[double] >= second[double]].tolist():
            yield f"VM {self.vms[vm]}: its two NUMA nodes {self.numa[vm].tolist()} must ascend"
        for vm in double[self.numa_pm[first[double]] != self.numa_pm[second[double]]].tolist():
            there = [self.pms[self.numa_pm[numa]] for numa in self.numa[vm]]
            yield f"VM {self.vms[vm]} is on two PMs, {there[0]} and {there[1]}"
        for fragment in self.policy.fragments:
            count = np.diff(self.numa_ptr)
            odd = np.flatnonzero((fragment.size % count > 0) & fragment.double)
            if len(odd):
                yield (
                    f"{fragment.name}: {fragment.size} millicores cannot be shared evenly by the "
                    f"{count[odd[0]]} NUMA nodes of PM {self.pms[odd[0]]}"
                )

    @property
    def num_pms(self) -> int:
        """Number of PMs."""
        return len(self.pms)

    @property
    def num_numa(self) -> int:
        """Number of NUMA nodes."""
        return len(self.numa_pm)

    @property
    def num_vms(self) -> int:
        """Number of VMs."""
        return len(self.vms)

    @cached_property
    def numa_ptr(self) -> IntArray:
        """Shape (num_pms + 1,): PM p has the NUMA nodes numa_ptr[p] .. numa_ptr[p + 1] - 1."""
        return np.searchsorted(self.numa_pm, np.arange(self.num_pms + 1)).astype(np.int32)

    def numas_of(self, pm: int) -> range:
        """NUMA nodes of *pm*."""
        return range(int(self.numa_ptr[pm]), int(self.numa_ptr[pm + 1]))

    @cached_property
    def pm(self) -> IntArray:
        """Shape (num_vms,): PM each VM is on."""
        return self.numa_pm[self.numa[:, 0]]

    def usage_of(self, numa: IntArray) -> LongArray:
        """Shape (num_numa, num_resources): used if VMs are on *numa*, shape (num_vms, 2)."""
        total = np.zeros_like(self.capacity)
        np.add.at(total, numa[:, 0], self.demand)
        double = self.parts == 2
        np.add.at(total, numa[double, 1], self.demand[double])
        return total

    @cached_property
    def free(self) -> LongArray:
        """Shape (num_numa, num_resources): free now; negative where more runs than there is."""
        return self.capacity - self.usage_of(self.numa)

    @cached_property
    def is_pinned(self) -> BoolArray:
        """Shape (num_vms,): VMs that may not move."""
        return np.array([bool(reason) for reason in self.pinned], dtype=np.bool_)

    def partners_of(self, vm: int) -> IntArray:
        """VMs that conflict with *vm*, ascending."""
        ptr, partner = self._partners
        return partner[ptr[vm] : ptr[vm + 1]]

    @cached_property
    def _partners(self) -> tuple[IntArray, IntArray]:
        one, other = np.concatenate((self.conflicts, self.conflicts[:, ::-1])).T
        order = np.lexsort((other, one))
        ptr = np.searchsorted(one[order], np.arange(self.num_vms + 1)).astype(np.int32)
        return ptr, other[order]

    @cached_property
    def groups_of(self) -> tuple[tuple[int, ...], ...]:
        """For each VM, the numbers of its groups."""
        found: list[list[int]] = [[] for _ in self.vms]
        for number, group in enumerate(self.groups):
            for vm in group.vms.tolist():
                found[vm].append(number)
        return tuple(map(tuple, found))

    def domain(self, scope: str) -> IntArray:
        """Shape (num_pms,): number of each PM's place in a group's *scope*: ``pm`` or ``rack``."""
        pms = np.arange(self.num_pms, dtype=np.int32)
        if scope == "pm":
            return pms
        return np.where(self.rack >= 0, self.rack, len(self.racks) + pms).astype(np.int32)

    @cached_property
    def volume(self) -> LongArray:
        """Shape (num_vms,): MiB that a migration copies, memory of all parts and local disk."""
        if "memory" not in self.resources:
            return self.disk
        return self.demand[:, self.resources.index("memory")] * self.parts + self.disk

    @cached_property
    def move_cost(self) -> LongArray:
        """Shape (num_vms,): cost of one migration of each VM, at least 1."""
        return np.maximum(1, -(-self.volume // self.policy.cost_unit))

    @cached_property
    def duration(self) -> LongArray:
        """Shape (num_vms,): seconds of one migration of each VM, at least 1."""
        seconds = self.policy.overhead - (-self.volume // self.policy.bandwidth)
        return np.maximum(1, seconds)
