from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from cpsched import bench, solving
from cpsched.errors import InputError
from cpsched.instances import library
from cpsched.jobshop.instance import JobShop
from cpsched.jobshop.solution import Schedule
from cpsched.result import Result, Status

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable
    from pathlib import Path

Calls = list[tuple[str, str, int]]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    """Replace the solver by one that reports twice the bound; record what it was asked."""
    made: Calls = []

    def solve(instance: JobShop, *, method: str, seed: int, **_: object) -> Result[Schedule]:
        made.append((instance.name, method, seed))
        return Result(
            instance=instance.name,
            family="jobshop",
            method=method,
            status=Status.OPTIMAL if method == "cpsat" else Status.FEASIBLE,
            objective=110,
            bound=110 if method == "cpsat" else 55,
            solution=Schedule.from_starts(instance, [0] * instance.num_ops),
            trace=(),
            wall_time=0.5,
            seed=seed,
        )

    monkeypatch.setattr(solving, "solve", solve)
    monkeypatch.setattr(solving, "prepare", lambda **_: 0.0)
    return made


def test_runs_are_interleaved_recorded_and_tabled(
    cli: Callable[..., Any], calls: Calls, tmp_path: Path
) -> None:
    output = tmp_path / "runs.jsonl"
    options = ("--methods", "auto,cpsat", "--seeds", "0,1", "-t", "1", "-w", "1", "-o", output)
    result = cli("bench", "ft06", "la01", *options)
    assert result.exit_code == 0
    runs = [(name, method, seed) for name in ("ft06", "la01") for seed in (0, 1)
            for method in ("auto", "cpsat")]  # fmt: skip
    assert calls == runs
    records = [json.loads(line) for line in output.read_text().splitlines()]
    assert [(r["instance"], r["method"], r["seed"]) for r in records] == runs
    first = records[0]
    assert first["best_known"] == 55
    assert first["gap_to_best"] == pytest.approx(1.0)
    assert (first["time_limit_s"], first["workers"]) == (1.0, 1)
    assert first["solution"] is None
    rows = [line.split() for line in result.stdout.splitlines()]
    assert ["ft", "6x6", "auto", "2", "2", "0", "100.00", "%", "50.00", "%", "0.50"] in rows
    assert ["ft", "6x6", "cpsat", "2", "2", "2", "100.00", "%", "0.00", "%", "0.50"] in rows
    assert sum(row[:1] == ["all"] for row in rows) == 2


def test_resume_repeats_nothing(cli: Callable[..., Any], calls: Calls, tmp_path: Path) -> None:
    output = tmp_path / "runs.jsonl"
    options = ("-t", "1", "-w", "1", "-o", output)
    cli("bench", "ft06", *options)
    before = output.read_bytes()
    calls.clear()
    result = cli("bench", "ft06", *options)
    assert calls == []
    assert output.read_bytes() == before
    assert "100.00 %" in result.stdout
    cli("bench", "ft06", "la01", *options, "--methods", "auto,cpsat")
    assert calls == [("ft06", "cpsat", 0), ("la01", "auto", 0), ("la01", "cpsat", 0)]
    assert output.read_bytes().startswith(before)


@pytest.mark.parametrize("option", [("-t", "2"), ("-w", "2"), ("--seeds", "1")])
def test_other_limits_are_other_runs(
    cli: Callable[..., Any], calls: Calls, tmp_path: Path, option: tuple[str, str]
) -> None:
    output = tmp_path / "runs.jsonl"
    options = ("-t", "1", "-w", "1", "-o", output)
    cli("bench", "ft06", *options)
    cli("bench", "ft06", *options, *option)
    assert len(calls) == 2


def test_other_versions_are_other_runs(
    cli: Callable[..., Any], calls: Calls, tmp_path: Path
) -> None:
    output = tmp_path / "runs.jsonl"
    cli("bench", "ft06", "-t", "1", "-o", output)
    record = json.loads(output.read_text())
    record["versions"]["ortools"] = "1.0"
    output.write_text(json.dumps(record) + "\n")
    cli("bench", "ft06", "-t", "1", "-o", output)
    assert len(calls) == 2


def test_half_written_last_line_is_replaced(
    cli: Callable[..., Any], calls: Calls, tmp_path: Path
) -> None:
    output = tmp_path / "runs.jsonl"
    options = ("bench", "ft06", "la01", "-t", "1", "-w", "1", "-o", output)
    cli(*options)
    whole = output.read_text()
    output.write_text(whole[:-20])
    calls.clear()
    assert cli(*options).exit_code == 0
    assert calls == [("la01", "auto", 0)]
    assert output.read_text() == whole


@pytest.mark.parametrize("line", ["{", "[]", "1", "{}", '{"instance_hash": "x"}'])
def test_malformed_line_is_an_error_and_nothing_is_lost(
    cli: Callable[..., Any], calls: Calls, tmp_path: Path, line: str
) -> None:
    output = tmp_path / "runs.jsonl"
    cli("bench", "ft06", "-t", "1", "-o", output)
    output.write_text(output.read_text() + line + "\n")
    before = output.read_bytes()
    calls.clear()
    result = cli("bench", "la01", "-t", "1", "-o", output)
    assert result.exit_code == 2
    assert result.stderr == f"error: {output}:2: not a line of a benchmark run\n"
    assert calls == []
    assert output.read_bytes() == before


@pytest.mark.parametrize("content", ['{"schema_version": 1}', "a text", '{"jobs": ['])
def test_a_line_without_end_that_is_no_run_is_kept(
    cli: Callable[..., Any], calls: Calls, tmp_path: Path, content: str
) -> None:
    output = tmp_path / "x.json"
    output.write_text(content)
    result = cli("bench", "ft06", "-t", "1", "-o", output)
    assert result.exit_code == 2
    assert result.stderr == f"error: {output}:1: not a line of a benchmark run\n"
    assert output.read_text() == content
    assert calls == []


def test_one_writer_at_a_time(cli: Callable[..., Any], calls: Calls, tmp_path: Path) -> None:
    output = tmp_path / "runs.jsonl"
    with bench.RunFile(output):
        result = cli("bench", "ft06", "-t", "1", "-o", output)
    assert result.exit_code == 2
    assert "another benchmark is writing this file" in result.stderr
    assert cli("bench", "ft06", "-t", "1", "-o", output).exit_code == 0
    assert len(calls) == 1


def test_a_folder_that_holds_its_own_runs(
    cli: Callable[..., Any], calls: Calls, tiny_file: Path
) -> None:
    folder = tiny_file.parent
    for _ in range(2):
        assert cli("bench", folder, "-t", "1", "-o", folder / "runs.json").exit_code == 0
    assert calls == [("tiny", "auto", 0)]


def test_a_full_disk_ends_with_the_table(
    cli: Callable[..., Any], calls: Calls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "runs.jsonl"
    synced: list[int] = []

    def sync(descriptor: int) -> None:
        synced.append(descriptor)
        if len(synced) == 2:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", sync)
    result = cli("bench", "ft06", "la01", "la02", "-t", "1", "-o", output, "-q")
    assert result.exit_code == 1
    reason = "cannot be written: no space left on device; 1 of 3 runs are done"
    assert result.stderr == f"error: {output}: {reason}\n"
    assert "100.00 %" in result.stdout
    assert [json.loads(line)["instance"] for line in output.read_text().splitlines()] == ["ft06"]


def test_keep_solutions(cli: Callable[..., Any], calls: Calls, tmp_path: Path) -> None:
    output = tmp_path / "runs.jsonl"
    cli("bench", "ft06", "-t", "1", "-o", output, "--keep-solutions")
    assert len(json.loads(output.read_text())["solution"]["operations"]) == 36


def test_interrupted_run_is_not_recorded(
    cli: Callable[..., Any], calls: Calls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    double = solving.solve

    def solve(instance: JobShop, *, stop: threading.Event, **options: Any) -> Result[Schedule]:
        if instance.name == "la01":
            stop.set()
        return double(instance, **options)

    monkeypatch.setattr(solving, "solve", solve)
    output = tmp_path / "runs.jsonl"
    result = cli("bench", "ft06", "la01", "la02", "-t", "1", "-o", output)
    assert result.exit_code == 1
    assert "interrupted, 1 of 3 runs are done" in result.stderr
    assert [json.loads(line)["instance"] for line in output.read_text().splitlines()] == ["ft06"]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["nowhere"], "unknown instance 'nowhere'"),
        (["no/such.txt"], "no such file"),
        (["ft06", "--methods", "auto,cpsatt"], "did you mean cpsat"),
        (["ft06", "--methods", "auto,"], "--methods"),
        (["ft06", "--methods", "auto,auto"], "twice"),
        (["ft06", "--seeds", "0,x"], "--seeds needs integers"),
        (["ft06", "--seeds", "-1"], "seed"),
        (["ft06", "-t", "0"], "time limit"),
        (["ft06", "-o", "runs.csv"], "must end in .jsonl or .json"),
        (["ft06", "-o", "no/such/runs.jsonl"], "no such file or directory"),
        ([], "Missing argument"),
    ],
)
def test_bad_input_runs_nothing(
    cli: Callable[..., Any],
    calls: Calls,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    reason: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    result = cli("bench", *arguments)
    assert result.exit_code == 2
    assert reason in result.stderr
    assert result.stderr.count("\n") == 1
    assert calls == []
    assert list(tmp_path.iterdir()) == []


def test_a_set_is_all_its_instances(cli: Callable[..., Any], calls: Calls, tmp_path: Path) -> None:
    cli("bench", "ft", "-t", "1", "-o", tmp_path / "runs.jsonl")
    assert [name for name, _, _ in calls] == library.names("ft")


def test_fingerprint_is_of_the_data_not_the_name(tiny: JobShop) -> None:
    jobs = [[(0, 3), (1, 2)], [(1, 2), (0, 2)]]
    assert bench.fingerprint(tiny) == bench.fingerprint(JobShop.classic("other", 2, jobs))
    for other in (
        JobShop.classic("tiny", 3, jobs),
        JobShop.classic("tiny", 2, [[(0, 3), (1, 2)], [(1, 2), (0, 3)]]),
        JobShop.classic("tiny", 2, [[(0, 3), (1, 2), (1, 2), (0, 2)]]),
    ):
        assert bench.fingerprint(tiny) != bench.fingerprint(other)


def test_method_must_fit_every_instance(tiny: JobShop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(solving, "methods", lambda instance=None: ["auto"])
    with pytest.raises(InputError, match="method tabu cannot solve tiny"):
        bench.plan([bench.Case(tiny)], ["tabu"], [0], time_limit=1, workers=1)


def test_real_runs(cli: Callable[..., Any], tmp_path: Path) -> None:
    output = tmp_path / "runs.jsonl"
    result = cli(
        "bench",
        "ft06",
        "--methods",
        "cpsat",
        "--seeds",
        "0,1",
        "-t",
        "60",
        "-w",
        "1",
        "-o",
        output,
    )
    assert result.exit_code == 0
    records = [json.loads(line) for line in output.read_text().splitlines()]
    assert [record["objective"] for record in records] == [55, 55]
    assert [record["gap_to_best"] for record in records] == [0, 0]
