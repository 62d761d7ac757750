"""Typed access to the fields of an API object; each error has the JSON path of the field.

An absent field and ``null`` are the same, as in the API.
"""

from __future__ import annotations

import re
from typing import Any

from cpsched.errors import InputError
from cpsched.instances.formats.native import describe

MAX_NAME = 253
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def step(path: str, key: str) -> str:
    """Path of the field *key* of the object at *path*."""
    if _PLAIN.fullmatch(key):
        return f"{path}.{key}"
    return f'{path}["{shown(key[:80])}"]'


def shown(text: str) -> str:
    """*text* on one line, whatever characters it is made of."""
    return text if text.isprintable() else ascii(text)[1:-1]


def mapping(value: Any, path: str) -> dict[str, Any]:
    """*value* if it is an object, an empty one for None."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InputError(f"must be an object, not {describe(value)}", path=path)
    return value


def sequence(value: Any, path: str) -> list[Any]:
    """*value* if it is a list, an empty one for None."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise InputError(f"must be a list, not {describe(value)}", path=path)
    return value


def string(value: Any, path: str) -> str:
    """*value* if it is text, the empty text for None."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise InputError(f"must be text, not {describe(value)}", path=path)
    return value


def flag(value: Any, path: str) -> bool:
    """*value* if it is true or false, False for None."""
    if value is None:
        return False
    if not isinstance(value, bool):
        raise InputError(f"must be true or false, not {describe(value)}", path=path)
    return value


def integer(value: Any, low: int, high: int, path: str) -> int:
    """*value* if it is an integer in *low*..*high*."""
    if type(value) is not int or not low <= value <= high:
        raise InputError(f"must be an integer in {low}..{high}, not {describe(value)}", path=path)
    return value


def strings(value: Any, path: str) -> tuple[str, ...]:
    """*value* if it is a list of texts."""
    return tuple(string(entry, f"{path}[{at}]") for at, entry in enumerate(sequence(value, path)))


def labels(value: Any, path: str) -> dict[str, str]:
    """*value* if it is an object of texts: labels, annotations, a node selector."""
    found = mapping(value, path)
    for key, entry in found.items():
        if type(entry) is not str:
            if entry is None:
                return labels({k: v or "" for k, v in found.items()}, path)
            string(entry, step(path, key))
    return found


def name(value: Any, path: str) -> str:
    """*value* if it can be the name of an object."""
    if not isinstance(value, str) or not 0 < len(value) <= MAX_NAME:
        raise InputError(
            f"must be a name of 1..{MAX_NAME} characters, not {describe(value)}", path=path
        )
    if not value.isprintable() or " " in value or "/" in value:
        raise InputError(f"not a name: {describe(value)}", path=path)
    return value


def namespace(value: Any, path: str) -> str:
    """*value* if it can be the name of a namespace, the default one for None or empty text."""
    return "default" if value is None or value == "" else name(value, path)


def choice(value: Any, allowed: tuple[str, ...], default: str, path: str) -> str:
    """*value* if it is one of *allowed*, *default* for None or the empty text."""
    if value is None or value == "":
        return default
    if not isinstance(value, str) or value not in allowed:
        raise InputError(f"must be one of {', '.join(allowed)}, not {describe(value)}", path=path)
    return value
