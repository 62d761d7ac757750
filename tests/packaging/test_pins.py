"""constraints.txt pins whatever an installation with any extra brings in."""

from __future__ import annotations

import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LINES = [
    line
    for line in (ROOT / "constraints.txt").read_text().splitlines()
    if not line.startswith("#")
]
PINS = {name: Version(version) for name, version in (line.split("==") for line in LINES)}


def named() -> list[Requirement]:
    extras = PROJECT["optional-dependencies"].values()
    texts = [*PROJECT["dependencies"], *(text for extra in extras for text in extra)]
    return [Requirement(text) for text in texts]


def test_lines_are_pins_sorted_and_unique() -> None:
    assert [line for line in LINES if not re.fullmatch(r"[a-z0-9-]+==[0-9][0-9a-z.]*", line)] == []
    assert list(PINS) == sorted(PINS)
    assert len(LINES) == len(PINS)


@pytest.mark.parametrize("requirement", named(), ids=str)
def test_named_requirement_is_pinned_within_its_range(requirement: Requirement) -> None:
    assert requirement.specifier.contains(PINS[canonicalize_name(requirement.name)])


def test_what_is_installed_for_cpsched_is_pinned() -> None:
    """Walk the installed requirements of requirements, as far as they are installed."""
    waiting = [*named()]
    seen: set[tuple[str, str]] = set()
    missing: set[str] = set()
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        extras = requirement.extras or {""}
        try:
            found = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue
        if name not in PINS:
            missing.add(name)
        for extra in extras:
            if (name, extra) in seen:
                continue
            seen.add((name, extra))
            for text in found:
                needed = Requirement(text)
                if needed.marker is None or needed.marker.evaluate({"extra": extra}):
                    waiting.append(needed)
    assert missing == set()
    assert len(seen) > len(named()) // 2


def test_torch_is_the_version_that_installs_without_cuda_packages() -> None:
    assert PINS["torch"] == Version("2.13.0")
