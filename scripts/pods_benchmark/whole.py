"""Rows of one whole process on one large input: the snapshot, the openb trace."""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from . import openb, snapshot
from .paths import ROOT

#: Nodes, pods in all, pending pods, seed.
LARGE = (5000, 50_000, 500, 1)


def run_snapshot(
    time_limit: float, method: str, sizes: tuple[int, int, int, int]
) -> dict[str, Any]:
    """``cpsched solve snapshot.json`` as a process of its own: seconds, peak memory, answer."""
    with tempfile.TemporaryDirectory() as folder:
        path, output = Path(folder) / "snapshot.json", Path(folder) / "result.json"
        snapshot.write(path, *sizes)
        size = path.stat().st_size
        command = [sys.executable, "-m", "cpsched", "solve", str(path)]
        command += ["-t", str(time_limit), "--method", method, "--output", str(output)]
        log = Path(folder) / "log"
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        begin = time.perf_counter()
        with log.open("w") as file:
            process = subprocess.Popen(
                command, stdout=file, stderr=file, env=environment, cwd=folder
            )
            _, code, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(code)
        wall = time.perf_counter() - begin
        if process.returncode or not output.exists():
            words = log.read_text(errors="replace").strip().splitlines()[-1:] or ["no message"]
            raise RuntimeError(f"cpsched solve ended with {process.returncode}: {words[0][:300]}")
        answer = json.loads(output.read_text())
    tiers = answer["solution"]["tiers"]
    return {
        "status": answer["status"],
        "wall": round(wall, 2),
        "peak_mb": round(usage.ru_maxrss / 1024, 1),
        "input_mb": round(size / 1e6, 1),
        "pods": sum(tier["pods"] for tier in tiers),
        "placed_before": [tier["placed_before"] for tier in tiers],
        "placed": [tier["placed"] for tier in tiers],
        "bound": [tier["bound"] for tier in tiers],
        "moved": answer["solution"]["moved"],
        "evicted": answer["solution"]["evicted"],
    }


def run_openb(folder: Path, time_limit: float, method: str, cores: int) -> dict[str, Any]:
    """The trace, scheduled by the default scheduler, then solved; in a process of its own."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        return pool.apply(_openb, (folder, time_limit, method, cores))


def _openb(folder: Path, time_limit: float, method: str, cores: int) -> dict[str, Any]:
    import cpsched
    from cpsched.pods.scheduler import schedule
    from cpsched.pods.solution import Placement

    begin = time.perf_counter()
    cluster = openb.read(folder)
    read = time.perf_counter() - begin
    found = schedule(cluster, preemption=False)
    node = found.node if isinstance(found, Placement) else np.asarray(found)
    scheduled = time.perf_counter() - begin - read
    cluster = replace(cluster, node=node)
    begin = time.perf_counter()
    result = cpsched.solve(cluster, time_limit=time_limit, workers=cores, method=method)
    wall = time.perf_counter() - begin - result.setup_time
    after = node if result.solution is None else result.solution.node

    def placed(where: Any) -> list[int]:
        return [int((where[cluster.priority == tier] >= 0).sum()) for tier in cluster.tiers]

    return {
        "status": result.status.value,
        "wall": round(wall, 3),
        "read": round(read, 2),
        "scheduled": round(scheduled, 2),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        "pods": cluster.num_pods,
        "placed_before": placed(node),
        "placed": placed(after),
        "moved": int(((after >= 0) & (node >= 0) & (after != node)).sum()),
        "evicted": int(((after < 0) & (node >= 0)).sum()),
    }
