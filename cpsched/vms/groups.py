"""Rules between VMs: server groups, and what contradicts itself among rules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from cpsched.arrays import Arrays, IntArray, indices
from cpsched.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cpsched.vms.instance import VmCluster

KINDS: Final = ("anti-affinity", "affinity")
SCOPES: Final = ("pm", "rack")


@dataclass(frozen=True, eq=False)
class Group(Arrays):
    """VMs that keep apart, or together, on PMs or in racks.

    kind ``anti-affinity``: at most *most* of *vms* (indices) on one PM (in one rack); a VM on its
    way counts on both sides. kind ``affinity``: all on one PM (in one rack). scope: ``pm`` or
    ``rack``; a PM without a rack is a rack of its own.

    Asked of arrivals, at any moment: a VM that comes to a PM (rack) where it is not yet must find
    at most ``most - 1`` others of an anti-affinity group there, and all others of an affinity
    group. (So an affinity group that is together does not leave: the first to go would be alone.)
    What is broken already and stays is let be.

    Raises InputError for an unknown kind or scope, or a *most* that is not positive.
    """

    name: str
    kind: str
    scope: str
    vms: IntArray
    most: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "vms", indices(self.vms, f"VMs of group {self.name}"))
        for what, allowed in (("kind", KINDS), ("scope", SCOPES)):
            value = getattr(self, what)
            if value not in allowed:
                raise InputError(
                    f"group {self.name}: the {what} must be {' or '.join(allowed)}, not {value!r}"
                )
        if type(self.most) is not int or self.most < 1:
            raise InputError(f"group {self.name}: most must be at least 1, not {self.most!r}")
        if self.kind == "affinity" and self.most != 1:
            raise InputError(f"group {self.name}: most belongs to anti-affinity, not to affinity")

    @property
    def apart(self) -> bool:
        """Whether it is an anti-affinity group."""
        return self.kind == "anti-affinity"


def contradictions(cluster: VmCluster) -> Iterator[str]:
    """What no placement can keep: each sentence names the VMs and the rules."""
    yield from _pins(cluster)
    yield from _sizes(cluster)
    together = [group for group in cluster.groups if not group.apart]
    for group in together:
        yield from _conflicts(cluster, group)
        for other in cluster.groups:
            if other.apart and (group.scope == "pm" or other.scope == "rack"):
                yield from _opposed(cluster, group, other)


def _pins(cluster: VmCluster) -> Iterator[str]:
    leaving = cluster.is_pinned & cluster.evacuate[cluster.pm]
    for vm in np.flatnonzero(leaving).tolist():
        yield (
            f"VM {cluster.vms[vm]} is pinned ({cluster.pinned[vm]}) on PM "
            f"{cluster.pms[cluster.pm[vm]]}, which is to be evacuated"
        )


def _sizes(cluster: VmCluster) -> Iterator[str]:
    for group in cluster.groups:
        places = len(np.unique(cluster.domain(group.scope)))
        if group.apart and len(group.vms) > group.most * places:
            noun = "PMs" if group.scope == "pm" else "racks"
            yield (
                f"anti-affinity group {group.name} has {len(group.vms)} VMs, "
                f"{_names(cluster, group.vms)}, at most {group.most} on each of {places} {noun}"
            )


def _conflicts(cluster: VmCluster, group: Group) -> Iterator[str]:
    if group.scope == "rack":
        return
    both = np.isin(cluster.conflicts, group.vms).all(axis=1)
    for pair in cluster.conflicts[both][:1]:
        yield (f"VMs {_names(cluster, pair)} conflict and are in one affinity group, {group.name}")


def _opposed(cluster: VmCluster, group: Group, other: Group) -> Iterator[str]:
    shared = np.intersect1d(group.vms, other.vms)
    if len(shared) > other.most:
        yield (
            f"VMs {_names(cluster, shared)} are in affinity group {group.name} and in "
            f"anti-affinity group {other.name}, which lets {other.most} of them be together"
        )


def _names(cluster: VmCluster, vms: IntArray) -> str:
    names = [cluster.vms[vm] for vm in vms[:3].tolist()]
    return ", ".join(names) + (f" and {len(vms) - 3} more" if len(vms) > 3 else "")
