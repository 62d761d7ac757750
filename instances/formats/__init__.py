"""The instance formats, one module each, and their names."""

from __future__ import annotations

from cpsched.errors import UnknownNameError

#: Formats that hold a job shop, in the order in which they are tried.
FORMATS: tuple[str, ...] = ("jsplib", "taillard", "fjs", "json")

#: Formats that hold a cluster; json is the native format of every family.
POD_FORMATS: tuple[str, ...] = ("json", "scenario", "kubernetes", "openb")

#: Formats that hold VMs on PMs.
VM_FORMATS: tuple[str, ...] = ("json", "vmr2l", "openstack", "proxmox")

#: Formats that hold a machine reassignment.
REASSIGNMENT_FORMATS: tuple[str, ...] = ("roadef",)

ALL_FORMATS: tuple[str, ...] = tuple(
    dict.fromkeys((*FORMATS, *POD_FORMATS, *VM_FORMATS, *REASSIGNMENT_FORMATS))
)

#: Formats that spread one instance over several files.
PARTIAL: tuple[str, ...] = ("kubernetes", "openb", "openstack", "proxmox")


def check_format(name: str, kind: str = "format") -> None:
    """Raise UnknownNameError unless *name* is a format."""
    if name not in ALL_FORMATS:
        raise UnknownNameError.of(kind, name, ALL_FORMATS)
