"""What the configuration of a Proxmox VM says of its migration: local disks, local devices."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from cpsched.instances.formats.rows import Row

CONFIG: Final = "pvesh get /nodes/NODE/qemu/VMID/config --output-format json > config-VMID.json"

_DISK = re.compile(r"(?:scsi|virtio|sata|ide|efidisk|tpmstate)[0-9]{1,3}")
_DEVICE = re.compile(r"(?:hostpci|usb)[0-9]{1,3}")
_SIZE = re.compile(r"([0-9]{1,12})([KMGT]?)")
#: KiB in a unit; sizes without one are bytes.
_KIB: Final = {"K": 1, "M": 2**10, "G": 2**20, "T": 2**30}


def local_disk(config: Row, shared: dict[str, bool]) -> tuple[int, str]:
    """MiB on storage of the node alone, and what keeps the VM from migrating, empty if nothing.

    shared: by the name of each storage, whether all nodes have it. Raises InputError for a
    storage that is not known, or a disk without a size.
    """
    total = 0
    for key, value in config.data.items():
        if _DEVICE.fullmatch(key) and isinstance(value, str) and "spice" not in value:
            return 0, f"device {key}"
        if not _DISK.fullmatch(key) or not isinstance(value, str):
            continue
        where, *options = value.split(",")
        said = dict(option.partition("=")[::2] for option in options)
        storage, colon, _ = where.partition(":")
        if where in ("none", "cdrom"):
            if where == "cdrom":
                return 0, f"device {key}"
        elif not colon or where.startswith("/"):
            return 0, f"device {key}"
        elif storage not in shared:
            raise config.error(
                f"{key} is on the storage {storage[:60]!a}, which is not known; it is in the "
                "output of: pvesh get /cluster/resources --output-format json"
            )
        elif said.get("media") == "cdrom":
            if not shared[storage] and "cloudinit" not in where:
                return 0, f"device {key}"
        elif not shared[storage]:
            total += _mib(config, key, said.get("size", ""))
    return total, ""


def _mib(config: Row, key: str, size: str) -> int:
    match = _SIZE.fullmatch(size)
    if match is None:
        raise config.error(f"{key} has no size such as size=32G: {size[:40]!a}")
    number, unit = int(match[1]), match[2]
    kib = number * _KIB[unit] if unit else -(-number // 1024)
    return -(-kib // 1024)
