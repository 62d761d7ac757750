from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from cpsched import instances
from cpsched.instances import library

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_list_one_set(cli: Callable[..., Any]) -> None:
    result = cli("instances", "list", "ft")
    assert result.exit_code == 0
    rows = [line.split() for line in result.stdout.splitlines() if line.strip().startswith("ft")]
    assert rows == [
        ["ft06", "6", "6", "36", "55", "55", "optimal"],
        ["ft10", "10", "10", "100", "930", "930", "optimal"],
        ["ft20", "20", "5", "100", "1165", "1165", "optimal"],
    ]


def test_list_all_names_every_instance(cli: Callable[..., Any]) -> None:
    words = cli("instances", "list").stdout.split()
    assert set(library.names()) <= set(words)


def test_show(cli: Callable[..., Any]) -> None:
    text = cli("instances", "show", "ta01").stdout
    assert "ta01: job shop, 15 jobs, 15 machines, 225 operations" in text
    assert "min 1, mean 51.9, max 99" in text
    assert "963 (job 8)" in text
    assert "977 (machine 14)" in text
    assert "1231 (optimal)" in text


def test_show_a_flexible_file(cli: Callable[..., Any], tmp_path: Path) -> None:
    shop = tmp_path / "shop.fjs"
    # Job 0: 25 or 37, then 32 or 24; job 1: 7 on the second machine, no choice.
    shop.write_text("2 2 2\n2 2 1 25 2 37 2 1 32 2 24\n1 1 2 7\n")
    text = cli("instances", "show", shop).stdout
    assert "flexible job shop, 2 jobs, 2 machines, 3 operations" in text
    assert "longest job     49 (job 0)" in text
    assert "busiest machine 7 (machine 1)" in text
    assert "spread load     28 per machine" in text
    assert "best known" not in text


@pytest.mark.parametrize("output_format", instances.FORMATS)
def test_export_can_be_read_back(
    cli: Callable[..., Any], tmp_path: Path, output_format: str
) -> None:
    output = tmp_path / "ta01.any"
    result = cli("instances", "export", "ta01", "--output-format", output_format, "-o", output)
    assert (result.exit_code, result.stdout) == (0, "")
    assert instances.read(output, output_format) == library.load("ta01")


def test_export_prints_by_default(cli: Callable[..., Any], tmp_path: Path) -> None:
    text = cli("instances", "export", "ft06").stdout
    assert instances.parse(text.encode(), "ft06.txt") == library.load("ft06")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["list", "taa"], "taa"),
        (["show", "ta001"], "ta01"),
        (["export", "no.txt"], "no.txt: no such file"),
        (["export", "ft06", "--output-format", "xml"], "unknown output format 'xml'"),
        (["export", "ft06", "-o", "no/such/folder.txt"], "no/such/folder.txt"),
        (["shaw", "ta01"], "shaw"),
    ],
)
def test_bad_input(cli: Callable[..., Any], arguments: list[str], reason: str) -> None:
    result = cli("instances", *arguments)
    assert result.exit_code == 2
    assert reason in result.stderr
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""


def test_export_does_not_overwrite_its_input(cli: Callable[..., Any], tiny_file: Path) -> None:
    before = tiny_file.read_bytes()
    result = cli("instances", "export", tiny_file, "--output-format", "fjs", "-o", tiny_file)
    assert result.exit_code == 2
    assert tiny_file.read_bytes() == before
