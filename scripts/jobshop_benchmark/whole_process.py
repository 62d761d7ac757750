"""One run of cpsched through its command line, measured as a process from start to end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .paths import DRIVERS, ROOT, WORKSHOP
from .workers import NoAnswerError, kill_after

if TYPE_CHECKING:
    from .shops import Shop


def solve(shop: Shop, time_limit: float, workers: int, seed: int) -> dict[str, Any]:
    """An answer like a worker's, with ``process_time`` in seconds.

    ``peak_rss`` and ``cpu_time`` are the process's, as the system accounts for it; NoAnswerError
    if it fails or has to be killed.
    """
    with tempfile.TemporaryDirectory(dir=WORKSHOP) as folder:
        output = Path(folder) / "result.json"
        command = [sys.executable, "-m", "cpsched", "solve", str(shop.path)]
        command += ["--time-limit", str(time_limit), "--workers", str(workers)]
        command += ["--seed", str(seed), "--output", str(output)]
        usage, words = _measured(command, kill_after(time_limit))
        if not output.exists():
            raise NoAnswerError(f"ended with code {usage['code']}: {words}")
        result = json.loads(output.read_text())
    solution = result["solution"]
    return {
        "objective": result["objective"],
        "bound": result["bound"],
        "status": result["status"],
        "wall_time": result["wall_time_s"],
        "setup": result["setup_time_s"],
        "process_time": usage["wall_time"],
        "cpu_time": usage["cpu_time"],
        "peak_rss": usage["peak_rss"],
        "trace": [
            (point["seconds"], point["objective"], point["bound"]) for point in result["trace"]
        ],
        "operations": None if solution is None else solution["operations"],
    }


def _measured(command: list[str], limit: float) -> tuple[dict[str, Any], str]:
    """What ``measure.py`` says of *command*, and the last line it printed."""
    log = WORKSHOP / "logs" / "command-line.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, DRIVERS / "measure.py", *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            cwd=WORKSHOP,
            start_new_session=True,
        )
        try:
            answer, _ = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            raise NoAnswerError(f"killed after {limit:.0f} s") from None
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    words = log.read_text(errors="replace").strip().splitlines()
    return json.loads(answer), words[-1][:200] if words else "no message"
