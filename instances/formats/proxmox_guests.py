"""Running VMs and containers of Proxmox, and the rules about them; see ``proxmox``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from cpsched.instances.formats.native import describe
from cpsched.instances.formats.proxmox_config import local_disk
from cpsched.instances.formats.rows import Row, words
from cpsched.vms.groups import Group

if TYPE_CHECKING:
    from collections.abc import Iterator

RESOURCES: Final = "pvesh get /cluster/resources --output-format json"
RULES: Final = "pvesh get /cluster/ha/rules --output-format json"
CONTAINER: Final = "a container: it restarts when it migrates"
#: Types of guests, and how HA rules call them.
KINDS: Final = {"qemu": "vm", "lxc": "ct"}

_MIB = 2**20


class Guests:
    """Running VMs and containers, and the rules about them."""

    def __init__(self, guests: list[Row], nodes: dict[str, int]) -> None:
        self.nodes = nodes
        self.names: list[str] = []
        self.pm: list[int] = []
        self.demand: list[list[int]] = []
        self.flavor: list[str] = []
        self.pinned: list[str] = []
        self.disk: list[int] = []
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
        name = f"{KINDS[row.data['type']]}:{number}"
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
        self.disk.append(0)
        self._allowed.append([not pins or k in pins for k in range(len(self.nodes))])

    def add_configs(self, configs: dict[str, Row], shared: dict[str, bool]) -> None:
        """Take local disks and devices from configurations, by VMID."""
        for number, config in configs.items():
            vm = self._known.get(f"vm:{number}")
            if vm is not None:
                self.disk[vm], reason = local_disk(config, shared)
                self.pinned[vm] = self.pinned[vm] or reason

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
