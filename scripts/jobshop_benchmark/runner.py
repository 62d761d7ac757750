"""Make the planned runs one after the other, never two at a time, and write each one down."""

from __future__ import annotations

import contextlib
import fcntl
import sys
import time
from typing import TYPE_CHECKING, Any

from . import machine, whole_process
from .environments import is_ready, make, version_of
from .judge import judged
from .paths import WORKSHOP
from .rows import OURS
from .runs import Run
from .shops import Shop, shop
from .workers import NoAnswerError, Worker

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .plan import Task
    from .runs import Batch, Book


class BusyError(Exception):
    """Another benchmark runs on this checkout."""


def say(text: str) -> None:
    """Progress, on standard error."""
    print(text, file=sys.stderr, flush=True)


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Hold the lock of this checkout; BusyError if another benchmark has it."""
    WORKSHOP.mkdir(parents=True, exist_ok=True)
    with (WORKSHOP / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise BusyError("another benchmark runs in this checkout") from None
        yield


def prepare(solvers: Sequence[str]) -> None:
    """Make the environments of *solvers* that are missing or have other pins."""
    for solver in solvers:
        if not is_ready(solver):
            say(f"setting up {solver} {version_of(solver)} (once) ...")
            make(solver)


def make_runs(
    tasks: Sequence[Task], books: dict[str, Book], batch: Batch, limit_seconds: float
) -> int:
    """Make *tasks* in order until one would end after *limit_seconds*; return how many."""
    workers: dict[str, Worker] = {}
    commit = machine.commit()
    begin = time.monotonic()
    left = sum(task.at_most for task in tasks)
    # How much of their time solvers have used so far, for the estimate.
    used = allowed = 1e-9
    try:
        for number, task in enumerate(tasks):
            if time.monotonic() - begin + task.at_most > limit_seconds:
                say(f"time is up: {len(tasks) - number} runs left for the next start")
                return number
            _announce(task, number, len(tasks), left * min(1.0, used / allowed))
            if task.solver not in workers:
                workers[task.solver] = Worker(task.solver)
            started = time.monotonic()
            run = _run(task, workers[task.solver], commit, batch.id)
            books[task.row.name].add(run, batch)
            say(_outcome(run, shop(task.instance)))
            left -= task.at_most
            used += time.monotonic() - started
            allowed += task.at_most
    finally:
        for worker in workers.values():
            worker.close()
    return len(tasks)


def _run(task: Task, worker: Worker, commit: str, batch: str) -> Run:
    instance = shop(task.instance)
    common: dict[str, Any] = {
        "row": task.row.name,
        "instance": task.instance,
        "digest": instance.digest,
        "solver": task.solver,
        "version": version_of(task.solver),
        "commit": commit if task.solver == OURS else "",
        "time_limit": task.row.time_limit,
        "workers": task.workers,
        "seed": task.seed,
        "batch": batch,
    }
    arguments = (instance, task.row.time_limit, task.workers, task.seed)
    in_process = task.solver == OURS and task.row.whole_process
    if not in_process:
        worker.start()
    busy = machine.busy_seconds()
    try:
        answer = whole_process.solve(*arguments) if in_process else worker.solve(*arguments)
    except NoAnswerError as error:
        return Run(**common, status="no answer", problems=(str(error),))
    others = None
    if busy is not None:
        others = max(0.0, (machine.busy_seconds() or busy) - busy - answer["cpu_time"])
    return Run(
        **common,
        **judged(instance, answer, task.row.time_limit),
        wall_time=answer["wall_time"],
        setup=answer["setup"],
        process_time=answer.get("process_time"),
        cpu_time=answer["cpu_time"],
        others_cpu=others,
        peak_rss_mb=answer["peak_rss"] / 1e6,
    )


def _announce(task: Task, number: int, count: int, seconds: float) -> None:
    print(
        f"[{number + 1}/{count}, about {duration(seconds)} left] {task.row.name} "
        f"{task.instance} {task.solver} seed {task.seed} ... ",
        end="",
        file=sys.stderr,
        flush=True,
    )


def _outcome(run: Run, instance: Shop) -> str:
    words = [run.status]
    if run.objective is not None:
        words.append(str(run.objective))
        if instance.upper:
            words.append(f"({100 * (run.objective / instance.upper - 1):+.2f} %)")
    if run.wall_time is not None:
        words.append(f"{run.wall_time:.2f} s")
    return " ".join(words + [f"! {problem}" for problem in run.problems])


def duration(seconds: float) -> str:
    """*seconds* as "45 s", "12 min" or "3.4 h"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
