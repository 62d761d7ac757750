"""The runs of ``cpsched bench``: here or elsewhere, with progress, until done or interrupted."""

from __future__ import annotations

import contextlib
import shlex
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cpsched import families, report
from cpsched.cli.interrupt import stop_on_signal
from cpsched.errors import InputError
from cpsched.protocols import available_cores

if TYPE_CHECKING:
    import threading
    from collections.abc import Generator, Sequence

    from rich.console import Console

    from cpsched.bench import Record, Run, RunFile


class Side:
    """How many runs are made side by side, and where.

    Raises InputError for an address that is none, or a Ray that is not installed.
    """

    def __init__(self, jobs: int | None, ray: str | None, *, oversubscribe: bool) -> None:
        from cpsched import remote

        if ray is not None:
            remote.check_address(ray)
        elif jobs is None:
            jobs = 1
        self.jobs = jobs
        self.ray = ray
        self._oversubscribe = oversubscribe

    def workers(self, asked: int | None) -> int:
        """Threads per run, if *asked* for so many."""
        if asked is not None:
            return asked
        return 1 if self.ray is not None else max(1, available_cores() // max(1, self.jobs or 1))

    def check(self, workers: int) -> None:
        """Raise InputError if the runs would take each other's cores."""
        from cpsched import bench_jobs

        if self.jobs is not None:
            # What a cluster has room for, it says itself.
            bench_jobs.check_jobs(
                self.jobs,
                workers,
                oversubscribe=self._oversubscribe or self.ray is not None,
            )

    @property
    def alone(self) -> bool:
        """Whether the runs are made in this process, one after the other."""
        return self.ray is None and self.jobs == 1

    @property
    def here(self) -> bool:
        """Whether the runs are made on this machine, as far as is known."""
        return self.ray in (None, "local")

    @property
    def conditions(self) -> dict[str, Any]:
        """For the record of each run."""
        where = {} if self.ray is None else {"ray": self.ray}
        jobs = {} if self.jobs is None else {"jobs": self.jobs}
        return {**jobs, **where, "command": _command()}


def _command() -> str:
    """The command line of this process, as it is typed."""
    name = Path(sys.argv[0]).name
    first = "python -m cpsched" if name == "__main__.py" else name
    return " ".join([first, shlex.join(sys.argv[1:])])


def execute(
    plan: Sequence[Run], file: RunFile, side: Side, *, keep_solutions: bool, quiet: bool
) -> tuple[list[tuple[Run, Record]], str]:
    """The runs that are in the file now, in the plan's order, and why there are no more of them.

    That is empty if all are done, or a signal came.
    """
    from rich.console import Console

    from cpsched.cli.live import load_kernels

    notes = Console(stderr=True, quiet=quiet, highlight=False)
    done: dict[int, Record] = {}
    progress = _Progress(notes, len(plan))
    reason = ""
    with stop_on_signal() as stop:
        if side.here:  # workers load what is compiled then, and need not all compile it
            instances = [run.case.instance for run in plan]
            load_kernels(notes, {run.method for run in plan}, instances)
        runs = _runs(plan, file, side, keep_solutions=keep_solutions, stop=stop)
        try:
            with contextlib.closing(runs):
                for index, record, is_new in runs:
                    done[index] = record
                    progress.add(plan[index], record, len(done), is_new=is_new)
        except InputError as error:  # all else was checked: the file, or a worker
            reason = str(error)
    return [(plan[index], done[index]) for index in sorted(done)], reason


def _runs(
    plan: Sequence[Run],
    file: RunFile,
    side: Side,
    *,
    keep_solutions: bool,
    stop: threading.Event,
) -> Generator[tuple[int, Record, bool]]:
    """(index in *plan*, record, whether it is new) of each run that is done."""
    from cpsched import bench as benchmark
    from cpsched import bench_jobs

    if not side.alone:
        yield from bench_jobs.execute(
            plan,
            file,
            jobs=side.jobs,
            address=side.ray,
            keep_solutions=keep_solutions,
            conditions=side.conditions,
            stop=stop,
        )
        return
    done = benchmark.execute(
        plan, file, keep_solutions=keep_solutions, conditions=side.conditions, stop=stop
    )
    for index, (_, record, is_new) in enumerate(done):
        yield index, record, is_new


class _Progress:
    """One line per new run: what came out, and the time left at the pace so far."""

    def __init__(self, notes: Console, total: int) -> None:
        self._notes = notes
        self._total = total
        self._start = time.monotonic()
        self._new = 0

    def add(self, run: Run, record: Record, done: int, *, is_new: bool) -> None:
        """Say that *run* is done, the *done*-th of all."""
        if not is_new:
            return
        self._new += 1
        family = families.of(run.case.instance)
        objective = family.objective_text(run.case.instance, record["objective"])
        best = report.percent(record["gap_to_best"])
        gap = f"gap to best {best}, " if family.GAP else ""
        pace = (time.monotonic() - self._start) / self._new
        left = pace * (self._total - done)
        self._notes.print(
            f"[{done}/{self._total}] {record['instance']} {run.method} "
            f"seed {run.limits.seed}: {record['status']}, "
            f"{family.OBJECTIVE} {objective}, {gap}{record['wall_time_s']:.2f} s"
            + (f"; {_duration(left)} left" if done < self._total else ""),
            markup=False,
            soft_wrap=True,
        )


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"about {seconds:.0f} s"
    if seconds < 5400:
        return f"about {seconds / 60:.0f} min"
    return f"about {seconds / 3600:.1f} h"
