"""From a file, a folder, bytes or a shipped name to an instance."""

from __future__ import annotations

import os
import re
import stat
from dataclasses import replace
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

import numpy as np

from cpsched.errors import InputError
from cpsched.instances import detection, files, kubernetes, library
from cpsched.instances.formats import (
    PARTIAL,
    check_format,
    native,
    openb,
    openstack,
    pods_native,
    proxmox,
    roadef,
    scenario,
    text,
    vmr2l,
    vms_native,
)
from cpsched.instances.naming import natural_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from cpsched.protocols import Instance
    from cpsched.reassignment.instance import Reassignment
    from cpsched.vms.instance import VmCluster

#: Bytes an instance may have: three times the largest in the literature (1,000 x 1,000).
MAX_BYTES = 32 * 2**20

#: Bytes a snapshot of a cluster may have: kubectl prints some 10 KB for a pod.
MAX_SNAPSHOT_BYTES = kubernetes.MAX_BYTES

#: Suffixes of the files of a folder that are taken for instances; JSPLIB's have none.
SUFFIXES = (
    *("", ".txt", ".jsp", ".jssp", ".fjs", ".data", ".dat", ".tai"),
    *(".json", ".jsonl", ".yaml", ".yml"),
)

#: Files without a suffix that accompany instances and are none.
_COMPANIONS = re.compile(r"(readme|licen[cs]e|notice|copying|authors|changelog|makefile)", re.I)


def read(source: str | os.PathLike[str], input_format: str | None = None) -> Any:
    """Read an instance from a file or, if there is none of that name, from the library.

    Parameters
    ----------
    source
        Path of a file, or a shipped name such as ``ta01``. An existing file comes first.
    input_format
        One of ``ALL_FORMATS``; by default the content decides (see ``detection``). It says how to
        read a file; shipped instances do not need it.

    Raises
    ------
    InputError
        If the file is missing, unreadable or malformed, or holds several instances (see
        ``read_all``); ``UnknownNameError`` if *source* looks like a name (no separator, no
        suffix) and is not shipped.
    """
    return _only(read_all([source], input_format), files.display(source))


def read_all(
    sources: Iterable[str | os.PathLike[str]], input_format: str | None = None
) -> list[Any]:
    """Read every instance of several files and shipped names, in order.

    A file may hold several (one on each line); the files of one snapshot, or of one trace, are
    one instance together. Errors as ``read``.
    """
    _check_input_format(input_format)
    return gather((load(os.fsdecode(source), input_format) for source in sources), input_format)


def parse(data: bytes, source: str, input_format: str | None = None) -> Any:
    """Read an instance from the content of a file.

    Parameters
    ----------
    data
        The content; text is UTF-8.
    source
        Name of the file for errors; its stem is the instance's name, unless the content holds
        one, and its suffix settles the format if the content leaves it open.
    input_format
        One of ``ALL_FORMATS``; by default the content decides.

    Raises
    ------
    InputError
        With file and line, or JSON path, of what is wrong.
    """
    _check_input_format(input_format)
    return _only(gather([(source, data)], input_format), files.display(source))


def gather(
    sources: Iterable[tuple[str, bytes | Instance]], input_format: str | None = None
) -> list[Any]:
    """Instances of the contents of several files, in order; see ``read_all``.

    sources: name of each file and its content, or an instance that is known already.
    """
    _check_input_format(input_format)
    found: list[Any] = []
    # The files of one instance, at the place of the first.
    parts: dict[str, tuple[int, list[tuple[str, bytes]]]] = {}
    empty: list[tuple[str, bytes]] = []
    for source, data in sources:
        if not isinstance(data, bytes):
            found.append(data)
            continue
        kind = input_format or _snapshot_of(data)
        if not kind and data[:64].strip() == b"[]":
            empty.append((source, data))  # a table without rows, of whatever the others are
        elif kind in PARTIAL:
            if kind not in parts:
                parts[kind] = (len(found), [])
                found.append(None)
            parts[kind][1].append((source, data))
        else:
            found.extend(_parse_located(data, source, input_format))
    if not parts:
        for source, data in empty:
            found.extend(_parse_located(data, source, input_format))
    for kind, (place, contents) in parts.items():
        found[place] = _join(kind, contents)
    return found


def load(source: str, input_format: str | None) -> tuple[str, bytes | Instance]:
    """Content of a file, or a shipped instance."""
    if not source:
        raise InputError("no instance given: the name is empty")
    path = Path(source)
    if files.status(path) is not None:
        return source, files.read_bytes(path, byte_limit(source, input_format))
    separators = {"/", os.sep, os.altsep or os.sep}
    if path.suffix or any(separator in source for separator in separators):
        raise InputError("no such file", source=files.display(source))
    return source, library.load(source)


def byte_limit(source: str, input_format: str | None) -> int:
    """Bytes that are read of *source*: more of a snapshot of a cluster, or a table of costs."""
    large = (
        input_format in ("kubernetes", *_SNAPSHOTS)
        or _may_be_model(source, input_format)
        or (input_format is None and PurePath(source).suffix.lower() in (".json", ".yaml", ".yml"))
    )
    return MAX_SNAPSHOT_BYTES if large else MAX_BYTES


def _may_be_model(source: str, input_format: str | None) -> bool:
    """Whether *source* is read as a model of the machine reassignment challenge, by its name."""
    return input_format == "roadef" or (input_format is None and roadef.is_named(source))


def _snapshot_of(data: bytes) -> str:
    """The format whose snapshots begin like *data*; empty if none."""
    head = data[:65536].decode("utf-8", "replace")
    for name, module in (
        ("kubernetes", kubernetes),
        ("openstack", openstack),
        ("proxmox", proxmox),
    ):
        if module.is_snapshot(head):
            return name
    return ""


def _join(kind: str, contents: Sequence[tuple[str, bytes]]) -> Any:
    """One instance of several files; its name is that of the file, or of the folder they share."""
    shown = [(files.display(source), data) for source, data in contents]
    folders = {str(PurePath(source).parent) for source, _ in contents}
    name = _stem(contents[0][0])
    if len(contents) > 1:
        name = _stem(folders.pop()) if len(folders) == 1 else "cluster"
        name = "cluster" if name == "instance" else name
    if kind == "kubernetes":
        return kubernetes.parse_snapshot(shown, name)
    texts = [(source, _decode(data, source, _limit(kind))) for source, data in shown]
    if kind in _SNAPSHOTS:
        return _SNAPSHOTS[kind](texts, name)
    return openb.parse(texts, name)


#: What reads the files of a snapshot of VMs.
_SNAPSHOTS: dict[str, Callable[[Sequence[tuple[str, str]], str], VmCluster]] = {
    "openstack": openstack.parse,
    "proxmox": proxmox.parse,
}


def _limit(kind: str) -> int:
    return MAX_SNAPSHOT_BYTES if kind in _SNAPSHOTS else MAX_BYTES


def _decode(data: bytes, source: str, limit: int = MAX_BYTES) -> str:
    try:
        if len(data) > limit:
            raise files.too_large(len(data), limit)
        return text.decode(data)
    except InputError as error:
        raise error.at(source) from None


def _reassignment(content: str, source: str) -> Reassignment:
    """Instance of a model and of the initial assignment beside it."""
    model = roadef.parse_model(content, roadef.instance_name(_stem(source)))
    beside = roadef.companion(source)
    shown = files.display(beside)
    if files.status(beside) is None:
        raise InputError(
            f"the initial assignment that goes with this model is missing: no file {shown}"
        )
    try:
        machine = roadef.parse_assignment(
            _decode(files.read_bytes(beside, MAX_BYTES), shown),
            model.num_processes,
            model.num_machines,
        )
    except InputError as error:
        raise error.at(shown) from None
    return replace(model, machine=np.array(machine, dtype=np.int32))


def _stem(source: str) -> str:
    return files.display(PurePath(source).stem).strip("<> ") or "instance"


def _parse_located(data: bytes, source: str, input_format: str | None) -> list[Any]:
    shown = files.display(source)
    suffix = PurePath(source).suffix.lower()
    try:
        model = _may_be_model(source, input_format)
        content = _decode(data, shown, MAX_SNAPSHOT_BYTES if model else MAX_BYTES)
        if input_format == "roadef" or (input_format is None and roadef.fits(content)):
            return [_reassignment(content, source)]
        return _parse(content, _stem(source), suffix, input_format)
    except InputError as error:
        raise error.at(shown) from None


def _parse(content: str, name: str, suffix: str, input_format: str | None) -> list[Any]:
    if not content or content.isspace():
        raise InputError("the file is empty")
    if input_format == "scenario":
        return _lines(content)
    if input_format == "vmr2l" or (input_format is None and vmr2l.is_mapping(content)):
        return [vmr2l.parse(content)]
    if input_format == "json" or (input_format is None and detection.is_json(content, suffix)):
        if detection.is_lines(content):
            return _lines(content)
        return [_object(content)]
    document = text.document(content)
    if input_format is None:
        return [detection.read_detected(document, name, suffix)]
    return [detection.READERS[input_format](document, name)]


def _lines(content: str) -> list[Any]:
    """Instances of a text with one on each line; scenarios are named apart by their seeds."""
    found = []
    for number, line in enumerate(text.split_lines(content), start=1):
        if line and not line.isspace():
            try:
                found.append(_object(line))
            except InputError as error:
                raise InputError(error.reason, line=number, path=error.path) from None
    return found


def _object(content: str) -> Any:
    if scenario.is_scenario(content):
        return scenario.parse(content)
    for family in (pods_native, vms_native):
        if family.is_native(content):
            return family.parse(content)
    return native.parse(content)


def _only(found: Sequence[Any], source: str) -> Any:
    if len(found) != 1:
        raise InputError(f"one instance is needed, there are {len(found)}", source=source)
    return found[0]


def read_folder(path: str | os.PathLike[str], input_format: str | None = None) -> list[Any]:
    """Read every instance file of a folder, in natural order of their names.

    Files with one of ``SUFFIXES`` are taken; hidden files, README, LICENSE and the like, and
    subfolders are not looked at. Of an openb trace, the list of all nodes and the default list of
    pods are read.

    Raises
    ------
    InputError
        If the folder is missing or holds no instance file, and for the first malformed one.
    """
    _check_input_format(input_format)
    return read_all(folder_files(path, input_format=input_format), input_format)


def folder_files(
    path: str | os.PathLike[str],
    without: str | os.PathLike[str] | None = None,
    input_format: str | None = None,
) -> list[Path]:
    """Files that ``read_folder`` reads, but for the file *without* if that is one of them."""
    folder = Path(os.fsdecode(path))
    info = files.status(folder)
    if info is None:
        raise InputError("no such folder", source=files.display(folder))
    if not stat.S_ISDIR(info.st_mode):
        raise InputError("is a file, not a folder", source=files.display(folder))
    if input_format == "openb":
        return openb.folder_files(folder)
    try:
        found = [entry for entry in folder.iterdir() if _is_instance(entry)]
    except OSError as error:
        raise files.unreadable(folder, error) from None
    if without is not None:
        left_out = os.path.realpath(without)
        found = [entry for entry in found if os.path.realpath(entry) != left_out]
    # The assignment that a model of the challenge goes with is read with it.
    beside = {roadef.companion(str(entry)) for entry in found if roadef.is_named(str(entry))}
    found = [entry for entry in found if entry not in beside]
    if not found:
        suffixes = ", ".join(suffix for suffix in SUFFIXES if suffix)
        raise InputError(
            f"the folder holds no instance (a file with no suffix or one of {suffixes})",
            source=files.display(folder),
        )
    return sorted(found, key=lambda entry: natural_key(entry.name))


def _is_instance(entry: Path) -> bool:
    if entry.name.startswith(".") or entry.suffix.lower() not in SUFFIXES:
        return False
    return entry.is_file() and not _COMPANIONS.match(entry.name)


def _check_input_format(input_format: str | None) -> None:
    if input_format is not None:
        check_format(input_format, "input format")
