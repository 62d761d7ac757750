"""Snapshots of Proxmox VE, written: see ``cpsched.instances.formats.proxmox``."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from cpsched.errors import InputError
from cpsched.instances.formats.faithful import require_equal
from cpsched.instances.formats.proxmox import parse
from cpsched.instances.formats.proxmox_guests import CONTAINER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cpsched.vms.instance import VmCluster

_MIB = 2**20
_NAME = re.compile(r"(vm|ct):([0-9]{1,15})")


def dumps(cluster: VmCluster) -> str:
    """Text of one object with the lists that describe *cluster*.

    Raises
    ------
    InputError
        Naming a field that these cannot hold.
    """
    if cluster.resources != ("cpu", "memory") or cluster.num_numa != cluster.num_pms:
        raise InputError(
            f"the format proxmox holds nodes of one NUMA node with cpu and memory; {cluster.name} "
            f"has {cluster.num_numa} NUMA nodes on {cluster.num_pms} PMs with "
            f"{', '.join(cluster.resources)}; json can hold it"
        )
    content: dict[str, Any] = {
        "resources": [*_nodes(cluster), *_guests(cluster)],
        "rules": list(_rules(cluster)),
    }
    if configs := dict(_configs(cluster)):
        content["configs"] = configs
        content["resources"].append(
            {"id": "storage/local", "type": "storage", "storage": "local", "shared": 0}
        )
    if cluster.inventory is not None:
        content["cpu_ratio"] = int(cluster.inventory.ratio[0, 0]) / 1000
        content["reserve_mib"] = int(cluster.inventory.reserved[0, 1])
    text = json.dumps(content, separators=(",", ":")) + "\n"
    require_equal(cluster, parse([(cluster.name, text)], cluster.name), "proxmox")
    return text


def _nodes(cluster: VmCluster) -> Iterator[dict[str, Any]]:
    total = cluster.capacity if cluster.inventory is None else cluster.inventory.total
    for k, pm in enumerate(cluster.pms):
        online = bool(cluster.evacuate[k] or not cluster.closed[k])
        yield {
            "id": f"node/{pm}",
            "type": "node",
            "node": pm,
            "status": "online" if online else "offline",
            "maxcpu": int(total[k, 0]) // 1000,
            "maxmem": int(total[k, 1]) * _MIB,
            **({"hastate": "maintenance"} if cluster.evacuate[k] else {}),
        }


def _guests(cluster: VmCluster) -> Iterator[dict[str, Any]]:
    for k, vm in enumerate(cluster.vms):
        match = _NAME.fullmatch(vm)
        if match is None:
            raise InputError(
                f"the format proxmox has VMs called vm:ID or ct:ID, not {vm[:60]!a}; json can "
                "hold any name"
            )
        kind, _, what = cluster.pinned[k].partition(" ")
        tags = [kind] if kind.startswith("plb_ignore_") else []
        tags += [
            group.name
            for group in (cluster.groups[number] for number in cluster.groups_of[k])
            if group.name.startswith("plb_")
        ]
        yield {
            "id": f"{'qemu' if match[1] == 'vm' else 'lxc'}/{match[2]}",
            "type": "qemu" if match[1] == "vm" else "lxc",
            "vmid": int(match[2]),
            "node": cluster.pms[cluster.pm[k]],
            "status": what if kind == "status" else "running",
            "maxcpu": int(cluster.demand[k, 0]) // 1000,
            "maxmem": int(cluster.demand[k, 1]) * _MIB,
            "template": 0,
            **({"lock": what} if kind == "lock" and cluster.pinned[k] != CONTAINER else {}),
            **({"tags": ";".join(tags)} if tags else {}),
        }


def _configs(cluster: VmCluster) -> Iterator[tuple[str, dict[str, str]]]:
    """Configurations of VMs with local disks or devices."""
    for vm, disk, reason in zip(cluster.vms, cluster.disk.tolist(), cluster.pinned, strict=True):
        number = vm.partition(":")[2]
        kind, _, device = reason.partition(" ")
        config = {"scsi0": f"local:vm-{number}-disk-0,size={disk}M"} if disk else {}
        if kind == "device":
            config = {device: "local"}
        if config:
            yield number, config


def _rules(cluster: VmCluster) -> Iterator[dict[str, Any]]:
    for group in cluster.groups:
        if not group.name.startswith("plb_"):
            yield {
                "rule": group.name,
                "type": "resource-affinity",
                "affinity": "negative" if group.apart else "positive",
                "resources": ",".join(cluster.vms[vm] for vm in group.vms.tolist()),
            }
    for number, allowed in enumerate(cluster.allowed):
        vms = np.flatnonzero(cluster.profile == number).tolist()
        if not allowed.all() and vms:
            yield {
                "rule": f"profile-{number}",
                "type": "node-affinity",
                "strict": 1,
                "nodes": ",".join(cluster.pms[pm] for pm in np.flatnonzero(allowed).tolist()),
                "resources": ",".join(cluster.vms[vm] for vm in vms),
            }
