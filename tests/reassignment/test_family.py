from __future__ import annotations

import json
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from random_reassignments import random_reassignment

from cpsched import families, report, solving
from cpsched.checking import check
from cpsched.cli.commands import run
from cpsched.errors import InputError, MethodError
from cpsched.instances import solutions, write
from cpsched.reassignment.cost import lower_bound
from cpsched.reassignment.methods import METHODS
from cpsched.reassignment.solution import Assignment
from cpsched.result import Status

SHARED = Path(__file__).parents[3] / "shared" / "data" / "vms" / "roadef2012_A"


@pytest.mark.parametrize("method", list(METHODS))
@pytest.mark.parametrize("seed", range(3))
def test_every_method(method: str, seed: int) -> None:
    instance = random_reassignment(seed, machines=4, processes=16)
    result = solving.solve(instance, method=method, time_limit=1, workers=1, seed=seed)
    assert result.solution is not None
    verdict = check(instance, result.solution)
    assert verdict.ok
    assert verdict.objective == result.objective
    assert result.bound is not None
    assert result.bound >= lower_bound(instance)
    # Optimal exactly if the bound has met the cost.
    assert (result.status is Status.OPTIMAL) == (result.bound == result.objective)
    if method != "local-search":
        assert result.status is Status.OPTIMAL


def test_methods_agree_with_several_workers() -> None:
    instance = random_reassignment(3, machines=6, processes=30)
    exact = solving.solve(instance, method="cpsat", time_limit=20, workers=1)
    assert exact.status is Status.OPTIMAL
    for method in ("auto", "local-search"):
        found = solving.solve(instance, method=method, time_limit=2, workers=2)
        assert found.objective is not None
        assert exact.objective is not None
        assert exact.objective <= found.objective <= 1.1 * exact.objective


def test_large_instances_go_to_neighbourhoods() -> None:
    instance = random_reassignment(1, machines=30, processes=120, tight=1.4)
    result = solving.solve(instance, time_limit=4, workers=2)
    start = check(instance, Assignment.now(instance)).objective
    assert result.objective is not None
    assert start is not None
    assert result.objective < start
    assert "local-search" in {point.source for point in result.trace}
    assert result.wall_time < 6


def test_stop_ends_it() -> None:
    instance = random_reassignment(1, machines=30, processes=120, tight=1.4)
    stop = threading.Event()
    threading.Timer(0.5, stop.set).start()
    begin = time.perf_counter()
    result = solving.solve(instance, time_limit=60, workers=1, stop=stop, method="local-search")
    assert result.solution is not None
    assert time.perf_counter() - begin < 10


def test_a_start_that_breaks_a_rule_is_for_cpsat() -> None:
    instance = random_reassignment(2)
    assert instance.requirement.any()
    # No machine has a capacity left but the last, which holds everything if services allow it.
    broken = replace(instance, capacity=np.zeros_like(instance.capacity))
    for method in ("auto", "local-search"):
        with pytest.raises(MethodError, match=r"breaks a rule: machine .* these can: cpsat"):
            solving.solve(broken, method=method, time_limit=1)
    result = solving.solve(broken, method="cpsat", time_limit=10, workers=1)
    assert result.status is Status.INFEASIBLE


def test_numbers_too_large_for_the_model_are_for_local_search() -> None:
    instance = random_reassignment(2)
    scale = 2 * 10**7
    amounts = scale * int(instance.total_requirement.sum())
    large = replace(
        instance,
        requirement=scale * instance.requirement,
        capacity=scale * instance.capacity,
        load_weight=np.full_like(instance.load_weight, min(2**31 - 1, 2**61 * 9 // 10 // amounts)),
    )
    for method in ("auto", "cpsat"):
        with pytest.raises(MethodError, match="these can: local-search"):
            solving.solve(large, method=method, time_limit=1)
    result = solving.solve(large, method="local-search", time_limit=0.5, workers=1)
    assert result.objective is not None


def test_result_is_read_back() -> None:
    instance = random_reassignment(4)
    result = solving.solve(instance, time_limit=5, workers=1)
    line = report.json_line(report.record(instance, result))
    assert solutions.parse_solution(line.encode(), "r.json", instance) == result.solution
    stated = json.loads(line)
    family = families.of(instance)
    assert family.denied(instance, result.solution, stated) == []
    stated["solution"]["moved"] += 1
    stated["solution"]["cost"]["load"] -= 1
    assert len(family.denied(instance, result.solution, stated)) == 2
    rows = report.csv_rows(instance, result).splitlines()
    assert len(rows) == instance.num_processes
    assert rows[0].split(",")[0] == instance.name
    assert len(report.csv_header("reassignment").split(",")) == len(rows[0].split(","))


def test_measures_count_what_moves() -> None:
    instance = random_reassignment(4)
    family = families.of(instance)
    result = solving.solve(instance, time_limit=5, workers=1)
    elsewhere = instance.machine.copy()
    elsewhere[[0, 3]] = (elsewhere[[0, 3]] + 1) % instance.num_machines
    # Rules aside: two of five processes move.
    measures = family.measures(instance, replace(result, solution=Assignment(elsewhere)))
    assert measures == {"moved": 2}
    assert tuple(measures) == family.MEASURES
    with pytest.raises(ValueError, match="no assignment to measure"):
        family.measures(instance, replace(result, solution=None))


def test_there_are_no_settings_and_no_earlier_states() -> None:
    instance = random_reassignment(4)
    family = families.of(instance)
    assert family.SETTINGS == ()
    with pytest.raises(InputError, match="a machine reassignment has no setting goal, so not 3"):
        family.with_setting(instance, "goal", 3)
    stated = {"solution": {"policy": {"max_moves": 1}}}
    assert family.as_stated(instance, stated) is instance
    assert family.earlier(instance, stated) is None


@pytest.mark.parametrize(
    ("machines", "reason"),
    [
        ("[0, 1]", "5 machines are needed, one for each process, not 2"),
        ("[0, 1, 2, 0, 3]", r"\$\.machines\[4\]"),
        ("[0, 1, 2, 0, true]", r"\$\.machines\[4\]"),
        ("7", "must be a list"),
    ],
)
def test_wrong_results(machines: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        solutions.parse_solution(
            f'{{"machines": {machines}}}'.encode(), "r.json", random_reassignment(4)
        )


def command(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        run(list(words))
    return int(ended.value.code or 0)


def renamed(result: Path, name: str) -> Path:
    """The same result, said to be of another instance."""
    stated = json.loads(result.read_text())
    other = result.with_name("other.json")
    other.write_text(json.dumps({**stated, "instance": name}))
    return other


def test_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, found = tmp_path / "model_x.txt", tmp_path / "found.json"
    write(replace(random_reassignment(4), name="x"), model, "roadef")
    assert command("solve", str(model), "-t", "5", "-o", str(found)) == 0
    shown = capsys.readouterr().out
    assert "x: machine reassignment, 3 machines, 5 processes" in shown
    assert "optimal" in shown
    assert "picture" not in shown
    assert command("validate", str(model), str(found)) == 0
    assert "x: valid, cost" in capsys.readouterr().out
    assert command("instances", "show", str(model)) == 0
    assert "resource 1" in capsys.readouterr().out
    assert command("solve", str(model), "--plot", str(tmp_path / "x.png")) == 2
    assert "draws no assignment" in capsys.readouterr().err
    for words, reason in (
        (("--format", "kubectl"), "is for clusters of pods, x is none"),
        (("--max-moves", "3"), "is for clusters of VMs, x is none"),
    ):
        assert command("solve", str(model), *words) == 2
        assert reason in capsys.readouterr().err
    assert command("instances", "export", str(model)) == 2
    assert "the format roadef is several files" in capsys.readouterr().err
    assert command("validate", str(model), str(renamed(found, "y"))) == 1
    assert 'the result is for instance "y", not x' in capsys.readouterr().out
    (tmp_path / "assignment_x.txt").unlink()
    assert command("solve", str(model)) == 2
    assert "assignment_x.txt" in capsys.readouterr().err


@pytest.mark.skipif(not SHARED.exists(), reason="needs ../shared/data/vms/roadef2012_A")
def test_smallest_of_the_challenge_is_proven() -> None:
    from cpsched.instances import read

    result = solving.solve(read(SHARED / "model_a1_1.txt"), time_limit=60, workers=1)
    assert result.status is Status.OPTIMAL
    assert result.objective == 44_306_501
