"""The command line in this process, and a job shop small enough to solve in milliseconds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from cpsched.cli import app
from cpsched.jobshop.instance import JobShop

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result

#: Two jobs on two machines in opposite order; the optimum is 5 (JSPLIB format).
TINY_TEXT = "2 2\n0 3 1 2\n1 2 0 2\n"


@pytest.fixture
def cli() -> Callable[..., Result]:
    """Run the command line and return exit code, stdout and stderr."""
    runner = CliRunner()

    def run(*args: object, stdin: str | bytes | None = None) -> Result:
        result = runner.invoke(app, [str(arg) for arg in args], input=stdin)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run


@pytest.fixture
def tiny() -> JobShop:
    return JobShop.classic("tiny", 2, [[(0, 3), (1, 2)], [(1, 2), (0, 2)]])


@pytest.fixture
def tiny_file(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.txt"
    path.write_text(TINY_TEXT)
    return path
