"""Rows of tables that other tools print as JSON: a field by any of its names, or what to run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cpsched.errors import InputError
from cpsched.instances.formats.entries import MAX_NAME, label, listed
from cpsched.instances.formats.native import describe, reject_duplicate

#: No amount is larger, in whatever unit.
_LARGEST = 2**53


@dataclass(frozen=True, slots=True)
class Row:
    """One object of a table; source and path: where it stands, for errors."""

    data: dict[str, Any]
    source: str
    path: str

    def get(self, *names: str) -> Any:
        """Value of the first of *names* that is there and not null, else None."""
        for name in names:
            value = self.data.get(name)
            if value is not None:
                return value
        return None

    def has(self, *names: str) -> bool:
        """Whether one of *names* is there, be it null."""
        return any(name in self.data for name in names)

    def need(self, command: str, *names: str) -> Any:
        """Value of the first of *names* that is there; InputError naming *command* if none is."""
        value = self.get(*names)
        if value is None:
            shown = " or ".join(repr(name) for name in names)
            raise self.error(f"{shown} is missing; it is in the output of: {command}")
        return value

    def text(self, command: str, *names: str) -> str:
        """A name, as ``need``."""
        value = self.need(command, *names)
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        try:
            return label(value, "")
        except InputError as error:
            raise self.error(f"{names[0]}: {error.reason}") from None

    def amount(self, command: str, *names: str) -> int:
        """A whole number from 0 on, as ``need``; the empty text is 0, as in a column Swap."""
        value = self.need(command, *names)
        if type(value) is int and 0 <= value <= _LARGEST:
            return value
        if isinstance(value, str) and len(value) < 17 and (value.isdecimal() or not value):
            value = int(value or 0)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if type(value) is not int or not 0 <= value <= _LARGEST:
            raise self.error(
                f"{names[0]} must be a whole number in 0..{_LARGEST}, not {describe(value)}"
            )
        return value

    def object(self, *names: str) -> Row | None:
        """The object under one of *names*, None if there is none."""
        value = self.get(*names)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise self.error(f"{names[0]} must be an object, not {describe(value)}")
        return Row(value, self.source, f"{self.path}.{names[0]}")

    def error(self, reason: str) -> InputError:
        """Error about this row."""
        return InputError(reason, source=self.source, path=self.path)


def rows(value: Any, source: str, path: str) -> list[Row]:
    """The rows of a list of objects; InputError for anything else."""
    found = []
    try:
        for k, entry in enumerate(listed(value, path)):
            at = f"{path}[{k}]"
            if not isinstance(entry, dict):
                raise InputError(f"expected an object, not {describe(entry)}", path=at)
            reject_duplicate(entry, at)
            found.append(Row(entry, source, at))
    except InputError as error:
        raise error.at(source) from None
    return found


def words(value: Any) -> list[str]:
    """Names in a list, or in a text that separates them by commas, semicolons or spaces."""
    if isinstance(value, str):
        for mark in ",;":
            value = value.replace(mark, " ")
        return [word[:MAX_NAME] for word in value.split()]
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []
