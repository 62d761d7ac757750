"""Instances from the command line's arguments: names, files, folders, standard input."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cpsched import instances, report
from cpsched.errors import InputError
from cpsched.instances import files, library
from cpsched.instances.reading import MAX_SNAPSHOT_BYTES, load

if TYPE_CHECKING:
    from cpsched.protocols import Instance

STDIN = "-"

#: What ``--input-format`` may be.
FORMATS_HELP = (
    "jsplib, taillard, fjs, json; pods: scenario, kubernetes, openb; VMs: vmr2l, openstack, "
    "proxmox; machine reassignment: roadef."
)


def expand(
    sources: Sequence[str], output: str | None = None, input_format: str | None = None
) -> list[str]:
    """*sources* with the instance files of each folder in its place.

    A file *output* in such a folder is left out if an earlier run wrote it: the same command
    shall work again. Anything else there is an input, and not to be overwritten.
    """
    without = output if output is not None and _holds_results(output) else None
    found: list[str] = []
    for source in sources:
        if source != STDIN and os.path.isdir(source):
            found.extend(str(file) for file in _files(source, without, input_format))
        else:
            found.append(source)
    return found


def _files(folder: str, without: str | None, input_format: str | None) -> list[Path]:
    return instances.folder_files(folder, without, input_format)


def _holds_results(path: str) -> bool:
    head = report.RECORD_HEAD.encode()
    try:
        if not os.path.isfile(path):  # a pipe would block
            return False
        with open(path, "rb") as file:
            return file.read(len(head)) == head
    except (OSError, ValueError):  # what is wrong is said where the file is to be written
        return False


def read_instances(sources: Sequence[str], input_format: str | None = None) -> list[Instance]:
    """Read every source, in order; a folder gives its files, ``-`` is standard input.

    All snapshot files together are one cluster; a file may hold several instances. Raises
    InputError for the first source that cannot be used.
    """
    if sum(source == STDIN for source in sources) > 1:
        raise InputError("- (standard input) is given twice")
    expanded = expand(sources, input_format=input_format)
    return instances.gather((_content(source, input_format) for source in expanded), input_format)


def _content(source: str, input_format: str | None) -> tuple[str, bytes | Instance]:
    if source == STDIN:
        return "<stdin>", _read_stdin(MAX_SNAPSHOT_BYTES)
    return load(source, input_format)


def pick(found: Sequence[Instance], number: int | None, source: str) -> Instance:
    """The *number*-th of the instances in *source*, counted from 1; None: there is but one."""
    if number is None:
        if len(found) != 1:
            raise InputError(f"name one instance, not {len(found)} (--scenario N)", source=source)
        return found[0]
    if not 1 <= number <= len(found):
        raise InputError(f"--scenario must be in 1..{len(found)}, not {number}", source=source)
    return found[number - 1]


def read_bytes(source: str, limit: int) -> tuple[bytes, str]:
    """Content of *source* (a file, or ``-`` for standard input) and its name for errors."""
    if source == STDIN:
        return _read_stdin(limit), "<stdin>"
    if not source:
        raise InputError("no file given: the name is empty")
    return files.read_bytes(Path(source), limit), source


def _read_stdin(limit: int) -> bytes:
    """Standard input up to one byte more than *limit*: whoever parses it refuses that."""
    if sys.stdin is None:
        raise InputError("standard input is closed", source="<stdin>")
    try:
        return sys.stdin.buffer.read(limit + 1)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror or error}", source="<stdin>") from None


def is_shipped(instance: Instance) -> bool:
    """Whether *instance* is a shipped one: a file may carry a classic's name, other numbers."""
    return instance.name in library.names() and library.load(instance.name) == instance


def best_known(instance: Instance) -> int | None:
    """Best objective in the literature, if *instance* is a shipped one."""
    bounds = library.best_known(instance.name) if is_shipped(instance) else None
    return None if bounds is None else bounds.upper
