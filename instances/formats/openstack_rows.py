"""Hypervisors and servers of OpenStack, each from a row of a table; see ``openstack``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cpsched.instances.formats.native import describe

if TYPE_CHECKING:
    from cpsched.errors import InputError
    from cpsched.instances.formats.rows import Row

HYPERVISORS: Final = "openstack --os-compute-api-version 2.87 hypervisor list --long -f json"
SERVERS: Final = "openstack server list --long --all-projects -f json"
FLAVORS: Final = "openstack flavor list --long --all -f json"
INVENTORY: Final = "openstack resource provider inventory list UUID -f json"

#: States in which a server can be migrated live.
_LIVE: Final = ("ACTIVE", "PAUSED")
#: Units: millicores, MiB, pieces.
_FACTOR: Final = {"cpu": 1000, "memory": 1, "pcpu": 1, "disk": 1}
_CLASS: Final = {"cpu": "VCPU", "memory": "MEMORY_MB", "pcpu": "PCPU", "disk": "DISK_GB"}
#: Extra specs that tie a server to devices of its host.
_DEVICES: Final = ("pci_passthrough:alias", "resources:VGPU", "resources:PGPU")


@dataclass(frozen=True, slots=True)
class Host:
    """A hypervisor; names: all by which it is known, that of ``--host`` first."""

    row: Row
    name: str
    names: tuple[str, ...]
    closed: bool
    evacuate: bool
    zone: str
    inventory: dict[str, Row] | None

    def amounts(self, resources: list[str], used: list[int]) -> list[list[int]]:
        """Totals, reserved amounts and ratios (in thousandths) of *resources*.

        used: what the servers on it ask for.
        """
        if self.inventory is None:
            more = len(resources) - 2
            return [
                [*known, *[rest] * more]
                for known, rest in zip(self._reported(used), (0, 0, 1000), strict=True)
            ]
        for wanted in (("VCPU", "PCPU"), ("MEMORY_MB",)):
            if not any(kind in self.inventory for kind in wanted):
                raise self.row.error(
                    f"the inventory of host {self.name} has no {wanted[0]}; it is in the output "
                    f"of: {INVENTORY}"
                )
        found = []
        for resource in resources:
            row = self.inventory.get(_CLASS[resource])
            if row is None:
                found.append([0, 0, 1000])
                continue
            factor = _FACTOR[resource]
            ratio = row.get("allocation_ratio")
            ratio = 1.0 if ratio is None else ratio
            if type(ratio) not in (int, float) or not 0 < ratio <= 10**6:
                raise row.error(
                    f"allocation_ratio must be a positive number, not {describe(ratio)}"
                )
            reserved = row.amount(INVENTORY, "reserved") if row.has("reserved") else 0
            total = row.amount(INVENTORY, "total")
            found.append([total * factor, reserved * factor, round(1000 * ratio)])
        return [list(column) for column in zip(*found, strict=True)]

    def _reported(self, used: list[int]) -> list[list[int]]:
        """What the hypervisor reports itself: physical cores and memory."""
        if not self.row.has("vcpus", "vCPUs"):
            raise self.row.error(
                f"the capacity of host {self.name} is missing; it is in the output of: "
                f"{INVENTORY} > inventory-HOST.json (or of: {HYPERVISORS})"
            )
        cores = self.row.amount(HYPERVISORS, "vcpus", "vCPUs")
        memory = self.row.amount(HYPERVISORS, "memory_mb", "Memory MB")
        taken = self.row.amount(HYPERVISORS, "memory_mb_used", "Memory MB Used")
        return [[1000 * cores, memory], [0, max(0, taken - used[1])], [1000, 1000]]


def hosts_of(
    hypervisors: list[Row], services: list[Row], inventories: dict[str, dict[str, Row]]
) -> list[Host]:
    """Hosts in the order of *hypervisors*; InputError for an inventory of none of them."""
    left = set(inventories)
    by_host = {
        row.text("openstack compute service list -f json", "host", "Host"): row
        for row in services
        if row.get("binary", "Binary") in (None, "nova-compute")
    }
    found = []
    for row in hypervisors:
        hostname = row.text(HYPERVISORS, "hypervisor_hostname", "Hypervisor Hostname")
        service = row.object("service")
        host = hostname if service is None else service.text(HYPERVISORS, "host")
        listed = by_host.get(host) or by_host.get(host.split(".", 1)[0])
        if listed is not None:
            host = listed.text("", "host", "Host")
        names = tuple(dict.fromkeys((host, hostname, row.text(HYPERVISORS, "id", "ID"))))
        mine = [name for name in names if name in inventories]
        left -= set(mine)
        states = [row.get("state", "State"), row.get("status", "Status")]
        reason = service.get("disabled_reason") if service is not None else None
        zone = ""
        if listed is not None:
            states += [listed.get("state", "State"), listed.get("status", "Status")]
            reason = reason or listed.get("disabled_reason", "Disabled Reason")
            zone = listed.get("zone", "Zone") or ""
        closed = any(str(state).lower() in ("down", "disabled") for state in states)
        evacuate = closed and "maintenance" in str(reason or "").lower()
        inventory = inventories[mine[0]] if mine else None
        found.append(Host(row, host, names, closed, evacuate, str(zone), inventory))
    if left:
        name = sorted(left)[0]
        first = next(iter(inventories[name].values()), None)
        reason = (
            f"the inventory of {name[:60]!a} belongs to no hypervisor; a file is called "
            f"inventory-HOST.json, and hosts are in the output of: {HYPERVISORS}"
        )
        raise _error(first, hypervisors, reason)
    return found


def _error(row: Row | None, others: list[Row], reason: str) -> InputError:
    from cpsched.errors import InputError

    first = row or (others[0] if others else None)
    return InputError(reason) if first is None else first.error(reason)


@dataclass(frozen=True, slots=True)
class Server:
    """A server on a host; amounts in vCPUs, MiB and GiB."""

    row: Row
    name: str
    host: str
    flavor: str
    vcpus: int
    memory: int
    disk: int
    dedicated: bool
    pinned: str
    zone: str

    def demand(self, resources: list[str]) -> list[int]:
        """What it asks of *resources*."""
        dedicated = self.dedicated and "pcpu" in resources
        amounts = {
            "cpu": 0 if dedicated else 1000 * self.vcpus,
            "memory": self.memory,
            "pcpu": self.vcpus if dedicated else 0,
            "disk": self.disk,
        }
        return [amounts[resource] for resource in resources]

    def wanted_zone(self, there: str) -> str:
        """Zone in which it must stay, empty for any; there: that of its host."""
        names = ("pinned_availability_zone", "Pinned Availability Zone")
        if self.row.has(*names):
            return str(self.row.get(*names) or "")
        return there


def servers_of(servers: list[Row], flavors: list[Row]) -> list[Server]:
    """Servers that are on a host; InputError for one whose flavor is not known."""
    known: dict[str, Row] = {}
    for row in flavors:
        for name in (row.get("name", "Name"), row.get("id", "ID")):
            known.setdefault(str(name), row)
    found = []
    for row in servers:
        status = row.text(SERVERS, "status", "Status")
        host = row.get("OS-EXT-SRV-ATTR:host", "Host")
        if not host:
            if status not in ("ACTIVE", "SHUTOFF", "PAUSED", "SUSPENDED"):
                continue  # shelved, not yet scheduled, or failed: on no host
            raise row.error(
                f"the host of server {row.text(SERVERS, 'id', 'ID')} is missing; an administrator "
                f"gets it from: {SERVERS}"
            )
        found.append(_server(row, str(host), status, known))
    return found


def _server(row: Row, host: str, status: str, known: dict[str, Row]) -> Server:
    flavor = row.object("flavor") if isinstance(row.get("flavor"), dict) else None
    if flavor is None or not flavor.has("vcpus"):
        name = flavor.text(SERVERS, "original_name", "id") if flavor is not None else None
        name = name or row.text(SERVERS, "Flavor", "Flavor Name", "Flavor ID", "flavor")
        flavor = known.get(name)
        if flavor is None:
            raise row.error(
                f"the flavor {name[:60]!a} of server {row.text(SERVERS, 'id', 'ID')} is not "
                f"known; it is in the output of: {FLAVORS}"
            )
    specs = flavor.object("extra_specs", "Properties")
    ephemeral = flavor.amount(FLAVORS, "ephemeral", "OS-FLV-EXT-DATA:ephemeral", "Ephemeral")
    image = row.get("image", "Image", "Image Name", "Image ID")
    from_volume = image == "" or str(image).startswith("N/A")
    disk = 0 if from_volume else flavor.amount(FLAVORS, "disk", "Disk")
    return Server(
        row=row,
        name=row.text(SERVERS, "id", "ID"),
        host=host,
        flavor=flavor.text(FLAVORS, "original_name", "name", "Name"),
        vcpus=flavor.amount(FLAVORS, "vcpus", "VCPUs"),
        memory=flavor.amount(FLAVORS, "ram", "RAM"),
        disk=disk + ephemeral,
        dedicated=specs is not None and specs.get("hw:cpu_policy") == "dedicated",
        pinned=_pinned(row, status, specs),
        zone=str(row.get("OS-EXT-AZ:availability_zone", "Availability Zone") or ""),
    )


def _pinned(row: Row, status: str, specs: Row | None) -> str:
    """Why the server may not be migrated live; empty if it may."""
    if row.get("locked", "Locked") is True:
        return "locked"
    if status not in _LIVE:
        return f"status {status}"
    task = row.get("OS-EXT-STS:task_state", "Task State")
    if task not in (None, "", "None", "none"):
        return f"task {task}"
    if specs is not None:
        for device in _DEVICES:
            if specs.get(device) is not None:
                return device
    return ""
