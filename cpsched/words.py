"""Numbers and counts in words, the same in every report."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence, Sized


def percent(gap: float | None, digits: int = 2) -> str:
    """*gap* as a percentage, ``-`` if it is None."""
    return "-" if gap is None else f"{100 * gap:.{digits}f} %"


def number(value: int | None) -> str:
    """*value*, ``-`` if it is None."""
    return "-" if value is None else str(value)


def count(number: int, noun: str) -> str:
    """*number* with its noun in the singular or the plural."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def some(names: Sequence[str], most: int = 3) -> str:
    """The first of *names*, and how many there are besides."""
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def are(things: Sized) -> str:
    """``is`` for one thing, ``are`` for several."""
    return "is" if len(things) == 1 else "are"


def gap_to(objective: int | None, reference: int | None) -> float | None:
    """(objective - reference) / reference; None if one is missing or the reference is 0."""
    if objective is None or not reference:
        return None
    return (objective - reference) / reference
