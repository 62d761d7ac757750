"""Which runs are to be made, in which order, and how long they take at most."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .environments import version_of
from .rows import OURS, Row
from .shops import shop

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .runs import Book


@dataclass(frozen=True)
class Task:
    """One run to be made."""

    row: Row
    instance: str
    solver: str
    seed: int
    workers: int

    @property
    def key(self) -> tuple[object, ...]:
        """As ``Run.key``."""
        return (
            self.instance,
            shop(self.instance).digest,
            self.solver,
            version_of(self.solver),
            self.row.time_limit,
            self.workers,
            self.seed,
        )

    @property
    def at_most(self) -> float:
        """Seconds it takes if the solver uses its time, reading and checking included."""
        return self.row.time_limit + (0.1 if shop(self.instance).instance.num_ops < 5000 else 15)


def tasks(
    rows: Iterable[Row], solvers: Sequence[str], peers: str, seeds: Sequence[int], workers: int
) -> list[Task]:
    """All runs of *rows*, solvers interleaved.

    All solvers take an instance one after the other before the next instance comes, each time
    another one first, so that a machine that changes its pace does so for all of them.
    """
    planned = []
    for row in rows:
        wanted = {solver: set(row.instances_of(solver, peers)) for solver in solvers}
        turn = 0
        for seed in seeds:
            for instance in row.instances:
                here = [solver for solver in solvers if instance in wanted[solver]]
                if here:
                    turn += 1
                    first = turn % len(here)
                    here = here[first:] + here[:first]
                planned += [Task(row, instance, solver, seed, workers) for solver in here]
    return planned


def to_do(planned: Iterable[Task], books: dict[str, Book], fresh_commit: str | None) -> list[Task]:
    """Those of *planned* without a finished run.

    With *fresh_commit*, runs of cpsched at another commit do not count.
    """
    done = {
        name: {
            run.key
            for run in book.runs
            if fresh_commit is None or run.solver != OURS or run.commit == fresh_commit
        }
        for name, book in books.items()
    }
    return [task for task in planned if task.key not in done[task.row.name]]
