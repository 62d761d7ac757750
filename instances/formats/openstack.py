"""Snapshots of OpenStack: the JSON outputs of a few commands, in one file or in a folder.

Read are lists, as ``openstack ... -f json`` prints them, and answers of the API: ``hypervisors``,
``servers``, ``flavors``, ``server_groups``, ``services`` and ``inventories``; a file may hold one
of them or an object of several. See ``docs/vms.md`` for the commands.

What becomes of them: hypervisors are PMs of one NUMA node, called by their host; servers are VMs,
called by their ID. With placement inventories, capacities are (total - reserved) * ratio; without,
what hypervisors report, less the memory in use beyond that of the servers. Hypervisors that are
disabled or down are closed and not counted; with "maintenance" in the reason they are to be
evacuated. Servers that are locked, not active, in the middle of a task, or bound to devices are
pinned. Servers stay in their availability zone, unless it says that they are pinned to another
(or, from 2.96 on, to none). Soft policies of server groups are wishes and not read.
"""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from cpsched.errors import InputError
from cpsched.instances.formats.native import describe, load
from cpsched.instances.formats.openstack_rows import (
    HYPERVISORS,
    SERVERS,
    Host,
    Server,
    hosts_of,
    servers_of,
)
from cpsched.instances.formats.rows import Row, rows, words
from cpsched.vms.groups import Group
from cpsched.vms.instance import VmCluster
from cpsched.vms.inventory import Inventory

if TYPE_CHECKING:
    from collections.abc import Sequence

_MAX_OBJECTS = 4_000_000
#: Tables by the key that the API, or our own writer, gives them.
_TABLES: Final = (
    *("hypervisors", "servers", "flavors", "server_groups", "services"),
    *("inventories", "resource_providers"),
)
#: Columns by which a table without a key is recognised.
_COLUMNS: Final[tuple[tuple[str, set[str]], ...]] = (
    ("hypervisors", {"Hypervisor Hostname"}),
    ("servers", {"Networks", "Status"}),
    ("flavors", {"VCPUs", "RAM"}),
    ("server_groups", {"ID", "Name", "Policy"}),
    ("server_groups", {"ID", "Name", "Policies"}),
    ("services", {"Binary", "Host"}),
    ("inventories", {"resource_class", "total"}),
    ("resource_providers", {"uuid", "generation"}),
)
_OBJECT = re.compile(r'\s*\{\s*"(hypervisors|servers|flavors|server_groups|services|inventories)"')
_LIST = re.compile(r"\s*\[\s*\{[^}]*")


def is_snapshot(head: str) -> bool:
    """Whether a JSON text that begins with *head* is one of these outputs."""
    if _OBJECT.match(head):
        return True
    first = _LIST.match(head)
    return first is not None and any(
        all(f'"{column}"' in first[0] for column in columns) for _, columns in _COLUMNS
    )


def parse(contents: Sequence[tuple[str, str]], name: str) -> VmCluster:
    """Cluster of several files, of each its name and its text.

    Raises
    ------
    InputError
        With file and JSON path of what is wrong; for what is missing it names the command that
        prints it.
    """
    tables = _Tables()
    for source, text in contents:
        try:
            tables.add(load(text, _MAX_OBJECTS), source)
        except InputError as error:
            raise error.at(source) from None
    hosts = hosts_of(tables.found["hypervisors"], tables.found["services"], tables.inventories)
    servers = servers_of(tables.found["servers"], tables.found["flavors"])
    return _Builder(hosts, servers, tables.found["server_groups"], name).build()


class _Tables:
    """Rows of each table, and inventories by provider."""

    def __init__(self) -> None:
        self.found: dict[str, list[Row]] = {key: [] for key in _TABLES}
        self.inventories: dict[str, dict[str, Row]] = {}

    def add(self, content: Any, source: str) -> None:
        if isinstance(content, list):
            self._add_list(content, source)
            return
        if not isinstance(content, dict):
            raise InputError(f"expected an object or a list, not {describe(content)}", path="$")
        for key, value in content.items():
            path = f"$.{key[:40]}"
            if key == "inventories":
                self._add_inventories(value, source, path)
            elif key in _TABLES:
                self.found[key] += rows(value, source, path)
            elif not key.endswith("_links") and key != "resource_provider_generation":
                raise InputError(
                    f"unknown key {key[:40]!a}; allowed are {', '.join(_TABLES)}", path="$"
                )

    def _add_list(self, content: list[Any], source: str) -> None:
        table = rows(content, source, "$")
        if not table:
            return  # such as no server groups
        keys = set(table[0].data)
        kind = next((kind for kind, columns in _COLUMNS if columns <= keys), None)
        if kind is None:
            wanted = "; ".join(f"{kind} with {', '.join(sorted(c))}" for kind, c in _COLUMNS)
            raise InputError(f"columns of no known table; known are {wanted}", path="$[0]")
        if kind == "inventories":
            self.inventories[_provider(source)] = {
                row.text("", "resource_class"): row for row in table
            }
        else:
            self.found[kind] += table

    def _add_inventories(self, value: Any, source: str, path: str) -> None:
        whole = Row({"inventories": value}, source, "$").object("inventories")
        if whole is None:
            raise InputError("expected an object, not null", path=path)
        if all(isinstance(one, dict) and "total" in one for one in whole.data.values()):
            self.inventories[_provider(source)] = _classes(whole)
            return
        for provider in whole.data:
            one = whole.object(provider)
            self.inventories[provider] = {} if one is None else _classes(one)


def _classes(row: Row) -> dict[str, Row]:
    found = {key: row.object(key) for key in row.data}
    return {key: one for key, one in found.items() if one is not None}


def _provider(source: str) -> str:
    """Host, or UUID, in the name of a file such as ``inventory-HOST.json``."""
    stem = PurePath(source).stem
    for prefix in ("inventory-", "inventories-"):
        stem = stem.removeprefix(prefix)
    return stem


class _Builder:
    """From hosts, servers and groups to a cluster."""

    def __init__(
        self, hosts: list[Host], servers: list[Server], groups: list[Row], name: str
    ) -> None:
        if not hosts:
            raise InputError(f"there are no hypervisors; add the output of: {HYPERVISORS}")
        if not servers:
            raise InputError(f"there are no servers on hosts; add the output of: {SERVERS}")
        self.hosts, self.servers, self.groups, self.name = hosts, servers, groups, name
        self.resources = ["cpu", "memory"]
        if any("PCPU" in (host.inventory or ()) for host in hosts):
            self.resources.append("pcpu")
        # Where some hosts have no disk of their own, disks are not a matter of hosts.
        if all("DISK_GB" in (host.inventory or ()) for host in hosts):
            self.resources.append("disk")
        self.at = {known: k for k, host in enumerate(hosts) for known in reversed(host.names)}
        self.pm = [self._host(server) for server in servers]

    def _host(self, server: Server) -> int:
        found = self.at.get(server.host)
        if found is None:
            short = [
                k for k, one in enumerate(self.hosts) if _short(one.name) == _short(server.host)
            ]
            if len(short) != 1:
                raise server.row.error(
                    f"server {server.name} is on the host {server.host[:60]!a}, which is not "
                    f"among the hypervisors; they are in the output of: {HYPERVISORS}"
                )
            found = short[0]
        return found

    def build(self) -> VmCluster:
        """The cluster."""
        flavors = list(dict.fromkeys(server.flavor for server in self.servers))
        demand = [server.demand(self.resources) for server in self.servers]
        profile, allowed = self._zones()
        closed = np.array([host.closed for host in self.hosts], dtype=np.bool_)
        inventory = self._inventory(np.array(demand, dtype=np.int64))
        vms = len(self.servers)
        return VmCluster(
            name=self.name,
            resources=tuple(self.resources),
            pms=tuple(self._names()),
            numa_pm=np.arange(len(self.hosts), dtype=np.int32),
            capacity=inventory.usable,
            racks=(),
            rack=np.full(len(self.hosts), -1, dtype=np.int32),
            closed=closed,
            evacuate=np.array([host.evacuate for host in self.hosts], dtype=np.bool_),
            active=~closed,
            vms=tuple(server.name for server in self.servers),
            flavors=tuple(flavors),
            flavor=np.array([flavors.index(one.flavor) for one in self.servers], dtype=np.int32),
            parts=np.ones(vms, dtype=np.int32),
            demand=np.array(demand, dtype=np.int64),
            numa=np.column_stack((self.pm, np.full(vms, -1))).astype(np.int32),
            disk=np.zeros(vms, dtype=np.int64),
            pinned=tuple(server.pinned for server in self.servers),
            profile=np.array(profile, dtype=np.int32),
            allowed=np.array(allowed, dtype=np.bool_),
            groups=tuple(self._groups()),
            inventory=inventory,
        )

    def _names(self) -> list[str]:
        """Names of hosts as servers have them: what ``--host`` wants."""
        said = {pm: server.host for pm, server in zip(self.pm, self.servers, strict=True)}
        return [said.get(k, host.name) for k, host in enumerate(self.hosts)]

    def _inventory(self, demand: Any) -> Inventory:
        used = np.zeros((len(self.hosts), len(self.resources)), dtype=np.int64)
        np.add.at(used, np.array(self.pm), demand)
        found = [
            host.amounts(self.resources, used[k].tolist()) for k, host in enumerate(self.hosts)
        ]
        table = np.array(found, dtype=np.int64)
        return Inventory(table[:, 0], table[:, 1], table[:, 2])

    def _zones(self) -> tuple[list[int], list[list[bool]]]:
        """Profile of each server, and the hosts of each."""
        zones: list[str] = [host.zone for host in self.hosts]
        for pm, server in zip(self.pm, self.servers, strict=True):
            zones[pm] = zones[pm] or server.zone
        wanted = [
            server.wanted_zone(zones[pm]) for pm, server in zip(self.pm, self.servers, strict=True)
        ]
        for zone, host in zip(zones, self.hosts, strict=True):
            if not zone and not host.closed and any(wanted):
                raise host.row.error(
                    f"the availability zone of host {host.name} is not known; it is in the output "
                    "of: openstack compute service list -f json"
                )
        several = len({zone for zone in (*zones, *wanted) if zone}) > 1
        kinds = list(dict.fromkeys(wanted if several else [""] * len(wanted)))
        profile = [kinds.index(zone if several else "") for zone in wanted]
        return profile, [[not kind or zone == kind for zone in zones] for kind in kinds]

    def _groups(self) -> list[Group]:
        known = {server.name: k for k, server in enumerate(self.servers)}
        found, names = [], set()
        for row in self.groups:
            command = "openstack server group list --long --all-projects -f json"
            policy = row.get("policy", "Policy", "policies", "Policies")
            policies = words(policy)
            if not policies:
                raise row.error(f"the policy is missing; it is in the output of: {command}")
            members = words(row.need(command, "members", "Members"))
            vms = np.array([known[one] for one in members if one in known], dtype=np.int32)
            name = row.text(command, "name", "Name")
            name = f"{name} ({row.text(command, 'id', 'ID')})" if name in names else name
            names.add(name)
            rules = row.get("rules", "Rules")
            most = rules.get("max_server_per_host", 1) if isinstance(rules, dict) else 1
            if policies[0] in ("anti-affinity", "affinity") and len(vms):
                try:
                    found.append(
                        Group(name, policies[0], "pm", vms, most if policies[0][1] == "n" else 1)
                    )
                except InputError as error:
                    raise row.error(error.reason) from None
        return found


def _short(host: str) -> str:
    return host.split(".", 1)[0]
