"""A resident process on cores of its own that makes one run at a time."""

from __future__ import annotations

import multiprocessing
import os
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from .rows import PEER
from .scenarios import Cell, bare, scenario

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from cpsched.pods.instance import Cluster


class NoAnswerError(Exception):
    """The process died, or was killed because it did not answer."""


class Worker:
    """The process on *cores*, started when it is needed and again after a kill."""

    def __init__(self, cores: tuple[int, ...]) -> None:
        self.cores = cores
        self._process: Any = None
        self._pipe: Any = None

    def make(self, job: dict[str, Any]) -> dict[str, Any]:
        """The fields of the run that follow from *job*; NoAnswerError if there is no answer."""
        if self._process is None or not self._process.is_alive():
            context = multiprocessing.get_context("spawn")
            self._pipe, other = context.Pipe()
            self._process = context.Process(target=_serve, args=(other, self.cores), daemon=True)
            self._process.start()
            other.close()
        try:
            self._pipe.send(job)
            # 600: the first one compiles kernels.
            if not self._pipe.poll(2 * job["time_limit"] + 600):
                raise NoAnswerError("killed: no answer")
            answer = self._pipe.recv()
        except (EOFError, OSError) as error:
            self.close()
            raise NoAnswerError(f"the process died: {error!r}") from error
        except NoAnswerError:
            self.close()
            raise
        return dict(answer)

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._pipe.close()
        self._process = None


def _serve(pipe: Connection, cores: tuple[int, ...]) -> None:
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the harness decides
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores)
    _warm(len(cores))
    while True:
        try:
            job = pipe.recv()
        except EOFError:
            return
        cluster = scenario(Cell.of(job["cell"]), job["seed"])
        pipe.send(_run(cluster, job["method"], job["time_limit"], len(cores)))


def _warm(cores: int) -> None:
    """Imports, kernels and a throw-away solve of both sides."""
    cluster = bare(Cell(4, 4, 2, 105), 1)
    for method in ("auto", PEER):
        _run(cluster, method, 2.0, cores)


def _run(cluster: Cluster, method: str, time_limit: float, cores: int) -> dict[str, Any]:
    import cpsched
    from cpsched.pods import objective
    from cpsched.pods.solution import Placement

    from . import plain_cpsat

    fresh = replace(cluster)  # nothing that another method computed is at hand
    report = phases = None
    bound = None
    before_cpu, begin = time.process_time(), time.perf_counter()
    if method == PEER:
        answer = plain_cpsat.solve(fresh, time_limit, cores, 0)
        placement = None if answer.node is None else Placement(answer.node)
        report = placement and cpsched.check(fresh, placement)
        wall = time.perf_counter() - begin
        status, phases = answer.status, list(answer.phases)
    else:
        result = cpsched.solve(fresh, time_limit=time_limit, workers=cores, seed=0, method=method)
        wall = time.perf_counter() - begin
        placement, status = result.solution, result.status.value
        bound = result.bound
        wall -= result.setup_time
    cpu = time.process_time() - before_cpu
    found: dict[str, Any] = {
        "status": status,
        "wall": round(wall, 4),
        "cpu": round(cpu, 3),
        "before": list(objective.values(cluster, cluster.node)),
        "tiers": len(cluster.tiers),
        "pending": int((~cluster.running).sum()),
    }
    if phases is not None:
        found["phases"] = phases
    if bound is not None:
        found["bounds"] = list(objective.digits(cluster, bound))
    if placement is not None:
        node = placement.node
        over = bool((cluster.usage_of(node) > cluster.allocatable).any())
        found |= {
            "values": None if over else list(objective.values(cluster, node)),
            "moved": int(((node >= 0) & cluster.running & (node != cluster.node)).sum()),
            "evicted": int(((node < 0) & cluster.running).sum()),
        }
        if report is not None and not report.ok:
            found["problems"] = list(report.violations[:2])
    return found
