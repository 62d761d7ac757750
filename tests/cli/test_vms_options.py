"""VMs in the command line: solve with its options, validate, hints, pictures, formats."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from cpsched import instances, report
from cpsched.instances import dumps, read
from cpsched.instances.generate_vms import generate_vms

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cpsched.vms.instance import VmCluster


@pytest.fixture(scope="module")
def cluster() -> VmCluster:
    return generate_vms(30, "high", 2)


@pytest.fixture
def file(cluster: VmCluster, tmp_path: Path) -> Path:
    path = tmp_path / "monday.json"
    path.write_text(dumps(cluster, "json"))
    return path


def test_solve_and_validate(cli: Callable[..., Any], file: Path, tmp_path: Path) -> None:
    output = tmp_path / "plan.json"
    done = cli("solve", file, "--max-moves", 5, "-o", output)
    assert done.exit_code == 0, done.stderr
    assert "  FR-16       0." in done.stdout
    assert "of at most 5" in done.stdout
    stated = json.loads(output.read_text())
    assert stated["family"] == "vms"
    assert stated["solution"]["policy"]["max_moves"] == 5
    assert 0 < stated["solution"]["moves"] <= 5
    checked = cli("validate", file, output)
    assert checked.exit_code == 0, checked.stdout
    assert "valid, objective" in checked.stdout
    stated["solution"]["migrations"][0]["start_s"] += 1
    output.write_text(json.dumps(stated))
    wrong = cli("validate", file, output)
    assert wrong.exit_code == 1
    assert "step 1: the stated start_s is 1, not 0" in wrong.stderr
    stated["solution"]["policy"]["max_moves"] = 0
    output.write_text(json.dumps(stated))
    wrong = cli("validate", file, output)
    assert wrong.exit_code == 1
    assert "the limit is 0" in wrong.stderr


def test_options_replace_the_policy(cli: Callable[..., Any], file: Path) -> None:
    options = ("--fragment", "8,32d*2", "--in-flight", 4, "--inflow", 2, "--goal", "0.5")
    done = cli("solve", file, "-f", "json", "-m", "greedy", *options)
    assert done.exit_code == 0, done.stderr
    policy = json.loads(done.stdout)["solution"]["policy"]
    assert policy["fragments"] == [
        {"cores": 8, "double": False, "weight": 1},
        {"cores": 32, "double": True, "weight": 2},
    ]
    assert (policy["in_flight"], policy["inflow"]) == (4, 2)
    assert (policy["objective"], policy["goal"]) == ("goal", [1, 2])
    empty = cli("solve", file, "--objective", "empty", "--max-moves", 40, "-m", "greedy")
    assert empty.exit_code == 0
    assert "PMs in use  30 -> " in empty.stdout


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--goal", "40 %"), "--goal 40 %: a fragment rate is a number in 0..1"),
        (
            ("--goal", "0.4", "--objective", "empty"),
            "--goal is for --objective goal, not for empt",
        ),
        (("--objective", "goal"), "--objective goal: which fragment rate is to be reached?"),
        (("--objective", "fragment"), "--objective fragment: unknown objective"),
        (("--fragment", "x"), "--fragment x: slot sizes are cores"),
        (("--max-moves", "-1"), "--max-moves -1: policy max_moves must be"),
        (("--inflow", "0"), "--inflow 0: policy inflow must be"),
        (("--move-cost", "2"), "--move-cost is for clusters of pods, vms-30-high-2 is none"),
        (("--format", "kubectl"), "--format kubectl is for clusters of pods"),
        (("--method", "pop", "--objective", "empty"), "method pop is about the fragment rate"),
        (("--method", "tabu"), "method tabu cannot solve vms-30-high-2"),
    ],
)
def test_options_that_cannot_be_used(
    cli: Callable[..., Any], file: Path, options: tuple[str, ...], words: str
) -> None:
    done = cli("solve", file, *options)
    assert done.exit_code == 2
    assert words in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "options", [("--max-moves", 3), ("--goal", "0.3"), ("--fragment", "16"), ("--in-flight", 2)]
)
def test_options_of_vms_are_refused_elsewhere(
    cli: Callable[..., Any], tiny_file: Path, options: tuple[Any, ...]
) -> None:
    done = cli("solve", tiny_file, *options)
    assert done.exit_code == 2
    assert f"{options[0]} is for clusters of VMs, tiny is none" in done.stderr
    for style in ("openstack", "proxmox", "table"):
        done = cli("solve", tiny_file, "-f", style)
        assert done.exit_code == 2
        assert f"--format {style} is for clusters of VMs, tiny is none" in done.stderr


def test_a_goal_out_of_reach_is_said(cli: Callable[..., Any], file: Path) -> None:
    done = cli("solve", file, "--goal", "0", "--max-moves", 1)
    assert done.exit_code == 1
    assert "no solution exists; no plan within the limits reaches the goal 0/1" in done.stderr


def test_commands_and_table(cli: Callable[..., Any], file: Path) -> None:
    table = cli("solve", file, "-f", "table", "--max-moves", 3)
    assert table.stdout.split()[:3] == ["step", "VM", "from"]
    script = cli("solve", file, "-f", "openstack", "--max-moves", 3).stdout
    assert script.startswith("#!/bin/sh\n# Plan for vms-30-high-2\n# Proof: ")
    steps = [line for line in script.splitlines() if line.startswith("migrate vm-")]
    assert len(steps) == len(table.stdout.splitlines()) - 1
    refused = cli("solve", file, "-f", "proxmox")
    assert refused.exit_code == 2
    assert "--format proxmox needs VMs called vm:VMID" in refused.stderr


def test_csv(cli: Callable[..., Any], file: Path, tmp_path: Path) -> None:
    output = tmp_path / "plan.csv"
    assert cli("solve", file, "--max-moves", 4, "-o", output, "-q").exit_code == 0
    text = output.read_text()
    assert text.startswith(report.csv_header("vms"))
    rows = list(csv.DictReader(text.splitlines()))
    assert [row["step"] for row in rows] == [str(k + 1) for k in range(len(rows))]
    refused = cli("validate", file, output)
    assert refused.exit_code == 2
    assert "this is the CSV of a result" in refused.stderr


def later(cluster: VmCluster, without: int, tmp_path: Path) -> Path:
    """The cluster on Tuesday: a VM is gone."""
    content = json.loads(dumps(cluster, "json"))
    for key in ("vms", "flavor", "demand", "numa", "disk", "profile"):
        del content[key][without]
    path = tmp_path / "tuesday.json"
    path.write_text(json.dumps(content))
    return path


def test_a_plan_for_an_earlier_snapshot(
    cli: Callable[..., Any], cluster: VmCluster, file: Path, tmp_path: Path
) -> None:
    output = tmp_path / "plan.json"
    cli("solve", file, "--max-moves", 5, "-o", output, "-q")
    steps = json.loads(output.read_text())["solution"]["migrations"]
    new = later(cluster, cluster.vms.index(steps[1]["vm"]), tmp_path)
    done = cli("validate", new, output)
    assert done.exit_code == 1
    total = len(steps)
    assert "outdated, the result is for an earlier state; 1 of " in done.stdout
    assert f"1 VM is gone: {steps[1]['vm']}" in done.stdout
    assert done.stderr == (
        f"error: {output}: step 2 (VM {steps[1]['vm']} to PM {steps[1]['to_pm']} NUMA "
        f"{'+'.join(map(str, steps[1]['to_numa']))}): the VM is gone\n"
    )
    again = cli("solve", new, "--max-moves", 5, "--hint", output, "-f", "json")
    assert again.exit_code == 0
    assert f"hint: dropped VM {steps[1]['vm']}" in again.stderr
    found = json.loads(again.stdout)
    assert found["trace"][0]["source"] == "hint"
    assert found["solution"]["moves"] >= total - 1


@pytest.mark.parametrize(
    ("solution", "words"),
    [
        ({"migrations": 3}, "$.migrations: expected a list"),
        ({"migrations": [3]}, "$.migrations[0]: a migration must be an object"),
        ({"migrations": [{"vm": "vm-000001"}]}, "$.migrations[0]: the key 'to_pm' is missing"),
        (
            {"migrations": [{"vm": "vm-000001", "to_pm": "pm-00001", "to_numa": [2]}]},
            "$.migrations[0].to_numa[0]: the value must be an integer in 0..1",
        ),
        (
            {"migrations": [{"vm": "vm-000001", "to_pm": "pm-00001", "to_numa": [1, 1]}]},
            "$.migrations[0].to_numa: a VM is on one NUMA node, or on two different ones",
        ),
        ({"placements": {}}, "expected the key 'solution' or the key 'migrations'"),
    ],
)
def test_malformed_plans(
    cli: Callable[..., Any], file: Path, tmp_path: Path, solution: object, words: str
) -> None:
    path = tmp_path / "x.json"
    path.write_text(json.dumps(solution))
    done = cli("validate", file, path)
    assert done.exit_code == 2
    assert words in done.stderr


def test_formats_by_name_and_by_content(
    cli: Callable[..., Any], cluster: VmCluster, file: Path, tmp_path: Path
) -> None:
    shown = cli("instances", "show", file)
    assert shown.stdout.startswith("vms-30-high-2: VMs on PMs, 30 PMs, 60 NUMA nodes, ")
    assert "  cpu             2640000 usable, " in shown.stdout
    assert cli("instances", "export", file).stdout == dumps(cluster, "json")
    mapping = tmp_path / "mapping.json"
    assert (
        cli("instances", "export", file, "-o", mapping, "--output-format", "vmr2l").exit_code == 0
    )
    assert read(mapping) == cluster
    refused = cli("instances", "export", file, "--output-format", "openstack")
    assert refused.exit_code == 2
    assert "the format openstack holds hosts of one NUMA node" in refused.stderr
    assert "openstack" in instances.ALL_FORMATS
    assert cli("solve", file, "--input-format", "proxmox").exit_code == 2


def test_a_picture(cli: Callable[..., Any], file: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the extra 'plot' is not installed")
    picture = tmp_path / "vms.svg"
    done = cli("solve", file, "--plot", picture, "--max-moves", 5)
    assert done.exit_code == 0
    assert f"picture     {picture}" in done.stdout
    assert picture.read_text().startswith("<?xml")


def test_several_clusters_make_a_table(
    cli: Callable[..., Any], file: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.json"
    other.write_text(dumps(generate_vms(20, "high", 3), "json"))
    done = cli("solve", file, other, "-t", 5, "-q")
    assert done.exit_code == 0
    head = done.stdout.splitlines()[0] + done.stdout.splitlines()[1]
    for column in ("FR before", "FR", "at least", "moves", "plan s", "proven"):
        assert column in head
    assert np.count_nonzero(["vms-" in line for line in done.stdout.splitlines()]) == 2
