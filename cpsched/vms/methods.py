"""Names of the methods that reschedule VMs, and where each is found; cheap to import."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cpsched.vms.instance import VmCluster

#: Method by name, with one line on what it does.
METHODS: dict[str, str] = {
    "auto": "the best of all the others",
    "greedy": "the filtering heuristic: always the migration that gains most",
    "best-fit-vbpp": "vector bin packing: the worst NUMA nodes are packed again by best fit",
    "pop": "random parts of the cluster, each by the filtering heuristic",
}

#: Module of each method.
MODULES = {
    "auto": "cpsched.vms.running",
    "greedy": "cpsched.vms.greedy",
    "best-fit-vbpp": "cpsched.vms.baselines",
    "pop": "cpsched.vms.partition",
}

#: Methods that know nothing but the fragment rate.
RATE_ONLY = ("best-fit-vbpp", "pop")


def obstacle(method: str, instance: VmCluster) -> str:
    """What keeps *method*, one of ``METHODS``, from rescheduling *instance*; empty if nothing."""
    if method in RATE_ONLY and instance.policy.objective == "empty":
        return "is about the fragment rate and does not empty PMs"
    return ""
