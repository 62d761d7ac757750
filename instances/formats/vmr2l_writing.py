"""The mapping files of VMR2L, written: see ``cpsched.instances.formats.vmr2l``."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np

from cpsched.errors import InputError
from cpsched.instances.formats.vmr2l import parse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cpsched.vms.instance import VmCluster


def dumps(cluster: VmCluster) -> str:
    """Text of the mapping of *cluster*, without its conflicts: see ``dumps_conflicts``.

    Raises
    ------
    InputError
        Naming a field that a mapping cannot hold.
    """
    if cluster.resources != ("cpu", "memory"):
        raise InputError(
            f"a mapping of VMR2L has cpu and memory, {cluster.name} has "
            f"{', '.join(cluster.resources)}; json can hold it"
        )
    content = json.dumps(_mapping(cluster), separators=(",", ":")) + "\n"
    back = parse(content)
    for entry in fields(cluster):
        mine, theirs = getattr(cluster, entry.name), getattr(back, entry.name)
        if entry.name != "conflicts" and not np.array_equal(mine, theirs):
            raise InputError(
                f"a mapping of VMR2L cannot hold {entry.name} of {cluster.name}; json can"
            )
    return content


def dumps_conflicts(cluster: VmCluster) -> str:
    """Text of the file of conflicts: one list for each pair."""
    found: dict[str, dict[str, list[int]]] = {}
    for a, b in cluster.conflicts.tolist():
        found.setdefault(str(a), {})[str(b)] = [a, b]
    return json.dumps(found, separators=(",", ":")) + "\n"


def _mapping(cluster: VmCluster) -> dict[str, Any]:
    return {
        "cluster_list": [
            {
                "cluster_name": cluster.name,
                "host_info": list(_host_info(cluster)),
                "vm_instance": list(_vm_instance(cluster)),
                "vm_type_info": [],
                "other_requirement": {"deployment_set": []},
            }
        ],
        "vm_type_list": list(_vm_types(cluster)),
        "general_requirement": {"optimization_objective": "LESS_FRAGMENT"},
    }


def _cores(millicores: int) -> int | float:
    return millicores // 1000 if millicores % 1000 == 0 else millicores / 1000


def _host_info(cluster: VmCluster) -> Iterator[dict[str, Any]]:
    capacity, free = cluster.capacity.tolist(), cluster.free.tolist()
    for pm, name in enumerate(cluster.pms):
        numas = cluster.numas_of(pm)
        rack = int(cluster.rack[pm])
        yield {
            "node_id": name,
            "status": "ACTIVE" if cluster.active[pm] else "DISABLED",
            "node_cpu": _cores(sum(capacity[n][0] for n in numas)),
            "node_mem_mb": sum(capacity[n][1] for n in numas),
            "rack_id": None if rack < 0 else cluster.racks[rack],
            "numa": [
                {
                    "node": k,
                    "total_cpu": _cores(capacity[n][0]),
                    "free_cpu": _cores(free[n][0]),
                    "memory_huge_total_mb": capacity[n][1],
                    "memory_huge_free_mb": free[n][1],
                }
                for k, n in enumerate(numas)
            ],
        }


def _vm_instance(cluster: VmCluster) -> Iterator[dict[str, Any]]:
    first = cluster.numa_ptr[cluster.pm].tolist()
    for vm, (places, demand) in enumerate(
        zip(cluster.numa.tolist(), cluster.demand.tolist(), strict=True)
    ):
        yield {
            "instance_id": cluster.vms[vm],
            "instance_type": cluster.flavors[cluster.flavor[vm]],
            "host_id": cluster.pms[cluster.pm[vm]],
            "allow_migration": not cluster.pinned[vm],
            "numa": [
                {"node": n - first[vm], "cpu": _cores(demand[0]), "mem_mb": demand[1]}
                for n in places
                if n >= 0
            ],
        }


def _vm_types(cluster: VmCluster) -> Iterator[dict[str, Any]]:
    """The flavors, with the size of the first VM of each, 0 where there is none."""
    for flavor, name in enumerate(cluster.flavors):
        vms = np.flatnonzero(cluster.flavor == flavor)[:1].tolist()
        parts = int(cluster.parts[vms[0]]) if vms else 1
        demand = (cluster.demand[vms[0]] * parts).tolist() if vms else [0, 0]
        yield {
            "vm_type": name,
            "request_cpu": _cores(demand[0]),
            "request_mem_mb": demand[1],
            "numa": parts,
            "expected_newly_created_num": 0,
            "weight": 1,
        }
