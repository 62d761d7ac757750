"""From what kubectl prints to a cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from cpsched.errors import InputError
from cpsched.instances.kubernetes import (
    amounts,
    budgets,
    documents,
    extras,
    fields,
    nodes,
    rules,
    selectors,
)
from cpsched.instances.kubernetes.canonical import canonical
from cpsched.instances.kubernetes.pods import Pod, PodReader
from cpsched.instances.kubernetes.priorities import PriorityClasses
from cpsched.pods.instance import PENDING, Budget, Cluster, Policy

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cpsched.instances.kubernetes.documents import ApiObject
    from cpsched.pods.instance import BoolArray, IntArray

#: Why pods stay on a node whose kubelet is not heard of: nobody there would confirm their end.
_UNREADY: Final = "its node is not ready"


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
    names = []
    for source, data in sources:
        names.append(source)
        for item in documents.api_objects(data, source):
            try:
                collected.add(item)
            except InputError as error:
                raise error.at(item.source) from None
            except RecursionError:
                raise InputError("nested too deep", source=item.source, path=item.path) from None
    try:
        return collected.cluster(name)
    except InputError as error:
        # What has no place yet is about all that was read.
        raise error if error.source else _of_all(error.reason, names) from None


def _of_all(reason: str, sources: list[str]) -> InputError:
    """Error about everything in *sources*."""
    if len(sources) == 1:
        return InputError(reason, source=sources[0], path="$")
    shown = ", ".join(sources[:3]) + (", …" if sources[3:] else "")
    return InputError(reason, source=shown or None)


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
        table = nodes.NodeTable(self._nodes)
        pods = [pod for pod in self._pods if not _is_gone(pod, table)]
        if not pods:
            raise InputError("the snapshot holds no pod that has not finished")
        pods.sort(key=lambda pod: (pod.created, pod.namespace, pod.name))
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
    resources = known.resources or amounts.resources(pods)
    index = rules.PodIndex(pods, namespaces)
    compiled = rules.compile_rules(pods, table, index)
    held = [pod.held or _left_there(pod, table) for pod in pods]
    cluster_budgets = _budgets(pods, found_budgets, held)
    for at, reason in compiled.unread.items():
        held[at] = held[at] or reason
    allowed, profile = _profiles(pods, held, table)
    owners, owner = _owners(pods)
    return Cluster(
        name=known.name,
        resources=resources,
        nodes=tuple(entry.name for entry in table.nodes),
        allocatable=amounts.allocatable(table.nodes, resources),
        pods=tuple(pod.full_name for pod in pods),
        request=amounts.requests(pods, resources),
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


def _is_gone(pod: Pod, table: nodes.NodeTable) -> bool:
    """Whether a pod is terminating on a node that is gone: it takes nothing of those there are."""
    return pod.terminating and pod.node != "" and pod.node not in table.index


def _left_there(pod: Pod, table: nodes.NodeTable) -> str:
    """Reason why a pod is held that the state of its node is, "" for none."""
    if pod.node and not table.nodes[table.index[pod.node]].ready:
        return _UNREADY
    return ""


def _budgets(
    pods: list[Pod], found: list[budgets.DisruptionBudget], held: list[str]
) -> list[Budget]:
    """Budgets of *pods*; a pod under two of them is *held*: the Eviction API refuses it."""
    keys = {entry.key for budget in found for entry in budget.selector or ()}
    labels = selectors.LabelIndex((pod.labels for pod in pods), keys)
    members: dict[str, list[int]] = {}
    for at, pod in enumerate(pods):
        if pod.node and budgets.is_asked(pod):
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
