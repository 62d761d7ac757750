"""The answer to VM rescheduling: migrations in an order in which they can be carried out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cpsched.errors import InputError

if TYPE_CHECKING:
    from cpsched.arrays import IntArray
    from cpsched.vms.instance import VmCluster


@dataclass(frozen=True, slots=True)
class Migration:
    """One step: *vm* (index) goes to *numa*, one NUMA node or two of one PM, kept ascending."""

    vm: int
    numa: tuple[int, ...]

    def __post_init__(self) -> None:
        try:
            vm, numa = int(self.vm), tuple(sorted(int(one) for one in self.numa))
        except (TypeError, ValueError):
            raise InputError("a migration needs the index of a VM and of NUMA nodes") from None
        if len(numa) not in (1, 2) or len(set(numa)) < len(numa):
            raise InputError(f"a VM is on one NUMA node or on two, not on {list(numa)}")
        object.__setattr__(self, "vm", vm)
        object.__setattr__(self, "numa", numa)


@dataclass(frozen=True, slots=True)
class Migrations:
    """An ordered, executable plan: each step is complete before the next begins.

    A VM may occur twice: a hop to a place in between, and the way on. Which steps may overlap in
    time is said by ``cpsched.vms.lanes``. Says nothing about how it was found.
    """

    moves: tuple[Migration, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "moves", tuple(self.moves))
        if not all(type(move) is Migration for move in self.moves):
            raise InputError("a plan consists of migrations")

    @classmethod
    def now(cls, cluster: VmCluster) -> Migrations:
        """Nothing moves."""
        del cluster
        return cls()

    def end(self, cluster: VmCluster) -> IntArray:
        """Shape (num_vms, 2): NUMA nodes of each VM after the last step.

        Rules are not looked at; IndexError for a VM that *cluster* does not have.
        """
        numa = cluster.numa.copy()
        for move in self.moves:
            numa[move.vm] = (*move.numa, -1)[:2]
        return numa
