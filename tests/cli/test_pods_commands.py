"""The command line on clusters: solve, validate, generate, export."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from random_clusters import random_cluster

from cpsched import instances, report
from cpsched.cli.validate import false_statements
from cpsched.instances.formats import scenario
from cpsched.instances.generate_pods import scenario as generate

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


SNAPSHOT = {
    "apiVersion": "v1",
    "kind": "List",
    "items": [
        {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": "n1", "labels": {"kubernetes.io/hostname": "n1"}},
            "status": {
                "allocatable": {"cpu": "2", "memory": "4Gi", "pods": "10"},
                "conditions": [{"type": "Ready", "status": "True"}],
            },
        },
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "web", "namespace": "default"},
            "spec": {
                "containers": [
                    {"name": "c", "resources": {"requests": {"cpu": "500m", "memory": "1Gi"}}}
                ]
            },
            "status": {"phase": "Pending"},
        },
    ],
}


@pytest.fixture
def cluster_file(tmp_path: Path) -> Path:
    path = tmp_path / "cluster.json"
    path.write_text(instances.dumps(random_cluster(9, rules=()), "json"))
    return path


@pytest.fixture
def scenarios(tmp_path: Path) -> Path:
    path = tmp_path / "scenarios.jsonl"
    path.write_text(scenario.lines([generate(4, 4, 2, 1.05, seed) for seed in range(3)]))
    return path


def test_solve_snapshot_and_validate_the_answer(cli: Callable[..., Any], tmp_path: Path) -> None:
    path, plan = tmp_path / "cluster.json", tmp_path / "plan.json"
    path.write_text(json.dumps(SNAPSHOT))
    done = cli("solve", path, "-m", "best-fit", "-o", plan)
    assert done.exit_code == 0
    assert "1 of 1 pod placed (now 0)" in done.stdout
    record = json.loads(plan.read_text())
    assert record["solution"]["placements"] == {"default/web": "n1"}
    assert [step["action"] for step in record["solution"]["plan"]] == ["bind"]
    checked = cli("validate", path, plan)
    assert (checked.exit_code, checked.stdout.split(":")[0]) == (0, "cluster")


def test_snapshot_files_and_folders_are_one_cluster(
    cli: Callable[..., Any], tmp_path: Path
) -> None:
    for name, item in zip(("nodes.json", "pods.json"), SNAPSHOT["items"], strict=True):
        (tmp_path / name).write_text(json.dumps({**SNAPSHOT, "items": [item]}))
    for sources in ([tmp_path], [tmp_path / "nodes.json", tmp_path / "pods.json"]):
        done = cli("solve", *sources, "-m", "best-fit", "-f", "json")
        (line,) = done.stdout.splitlines()
        assert json.loads(line)["solution"]["placements"] == {"default/web": "n1"}
    piped = cli("solve", "-", "-m", "best-fit", "-f", "json", stdin=json.dumps(SNAPSHOT))
    assert json.loads(piped.stdout)["objective"] == 0


def test_kubectl_commands(cli: Callable[..., Any], tmp_path: Path) -> None:
    done = cli("solve", "-", "-m", "best-fit", "-f", "kubectl", stdin=json.dumps(SNAPSHOT))
    assert done.exit_code == 0
    assert done.stdout.startswith("#!/bin/sh\n")
    assert "default/web" in done.stdout


def test_kubectl_is_for_clusters(cli: Callable[..., Any], tiny_file: Path) -> None:
    done = cli("solve", tiny_file, "-f", "kubectl")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "--format kubectl is for clusters of pods" in done.stderr


def test_one_result_a_line_in_order(cli: Callable[..., Any], scenarios: Path) -> None:
    every = cli("solve", scenarios, "-m", "default-scheduler", "-f", "json").stdout.splitlines()
    names = [json.loads(line)["instance"] for line in every]
    assert names == [f"n4-p16-k2-u105-{seed}" for seed in range(3)]
    one = cli("solve", scenarios, "--scenario", 2, "-m", "default-scheduler", "-f", "json").stdout
    assert json.loads(one)["instance"] == names[1]
    table = cli("solve", scenarios, "-m", "default-scheduler").stdout
    assert "16 on 4" in table
    assert "unplaced before" in table


@pytest.mark.parametrize("number", [0, 4])
def test_scenario_out_of_range(cli: Callable[..., Any], scenarios: Path, number: int) -> None:
    done = cli("solve", scenarios, "--scenario", number)
    assert done.exit_code == 2
    assert f"--scenario must be in 1..3, not {number}" in done.stderr


def test_validate_finds_a_false_placement(
    cli: Callable[..., Any], cluster_file: Path, tmp_path: Path
) -> None:
    cluster = instances.read(cluster_file)
    wrong = tmp_path / "wrong.json"
    everywhere = dict.fromkeys(cluster.pods, cluster.nodes[0])
    wrong.write_text(json.dumps({"placements": everywhere}))
    done = cli("validate", cluster_file, wrong)
    assert done.exit_code == 1
    assert "invalid" in done.stdout
    wrong.write_text(json.dumps({"placements": {**everywhere, cluster.pods[0]: "nowhere"}}))
    done = cli("validate", cluster_file, wrong)
    assert done.exit_code == 1
    assert "1 node is gone: nowhere" in done.stderr
    wrong.write_text(json.dumps({"placements": {**everywhere, cluster.pods[0]: 3}}))
    bad = cli("validate", cluster_file, wrong)
    assert bad.exit_code == 2
    assert "must be a node of the cluster or null, not the number 3" in bad.stderr


def two_nodes(*pods: tuple[str, str, str | None]) -> dict[str, Any]:
    """A snapshot of two nodes with 2 cores; of each pod its name, cpu and node."""
    node, pod = SNAPSHOT["items"]
    named = json.loads(json.dumps(node).replace("n1", "n2"))
    items = [node, named]
    for name, cpu, at in pods:
        spec = {"containers": [{"name": "c", "resources": {"requests": {"cpu": cpu}}}]}
        reference = {"kind": "ReplicaSet", "name": "r", "uid": "u", "controller": True}
        meta: dict[str, Any] = {"name": name, "namespace": "default"}
        if not name.startswith("fixed"):  # a pod without a controller is held
            meta["ownerReferences"] = [reference]
        status = {"phase": "Running" if at else "Pending"}
        if at:
            spec = {**spec, "nodeName": at}
        items.append({**pod, "metadata": meta, "spec": spec, "status": status})
    return {**SNAPSHOT, "items": items}


def test_a_plan_for_an_earlier_snapshot(cli: Callable[..., Any], tmp_path: Path) -> None:
    old, new, plan = (tmp_path / name for name in ("monday.json", "tuesday.json", "plan.json"))
    old.write_text(
        json.dumps(two_nodes(("a", "1", "n1"), ("fixed", "500m", "n2"), ("big", "2", None)))
    )
    solved = cli("solve", old, "-m", "search", "-t", 1, "-o", plan)
    assert "3 of 3 pods placed" in solved.stdout
    assert cli("validate", old, plan).exit_code == 0
    new.write_text(old.read_text())
    assert cli("validate", new, plan).exit_code == 0, "only the file's name differs"
    new.write_text(
        json.dumps(two_nodes(("a", "1", "n2"), ("fixed2", "500m", "n2"), ("big", "2", None)))
    )
    checked = cli("validate", new, plan)
    assert checked.exit_code == 1
    assert "outdated, the result is for an earlier state; 2 of 3 steps can no longer be done" in (
        checked.stdout
    )
    assert "the pod runs on n2 now" in checked.stdout
    assert checked.stderr.startswith(f"error: {plan}: step 1 (evict default/a")
    assert checked.stderr.count("\n") == 1
    again = cli("solve", new, "-m", "search", "-t", 1, "--hint", plan)
    assert again.exit_code == 0
    assert "hint: made for an earlier state of tuesday: 1 pod came since" in again.stderr
    assert "hint: dropped evict default/a, node n1: the pod runs on n2 now" in again.stderr
    output = tmp_path / "again.json"
    cli("solve", new, "-m", "best-fit", "-t", 1, "--hint", plan, "-o", output)
    assert json.loads(output.read_text())["trace"][0]["source"] == "hint"
    assert json.loads(output.read_text())["solution"]["placements"]["default/big"] == "n1"
    assert "hint" not in cli("solve", new, "-m", "search", "-t", 1, "--hint", plan, "-q").stderr


def test_false_statements_speak_of_placements() -> None:
    cluster = random_cluster(9)
    assert false_statements({"objective": 3}, cluster, 2) == [
        "the stated objective is 3, the placement's objective is 2"
    ]


def test_generate_is_the_published_scenario(cli: Callable[..., Any]) -> None:
    options = ("--nodes", 16, "--pods-per-node", 4, "--priorities", 2, "--utilisation", 1.05)
    done = cli("generate", "pods", *options, "--seed", 484806185843093489)
    made = json.loads(done.stdout)
    assert (made["node_cpu_m"], made["node_mem_b"]) == (1924, 2108654663)
    many = cli("generate", "pods", "-n", 4, "--seed", 7, "--count", 3).stdout.splitlines()
    assert [json.loads(line)["seed"] for line in many] == [7, 8, 9]


def test_generate_in_the_native_format(cli: Callable[..., Any]) -> None:
    text = cli("generate", "pods", "-n", 4, "--output-format", "json", "--count", 2).stdout
    assert [cluster.num_nodes for cluster in instances.gather([("x", text.encode())])] == [4, 4]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--nodes", 0), "number of nodes must be in"),
        (("--utilisation", "nan"), "utilisation must be in"),
        (("--count", 0), "--count must be in"),
        (("--output-format", "fjs"), "the format fjs cannot hold"),
    ],
)
def test_generate_refuses(cli: Callable[..., Any], options: tuple[Any, ...], words: str) -> None:
    done = cli("generate", "pods", *options)
    assert (done.exit_code, done.stdout) == (2, "")
    assert words in done.stderr


def test_export_converts(cli: Callable[..., Any], scenarios: Path) -> None:
    command = ("instances", "export", scenarios, "--scenario", 3, "--output-format")
    text = cli(*command, "json").stdout
    (third,) = instances.gather([("x.json", text.encode())])
    assert third.name == "n4-p16-k2-u105-2"
    assert cli(*command, "scenario").stdout == scenarios.read_text().splitlines(True)[2]
    shown = cli("instances", "show", scenarios, "--scenario", 3).stdout
    assert "allocatable" in shown


def test_csv_holds_one_family(
    cli: Callable[..., Any], cluster_file: Path, tiny_file: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out.csv"
    assert cli("solve", cluster_file, "-m", "best-fit", "-o", output).exit_code == 0
    assert output.read_text().startswith(report.csv_header("pods"))
    both = cli("solve", cluster_file, tiny_file, "-o", output)
    assert both.exit_code == 2
    assert "a CSV holds one family" in both.stderr


def test_bench_compares_methods_on_pods(
    cli: Callable[..., Any], scenarios: Path, tmp_path: Path
) -> None:
    runs = tmp_path / "runs.jsonl"
    done = cli("bench", scenarios, "--methods", "best-fit,default-scheduler", "-t", 1, "-o", runs)
    assert done.exit_code == 0
    assert len(runs.read_text().splitlines()) == 6
    assert "16 on 4" in done.stdout


@pytest.mark.parametrize(
    "text",
    [
        '{"apiVersion": "v1", "kind": "List", "items": []}',
        '{"apiVersion": "v1", "kind": "List", "items": [',
        json.dumps(SNAPSHOT).replace("500m", "500MB"),
        json.dumps(SNAPSHOT).replace("500m", "-1"),
        json.dumps(SNAPSHOT).replace('"spec": {', '"spec": {"nodeName": "gone", '),
        json.dumps(SNAPSHOT).replace('"allocatable"', '"capacity"'),
        '{"replicasets": []}',
        '{"family": "pods"}',
    ],
)
def test_bad_clusters_are_one_line(cli: Callable[..., Any], tmp_path: Path, text: str) -> None:
    path = tmp_path / "bad.json"
    path.write_text(text)
    done = cli("solve", path)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1


def test_costs_of_a_repack(cli: Callable[..., Any], tmp_path: Path, tiny_file: Path) -> None:
    path, output = tmp_path / "cluster.json", tmp_path / "out.json"
    pods = (("a", "1", "n1"), ("fixed", "500m", "n2"), ("big", "2", None))
    path.write_text(json.dumps(two_nodes(*pods)))
    costs = ("--move-cost", 5, "--evict-cost", 3, "--grace-unit", 10, "--budget-cost", 0)
    command = ("solve", path, "-m", "search", "-t", 1, "-o", output)
    assert cli(*command, *costs, "--never-moves").exit_code == 0
    solution = json.loads(output.read_text())["solution"]
    assert solution["policy"] == {
        "move": 5,
        "evict": 3,
        "grace_unit": 10,
        "budget": 0,
        "never_moves": True,
    }
    assert solution["disruption"] == 5 + 30 // 10
    assert cli("validate", path, output).exit_code == 0, "judged by the policy it names"
    output.write_text(output.read_text().replace('"evict": 3', '"evict": 1'))
    bad = cli("validate", path, output)
    assert bad.exit_code == 2
    assert f"{output}:$.solution.policy: policy evict must be an integer in 2.." in (bad.stderr)
    assert cli(*command).exit_code == 0
    assert json.loads(output.read_text())["solution"]["policy"]["move"] == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--move-cost", 0), "--move-cost 0: policy move must be an integer in 1.."),
        (("--evict-cost", 1), "--evict-cost 1: policy evict must be an integer in 2.."),
        (("--grace-unit", 10**7), "--grace-unit 10000000: policy grace_unit must be"),
        (("--budget-cost", -1), "--budget-cost -1: policy budget must be an integer in 0.."),
    ],
)
def test_costs_that_are_refused(
    cli: Callable[..., Any], cluster_file: Path, tiny_file: Path, options: Any, words: str
) -> None:
    done = cli("solve", cluster_file, *options)
    assert (done.exit_code, done.stdout) == (2, "")
    assert words in done.stderr
    other = cli("solve", tiny_file, options[0], 2)
    assert other.exit_code == 2
    assert f"{options[0]} is for clusters of pods, tiny is none" in other.stderr


def test_no_gap_is_stated_of_numbers_that_only_compare(
    cli: Callable[..., Any], scenarios: Path, tiny_file: Path, tmp_path: Path
) -> None:
    options = ("--methods", "best-fit", "-t", 1, "-o", tmp_path / "runs.jsonl")
    table = cli("bench", scenarios, *options)
    assert "gap" not in table.stdout + table.stderr
    head = next(line for line in table.stdout.splitlines() if "method" in line)
    assert head.split()[6:] == ["unplaced", "moved", "evicted", "proven", "%", "seconds"]
    (row,) = [line.split() for line in table.stdout.splitlines() if "16 on 4" in line]
    records = [json.loads(line) for line in (tmp_path / "runs.jsonl").read_text().splitlines()]
    lost = [record["measures"]["unplaced"] for record in records]
    assert row[-5:-2] == [f"{sum(lost) / 3:.1f}", "0.0", "0.0"]
    assert {record["gap"] for record in records} == {None}
    assert "gap" not in cli("solve", scenarios, "--scenario", 1, "-m", "best-fit").stdout


def test_bench_makes_a_table_for_each_family(
    cli: Callable[..., Any], scenarios: Path, tiny_file: Path, tmp_path: Path
) -> None:
    options = ("--methods", "cpsat", "-t", 1, "-w", 1, "-o", tmp_path / "runs.jsonl")
    done = cli("bench", scenarios, tiny_file, *options)
    assert done.exit_code == 0
    assert done.stdout.count("seconds") == 2
    assert "gap to best" in done.stdout
    assert "evicted" in done.stdout


def test_a_cluster_is_exported_in_a_format_that_holds_it(
    cli: Callable[..., Any], cluster_file: Path
) -> None:
    done = cli("instances", "export", cluster_file)
    assert done.exit_code == 0
    (again,) = instances.gather([("cluster.json", done.stdout.encode())])
    assert again == instances.read(cluster_file)


def test_lines_about_files_stand_above_the_plan(cli: Callable[..., Any], tmp_path: Path) -> None:
    path, output = tmp_path / "cluster.json", tmp_path / "out.json"
    path.write_text(json.dumps(SNAPSHOT))
    text = cli("solve", path, "-m", "best-fit", "-o", output).stdout
    lines = text.splitlines()
    assert f"  written     {output}" in lines
    assert text.index("  picture     add --plot") < text.index("\nplan:")
    assert lines[-1].startswith("  1  bind default/web on n1")
