"""Instances from the command line's arguments: names, files, folders, standard input."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cpsched import instances
from cpsched.errors import InputError
from cpsched.instances import files, library

if TYPE_CHECKING:
    from cpsched.jobshop.instance import JobShop

STDIN = "-"


def read_instances(sources: Sequence[str], input_format: str | None = None) -> list[JobShop]:
    """Read every source, in order; a folder gives its files, ``-`` is standard input.

    Raises InputError for the first source that cannot be used.
    """
    if sum(source == STDIN for source in sources) > 1:
        raise InputError("- (standard input) is given twice")
    found: list[JobShop] = []
    for source in sources:
        if source == STDIN:
            data = _read_stdin(instances.MAX_BYTES)
            found.append(instances.parse(data, "<stdin>", input_format))
        elif os.path.isdir(source):
            found.extend(instances.read_folder(source, input_format))
        else:
            found.append(instances.read(source, input_format))
    return found


def read_bytes(source: str, limit: int) -> tuple[bytes, str]:
    """Content of *source* (a file, or ``-`` for standard input) and its name for errors."""
    if source == STDIN:
        return _read_stdin(limit), "<stdin>"
    return files.read_bytes(Path(source), limit), source


def _read_stdin(limit: int) -> bytes:
    """Standard input up to one byte more than *limit*: whoever parses it refuses that."""
    return sys.stdin.buffer.read(limit + 1)


def is_shipped(instance: JobShop) -> bool:
    """Whether *instance* is a shipped one: a file may carry a classic's name, other numbers."""
    return instance.name in library.names() and library.load(instance.name) == instance


def best_known(instance: JobShop) -> int | None:
    """Best objective in the literature, if *instance* is a shipped one."""
    bounds = library.best_known(instance.name) if is_shipped(instance) else None
    return None if bounds is None else bounds.upper
