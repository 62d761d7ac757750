"""The loop that every solver driver runs: requests and answers as JSON lines.

A driver imports its solver, hands ``serve`` one function, and is then a *warm* worker: imports
are done and one throw-away solve has been made before the first request. Only the standard
library is used here, because each driver runs in the environment of its own solver.

Protocol, one JSON object per line:

- the worker says ``{"ready": true, "versions": {...}, "warm_up": seconds}`` once;
- a request is ``{"instance": path, "time_limit": s, "workers": n, "seed": n}``, the instance in
  the standard format with machines counted from 0;
- the answer has ``objective``, ``bound``, ``status`` (optimal, feasible, infeasible, unknown),
  ``wall_time`` (around the whole solve, building the model from the parsed instance and reading
  the schedule out of it included), ``setup`` (the part of it before the solver proper started),
  ``cpu_time`` (of all threads), ``peak_rss`` (bytes, during this request alone), ``trace``
  (triples of seconds, objective, bound; empty if the solver gives none) and ``operations``.

The worker ends when its standard input does.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import sys
import time
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable

#: ``Shop.jobs[job][index] = (machine, duration)``.
Jobs = list[list[tuple[int, int]]]


@dataclass(frozen=True)
class Shop:
    """A classic job shop, and the file it came from."""

    path: Path
    num_machines: int
    jobs: Jobs

    @property
    def horizon(self) -> int:
        """Sum of all durations."""
        return sum(duration for job in self.jobs for _, duration in job)

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Shop:
        """Shop from a file in the standard format."""
        numbers = [int(word) for word in Path(path).read_text().split()]
        num_jobs, num_machines = numbers[:2]
        pairs = list(zip(numbers[2::2], numbers[3::2], strict=True))
        if len(pairs) != num_jobs * num_machines:
            raise ValueError(f"{path}: expected {num_jobs * num_machines} operations")
        jobs = [pairs[job * num_machines : (job + 1) * num_machines] for job in range(num_jobs)]
        return cls(Path(path), num_machines, jobs)


@dataclass(frozen=True)
class Limits:
    """What one solve may use; ``deadline`` is on the ``time.perf_counter`` clock."""

    time_limit: float
    workers: int
    seed: int
    deadline: float

    @property
    def remaining(self) -> float:
        """Seconds left for the solver proper, at least a hundredth."""
        return max(0.01, self.deadline - time.perf_counter())


@dataclass
class Answer:
    """Outcome of one solve; ``starts[job][index]`` is None without a schedule."""

    status: str
    objective: float | None = None
    bound: float | None = None
    starts: list[list[int]] | None = None
    setup: float = 0.0
    trace: list[tuple[float, float | None, float | None]] = field(default_factory=list)


def versions_of(*packages: str) -> dict[str, str]:
    """Versions of Python and of installed *packages*."""
    return {"python": platform.python_version()} | {
        name: metadata.version(name) for name in packages
    }


def serve(solve: Callable[[Shop, Limits], Answer], versions: dict[str, str]) -> None:
    """Answer requests with *solve* until standard input ends."""
    answers = _claim_stdout()
    start = time.perf_counter()
    tiny = Shop(Path("tiny"), 2, [[(0, 3), (1, 2)], [(1, 2), (0, 4)]])
    solve(tiny, Limits(1.0, 1, 0, start + 1.0))
    warm_up = round(time.perf_counter() - start, 3)
    _say(answers, {"ready": True, "versions": versions, "warm_up": warm_up})
    for line in sys.stdin:
        request = json.loads(line)
        _say(answers, _timed(solve, request))


def _timed(
    solve: Callable[[Shop, Limits], Answer], request: dict[str, object]
) -> dict[str, object]:
    shop = Shop.read(str(request["instance"]))
    time_limit = float(str(request["time_limit"]))
    _reset_peak()
    cpu = time.process_time()
    start = time.perf_counter()
    limits = Limits(
        time_limit, int(str(request["workers"])), int(str(request["seed"])), start + time_limit
    )
    answer = solve(shop, limits)
    wall_time = time.perf_counter() - start
    cpu_time = time.process_time() - cpu
    return {
        "objective": answer.objective,
        "bound": answer.bound,
        "status": answer.status,
        "wall_time": wall_time,
        "setup": answer.setup,
        "cpu_time": cpu_time,
        "peak_rss": _peak(),
        "trace": answer.trace,
        "operations": _operations(shop, answer.starts),
    }


def _operations(shop: Shop, starts: list[list[int]] | None) -> list[dict[str, int]] | None:
    if starts is None:
        return None
    return [
        {
            "job": job,
            "index": index,
            "machine": machine,
            "start": starts[job][index],
            "end": starts[job][index] + duration,
        }
        for job, operations in enumerate(shop.jobs)
        for index, (machine, duration) in enumerate(operations)
    ]


def _claim_stdout() -> TextIO:
    """Keep standard output for answers; whatever the solver prints goes to standard error."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return answers


def _say(answers: TextIO, message: dict[str, object]) -> None:
    answers.write(json.dumps(message) + "\n")
    answers.flush()


def _reset_peak() -> None:
    """Make the kernel forget the peak memory of earlier requests (Linux only)."""
    if Path("/proc/self/clear_refs").exists():
        Path("/proc/self/clear_refs").write_text("5")


def _peak() -> int:
    """Peak resident memory in bytes since ``_reset_peak``; of the whole life off Linux."""
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
