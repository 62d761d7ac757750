"""The instance formats, one module each, and their names."""

from __future__ import annotations

from cpsched.errors import UnknownNameError

#: Names of the formats, in the order in which they are tried.
FORMATS: tuple[str, ...] = ("jsplib", "taillard", "fjs", "json")


def check_format(name: str, kind: str = "format") -> None:
    """Raise UnknownNameError unless *name* is a format."""
    if name not in FORMATS:
        raise UnknownNameError.of(kind, name, FORMATS)
