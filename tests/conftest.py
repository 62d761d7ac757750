"""Options and profiles for every test of the suite."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest
from hypothesis import settings

# No deadline: the machines that run this are shared. In CI the examples are the same every time.
settings.register_profile("cpsched", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("cpsched")

os.environ.setdefault("MPLBACKEND", "Agg")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options that let marked tests run."""
    group = parser.getgroup("cpsched")
    group.addoption("--slow", action="store_true", help="also run tests that take minutes")
    group.addoption(
        "--cluster", action="store_true", help="also run tests that need a Kubernetes cluster"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip what the options or the machine do not allow, with the reason."""
    reasons: dict[str, str] = {}
    if not config.getoption("--slow"):
        reasons["slow"] = "takes minutes: --slow runs it"
    if not config.getoption("--cluster"):
        reasons["cluster"] = "needs a Kubernetes cluster: --cluster runs it"
    if any("gpu" in item.keywords for item in items) and not _has_gpu():
        reasons["gpu"] = "needs an NVIDIA GPU"
    for item in items:
        for marker, reason in reasons.items():
            if item.get_closest_marker(marker):
                item.add_marker(pytest.mark.skip(reason=reason))


def _has_gpu() -> bool:
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return False
    return subprocess.run([tool, "-L"], capture_output=True, check=False).returncode == 0
