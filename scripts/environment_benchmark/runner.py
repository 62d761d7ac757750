"""Make the environments of the packages, then every measurement, one after the other."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from jobshop_benchmark import machine
from jobshop_benchmark.environments import SetupError, is_ready, make
from jobshop_benchmark.rows import OURS
from jobshop_benchmark.runner import duration, say

from .process import MeasurementError, measure
from .rates import DISTURBED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jobshop_benchmark.runs import Batch

    from .plan import Task
    from .records import Records


def prepare(tasks: Sequence[Task], records: Records, batch: Batch | None) -> set[str]:
    """Make the environments that *tasks* need; return the optional ones that cannot be had.

    Their reason becomes a record of *batch*. SetupError if one that is not optional cannot.
    """
    missing: set[str] = set()
    homes = {task.home: task.optional for task in tasks}
    for home, optional in homes.items():
        if is_ready(home):
            continue
        say(f"setting up {home} (once) ...")
        try:
            make(home)
        except SetupError as error:
            if not optional:
                raise
            say(f"going on without {home}: {error}")
            missing.add(home)
            if batch is not None:
                records.add(
                    "rates",
                    batch,
                    ("missing", home),
                    {
                        "reason": "pip could not install "
                        f"the requirements of scripts/peers/{home}.txt"
                    },
                )
    return missing


def run(tasks: Sequence[Task], records: Records, batch: Batch) -> int:
    """Make the measurements of *tasks*; return how many gave no answer."""
    missing = prepare(tasks, records, batch)
    left = sum(task.expected for task in tasks)
    failures = 0
    commit = machine.commit()
    for number, task in enumerate(tasks, 1):
        _announce(task, number, len(tasks), left)
        left -= task.expected
        if task.home in missing:
            say("left out")
            continue
        try:
            measured = measure(
                task.home, task.script, task.request, cores=task.cores, limit=task.limit
            )
        except MeasurementError as error:
            failures += 1
            records.add(task.part, batch, task.key, {"error": str(error)})
            say(f"! {error}")
            continue
        data: dict[str, Any] = {"seconds": task.request.get("seconds"), **measured.answer}
        if measured.others_cpu is not None:
            data["others"] = measured.others_cpu / measured.wall_time
        if task.home == OURS:
            data["commit"] = commit
        records.add(task.part, batch, task.key, data)
        say(_outcome(data))
    return failures


def _announce(task: Task, number: int, count: int, seconds: float) -> None:
    print(
        f"[{number}/{count}, about {duration(seconds)} left] {', '.join(task.key)} ... ",
        end="",
        file=sys.stderr,
        flush=True,
    )


def _outcome(data: dict[str, Any]) -> str:
    words = "done"
    if "steps" in data:
        words = f"{data['steps'] / data['wall_time']:,.0f} steps/s, {data['episodes']} episodes"
    if data.get("others", 0.0) > DISTURBED:
        words += f" (! other processes used {data['others']:.2f} cores)"
    return words
