"""Names of the methods of machine reassignment; cheap to import."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cpsched.reassignment.check import check
from cpsched.reassignment.solution import Assignment

if TYPE_CHECKING:
    from cpsched.reassignment.instance import Reassignment

#: Method by name, with one line on what it does.
METHODS: dict[str, str] = {
    "auto": "portfolio: local search, then large neighbourhoods or a proof by CP-SAT",
    "cpsat": "CP-SAT alone, on the whole model",
    "local-search": "simulated annealing alone",
}

#: Pairs of a process and a machine that the whole model may have: 1,000,000 take some 10 s and
#: 1 GB to build.
MAX_PAIRS = 2_000_000

#: The model has costs of each machine by itself, which must add up to less than this.
MAX_OBJECTIVE = 2**62


def obstacle(method: str, instance: Reassignment) -> str:
    """What keeps *method*, one of ``METHODS``, from *instance*; empty if nothing."""
    if method != "local-search" and instance.num_machines * instance.worst_cost >= MAX_OBJECTIVE:
        return (
            f"adds up costs of machines that may reach {instance.worst_cost} each, "
            f"and {instance.num_machines} of them must stay below {MAX_OBJECTIVE}"
        )
    if method == "cpsat":
        pairs = instance.num_processes * instance.num_machines
        if pairs > MAX_PAIRS:
            return (
                f"models at most {MAX_PAIRS} pairs of a process and a machine, "
                f"{instance.name} has {pairs}"
            )
        return ""
    report = check(instance, Assignment.now(instance))
    if not report.ok:
        return f"starts where the processes are, and that breaks a rule: {report.violations[0]}"
    return ""
