"""From the worth of slots to the fragment rate, and back: the rate as operators read it."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from cpsched.vms.objective import worth

if TYPE_CHECKING:
    from cpsched.vms.instance import VmCluster


def rate(cluster: VmCluster, total: int, free: int) -> Fraction:
    """Weighted fragment rate if slots of worth *total* lie on *free* millicores of active PMs.

    total: in the units of ``cpsched.vms.objective.worth``. It is 0 if nothing is free.
    """
    if free <= 0:
        return Fraction(0)
    kinds = cluster.policy.fragments
    unit = kinds[0].weight * kinds[0].size // worth(cluster)[0]
    whole = free * sum(one.weight for one in kinds)
    return Fraction(max(0, whole - unit * total), whole)
