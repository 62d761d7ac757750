"""The virtual environment of each solver: made on demand from pinned requirements."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import venv
from typing import TYPE_CHECKING

from .paths import DRIVERS, ROOT, WORKSHOP
from .rows import OURS

if TYPE_CHECKING:
    from pathlib import Path


class SetupError(Exception):
    """An environment could not be made."""


def python_of(solver: str) -> Path | str:
    """Interpreter that runs the driver of *solver*."""
    if solver == OURS:
        return sys.executable
    return WORKSHOP / solver / "bin" / "python"


def is_ready(solver: str) -> bool:
    """Whether the environment of *solver* holds exactly its pinned requirements."""
    stamp = _stamp(solver)
    return solver == OURS or (
        stamp.exists() and stamp.read_text() == _requirements(solver).read_text()
    )


def make(solver: str) -> None:
    """Make the environment of *solver* anew; SetupError if a requirement cannot be had."""
    if solver == OURS:
        return
    home = WORKSHOP / solver
    venv.create(home, clear=True, with_pip=True)
    command = [python_of(solver), "-m", "pip", "install", "--quiet", "--no-input"]
    command += ["--disable-pip-version-check", "-r", _requirements(solver)]
    done = subprocess.run(command, stdout=sys.stderr, check=False)
    if done.returncode:
        raise SetupError(f"pip could not install {_requirements(solver)} into {home}")
    _stamp(solver).write_text(_requirements(solver).read_text())


def version_of(solver: str) -> str:
    """Version of *solver*, from this checkout or its pinned requirements."""
    if solver == OURS:
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        return str(project["version"])
    pins = dict(
        line.split("==")
        for line in _requirements(solver).read_text().splitlines()
        if "==" in line and not line.startswith("#")
    )
    ortools = pins["ortools"]
    return ortools if solver == "cpsat" else f"{pins[solver]} (ortools {ortools})"


def _requirements(solver: str) -> Path:
    return DRIVERS / f"{solver}.txt"


def _stamp(solver: str) -> Path:
    return WORKSHOP / solver / "installed.txt"
