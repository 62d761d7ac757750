"""Solutions of VM rescheduling in result files, read back as plans."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cpsched.errors import InputError
from cpsched.instances.formats.entries import label, listed, numbers
from cpsched.instances.formats.native import describe, reject_duplicate
from cpsched.vms.solution import Migration, Migrations

if TYPE_CHECKING:
    from cpsched.vms.instance import VmCluster

#: The key by which a solution is known.
KEY = "migrations"


def parse(solution: dict[str, Any], parent: str, cluster: VmCluster) -> Migrations:
    """Plan of *solution*, an object with the key ``migrations``; other keys are ignored.

    Of each step ``vm``, ``to_pm`` and ``to_numa`` are read: a VM, a PM, and the numbers of one or
    two of its NUMA nodes. InputError with the path of what *cluster* does not have.
    """
    path = f"{parent}.{KEY}"
    vms = {name: number for number, name in enumerate(cluster.vms)}
    pms = {name: number for number, name in enumerate(cluster.pms)}
    moves = []
    for k, entry in enumerate(listed(solution[KEY], path)):
        at = f"{path}[{k}]"
        if not isinstance(entry, dict):
            raise InputError(f"a migration must be an object, not {describe(entry)}", path=at)
        reject_duplicate(entry, at)
        for key in ("vm", "to_pm", "to_numa"):
            if key not in entry:
                raise InputError(f"the key {key!r} is missing", path=at)
        vm = _known(entry["vm"], vms, "VM", f"{at}.vm")
        there = cluster.numas_of(_known(entry["to_pm"], pms, "PM", f"{at}.to_pm"))
        numa = numbers(entry["to_numa"], f"{at}.to_numa", 0, len(there) - 1).tolist()
        if len(numa) not in (1, 2) or len(set(numa)) < len(numa):
            raise InputError(
                "a VM is on one NUMA node, or on two different ones", path=f"{at}.to_numa"
            )
        moves.append(Migration(vm, tuple(there[one] for one in numa)))
    return Migrations(tuple(moves))


def _known(value: Any, names: dict[str, int], noun: str, path: str) -> int:
    name = label(value, path)
    if name not in names:
        raise InputError(f"the cluster has no {noun} called {name[:60]!a}", path=path)
    return names[name]
