"""The printed plan: what a shell makes of it, and how the table reads."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

import cpsched
from cpsched.pods import objective
from cpsched.pods.account import proof
from cpsched.pods.commands import kubectl, table
from cpsched.pods.instance import Cluster
from cpsched.pods.plan import Plan, make_plan
from cpsched.pods.solution import Placement
from cpsched.result import Status

if TYPE_CHECKING:
    from pathlib import Path

CLUSTER = Cluster(
    name="two nodes\nrm -rf x",
    resources=("cpu",),
    nodes=("a", "b"),
    allocatable=np.array([[4], [4]]),
    pods=("web/front", "db/back"),
    request=np.array([[3], [4]]),
    priority=np.array([1, 9]),
    node=np.array([0, -1]),
    owners=(),
    owner=np.array([-1, -1]),
    allowed=np.ones((1, 2), dtype=bool),
    profile=np.array([0, 0]),
    held=("", ""),
    preempts=np.array([True, True]),
    grace=np.array([30, 30]),
)
GOAL = Placement(np.array([1, 0]))


def calls(script: str, folder: Path) -> list[tuple[list[str], str]]:
    """Arguments and input of each call of kubectl when a shell runs *script*."""
    fake = folder / "kubectl"
    fake.write_text(
        "#!/bin/sh\n"
        'for word in "$@"; do printf "%s\\0" "$word"; done >> "$LOG"\n'
        'if [ "$1" = create ]; then cat >> "$LOG"; fi\n'
        'printf "\\1" >> "$LOG"\n'
    )
    fake.chmod(0o755)
    log = folder / "log"
    path = f"{folder}:/usr/bin:/bin"
    subprocess.run(
        ["sh"],
        input=script,
        text=True,
        check=True,
        env={"PATH": path, "LOG": str(log)},
        cwd=folder,
    )
    found = []
    for call in log.read_text().split("\1")[:-1]:
        *words, body = call.split("\0")
        found.append((words, body))
    return found


def test_a_shell_runs_evictions_and_bindings_in_order(tmp_path: Path) -> None:
    script = kubectl(CLUSTER, make_plan(CLUSTER, GOAL))
    evict, wait, bind = calls(script, tmp_path)
    assert evict[0] == ["create", "--raw", "/api/v1/namespaces/web/pods/front/eviction", "-f", "-"]
    assert json.loads(evict[1])["metadata"] == {"name": "front", "namespace": "web"}
    assert wait[0] == ["wait", "--for=delete", "--timeout=90s", "-n", "web", "pod/front"]
    assert bind[0][2] == "/api/v1/namespaces/db/pods/back/binding"
    assert json.loads(bind[1])["target"] == {"apiVersion": "v1", "kind": "Node", "name": "a"}
    assert "planned node of the pod that replaces it: b" in script
    assert "under a new name" in script


def test_names_cannot_become_commands(tmp_path: Path) -> None:
    bad = replace(
        CLUSTER, pods=("web/x'; touch broken; '\nEOF\ntouch broken", "db/$(touch broken)")
    )
    found = calls(kubectl(bad, make_plan(bad, GOAL)), tmp_path)
    assert len(found) == 3
    assert json.loads(found[0][1])["metadata"]["name"] == bad.pods[0].removeprefix("web/")
    assert not (tmp_path / "broken").exists()


def test_the_table_is_aligned() -> None:
    lines = table(CLUSTER, make_plan(CLUSTER, GOAL)).splitlines()
    assert lines[0].split() == ["step", "action", "pod", "node", "cost", "reason"]
    assert lines[1].split(maxsplit=5) == ["1", "evict", "web/front", "a", "1", "moves to b"]
    column = lines[0].index("reason")
    assert [line[column - 2 : column] for line in lines] == ["  "] * len(lines)
    assert table(CLUSTER, Plan(())) == "nothing to do"


def test_the_header_says_what_is_proven_and_whose_pods_are_concerned(tmp_path: Path) -> None:
    plain = kubectl(CLUSTER, make_plan(CLUSTER, GOAL), proof="optimal\nrm -rf x")
    head = plain[: plain.index("set -eu")]
    assert "# Plan for two nodes?rm -rf x\n" in head
    assert "# Proof: optimal?rm -rf x.\n" in head
    assert "# 3 steps: 1 eviction, 2 bindings, cost 1.\n" in head
    assert "#   no controller: 1 pod\n" in head
    assert "WARNING" not in head
    assert all(line.startswith("#") for line in head.splitlines())
    owned = replace(CLUSTER, owners=("web/StatefulSet/front",), owner=np.array([0, -1]))
    script = kubectl(owned, make_plan(owned, GOAL))
    assert "#   web/StatefulSet/front: 1 pod\n" in script
    assert "WARNING: 1 pod of StatefulSets among them" in script
    assert "NEW_NAME" not in script[script.index("set -eu") :]
    assert "# kubectl create --raw /api/v1/namespaces/web/pods/front/binding" in script
    assert "No running pod is touched." in kubectl(CLUSTER, Plan(()))


def test_proof_of_a_result_in_a_sentence() -> None:
    def said(*bound: int) -> str:
        total = objective.number(CLUSTER, bound)
        result = cpsched.Result(
            "two", "pods", "auto", Status.FEASIBLE, 0, total, GOAL, (), wall_time=0.1, seed=0
        )
        return proof(CLUSTER, result)

    waits = Placement(np.array([0, -1]))
    assert said(0, 0, 1).startswith("optimal")
    assert said(0, 0, 0).endswith("not proven that it is the cheapest way")
    result = cpsched.Result(
        "two", "pods", "auto", Status.FEASIBLE, 0, 0, waits, (), wall_time=0.1, seed=0
    )
    assert proof(CLUSTER, result) == "not proven: more pods might be placed"
