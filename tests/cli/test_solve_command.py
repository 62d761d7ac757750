from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

import pytest

from cpsched import checking, solving
from cpsched.instances import library
from cpsched.jobshop.solution import Schedule
from cpsched.result import Result, Status, TracePoint

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable
    from pathlib import Path

    from cpsched.jobshop.instance import JobShop

#: Proves the small instances long before the limit.
FAST = ("--time-limit", "60", "--workers", "1", "--method", "cpsat")


def test_text_summary_of_a_shipped_instance(cli: Callable[..., Any]) -> None:
    result = cli("solve", "ft06", *FAST)
    assert result.exit_code == 0
    assert "ft06: job shop, 6 jobs, 6 machines, 36 operations" in result.stdout
    assert "optimal, proven by" in result.stdout
    assert "makespan    55" in result.stdout
    assert "best known  55" in result.stdout
    assert "gap 0.00 %" in result.stdout
    assert "--plot FILE.png" in result.stdout


def test_json_is_one_line_with_a_schedule_that_passes_the_check(cli: Callable[..., Any]) -> None:
    result = cli("solve", "ft06", *FAST, "--format", "json", "--quiet")
    assert result.exit_code == 0
    assert result.stderr == ""
    assert result.stdout.count("\n") == 1
    record = json.loads(result.stdout)
    assert record["status"] == "optimal"
    operations = record["solution"]["operations"]
    instance = library.load("ft06")
    schedule = Schedule(
        *([operation[key] for operation in operations] for key in ("machine", "start", "end"))
    )
    report = checking.check(instance, schedule)
    assert report.ok
    assert report.objective == record["objective"] == 55


def test_several_sources_give_several_lines_in_order(
    cli: Callable[..., Any], tiny_file: Path
) -> None:
    folder = tiny_file.parent / "plant"
    folder.mkdir()
    (folder / "b10.txt").write_text(tiny_file.read_text())
    (folder / "b2.txt").write_text(tiny_file.read_text())
    result = cli(
        "solve", "ft06", tiny_file, folder, "-", *FAST, "-f", "json", stdin=tiny_file.read_text()
    )
    records = [json.loads(line) for line in result.stdout.splitlines()]
    assert [record["instance"] for record in records] == ["ft06", "tiny", "b2", "b10", "stdin"]
    assert [record["objective"] for record in records] == [55, 5, 5, 5, 5]
    assert result.exit_code == 0


def test_several_instances_end_with_a_table(cli: Callable[..., Any], tiny_file: Path) -> None:
    result = cli("solve", "ft06", tiny_file, *FAST)
    assert "2 instances, 2 with a solution, 2 proven optimal" in result.stdout
    assert "mean gap to best known 0.00 %" in result.stdout
    header = "instance size status makespan bound gap best known gap to best seconds"
    assert header in " ".join(result.stdout.split()), "no column is cut off"
    assert [line.split()[0] for line in result.stderr.splitlines() if line.startswith("[")] == [
        "[1/2]",
        "[2/2]",
    ]


def test_output_json_holds_what_is_printed(
    cli: Callable[..., Any], tiny_file: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out.json"
    result = cli("solve", "ft06", tiny_file, *FAST, "-f", "json", "-o", output)
    assert output.read_text() == result.stdout
    assert [entry.name for entry in tmp_path.iterdir() if entry.name.startswith(".")] == []


def test_output_csv_has_one_row_per_operation(
    cli: Callable[..., Any], tiny_file: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out.csv"
    cli("solve", "ft06", tiny_file, *FAST, "-o", output)
    rows = list(csv.DictReader(io.StringIO(output.read_text())))
    assert [row["instance"] for row in rows] == ["ft06"] * 36 + ["tiny"] * 4
    assert max(int(row["end"]) for row in rows if row["instance"] == "ft06") == 55


@pytest.mark.parametrize(("suffix", "head"), [("png", b"\x89PNG"), ("svg", b"<?xml")])
def test_plot(
    cli: Callable[..., Any], tmp_path: Path, tiny_file: Path, suffix: str, head: bytes
) -> None:
    pytest.importorskip("matplotlib")
    picture = tmp_path / f"gantt.{suffix}"
    result = cli("solve", tiny_file, *FAST, "--plot", picture)
    assert result.exit_code == 0
    assert picture.read_bytes().startswith(head)
    assert str(picture) in result.stdout


def test_an_earlier_result_is_a_hint(
    cli: Callable[..., Any], tmp_path: Path, tiny_file: Path
) -> None:
    output = tmp_path / "out.json"
    cli("solve", "ft06", tiny_file, *FAST, "-o", output)
    options = ("-t", "1", "-w", "1", "-m", "rule:spt", "-f", "json")
    assert json.loads(cli("solve", "ft06", *options).stdout)["objective"] > 55
    result = cli("solve", "ft06", *options, "--hint", output)
    assert result.exit_code == 0
    assert json.loads(result.stdout)["objective"] == 55


@pytest.mark.parametrize("method", ["cpsat", "tabu", "rule:mwkr"])
def test_methods(cli: Callable[..., Any], method: str) -> None:
    record = json.loads(cli("solve", "ft06", "-t", "1", "-m", method, "-f", "json").stdout)
    assert record["method"] == method
    assert record["objective"] >= 55


def result_for(instance: JobShop, status: Status) -> Result[Schedule]:
    """A result without a solution."""
    return Result(
        instance=instance.name,
        family="jobshop",
        method="auto",
        status=status,
        objective=None,
        bound=None,
        solution=None,
        trace=(TracePoint(0.0, None, None, "cpsat"),),
        wall_time=0.1,
        seed=0,
    )


@pytest.mark.parametrize(
    ("status", "reason"),
    [(Status.UNKNOWN, "no solution was found"), (Status.INFEASIBLE, "no solution exists")],
)
def test_no_solution_is_exit_code_1_with_one_line(
    cli: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    status: Status,
    reason: str,
) -> None:
    monkeypatch.setattr(solving, "solve", lambda instance, **_: result_for(instance, status))
    output, picture = tmp_path / "out.json", tmp_path / "out.png"
    result = cli("solve", "ft06", "-o", output, "--plot", picture)
    assert result.exit_code == 1
    assert result.stderr == f"error: ft06: {reason}\n"
    assert json.loads(output.read_text())["status"] == status.value
    assert not picture.exists()


def test_output_is_updated_after_each_instance(
    cli: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    output = tmp_path / "out.jsonl"
    seen: list[int] = []

    def solve(instance: JobShop, **_: object) -> Result[Schedule]:
        seen.append(output.read_text().count("\n") if output.exists() else 0)
        return result_for(instance, Status.UNKNOWN)

    monkeypatch.setattr(solving, "solve", solve)
    result = cli("solve", "ft06", "la01", "la02", "-o", output)
    assert seen == [0, 1, 2]
    assert result.exit_code == 1
    assert "3 instances without a solution: ft06, la01, la02" in result.stderr


def test_a_stop_ends_the_list_and_keeps_what_was_found(
    cli: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The instance that is interrupted is reported, the rest is not started."""
    real = solving.solve

    def solve(instance: JobShop, *, stop: threading.Event, **options: Any) -> Result[Schedule]:
        if instance.name == "la01":
            stop.set()
        return real(instance, **options)

    monkeypatch.setattr(solving, "solve", solve)
    output = tmp_path / "out.jsonl"
    result = cli("solve", "ft06", "la01", "la02", *FAST, "-o", output)
    assert result.exit_code == 1
    assert "error: interrupted, 1 of 3 instances not started" in result.stderr
    names = [json.loads(line)["instance"] for line in output.read_text().splitlines()]
    assert names == ["ft06", "la01"]


def test_a_folder_that_holds_its_own_results_is_solved_again(
    cli: Callable[..., Any], tiny_file: Path
) -> None:
    folder = tiny_file.parent
    output = folder / "results.json"
    for _ in range(2):
        assert cli("solve", folder, *FAST, "-o", output).exit_code == 0
        assert [json.loads(line)["instance"] for line in output.read_text().splitlines()] == [
            "tiny"
        ]


def test_what_cannot_be_saved_is_printed(
    cli: Callable[..., Any], tmp_path: Path, tiny_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that fails after the solve costs neither the result nor the rest of the list."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    output = tmp_path / "out.json"
    result = cli("solve", "ft06", tiny_file, *FAST, "-q", "-f", "json", "-o", output)
    assert result.exit_code == 1
    assert result.stderr == f"error: {output}: could not be written: no space left on device\n"
    assert [json.loads(line)["objective"] for line in result.stdout.splitlines()] == [55, 5]
    result = cli("solve", "ft06", *FAST, "-q", "-o", output)
    assert result.exit_code == 1
    assert "makespan    55" in result.stdout
    assert "written" not in result.stdout


def test_what_cannot_be_drawn_is_printed_and_saved(
    cli: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    figure = pytest.importorskip("matplotlib.figure")

    def refuse(*_: object, **__: object) -> None:
        raise ValueError("image size is too large")

    monkeypatch.setattr(figure.Figure, "savefig", refuse)
    output, picture = tmp_path / "out.json", tmp_path / "out.png"
    result = cli("solve", "ft06", *FAST, "-q", "-o", output, "--plot", picture)
    assert result.exit_code == 1
    assert result.stderr == "error: the chart cannot be drawn: image size is too large\n"
    assert "makespan    55" in result.stdout
    assert json.loads(output.read_text())["objective"] == 55
    assert not picture.exists()


def test_a_hint_from_standard_input(cli: Callable[..., Any]) -> None:
    line = cli("solve", "ft06", *FAST, "-f", "json").stdout
    options = ("-t", "1", "-w", "1", "-m", "rule:spt", "-f", "json", "--hint", "-")
    assert json.loads(cli("solve", "ft06", *options, stdin=line).stdout)["objective"] == 55


def test_first_compilation_is_announced_and_reported(
    cli: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tiny_file: Path
) -> None:
    def prepare(on_compile: Callable[[], None] | None = None, **_: object) -> float:
        if on_compile is None:  # within solve(), where the kernels are loaded by now
            return 0.0
        on_compile()
        return 6.5

    monkeypatch.setattr(solving, "prepare", prepare)
    result = cli("solve", tiny_file, *FAST, "-f", "json")
    assert "compiling" in result.stderr
    assert json.loads(result.stdout)["setup_time_s"] == 6.5
    assert "compiling" not in cli("solve", tiny_file, *FAST, "-q").stderr


def test_a_classic_name_with_other_numbers_has_no_best_known(
    cli: Callable[..., Any], tmp_path: Path, tiny_file: Path
) -> None:
    impostor = tmp_path / "ft06.txt"
    tiny_file.rename(impostor)
    assert "best known" not in cli("solve", impostor, *FAST).stdout


def test_auto_on_a_large_instance_ends_in_time(cli: Callable[..., Any]) -> None:
    solving.prepare()
    record = json.loads(cli("solve", "ta41", "-t", "1", "-w", "1", "-f", "json").stdout)
    # The lower bound of the literature is 1926, the best makespan 2005.
    assert record["bound"] <= 2005 <= record["objective"]
    assert record["wall_time_s"] < 10  # loaded machines; benchmarks measure the limit itself
