"""Reading snapshots: files, lists, documents; whatever is wrong is one clear error."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kubernetes_objects import Json, budget, encode, node, pod, read

from cpsched.errors import InputError
from cpsched.instances.kubernetes import (
    documents,
    dumps_snapshot,
    is_snapshot,
    json_values,
    parse_snapshot,
    yaml_values,
)

TRAFFIC = Path(__file__).parents[3] / "shared/data/kube-scheduler-traffic"

YAML = """\
# of a cluster
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: Node
  metadata: {name: n1}
  status:
    allocatable: {cpu: 4, memory: 8Gi, pods: "10"}
---
apiVersion: v1
kind: Pod
metadata:
  name: p1
  creationTimestamp: 2026-01-01T00:00:00Z
  labels:
    "on": "yes"
spec:
  nodeName: n1
  containers:
  - name: main
    resources:
      requests:
        cpu: .5
        memory: 1e3
"""


def parse(data: bytes | str) -> Any:
    return parse_snapshot([("file", data.encode() if isinstance(data, str) else data)], "test")


def test_files_and_kinds_of_lists_make_one_cluster() -> None:
    untyped = {key: value for key, value in node().items() if key not in ("kind", "apiVersion")}
    listed = {"kind": "List", "items": [node()]}
    sorted_keys = {"apiVersion": "v1", "items": [node()], "kind": "List", "metadata": {}}
    typed = {"kind": "NodeList", "items": [untyped], "metadata": {}}
    pods = json.dumps(pod("p1", on="n1")) + "\n" + json.dumps(pod("p2"))
    whole = read(node(), pod("p1", on="n1"), pod("p2"))
    for first in (listed, sorted_keys, typed, node()):
        sources = [("a", json.dumps(first, indent=4).encode()), ("b", pods.encode())]
        assert parse_snapshot(sources, "test") == whole


def test_yaml() -> None:
    cluster = parse(YAML)
    assert cluster.pods == ("default/p1",)
    assert cluster.request.tolist() == [[500, 1000, 1]]
    assert cluster.node.tolist() == [0]


def test_encodings() -> None:
    text = encode(node(), pod()).decode()
    plain = parse(text)
    assert parse(b"\xef\xbb\xbf" + text.encode()) == plain
    assert parse(text.encode("utf-16")) == plain
    assert parse(YAML.encode("utf-16")) == parse(YAML)


@pytest.mark.parametrize("size", [64, 100, 4096])
def test_windows_do_not_show(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    values = [{"a": index, "é": "ü" * (index % 7), "b": [1.5, -3, None]} for index in range(40)]
    text = json.dumps({"kind": "List", "items": values, "z": 123456}, ensure_ascii=False)
    whole = list(json_values.objects(text.encode()))
    assert [value for _, value, _ in whole[:-1]] == values
    monkeypatch.setattr(json_values, "WINDOW", size)
    assert list(json_values.objects(text.encode())) == whole


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{\n    "apiVersion": "v1",', True),
        ('{"kind": "List"', True),
        ('{"items": [', True),
        ('{"schema_version": 1, "family": "pods"}', False),
        ('{"seed": 1}', False),
        ("[1]", False),
        ("apiVersion: v1\nkind: List\n", True),
        ("# x\n---\nkind: Pod\n", True),
        ("\ufeffapiVersion: v1\n", True),
        ("2 2\n0 1 1 2\n", False),
        ("kindly: x", False),
        ("\n" * 60_000, False),
        ("# \n \t\n" * 9_000 + "kind", False),
        ('{"apiVersion": "v1"'.encode("utf-16").decode("utf-8", "replace"), True),
        ("", False),
        (YAML, True),
    ],
)
def test_detection(text: str, expected: bool) -> None:
    assert is_snapshot(text) == expected


def test_other_kinds_are_passed_over() -> None:
    others = [
        {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": 5},
        {"apiVersion": "longhorn.io/v1beta2", "kind": "Node", "metadata": {}},
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "cpsched"}},
    ]
    assert read(node(), pod(), *others) == read(node(), pod())


def without(item: Json, *path: str) -> Json:
    item = copy.deepcopy(item)
    inner = item
    for key in path[:-1]:
        inner = inner[key]
    del inner[path[-1]]
    return item


@pytest.mark.parametrize(
    ("items", "error"),
    [
        ([], r"^file:\$: the snapshot holds no node"),
        ([pod()], r"^file:\$: the snapshot holds no node"),
        ([node()], r"^file:\$: the snapshot holds no pod"),
        ([node(), node(), pod()], r"\$\.items\[1\]\.metadata\.name: node n1 occurs twice"),
        ([node(), pod(), pod()], r"\$\.items\[2\]\.metadata\.name: pod default/p1 occurs twice"),
        ([node(), pod(), budget(), budget()], "budget default/b1 occurs twice"),
        (
            [node(), pod(on="gone")],
            r"\$\.items\[1\]\.spec\.nodeName: .* runs on the node gone, which is not in",
        ),
        (
            [without(node(), "status", "allocatable")],
            r"\$\.items\[0\]\.status\.allocatable: node n1 has no allocatable",
        ),
        ([{"kind": "Pod"}, 3], r"\$\.items\[0\]\.metadata\.name: must be a name"),
        ([3], r"\$\.items\[0\]: an API object must be an object"),
        ([{"kind": 3}], r"\$\.items\[0\]\.kind: "),
        ([node(), pod(labels={"a": 1})], r"\$\.items\[1\]\.metadata\.labels\.a: must be text"),
        ([node(), pod(containers=3)], r"\$\.items\[1\]\.spec\.containers: must be a list"),
        (
            [node(), pod(meta={"creationTimestamp": "yesterday"})],
            r"\$\.items\[1\]\.metadata\.creationTimestamp: a time",
        ),
        ([node(), pod(terminationGracePeriodSeconds=-1)], "terminationGracePeriodSeconds: must"),
        ([node(), pod(status={"phase": "Sleeping"})], r"status\.phase: must be one of"),
        ([node(), pod(), budget(disruptionsAllowed=-1)], "disruptionsAllowed: must"),
        ([node(), pod(), budget(observedGeneration="1")], r"status\.observedGeneration: must"),
    ],
)
def test_bad_objects(items: list[Any], error: str) -> None:
    with pytest.raises(InputError, match=error):
        parse(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", "file: the file is empty"),
        (b" \n ", "file: the file is empty"),
        (encode(node(), pod())[:-40], "file:1: not JSON: the text ends too early"),
        (b'{"kind": "List",\n"items": [{]}', "file:2: not JSON: "),
        (encode(node(), pod()) + b"\n}", "file:2: not JSON: Expecting value"),
        (encode(node(), pod()) + b"\n\n  and more\n", "file:3: not JSON: Expecting value"),
        (
            encode(node(), pod()) + b'\n{"kind": "List"',
            "file:2: not JSON: the text ends too early",
        ),
        (encode(node(), pod()) + b'\n{"kind": "Li', "file:2: not JSON: the text ends too early"),
        (b'{"kind": "List", "items": {}}', r"file:\$\.items: must be a list"),
        (b'{"a": 1, "a": 2}', "file:1: the key 'a' occurs twice"),
        (b'{"items": [{"a": 1, "a": 2}]}', "file:1: the key 'a' occurs twice"),
        (b'{"kind": "List", "items": [' + b"[" * 100_000, "nested too deep"),
        (b'{"kind": "List", "x": ' + b"1" * 5000 + b"}", "too many digits"),
        (b'{"kind": NaN}', "NaN is not JSON"),
        (b'{"kind": "\xff"}', "byte 0xff is not UTF-8"),
        (b"\xff\xfe\x00\xd8", "not UTF-16"),
        (b"[1]", r"file:\$: an API object must be an object"),
        (b"a: 1\na: 2\n", "file:2: the key 'a' occurs twice"),
        (b"a: &x [1]\nb: *x\n", "file:2: aliases"),
        (b"a: !!python/object:os.system x\n", "file:1: tags"),
        (b"<<: {a: 1}\n", "file:1: merge keys"),
        (b"[" * 99_999, "nested too deep|not YAML|ends too early"),
        (b"- " * 500 + b"a", "file:1: nested too deep"),
        (b"? [a]\n: b\n", "file:1: a key must be text"),
        (b"a: b: c\n", "file:1: not YAML"),
        (b"a\0b", "not YAML"),
        (b"just text", r"file:\$: an API object must be an object"),
        (b"kind: Node\n---\nkind: 3\n", r"file:\$\.metadata\.name"),
        (b"kind: X\n---\nkind: 3\n", r"file \(document 2\):\$\.kind"),
    ],
)
def test_bad_files(data: bytes, error: str) -> None:
    with pytest.raises(InputError, match=error):
        parse(data)


def test_errors_about_several_files_name_them() -> None:
    empty = encode()
    for names, shown in (("ab", "a, b"), ("abcd", "a, b, c, …")):
        with pytest.raises(InputError, match=f"^{shown}: the snapshot holds no node"):
            parse_snapshot([(name, empty) for name in names], "test")
    with pytest.raises(InputError, match=r"^the snapshot holds no node"):
        parse_snapshot([], "test")


def test_null_is_absent() -> None:
    plain = [node(), pod(on="n1"), budget(disruptionsAllowed=1)]
    for absent in (None, ""):
        named = copy.deepcopy(plain)
        for item in named[1:]:
            item["metadata"]["namespace"] = absent
        assert read(*named) == read(*plain)
    for key, part in (("generation", "metadata"), ("observedGeneration", "status")):
        said = copy.deepcopy(plain)
        said[2][part][key] = None
        assert read(*said) == read(*plain)
    for item in plain:
        assert read(*plain, {**item, "kind": "Other", "apiVersion": None}) == read(*plain)
    for none in ({"kind": "PodList", "items": None}, {"kind": "PodList"}):
        assert read(*plain, none) == read(*plain)
    low: Json = {"kind": "PriorityClass", "metadata": {"name": "low"}, "value": None}
    assert read(node(), pod(priority=None, priorityClassName="low"), low).priority[0] == 0


def test_pods_that_end_on_a_node_that_is_gone_are_left_out() -> None:
    gone = {"deletionTimestamp": "2026-01-01T00:00:00Z"}
    assert read(node(), pod("p1"), pod("p2", on="gone", meta=gone)) == read(node(), pod("p1"))
    assert read(node(), pod("p1"), pod("p2", on="n1", meta=gone)).num_pods == 2
    assert read(node(), pod("p1"), pod("p2", meta=gone)).num_pods == 2
    with pytest.raises(InputError, match="holds no pod that has not finished"):
        read(node(), pod(on="gone", meta=gone))


def test_too_large_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml_values, "MAX_YAML_BYTES", 100)
    with pytest.raises(InputError, match="ask kubectl for -o json"):
        parse(YAML)
    monkeypatch.setattr(documents, "MAX_BYTES", 50)
    with pytest.raises(InputError, match="bytes that are allowed"):
        parse(YAML)
    monkeypatch.setattr(json_values, "WINDOW", 64)
    with pytest.raises(InputError, match="a value of more than 64 bytes"):
        list(json_values.objects(encode(node())))


@pytest.mark.parametrize("depth", [90, 300, 700, 950, 990])
def test_deep_values_end_in_an_error_or_not_at_all(depth: int) -> None:
    value: Any = json.loads("[" * 50 + "]" * 50)
    deep = "[" * depth + "]" * depth
    text = encode(node(), pod(tolerations=value, affinity=7)).decode().replace("7", deep)
    with pytest.raises(InputError):
        parse(text)


RICH = [
    node("n1", zone="a", spec={"taints": [{"key": "k", "effect": "NoSchedule"}]}),
    node("n2", zone="b"),
    pod("p0", on="gone", meta={"deletionTimestamp": "2026-01-01T00:00:00Z"}),
    pod(
        "p1",
        on="n1",
        requests={"cpu": "100m", "memory": "1Gi"},
        labels={"app": "a"},
        meta={"creationTimestamp": "2026-01-01T00:00:00Z", "annotations": {"x": "y"}},
        nodeSelector={"zone": "a"},
        tolerations=[{"key": "k", "operator": "Exists", "effect": "NoSchedule"}],
        initContainers=[
            {
                "name": "i",
                "restartPolicy": "Always",
                "ports": [{"hostPort": 80}, {"containerPort": 81}],
            }
        ],
        hostNetwork=True,
        overhead={"cpu": "1m"},
        resources={"requests": {"memory": "2Gi"}},
        volumes=[{"name": "v", "configMap": {"name": "c"}}],
    ),
    pod(
        "p2",
        labels={"app": "a"},
        priority=None,
        priorityClassName="high",
        schedulingGates=[],
        affinity={
            "nodeAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": {
                    "nodeSelectorTerms": [
                        {
                            "matchExpressions": [
                                {"key": "zone", "operator": "In", "values": ["a", "b"]}
                            ],
                            "matchFields": [
                                {"key": "metadata.name", "operator": "NotIn", "values": ["n3"]}
                            ],
                        }
                    ]
                }
            },
            **{
                kind: {
                    "requiredDuringSchedulingIgnoredDuringExecution": [
                        {
                            "topologyKey": "zone",
                            "labelSelector": {
                                "matchLabels": {"app": "a"},
                                "matchExpressions": [{"key": "app", "operator": "Exists"}],
                            },
                            "namespaces": ["default"],
                            "namespaceSelector": {"matchLabels": {"env": "x"}},
                            "matchLabelKeys": ["app"],
                        }
                    ]
                }
                for kind in ("podAffinity", "podAntiAffinity")
            },
        },
        topologySpreadConstraints=[
            {
                "topologyKey": "zone",
                "maxSkew": 1,
                "minDomains": 2,
                "whenUnsatisfiable": "DoNotSchedule",
                "labelSelector": {"matchLabels": {"app": "a"}},
                "nodeTaintsPolicy": "Honor",
            }
        ],
    ),
    budget("b1", selector={"matchLabels": {"app": "a"}}, disruptionsAllowed=1),
    {
        "apiVersion": "scheduling.k8s.io/v1",
        "kind": "PriorityClass",
        "metadata": {"name": "high"},
        "value": 10,
    },
    {"kind": "Namespace", "metadata": {"name": "default", "labels": {"env": "x"}}},
    {
        "kind": "ConfigMap",
        "metadata": {"name": "cpsched"},
        "data": {
            "snapshot": json.dumps(
                {
                    "name": "n",
                    "policy": {
                        "move": 1,
                        "evict": 2,
                        "grace_unit": 60,
                        "budget": 1,
                        "never_moves": False,
                    },
                    "resources": ["cpu", "memory", "pods"],
                    "conflicts": [],
                    "affinities": [],
                    "spreads": [],
                }
            )
        },
    },
]
ROOT = {"apiVersion": "v1", "kind": "List", "items": RICH}


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    if isinstance(value, dict):
        entries: Any = value.items()
    else:
        entries = enumerate(value) if isinstance(value, list) else ()
    for key, entry in entries:
        found += places(entry, (*path, key))
    return found


PLACES = places(ROOT)
STRANGE = [None, True, 0, -1, 2**70, 1.5, 1e300, "", "x", "a/b", "\ud800", "1Gi", "-1", [], {}]
STRANGE += [[None], [[]], [{}], {"": ""}, {"a": None}, {"x" * 500: "y"}, {"\ud800": "\n"}, "Gt"]


def changed(place: tuple[Any, ...], value: Any, *, delete: bool) -> Json:
    root = copy.deepcopy(ROOT)
    inner: Any = root
    for key in place[:-1]:
        inner = inner[key]
    if delete:
        del inner[place[-1]]
    else:
        inner[place[-1]] = value
    return root


def reads_or_refuses(data: bytes) -> None:
    """No other exception leaves the reader, and its message can be printed."""
    try:
        cluster = parse(data)
        text = " ".join(
            (*cluster.pods, *cluster.nodes, *cluster.owners, *cluster.resources, *cluster.held)
        )
        text += " ".join(rule.name for rule in (*cluster.conflicts, *cluster.affinities))
    except InputError as error:
        text = str(error)
    assert text.isprintable()


def test_the_rich_snapshot_is_read() -> None:
    cluster = parse(json.dumps(ROOT))
    assert cluster.num_pods == 2
    assert cluster.conflicts
    assert cluster.affinities
    assert cluster.spreads
    assert cluster.budgets


@pytest.mark.parametrize("value", STRANGE, ids=repr)
def test_every_field_may_be_anything(value: Any) -> None:
    for place in PLACES:
        reads_or_refuses(json.dumps(changed(place, value, delete=False)).encode())


def test_every_field_may_be_missing() -> None:
    for place in PLACES:
        reads_or_refuses(json.dumps(changed(place, None, delete=True)).encode())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(PLACES), JSON, st.sampled_from(PLACES), st.sampled_from(PLACES))
def test_fuzz_values(
    place: tuple[Any, ...], value: Any, source: tuple[Any, ...], target: tuple[Any, ...]
) -> None:
    root = changed(place, value, delete=False)
    taken: Any = ROOT
    for key in source:
        taken = taken[key]
    inner: Any = root
    try:
        for key in target[:-1]:
            inner = inner[key]
        inner[target[-1]] = taken
    except (TypeError, LookupError):
        pass  # the first change took the place away
    reads_or_refuses(json.dumps(root).encode())


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_fuzz_bytes(data: st.DataObject) -> None:
    text = bytearray(data.draw(st.sampled_from([encode(*RICH), YAML.encode()])))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(text) - 1))
        text[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    reads_or_refuses(bytes(text))


@pytest.mark.skipif(not TRAFFIC.is_dir(), reason="the recorded traffic is not beside the project")
def test_recorded_objects_of_a_real_scheduler() -> None:
    nodes: dict[str, Json] = {}
    pods: dict[str, Json] = {}
    for path in sorted(TRAFFIC.glob("[a-e]*/*_*.json")):
        request = json.loads(path.read_text()).get("request")
        if not isinstance(request, dict):
            continue
        found = [request["Pod"]] if request.get("Pod") else []
        for victims in (request.get("NodeNameToVictims") or {}).values():
            found += victims["Pods"] or []
        pods.update((entry["metadata"]["name"], {"kind": "Pod", **entry}) for entry in found)
        listed = (request.get("Nodes") or {}).get("items") or []
        nodes.update((entry["metadata"]["name"], {"kind": "Node", **entry}) for entry in listed)
    cluster = read(*nodes.values(), *pods.values())
    assert cluster.num_nodes == 3
    assert cluster.num_pods == len(pods) >= 8
    assert set(cluster.allocatable[:, 0].tolist()) == {4000}
    assert cluster.running.any()
    assert not cluster.running.all()
    # Pods that were made by hand have no controller; pending ones may be placed all the same.
    assert set(cluster.held) <= {"", "no controller would create it again"}


def test_lives_of_a_controller_are_written_apart() -> None:
    def owned(name: str, uid: str) -> Json:
        owner = {"kind": "ReplicaSet", "name": "web", "uid": uid, "controller": True}
        return pod(name, meta={"ownerReferences": [owner]})

    for lives in ("ab", ("", "a"), ("a", "")):
        cluster = read(node(), *(owned(f"p{k}", uid) for k, uid in enumerate(lives)))
        assert cluster.owner.tolist() == [0, 1]
        assert parse(dumps_snapshot(cluster)).owner.tolist() == [0, 1]
        assert parse(dumps_snapshot(cluster)).owners == cluster.owners


def test_what_was_read_is_written_and_read_again() -> None:
    more = [pod(f"r{k}", on="n2", labels={"app": "a"}, grace=k) for k in range(3)]
    bare = pod("bare", on="n1", meta={"ownerReferences": []})
    cluster = parse(json.dumps({**ROOT, "items": [*RICH, *more, bare]}))
    assert parse(dumps_snapshot(cluster)) == cluster
