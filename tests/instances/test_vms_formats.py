"""Clusters of VMs in files: native JSON, and the mapping files of VMR2L."""

from __future__ import annotations

import contextlib
import json
import random
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_vms import small
from three_pms import cluster

from cpsched import InputError
from cpsched.instances import dumps, parse, read, read_all, write
from cpsched.instances.formats import vmr2l, vmr2l_writing, vms_native
from cpsched.vms.instance import Fragment, Group, Inventory, Policy, VmCluster

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("seed", range(60))
def test_native_round_trip(seed: int) -> None:
    one = small(random.Random(seed))
    text = dumps(one, "json")
    assert text.count("\n") == 1
    assert parse(text.encode(), "x.json") == one


def every_field() -> VmCluster:
    """No field has its default."""
    total = np.full((6, 2), 4000)
    return cluster(
        capacity=(total - 500) * 2500 // 1000,
        inventory=Inventory(total, np.full((6, 2), 500), np.full((6, 2), 2500)),
        closed=[True, False, False],
        evacuate=[False, False, True],
        active=[True, False, True],
        disk=[1, 2, 3, 4, 5],
        pinned=("", "gpu", "", "", ""),
        profile=[0, 1, 0, 1, 1],
        allowed=[[True, False, True], [False, False, True]],
        groups=(
            Group("g", "affinity", "rack", [0, 1]),
            Group("h", "anti-affinity", "pm", [2, 3], 2),
        ),
        conflicts=[[0, 3], [1, 2]],
        policy=Policy(
            max_moves=None,
            objective="goal",
            fragments=(Fragment(8, True, 3), Fragment(4)),
            goal=(1, 3),
            in_flight=7,
            inflow=2,
            outflow=4,
            bandwidth=77,
            overhead=5,
            cost_unit=9,
        ),
    )


def test_native_holds_every_field(tmp_path: Path) -> None:
    one = every_field()
    plain = cluster()
    same = [f.name for f in fields(one) if _equal(getattr(one, f.name), getattr(plain, f.name))]
    assert set(same) == {
        "name",
        "resources",
        "pms",
        "numa_pm",
        "racks",
        "rack",
        "vms",
        "flavors",
        "flavor",
        "parts",
        "demand",
        "numa",
    }
    write(one, tmp_path / "x.json", "json")
    assert read(tmp_path / "x.json") == one
    (tmp_path / "many.jsonl").write_text(dumps(one, "json") + dumps(plain, "json"))
    assert read_all([tmp_path / "many.jsonl"]) == [one, plain]


def _equal(mine: Any, theirs: Any) -> bool:
    return bool(np.array_equal(mine, theirs))


@pytest.mark.parametrize(
    ("key", "value", "where"),
    [
        ("schema_version", 2, "$.schema_version"),
        ("family", "pods", "$.family"),
        ("name", "", "$.name"),
        ("pms", ["p", "p", "q"], "$.pms[1]"),
        ("numa_pm", [0, 0, 1, 1, 2, 3], "$.numa_pm[5]"),
        ("capacity", [[1, 1]], "$.capacity"),
        ("capacity", [[1, -1]] * 6, "$.capacity[0][1]"),
        ("rack", [0, 0], "$.rack"),
        ("closed", [3], "$.closed[0]"),
        ("evacuate", [-1], "$.evacuate[0]"),
        ("inactive", "none", "$.inactive"),
        ("flavor", [0, 0, 0, 0, 1], "$.flavor[4]"),
        ("demand", [[1, 1.5]] * 5, "$.demand[0][1]"),
        ("numa", [[0]] * 4, "$.numa"),
        ("numa", [[0], [0, 1, 2], [0], [0], [0]], "$.numa[1]"),
        ("numa", [[0], [6], [0], [0], [0]], "$.numa[1][0]"),
        ("disk", [0] * 4, "$.disk"),
        ("pinned", {"nobody": "x"}, "$.pinned"),
        ("profile", [1] * 5, "$.profile[0]"),
        ("allowed", ["12"], "$.allowed[0]"),
        ("groups", [{}], "$.groups[0]"),
        (
            "groups",
            [{"name": "g", "kind": "near", "scope": "pm", "vms": [0], "most": 1}],
            "$.groups[0]",
        ),
        (
            "groups",
            [{"name": "g", "kind": "affinity", "scope": "pm", "vms": [9], "most": 1}],
            "$.groups[0].vms[0]",
        ),
        ("conflicts", [[0, 1], [1, 5]], "$.conflicts[1][1]"),
        ("conflicts", [[0, 1, 2]], "$.conflicts[0]"),
        ("policy", {}, "$.policy"),
        ("inventory", {"total": []}, "$.inventory"),
    ],
)
def test_native_errors_name_the_place(key: str, value: object, where: str) -> None:
    root = json.loads(dumps(cluster(), "json"))
    root[key] = value
    with pytest.raises(InputError) as caught:
        vms_native.parse(json.dumps(root))
    assert caught.value.path == where


@pytest.mark.parametrize(
    ("key", "value", "where"),
    [
        ("fragments", [{"cores": 0, "double": False, "weight": 1}], "$.policy.fragments[0]"),
        ("fragments", [], "$.policy"),
        ("goal", [1], "$.policy.goal"),
        ("goal", [1, 2], "$.policy"),
        ("objective", 7, "$.policy"),
        ("in_flight", None, "$.policy"),
    ],
)
def test_native_errors_of_the_policy_name_the_place(key: str, value: object, where: str) -> None:
    root = json.loads(dumps(cluster(), "json"))
    root["policy"][key] = value
    with pytest.raises(InputError) as caught:
        parse(json.dumps(root).encode(), "x.json")
    assert caught.value.path == where
    assert str(caught.value).startswith("x.json:$.policy")


@settings(max_examples=150)
@given(data=st.data())
def test_damaged_text_is_refused_or_another_cluster(data: st.DataObject) -> None:
    for text, read_it in (
        (dumps(every_field(), "json"), vms_native.parse),
        (MAPPING, vmr2l.parse),
    ):
        at = data.draw(st.integers(0, len(text) - 1))
        junk = data.draw(st.text('0123456789-.eE{}[]":,ab', max_size=4))
        with contextlib.suppress(InputError):
            assert isinstance(read_it(text[:at] + junk + text[at + 3 :]), VmCluster)


def mapping() -> dict[str, Any]:
    """Two hosts and three VMs, written by hand as the reference describes."""

    def numa(node: int, **free: int) -> dict[str, int]:
        return {"node": node, "total_cpu": 44, "memory_huge_total_mb": 184388, **free}

    def part(node: int, cpu: float, mem_mb: float) -> dict[str, float]:
        return {"node": node, "cpu": cpu, "mem_mb": mem_mb}

    hosts = [
        {
            "node_id": "h-7",
            "status": "ACTIVE",
            "node_cpu": 88,
            "node_mem_mb": 368776,
            "rack_id": "r-1",
            "numa": [numa(0, free_cpu=1, memory_huge_free_mb=1), numa(1)],
        },
        {"node_id": "h-2", "status": "OUTAGE", "rack_id": 5, "numa": [numa(0), numa(1)]},
        {"node_id": "h-3", "status": "ACTIVE", "numa": [numa(0), numa(1)]},
    ]
    vms = [
        {
            "instance_id": "i-1",
            "instance_type": "ecs.c1.xlarge",
            "host_id": "h-2",
            "allow_migration": True,
            "numa": [part(1, 4, 8192)],
        },
        {
            "instance_id": "i-2",
            "instance_type": "ecs.c1.8xlarge",
            "host_id": "h-7",
            "allow_migration": False,
            "numa": [part(1, 16.0, 32768), part(0, 16.0, 32768.0)],
        },
        {
            "instance_id": "i-3",
            "instance_type": "ecs.c1.xlarge",
            "host_id": "h-7",
            "allow_migration": True,
            "numa": [part(0, 0.5, 8192)],
        },
    ]
    return {
        "cluster_list": [
            {
                "cluster_name": "c-1",
                "host_info": hosts,
                "vm_instance": vms,
                "vm_type_info": [{"vm_type": "ecs.c1.xlarge", "flavor_limit": 3}],
                "other_requirement": {
                    "deployment_set": [{"granularity": "host", "data": ["i-2", "i-3"]}]
                },
            }
        ],
        "vm_type_list": [{"vm_type": "ecs.c1.xlarge"}, {"vm_type": "ecs.c1.8xlarge"}],
        "general_requirement": {"optimization_objective": "LESS_FRAGMENT"},
    }


MAPPING = json.dumps(mapping())


def test_a_mapping_is_read_as_documented(tmp_path: Path) -> None:
    path = tmp_path / "flex_vm_0.json"
    path.write_text(MAPPING)
    one = read(path)
    assert one == vmr2l.read(path) == parse(MAPPING.encode(), "x", "vmr2l")
    assert (one.name, one.resources) == ("c-1", ("cpu", "memory"))
    assert one.pms == ("h-7", "h-2", "h-3")
    assert one.numa_pm.tolist() == [0, 0, 1, 1, 2, 2]
    assert one.capacity.tolist() == [[44000, 184388]] * 6
    assert (one.racks, one.rack.tolist()) == (("r-1", "5"), [0, 1, -1])
    assert one.closed.tolist() == [False, True, False]
    assert one.active.tolist() == [True, False, True]
    assert one.vms == ("i-1", "i-2", "i-3")
    assert [one.flavors[k] for k in one.flavor] == [
        v["instance_type"] for v in mapping()["cluster_list"][0]["vm_instance"]
    ]
    assert one.parts.tolist() == [1, 2, 1]
    assert one.demand.tolist() == [[4000, 8192], [16000, 32768], [500, 8192]]
    assert one.numa.tolist() == [[3, -1], [0, 1], [0, -1]]
    assert one.free[0].tolist() == [27500, 143428]  # not what free_cpu says
    assert one.pinned == ("", "allow_migration is false", "")
    assert one.groups == ()
    assert one.policy == Policy()


def test_a_mapping_is_written_as_it_is_read(tmp_path: Path) -> None:
    one = vmr2l.parse(MAPPING)
    write(one, tmp_path / "x.json", "vmr2l")
    assert read(tmp_path / "x.json") == one
    root = json.loads((tmp_path / "x.json").read_text())
    host = root["cluster_list"][0]["host_info"][0]
    assert host["numa"][0]["free_cpu"] == 27.5
    assert host["numa"][1]["memory_huge_free_mb"] == 184388 - 32768
    assert root["vm_type_list"][1]["request_cpu"] == 32
    assert root["vm_type_list"][1]["numa"] == 2
    assert [host["status"] for host in root["cluster_list"][0]["host_info"]] == [
        "ACTIVE",
        "DISABLED",
        "ACTIVE",
    ]


@pytest.mark.parametrize("seed", range(20))
def test_conflicts_are_in_a_file_of_their_own(seed: int, tmp_path: Path) -> None:
    one = vmr2l.parse(MAPPING)
    rng = random.Random(seed)
    pairs = [pair for pair in ([0, 1], [0, 2], [1, 2]) if rng.random() < 0.6]
    one = replace(one, conflicts=np.array(pairs, dtype=np.int32).reshape(-1, 2))
    write(one, tmp_path / "flex_vm_0.json", "vmr2l")
    (tmp_path / "10_2.json").write_text(vmr2l_writing.dumps_conflicts(one))
    assert vmr2l.read(tmp_path / "flex_vm_0.json", tmp_path / "10_2.json") == one


def test_vms_of_one_list_conflict_with_each_other(tmp_path: Path) -> None:
    content = '{"0": {"7": [2, 0, 1]}, "x": {}}'
    assert vmr2l.with_conflicts(vmr2l.parse(MAPPING), content).conflicts.tolist() == [
        [0, 1],
        [0, 2],
        [1, 2],
    ]
    (tmp_path / "m.json").write_text(MAPPING)
    for text, where in (
        ('{"a": {"b": [3]}}', "$.a.b[0]"),
        ('{"a": [1]}', "$.a"),
        ("[]", "$"),
        ('{"a": {"b": 1}}', "$.a.b"),
    ):
        (tmp_path / "c.json").write_text(text)
        with pytest.raises(InputError) as caught:
            vmr2l.read(tmp_path / "m.json", tmp_path / "c.json")
        assert caught.value.path == where
        assert caught.value.source == str(tmp_path / "c.json")
    with pytest.raises(InputError, match="no such file"):
        vmr2l.read(tmp_path / "m.json", tmp_path / "none.json")


@pytest.mark.parametrize(
    ("keys", "value", "where", "words"),
    [
        (["cluster_list"], None, "", "expected a list"),
        (["cluster_list"], [], "", "one cluster is needed, not 0"),
        (["cluster_list", 0, "cluster_name"], 5, "", "a name must be"),
        (["cluster_list", 0, "host_info", 0, "status"], "UP", "", "ACTIVE, DISABLED or OUTAGE"),
        (["cluster_list", 0, "host_info", 0, "node_id"], "h-2", "", "occurs twice"),
        (["cluster_list", 0, "host_info", 0, "numa"], [], "", "at least one NUMA node"),
        (["cluster_list", 0, "host_info", 0, "numa", 0, "node"], 1, "", "NUMA node"),
        (
            ["cluster_list", 0, "host_info", 0, "numa", 0, "total_cpu"],
            44.0001,
            "",
            "three decimals",
        ),
        (["cluster_list", 0, "host_info", 0, "numa", 0, "memory_huge_total_mb"], 1.5, "", "whole"),
        (
            ["cluster_list", 0, "vm_instance", 0, "host_id"],
            "h-9",
            "",
            "which host_info does not have",
        ),
        (["cluster_list", 0, "vm_instance", 0, "instance_type"], "t", "", "not in vm_type_list"),
        (["cluster_list", 0, "vm_instance", 1, "instance_id"], "i-1", "", "occurs twice"),
        (["cluster_list", 0, "vm_instance", 0, "allow_migration"], 1, "", "true or false"),
        (["cluster_list", 0, "vm_instance", 0, "numa"], [], "", "on one NUMA node or on two"),
        (["cluster_list", 0, "vm_instance", 0, "numa", 0, "node"], 2, "", "the NUMA node of h-2"),
        (["cluster_list", 0, "vm_instance", 0, "numa", 0, "cpu"], -1, "", "cores must be"),
        (["cluster_list", 0, "vm_instance", 0, "numa", 0, "cpu"], True, "", "cores must be"),
        (
            ["cluster_list", 0, "vm_instance", 1, "numa", 0, "node"],
            0,
            ".numa",
            "one NUMA node or on",
        ),
        (["cluster_list", 0, "vm_instance", 1, "numa", 0, "cpu"], 8, ".numa", "equal halves"),
        (["vm_type_list", 1, "vm_type"], "ecs.c1.xlarge", "$.vm_type_list[1]", "occurs twice"),
    ],
)
def test_errors_of_a_mapping_name_the_place(
    keys: list[Any], value: Any, where: str, words: str
) -> None:
    root = mapping()
    inner: Any = root
    for key in keys[:-1]:
        inner = inner[key]
    inner[keys[-1]] = value
    path = "$" + "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys)
    if where.startswith("."):
        path = path[: path.index(where) + len(where)]
    with pytest.raises(InputError, match=words) as caught:
        vmr2l.parse(json.dumps(root))
    if keys[-1] == "node_id":  # the second of that name is the one that is refused
        path = "$.cluster_list[0].host_info[1].node_id"
    assert caught.value.path == (where if where.startswith("$") else path)


@pytest.mark.parametrize(
    "keys",
    [
        ["cluster_list"],
        ["vm_type_list"],
        ["cluster_list", 0, "cluster_name"],
        ["cluster_list", 0, "host_info"],
        ["cluster_list", 0, "vm_instance"],
        ["cluster_list", 0, "host_info", 2, "node_id"],
        ["cluster_list", 0, "host_info", 2, "status"],
        ["cluster_list", 0, "host_info", 2, "numa"],
        ["cluster_list", 0, "host_info", 2, "numa", 1, "node"],
        ["cluster_list", 0, "host_info", 2, "numa", 1, "total_cpu"],
        ["cluster_list", 0, "host_info", 2, "numa", 1, "memory_huge_total_mb"],
        ["cluster_list", 0, "vm_instance", 1, "instance_id"],
        ["cluster_list", 0, "vm_instance", 1, "instance_type"],
        ["cluster_list", 0, "vm_instance", 1, "host_id"],
        ["cluster_list", 0, "vm_instance", 1, "allow_migration"],
        ["cluster_list", 0, "vm_instance", 1, "numa"],
        ["cluster_list", 0, "vm_instance", 1, "numa", 1, "node"],
        ["cluster_list", 0, "vm_instance", 1, "numa", 1, "cpu"],
        ["cluster_list", 0, "vm_instance", 1, "numa", 1, "mem_mb"],
        ["vm_type_list", 0, "vm_type"],
    ],
)
def test_a_missing_field_is_an_error_with_its_path(keys: list[Any]) -> None:
    root = mapping()
    inner: Any = root
    for key in keys[:-1]:
        inner = inner[key]
    del inner[keys[-1]]
    path = "$" + "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys[:-1])
    with pytest.raises(InputError, match=f"the key '{keys[-1]}' is missing") as caught:
        vmr2l.parse(json.dumps(root))
    assert caught.value.path == path


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"disk": [1, 0, 0]}, "disk"),
        ({"closed": [True, True, False]}, "closed"),
        ({"closed": [False] * 3}, "closed"),
        ({"evacuate": [False, False, True]}, "closed"),
        ({"pinned": ("gpu", "", "")}, "pinned"),
        ({"allowed": [[True, True, False]]}, "allowed"),
        ({"policy": Policy(max_moves=3)}, "policy"),
        ({"groups": (Group("g", "affinity", "pm", [0]),)}, "groups"),
        ({"racks": ("5", "r-1"), "rack": [1, 0, -1]}, "racks"),
    ],
)
def test_what_a_mapping_cannot_hold_is_named(changes: dict[str, Any], field: str) -> None:
    one = replace(vmr2l.parse(MAPPING), **changes)
    with pytest.raises(InputError, match=f"cannot hold {field} of c-1; json can"):
        dumps(one, "vmr2l")
    with pytest.raises(InputError, match="has cpu and memory, three has cpu, disk"):
        dumps(cluster(resources=("cpu", "disk")), "vmr2l")


def test_formats_of_other_families_are_refused() -> None:
    with pytest.raises(
        InputError, match="the format fjs cannot hold three; these can: json, vmr2l"
    ):
        dumps(cluster(), "fjs")
