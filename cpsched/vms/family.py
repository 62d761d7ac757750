"""VM rescheduling as the common layers see it; see ``cpsched.families.Family``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cpsched.vms.account import after as after
from cpsched.vms.account import cells as cells
from cpsched.vms.account import facts as facts
from cpsched.vms.account import measures as measures
from cpsched.vms.account import objective_text as objective_text
from cpsched.vms.account import record as record
from cpsched.vms.check import check as check
from cpsched.vms.earlier import earlier as earlier
from cpsched.vms.instance import VmCluster
from cpsched.vms.listing import csv_rows as csv_rows
from cpsched.vms.methods import METHODS as METHODS
from cpsched.vms.methods import obstacle as obstacle
from cpsched.vms.objective import objective
from cpsched.vms.settings import SETTINGS as SETTINGS
from cpsched.vms.settings import with_setting as with_setting
from cpsched.vms.statements import as_stated as as_stated
from cpsched.vms.statements import denied as denied
from cpsched.words import count

if TYPE_CHECKING:
    import threading
    from collections.abc import Collection, Sequence

    from cpsched.incumbent import Incumbent
    from cpsched.protocols import Limits
    from cpsched.vms.solution import Migrations

INSTANCE = VmCluster
OBJECTIVE = "objective"
SOLUTION = "plan"
CSV_COLUMNS = (
    *("step", "vm", "from_pm", "from_numa", "to_pm", "to_numa"),
    *("lane", "start_s", "end_s"),
)
TABLE_COLUMNS = ("FR before", "FR", "at least", "moves", "plan s", "proven")
MEASURES = ("FR before %", "FR after %", "FR bound %", "moves", "proven %")
PLOT = "cpsched.plot:fragments_of_result"
COMMANDS = {
    "openstack": "cpsched.vms.commands:openstack",
    "proxmox": "cpsched.vms.commands:proxmox",
    "table": "cpsched.vms.commands:table",
}
NAMED = False
GAP = False  # an objective of several stages is one number only to be compared
PICTURE = "picture of the fragments before and after"


def prepare(methods: Collection[str], instances: Sequence[VmCluster] | None) -> None:
    """Import the kernels of *methods*."""
    del instances
    from cpsched.vms import running

    running.load(methods)


def start(
    instance: VmCluster, limits: Limits, method: str, incumbent: Incumbent[Migrations]
) -> threading.Thread:
    """Start *method* on *incumbent*; returns the running thread."""
    from cpsched.vms import running

    return running.start(instance, limits, method, incumbent)


def quick_bound(instance: VmCluster) -> int:
    """What counting says."""
    from cpsched.vms.bounds import simple_bound

    return simple_bound(instance)


def shape(instance: VmCluster) -> str:
    """The size in words."""
    return (
        f"VMs on PMs, {count(instance.num_pms, 'PM')}, {count(instance.num_numa, 'NUMA node')}, "
        f"{count(instance.num_vms, 'VM')}"
    )


def size(instance: VmCluster) -> str:
    """VMs on PMs."""
    return f"{instance.num_vms} on {instance.num_pms}"


def items(instance: VmCluster) -> int:
    """Number of VMs."""
    return instance.num_vms


def value(instance: VmCluster, migrations: Migrations) -> int:
    """The objective, whether or not the plan keeps the rules."""
    return objective(instance, migrations)
