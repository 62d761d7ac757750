"""Snapshots of Proxmox VE: ``/cluster/resources``, with HA rules and HA state if there are any.

Read are the lists that ``pvesh get PATH --output-format json`` prints (or the API, under
``data``), in one file each, or one object of them::

    {"resources": [...], "rules": [...], "status": [...], "cpu_ratio": 4, "reserve_mib": 2048}

``resources`` is /cluster/resources, ``rules`` /cluster/ha/rules, ``status`` /cluster/ha/status/
current. Proxmox does not limit how many virtual cores run on a core: ``cpu_ratio`` says how many
may (default 1), ``reserve_mib`` how much memory of each node is kept free (default 0).

What becomes of them: nodes are PMs of one NUMA node; running VMs are VMs called ``vm:ID``, running
containers ``ct:ID``, pinned, since they restart when they migrate. Templates and what is stopped
use nothing and are left out. Nodes that are not online are closed and not counted; nodes in
maintenance mode are closed and to be evacuated. HA rules: resource affinity, positive and
negative; node affinity, of which the nodes with the highest priority among those online count,
since the HA manager brings a VM back to them. Tags of ProxLB: ``plb_affinity_X``,
``plb_anti_affinity_X``, ``plb_pin_NODE``, ``plb_ignore_X``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from cpsched.errors import InputError
from cpsched.instances.formats.native import describe, load
from cpsched.instances.formats.rows import Row, rows, words
from cpsched.vms.groups import Group
from cpsched.vms.instance import VmCluster
from cpsched.vms.inventory import Inventory

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

RESOURCES: Final = "pvesh get /cluster/resources --output-format json"
RULES: Final = "pvesh get /cluster/ha/rules --output-format json"
CONTAINER: Final = "a container: it restarts when it migrates"

_MAX_OBJECTS = 2_000_000
_MIB = 2**20
_KEYS: Final = ("resources", "rules", "status", "cpu_ratio", "reserve_mib")
_OBJECT = re.compile(r'\s*\{\s*"resources"\s*:\s*\[')
_LIST = re.compile(r'\s*(?:\{\s*"data"\s*:\s*)?\[\s*\{[^}]*')
_ROW = re.compile(r'"id"\s*:\s*"(?:node|qemu|lxc|storage|sdn|pool)/|"rule"\s*:|"type"\s*:\s*"lrm"')
_KINDS: Final = {"qemu": "vm", "lxc": "ct"}


def is_snapshot(head: str) -> bool:
    """Whether a JSON text that begins with *head* is one of these lists."""
    if _OBJECT.match(head):
        return True
    first = _LIST.match(head)
    return first is not None and _ROW.search(first[0]) is not None


def parse(contents: Sequence[tuple[str, str]], name: str) -> VmCluster:
    """Cluster of several files, of each its name and its text.

    Raises
    ------
    InputError
        With file and JSON path of what is wrong; for what is missing it names the command that
        prints it.
    """
    snapshot = _Snapshot()
    for source, text in contents:
        try:
            snapshot.add(load(text, _MAX_OBJECTS), source)
        except InputError as error:
            raise error.at(source) from None
    return snapshot.cluster(name)


class _Snapshot:
    def __init__(self) -> None:
        self.nodes: list[Row] = []
        self.guests: list[Row] = []
        self.rules: list[Row] = []
        self.maintained: set[str] = set()
        self.ratio, self.reserve = 1000, 0

    def add(self, content: Any, source: str) -> None:
        """Take what a file holds."""
        if isinstance(content, dict) and set(content) == {"data"}:
            content = content["data"]
        if isinstance(content, list):
            for row in rows(content, source, "$"):
                self._add_row(row)
            return
        if not isinstance(content, dict):
            raise InputError(f"expected an object or a list, not {describe(content)}", path="$")
        for key in content:
            if key not in _KEYS:
                raise InputError(
                    f"unknown key {key[:40]!a}; allowed are {', '.join(_KEYS)}", path="$"
                )
        whole = Row(content, source, "$")
        for key in ("resources", "rules", "status"):
            for row in rows(content.get(key, []), source, f"$.{key}"):
                self._add_row(row)
        if whole.has("cpu_ratio"):
            ratio = content["cpu_ratio"]
            if type(ratio) not in (int, float) or not 0.001 <= ratio <= 1000:
                raise InputError(
                    f"must be a number in 0.001..1000, not {describe(ratio)}", path="$.cpu_ratio"
                )
            self.ratio = round(1000 * ratio)
        if whole.has("reserve_mib"):
            self.reserve = whole.amount("", "reserve_mib")

    def _add_row(self, row: Row) -> None:
        kind = str(row.get("type"))
        if row.has("rule"):
            self.rules.append(row)
        elif kind == "node":
            self.nodes.append(row)
            if row.get("hastate") == "maintenance":
                self.maintained.add(row.text(RESOURCES, "node"))
        elif kind in _KINDS:
            self.guests.append(row)
        elif kind == "lrm" and "maintenance" in str(row.get("status")):
            self.maintained.add(row.text("pvesh get /cluster/ha/status/current", "node"))

    def cluster(self, name: str) -> VmCluster:
        """The cluster."""
        if not self.nodes:
            raise InputError(f"there are no nodes; they are in the output of: {RESOURCES}")
        names = [row.text(RESOURCES, "node") for row in self.nodes]
        guests = _Guests(self.guests, {node: k for k, node in enumerate(names)})
        if not guests.names:
            raise InputError(f"there are no running VMs; they are in the output of: {RESOURCES}")
        online = np.array([row.get("status") == "online" for row in self.nodes], dtype=np.bool_)
        evacuate = np.array([node in self.maintained for node in names], dtype=np.bool_) & online
        for rule in self.rules:
            guests.add_rule(rule, online & ~evacuate)
        inventory = self._inventory()
        profile, allowed = guests.profiles()
        flavors = list(dict.fromkeys(guests.flavor))
        vms = len(guests.names)
        return VmCluster(
            name=name,
            resources=("cpu", "memory"),
            pms=tuple(names),
            numa_pm=np.arange(len(names), dtype=np.int32),
            capacity=inventory.usable,
            racks=(),
            rack=np.full(len(names), -1, dtype=np.int32),
            closed=~online | evacuate,
            evacuate=evacuate,
            active=online & ~evacuate,
            vms=tuple(guests.names),
            flavors=tuple(flavors),
            flavor=np.array([flavors.index(one) for one in guests.flavor], dtype=np.int32),
            parts=np.ones(vms, dtype=np.int32),
            demand=np.array(guests.demand, dtype=np.int64),
            numa=np.column_stack((guests.pm, np.full(vms, -1))).astype(np.int32),
            disk=np.zeros(vms, dtype=np.int64),
            pinned=tuple(guests.pinned),
            profile=np.array(profile, dtype=np.int32),
            allowed=np.array(allowed, dtype=np.bool_),
            groups=tuple(guests.groups()),
            inventory=inventory,
        )

    def _inventory(self) -> Inventory:
        total = [
            [
                1000 * row.amount(RESOURCES, "maxcpu") if row.has("maxcpu") else 0,
                row.amount(RESOURCES, "maxmem") // _MIB if row.has("maxmem") else 0,
            ]
            if row.get("status") != "online"  # one that is offline says nothing
            else [
                1000 * row.amount(RESOURCES, "maxcpu"),
                row.amount(RESOURCES, "maxmem") // _MIB,
            ]
            for row in self.nodes
        ]
        size = len(total)
        return Inventory(
            np.array(total, dtype=np.int64),
            np.array([[0, self.reserve]] * size, dtype=np.int64),
            np.array([[self.ratio, 1000]] * size, dtype=np.int64),
        )


class _Guests:
    """Running VMs and containers, and the rules about them."""

    def __init__(self, guests: list[Row], nodes: dict[str, int]) -> None:
        self.nodes = nodes
        self.names: list[str] = []
        self.pm: list[int] = []
        self.demand: list[list[int]] = []
        self.flavor: list[str] = []
        self.pinned: list[str] = []
        self._allowed: list[list[bool]] = []
        # Members of each group, by kind and name.
        self._groups: dict[tuple[str, str], list[int]] = {}
        for row in guests:
            if row.get("template") in (1, True) or row.get("status") == "stopped":
                continue
            self._add(row)
        self._known = {name: k for k, name in enumerate(self.names)}

    def _add(self, row: Row) -> None:
        number = row.amount(RESOURCES, "vmid")
        name = f"{_KINDS[row.data['type']]}:{number}"
        node = row.text(RESOURCES, "node")
        if node not in self.nodes:
            raise row.error(
                f"{name} is on the node {node[:60]!a}, which is not among the nodes; they are in "
                f"the output of: {RESOURCES}"
            )
        cores = row.amount(RESOURCES, "maxcpu")
        memory = -(-row.amount(RESOURCES, "maxmem") // _MIB)
        status = row.text(RESOURCES, "status")
        reason = ""
        if row.get("type") == "lxc":
            reason = CONTAINER
        elif status != "running":
            reason = f"status {status}"
        elif row.get("lock"):
            reason = f"lock {row.get('lock')}"
        number = len(self.names)
        pins = set()
        for tag in words(row.get("tags")):
            if tag.startswith("plb_ignore_"):
                reason = reason or tag
            elif tag.startswith("plb_pin_"):
                pins.add(self._node(row, tag.removeprefix("plb_pin_"), tag))
            elif tag.startswith("plb_affinity_"):
                self._groups.setdefault(("affinity", tag), []).append(number)
            elif tag.startswith("plb_anti_affinity_"):
                self._groups.setdefault(("anti-affinity", tag), []).append(number)
        self.names.append(name)
        self.pm.append(self.nodes[node])
        self.demand.append([1000 * cores, memory])
        self.flavor.append(f"{cores}c-{memory}m")
        self.pinned.append(reason)
        self._allowed.append([not pins or k in pins for k in range(len(self.nodes))])

    def _node(self, row: Row, node: str, where: str) -> int:
        if node not in self.nodes:
            raise row.error(f"{where[:80]}: there is no node {node[:60]!a}")
        return self.nodes[node]

    def add_rule(self, row: Row, online: Any) -> None:
        """Take a HA rule; online: shape (nodes,)."""
        if row.get("disable") in (1, True, "1"):
            return
        name = row.text(RULES, "rule")
        members = [
            self._known[one] for one in words(row.need(RULES, "resources")) if one in self._known
        ]
        kind = row.need(RULES, "type")
        if kind == "resource-affinity":
            affinity = row.need(RULES, "affinity")
            if affinity not in ("positive", "negative"):
                raise row.error(f"affinity must be positive or negative, not {describe(affinity)}")
            group = "affinity" if affinity == "positive" else "anti-affinity"
            if members:
                self._groups.setdefault((group, name), []).extend(members)
        elif kind == "node-affinity":
            found = self._preferred(row, online)
            for vm in members if found is not None else ():
                self._allowed[vm] = [
                    a and b for a, b in zip(self._allowed[vm], found or (), strict=True)
                ]
        else:
            raise row.error(
                f"the type must be resource-affinity or node-affinity, not {describe(kind)}"
            )

    def _preferred(self, row: Row, online: Any) -> list[bool] | None:
        """Nodes of a node affinity that count; None for all, if none of a loose rule is online."""
        priority: dict[int, int] = {}
        for word in words(row.need(RULES, "nodes")):
            node, _, level = word.partition(":")
            if level and not (level.isdecimal() and len(level) < 10):
                raise row.error(f"nodes: the priority in {word[:60]!a} must be a whole number")
            priority[self._node(row, node, "nodes")] = int(level or 0)
        there = [level for node, level in priority.items() if online[node]]
        strict = row.get("strict") in (1, True, "1")
        if not there:
            return [node in priority for node in range(len(online))] if strict else None
        return [priority.get(node) == max(there) for node in range(len(online))]

    def profiles(self) -> tuple[list[int], list[tuple[bool, ...]]]:
        """Profile of each guest, and the nodes of each profile."""
        kinds = list(dict.fromkeys(map(tuple, self._allowed)))
        return [kinds.index(tuple(row)) for row in self._allowed], kinds

    def groups(self) -> Iterator[Group]:
        """Groups with names that tell them apart."""
        seen = set()
        for (kind, name), vms in self._groups.items():
            shown = f"{name} ({kind})" if name in seen else name
            seen.add(name)
            yield Group(shown, kind, "pm", np.array(sorted(set(vms)), dtype=np.int32))
