"""From a file, a folder, bytes or a shipped name to an instance."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from cpsched.errors import InputError
from cpsched.instances import detection, files, library
from cpsched.instances.formats import check_format, native, text
from cpsched.instances.naming import natural_key

if TYPE_CHECKING:
    from cpsched.jobshop.instance import JobShop

#: Bytes an instance may have: three times the largest in the literature (1,000 x 1,000).
MAX_BYTES = 32 * 2**20

#: Suffixes of the files of a folder that are taken for instances; JSPLIB's have none.
SUFFIXES = ("", ".txt", ".jsp", ".jssp", ".fjs", ".json", ".data", ".dat", ".tai")

#: Files without a suffix that accompany instances and are none.
_COMPANIONS = re.compile(r"(readme|licen[cs]e|notice|copying|authors|changelog|makefile)", re.I)


def read(source: str | os.PathLike[str], input_format: str | None = None) -> JobShop:
    """Read an instance from a file or, if there is none of that name, from the library.

    Parameters
    ----------
    source
        Path of a file, or a shipped name such as ``ta01``. An existing file comes first.
    input_format
        One of ``FORMATS``; by default the content decides (see ``detection``). It says how to
        read a file; shipped instances do not need it.

    Raises
    ------
    InputError
        If the file is missing, unreadable or malformed; ``UnknownNameError`` if *source* looks
        like a name (no separator, no suffix) and is not shipped.
    """
    _check_input_format(input_format)
    path_text = os.fsdecode(source)
    if not path_text:
        raise InputError("no instance given: the name is empty")
    path = Path(path_text)
    if files.status(path) is not None:
        return parse(files.read_bytes(path, MAX_BYTES), path_text, input_format)
    separators = {"/", os.sep, os.altsep or os.sep}
    if path.suffix or any(separator in path_text for separator in separators):
        raise InputError("no such file", source=files.display(path_text))
    return library.load(path_text)


def parse(data: bytes, source: str, input_format: str | None = None) -> JobShop:
    """Read an instance from the content of a file.

    Parameters
    ----------
    data
        The content; text is UTF-8.
    source
        Name of the file for errors; its stem is the instance's name, unless the content holds
        one, and its suffix settles the format if the content leaves it open.
    input_format
        One of ``FORMATS``; by default the content decides.

    Raises
    ------
    InputError
        With file and line, or JSON path, of what is wrong.
    """
    _check_input_format(input_format)
    shown = files.display(source)
    path = PurePath(source)
    name = files.display(path.stem).strip("<> ") or "instance"
    try:
        if len(data) > MAX_BYTES:
            raise files.too_large(len(data), MAX_BYTES)
        return _parse(text.decode(data), name, path.suffix.lower(), input_format)
    except InputError as error:
        raise error.at(shown) from None


def _parse(content: str, name: str, suffix: str, input_format: str | None) -> JobShop:
    if not content or content.isspace():
        raise InputError("the file is empty")
    if input_format == "json" or (input_format is None and detection.is_json(content, suffix)):
        return native.parse(content)
    document = text.document(content)
    if input_format is None:
        return detection.read_detected(document, name, suffix)
    return detection.READERS[input_format](document, name)


def read_folder(path: str | os.PathLike[str], input_format: str | None = None) -> list[JobShop]:
    """Read every instance file of a folder, in natural order of their names.

    Files with one of ``SUFFIXES`` are taken; hidden files, README, LICENSE and the like, and
    subfolders are not looked at.

    Raises
    ------
    InputError
        If the folder is missing or holds no instance file, and for the first malformed one.
    """
    _check_input_format(input_format)
    return [read(entry, input_format) for entry in folder_files(path)]


def folder_files(
    path: str | os.PathLike[str], without: str | os.PathLike[str] | None = None
) -> list[Path]:
    """Files that ``read_folder`` reads, but for the file *without* if that is one of them."""
    folder = Path(os.fsdecode(path))
    info = files.status(folder)
    if info is None:
        raise InputError("no such folder", source=files.display(folder))
    if not stat.S_ISDIR(info.st_mode):
        raise InputError("is a file, not a folder", source=files.display(folder))
    try:
        found = [entry for entry in folder.iterdir() if _is_instance(entry)]
    except OSError as error:
        raise files.unreadable(folder, error) from None
    if without is not None:
        left_out = os.path.realpath(without)
        found = [entry for entry in found if os.path.realpath(entry) != left_out]
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
