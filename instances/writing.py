"""From an instance to text or a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cpsched import families
from cpsched.errors import InputError
from cpsched.instances import files
from cpsched.instances.formats import (
    PARTIAL,
    check_format,
    fjs,
    jsplib,
    native,
    openstack_writing,
    pods_native,
    proxmox_writing,
    roadef,
    scenario,
    taillard,
    vmr2l_writing,
    vms_native,
)
from cpsched.instances.reading import MAX_BYTES, MAX_SNAPSHOT_BYTES

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from cpsched.protocols import Instance


def _kubernetes(instance: Any) -> str:
    from cpsched.instances.kubernetes.writing import dumps_snapshot

    return dumps_snapshot(instance)


#: Writers by family and format.
_WRITERS: Final[dict[str, dict[str, Callable[[Any], str]]]] = {
    "jobshop": {
        "jsplib": jsplib.dumps,
        "taillard": taillard.dumps,
        "fjs": fjs.dumps,
        "json": native.dumps,
    },
    "pods": {
        "json": pods_native.dumps,
        "scenario": scenario.dumps,
        "kubernetes": _kubernetes,
    },
    "vms": {
        "json": vms_native.dumps,
        "vmr2l": vmr2l_writing.dumps,
        "openstack": openstack_writing.dumps,
        "proxmox": proxmox_writing.dumps,
    },
}


def default_format(instance: Instance) -> str:
    """The format that every instance of the family of *instance* can be written in."""
    return {"jobshop": "jsplib", "reassignment": "roadef"}.get(instance.family, "json")


#: Writers of formats of several files, by family and format: text by path of each, from the
#: instance and the path of the first.
_SEVERAL: Final[dict[str, dict[str, Callable[[Any, Path], dict[Path, str]]]]] = {
    "reassignment": {"roadef": roadef.texts},
}


def dumps(instance: Instance, output_format: str) -> str:
    """Text of *instance* in one of ``ALL_FORMATS``.

    Raises
    ------
    InputError
        If the format cannot express the instance, or the text is longer than ``read`` allows.
    """
    check_format(output_format, "output format")
    writers, several = _formats(instance)
    if output_format in several:
        raise InputError(
            f"the format {output_format} is several files; cpsched.instances.write makes them"
        )
    if output_format not in writers:
        raise InputError(
            f"the format {output_format} cannot hold {instance.name}; "
            f"these can: {', '.join((*writers, *several))}"
        )
    content = writers[output_format](instance)
    if len(content) > (MAX_SNAPSHOT_BYTES if output_format in PARTIAL else MAX_BYTES):
        family = families.of(instance)
        raise InputError(
            f"{instance.name}, {family.shape(instance)}, would take {len(content)} "
            f"bytes in the format {output_format}; at most {MAX_BYTES} bytes can be read back"
        )
    return content


def _formats(
    instance: Instance,
) -> tuple[dict[str, Callable[[Any], str]], dict[str, Callable[[Any, Path], dict[Path, str]]]]:
    """Writers of one text, and of several, for *instance*."""
    return _WRITERS.get(instance.family, {}), _SEVERAL.get(instance.family, {})


def write(instance: Instance, path: str | os.PathLike[str], output_format: str) -> None:
    """Write *instance* to a file in one of ``ALL_FORMATS``; of roadef, to two.

    Raises
    ------
    InputError
        As ``dumps``, in which case the file is not touched, or if the file cannot be written.
    """
    several = _formats(instance)[1]
    if output_format in several:
        contents = several[output_format](instance, Path(path))
    else:
        contents = {Path(path): dumps(instance, output_format)}
    for file, content in contents.items():
        try:
            file.write_bytes(content.encode())
        except OSError as error:
            reason = f"cannot be written: {error.strerror or error}"
            raise InputError(reason, source=files.display(file)) from None
