"""Lexicographic objectives as one number, and what is proven of each stage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence


class Stage(Protocol):
    """What is asked of a stage: the largest value it can take, the least being 0."""

    @property
    def worst(self) -> int:
        """The largest value."""


StageT = TypeVar("StageT", bound=Stage)


@dataclass(frozen=True, slots=True)
class StageRow(Generic[StageT]):
    """One stage: its value, the best proven lower bound, whether nothing better exists."""

    stage: StageT
    value: int
    bound: int
    proven: bool


def number_of(stages: Sequence[Stage], digits: Sequence[int]) -> int:
    """Values of *stages*, the most important first, as one mixed-radix number.

    Comparing numbers compares lexicographically; Python integers have no limit.
    """
    total = 0
    for stage, digit in zip(stages, digits, strict=True):
        total = total * (stage.worst + 1) + digit
    return total


def digits_of(stages: Sequence[Stage], total: int) -> tuple[int, ...]:
    """Stage values of a number: the inverse of ``number_of``."""
    found = []
    for stage in reversed(stages):
        total, digit = divmod(total, stage.worst + 1)
        found.append(digit)
    return tuple(reversed(found))


def judged(
    stages: Sequence[StageT], values: Sequence[int], bound: int | None
) -> list[StageRow[StageT]]:
    """Every stage with its value; bound: of the whole number, None for none.

    A stage is proven if it and all before it have reached their bounds: its bound takes the
    stages before it as the best they can be.
    """
    lower = (0,) * len(values) if bound is None else digits_of(stages, bound)
    rows = []
    proven = True
    for stage, value, least in zip(stages, values, lower, strict=True):
        if not proven:
            # After a stage that is open, a digit bounds nothing that this stage has to keep to.
            least = min(least, value)
        proven = proven and value == least
        rows.append(StageRow(stage, value, least, proven))
    return rows
