from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable


def test_version_names_the_packages_a_result_depends_on(cli: Callable[..., Any]) -> None:
    result = cli("--version")
    assert result.exit_code == 0
    assert result.stdout.startswith("cpsched ")
    for package in ("python 3.", "ortools ", "numpy ", "numba "):
        assert package in result.stdout


@pytest.mark.parametrize("arguments", [[], ["instances"], ["generate"]])
def test_a_bare_group_shows_its_help(cli: Callable[..., Any], arguments: list[str]) -> None:
    result = cli(*arguments)
    assert result.exit_code == 0
    assert "Usage:" in result.stdout


@pytest.mark.parametrize(
    "command",
    [
        ["solve"],
        ["validate"],
        ["instances", "list"],
        ["instances", "show"],
        ["instances", "export"],
        ["generate", "taillard"],
        ["generate", "uniform"],
        ["bench"],
    ],
)
def test_every_help_has_an_example(cli: Callable[..., Any], command: list[str]) -> None:
    result = cli(*command, "--help")
    assert result.exit_code == 0
    assert "Example" in result.stdout
    assert f"cpsched {' '.join(command)}" in result.stdout.partition("Example")[2]


def test_help_loads_neither_solver_nor_plotting() -> None:
    script = (
        "import sys\n"
        "from cpsched.cli import main\n"
        "try:\n"
        "    main(['--help'])\n"
        "finally:\n"
        "    heavy = {'ortools', 'numba', 'matplotlib'} & set(sys.modules)\n"
        "    print('loaded:', sorted(heavy), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0
    assert done.stderr == "loaded: []\n"
