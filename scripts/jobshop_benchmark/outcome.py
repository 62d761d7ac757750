"""Numbers over the runs of one row."""

from __future__ import annotations

import statistics
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .rows import OURS, PEERS, Row
from .shops import set_of, shop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .runs import Run

#: Order of the solvers in every table.
SOLVERS = (OURS, *PEERS)


@dataclass(frozen=True)
class Gaps:
    """Gaps in percent over instances and seeds; runs without a schedule are only counted."""

    values: tuple[float, ...]
    missing: int

    @property
    def mean(self) -> float | None:
        """Mean; None without any schedule."""
        return statistics.fmean(self.values) if self.values else None

    @property
    def median(self) -> float | None:
        """Median; None without any schedule."""
        return statistics.median(self.values) if self.values else None

    @property
    def worst(self) -> float | None:
        """Maximum; None without any schedule."""
        return max(self.values, default=None)


class Outcome:
    """The runs of one row, of each solver, instance and seed the last one."""

    def __init__(self, row: Row, runs: Iterable[Run]) -> None:
        self.row = row
        known = set(row.instances)
        self.runs = [
            run
            for run in runs
            if run.instance in known
            and run.time_limit == row.time_limit
            and run.digest == shop(run.instance).digest
        ]

    def of(self, solver: str, instances: Iterable[str] | None = None) -> list[Run]:
        """Runs of *solver*, on *instances* if given."""
        wanted = None if instances is None else set(instances)
        return [
            run
            for run in self.runs
            if run.solver == solver and (wanted is None or run.instance in wanted)
        ]

    @property
    def solvers(self) -> list[str]:
        """Solvers with a run, in the usual order."""
        present = {run.solver for run in self.runs}
        return [solver for solver in SOLVERS if solver in present]

    @property
    def peers(self) -> list[str]:
        """Solvers with a run, ours excepted."""
        return [solver for solver in self.solvers if solver != OURS]

    @property
    def missing(self) -> int:
        """Runs of cpsched still to be made, for the seeds that were started."""
        ours = self.of(OURS)
        seeds = {run.seed for run in ours} or {0}
        return len(self.row.instances) * len(seeds) - len(ours)

    @property
    def shared(self) -> list[str]:
        """Instances that every solver with a run has run on."""
        sets = [{run.instance for run in self.of(solver)} for solver in self.solvers]
        common = set.intersection(*sets) if sets else set()
        return [name for name in self.row.instances if name in common]

    def reference(self, instance: str) -> int | None:
        """What gaps are taken to: the best known value, else the best bound proven here."""
        upper = shop(instance).upper
        if upper is not None:
            return upper
        bounds = [
            run.bound for run in self.runs if run.instance == instance and run.bound is not None
        ]
        return max(bounds, default=None)

    def gaps(self, runs: Iterable[Run]) -> Gaps:
        """Gaps of *runs* to ``reference``."""
        values, missing = [], 0
        for run in runs:
            reference = self.reference(run.instance)
            if run.objective is None or not reference:
                missing += 1
            else:
                values.append(100 * (run.objective / reference - 1))
        return Gaps(tuple(values), missing)

    def classes(self, instances: Iterable[str]) -> dict[str, list[str]]:
        """*instances* by class of the row: set, or size in order of first appearance."""
        name_of: Callable[[str], str] = (
            set_of if self.row.by == "set" else lambda name: shop(name).size
        )
        classes: defaultdict[str, list[str]] = defaultdict(list)
        for name in instances:
            classes[name_of(name)].append(name)
        return dict(classes)

    def proven(self, solver: str, instances: Iterable[str]) -> int | None:
        """Instances proven optimal, of the worst seed; None without a run."""
        counts: defaultdict[int, int] = defaultdict(int)
        for run in self.of(solver, instances):
            counts[run.seed] += run.proven
        return min(counts.values(), default=None)
