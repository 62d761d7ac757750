"""What native JSON formats are made of: names, lists and tables, each checked with its path."""

from __future__ import annotations

from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

from cpsched.errors import InputError
from cpsched.instances.formats.native import check_keys, describe, integer

MAX_NAME = 1024
INT64 = 2**63 - 1
INT32 = 2**31 - 1


def check_header(root: dict[str, Any], version: int, family: str) -> None:
    """InputError unless *root* states this schema version and family."""
    found = root["schema_version"]
    if type(found) is not int or found != version:
        raise InputError(
            f"the version must be {version}, not {describe(found)}", path="$.schema_version"
        )
    if root["family"] != family:
        raise InputError(
            f'the family must be "{family}", not {describe(root["family"])}', path="$.family"
        )


def listed(value: Any, path: str) -> list[Any]:
    """*value* if it is a list."""
    if not isinstance(value, list):
        raise InputError(f"expected a list, not {describe(value)}", path=path)
    return value


def label(value: Any, path: str) -> str:
    """*value* if it is a name."""
    if not isinstance(value, str) or not 0 < len(value) <= MAX_NAME or not value.isprintable():
        raise InputError(
            f"a name must be printable text of 1..{MAX_NAME} characters, not {describe(value)}",
            path=path,
        )
    return value


def labels(value: Any, path: str) -> tuple[str, ...]:
    """*value* if it is a list of distinct names."""
    found = tuple(label(entry, f"{path}[{k}]") for k, entry in enumerate(listed(value, path)))
    if len(set(found)) < len(found):
        seen: set[str] = set()
        for k, name in enumerate(found):
            if name in seen:
                raise InputError(f"the name {name[:60]!a} occurs twice", path=f"{path}[{k}]")
            seen.add(name)
    return found


def numbers(value: Any, path: str, low: int, high: int) -> npt.NDArray[np.int64]:
    """*value* if it is a list of integers in *low*..*high*."""
    entries = listed(value, path)
    # The set of types first: a list of plain integers is checked at the speed of C.
    if not set(map(type, entries)) <= {int} or (
        entries and (min(entries) < low or max(entries) > high)
    ):
        for k, entry in enumerate(entries):
            integer(entry, low, high, f"{path}[{k}]", "the value")
    return np.array(entries, dtype=np.int64)


def each(value: Any, size: int, path: str, low: int, high: int) -> npt.NDArray[np.int64]:
    """*value* if it is a list of *size* integers in *low*..*high*."""
    found = numbers(value, path, low, high)
    if len(found) != size:
        raise InputError(f"{size} numbers are needed, not {len(found)}", path=path)
    return found


def table(
    value: Any, rows: int | None, columns: int, path: str, high: int = INT64
) -> npt.NDArray[np.int64]:
    """*value* if it is *rows* lists (None: any number) of *columns* integers in 0..*high*."""
    entries = listed(value, path)
    if rows is not None and len(entries) != rows:
        raise InputError(f"{rows} lists are needed, not {len(entries)}", path=path)
    flat: list[Any] = []
    if set(map(type, entries)) <= {list} and set(map(len, entries)) <= {columns}:
        flat = list(chain.from_iterable(entries))
    # As in numbers: what is correct is checked at the speed of C, the rest entry by entry.
    if not flat or set(map(type, flat)) != {int} or min(flat) < 0 or max(flat) > high:
        for k, row in enumerate(entries):
            each(row, columns, f"{path}[{k}]", 0, high)
    return np.array(flat, dtype=np.int64).reshape(len(entries), columns)


def bits(value: Any, columns: int, path: str) -> npt.NDArray[np.bool_]:
    """Flags if *value* is a list of texts of *columns* characters 0 or 1."""
    rows = []
    for k, entry in enumerate(listed(value, path)):
        if not isinstance(entry, str) or len(entry) != columns or set(entry) - {"0", "1"}:
            raise InputError(
                f"expected a text of {columns} characters 0 or 1, not {describe(entry)}",
                path=f"{path}[{k}]",
            )
        rows.append(np.frombuffer(entry.encode(), dtype=np.uint8) == ord("1"))
    return np.array(rows, dtype=np.bool_).reshape(len(rows), columns)


def reasons(value: Any, names: tuple[str, ...], noun: str, path: str) -> tuple[str, ...]:
    """For each of *names* its reason, empty for none, if *value* is an object of such texts."""
    if not isinstance(value, dict):
        raise InputError(f"expected an object, not {describe(value)}", path=path)
    check_keys(value, tuple(value), path, "the reasons")
    known = set(names)
    for name, reason in value.items():
        if name not in known:
            raise InputError(f"no {noun} is called {name[:60]!a}", path=path)
        if not isinstance(reason, str) or not reason:
            raise InputError(
                f"the reason of {name[:60]!a} must be text, not {describe(reason)}",
                path=path,
            )
    return tuple(value.get(name, "") for name in names)
