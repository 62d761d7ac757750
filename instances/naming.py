"""The order of names in which la2 comes before la10."""

from __future__ import annotations

import re

_NUMBER = re.compile(r"([0-9]+)")


def natural_key(name: str) -> list[tuple[int, int, str]]:
    """Sort key that compares runs of digits as numbers."""
    return [
        (0, int(part), part) if index % 2 else (1, 0, part)
        for index, part in enumerate(_NUMBER.split(name))
    ]
