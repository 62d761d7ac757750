"""Rows of one whole process on one large input: the snapshot, the openb trace."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from . import snapshot
from .paths import ROOT

#: Nodes, pods in all, pending pods, seed.
LARGE = (5000, 50_000, 500, 1)


def run_snapshot(time_limit: float, method: str, cores: int) -> dict[str, Any]:
    """``cpsched solve snapshot.json``, of a snapshot that is written before."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "snapshot.json"
        snapshot.write(path, *LARGE)
        return _solve([str(path)], time_limit, method, cores, path.stat().st_size)


def run_openb(path: Path, time_limit: float, method: str, cores: int) -> dict[str, Any]:
    """``cpsched solve`` of the trace: all its pods are pending."""
    size = sum(file.stat().st_size for file in path.glob("*.csv"))
    return _solve(
        [str(path.resolve()), "--input-format", "openb"], time_limit, method, cores, size
    )


def _solve(
    source: list[str], time_limit: float, method: str, cores: int, size: int
) -> dict[str, Any]:
    """Seconds from start to end of the process, its peak memory and its answer."""
    with tempfile.TemporaryDirectory() as folder:
        output, log = Path(folder) / "result.json", Path(folder) / "log"
        command = [sys.executable, "-m", "cpsched", "solve", *source, "-t", str(time_limit)]
        command += ["--workers", str(cores), "--method", method, "--output", str(output)]
        paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
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
    solution = answer["solution"]
    tiers = solution["tiers"]
    return {
        "status": answer["status"],
        "wall": round(wall, 2),
        "solve": round(answer["wall_time_s"], 2),
        "peak_mb": round(usage.ru_maxrss / 1024, 1),
        "input_mb": round(size / 1e6, 1),
        "pods": sum(tier["pods"] for tier in tiers),
        "placed_before": [tier["placed_before"] for tier in tiers],
        "placed": [tier["placed"] for tier in tiers],
        "bound": [tier["bound"] for tier in tiers],
        "moved": solution["moved"],
        "evicted": solution["evicted"],
    }
