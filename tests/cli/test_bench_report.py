"""``cpsched bench --report``, ``--jobs`` and ``--ray``, on real runs."""

from __future__ import annotations

import contextlib
import csv
import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import remote_tasks

from cpsched import bench_jobs, solving
from cpsched.errors import InputError
from cpsched.protocols import available_cores

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[2]
RULES = ("bench", "ft06", "la01", "la02", "--methods", "rule:mwkr,rule:spt", "--seeds", "0,1")
needs_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="needs the extra ray"
)


@pytest.fixture(scope="module", autouse=True)
def _warm() -> None:
    solving.prepare()


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def essence(record: dict[str, Any]) -> tuple[Any, ...]:
    return (record["instance"], record["method"], record["seed"], record["objective"])


def table_of(result: Any) -> list[list[str]]:
    """The rows of the printed table without their seconds."""
    return [line.split()[:-1] for line in result.stdout.splitlines() if "rule:" in line]


def test_report_is_a_page_with_pictures_and_numbers(
    cli: Callable[..., Any], tmp_path: Path
) -> None:
    output, folder = tmp_path / "runs.jsonl", tmp_path / "deep" / "report"
    result = cli(*RULES, "-t", "5", "-o", output, "--report", folder)
    assert result.exit_code == 0
    assert f"wrote {folder / 'README.md'}" in result.stdout
    page = (folder / "README.md").read_text()
    assert "12 runs in `runs.jsonl`" in page
    assert lines(output)[0]["conditions"]["machine"] in page
    assert "- seeds: 0, 1" in page
    for kind in ("quality", "times", "anytime"):
        assert f"(jobshop-{kind}.png)" in page
        assert (folder / f"jobshop-{kind}.png").read_bytes().startswith(b"\x89PNG")
        assert (folder / f"jobshop-{kind}.svg").read_text().lstrip().startswith("<?xml")
    with (folder / "jobshop-table.csv").open() as file:
        rows = list(csv.DictReader(file))
    (total,) = [row for row in rows if (row["set"], row["method"]) == ("all", "rule:spt")]
    gaps = [
        (one["objective"] - one["best_known"]) / one["best_known"]
        for one in lines(output)
        if one["method"] == "rule:spt"
    ]
    assert float(total["gap mean"]) == pytest.approx(sum(gaps) / len(gaps))
    assert float(total["gap worst"]) == pytest.approx(max(gaps))
    assert f"{100 * sum(gaps) / len(gaps):.2f} %" in page
    with (folder / "jobshop-anytime.csv").open() as file:
        last = [row for row in csv.DictReader(file) if row["method"] == "rule:spt"][-1]
    assert float(last["y"]) == pytest.approx(sum(gaps) / len(gaps))


def test_report_of_a_file_runs_nothing_and_is_the_same_again(
    cli: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "runs.jsonl"
    cli(*RULES, "-t", "5", "-o", output)
    before = output.read_bytes()
    monkeypatch.setattr(solving, "solve", None)
    assert cli("bench", "--only-report", "-o", output).exit_code == 0
    folder = tmp_path / "runs-report"
    first = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert len(first) == 11
    assert cli("bench", "--only-report", "-o", output, "--report", folder).exit_code == 0
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == first
    assert output.read_bytes() == before


def test_report_of_objectives_that_are_only_compared(
    cli: Callable[..., Any], tmp_path: Path
) -> None:
    snapshot, output = tmp_path / "pods.jsonl", tmp_path / "runs.jsonl"
    cli("generate", "pods", "--nodes", "4", "--utilisation", "1.05", "--seed", "7", "-o", snapshot)
    methods = ("--methods", "best-fit,default-scheduler", "-w", "1", "-t", "5")
    result = cli("bench", snapshot, *methods, "-o", output, "--report", tmp_path / "report")
    assert result.exit_code == 0
    names = {path.name for path in (tmp_path / "report").iterdir()}
    assert "pods-times.png" in names
    assert "pods-quality.png" not in names
    page = (tmp_path / "report" / "README.md").read_text()
    assert "| gap" not in page
    assert "| unplaced |" in page
    assert "Best found over time" in page


def test_report_of_a_file_of_an_earlier_version(cli: Callable[..., Any], tmp_path: Path) -> None:
    output = tmp_path / "runs.jsonl"
    cli(*RULES, "-t", "5", "-o", output)
    old = lines(output)
    for record in old:
        for key in ("set", "size", "conditions"):
            del record[key]
    output.write_text("".join(json.dumps(record) + "\n" for record in old))
    assert cli("bench", "--only-report", "-o", output).exit_code == 0
    page = (tmp_path / "runs-report" / "README.md").read_text()
    assert "started at a time that is not recorded" in page
    assert "| - | - | rule:mwkr | 6 |" in page


def test_no_run_with_a_solution_still_has_a_report(
    cli: Callable[..., Any], tmp_path: Path
) -> None:
    output = tmp_path / "runs.jsonl"
    cli("bench", "ft06", "--methods", "rule:mwkr", "-t", "5", "-w", "1", "-o", output)
    (record,) = lines(output)
    nothing = {"objective": None, "trace": [], "status": "unknown", "gap_to_best": None}
    output.write_text(json.dumps({**record, **nothing}) + "\n")
    assert cli("bench", "--only-report", "-o", output).exit_code == 0
    page = (tmp_path / "runs-report" / "README.md").read_text()
    assert "1 run without a solution left out. No curve: rule:mwkr." in page


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--only-report", "-o", "missing.jsonl"], "missing.jsonl: cannot be read: no such file"),
        (["--only-report", "-o", "empty.jsonl"], "empty.jsonl: holds no benchmark run"),
        (["--only-report", "-o", "text.jsonl"], "text.jsonl:1: not a line of a benchmark run"),
        (["ft06", "--only-report"], "--only-report runs nothing and takes --output and"),
        (["--only-report", "-t", "3"], "and --report alone, not --time-limit"),
        (["ft06", "--jobs", "0"], "--jobs must be an integer in 1..1024, not 0"),
        (["ft06", "-j", "2", "-w", "999"], "--jobs 2 with --workers 999 needs 1998 cores"),
        (["ft06", "--ray", "nowhere"], "is no address of a Ray"),
    ],
)
def test_bad_input_writes_nothing(
    cli: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    reason: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty.jsonl").touch()
    Path("text.jsonl").write_text("a text\n")
    result = cli("bench", *arguments)
    assert result.exit_code == 2
    assert reason in result.stderr
    assert result.stderr.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty.jsonl", "text.jsonl"]


def test_a_report_that_cannot_be_written(cli: Callable[..., Any], tmp_path: Path) -> None:
    output, taken = tmp_path / "runs.jsonl", tmp_path / "taken"
    cli("bench", "ft06", "--methods", "rule:mwkr", "-t", "5", "-w", "1", "-o", output)
    taken.write_text("a file")
    result = cli("bench", "--only-report", "-o", output, "--report", taken)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"error: {taken}: the report cannot be written: ")
    assert taken.read_text() == "a file"


# -- side by side ---------------------------------------------------------------------------------


def test_runs_side_by_side_are_those_one_after_the_other(
    cli: Callable[..., Any], tmp_path: Path
) -> None:
    one, two = tmp_path / "one.jsonl", tmp_path / "two.jsonl"
    serial = cli(*RULES, "-t", "5", "-w", "1", "-o", one)
    side = cli(*RULES, "-t", "5", "-w", "1", "-j", "2", "--oversubscribe", "-o", two)
    assert side.exit_code == 0
    assert sorted(map(essence, lines(two))) == sorted(map(essence, lines(one)))
    assert table_of(side) == table_of(serial) != []
    assert {one["conditions"]["jobs"] for one in lines(two)} == {2}
    before = two.read_bytes()
    again = cli(*RULES, "-t", "5", "-w", "1", "-j", "2", "--oversubscribe", "-o", two)
    assert two.read_bytes() == before
    assert table_of(again) == table_of(serial)


def test_an_instance_given_twice_is_solved_once(cli: Callable[..., Any], tmp_path: Path) -> None:
    output = tmp_path / "runs.jsonl"
    options = ("--methods", "rule:mwkr", "-w", "1", "-j", "2", "--oversubscribe", "-t", "5")
    result = cli("bench", "ft06", "ft06", *options, "-o", output)
    assert result.exit_code == 0
    assert len(lines(output)) == 1
    assert ["ft", "6x6", "rule:mwkr", "2", "2"] in [row[:5] for row in table_of(result)]


def test_a_worker_that_dies_twice_ends_with_the_runs_name(
    cli: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "runs.jsonl"
    options = ("--methods", "rule:mwkr", "-w", "1", "-t", "5", "-o", output)
    cli("bench", "ft06", *options)
    monkeypatch.setattr(bench_jobs, "measure", remote_tasks.die)
    result = cli("bench", "ft06", "la01", *options, "-j", "2", "--oversubscribe", "-q")
    assert result.exit_code == 1
    assert result.stderr.startswith("error: la01 rule:mwkr seed 0: its worker died twice (exit")
    assert result.stderr.endswith("1 of 2 runs are done\n")
    assert ["ft", "6x6", "rule:mwkr", "1", "1"] in [row[:5] for row in table_of(result)]
    assert len(lines(output)) == 1


def test_jobs_must_fit_the_cores() -> None:
    cores = available_cores()
    bench_jobs.check_jobs(1, cores + 1)  # one run may ask for what it likes, as a solve may
    bench_jobs.check_jobs(cores, 1)
    with pytest.raises(InputError, match=r"or --oversubscribe"):
        bench_jobs.check_jobs(cores + 1, 1)
    bench_jobs.check_jobs(cores + 1, 1, oversubscribe=True)


@needs_ray
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_runs_on_a_ray_are_those_of_this_process(
    cli: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    one, two = tmp_path / "one.jsonl", tmp_path / "two.jsonl"
    serial = cli(*RULES, "-t", "5", "-w", "1", "-o", one)
    handler = signal.getsignal(signal.SIGTERM)
    side = cli(*RULES, "-t", "5", "--ray", "local", "-o", two)
    assert side.exit_code == 0
    assert sorted(map(essence, lines(two))) == sorted(map(essence, lines(one)))
    assert table_of(side) == table_of(serial) != []
    assert {one["conditions"]["ray"] for one in lines(two)} == {"local"}
    assert signal.getsignal(signal.SIGTERM) is handler

    import ray

    assert not ray.is_initialized()


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize(
    "where", [("-j", "2", "--oversubscribe"), pytest.param(("--ray", "local"), marks=needs_ray)]
)
def test_ctrl_c_keeps_what_is_done_and_leaves_no_process(
    tmp_path: Path, where: tuple[str, ...]
) -> None:
    output = tmp_path / "runs.jsonl"
    # The rule is done at once; the next two would take ten minutes.
    command = [sys.executable, "-m", "cpsched", "bench", "ta31", "--methods", "rule:mwkr,cpsat",
               "--seeds", "0,1", "-t", "600", "-w", "1", *where, "-o", output]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [str(word) for word in command],
        env=environment,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        end = time.monotonic() + 100
        while not (output.exists() and output.read_bytes()):
            assert time.monotonic() < end
            assert process.poll() is None, process.communicate()
            time.sleep(0.1)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 1, errors
    assert "error: interrupted, " in errors
    assert "Traceback" not in errors
    records = lines(output)
    assert {record["method"] for record in records} == {"rule:mwkr"}
    assert none_left(process.pid)


def none_left(session: int) -> bool:
    """Whether all processes of *session* end within ten seconds."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        alive = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                _, _, rest = stat.read_text().rpartition(")")
                state, _, _, its_session = rest.split()[:4]
                if int(its_session) == session and state != "Z":
                    alive.append(stat)
        if not alive:
            return True
        time.sleep(0.1)
    return False
