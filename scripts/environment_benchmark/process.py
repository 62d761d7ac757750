"""One measurement in one process, on so many cores, alone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jobshop_benchmark import machine
from jobshop_benchmark.environments import python_of
from jobshop_benchmark.rows import OURS

from .paths import ROOT, WORKSHOP

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

#: Variables that say how many threads a library may start.
_THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
)


class MeasurementError(Exception):
    """A measurement that gave no answer."""


@dataclass(frozen=True)
class Measured:
    """The answer of a process, and the CPU seconds that others used while it ran, if known."""

    answer: dict[str, Any]
    others_cpu: float | None
    wall_time: float


def measure(
    home: str, script: Path, request: Mapping[str, Any], *, cores: int, limit: float
) -> Measured:
    """Run *script* with the interpreter of *home* on *cores* cores, *limit* seconds at most."""
    command = [str(python_of(home)), str(script), json.dumps(request)]
    log = WORKSHOP / "logs" / f"{script.stem}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    before, begin = _own_and_busy(), time.monotonic()
    with log.open("w") as errors:
        # A process group of its own: Ctrl-C reaches the harness alone, which ends the process.
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=_environment(home, cores),
            cwd=WORKSHOP,
            start_new_session=True,
            preexec_fn=_pin(cores),
        )
        try:
            output, _ = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            raise MeasurementError(f"no answer after {limit:.0f} s") from None
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    if process.returncode:
        raise MeasurementError(f"exit code {process.returncode}: {_last_line(log)}")
    after, wall_time = _own_and_busy(), time.monotonic() - begin
    others = None if before is None or after is None else max(0.0, after - before)
    return Measured(json.loads(output.splitlines()[-1]), others, wall_time)


def _environment(home: str, cores: int) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    if home == OURS:
        kept["PYTHONPATH"] = os.pathsep.join([str(ROOT), str(ROOT / "scripts")])
    return kept | dict.fromkeys(_THREADS, str(cores))


def _pin(cores: int) -> Any:
    """What keeps a new process on the last *cores* of the cores there are; None off Linux."""
    if not hasattr(os, "sched_setaffinity"):
        return None
    mine = sorted(os.sched_getaffinity(0))[-cores:]
    return lambda: os.sched_setaffinity(0, mine)


def _own_and_busy() -> float | None:
    """CPU seconds of the whole machine without those of this process's ended children."""
    busy = machine.busy_seconds()
    if busy is None:
        return None
    times = os.times()
    return busy - times.children_user - times.children_system - times.user - times.system


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1][:200] if lines else "no message"
