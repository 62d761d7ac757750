"""Benchmark runs side by side: several processes of this machine, or a Ray cluster."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cpsched import bench, remote
from cpsched.errors import InputError
from cpsched.protocols import available_cores

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator, Sequence

    from cpsched.bench import Record, Run, RunFile, RunKey

#: Most runs at once: beyond it the processes alone fill the machine.
MAX_JOBS = 1024


@dataclass(frozen=True, slots=True)
class Task:
    """A run, as it is sent to a worker; conditions: see ``bench.measure``."""

    run: Run
    keep_solutions: bool = False
    conditions: dict[str, Any] = field(default_factory=dict)


def check_jobs(jobs: int, workers: int, *, oversubscribe: bool = False) -> None:
    """Raise InputError if *jobs* runs of *workers* threads do not fit on this machine's cores."""
    if not 1 <= jobs <= MAX_JOBS:
        raise InputError(f"--jobs must be an integer in 1..{MAX_JOBS}, not {jobs}")
    cores = available_cores()
    if jobs > 1 and jobs * workers > cores and not oversubscribe:
        raise InputError(
            f"--jobs {jobs} with --workers {workers} needs {jobs * workers} cores and there are "
            f"{cores}: the runs would take each other's time; fewer of them, or --oversubscribe"
        )


def execute(
    runs: Sequence[Run],
    file: RunFile,
    *,
    jobs: int | None = None,
    address: str | None = None,
    keep_solutions: bool = False,
    conditions: dict[str, Any] | None = None,
    stop: threading.Event | None = None,
) -> Iterator[tuple[int, Record, bool]]:
    """Do the runs that *file* does not hold; yield (index in *runs*, record, whether it is new).

    Runs that the file holds come first, the others as they are done, each written at once. They
    are started in the order of *runs*, so those of one instance and seed are near each other.

    Parameters
    ----------
    runs
        All of one number of threads.
    file
        Where the records go.
    jobs
        Runs at once, None: as many as there is room for.
    address
        Of a Ray, see ``remote.scatter``; None: processes of this machine.
    keep_solutions, conditions
        See ``bench.measure``.
    stop
        Ends it once set; runs in progress are broken off and not recorded.

    Raises
    ------
    InputError
        See ``remote.scatter``; or the file cannot be written.
    """
    open_runs: dict[RunKey, list[int]] = {}
    for index, run in enumerate(runs):
        known = file.get(run)
        if known is not None:
            yield index, known, False
        else:  # an instance that is given twice is solved once
            open_runs.setdefault(run.key, []).append(index)
    groups = list(open_runs.values())
    tasks = [Task(runs[group[0]], keep_solutions, conditions or {}) for group in groups]
    cores = max((run.limits.workers for run in runs), default=1)
    for position, record in remote.scatter(
        measure, tasks, address=address, jobs=jobs, cores=cores, stop=stop, name=_name
    ):
        file.append(record)
        first, *others = groups[position]
        yield first, record, True
        for index in others:
            yield index, record, False


def measure(task: Task) -> Record:
    """The record of a run that this process makes."""
    return bench.measure(task.run, keep_solutions=task.keep_solutions, conditions=task.conditions)


def _name(task: Task) -> str:
    run = task.run
    return f"{run.case.instance.name} {run.method} seed {run.limits.seed}"
