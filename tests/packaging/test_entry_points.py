"""The two commands of the README, the Makefile behind them, and the files that must agree."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


def test_makefile_has_exactly_the_two_entry_points() -> None:
    targets = re.findall(r"^([a-z][\w-]*):(?!=)", MAKEFILE, flags=re.MULTILINE)
    assert targets == ["demo", "test"]


def test_readme_opens_with_the_two_commands() -> None:
    commands = re.findall(r"^\$? ?(make \w+)", README, flags=re.MULTILINE)
    assert commands[:2] == ["make demo", "make test"]
    assert README.index("make demo") < README.index("## ")


def test_ci_runs_the_readme_command() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    assert re.search(r"^exec make test$", script, flags=re.MULTILINE)
    assert "set -euo pipefail" in script


def test_links_of_the_documents_lead_to_files() -> None:
    broken = []
    for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"):
        for target in re.findall(r"\]\(([^)#]+)", page.read_text()):
            if "://" not in target and not (ROOT / target).exists():
                broken.append(f"{page.name}: {target}")
    assert broken == []


def test_changelog_has_the_version() -> None:
    assert f"## [{VERSION}]" in (ROOT / "CHANGELOG.md").read_text()


def test_no_file_names_a_folder_of_one_machine() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout
    machine = re.compile(rb"(?<![\w.~}/-])/(?:home|root|Users|work|opt)/\w")
    found = []
    for name in filter(None, listed.decode().split("\0")):
        path = ROOT / name
        if path.is_file() and not path.is_symlink() and machine.search(path.read_bytes()):
            found.append(name)
    assert found == []
