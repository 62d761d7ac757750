"""Clusters in files: native JSON, scenarios and their generator, the openb trace."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_clusters import random_cluster

from cpsched import InputError
from cpsched.instances import dumps, gather, parse, read, read_all
from cpsched.instances.formats import openb, pods_native, scenario
from cpsched.instances.generate_pods import scenario as generate

SHARED = Path(__file__).parents[3] / "shared" / "data" / "pods"
SEED = 484806185843093489


@pytest.mark.parametrize("seed", range(60))
def test_native_round_trip(seed: int) -> None:
    cluster = random_cluster(seed)
    text = dumps(cluster, "json")
    assert text.count("\n") == 1
    assert parse(text.encode(), "x.json") == cluster


def test_several_clusters_in_a_file(tmp_path: Path) -> None:
    clusters = [random_cluster(seed) for seed in range(3)]
    path = tmp_path / "many.jsonl"
    path.write_text("".join(dumps(cluster, "json") for cluster in clusters))
    assert read_all([path]) == clusters
    with pytest.raises(InputError, match="one instance is needed, there are 3"):
        read(path)


@pytest.mark.parametrize(
    ("key", "value", "where"),
    [
        ("nodes", ["a", "a", "b"], "$.nodes[1]"),
        ("request", [], "$.request"),
        ("priority", "high", "$.priority"),
        ("node", [99] * 6, "$.node[0]"),
        ("owner", [True] * 6, "$.owner[0]"),
        ("allowed", ["2"], "$.allowed[0]"),
        ("held", {"nobody": "x"}, "$.held"),
        ("never", [77], "$.never[0]"),
        ("budgets", [{}], "$.budgets[0]"),
        ("policy", {}, "$.policy"),
        ("schema_version", 2, "$.schema_version"),
        ("grace", [-1] * 6, "$.grace[0]"),
        ("name", "", "$.name"),
    ],
)
def test_native_errors_name_the_place(key: str, value: object, where: str) -> None:
    root = json.loads(dumps(random_cluster(1, pods=6, nodes=3), "json"))
    root[key] = value
    with pytest.raises(InputError) as caught:
        parse(json.dumps(root).encode(), "x.json")
    assert str(caught.value).startswith(f"x.json:{where}: ")


@pytest.mark.parametrize(("entry", "whose"), [("allocatable", "nodes"), ("request", "pods")])
def test_sums_that_are_too_large_name_who_has_the_most(entry: str, whose: str) -> None:
    root = json.loads(dumps(random_cluster(1, pods=6, nodes=3), "json"))
    root[entry][1][0] = 2**61
    assert parse(json.dumps(root).encode(), "x.json").num_pods == 6
    root[entry][2][0] = 2**61 - sum(row[0] for row in root[entry][:2] + root[entry][3:]) + 2**61
    with pytest.raises(InputError) as caught:
        parse(json.dumps(root).encode(), "x.json")
    most = root[whose][1]
    reason = f"{entry} of {root['resources'][0]} adds up to {2**62}, beyond the 2^62 that fit"
    assert reason in str(caught.value)
    assert f"the most, {2**61}, is that of {most}" in str(caught.value)
    root[entry][2][0] -= 1
    assert parse(json.dumps(root).encode(), "x.json").num_pods == 6


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_native_reader_never_breaks(data: st.DataObject) -> None:
    text = dumps(random_cluster(data.draw(st.integers(0, 20))), "json")
    at = data.draw(st.integers(0, len(text) - 1))
    junk = data.draw(st.sampled_from(["", "[", "}", "null", "-1", '"', "9" * 30, "1.5", "{}"]))
    with contextlib.suppress(InputError):
        pods_native.parse(text[:at] + junk + text[at + data.draw(st.integers(0, 9)) :])


def test_generator_test_vector() -> None:
    made = generate(16, 4, 4, 1.05, SEED)
    assert len(made.replicasets) == 23
    assert (made.node_cpu_m, made.node_mem_b) == (1924, 2_108_654_663)
    first, last = made.replicasets[0], made.replicasets[-1]
    assert first == scenario.ReplicaSet("rs-01-p3", 4, 427, 343_966_759, 3)
    assert last == scenario.ReplicaSet("rs-23-p4", 2, 821, 622_047_283, 4)


@pytest.mark.skipif(not SHARED.exists(), reason="needs ../shared/data/pods")
def test_generator_makes_the_published_scenarios() -> None:
    count = 0
    for path in sorted((SHARED / "christensen2025").glob("*.jsonl")):
        for line in path.read_text().splitlines(keepends=True):
            wanted = json.loads(line)
            pods = sum(group["replicas"] for group in wanted["replicasets"])
            made = generate(
                wanted["nodes"],
                pods // wanted["nodes"],
                wanted["priorities"],
                wanted["util"],
                wanted["seed"],
            )
            assert scenario.lines([made]) == line
            count += 1
    assert count == 124


@pytest.mark.parametrize(
    "arguments",
    [
        (0, 4, 1, 1.0, 1),
        (4, 0, 1, 1.0, 1),
        (4, 4, 0, 1.0, 1),
        (4, 4, 1, 0.0, 1),
        (4, 4, 1, 1.0, -1),
    ],
)
def test_generator_refuses(arguments: tuple[int, int, int, float, int]) -> None:
    with pytest.raises(InputError, match="must be in"):
        generate(*arguments)


def test_scenario_round_trip() -> None:
    pytest.importorskip("cpsched.pods.scheduler")
    text = scenario.lines([generate(4, 4, 2, 0.9, 5), generate(4, 4, 2, 1.05, 6)])
    first, second = gather([("two.jsonl", text.encode())])
    assert first.name == "n4-p16-k2-u90-5"
    assert first.nodes[0] == "node-01"
    assert first.pods[0].startswith("default/rs-01-p")
    assert first.running.any()
    assert dumps(first, "scenario") + dumps(second, "scenario") == text


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"nodes": 0}, "$.nodes"),
        ({"util": "x"}, "$.util"),
        ({"replicasets": {}}, "$.replicasets"),
        ({"replicasets": [1]}, "$.replicasets[0]"),
        ({"node_cpu_m": -1}, "$.node_cpu_m"),
        ({"extra": 1}, "$"),
    ],
)
def test_scenario_errors_name_the_place(change: dict[str, object], where: str) -> None:
    root = {**json.loads(scenario.lines([generate(4, 4, 1, 1.0, 1)])), **change}
    with pytest.raises(InputError) as caught:
        parse(json.dumps(root).encode(), "s.jsonl")
    assert caught.value.path == where


NODES = "sn,cpu_milli,memory_mib,gpu,model\nn1,4000,1024,0,\nn2,8000,2048,2,V100\n"
PODS = (
    "name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos\n"
    "a,1000,512,0,0,,BE\nb,1000,512,1,460,V100|T4,LS\nc,1,1,2,1000,,Guaranteed\n"
)


def test_openb() -> None:
    cluster = openb.parse([("nodes.csv", NODES), ("pods.csv", PODS)], "trace")
    assert cluster.resources == ("cpu", "memory", "gpu-milli")
    assert cluster.allocatable.tolist() == [[4000, 2**30, 0], [8000, 2**31, 2000]]
    assert cluster.request[:, 2].tolist() == [0, 460, 2000]
    assert cluster.priority.tolist() == [1, 3, 2]
    assert cluster.allowed[cluster.profile].tolist() == [[True, True], [False, True], [True, True]]
    assert not cluster.running.any()


@pytest.mark.parametrize(
    ("nodes", "pods", "words"),
    [
        (NODES, NODES, "list of pods as well"),
        ("a,b\n", PODS, "nodes.csv:1: the header must begin with"),
        (NODES + "n1,1,1,0,\n", PODS, "nodes.csv:4: the name 'n1' occurs twice"),
        (NODES + "n3,-1,1,0,\n", PODS, "nodes.csv:4: cpu_milli must be"),
        (NODES + "n3,1\n", PODS, "nodes.csv:4: 5 columns are needed, not 2"),
        (NODES, PODS + "d,1,1,0,0,,XX\n", "pods.csv:5: unknown qos 'XX'"),
    ],
)
def test_openb_errors(nodes: str, pods: str, words: str) -> None:
    sources = [("nodes.csv", nodes.encode()), ("pods.csv", pods.encode())]
    if nodes == pods:
        sources[1] = ("pods.csv", pods.replace("n1", "m1").replace("n2", "m2").encode())
    with pytest.raises(InputError) as caught:
        gather(sources, "openb")
    assert words in str(caught.value)


@pytest.mark.skipif(not SHARED.exists(), reason="needs ../shared/data/pods")
def test_openb_trace() -> None:
    (cluster,) = read_all(openb.folder_files(SHARED / "openb"), "openb")
    assert (cluster.num_nodes, cluster.num_pods) == (1523, 8152)
    assert cluster.allocatable[:, 0].sum() == 125_514_000
    assert cluster.request[:, 2].sum() == 6_086_800


def test_formats_are_of_their_family() -> None:
    with pytest.raises(InputError, match="the format fjs cannot hold random-1; these can: json"):
        dumps(random_cluster(1), "fjs")
    with pytest.raises(InputError, match="the format scenario cannot hold ft06"):
        dumps(read("ft06"), "scenario")
    with pytest.raises(InputError, match="is no scenario: its name"):
        dumps(random_cluster(1), "scenario")
