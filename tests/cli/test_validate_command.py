from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

KEYS = ("job", "index", "machine", "start", "end")
VALID = [(0, 0, 0, 0, 3), (0, 1, 1, 3, 5), (1, 0, 1, 0, 2), (1, 1, 0, 3, 5)]


def solution(rows: list[tuple[int, ...]] = VALID) -> dict[str, Any]:
    return {"operations": [dict(zip(KEYS, row, strict=True)) for row in rows]}


def write(path: Path, *records: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def test_valid(cli: Callable[..., Any], tiny_file: Path, tmp_path: Path) -> None:
    result = cli("validate", tiny_file, write(tmp_path / "s.json", solution()))
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == "tiny: valid, makespan 5\n"


def test_from_standard_input(cli: Callable[..., Any], tiny_file: Path) -> None:
    result = cli("validate", tiny_file, "-", stdin=json.dumps(solution()))
    assert result.stdout == "tiny: valid, makespan 5\n"


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param([VALID[0], (0, 1, 1, 2, 4), *VALID[2:]], id="before its predecessor ends"),
        pytest.param([*VALID[:3], (1, 1, 0, 2, 4)], id="overlap on a machine"),
        pytest.param([*VALID[:3], (1, 1, 0, 3, 6)], id="wrong duration"),
        pytest.param([*VALID[:3], (1, 1, 1, 5, 7)], id="wrong machine"),
        pytest.param([VALID[0], VALID[1], (1, 0, 1, -1, 1), VALID[3]], id="negative start"),
    ],
)
def test_broken_rule(
    cli: Callable[..., Any], tiny_file: Path, tmp_path: Path, rows: list[tuple[int, ...]]
) -> None:
    result = cli("validate", tiny_file, write(tmp_path / "s.json", solution(rows)))
    assert result.exit_code == 1
    assert result.stdout.startswith("tiny: invalid, makespan")
    assert result.stdout.count("\n  ") >= 1, "violations are listed"
    assert result.stderr.startswith(f"error: {tmp_path / 's.json'}: ")
    assert result.stderr.count("\n") == 1


def test_many_violations_are_cut_short(cli: Callable[..., Any], tmp_path: Path) -> None:
    rows = [(job, 0, 0, 0, 1) for job in range(60)]
    shop = tmp_path / "wide.txt"
    shop.write_text("60 1\n" + "0 1\n" * 60)
    result = cli("validate", shop, write(tmp_path / "s.json", solution(rows)))
    assert result.exit_code == 1
    assert 3 <= result.stdout.count("\n") <= 23


def test_wrong_stated_objective(cli: Callable[..., Any], tiny_file: Path, tmp_path: Path) -> None:
    record = {"instance": "tiny", "objective": 4, "solution": solution()}
    result = cli("validate", tiny_file, write(tmp_path / "s.json", record))
    assert result.exit_code == 1
    assert "the stated objective is 4, the schedule's makespan is 5" in result.stdout


def test_the_line_of_the_instance_counts(
    cli: Callable[..., Any], tiny_file: Path, tmp_path: Path
) -> None:
    other = {"instance": "other", "objective": 4, "solution": solution()}
    mine = {"instance": "tiny", "objective": 5, "solution": solution()}
    result = cli("validate", tiny_file, write(tmp_path / "s.jsonl", other, mine))
    assert result.exit_code == 0, result.stdout
    result = cli("validate", tiny_file, write(tmp_path / "t.jsonl", other, other))
    assert result.exit_code == 2


def test_indented_json(cli: Callable[..., Any], tiny_file: Path, tmp_path: Path) -> None:
    record = {"instance": "tiny", "objective": 5, "solution": solution()}
    (tmp_path / "s.json").write_text(json.dumps(record, indent=2))
    assert cli("validate", tiny_file, tmp_path / "s.json").exit_code == 0


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b"\x00\xff", b'{"operations": [{}]}', b'{"solution": null}'],
)
def test_unreadable_solution(
    cli: Callable[..., Any], tiny_file: Path, tmp_path: Path, content: bytes
) -> None:
    bad = tmp_path / "bad.json"
    bad.write_bytes(content)
    result = cli("validate", tiny_file, bad)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"error: {bad}")
    assert result.stderr.count("\n") == 1


def test_missing_files(cli: Callable[..., Any], tiny_file: Path, tmp_path: Path) -> None:
    missing = tmp_path / "no.json"
    result = cli("validate", tiny_file, missing)
    assert (result.exit_code, result.stderr) == (2, f"error: {missing}: no such file\n")
    assert cli("validate", "no/such.txt", missing).exit_code == 2
    assert cli("validate", "-", "-", stdin="").exit_code == 2
    assert "is a folder" in cli("validate", tiny_file, tmp_path).stderr


@pytest.mark.parametrize(
    ("stated", "reason"),
    [
        ({"objective": 4.0}, "the stated objective is 4.0, the schedule's makespan is 5"),
        ({"objective": "5"}, 'the stated objective is "5"'),
        ({"objective": None}, "the stated objective is null"),
        ({"objective": True}, "the stated objective is true"),
        ({"bound": 6, "status": "optimal"}, "the stated bound is 6, the schedule's makespan is 5"),
        ({"bound": "5"}, 'the stated bound is "5", not a number'),
        ({"bound": 4, "status": "optimal"}, "is optimal, but the stated bound is 4, not 5"),
        ({"bound": None, "status": "optimal"}, "is optimal, but the stated bound is null"),
        ({"status": "infeasible"}, "the status is infeasible, but there is a schedule"),
        ({"instance": "la01"}, 'the result is for instance "la01", not tiny'),
        ({"instance": ["tiny"]}, "the result is for instance a list of 1, not tiny"),
    ],
)
def test_false_statements(
    cli: Callable[..., Any], tiny_file: Path, stated: dict[str, Any], reason: str
) -> None:
    result = cli("validate", tiny_file, "-", stdin=json.dumps({"solution": solution(), **stated}))
    assert result.exit_code == 1
    assert reason in result.stdout
    assert "1 violation\n" in result.stdout
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "stated",
    [
        {"instance": "tiny", "objective": 5, "bound": 5, "status": "optimal"},
        {"instance": "stdin", "objective": 5, "bound": 4, "status": "feasible"},
        {"bound": None},
        {"status": "optimal"},
    ],
)
def test_true_statements(cli: Callable[..., Any], tiny_file: Path, stated: dict[str, Any]) -> None:
    result = cli("validate", tiny_file, "-", stdin=json.dumps({"solution": solution(), **stated}))
    assert (result.exit_code, result.stderr) == (0, "")


@pytest.mark.parametrize(
    "second", ['{"instance": "la01", "obj', '{"instance": "tiny", "obj', "[1]"]
)
def test_a_damaged_second_line(cli: Callable[..., Any], tiny_file: Path, second: str) -> None:
    line = json.dumps({"instance": "tiny", "objective": 5, "solution": solution()})
    result = cli("validate", tiny_file, "-", stdin=f"{line}\n{second}\n")
    if "la01" in second:  # another instance's line is not looked at
        assert (result.exit_code, result.stderr) == (0, "")
    else:
        assert result.exit_code == 2
        assert result.stderr.startswith("error: <stdin>:2: not JSON")


def test_csv_is_no_solution_file(cli: Callable[..., Any], tmp_path: Path) -> None:
    output = tmp_path / "out.csv"
    cli("solve", "ft06", "-t", "1", "-w", "1", "-m", "rule:spt", "-o", output)
    result = cli("validate", "ft06", output)
    assert result.exit_code == 2
    assert "this is the CSV of a result; the JSON is needed" in result.stderr
