"""The mapping files of VMR2L (EuroSys 2025, doi 10.1145/3689031.3717476), read.

One object; what is read of it::

    {"cluster_list": [{"cluster_name": "c",
      "host_info": [{"node_id": "h0", "status": "ACTIVE", "rack_id": "r0",
        "numa": [{"node": 0, "total_cpu": 44, "memory_huge_total_mb": 184388}, ...]}, ...],
      "vm_instance": [{"instance_id": "v0", "instance_type": "ecs.c1.xlarge", "host_id": "h0",
        "allow_migration": true, "numa": [{"node": 0, "cpu": 4, "mem_mb": 8192}]}, ...]}],
     "vm_type_list": [{"vm_type": "ecs.c1.xlarge"}, ...]}

cpu in cores (up to three decimals), memory in MiB; a VM with two entries in ``numa`` is spread
over both in equal halves. Hosts that are not ``ACTIVE`` are closed and do not count in rates; VMs
with ``allow_migration`` false are pinned; ``rack_id`` may be missing. Free amounts are computed
from the VMs, and all other keys are passed over, as the published code does: deployment sets and
flavor limits among them. Conflicts are in a file of their own, ``{key: {key1: [indices of VMs that
conflict with each other]}}``, pickled there, JSON here.
"""

from __future__ import annotations

import re
from dataclasses import fields
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cpsched.errors import InputError
from cpsched.instances import files
from cpsched.instances.formats import text
from cpsched.instances.formats.entries import label, labels, listed, numbers
from cpsched.instances.formats.native import describe, integer, load, reject_duplicate
from cpsched.vms.instance import VmCluster

if TYPE_CHECKING:
    import os

#: Bytes a mapping, or a file of conflicts, may have.
MAX_BYTES = 128 * 2**20
_MAX_OBJECTS = 2_000_000
_MAX_AMOUNT = 10**9
_FIRST = re.compile(r'\s*\{\s*"(cluster_list|vm_type_list|general_requirement)"')


def is_mapping(content: str) -> bool:
    """Whether a JSON text begins like a mapping."""
    return _FIRST.match(content) is not None


def read(
    path: str | os.PathLike[str], affinity: str | os.PathLike[str] | None = None
) -> VmCluster:
    """Cluster of a mapping file and, if given, its file of conflicts; InputError as ``parse``."""
    found = []
    for source in (path, *(() if affinity is None else (affinity,))):
        try:
            found.append(text.decode(files.read_bytes(Path(source), MAX_BYTES)))
        except InputError as error:
            raise error.at(files.display(source)) from None
    try:
        cluster = parse(found[0])
    except InputError as error:
        raise error.at(files.display(path)) from None
    if affinity is None:
        return cluster
    try:
        return with_conflicts(cluster, found[1])
    except InputError as error:
        raise error.at(files.display(affinity)) from None


def parse(content: str) -> VmCluster:
    """Cluster of the text of a mapping; InputError with the JSON path of what is wrong."""
    root = _object(load(content, _MAX_OBJECTS), "$", "a mapping")
    clusters = listed(_key(root, "cluster_list", "$"), "$.cluster_list")
    if len(clusters) != 1:
        raise InputError(f"one cluster is needed, not {len(clusters)}", path="$.cluster_list")
    types = listed(_key(root, "vm_type_list", "$"), "$.vm_type_list")
    at = "$.vm_type_list"
    flavors = labels(
        [_key(_object(one, f"{at}[{k}]"), "vm_type", f"{at}[{k}]") for k, one in enumerate(types)],
        at,
    )
    path = "$.cluster_list[0]"
    cluster = _object(clusters[0], path, "a cluster")
    hosts = _Hosts(_key(cluster, "host_info", path), f"{path}.host_info")
    vms = _Vms(_key(cluster, "vm_instance", path), f"{path}.vm_instance", hosts, flavors)
    closed = np.array([status != "ACTIVE" for status in hosts.status], dtype=np.bool_)
    return VmCluster(
        name=label(_key(cluster, "cluster_name", path), f"{path}.cluster_name"),
        resources=("cpu", "memory"),
        pms=tuple(hosts.names),
        numa_pm=np.array(hosts.numa_pm, dtype=np.int32),
        capacity=np.array(hosts.capacity, dtype=np.int64).reshape(-1, 2),
        racks=tuple(hosts.racks),
        rack=np.array(hosts.rack, dtype=np.int32),
        closed=closed,
        evacuate=np.zeros(len(closed), dtype=np.bool_),
        active=~closed,
        vms=tuple(vms.names),
        flavors=flavors,
        flavor=np.array(vms.flavor, dtype=np.int32),
        parts=np.array(vms.parts, dtype=np.int32),
        demand=np.array(vms.demand, dtype=np.int64).reshape(-1, 2),
        numa=np.array(vms.numa, dtype=np.int32).reshape(-1, 2),
        disk=np.zeros(len(vms.names), dtype=np.int64),
        pinned=tuple(vms.pinned),
        profile=np.zeros(len(vms.names), dtype=np.int32),
        allowed=np.ones((1, len(closed)), dtype=np.bool_),
    )


class _Hosts:
    """``host_info``, entry by entry."""

    def __init__(self, value: Any, path: str) -> None:
        self.names: list[str] = []
        self.status: list[str] = []
        self.racks: dict[str, int] = {}
        self.rack: list[int] = []
        self.numa_pm: list[int] = []
        self.capacity: list[list[int]] = []
        #: By name: index of the first NUMA node, and how many there are.
        self.numas: dict[str, tuple[int, int]] = {}
        for k, entry in enumerate(listed(value, path)):
            self._add(_object(entry, f"{path}[{k}]", "a host"), f"{path}[{k}]")

    def _add(self, host: dict[str, Any], path: str) -> None:
        name = label(_key(host, "node_id", path), f"{path}.node_id")
        if name in self.numas:
            raise InputError(f"the host {name[:60]!a} occurs twice", path=f"{path}.node_id")
        status = _key(host, "status", path)
        if status not in ("ACTIVE", "DISABLED", "OUTAGE"):
            raise InputError(
                f"a status is ACTIVE, DISABLED or OUTAGE, not {describe(status)}",
                path=f"{path}.status",
            )
        rack = host.get("rack_id")
        if isinstance(rack, int) and not isinstance(rack, bool):
            rack = str(rack)
        if rack is not None:
            rack = self.racks.setdefault(label(rack, f"{path}.rack_id"), len(self.racks))
        entries = listed(_key(host, "numa", path), f"{path}.numa")
        if not entries:
            raise InputError("a host needs at least one NUMA node", path=f"{path}.numa")
        self.numas[name] = (len(self.numa_pm), len(entries))
        for k, entry in enumerate(entries):
            at = f"{path}.numa[{k}]"
            numa = _object(entry, at, "a NUMA node")
            integer(_key(numa, "node", at), k, k, f"{at}.node", "the number of the NUMA node")
            self.numa_pm.append(len(self.names))
            memory = _key(numa, "memory_huge_total_mb", at)
            self.capacity.append(
                [
                    _millicores(_key(numa, "total_cpu", at), f"{at}.total_cpu"),
                    _whole(memory, f"{at}.memory_huge_total_mb"),
                ]
            )
        self.names.append(name)
        self.status.append(status)
        self.rack.append(-1 if rack is None else rack)


class _Vms:
    """``vm_instance``, entry by entry."""

    def __init__(self, value: Any, path: str, hosts: _Hosts, flavors: tuple[str, ...]) -> None:
        self.names: list[str] = []
        self.flavor: list[int] = []
        self.parts: list[int] = []
        self.demand: list[list[int]] = []
        self.numa: list[list[int]] = []
        self.pinned: list[str] = []
        self._hosts = hosts
        self._flavors = {name: k for k, name in enumerate(flavors)}
        self._seen: set[str] = set()
        for k, entry in enumerate(listed(value, path)):
            self._add(_object(entry, f"{path}[{k}]", "a VM"), f"{path}[{k}]")

    def _add(self, vm: dict[str, Any], path: str) -> None:
        name = label(_key(vm, "instance_id", path), f"{path}.instance_id")
        if name in self._seen:
            raise InputError(f"the VM {name[:60]!a} occurs twice", path=f"{path}.instance_id")
        self._seen.add(name)
        kind = label(_key(vm, "instance_type", path), f"{path}.instance_type")
        if kind not in self._flavors:
            raise InputError(
                f"the type {kind[:60]!a} is not in vm_type_list", path=f"{path}.instance_type"
            )
        host = label(_key(vm, "host_id", path), f"{path}.host_id")
        if host not in self._hosts.numas:
            raise InputError(
                f"VM {name[:60]!a} is on the host {host[:60]!a}, which host_info does not have",
                path=f"{path}.host_id",
            )
        movable = _key(vm, "allow_migration", path)
        if type(movable) is not bool:
            raise InputError(
                f"expected true or false, not {describe(movable)}", path=f"{path}.allow_migration"
            )
        first, count = self._hosts.numas[host]
        places: dict[int, list[int]] = {}
        for k, entry in enumerate(listed(_key(vm, "numa", path), f"{path}.numa")):
            at = f"{path}.numa[{k}]"
            part = _object(entry, at, "a part of a VM")
            node = integer(
                _key(part, "node", at), 0, count - 1, f"{at}.node", f"the NUMA node of {host}"
            )
            places[first + node] = [
                _millicores(_key(part, "cpu", at), f"{at}.cpu"),
                _whole(_key(part, "mem_mb", at), f"{at}.mem_mb"),
            ]
        demands = list(places.values())
        if len(vm["numa"]) not in (1, 2) or len(places) < len(vm["numa"]):
            raise InputError("a VM is on one NUMA node or on two", path=f"{path}.numa")
        if demands[0] != demands[-1]:
            raise InputError("the two parts of a VM must be equal halves", path=f"{path}.numa")
        self.names.append(name)
        self.flavor.append(self._flavors[kind])
        self.parts.append(len(places))
        self.demand.append(demands[0])
        self.numa.append([*sorted(places), -1][:2])
        self.pinned.append("" if movable else "allow_migration is false")


def _object(value: Any, path: str, what: str = "an entry") -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InputError(f"{what} must be an object, not {describe(value)}", path=path)
    reject_duplicate(value, path)
    return value


def _key(value: dict[str, Any], key: str, path: str) -> Any:
    if key not in value:
        raise InputError(f"the key {key!r} is missing", path=path)
    return value[key]


def _millicores(value: Any, path: str) -> int:
    return _scaled(value, 1000, path, "cores must be a number with up to three decimals")


def _whole(value: Any, path: str) -> int:
    return _scaled(value, 1, path, "MiB must be a whole number")


def _scaled(value: Any, factor: int, path: str, what: str) -> int:
    if type(value) in (int, float) and 0 <= value <= _MAX_AMOUNT:
        found: int = round(value * factor)
        if abs(found - value * factor) < 1e-6:
            return found
    raise InputError(f"{what} in 0..{_MAX_AMOUNT}, not {describe(value)}", path=path)


def with_conflicts(cluster: VmCluster, content: str) -> VmCluster:
    """*cluster* with the conflicts of a file's text in place of its own."""
    root = _object(load(content, _MAX_OBJECTS), "$", "the conflicts")
    pairs: set[tuple[int, int]] = set()
    for key, inner in root.items():
        path = f"$.{key[:40]}"
        for key1, vms in _object(inner, path, "the conflicts").items():
            members = numbers(vms, f"{path}.{key1[:40]}", 0, cluster.num_vms - 1)
            pairs.update(combinations(sorted(set(members.tolist())), 2))
    values = {entry.name: getattr(cluster, entry.name) for entry in fields(cluster)}
    values["conflicts"] = np.array(sorted(pairs), dtype=np.int32).reshape(-1, 2)
    return VmCluster(**values)
