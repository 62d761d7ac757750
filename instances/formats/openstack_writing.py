"""Snapshots of OpenStack, written: see ``cpsched.instances.formats.openstack``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from cpsched.errors import InputError
from cpsched.instances.formats.faithful import require_equal
from cpsched.instances.formats.openstack import parse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cpsched.vms.instance import VmCluster

_CLASSES = {"cpu": "VCPU", "memory": "MEMORY_MB", "pcpu": "PCPU", "disk": "DISK_GB"}


def dumps(cluster: VmCluster) -> str:
    """Text of one object with the answers of the API that describe *cluster*.

    Raises
    ------
    InputError
        Naming a field that these cannot hold.
    """
    order = [kind for kind in _CLASSES if kind in cluster.resources]
    if list(cluster.resources) != order or cluster.num_numa != cluster.num_pms:
        raise InputError(
            f"the format openstack holds hosts of one NUMA node with {', '.join(_CLASSES)}; "
            f"{cluster.name} has {cluster.num_numa} NUMA nodes on {cluster.num_pms} PMs with "
            f"{', '.join(cluster.resources)}; json can hold it"
        )
    zones = _zones(cluster)
    content = {
        "hypervisors": list(_hypervisors(cluster)),
        "services": [
            {"binary": "nova-compute", "host": pm, "zone": zone, "state": "up"}
            for pm, zone in zip(cluster.pms, zones, strict=True)
        ],
        "inventories": dict(_inventories(cluster)),
        "servers": list(_servers(cluster, zones)),
        "server_groups": [
            {
                "id": f"group-{k}",
                "name": group.name,
                "policy": group.kind,
                "rules": {"max_server_per_host": group.most} if group.apart else {},
                "members": [cluster.vms[vm] for vm in group.vms.tolist()],
            }
            for k, group in enumerate(cluster.groups)
        ],
    }
    text = json.dumps(content, separators=(",", ":")) + "\n"
    require_equal(cluster, parse([(cluster.name, text)], cluster.name), "openstack")
    return text


def _zones(cluster: VmCluster) -> list[str]:
    """Name of the zone of each host: hosts that the same profiles allow share one."""
    columns = [tuple(column) for column in cluster.allowed.T.tolist()]
    kinds = list(dict.fromkeys(columns))
    return ["nova" if len(kinds) == 1 else f"zone-{kinds.index(one)}" for one in columns]


def _hypervisors(cluster: VmCluster) -> Iterator[dict[str, Any]]:
    for k, pm in enumerate(cluster.pms):
        closed, evacuate = bool(cluster.closed[k]), bool(cluster.evacuate[k])
        yield {
            "id": f"hypervisor-{k}",
            "hypervisor_hostname": pm,
            "state": "up",
            "status": "disabled" if closed else "enabled",
            "service": {"host": pm, "disabled_reason": "maintenance" if evacuate else None},
        }


def _inventories(cluster: VmCluster) -> Iterator[tuple[str, dict[str, dict[str, float]]]]:
    for k, pm in enumerate(cluster.pms):
        found = {}
        for r, resource in enumerate(cluster.resources):
            total, reserved, ratio = int(cluster.capacity[k, r]), 0, 1000
            if cluster.inventory is not None:
                inventory = cluster.inventory
                total, reserved, ratio = (
                    int(table[k, r])
                    for table in (inventory.total, inventory.reserved, inventory.ratio)
                )
            unit = 1000 if resource == "cpu" else 1
            found[_CLASSES[resource]] = {
                "total": _whole(total, unit),
                "reserved": _whole(reserved, unit),
                "allocation_ratio": ratio / 1000,
            }
        yield pm, found


def _whole(amount: int, unit: int) -> float:
    return amount // unit if amount % unit == 0 else amount / unit


def _servers(cluster: VmCluster, zones: list[str]) -> Iterator[dict[str, Any]]:
    amounts = {kind: r for r, kind in enumerate(cluster.resources)}
    every = [bool(row.all()) for row in cluster.allowed]
    for k, vm in enumerate(cluster.vms):
        demand = cluster.demand[k].tolist()
        dedicated = "pcpu" in amounts and demand[amounts["pcpu"]] > 0
        specs: dict[str, str] = {"hw:cpu_policy": "dedicated"} if dedicated else {}
        server: dict[str, Any] = {
            "id": vm,
            "status": "ACTIVE",
            "image": {},
            "locked": False,
            "OS-EXT-SRV-ATTR:host": cluster.pms[cluster.pm[k]],
            "OS-EXT-STS:task_state": None,
        }
        kind, _, what = cluster.pinned[k].partition(" ")
        if kind == "status":
            server["status"] = what
        elif kind == "task":
            server["OS-EXT-STS:task_state"] = what
        elif kind == "locked":
            server["locked"] = True
        elif kind:
            specs[kind] = "1"
        server["flavor"] = {
            "original_name": cluster.flavors[cluster.flavor[k]],
            "vcpus": demand[amounts["pcpu"]] if dedicated else _whole(demand[0], 1000),
            "ram": demand[1],
            "disk": demand[amounts["disk"]] if "disk" in amounts else 0,
            "ephemeral": 0,
            "extra_specs": specs,
        }
        zone = zones[cluster.pm[k]]
        server["OS-EXT-AZ:availability_zone"] = zone
        server["pinned_availability_zone"] = None if every[cluster.profile[k]] else zone
        yield server
