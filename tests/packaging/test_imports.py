"""What importing does: the guards of the linked folders, and what ``import cpsched`` leaves."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# Prints the wanted names that an import asked for, installed or not.
WATCH = """
import sys

class Watch:
    asked = set()

    def find_spec(self, name, path=None, target=None):
        self.asked.add(name.split(".")[0])

sys.meta_path.insert(0, Watch())
import {module}
print(*sorted(Watch.asked & set(sys.argv[1:])))
"""
HEAVY = ("torch", "torch_geometric", "stable_baselines3", "gymnasium", "matplotlib")
SOLVERS = ("ortools", "numba")


def asked_for(module: str, *names: str) -> list[str]:
    command = [sys.executable, "-c", WATCH.format(module=module), *names]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_import_cpsched_is_light() -> None:
    assert asked_for("cpsched", *HEAVY, *SOLVERS) == []


@pytest.mark.parametrize("module", ["cpsched.solving", "cpsched.instances", "cpsched.cli"])
def test_main_modules_need_no_extra(module: str) -> None:
    assert asked_for(module, *HEAVY) == []


def test_watching_sees_an_import() -> None:
    assert asked_for("numpy", "numpy", "torch") == ["numpy"]


@pytest.mark.parametrize("folder", ["agents", "envs", "instances"])
def test_linked_folder_refuses_its_bare_name(folder: str) -> None:
    command = [sys.executable, "-c", f"import {folder}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError:")
    assert f"cpsched.{folder}" in last


@pytest.mark.parametrize("folder", ["agents", "envs", "instances"])
def test_link_is_relative(folder: str) -> None:
    assert (ROOT / "cpsched" / folder).readlink() == Path("..", folder)
