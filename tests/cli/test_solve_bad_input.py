"""Whatever is wrong with the input: one line on stderr, exit code 2, no solve, no file."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from cpsched import instances, solving

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def refused(
    cli: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., str]:
    """Run the command line, assert that it refuses properly, return the reason."""

    def never(*_: object, **__: object) -> None:
        pytest.fail("solved before all input was checked")

    monkeypatch.setattr(solving, "solve", never)

    def run(*args: object, stdin: str | bytes | None = None) -> str:
        before = sorted(tmp_path.rglob("*"))
        result = cli(*args, stdin=stdin)
        assert result.exit_code == 2
        assert result.stdout == ""
        assert result.stderr.count("\n") == 1
        assert result.stderr.startswith("error: ")
        assert sorted(tmp_path.rglob("*")) == before
        return str(result.stderr)

    return run


def test_unknown_name_lists_near_misses(refused: Callable[..., str]) -> None:
    reason = refused("solve", "ta001")
    assert "unknown instance 'ta001'" in reason
    assert "ta01" in reason


def test_missing_file(refused: Callable[..., str]) -> None:
    assert "nowhere.txt: no such file" in refused("solve", "nowhere.txt")


def test_malformed_file_names_file_and_line(refused: Callable[..., str], tmp_path: Path) -> None:
    bad = tmp_path / "bad.txt"
    bad.write_text("2 2\n0 3 1 2\n1 -2 0 2\n")
    assert f"error: {bad}:3: " in refused("solve", bad)


def test_a_later_bad_source_stops_the_first(
    refused: Callable[..., str], tiny_file: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out.json"
    assert "nowhere" in refused("solve", tiny_file, "nowhere.txt", "-o", output)


def test_malformed_standard_input(refused: Callable[..., str]) -> None:
    assert "<stdin>" in refused("solve", "-", stdin="1 2 3\n")
    assert "<stdin>" in refused("solve", "-", stdin=b"\x00\xff\x00")
    assert "<stdin>" in refused("solve", "-", stdin="")
    assert "twice" in refused("solve", "-", "-", stdin="")


def test_folder_without_instances(refused: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "empty" in refused("solve", tmp_path / "empty")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--method", "cpsatt"], "did you mean cpsat"),
        (["--method", "rule:sptt"], "rule:spt"),
        (["--input-format", "jsplibb"], "did you mean jsplib"),
        (["--time-limit", "0"], "time limit"),
        (["--time-limit", "nan"], "time limit"),
        (["--time-limit", "inf"], "time limit"),
        (["--time-limit", "soon"], "--time-limit"),
        (["--workers", "0"], "workers"),
        (["--seed", "-1"], "seed"),
        (["--seed", "1.5"], "--seed"),
        (["--format", "xml"], "xml"),
        (["--no-such-option"], "--no-such-option"),
        (["--output", "out.xlsx"], "must end in .json, .jsonl or .csv, not .xlsx"),
        (["--output", "out"], "must end in .json, .jsonl or .csv, it has none"),
        (["--output", ""], "must end in"),
        (["--plot", "gantt.pdf"], "must end in .png or .svg, not .pdf"),
        (["--hint", "nowhere.json"], "nowhere.json: no such file"),
    ],
)
def test_bad_option(refused: Callable[..., str], options: list[str], reason: str) -> None:
    assert reason in refused("solve", "ft06", *options)


def test_no_source(refused: Callable[..., str]) -> None:
    assert "Missing argument" in refused("solve")


def test_unknown_command(refused: Callable[..., str]) -> None:
    assert "slove" in refused("slove", "ft06")


@pytest.mark.parametrize("option", ["--output", "--plot"])
def test_output_that_cannot_be_written_is_found_before_solving(
    refused: Callable[..., str], tmp_path: Path, option: str
) -> None:
    suffix = {"--output": ".json", "--plot": ".png"}[option]
    directory = tmp_path / f"directory{suffix}"
    directory.mkdir()
    assert "is a directory" in refused("solve", "ft06", option, directory)
    missing = tmp_path / "missing" / f"out{suffix}"
    assert "no such file or directory" in refused("solve", "ft06", option, missing)
    (tmp_path / "file").write_text("")
    below = tmp_path / "file" / f"out{suffix}"
    assert "not a directory" in refused("solve", "ft06", option, below)
    long = tmp_path / ("x" * 300 + suffix)
    assert "too long" in refused("solve", "ft06", option, long)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root writes anywhere")
def test_read_only_output(refused: Callable[..., str], tmp_path: Path) -> None:
    output = tmp_path / "out.json"
    output.write_text("")
    output.chmod(0o444)
    assert "not writable" in refused("solve", "ft06", "-o", output)
    tmp_path.chmod(0o555)
    try:
        assert "permission denied" in refused("solve", "ft06", "-o", tmp_path / "new.json")
    finally:
        tmp_path.chmod(0o755)


def test_output_over_its_own_input(refused: Callable[..., str], tmp_path: Path) -> None:
    shop = tmp_path / "shop.json"
    shop.write_text("{}")
    link = tmp_path / "link.json"
    link.symlink_to(shop)
    assert "would overwrite an input file" in refused("solve", shop, "-o", link)


def test_output_over_an_instance_of_a_folder(
    refused: Callable[..., str], tiny_file: Path, tmp_path: Path
) -> None:
    shop = tmp_path / "shop.json"
    shop.write_text(instances.dumps(instances.read(tiny_file), "json"))
    before = shop.read_bytes()
    for command in (["solve", tmp_path, "ft06"], ["bench", tmp_path]):
        reason = refused(*command, "-o", shop)
        assert reason == f"error: {shop}: --output would overwrite an input file\n"
    assert shop.read_bytes() == before


def test_results_of_two_instances_of_one_name(
    refused: Callable[..., str], tiny_file: Path, tmp_path: Path
) -> None:
    other = tmp_path / "tiny.jsp"
    other.write_text(tiny_file.read_text())
    reason = refused("solve", tiny_file, other, "-o", tmp_path / "out.json")
    assert f"{tiny_file} and {other} are both called tiny" in reason


def test_two_uses_of_standard_input(refused: Callable[..., str]) -> None:
    assert "cannot both be -" in refused("solve", "-", "--hint", "-", stdin="")


def test_a_set_is_not_an_instance(refused: Callable[..., str]) -> None:
    assert "'cpsched bench ta' solves all" in refused("solve", "ta")


def test_plot_of_several_instances(refused: Callable[..., str], tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    reason = refused("solve", "ft06", "la01", "--plot", tmp_path / "gantt.png")
    assert "draws one instance, 2 are given" in reason


def test_plot_without_matplotlib(
    refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "matplotlib" else find_spec(name)
    )
    assert "pip install" in refused("solve", "ft06", "--plot", tmp_path / "gantt.png")


def test_method_that_cannot_solve_the_instance(
    refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(solving, "methods", lambda instance=None: ["auto", "cpsat"])
    monkeypatch.setattr(solving, "check_method", lambda method: None)
    reason = refused("solve", "ft06", "-m", "tabu")
    assert "method tabu cannot solve ft06; these can: auto, cpsat" in reason


def test_hint_that_breaks_a_rule(
    refused: Callable[..., str], tmp_path: Path, tiny_file: Path
) -> None:
    hint = tmp_path / "hint.json"
    starts = [(0, 0, 0, 0, 3), (0, 1, 1, 0, 2), (1, 0, 1, 0, 2), (1, 1, 0, 3, 5)]
    keys = ("job", "index", "machine", "start", "end")
    operations = [dict(zip(keys, row, strict=True)) for row in starts]
    hint.write_text(json.dumps({"operations": operations}))
    assert "the hint breaks a rule of tiny" in refused("solve", tiny_file, "--hint", hint)


def test_hint_of_another_instance(
    refused: Callable[..., str], tmp_path: Path, tiny_file: Path
) -> None:
    hint = tmp_path / "hint.json"
    hint.write_text('{"operations": []}')
    assert f"error: {hint}" in refused("solve", tiny_file, "--hint", hint)


def test_a_newline_in_a_name_stays_on_one_line(refused: Callable[..., str]) -> None:
    refused("solve", "no\nsuch\nname")


@pytest.mark.parametrize(
    ("arguments", "redirection", "reason"),
    [
        ("solve -", "<&-", "<stdin>: standard input is closed"),
        ("solve ft06 -q -t 1", ">/dev/full", "standard output cannot be written: no space left"),
        ("instances list ft", ">/dev/full", "standard output cannot be written: no space left"),
    ],
)
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_closed_input_and_full_output(arguments: str, redirection: str, reason: str) -> None:
    done = subprocess.run(
        ["sh", "-c", f'exec "$0" -m cpsched {arguments} {redirection}', sys.executable],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode in (1, 2)
    assert done.stderr.startswith(f"error: {reason}")
    assert done.stderr.count("\n") == 1


def test_the_installed_command_prints_no_traceback() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cpsched", "solve", "no/such.txt"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 2
    assert done.stderr == "error: no/such.txt: no such file\n"
    assert done.stdout == ""
