"""The native JSON format of VMs on PMs: one object on one line, every field, exact both ways.

The keys are the fields of ``cpsched.vms.instance.VmCluster``, arrays as (nested) lists of
integers, -1 for none. Some are shortened: ``numa`` has one list of one or two NUMA nodes for each
VM, as many as it has parts; ``closed``, ``evacuate`` and ``inactive`` list PM indices; ``pinned``
is an object ``{vm: reason}``; ``allowed`` has one text of ``0`` and ``1`` per profile, one
character per PM. ``inventory`` is null where capacities are given as such. A file of several
lines holds a cluster on each.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from cpsched.errors import InputError
from cpsched.instances.formats.entries import (
    INT64,
    bits,
    check_header,
    each,
    label,
    labels,
    listed,
    numbers,
    reasons,
    table,
)
from cpsched.instances.formats.native import check_keys, describe, load
from cpsched.vms.groups import Group
from cpsched.vms.instance import VmCluster
from cpsched.vms.inventory import Inventory
from cpsched.vms.policy import Fragment, Policy

if TYPE_CHECKING:
    from cpsched.arrays import BoolArray, IntArray

SCHEMA_VERSION = 1
KEYS = (
    "schema_version",
    "family",
    "name",
    "resources",
    "pms",
    "numa_pm",
    "capacity",
    "racks",
    "rack",
    "closed",
    "evacuate",
    "inactive",
    "vms",
    "flavors",
    "flavor",
    "demand",
    "numa",
    "disk",
    "pinned",
    "profile",
    "allowed",
    "groups",
    "conflicts",
    "policy",
    "inventory",
)
#: Objects in a text: one for each group, and a few.
_MAX_OBJECTS = 1_000_000
_FAMILY = re.compile(r'"family"\s*:\s*"vms"')
_GROUP = ("name", "kind", "scope", "vms", "most")
_POLICY = tuple(entry.name for entry in fields(Policy))
_FRAGMENT = tuple(entry.name for entry in fields(Fragment))
_INVENTORY = ("total", "reserved", "ratio")


def is_native(text: str) -> bool:
    """Whether a JSON text says that it is a cluster of VMs."""
    return _FAMILY.search(text, 0, 4096) is not None


def parse(text: str) -> VmCluster:
    """Cluster of *text*; InputError with the JSON path of what is wrong."""
    root = check_keys(load(text, _MAX_OBJECTS), KEYS, "$", "an instance")
    check_header(root, SCHEMA_VERSION, VmCluster.family)
    names = {
        key: labels(root[key], f"$.{key}")
        for key in ("resources", "pms", "racks", "vms", "flavors")
    }
    pms, vms, resources = (len(names[key]) for key in ("pms", "vms", "resources"))
    numa_pm = numbers(root["numa_pm"], "$.numa_pm", 0, pms - 1)
    allowed = bits(root["allowed"], pms, "$.allowed")
    parts, numa = _places(root["numa"], vms, len(numa_pm))
    return VmCluster(
        name=label(root["name"], "$.name"),
        resources=names["resources"],
        pms=names["pms"],
        numa_pm=numa_pm.astype(np.int32),
        capacity=table(root["capacity"], len(numa_pm), resources, "$.capacity"),
        racks=names["racks"],
        rack=_each(root, "rack", pms, -1, len(names["racks"]) - 1),
        closed=_chosen(root, "closed", pms),
        evacuate=_chosen(root, "evacuate", pms),
        active=~_chosen(root, "inactive", pms),
        vms=names["vms"],
        flavors=names["flavors"],
        flavor=_each(root, "flavor", vms, 0, len(names["flavors"]) - 1),
        parts=parts,
        demand=table(root["demand"], vms, resources, "$.demand"),
        numa=numa,
        disk=each(root["disk"], vms, "$.disk", 0, INT64),
        pinned=reasons(root["pinned"], names["vms"], "VM", "$.pinned"),
        profile=_each(root, "profile", vms, 0, len(allowed) - 1),
        allowed=allowed,
        groups=tuple(
            _group(entry, vms, f"$.groups[{k}]")
            for k, entry in enumerate(listed(root["groups"], "$.groups"))
        ),
        conflicts=table(root["conflicts"], None, 2, "$.conflicts", vms - 1).astype(np.int32),
        policy=policy_of(root["policy"]),
        inventory=_inventory(root["inventory"], len(numa_pm), resources),
    )


def _each(root: dict[str, Any], key: str, size: int, low: int, high: int) -> IntArray:
    return each(root[key], size, f"$.{key}", low, high).astype(np.int32)


def _chosen(root: dict[str, Any], key: str, size: int) -> BoolArray:
    found = np.zeros(size, dtype=np.bool_)
    found[numbers(root[key], f"$.{key}", 0, size - 1)] = True
    return found


def _places(value: Any, vms: int, numas: int) -> tuple[IntArray, IntArray]:
    entries = listed(value, "$.numa")
    if len(entries) != vms:
        raise InputError(f"{vms} lists are needed, not {len(entries)}", path="$.numa")
    for k, entry in enumerate(entries):
        if not isinstance(entry, list) or len(entry) not in (1, 2):
            raise InputError(
                f"a list of one NUMA node or of two is needed, not {describe(entry)}",
                path=f"$.numa[{k}]",
            )
    parts = np.array(list(map(len, entries)), dtype=np.int32)
    # A second place for all, for one check of all.
    pairs = table([[*entry, entry[0]][:2] for entry in entries], vms, 2, "$.numa", numas - 1)
    pairs[parts == 1, 1] = -1
    return parts, pairs.astype(np.int32)


def _group(value: Any, vms: int, path: str) -> Group:
    check_keys(value, _GROUP, path, "a group")
    members = numbers(value["vms"], f"{path}.vms", 0, vms - 1).astype(np.int32)
    name = label(value["name"], f"{path}.name")
    try:
        return Group(name, value["kind"], value["scope"], members, value["most"])
    except InputError as error:
        raise InputError(error.reason, path=path) from None


def policy_of(value: Any, path: str = "$.policy") -> Policy:
    """Policy of a JSON object; InputError with the path of what is wrong."""
    entries = dict(check_keys(value, _POLICY, path, "a policy"))
    fragments = []
    for k, entry in enumerate(listed(entries["fragments"], f"{path}.fragments")):
        at = f"{path}.fragments[{k}]"
        fragments.append(_made(Fragment, check_keys(entry, _FRAGMENT, at, "a slot size"), at))
    entries["fragments"] = tuple(fragments)
    if entries["goal"] is not None:
        entries["goal"] = tuple(each(entries["goal"], 2, f"{path}.goal", 0, 2**31 - 1).tolist())
    return _made(Policy, entries, path)  # type: ignore[no-any-return]


def _made(kind: type, entries: dict[str, Any], path: str) -> Any:
    try:
        return kind(**entries)
    except InputError as error:
        raise InputError(error.reason, path=path) from None


def _inventory(value: Any, numas: int, resources: int) -> Inventory | None:
    if value is None:
        return None
    entries = check_keys(value, _INVENTORY, "$.inventory", "an inventory")
    return _made(  # type: ignore[no-any-return]
        Inventory,
        {key: table(entries[key], numas, resources, f"$.inventory.{key}") for key in _INVENTORY},
        "$.inventory",
    )


def dumps(cluster: VmCluster) -> str:
    """JSON text of *cluster* on one line."""
    root = {
        "schema_version": SCHEMA_VERSION,
        "family": VmCluster.family,
        "name": cluster.name,
        "resources": cluster.resources,
        "pms": cluster.pms,
        "numa_pm": cluster.numa_pm.tolist(),
        "capacity": cluster.capacity.tolist(),
        "racks": cluster.racks,
        "rack": cluster.rack.tolist(),
        "closed": np.flatnonzero(cluster.closed).tolist(),
        "evacuate": np.flatnonzero(cluster.evacuate).tolist(),
        "inactive": np.flatnonzero(~cluster.active).tolist(),
        "vms": cluster.vms,
        "flavors": cluster.flavors,
        "flavor": cluster.flavor.tolist(),
        "demand": cluster.demand.tolist(),
        "numa": [[one for one in row if one >= 0] for row in cluster.numa.tolist()],
        "disk": cluster.disk.tolist(),
        "pinned": {
            vm: reason for vm, reason in zip(cluster.vms, cluster.pinned, strict=True) if reason
        },
        "profile": cluster.profile.tolist(),
        "allowed": ["".join("01"[flag] for flag in row) for row in cluster.allowed.tolist()],
        "groups": [
            {**{key: getattr(group, key) for key in _GROUP}, "vms": group.vms.tolist()}
            for group in cluster.groups
        ],
        "conflicts": cluster.conflicts.tolist(),
        "policy": asdict(cluster.policy),
        "inventory": None
        if cluster.inventory is None
        else {key: getattr(cluster.inventory, key).tolist() for key in _INVENTORY},
    }
    return json.dumps(root, separators=(",", ":")) + "\n"
