"""Reading files into memory, with every failure an InputError that names the file."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from cpsched.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path


def display(source: str | os.PathLike[str]) -> str:
    """Name of a file on one line, whatever characters it is made of."""
    text = os.fsdecode(source)
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def status(path: Path) -> os.stat_result | None:
    """What *path* is, or None if there is nothing."""
    try:
        return path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise unreadable(path, error) from None
    except ValueError as error:
        raise InputError(f"not a file name: {error}", source=display(path)) from None


def read_bytes(path: Path, limit: int) -> bytes:
    """Content of *path*; InputError if missing, a folder, unreadable or over *limit* bytes."""
    info = status(path)
    if info is None:
        raise InputError("no such file", source=display(path))
    if stat.S_ISDIR(info.st_mode):
        raise InputError("is a folder, not a file", source=display(path))
    if info.st_size > limit:
        raise too_large(info.st_size, limit).at(display(path))
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise unreadable(path, error) from None
    if len(data) > limit:
        raise too_large(None, limit).at(display(path))
    return data


def too_large(size: int | None, limit: int) -> InputError:
    """Error for *size* bytes (None: unknown, a stream) where *limit* are allowed."""
    what = "more than" if size is None else f"{size} bytes, more than"
    return InputError(f"{what} the {limit} bytes that are allowed")


def unreadable(path: Path, error: OSError) -> InputError:
    """Error for a file the system does not let us read."""
    return InputError(f"cannot be read: {error.strerror or error}", source=display(path))
