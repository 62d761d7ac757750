"""What a model says in sums of bits: rows, stairs, and what is left for propagation."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Activities stay within this, so that no kernel overflows.
MAX_ACTIVITY = 2**61


@dataclass(slots=True)
class Sum:
    """A sum of model variables with their coefficients, and a constant."""

    terms: dict[int, int] = field(default_factory=dict)
    constant: int = 0

    def add(self, other: Sum, factor: int) -> None:
        """Add *factor* times *other*."""
        self.constant += factor * other.constant
        for v, a in other.terms.items():
            total = self.terms.get(v, 0) + factor * a
            if total:
                self.terms[v] = total
            else:
                self.terms.pop(v, None)

    @property
    def fits(self) -> bool:
        """Whether no value of the sum overflows."""
        return abs(self.constant) + sum(map(abs, self.terms.values())) <= MAX_ACTIVITY


@dataclass(frozen=True, slots=True)
class Row:
    """``activity`` in ``domain`` (flat intervals) if ``guard`` is 0; source: constraint, or -1."""

    source: int
    activity: Sum
    domain: Sequence[int]
    guard: Sum


@dataclass(frozen=True, slots=True)
class Step:
    """A bound of a stair: ``(bound + sign * activity of row) // divisor``; row: number in rows."""

    row: int
    sign: int
    bound: int
    divisor: int


@dataclass(frozen=True, slots=True)
class Stair:
    """A variable that the objective presses: it takes off *weight* times the least of its bounds.

    Those are *limit* and all *steps*.
    """

    weight: int
    limit: int
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Deep:
    """A constraint for propagation: bits in it, and other variables that are not fixed."""

    source: int
    bits: frozenset[int]
    others: frozenset[int]


@dataclass(frozen=True, slots=True)
class Reading:
    """rows: over bits; stairs; deep: the rest; costs: coefficient of bits in the objective."""

    rows: list[Row]
    stairs: list[Stair]
    deep: list[Deep]
    costs: dict[int, int]
