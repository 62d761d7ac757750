"""Plans as JSON, CSV, words and commands; results of earlier snapshots."""

from __future__ import annotations

import json
import random
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from random_vms import random_plan, small
from three_pms import cluster, plan

import cpsched
from cpsched import InputError, families, report
from cpsched.instances.generate_vms import generate_vms
from cpsched.instances.solutions import parse_solution
from cpsched.result import Result, Status
from cpsched.vms import family, objective
from cpsched.vms.account import proof, rate_bound, record, stage_rows
from cpsched.vms.check import check
from cpsched.vms.commands import openstack, proxmox, table
from cpsched.vms.earlier import earlier
from cpsched.vms.instance import Fragment, Policy
from cpsched.vms.settings import fragments, goal, with_setting
from cpsched.vms.statements import as_stated, denied

if TYPE_CHECKING:
    from pathlib import Path

    from cpsched.vms.instance import VmCluster
    from cpsched.vms.solution import Migrations

EIGHT = cluster(policy=Policy(fragments=(Fragment(8),)))
MOVES = plan((0, 5), (3, 3), (1, 4))


def result(one: VmCluster, migrations: Migrations | None, bound: int | None = None) -> Any:
    total = None if migrations is None else objective.objective(one, migrations)
    status = Status.OPTIMAL if bound == total else Status.FEASIBLE
    return Result(one.name, "vms", "auto", status, total, bound, migrations, (), 0.1, 0)


def test_the_family_is_registered_and_its_methods_solve() -> None:
    assert families.of(EIGHT) is family
    for method in family.METHODS:
        found = cpsched.solve(EIGHT, method=method, time_limit=5, workers=1)
        assert found.status in (Status.OPTIMAL, Status.FEASIBLE)
        assert found.bound is not None
        assert check(EIGHT, found.solution).objective == found.objective


def test_what_is_impossible_ends_infeasible_with_its_reason() -> None:
    one = with_setting(EIGHT, "max_moves", 0)
    one = replace(one, evacuate=[True, False, False])
    found = cpsched.solve(one, time_limit=5)
    assert found.status is Status.INFEASIBLE
    assert found.reason.startswith("2 VMs are on PMs that are to be evacuated")
    stuck = replace(EIGHT, evacuate=[False, True, False], allowed=[[True, True, False]])
    found = cpsched.solve(stuck, time_limit=5, method="greedy")
    assert found.status is Status.UNKNOWN
    assert found.reason == "greedy: VM c of PM q, which is to be evacuated, finds no place"


def test_methods_about_the_rate_do_not_empty() -> None:
    one = with_setting(EIGHT, "objective", "empty")
    assert cpsched.solve(one, time_limit=5).solution is not None
    with pytest.raises(cpsched.InputError, match="pop is about the fragment rate"):
        cpsched.solve(one, method="pop")


def test_record_of_a_plan() -> None:
    said = record(EIGHT, MOVES, None)
    assert check(EIGHT, MOVES).ok
    assert said["fr_before"] == float(objective.weighted_fr(EIGHT, EIGHT.numa))
    assert said["fr_after"] == float(objective.weighted_fr(EIGHT, MOVES.end(EIGHT)))
    assert said["fr_bound"] is None
    assert said["moves"] == 3
    assert said["slots"] == [{"cores": 8, "double": False, "before": 1, "after": 3}]
    first, second, third = said["migrations"]
    assert first == {
        "vm": "a",
        "from_pm": "p",
        "from_numa": [0],
        "to_pm": "r",
        "to_numa": [1],
        "lane": 0,
        "start_s": 0,
        "end_s": 2,
    }
    assert (second["from_numa"], second["to_pm"], second["to_numa"]) == ([1], "q", [1])
    assert third["to_numa"] == [0]
    assert said["makespan_s"] == max(step["end_s"] for step in said["migrations"])
    json.dumps(said, allow_nan=False)


@pytest.mark.parametrize("seed", range(40))
def test_a_written_solution_is_read_back(seed: int) -> None:
    rng = random.Random(seed)
    one = small(rng)
    moves = random_plan(rng, one)
    text = report.json_line(report.record(one, result(one, moves)))
    assert parse_solution(text.encode(), "x.json", one) == moves
    stated = json.loads(text)
    assert earlier(one, stated) is None
    assert as_stated(one, stated) == one
    assert denied(one, moves, stated) == []
    rows = list(family.csv_rows(one, moves))
    assert [row[1] for row in rows] == [one.vms[move.vm] for move in moves.moves]
    assert all(len(row) == len(family.CSV_COLUMNS) for row in rows)
    account = report.summary(report.Entry(one, result(one, moves)))
    assert one.name in account
    assert len(family.cells(one, result(one, moves))) == len(family.TABLE_COLUMNS)
    assert set(family.measures(one, result(one, moves))) <= set(family.MEASURES)


def test_stages_and_what_is_proven() -> None:
    best = objective.objective(EIGHT, MOVES)
    rows = stage_rows(EIGHT, MOVES, best)
    assert [row.value for row in rows] == list(objective.values(EIGHT, MOVES))
    assert all(row.proven for row in rows)
    assert proof(EIGHT, result(EIGHT, MOVES, best)).startswith("optimal")
    first, moves, _ = objective.values(EIGHT, MOVES)
    low = objective.number(EIGHT, (first, moves - 1, 0))
    assert [row.proven for row in stage_rows(EIGHT, MOVES, low)] == [True, False, False]
    assert proof(EIGHT, result(EIGHT, MOVES, low)) == (
        "proven: no lower fragment rate; not proven: no fewer migrations"
    )
    assert proof(EIGHT, result(EIGHT, plan(), 0)) == "not proven: there may be something better"
    assert rate_bound(EIGHT, low) == float(objective.weighted_fr(EIGHT, MOVES.end(EIGHT)))
    text = report.summary(report.Entry(EIGHT, result(EIGHT, MOVES, low)))
    assert "FR-8        0.7143 -> 0.1429; proven: no lower one" in text
    assert "slots       1 -> 3 of 8 cores" in text
    assert "migrations  3 of at most 50; at least 2" in text
    assert "plan: 3 migrations, in this order" in text


def test_no_rate_is_bounded_where_free_cpu_may_change() -> None:
    one = replace(EIGHT, active=[True, True, False])
    assert rate_bound(one, objective.objective(one, MOVES)) is None
    assert "missing" in family.objective_text(one, objective.objective(one, MOVES))


def test_overcommitted_and_pinned_are_reported() -> None:
    one = replace(
        EIGHT, capacity=[[2000, 1024]] + [[8000, 1024]] * 5, pinned=("", "", "locked", "", "")
    )
    text = report.summary(report.Entry(one, result(one, plan())))
    assert "overcommit  1 PM runs more than there is: p; nothing is added" in text
    assert "pinned      1 VM may not move: 1 locked" in text
    assert "plan: nothing to do" in text


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("fr_before", 0.5, "the stated fr_before is 0.5"),
        ("fr_bound", 0.9, "the stated fr_bound is 0.9"),
        ("moves", 2, "the stated moves is 2, the plan's is 3"),
        ("makespan_s", 99, "the stated makespan_s is 99"),
        ("lane", 7, "step 1: the stated lane is 7, not 0"),
        ("end_s", 1, "step 1: the stated end_s is 1, not 2"),
    ],
)
def test_false_statements_are_denied(key: str, value: object, words: str) -> None:
    stated = json.loads(json.dumps(record(EIGHT, MOVES, None)))
    (stated if key in stated else stated["migrations"][0])[key] = value
    assert [said[: len(words)] for said in denied(EIGHT, MOVES, {"solution": stated})] == [words]


def test_a_stated_policy_is_taken_and_a_wrong_one_refused() -> None:
    other = with_setting(with_setting(EIGHT, "goal", "2/5"), "fragments", "4,16d*3")
    stated = {"solution": record(other, plan(), None)}
    assert as_stated(EIGHT, json.loads(json.dumps(stated))) == other
    assert as_stated(EIGHT, {"migrations": []}) is EIGHT
    for policy, path in (
        ({"in_flight": 0}, "$.solution.policy"),
        ({"speed": 1}, "$.solution.policy"),
        ({"fragments": [{"cores": 0}]}, "$.solution.policy"),
        ({"fragments": [3]}, "$.solution.policy.fragments[0]"),
        ([], "$.solution.policy"),
    ):
        with pytest.raises(InputError) as caught:
            as_stated(EIGHT, {"solution": {"policy": policy}})
        assert caught.value.path == path


def test_settings() -> None:
    assert with_setting(EIGHT, "max_moves", 3).policy.max_moves == 3
    aimed = with_setting(EIGHT, "goal", "0.40")
    assert (aimed.policy.goal, aimed.policy.objective) == ((2, 5), "goal")
    assert with_setting(aimed, "objective", "goal") == aimed
    assert with_setting(aimed, "objective", "fragments") == EIGHT
    assert goal("1") == (1, 1)
    assert fragments("16, 64d*2") == (Fragment(16), Fragment(64, True, 2))
    for name, value, words in (
        ("objective", "goal", "State the goal"),
        ("objective", "emtpy", "did you mean empty"),
        ("goal", "40 %", "a number in 0..1"),
        ("goal", "1/0", "a number in 0..1"),
        ("goal", "1.5", "a number in 0..1"),
        ("goal", "nan", "a number in 0..1"),
        ("fragments", "16;64", "such as 16 or 16,64d"),
        ("fragments", "", "such as 16 or 16,64d"),
        ("fragments", "16,16", "twice"),
        ("fragments", "0", "cores of a slot"),
        ("inflow", 0, "policy inflow"),
    ):
        with pytest.raises(InputError, match=words):
            with_setting(EIGHT, name, value)


def stated_plan() -> dict[str, Any]:
    return {"solution": json.loads(json.dumps(record(EIGHT, MOVES, None)))}


def test_a_plan_for_another_state_names_stale_steps() -> None:
    stated = stated_plan()
    renamed = replace(EIGHT, vms=("a", "x", "c", "d", "e"))
    found = earlier(renamed, stated)
    assert found is not None
    assert found.changes == ("1 VM is gone: b",)
    assert found.total == 3
    assert found.stale() == ["step 3 (VM b to PM r NUMA 0): the VM is gone"]
    kept, dropped = found.salvage()
    assert kept == plan((0, 5), (3, 3))
    assert dropped == ["VM b to PM r NUMA 0: the VM is gone"]

    moved = replace(EIGHT, numa=[[3, -1], [1, -1], [2, -1], [5, -1], [4, 5]])
    found = earlier(moved, stated)
    assert found is not None
    assert found.changes[0] == "1 VM is elsewhere: a (p NUMA 0, now q NUMA 1)"
    assert found.stale() == ["step 1 (VM a to PM r NUMA 1): the VM is on PM q NUMA 1 now"]

    less = replace(EIGHT, pms=("p", "q", "s"))
    found = earlier(less, stated)
    assert found is not None
    assert found.changes[0] == "1 PM is gone: r"
    assert "step 1 (VM a to PM r NUMA 1): the PM is gone" in found.stale()

    fuller = replace(EIGHT, demand=[[4000, 256], [4000, 256], [8000, 256], [3000, 0], [2000, 512]])
    found = earlier(fuller, stated)
    assert found is not None
    assert found.changes[0].startswith("the fragment rate before the plan was 0.7143 and is")
    assert found.stale() == [
        "step 1 (VM a to PM r NUMA 1): PM r NUMA 1 has 3000 of cpu free, not 4000"
    ]


def test_a_plan_for_this_state_and_what_is_no_plan_are_not_earlier() -> None:
    stated = stated_plan()
    assert earlier(EIGHT, stated) is None
    assert earlier(EIGHT, {"migrations": [{"vm": "a", "to_pm": "r", "to_numa": [1]}]}) is None
    for wrong in ({}, {"migrations": 3}, {"migrations": [3]}, {"migrations": [{"vm": "z"}]}):
        assert earlier(EIGHT, wrong) is None


def test_a_hint_that_no_longer_reaches_the_goal_is_dropped() -> None:
    aimed = with_setting(EIGHT, "goal", "0.2")
    found = earlier(replace(aimed, vms=("x", "b", "c", "d", "e")), stated_plan())
    assert found is not None
    kept, dropped = found.salvage()
    assert kept is None
    assert "the goal is 1/5" in dropped[-1]


class TestCommands:
    """Scripts are run against commands that only note their arguments."""

    def cluster(self) -> VmCluster:
        names = ("vm:101", "vm:102", "vm:103", "vm:104", "vm:105")
        return replace(EIGHT, vms=names, disk=[0, 1024, 0, 0, 0], name="three\nrm -rf /")

    def test_openstack(self, tmp_path: Path) -> None:
        one = self.cluster()
        script = openstack(one, result(one, MOVES))
        head = script[: script.index("set -eu")]
        assert all(line.startswith("#") for line in head.splitlines())
        assert "# Plan for three?rm -rf /\n" in head
        assert "Fragment rate 0.7143 -> 0.1429." in head
        (tmp_path / "at").mkdir()
        for vm, pm in zip(one.vms, one.pm.tolist(), strict=True):
            (tmp_path / "at" / vm).write_text(one.pms[pm])
        fake = tmp_path / "openstack"
        fake.write_text(
            '#!/bin/sh\necho "$@" >> log\nfor last; do :; done\n'
            'case "$2" in show) cat "at/$last";; esac\n'
            'case "$*" in *--host*) shift 5; printf %s "$2" > "at/$last";; esac\n'
        )
        fake.chmod(0o755)
        done = self.run(script, tmp_path)
        assert done.returncode == 0, done.stderr
        log = (tmp_path / "log").read_text().splitlines()
        base = "--os-compute-api-version 2.30 server migrate --live-migration --host"
        assert [line for line in log if "migrate" in line] == [
            f"{base} r --wait vm:101",
            f"{base} q --wait vm:104",
            f"{base} r --wait --block-migration vm:102",
        ]
        again = self.run(script, tmp_path)
        assert again.returncode == 1
        assert again.stderr == "stale: vm:101 is on r, the plan found it on p\n"

    def run(self, script: str, folder: Path) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": f"{folder}:/usr/bin:/bin"}
        return subprocess.run(
            ["/bin/sh", "-c", script],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def test_proxmox(self, tmp_path: Path) -> None:
        one = self.cluster()
        script = proxmox(one, result(one, MOVES))
        subprocess.run(["/bin/sh", "-n"], input=script, text=True, check=True)
        lines = [line for line in script.splitlines() if line.startswith("migrate 1")]
        assert lines == [
            "migrate 101 p r",
            "migrate 104 r q",
            "migrate 102 p r --with-local-disks",
        ]
        assert 'qm migrate "$vmid" "$target" --online "$@"' in script
        done = self.run(script, tmp_path)
        assert done.returncode == 1
        assert done.stderr == "stale: VM 101 is not on p, where the plan found it\n"
        with pytest.raises(InputError, match=r"needs VMs called vm:VMID .*, not 'a'"):
            proxmox(EIGHT, result(EIGHT, MOVES))

    def test_what_no_command_can_do(self) -> None:
        inside = plan((0, 1))
        one = replace(EIGHT, numa=[[0, -1], [3, -1], [2, -1], [5, -1], [4, 5]])
        with pytest.raises(InputError, match="step 1 moves VM 'a' between NUMA nodes of PM 'p'"):
            openstack(one, result(one, inside))
        named = replace(EIGHT, pms=("p", "q", "-r"))
        with pytest.raises(InputError, match="'-r' would be taken for an option"):
            openstack(named, result(named, MOVES))

    def test_table_and_nothing_to_do(self) -> None:
        lines = table(EIGHT, result(EIGHT, MOVES)).splitlines()
        assert len(lines) == 4
        assert len({len(line) for line in lines}) == 1
        assert lines[1].split() == ["1", "a", "p:0", "r:1", "0", "0", "s", "2", "s"]
        assert table(EIGHT, result(EIGHT, plan())) == "nothing to do\n"
        assert "# There is nothing to do." in openstack(EIGHT, result(EIGHT, plan()))


def test_commands_of_a_large_plan_are_those_of_the_migrations() -> None:
    one = generate_vms(60, "high", 1)
    found = cpsched.solve(one, method="greedy", time_limit=10)
    assert found.solution is not None
    lines = table(one, found).splitlines()
    assert len(lines) == 1 + len(found.solution.moves)
    assert np.unique([move.vm for move in found.solution.moves]).size == len(lines) - 1
