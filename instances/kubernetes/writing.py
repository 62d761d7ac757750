"""A cluster as the list that kubectl prints.

The rules of a cluster are compiled: which pods, which domains. They are written with labels made
for them (``cpsched/conflict-3`` and the like): on a node the number of its domain, on a pod that
it is meant. ``parse_snapshot(dumps_snapshot(cluster))`` is ``canonical(cluster)``, and the cluster
itself if it came from a snapshot.
"""

from __future__ import annotations

import datetime
import json
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from cpsched.errors import InputError
from cpsched.instances.kubernetes import budgets, extras
from cpsched.instances.kubernetes.canonical import canonical
from cpsched.instances.kubernetes.extras import topology_key
from cpsched.instances.kubernetes.fields import MAX_NAME
from cpsched.instances.kubernetes.immovable import HELD, SYSTEM_CRITICAL

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cpsched.pods.instance import Cluster, Spread

_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_EPOCH: Final = datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC)
_PRIORITIES: Final = range(-(2**31), 2**31)
Json = dict[str, Any]


def dumps_snapshot(cluster: Cluster) -> str:
    """JSON text of *cluster* as a ``List`` of nodes, pods and disruption budgets.

    Raises
    ------
    InputError
        If an API object cannot say it: a pod that is no ``namespace/name``, takes not one slot
        (``pods``), holds two affinities, a spread or a budget over several namespaces, …
    """
    cluster = canonical(cluster)
    _check(cluster)
    pods = [_pod(cluster, at) for at in range(cluster.num_pods)]
    nodes = [_node(cluster, at) for at in range(cluster.num_nodes)]
    _write_profiles(cluster, pods, nodes)
    _write_conflicts(cluster, pods, nodes)
    _write_affinities(cluster, pods, nodes)
    _write_spreads(cluster, pods, nodes)
    items = [_config_map(cluster), *nodes, *pods, *_write_budgets(cluster, pods)]
    head = '{"apiVersion": "v1", "kind": "List", "metadata": {"resourceVersion": ""}, "items": [\n'
    return head + ",\n".join(map(json.dumps, items)) + "\n]}\n"


def _check(cluster: Cluster) -> None:
    """InputError for what no pod or node can say of itself."""
    for name in cluster.nodes:
        if not _is_name(name):
            raise InputError(f"a Kubernetes node cannot be called {name!a}")
    for at, name in enumerate(cluster.pods):
        namespace, _, own = name.partition("/")
        if not (_is_name(namespace) and _is_name(own)):
            raise InputError(f"a Kubernetes pod is called namespace/name, not {name!a}")
        if int(cluster.priority[at]) not in _PRIORITIES:
            raise InputError(f"pod {name}: {cluster.priority[at]} is no Kubernetes priority")
        if cluster.grace[at] >= 2**31:
            raise InputError(f"pod {name}: a grace period of {cluster.grace[at]} s is too long")
    if "pods" in cluster.resources:
        slots = cluster.request[:, cluster.resources.index("pods")]
        if (slots != 1).any():
            name = cluster.pods[int(np.argmax(slots != 1))]
            raise InputError(f"pod {name}: a Kubernetes pod takes one slot (pods)")


def _is_name(name: str) -> bool:
    return 0 < len(name) <= MAX_NAME and name.isprintable() and not {" ", "/"} & set(name)


def _amount(resource: str, value: int) -> str:
    return f"{value}m" if resource == "cpu" else str(value)


def _node(cluster: Cluster, at: int) -> Json:
    row = cluster.allocatable[at].tolist()
    amounts = {name: _amount(name, row[k]) for k, name in enumerate(cluster.resources)}
    if not amounts:
        amounts = {"pods": "0"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": cluster.nodes[at], "labels": {}},
        "spec": {},
        "status": {
            "allocatable": amounts,
            "capacity": amounts,
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    }


def _pod(cluster: Cluster, at: int) -> Json:
    namespace, _, name = cluster.pods[at].partition("/")
    running = bool(cluster.running[at])
    created = _EPOCH + datetime.timedelta(seconds=at)
    meta: Json = {
        "name": name,
        "namespace": namespace,
        "creationTimestamp": created.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "labels": {},
    }
    kind = _write_owner(cluster, at, meta)
    reason = cluster.held[at]
    if reason or (running and (not kind or cluster.priority[at] >= SYSTEM_CRITICAL)):
        meta["annotations"] = {HELD: reason}
    row = cluster.request[at].tolist()
    requests = {
        resource: _amount(resource, row[k])
        for k, resource in enumerate(cluster.resources)
        if resource != "pods" and row[k]
    }
    spec: Json = {
        "containers": [{"name": "main", "resources": {"requests": requests}}],
        "priority": int(cluster.priority[at]),
        "preemptionPolicy": "PreemptLowerPriority" if cluster.preempts[at] else "Never",
        "terminationGracePeriodSeconds": int(cluster.grace[at]),
    }
    status: Json = {"phase": "Pending"}
    if running:
        spec["nodeName"] = cluster.nodes[int(cluster.node[at])]
        status = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec, "status": status}


def _write_owner(cluster: Cluster, at: int, meta: Json) -> str:
    """Put the owner of a pod into its metadata; its kind, "" for none."""
    number = int(cluster.owner[at])
    if number < 0:
        return ""
    owner = cluster.owners[number]
    plain, _, uid = owner.partition(" (")
    namespace, _, rest = plain.partition("/")
    kind, _, name = rest.partition("/")
    if namespace != meta["namespace"] or not (_is_name(kind) and _is_name(name)):
        raise InputError(
            f"pod {cluster.pods[at]}: an owner in Kubernetes is called namespace/Kind/name, in "
            f"the namespace of the pod, not {owner!a}"
        )
    if kind in ("DaemonSet", "Node") and cluster.running[at] and not cluster.held[at]:
        raise InputError(f"pod {cluster.pods[at]}: pods of a {kind} are not moved")
    # The first of several lives of a controller has no uid in its name, but one of its own.
    uid = uid.removesuffix(")") if plain != owner else owner
    meta["ownerReferences"] = [{"kind": kind, "name": name, "controller": True, "uid": uid}]
    return kind


def _config_map(cluster: Cluster) -> Json:
    known = extras.Extras(
        cluster.name,
        cluster.policy,
        cluster.resources,
        {
            "conflict": tuple(rule.name for rule in cluster.conflicts),
            "affinity": tuple(rule.name for rule in cluster.affinities),
            "spread": tuple(rule.name for rule in cluster.spreads),
        },
    )
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": extras.CONFIG_MAP, "namespace": "default"},
        "data": {extras.ENTRY: json.dumps(known.to_json())},
    }


def _label(items: list[Json], members: Iterable[int], key: str, value: str = "yes") -> None:
    for at in members:
        items[at]["metadata"]["labels"][key] = value


def _write_domains(nodes: list[Json], domain: Any, key: str) -> None:
    for at, number in enumerate(domain.tolist()):
        if number >= 0:
            nodes[at]["metadata"]["labels"][key] = str(number)


def _selector(key: str) -> Json:
    return {"matchLabels": {key: "yes"}}


def _write_profiles(cluster: Cluster, pods: list[Json], nodes: list[Json]) -> None:
    for number, row in enumerate(cluster.allowed):
        if row.all():
            continue
        key = f"cpsched/profile-{number}"
        _label(nodes, np.flatnonzero(row).tolist(), key)
        for at in np.flatnonzero(cluster.profile == number).tolist():
            pods[at]["spec"]["nodeSelector"] = {key: "yes"}


def _affinity(pod: Json, field: str) -> list[Json]:
    """The list of required terms of a pod, there for appending."""
    group = pod["spec"].setdefault("affinity", {}).setdefault(field, {})
    terms: list[Json] = group.setdefault(_REQUIRED, [])
    return terms


def _term(topology: str, label: str) -> Json:
    return {
        "topologyKey": topology,
        "labelSelector": _selector(label),
        "namespaceSelector": {},
    }


def _write_conflicts(cluster: Cluster, pods: list[Json], nodes: list[Json]) -> None:
    for number, rule in enumerate(cluster.conflicts):
        key = topology_key("conflict", number)
        _write_domains(nodes, rule.domain, key)
        _label(pods, rule.targets.tolist(), key)
        for at in rule.holders.tolist():
            _affinity(pods[at], "podAntiAffinity").append(_term(key, key))


def _write_affinities(cluster: Cluster, pods: list[Json], nodes: list[Json]) -> None:
    for number, rule in enumerate(cluster.affinities):
        key = topology_key("affinity", number)
        keys = [f"{key}-{term}" for term in range(len(rule.domains))]
        for topology, domain in zip(keys, rule.domains, strict=True):
            _write_domains(nodes, domain, topology)
        _label(pods, rule.targets.tolist(), key)
        for at in rule.holders.tolist():
            terms = _affinity(pods[at], "podAffinity")
            if terms:
                raise InputError(
                    f"pod {cluster.pods[at]} holds several affinities, {rule.name} and others; "
                    "in Kubernetes the terms of a pod are one affinity"
                )
            terms += [_term(topology, key) for topology in keys]


def _write_spreads(cluster: Cluster, pods: list[Json], nodes: list[Json]) -> None:
    spaces = np.array([name.partition("/")[0] for name in cluster.pods])
    of_pod: dict[int, Spread] = {}
    for number, rule in enumerate(cluster.spreads):
        members = set(spaces[rule.holders].tolist()) | set(spaces[rule.counted].tolist())
        if len(members) > 1:
            raise InputError(
                f"{rule.name}: pods of several namespaces ({', '.join(sorted(members))}); "
                "in Kubernetes a pod is spread with those of its own"
            )
        key = topology_key("spread", number)
        _write_domains(nodes, rule.domain, key)
        _label(pods, rule.counted.tolist(), key)
        constraint = {
            "topologyKey": key,
            "labelSelector": _selector(key),
            "maxSkew": rule.max_skew,
            "minDomains": rule.min_domains,
            "whenUnsatisfiable": "DoNotSchedule",
            "nodeAffinityPolicy": "Ignore",
            "nodeTaintsPolicy": "Ignore",
        }
        for at in rule.holders.tolist():
            other = of_pod.setdefault(at, rule)
            if ((other.domain < 0) != (rule.domain < 0)).any():
                raise InputError(
                    f"pod {cluster.pods[at]} holds {other.name} and {rule.name}, which leave out "
                    "different nodes; in Kubernetes a node counts for all spreads of a pod or none"
                )
            pods[at]["spec"].setdefault("topologySpreadConstraints", []).append(constraint)


def _write_budgets(cluster: Cluster, pods: list[Json]) -> list[Json]:
    found = []
    for number, budget in enumerate(cluster.budgets):
        spaces = {cluster.pods[at].partition("/")[0] for at in budget.pods.tolist()}
        if len(spaces) > 1:
            raise InputError(
                f"budget {budget.name}: pods of several namespaces "
                f"({', '.join(sorted(spaces))}); in Kubernetes a budget is of one"
            )
        namespace = spaces.pop()
        space, _, own = budget.name.partition("/")
        is_plain = space == namespace and _is_name(own)
        key = f"cpsched/budget-{number}"
        _label(pods, budget.pods.tolist(), key)
        meta: Json = {"name": own if is_plain else f"budget-{number}", "namespace": namespace}
        if not is_plain:
            meta["annotations"] = {budgets.NAME: budget.name}
        found.append(
            {
                "apiVersion": "policy/v1",
                "kind": "PodDisruptionBudget",
                "metadata": meta,
                "spec": {"selector": _selector(key)},
                "status": {"disruptionsAllowed": budget.allowed},
            }
        )
    return found
