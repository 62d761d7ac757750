"""Snapshots of Proxmox VE: ``/cluster/resources``, with HA rules and state, and configurations.

Read are the lists that ``pvesh get PATH --output-format json`` prints (or the API, under
``data``), in one file each, or one object of them::

    {"resources": [...], "rules": [...], "status": [...], "configs": {"100": {...}, ...},
     "cpu_ratio": 4, "reserve_mib": 2048}

``resources`` is /cluster/resources, ``rules`` /cluster/ha/rules, ``status`` /cluster/ha/status/
current; ``configs`` are configurations of VMs, in files of their own ``config-VMID.json``: they
tell local disks, which migrate along, and devices of the node, which pin the VM. Proxmox does not
limit how many virtual cores run on a core: ``cpu_ratio`` says how many may (default 1),
``reserve_mib`` how much memory of each node is kept free (default 0).

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
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from cpsched.errors import InputError
from cpsched.instances.formats.native import describe, load
from cpsched.instances.formats.proxmox_guests import KINDS, RESOURCES, Guests
from cpsched.instances.formats.rows import Row, rows
from cpsched.vms.instance import VmCluster
from cpsched.vms.inventory import Inventory

if TYPE_CHECKING:
    from collections.abc import Sequence

_MAX_OBJECTS = 2_000_000
_MIB = 2**20
_KEYS: Final = ("resources", "rules", "status", "configs", "cpu_ratio", "reserve_mib")
_FILE = re.compile(r"(?:config-)?([0-9]{1,12})")
_CONFIG = re.compile(r'\s*\{[^[\]{}]*"(?:ostype|smbios1|scsihw|vmgenid)"\s*:')
_OBJECT = re.compile(r'\s*\{\s*"resources"\s*:\s*\[')
_LIST = re.compile(r'\s*(?:\{\s*"data"\s*:\s*)?\[\s*\{[^}]*')
_ROW = re.compile(r'"id"\s*:\s*"(?:node|qemu|lxc|storage|sdn|pool)/|"rule"\s*:|"type"\s*:\s*"lrm"')


def is_snapshot(head: str) -> bool:
    """Whether a JSON text that begins with *head* is one of these lists."""
    if _OBJECT.match(head) or _CONFIG.match(head):
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
        self.configs: dict[str, Row] = {}
        self.shared: dict[str, bool] = {}
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
        file = _FILE.fullmatch(PurePath(source).stem)
        if file is not None and "resources" not in content:
            self.configs[file[1]] = Row(content, source, "$")
            return
        for key in content:
            if key not in _KEYS:
                raise InputError(
                    f"unknown key {key[:40]!a}; allowed are {', '.join(_KEYS)}", path="$"
                )
        whole = Row(content, source, "$")
        for key in ("resources", "rules", "status"):
            for row in rows(content.get(key, []), source, f"$.{key}"):
                self._add_row(row)
        configs = whole.object("configs")
        for number in () if configs is None else configs.data:
            one = configs.object(number) if configs is not None else None
            if one is not None:
                self.configs[number] = one
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
        elif kind in KINDS:
            self.guests.append(row)
        elif kind == "storage" and row.get("storage"):
            name = row.text(RESOURCES, "storage")
            self.shared[name] = self.shared.get(name, False) or row.get("shared") in (1, True)
        elif kind == "lrm" and "maintenance" in str(row.get("status")):
            self.maintained.add(row.text("pvesh get /cluster/ha/status/current", "node"))

    def cluster(self, name: str) -> VmCluster:
        """The cluster."""
        if not self.nodes:
            raise InputError(f"there are no nodes; they are in the output of: {RESOURCES}")
        names = [row.text(RESOURCES, "node") for row in self.nodes]
        guests = Guests(self.guests, {node: k for k, node in enumerate(names)})
        guests.add_configs(self.configs, self.shared)
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
            disk=np.array(guests.disk, dtype=np.int64),
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
