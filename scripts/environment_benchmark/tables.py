"""Figures and tables in Markdown."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

#: Where there is no figure.
NOTHING = "-"


def table(header: Sequence[str], rows: Iterable[Sequence[str]], left: int = 1) -> str:
    """Markdown table, the first *left* columns left-aligned."""
    rule = ["---" if column < left else "---:" for column in range(len(header))]
    return "\n".join("| " + " | ".join(row) + " |" for row in (header, rule, *rows)) + "\n"


def figure(value: float | None) -> str:
    """*value* to three significant digits, in full above a thousand, with separators."""
    if value is None:
        return NOTHING
    if abs(value) >= 1000:
        rounded = float(f"{value:.3g}")
        return f"{rounded:,.0f}"
    return f"{value:.3g}"


def median(values: Sequence[float]) -> float | None:
    """Median of *values*, None without any."""
    return statistics.median(values) if values else None


def spread(values: Sequence[float]) -> str:
    """Median of *values*, with their range if there are several."""
    if len(values) < 2:
        return figure(median(values))
    return f"{figure(median(values))} ({figure(min(values))} to {figure(max(values))})"


def times(value: float | None) -> str:
    """A ratio as "12.3x"."""
    return NOTHING if value is None else f"{value:.3g}x"
