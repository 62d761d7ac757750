"""Names of the methods that reschedule VMs, and where each is found; cheap to import."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cpsched.vms.instance import VmCluster

#: Method by name, with one line on what it does.
METHODS: dict[str, str] = {
    "auto": "greedy, then columns, then search and CP-SAT for what is not proven",
    "columns": "column generation over changes of NUMA nodes or PMs, with proofs",
    "cpsat": "CP-SAT on the model, stage by stage",
    "search": "annealing over final states, and an order for the best; proves nothing",
    "greedy": "the filtering heuristic: always the migration that gains most",
    "best-fit-vbpp": "vector bin packing: the worst NUMA nodes are packed again by best fit",
    "pop": "random parts of the cluster, each by columns: no proof of the whole",
    "plain-cpsat": "CP-SAT on a Boolean for every VM and place, in one go: the published model",
}

#: Module of each method.
MODULES = {
    "auto": "cpsched.vms.portfolio",
    "columns": "cpsched.vms.portfolio",
    "cpsat": "cpsched.vms.cpsat",
    "search": "cpsched.vms.portfolio",
    "greedy": "cpsched.vms.greedy",
    "best-fit-vbpp": "cpsched.vms.baselines",
    "pop": "cpsched.vms.partition",
    "plain-cpsat": "cpsched.vms.cpsat",
}

#: Methods that run to their end and offer one plan.
BASELINES = ("greedy", "best-fit-vbpp", "pop")

#: Methods that know nothing but the fragment rate.
RATE_ONLY = ("best-fit-vbpp", "pop")


def obstacle(method: str, instance: VmCluster) -> str:
    """What keeps *method*, one of ``METHODS``, from rescheduling *instance*; empty if nothing."""
    if method in RATE_ONLY and instance.policy.objective == "empty":
        return "is about the fragment rate and does not empty PMs"
    if method in ("columns", "pop"):
        from cpsched.vms import columns

        return columns.obstacle(instance)
    if method == "search":
        from cpsched.vms import search

        return search.obstacle(instance)
    if method in ("cpsat", "plain-cpsat"):
        from cpsched.vms import cpsat

        return cpsat.obstacle(instance)
    return ""
