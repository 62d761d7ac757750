"""A solver as a warm process that answers one request at a time, killed if it does not."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import threading
import time
from typing import TYPE_CHECKING, Any

from .environments import python_of
from .paths import DRIVERS, ROOT, WORKSHOP
from .rows import OURS

if TYPE_CHECKING:
    from pathlib import Path

    from .shops import Shop

#: Seconds a worker may take to import everything and make its throw-away solve; compiling the
#: kernels of cpsched from nothing is part of it.
_START_LIMIT = 300.0


def kill_after(time_limit: float) -> float:
    """Seconds after which a run without an answer is given up."""
    return 2 * time_limit + 30


class WorkerError(Exception):
    """A worker that cannot be started."""


class NoAnswerError(Exception):
    """A worker that died or had to be killed while solving."""


class Worker:
    """The driver of one solver, started at the first request and again after a kill.

    versions: what the driver says it runs, known once it has started.
    """

    def __init__(self, solver: str) -> None:
        self.solver = solver
        self.versions: dict[str, str] = {}
        self._process: subprocess.Popen[str] | None = None
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._reader: threading.Thread | None = None

    def start(self) -> None:
        """Start the driver unless it runs; WorkerError if it does not get ready."""
        if self._process is not None and self._process.poll() is None:
            return
        driver = DRIVERS / f"drive_{self.solver.replace('-', '_')}.py"
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        if self.solver == OURS:
            environment["PYTHONPATH"] = str(ROOT)
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("w") as log:
            # A process group of its own: Ctrl-C reaches the harness alone, which ends the worker.
            self._process = subprocess.Popen(
                [python_of(self.solver), driver],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=environment,
                cwd=WORKSHOP,
                start_new_session=True,
            )
        self._lines = queue.Queue()
        self._reader = threading.Thread(
            target=_forward, args=(self._process, self._lines), daemon=True
        )
        self._reader.start()
        try:
            self.versions = self._receive(_START_LIMIT)["versions"]
        except NoAnswerError as error:
            raise WorkerError(f"{self.solver} does not start: {error}") from error

    def solve(self, shop: Shop, time_limit: float, workers: int, seed: int) -> dict[str, Any]:
        """The driver's answer; NoAnswerError if there is none in good time."""
        self.start()
        request = {
            "instance": str(shop.path),
            "time_limit": time_limit,
            "workers": workers,
            "seed": seed,
        }
        stdin = self._running().stdin
        if stdin is None:
            raise NoAnswerError("the worker takes no requests")
        stdin.write(json.dumps(request) + "\n")
        stdin.flush()
        return self._receive(kill_after(time_limit))

    def close(self) -> None:
        """End the driver, whatever it is doing."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if self._reader is not None:
            self._reader.join(timeout=5)
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()

    @property
    def _log(self) -> Path:
        return WORKSHOP / "logs" / f"{self.solver}.log"

    def _running(self) -> subprocess.Popen[str]:
        if self._process is None:
            raise NoAnswerError("the worker is not running")
        return self._process

    def _receive(self, seconds: float) -> dict[str, Any]:
        begin = time.monotonic()
        try:
            line = self._lines.get(timeout=seconds)
        except queue.Empty:
            self.close()
            raise NoAnswerError(f"killed after {time.monotonic() - begin:.0f} s") from None
        if line is None:
            process = self._running()
            code = process.wait()
            self.close()
            raise NoAnswerError(f"ended with code {code}: {self._last_words()}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _last_words(self) -> str:
        lines = self._log.read_text(errors="replace").strip().splitlines()
        return lines[-1][:200] if lines else "no message"


def _forward(process: subprocess.Popen[str], lines: queue.Queue[str | None]) -> None:
    """Hand the lines of *process* over, then None."""
    if process.stdout is not None:
        for line in process.stdout:
            lines.put(line)
    lines.put(None)
