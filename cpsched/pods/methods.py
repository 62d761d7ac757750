"""Names of the methods that pack pods, and where each is found; cheap to import."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cpsched.pods.instance import Cluster

#: Method by name, with one line on what it does.
METHODS: dict[str, str] = {
    "auto": "portfolio: search, patterns with column generation, CP-SAT",
    "cpsat": "CP-SAT alone, stage by stage",
    "columns": "patterns with column generation alone",
    "search": "ruin and recreate alone",
    "default-scheduler": "the Kubernetes scheduler, simulated, without preemption: moves nothing",
    "default-preemption": "the Kubernetes scheduler, simulated, with its preemption",
    "first-fit-decreasing": "largest pods first, each on the first node it fits on",
    "best-fit": "each pod on the node it fills best",
}

#: Module of a method, where it is not that of the baselines.
MODULES = {
    "auto": "cpsched.pods.portfolio",
    "cpsat": "cpsched.pods.cpsat",
    "columns": "cpsched.pods.portfolio",
    "search": "cpsched.pods.search",
    "default-scheduler": "cpsched.pods.scheduler",
    "default-preemption": "cpsched.pods.scheduler",
    "first-fit-decreasing": "cpsched.pods.baselines",
    "best-fit": "cpsched.pods.baselines",
}


def obstacle(method: str, instance: Cluster) -> str:
    """What keeps *method*, one of ``METHODS``, from packing *instance*; empty if nothing."""
    del method, instance
    return ""
