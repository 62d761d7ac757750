"""Rows of the page: which scenarios, which time limit, which methods."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .scenarios import GRID, Cell, seeds

if TYPE_CHECKING:
    from .book import Seeds

OURS = "auto"
PEER = "plain-cpsat"
BOTH = (OURS, PEER)


@dataclass(frozen=True)
class Row:
    """A row: count scenarios, seeds from *first* on, of each cell; time_limit in seconds."""

    name: str
    title: str
    cells: tuple[tuple[Cell, int], ...]
    first: int
    time_limit: float
    methods: tuple[str, ...]

    def scenarios(self, known: Seeds, most: int | None = None) -> list[tuple[Cell, int]]:
        """Cell and seed of each scenario; most: seeds of a cell at most."""
        return [
            (cell, seed)
            for cell, count in self.cells
            for seed in known.get(cell, self.first, count, seeds)[:most]
        ]


def _sample() -> tuple[tuple[Cell, int], ...]:
    """Two scenarios of every cell, three of those with 32 nodes: the sizes that are hard."""
    return tuple((cell, 3 if cell.nodes == 32 else 2) for cell in GRID)


_MIDDLE, _MIDDLE_90 = Cell(16, 4, 2, 105), Cell(16, 4, 2, 90)
_LARGE = tuple((Cell(32, 8, 4, utilisation), 10) for utilisation in (90, 95, 100, 105))

ROWS = {
    row.name: row
    for row in (
        Row("grid-1s", "The whole grid, 1 s", tuple((c, 10) for c in GRID), 1000, 1.0, BOTH),
        Row("sample-10s", "A sample of the grid, 10 s", _sample(), 1000, 10.0, BOTH),
        Row(
            "proof-105-1s",
            "16 nodes, 64 pods, 2 priorities, 105 %, 1 s",
            ((_MIDDLE, 100),),
            20_000,
            1.0,
            (OURS,),
        ),
        Row(
            "proof-105-10s",
            "16 nodes, 64 pods, 2 priorities, 105 %, 10 s",
            ((_MIDDLE, 100),),
            20_000,
            10.0,
            (OURS,),
        ),
        Row(
            "proof-90-1s",
            "16 nodes, 64 pods, 2 priorities, 90 %, 1 s",
            ((_MIDDLE_90, 100),),
            20_000,
            1.0,
            (OURS,),
        ),
        Row(
            "large-10s",
            "32 nodes, 256 pods, 4 priorities, 10 s",
            _LARGE,
            30_000,
            10.0,
            BOTH,
        ),
    )
}

#: Rows that are whole processes on one input each.
WHOLE = ("snapshot", "openb")


def chosen(words: list[str] | None) -> list[str]:
    """Names of the rows that *words* (names or their beginnings) mean; ValueError for others."""
    every = [*ROWS, *WHOLE]
    if not words:
        return every
    found: list[str] = []
    for word in words:
        mine = [name for name in every if name == word or name.startswith(f"{word}-")]
        if not mine:
            raise ValueError(f"no row {word}; rows are: {', '.join(every)}")
        found += [name for name in mine if name not in found]
    return found
