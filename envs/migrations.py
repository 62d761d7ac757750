"""What migrations add to the environments that change a decision a step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cpsched.errors import InputError
from cpsched.vms.objective import move_limit
from cpsched.vms.policy import Fragment
from cpsched.vms.solution import Migrations

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from cpsched.vms.model import VmFormulation


class Migrating:
    """Steps of an episode as migrations: a plan without hops, in the order in which it is made.

    A VM moves once, from where it is now, so that what the model says of arrivals in the state
    after a step is what the rules ask of the step.

    Attributes
    ----------
    blocked
        Shape (num_decisions,): places of a VM with two parts that share a NUMA node with the one
        it has. On the way the shared node would hold both parts; a final state does not say so.
    limit
        Most migrations, by the policy.
    """

    def __init__(self, formulation: VmFormulation) -> None:
        if formulation.cluster is None:
            raise InputError("the formulation has no cluster")
        self.formulation, self.cluster = formulation, formulation.cluster
        cluster, vm, place = self.cluster, formulation.vm, formulation.place
        own = cluster.numa[vm]
        shared = (place[:, :, None] == own[:, None, :]).any(axis=(1, 2))
        self.blocked: npt.NDArray[np.bool_] = (
            (cluster.parts[vm] == 2) & shared & (place != own).any(axis=1)
        )
        self.limit = move_limit(cluster)
        kinds = (one for one in cluster.policy.fragments if not one.double)
        self._size = next(kinds, Fragment()).size
        self.begin()

    def begin(self) -> None:
        """Begin an episode."""
        self._free = self.cluster.free[:, 0].copy()

    def step(self, decision: int) -> float:
        """Note a step; returns the drop of fragments, as the literature rewards it.

        A quarter of the drop of ``(free mod size) / (2 size)``, summed over the NUMA nodes of
        source and destination; size: of a slot, 16 cores by default. So a core less in fragments
        is 1/128 (VMR2L, doi 10.1145/3689031.3717476).
        """
        vm = int(self.formulation.vm[decision])
        demand = int(self.cluster.demand[vm, 0])
        source = [numa for numa in self.cluster.numa[vm].tolist() if numa >= 0]
        target = list(self.formulation.migration(decision).numa)
        touched = [*source, *target]
        before = int((np.maximum(self._free[touched], 0) % self._size).sum())
        self._free[source] += demand
        self._free[target] -= demand
        after = int((np.maximum(self._free[touched], 0) % self._size).sum())
        return (before - after) / (8 * self._size)

    def plan(self, taken: Sequence[int]) -> Migrations:
        """The decisions *taken* as a plan."""
        return Migrations(tuple(self.formulation.migration(decision) for decision in taken))
