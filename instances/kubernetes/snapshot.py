"""From what kubectl prints to a cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from cpsched.errors import InputError
from cpsched.instances.kubernetes import (
    budgets,
    documents,
    extras,
    fields,
    nodes,
    quantity,
    rules,
    selectors,
)
from cpsched.instances.kubernetes.canonical import canonical
from cpsched.instances.kubernetes.pods import Pod, PodReader
from cpsched.instances.kubernetes.priorities import PriorityClasses
from cpsched.pods.instance import MAX_AMOUNT, PENDING, Budget, Cluster, Policy

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cpsched.instances.kubernetes.documents import ApiObject
    from cpsched.pods.instance import BoolArray, IntArray, LongArray

#: Resources in the order in which they come first in a cluster; the others follow by name.
_FIRST: Final = ("cpu", "memory", "ephemeral-storage", "pods")


def parse_snapshot(sources: Iterable[tuple[str, bytes]], name: str) -> Cluster:
    """Cluster of the objects in one or several files.

    Parameters
    ----------
    sources
        Name, for errors, and content of each file: JSON or YAML, lists or single objects.
    name
        Name of the cluster, unless a file that cpsched wrote holds one.

    Raises
    ------
    InputError
        With the file and the line or JSON path of what is wrong.
    """
    collected = _Collector()
    for source, data in sources:
        for item in documents.api_objects(data, source):
            try:
                collected.add(item)
            except InputError as error:
                raise error.at(item.source) from None
            except RecursionError:
                raise InputError("nested too deep", source=item.source, path=item.path) from None
    return collected.cluster(name)


class _Collector:
    """Objects of all files, then the cluster that they make."""

    def __init__(self) -> None:
        self._nodes: list[nodes.Node] = []
        self._pods: list[Pod] = []
        self._budgets: list[budgets.DisruptionBudget] = []
        self._namespaces: dict[str, dict[str, str]] = {}
        self._extras: extras.Extras | None = None
        self._classes = PriorityClasses()
        self._reader = PodReader(self._classes)
        #: Pods whose priority is that of a class, which may come later.
        self._waiting: list[ApiObject] = []
        self._seen: set[tuple[str, str]] = set()

    def add(self, item: ApiObject) -> None:
        """Take one object."""
        match item.kind:
            case "Node":
                node = nodes.parse_node(item)
                self._once("node", node.name, item)
                self._nodes.append(node)
            case "Pod":
                spec = item.body.get("spec")
                if isinstance(spec, dict) and spec.get("priority") is None:
                    self._waiting.append(item)
                else:
                    self._add_pod(item)
            case "PodDisruptionBudget":
                budget = budgets.parse(item)
                self._once("budget", budget.name, item)
                self._budgets.append(budget)
            case "PriorityClass":
                self._classes.add(item)
            case "Namespace":
                meta = fields.mapping(item.body.get("metadata"), f"{item.path}.metadata")
                name = fields.name(meta.get("name"), f"{item.path}.metadata.name")
                self._once("namespace", name, item)
                self._namespaces[name] = fields.labels(
                    meta.get("labels"), f"{item.path}.metadata.labels"
                )
            case "ConfigMap" if extras.is_ours(item):
                self._once("ConfigMap", extras.CONFIG_MAP, item)
                self._extras = extras.parse(item)

    def _add_pod(self, item: ApiObject) -> None:
        pod = self._reader.parse(item)
        if pod is not None:
            self._once("pod", pod.full_name, item)
            self._pods.append(pod)

    def _once(self, kind: str, name: str, item: ApiObject) -> None:
        if (kind, name) in self._seen:
            raise InputError(f"{kind} {name} occurs twice", path=f"{item.path}.metadata.name")
        self._seen.add((kind, name))

    def cluster(self, name: str) -> Cluster:
        """Cluster of all objects."""
        for item in self._waiting:
            try:
                self._add_pod(item)
            except InputError as error:
                raise error.at(item.source) from None
            except RecursionError:
                raise InputError("nested too deep", source=item.source, path=item.path) from None
        if not self._nodes:
            raise InputError("the snapshot holds no node; ask kubectl for nodes,pods,…")
        if not self._pods:
            raise InputError("the snapshot holds no pod that has not finished")
        pods = sorted(self._pods, key=lambda pod: (pod.created, pod.namespace, pod.name))
        table = nodes.NodeTable(self._nodes)
        known = self._extras or extras.Extras(name, Policy(), (), dict.fromkeys(extras.KINDS, ()))
        return canonical(_assemble(table, pods, self._budgets, self._namespaces, known))


def _assemble(
    table: nodes.NodeTable,
    pods: list[Pod],
    found_budgets: list[budgets.DisruptionBudget],
    namespaces: dict[str, dict[str, str]],
    known: extras.Extras,
) -> Cluster:
    node = _bound(pods, table)
    index = rules.PodIndex(pods, namespaces)
    compiled = rules.compile_rules(pods, table, index)
    held = [pod.held for pod in pods]
    cluster_budgets = _budgets(pods, found_budgets, held)
    for at, reason in compiled.unread.items():
        held[at] = held[at] or reason
    allowed, profile = _profiles(pods, held, table)
    owners, owner = _owners(pods)
    found = _resources(table, pods)
    resources = known.resources or found
    for pod in pods:
        for resource, amount in pod.shape.request.items():
            if amount and resource not in resources:
                raise pod.error(f"requests {resource}, which the snapshot leaves out", "spec")
    return Cluster(
        name=known.name,
        resources=resources,
        nodes=tuple(entry.name for entry in table.nodes),
        allocatable=_amounts([entry.amounts for entry in table.nodes], resources),
        pods=tuple(pod.full_name for pod in pods),
        request=_requests(pods, resources),
        priority=np.array([pod.priority for pod in pods], dtype=np.int64),
        node=node,
        owners=owners,
        owner=owner,
        allowed=allowed,
        profile=profile,
        held=tuple(held),
        preempts=np.array([pod.preempts for pod in pods], dtype=np.bool_),
        grace=np.array([pod.grace for pod in pods], dtype=np.int64),
        budgets=tuple(cluster_budgets),
        conflicts=known.named("conflict", compiled.conflicts),
        affinities=known.named("affinity", compiled.affinities),
        spreads=known.named("spread", compiled.spreads),
        policy=known.policy,
    )


def _bound(pods: list[Pod], table: nodes.NodeTable) -> IntArray:
    node = np.full(len(pods), PENDING, dtype=np.int32)
    for at, pod in enumerate(pods):
        if pod.node:
            number = table.index.get(pod.node)
            if number is None:
                raise pod.error(
                    f"pod {pod.full_name} runs on the node {fields.shown(pod.node[:80])}, "
                    "which is not in the snapshot",
                    "spec.nodeName",
                )
            node[at] = number
    return node


def _budgets(
    pods: list[Pod], found: list[budgets.DisruptionBudget], held: list[str]
) -> list[Budget]:
    """Budgets of *pods*; a pod under two of them is *held*: the Eviction API refuses it."""
    keys = {entry.key for budget in found for entry in budget.selector or ()}
    labels = selectors.LabelIndex((pod.labels for pod in pods), keys)
    members: dict[str, list[int]] = {}
    for at, pod in enumerate(pods):
        if pod.node:
            members.setdefault(pod.namespace, []).append(at)
    covers: dict[int, str] = {}
    result = []
    for budget in found:
        inside = members.get(budget.namespace, [])
        selected = labels.mask(budget.selector)
        chosen = [at for at in inside if selected[at]]
        for at in chosen:
            if at in covers and not held[at]:
                held[at] = f"under two disruption budgets, {covers[at]} and {budget.name}"
            covers.setdefault(at, fields.shown(budget.name))
        counted = [at for at in chosen if budget.counts(pods[at])]
        result.append(Budget(budget.name, np.array(counted, dtype=np.int32), budget.allowed))
    return result


def _profiles(
    pods: list[Pod], held: list[str], table: nodes.NodeTable
) -> tuple[BoolArray, IntArray]:
    rows: list[BoolArray] = [np.zeros(len(table.nodes), dtype=np.bool_)]
    numbers: dict[nodes.NodeRule, int] = {}
    profile = np.zeros(len(pods), dtype=np.int32)
    for at, pod in enumerate(pods):
        if held[at]:
            continue  # it goes nowhere
        rule = pod.shape.rule
        if rule not in numbers:
            numbers[rule] = len(rows)
            rows.append(table.allowed(rule))
        profile[at] = numbers[rule]
    return np.array(rows), profile


def _owners(pods: list[Pod]) -> tuple[tuple[str, ...], IntArray]:
    numbers: dict[tuple[str, str], int] = {}
    names: dict[str, None] = {}
    owner = np.full(len(pods), -1, dtype=np.int32)
    for at, pod in enumerate(pods):
        if pod.controller is None:
            continue
        kind, own, uid = pod.controller
        name = f"{pod.namespace}/{kind}/{own}"
        key = (name, uid)
        if key not in numbers:
            numbers[key] = len(names)
            shown = name
            # A controller that was deleted and created again has pods of both lives.
            while shown in names:
                shown = f"{shown} ({fields.shown(uid)})"
            names[shown] = None
        owner[at] = numbers[key]
    return tuple(names), owner


def _resources(table: nodes.NodeTable, pods: list[Pod]) -> tuple[str, ...]:
    found = {resource for node in table.nodes for resource in node.amounts}
    for shape in {id(pod.shape.request): pod.shape.request for pod in pods}.values():
        found.update(shape)
    found.update(("cpu", "memory", "pods"))
    return (
        *(resource for resource in _FIRST if resource in found),
        *sorted(found.difference(_FIRST)),
    )


def _amounts(found: list[dict[str, int]], resources: tuple[str, ...]) -> LongArray:
    rows = [
        [min(quantity.scaled(row.get(name, 0), name), MAX_AMOUNT - 1) for name in resources]
        for row in found
    ]
    return np.array(rows, dtype=np.int64).reshape(len(found), len(resources))


def _requests(pods: list[Pod], resources: tuple[str, ...]) -> LongArray:
    """Shape (num_pods, num_resources); each pod takes one slot."""
    distinct: dict[int, int] = {}
    shapes: list[dict[str, int]] = []
    row = np.zeros(len(pods), dtype=np.int64)
    for at, pod in enumerate(pods):
        request = pod.shape.request
        number = distinct.setdefault(id(request), len(shapes))
        if number == len(shapes):
            shapes.append(request)
        row[at] = number
    table = _amounts(shapes, resources)
    if "pods" in resources:
        table[:, resources.index("pods")] = 1
    return np.asarray(table[row])
