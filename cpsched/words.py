"""Numbers and counts in words, the same in every report."""

from __future__ import annotations


def percent(gap: float | None, digits: int = 2) -> str:
    """*gap* as a percentage, ``-`` if it is None."""
    return "-" if gap is None else f"{100 * gap:.{digits}f} %"


def number(value: int | None) -> str:
    """*value*, ``-`` if it is None."""
    return "-" if value is None else str(value)


def count(number: int, noun: str) -> str:
    """*number* with its noun in the singular or the plural."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def gap_to(objective: int | None, reference: int | None) -> float | None:
    """(objective - reference) / reference; None if one is missing or the reference is 0."""
    if objective is None or not reference:
        return None
    return (objective - reference) / reference
