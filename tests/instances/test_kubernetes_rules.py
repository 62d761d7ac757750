"""Where pods may come: node affinity, taints, pod affinity, spread, host ports; who is held."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from kubernetes_objects import Json, budget, node, pod, read

from cpsched.errors import InputError
from cpsched.instances.kubernetes import dumps_snapshot, parse_snapshot

HOST = "kubernetes.io/hostname"
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"

NODES = [
    node("n1", zone="a", disk="ssd", size="5"),
    node("n2", zone="b", disk="hdd", size="12"),
    node("n3", zone="c"),
    node("n4", zone="a", size="many"),
]


def node_affinity(*terms: Json) -> Json:
    return {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": list(terms)}}}


def expression(key: str, operator: str, *values: str) -> Json:
    return {"matchExpressions": [{"key": key, "operator": operator, "values": list(values)}]}


def field(operator: str, *values: str) -> Json:
    return {
        "matchFields": [{"key": "metadata.name", "operator": operator, "values": list(values)}]
    }


def allowed(nodes: list[Json], **spec: Any) -> list[str]:
    """Nodes to which a pod with *spec* may come."""
    cluster = read(*nodes, pod(**spec))
    row = cluster.allowed[cluster.profile[0]]
    return [name for name, good in zip(cluster.nodes, row, strict=True) if good]


@pytest.mark.parametrize(
    ("terms", "names"),
    [
        ([expression("disk", "In", "ssd", "hdd")], ["n1", "n2"]),
        ([expression("disk", "NotIn", "ssd")], ["n2", "n3", "n4"]),
        ([expression("disk", "Exists")], ["n1", "n2"]),
        ([expression("disk", "DoesNotExist")], ["n3", "n4"]),
        ([expression("size", "Gt", "5")], ["n2"]),
        ([expression("size", "Lt", "12")], ["n1"]),
        ([expression("disk", "In", "ssd"), expression("zone", "In", "c")], ["n1", "n3"]),
        (
            [
                {
                    "matchExpressions": [
                        {"key": "zone", "operator": "In", "values": ["a"]},
                        {"key": "size", "operator": "Exists"},
                    ]
                }
            ],
            ["n1", "n4"],
        ),
        ([field("In", "n3")], ["n3"]),
        ([field("NotIn", "n3")], ["n1", "n2", "n4"]),
        ([{**expression("zone", "In", "a"), **field("NotIn", "n4")}], ["n1"]),
        ([field("In", "gone")], []),
        ([{}], []),
        ([{}, field("In", "n2")], ["n2"]),
        ([], []),
    ],
)
def test_node_affinity(terms: list[Json], names: list[str]) -> None:
    assert allowed(NODES, affinity=node_affinity(*terms)) == names


def test_node_selector_and_affinity_must_both_match() -> None:
    affinity = node_affinity(expression("size", "Exists"))
    assert allowed(NODES, nodeSelector={"zone": "a"}) == ["n1", "n4"]
    assert allowed(NODES, nodeSelector={"zone": "a", "disk": "ssd"}, affinity=affinity) == ["n1"]


@pytest.mark.parametrize(
    ("term", "where"),
    [
        (expression("zone", "Near", "a"), r"matchExpressions\[0\]\.operator: unknown operator"),
        (expression("zone", "In"), r"matchExpressions\[0\]\.values: .* needs values"),
        (expression("zone", "Exists", "a"), r"matchExpressions\[0\]\.values: .* takes no values"),
        (expression("zone", "Gt", "a"), r"matchExpressions\[0\]\.values: .* one integer"),
        (field("Exists"), r"matchFields\[0\]\.operator: unknown operator"),
        (field("In", "a", "b"), r"matchFields\[0\]: a field condition"),
    ],
)
def test_bad_node_affinity(term: Json, where: str) -> None:
    path = rf"\$\.items\[1\]\.spec\.affinity\.nodeAffinity\.{REQUIRED}\.nodeSelectorTerms\[0\]\."
    with pytest.raises(InputError, match=path + where):
        read(node(), pod(affinity=node_affinity(term)))


def taint(effect: str = "NoSchedule", value: str = "x") -> Json:
    return {"taints": [{"key": "team", "value": value, "effect": effect}]}


@pytest.mark.parametrize(
    ("effect", "toleration", "may"),
    [
        ("NoSchedule", None, False),
        ("NoExecute", None, False),
        ("PreferNoSchedule", None, True),
        ("NoSchedule", {"key": "team", "value": "7"}, True),
        ("NoSchedule", {"key": "team", "operator": "Equal", "value": "8"}, False),
        ("NoSchedule", {"key": "team", "operator": "Exists"}, True),
        ("NoSchedule", {"key": "other", "operator": "Exists"}, False),
        ("NoSchedule", {"operator": "Exists"}, True),
        ("NoSchedule", {"operator": "Exists", "effect": "NoExecute"}, False),
        ("NoExecute", {"operator": "Exists", "effect": "NoExecute"}, True),
        ("NoExecute", {"operator": "Exists", "tolerationSeconds": 3}, True),
        ("NoSchedule", {"key": "team", "operator": "Gt", "value": "6"}, True),
        ("NoSchedule", {"key": "team", "operator": "Gt", "value": "7"}, False),
        ("NoSchedule", {"key": "team", "operator": "Lt", "value": "8"}, True),
        ("NoSchedule", {"key": "team", "operator": "Lt", "value": "x"}, False),
    ],
)
def test_taints(effect: str, toleration: Json | None, may: bool) -> None:
    tolerations = [] if toleration is None else [toleration]
    found = allowed([node(spec=taint(effect, "7"))], tolerations=tolerations)
    assert found == (["n1"] if may else [])


def test_cordoned_and_unready_nodes() -> None:
    cordoned = node("n1", spec={"unschedulable": True})
    unready = node("n2")
    unready["status"]["conditions"] = [{"type": "Ready", "status": "Unknown"}]
    silent = node("n3")
    del silent["status"]["conditions"]
    leaving = node("n4")
    leaving["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    nodes = [cordoned, unready, silent, leaving]
    assert allowed(nodes) == ["n3"]
    toleration = {"key": "node.kubernetes.io/unschedulable", "operator": "Exists"}
    assert allowed(nodes, tolerations=[toleration]) == ["n1", "n3"]


@pytest.mark.parametrize("status", ["False", "Unknown"])
def test_pods_on_a_node_that_is_not_ready_are_held(status: str) -> None:
    unready, leaving = node("n1"), node("n2")
    unready["status"]["conditions"] = [{"type": "Ready", "status": status}]
    leaving["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    cluster = read(
        unready,
        leaving,
        pod("p1", on="n1"),
        # No annotation makes its kubelet answer.
        pod("p2", on="n1", meta={"annotations": {"cpsched/held": ""}}),
        pod("p3", on="n1", meta={"annotations": {"cpsched/held": "my reason"}}),
        pod("p4", on="n2"),
        pod("p5"),
    )
    assert cluster.held == ("its node is not ready",) * 2 + ("my reason", "", "")
    assert parse_snapshot([("x", dumps_snapshot(cluster).encode())], "") == cluster


def term(topology: str = "zone", **more: Any) -> Json:
    return {"topologyKey": topology, "labelSelector": {"matchLabels": {"app": "a"}}, **more}


def pod_affinity(*terms: Json, kind: str = "podAntiAffinity") -> Json:
    return {kind: {REQUIRED: list(terms)}}


def namespace(name: str, **labels: str) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "labels": labels},
    }


A = {"app": "a"}


def test_anti_affinity() -> None:
    cluster = read(
        *NODES,
        pod("p1", on="n1", labels=A),
        pod("p2", labels=A, affinity=pod_affinity(term())),
        pod("p3", labels=A, affinity=pod_affinity(term())),
        pod("p4", labels=A, namespace="other"),
        pod("p5", labels={"app": "b"}),
    )
    (rule,) = cluster.conflicts
    assert rule.name == "anti-affinity to app=a in default by zone"
    assert cluster.pods[rule.holders[0]] == "default/p2"
    assert rule.holders.tolist() == [1, 2]
    assert rule.targets.tolist() == [0, 1, 2]
    assert rule.domain.tolist() == [0, 1, 2, 0]


@pytest.mark.parametrize(
    ("more", "targets"),
    [
        ({}, ["default/p1"]),
        ({"namespaces": ["x"]}, ["x/p2"]),
        ({"namespaces": ["x", "default"]}, ["default/p1", "x/p2"]),
        ({"namespaceSelector": {}}, ["default/p1", "x/p2", "y/p3"]),
        ({"namespaceSelector": {"matchLabels": {"env": "prod"}}}, ["y/p3"]),
        (
            {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "x"}}},
            ["x/p2"],
        ),
        (
            {"namespaces": ["x"], "namespaceSelector": {"matchLabels": {"env": "prod"}}},
            ["x/p2", "y/p3"],
        ),
        ({"labelSelector": None}, []),
        ({"labelSelector": {}}, ["default/p0", "default/p1"]),
        ({"matchLabelKeys": ["version"]}, ["default/p1"]),
        ({"mismatchLabelKeys": ["version"]}, []),
        ({"mismatchLabelKeys": ["absent"]}, ["default/p1"]),
    ],
)
def test_targets_of_a_term(more: Json, targets: list[str]) -> None:
    affinity = pod_affinity(term(**more), kind="podAffinity")
    labelled = {"app": "a", "version": "1"}
    cluster = read(
        *NODES,
        namespace("default"),
        namespace("x", env="test"),
        namespace("y", env="prod"),
        pod("p0", labels={"version": "1"}, affinity=affinity),
        pod("p1", labels=labelled),
        pod("p2", labels=labelled, namespace="x"),
        pod("p3", labels=labelled, namespace="y"),
    )
    (rule,) = cluster.affinities
    assert [cluster.pods[at] for at in rule.targets] == targets


@pytest.mark.parametrize("kind", ["podAffinity", "podAntiAffinity"])
def test_namespaces_that_are_not_known_hold_the_pod(kind: str) -> None:
    selector = {"namespaceSelector": {"matchLabels": {"env": "prod"}}}
    cluster = read(
        *NODES,
        pod("p0", labels=A, affinity=pod_affinity(term(**selector), kind=kind)),
        pod("p1", labels=A, namespace="x"),
    )
    assert "namespaceSelector needs the labels of the namespace default" in cluster.held[0]
    assert not cluster.held[1]
    # A pod that might be refused near the holder is kept from it.
    assert len(cluster.conflicts) == (kind == "podAntiAffinity")


@pytest.mark.parametrize("kind", ["podAffinity", "podAntiAffinity"])
def test_namespaces_that_a_term_names_need_no_labels(kind: str) -> None:
    selector = {"namespaceSelector": {"matchLabels": {"env": "prod"}}}
    cluster = read(
        *NODES,
        namespace("y", env="prod"),
        pod("p0", affinity=pod_affinity(term(namespaces=["default", "x"], **selector), kind=kind)),
        pod("p1", labels=A, namespace="x"),
        pod("p2", labels=A, namespace="y"),
    )
    assert not any(cluster.held)
    (rule,) = cluster.conflicts or cluster.affinities
    assert [cluster.pods[at] for at in rule.targets] == ["x/p1", "y/p2"]


def test_affinity_needs_all_terms_at_once() -> None:
    other = {"labelSelector": {"matchLabels": {"tier": "web"}}}
    affinity = pod_affinity(term(), term(HOST, **other), kind="podAffinity")
    both = {"app": "a", "tier": "web"}
    cluster = read(
        node("n1", zone="a", **{"kubernetes.io_hostname": "n1"}),
        node("n2", zone="a"),
        pod("p1", labels=A),
        pod("p2", labels=both),
        pod("p3", affinity=affinity),
    )
    (rule,) = cluster.affinities
    assert rule.targets.tolist() == [1]
    assert rule.holders.tolist() == [2]
    assert rule.domains.tolist() == [[0, 0], [0, -1]]


def spread(topology: str = "zone", **more: Any) -> Json:
    return {
        "topologyKey": topology,
        "maxSkew": 1,
        "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": A},
        **more,
    }


@pytest.mark.parametrize(
    ("constraint", "spec", "domain"),
    [
        (spread(), {}, [0, 1, 2, 0]),
        (spread("disk"), {}, [0, 1, -1, -1]),
        # Nodes that node affinity leaves out do not count, unless it is to be ignored.
        (spread(), {"nodeSelector": {"zone": "a"}}, [0, -1, -1, 0]),
        (spread(nodeAffinityPolicy="Ignore"), {"nodeSelector": {"zone": "a"}}, [0, 1, 2, 0]),
        # Tainted nodes count, unless taints are to be honoured.
        (spread(nodeTaintsPolicy="Honor"), {}, [0, 1, 2, 0]),
    ],
)
def test_spread_domains(constraint: Json, spec: Json, domain: list[int]) -> None:
    cluster = read(*NODES, pod("p1", labels=A, topologySpreadConstraints=[constraint], **spec))
    (rule,) = cluster.spreads
    assert rule.domain.tolist() == domain
    assert (rule.max_skew, rule.min_domains) == (1, 1)
    assert rule.holders.tolist() == rule.counted.tolist() == [0]


def test_spread_taints_and_several_constraints() -> None:
    nodes = [
        node("n1", zone="a", rack="1"),
        node("n2", zone="b", spec=taint()),
        node("n3", rack="1"),
    ]
    (rule,) = read(*nodes, pod(topologySpreadConstraints=[spread()])).spreads
    assert rule.domain.tolist() == [0, 1, -1]
    honour = spread(nodeTaintsPolicy="Honor", minDomains=3, maxSkew=2)
    (rule,) = read(*nodes, pod(topologySpreadConstraints=[honour])).spreads
    assert rule.domain.tolist() == [0, -1, -1]
    assert (rule.max_skew, rule.min_domains) == (2, 3)
    # A node without one of the topologies counts for none.
    first, second = read(*nodes, pod(topologySpreadConstraints=[spread(), spread("rack")])).spreads
    assert first.domain.tolist() == second.domain.tolist() == [0, -1, -1]


def test_spread_counts_its_namespace_without_terminating_pods() -> None:
    labels = {"app": "a", "pod-template-hash": "1"}
    cluster = read(
        *NODES,
        pod("p0", on="n1", labels=labels),
        pod("p1", on="n1", labels=A, meta={"deletionTimestamp": "2026-01-01T00:00:00Z"}),
        pod("p2", on="n1", labels=labels, namespace="other"),
        pod("p3", on="n1", labels={"app": "a", "pod-template-hash": "2"}),
        pod(
            "p4",
            labels=labels,
            topologySpreadConstraints=[spread(matchLabelKeys=["pod-template-hash"])],
        ),
        pod(
            "p5",
            topologySpreadConstraints=[spread(), spread(whenUnsatisfiable="ScheduleAnyway")],
        ),
    )
    one, two = cluster.spreads
    names = [[cluster.pods[at] for at in rule.counted] for rule in (one, two)]
    assert names == [["default/p0", "default/p4"], ["default/p0", "default/p3", "default/p4"]]


def port(number: int = 80, **more: Any) -> list[Json]:
    return [{"name": "c", "ports": [{"containerPort": 1, "hostPort": number, **more}]}]


@pytest.mark.parametrize(
    ("one", "two", "conflict"),
    [
        (port(), port(), True),
        (port(), port(81), False),
        (port(), port(protocol="UDP"), False),
        (port(protocol="TCP"), port(), True),
        (port(hostIP="10.0.0.1"), port(), True),
        (port(hostIP="10.0.0.1"), port(hostIP="0.0.0.0"), True),
        (port(hostIP="10.0.0.1"), port(hostIP="10.0.0.1"), True),
        (port(hostIP="10.0.0.1"), port(hostIP="10.0.0.2"), False),
        (port(0), port(0), False),
    ],
)
def test_host_ports(one: list[Json], two: list[Json], conflict: bool) -> None:
    cluster = read(*NODES, pod("p1", containers=one), pod("p2", containers=two))
    pairs = [
        {int(h), int(t)} for rule in cluster.conflicts for h in rule.holders for t in rule.targets
    ]
    assert ({0, 1} in pairs) == conflict
    assert all(rule.domain.tolist() == [0, 1, 2, 3] for rule in cluster.conflicts)


def test_ports_in_the_network_of_the_node_are_ports_of_the_node() -> None:
    def rules(**spec: Any) -> list[tuple[str, list[int]]]:
        cluster = read(*NODES, pod("p1", **spec), pod("p2", containers=port(80)))
        return [(rule.name, rule.holders.tolist()) for rule in cluster.conflicts]

    def ports(**spec: Any) -> list[Json]:
        return [{"name": "c", "ports": [{"containerPort": 80, **spec}]}]

    both = [("host port 80/TCP", [0, 1])]
    assert rules(containers=ports()) == []
    assert rules(containers=ports(), hostNetwork=True) == both
    assert rules(containers=ports(hostPort=0), hostNetwork=True) == both
    assert rules(containers=ports(hostPort=81), hostNetwork=True) == []
    assert rules(containers=ports(hostPort=80), hostNetwork=False) == both
    # Two pods with the same containers, one in its own network.
    cluster = read(
        *NODES, *(pod(f"p{k}", containers=ports(), hostNetwork=k > 0) for k in range(3))
    )
    assert cluster.conflicts[0].holders.tolist() == [1, 2]


def volume(kind: str) -> Json:
    return {"volumes": [{"name": "v", kind: {}}]}


def annotated(key: str, value: str = "") -> Json:
    return {"annotations": {key: value}}


GONE = {"deletionTimestamp": "2026-01-01T00:00:00Z"}


@pytest.mark.parametrize(
    ("running", "meta", "spec", "reason"),
    [
        (True, {}, {}, ""),
        (True, GONE, {}, "terminating"),
        (False, GONE, {}, "terminating"),
        (True, annotated("kubernetes.io/config.mirror"), {}, "mirror pod"),
        (True, annotated("kubernetes.io/config.source", "file"), {}, "static pod"),
        (True, annotated("kubernetes.io/config.source", "api"), {}, ""),
        (True, {"ownerReferences": None}, {}, "no controller would create it again"),
        (False, {"ownerReferences": []}, {}, ""),
        (
            True,
            {"ownerReferences": [{"kind": "DaemonSet", "name": "d", "controller": True}]},
            {},
            "DaemonSet pod",
        ),
        (
            True,
            {"ownerReferences": [{"kind": "ReplicaSet", "name": "d"}]},
            {},
            "no controller would create it again",
        ),
        (True, {}, {"priority": 2 * 10**9}, "critical to the system by its priority"),
        (False, {}, {"priority": 2 * 10**9}, ""),
        (True, {}, volume("emptyDir"), "has data in the emptyDir volume v"),
        (True, {}, {"volumes": [{"name": "v"}]}, "has data in the emptyDir volume v"),
        (False, {}, volume("emptyDir"), ""),
        (True, {}, volume("hostPath"), "has data in the hostPath volume v"),
        (True, {}, volume("configMap"), ""),
        (
            True,
            {},
            volume("persistentVolumeClaim"),
            "needs the volume v (persistentVolumeClaim), whose nodes are not in the snapshot",
        ),
        (
            False,
            {},
            volume("ephemeral"),
            "needs the volume v (ephemeral), whose nodes are not in the snapshot",
        ),
        (
            False,
            {},
            {"resourceClaims": [{"name": "gpu"}]},
            "needs the resource claim gpu: dynamic allocation is not read",
        ),
        (False, {}, {"schedulingGates": [{"name": "g"}]}, "scheduling gate g"),
        (True, {}, {"schedulingGates": [{"name": "g"}]}, ""),
        (False, {}, {"schedulerName": "volcano"}, "scheduled by volcano"),
        (True, {}, {"schedulerName": "volcano"}, "scheduled by volcano"),
        (
            True,
            annotated("descheduler.alpha.kubernetes.io/prefer-no-eviction"),
            {},
            "annotation descheduler.alpha.kubernetes.io/prefer-no-eviction",
        ),
        (
            True,
            annotated("cluster-autoscaler.kubernetes.io/safe-to-evict", "false"),
            {},
            "annotation cluster-autoscaler.kubernetes.io/safe-to-evict=false",
        ),
        (
            True,
            annotated("cluster-autoscaler.kubernetes.io/safe-to-evict", "true"),
            volume("emptyDir"),
            "",
        ),
        (True, annotated("descheduler.alpha.kubernetes.io/evict"), volume("hostPath"), ""),
        (True, annotated("cpsched/held"), volume("hostPath"), ""),
        (True, annotated("cpsched/held", "nightly job"), {}, "nightly job"),
        (False, annotated("cpsched/held", "later"), {}, "later"),
        (
            True,
            annotated("cpsched/held"),
            volume("rbd"),
            "needs the volume v (rbd), whose nodes are not in the snapshot",
        ),
    ],
)
def test_held(running: bool, meta: Json, spec: Json, reason: str) -> None:
    cluster = read(node(), pod(on="n1" if running else "", meta=meta, **spec))
    assert cluster.held == (reason,)
    if reason:
        assert not cluster.allowed[cluster.profile[0]].any()


def test_finished_pods_are_gone() -> None:
    finished = [pod(f"f{p}", on="n1", status={"phase": p}) for p in ("Succeeded", "Failed")]
    assert read(node(), pod(), *finished).pods == ("default/p1",)


def test_budgets() -> None:
    pending = {"phase": "Pending"}
    unready = {"phase": "Running", "conditions": [{"type": "Ready", "status": "False"}]}

    def covered(**status: int) -> tuple[list[str], int]:
        cluster = read(
            node(),
            budget(**status),
            pod("ready", on="n1"),
            pod("waiting"),
            pod("starting", on="n1", status=pending),
            pod("unready", on="n1", status=unready),
            pod("elsewhere", on="n1", namespace="other"),
        )
        (found,) = cluster.budgets
        return sorted(cluster.pods[at].partition("/")[2] for at in found.pods), found.allowed

    healthy = {"currentHealthy": 1, "desiredHealthy": 1}
    assert covered() == (["ready", "unready"], 0)
    assert covered(disruptionsAllowed=2) == (["ready", "unready"], 2)
    assert covered(disruptionsAllowed=1, **healthy) == (["ready"], 1)
    assert covered(disruptionsAllowed=1, currentHealthy=0, desiredHealthy=1)[0] == [
        "ready",
        "unready",
    ]


def test_stale_budgets_allow_nothing() -> None:
    stale = budget(disruptionsAllowed=2, observedGeneration=1)
    stale["metadata"]["generation"] = 2
    assert read(node(), stale, pod(on="n1")).budgets[0].allowed == 0


def test_budget_selectors() -> None:
    pods = [pod("p1", on="n1", labels=A), pod("p2", on="n1")]
    assert read(node(), budget(selector={}), *pods).budgets[0].pods.tolist() == [0, 1]
    assert read(node(), budget(selector={"matchLabels": A}), *pods).budgets[0].pods.tolist() == [0]
    nothing = budget()
    nothing["spec"] = {}
    assert read(node(), nothing, *pods).budgets == ()
    old = budget(selector={})
    old["apiVersion"] = "policy/v1beta1"
    assert read(node(), old, *pods).budgets == ()


def test_a_pod_under_two_budgets_is_held() -> None:
    both = [budget("b1"), budget("b2", selector={"matchLabels": A})]
    cluster = read(node(), *both, pod("p1", on="n1", labels=A), pod("p2", on="n1"))
    assert cluster.held == ("under two disruption budgets, default/b1 and default/b2", "")
    assert [rule.pods.tolist() for rule in cluster.budgets] == [[1]]
    # Of a pod that has not started the Eviction API asks no budget.
    starting = pod("p1", on="n1", labels=A, status={"phase": "Pending"})
    cluster = read(node(), *both, starting, pod("p2", on="n1"))
    assert cluster.held == ("", "")
    assert [rule.pods.tolist() for rule in cluster.budgets] == [[1]]


def priority_class(name: str, value: int, **more: Any) -> Json:
    return {
        "apiVersion": "scheduling.k8s.io/v1",
        "kind": "PriorityClass",
        "metadata": {"name": name},
        "value": value,
        **more,
    }


@pytest.mark.parametrize(
    ("spec", "priority", "preempts"),
    [
        ({"priority": 7}, 7, True),
        ({"priority": 7, "preemptionPolicy": "Never"}, 7, False),
        ({"priority": 7, "priorityClassName": "high"}, 7, True),
        ({"priority": None, "priorityClassName": "high"}, 1000, True),
        ({"priority": None, "priorityClassName": "polite"}, 500, False),
        ({"priority": None, "priorityClassName": "system-node-critical"}, 2000001000, True),
        ({"priority": None}, 5, True),
    ],
)
def test_priority(spec: Json, priority: int, preempts: bool) -> None:
    classes = [
        priority_class("high", 1000),
        priority_class("polite", 500, preemptionPolicy="Never"),
        priority_class("usual", 5, globalDefault=True),
        priority_class("usual-too", 6, globalDefault=True),
    ]
    cluster = read(node(), pod(**spec), *classes)
    assert (cluster.priority[0], cluster.preempts[0]) == (priority, preempts)


def test_priority_without_classes() -> None:
    assert read(node(), pod(priority=None)).priority[0] == 0
    with pytest.raises(InputError, match=r"items\[1\]\.spec\.priorityClassName: .*gold"):
        read(node(), pod(priority=None, priorityClassName="gold"))


def test_order_of_arrival_owners_and_grace() -> None:
    def at(time: str | None, uid: str = "u") -> Json:
        owner = {"kind": "ReplicaSet", "name": "web", "uid": uid, "controller": True}
        return {"creationTimestamp": time, "ownerReferences": [owner]}

    cluster = read(
        node(),
        pod("b", meta=at("2026-01-01T00:00:01Z")),
        pod("a", meta=at("2026-01-01T00:00:01Z", "v")),
        pod("c", meta=at("2026-01-01T01:00:00+01:00"), terminationGracePeriodSeconds=5),
        pod("d", meta=at(None)),
    )
    assert [name[-1] for name in cluster.pods] == ["d", "c", "a", "b"]
    assert cluster.owners == ("default/ReplicaSet/web", "default/ReplicaSet/web (v)")
    assert np.array_equal(cluster.owner, [0, 0, 1, 0])
    assert np.array_equal(cluster.grace, [30, 5, 30, 30])
