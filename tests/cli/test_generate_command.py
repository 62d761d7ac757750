from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from cpsched import instances
from cpsched.instances import library

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_taillard_defaults_are_ta01(cli: Callable[..., Any]) -> None:
    text = cli("generate", "taillard").stdout
    assert instances.parse(text.encode(), "ta01.txt") == library.load("ta01")


def test_uniform_keeps_its_range_and_seed(cli: Callable[..., Any], tmp_path: Path) -> None:
    options = ("-j", 4, "-m", 3, "--low", 5, "--high", 7, "--seed")
    output = tmp_path / "shop.json"
    assert (
        cli("generate", "uniform", *options, 1, "--output-format", "json", "-o", output).stdout
        == ""
    )
    shop = instances.read(output)
    assert (shop.num_jobs, shop.num_machines) == (4, 3)
    assert set(shop.duration.tolist()) <= {5, 6, 7}
    first, again, other = (cli("generate", "uniform", *options, seed).stdout for seed in (1, 1, 2))
    assert first == again != other


@pytest.mark.parametrize(
    "arguments",
    [
        ["taillard", "--jobs", "0"],
        ["taillard", "--jobs", "few"],
        ["taillard", "--time-seed", "0"],
        ["uniform", "--machines", "-1"],
        ["uniform", "--low", "9", "--high", "1"],
        ["uniform", "--seed", "-1"],
        ["uniform", "--output-format", "xml"],
        ["uniform", "-o", "no/such/folder.txt"],
        ["gauss"],
    ],
)
def test_bad_input(cli: Callable[..., Any], arguments: list[str]) -> None:
    result = cli("generate", *arguments)
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("error: ")
    assert result.stdout == ""


def test_a_file_too_large_to_be_read_is_not_written(
    cli: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(instances.writing, "MAX_BYTES", 100)
    output = tmp_path / "big.txt"
    result = cli("generate", "uniform", "-j", 10, "-m", 10, "-o", output)
    assert result.exit_code == 2
    assert "at most 100 bytes can be read back" in result.stderr
    assert not output.exists()
