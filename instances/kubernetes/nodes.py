"""Nodes of a snapshot: what they offer, and where a pod may come by what only nodes decide."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from cpsched.errors import InputError
from cpsched.instances.formats.native import describe
from cpsched.instances.kubernetes import fields, quantity, selectors

if TYPE_CHECKING:
    from cpsched.instances.kubernetes.documents import ApiObject
    from cpsched.pods.instance import BoolArray, IntArray

#: Labels that the writer puts on nodes for domains begin so; their values are the domain numbers.
DOMAIN_PREFIX: Final = "cpsched/"

_UNSCHEDULABLE = "node.kubernetes.io/unschedulable"
_EFFECTS = ("NoSchedule", "NoExecute", "PreferNoSchedule")


class Taint(NamedTuple):
    """What keeps pods away from a node, unless they tolerate it."""

    key: str
    value: str
    effect: str


class Toleration(NamedTuple):
    """Which taints a pod does not mind; the empty key or effect stands for all."""

    key: str
    operator: str
    value: str
    effect: str

    def tolerates(self, taint: Taint) -> bool:
        """Whether *taint* does not matter."""
        if self.effect and self.effect != taint.effect:
            return False
        if self.key and self.key != taint.key:
            return False
        if self.operator == "Exists":
            return True
        if self.operator == "Equal":
            return self.value == taint.value
        bound, number = selectors.integer(self.value), selectors.integer(taint.value)
        if bound is None or number is None:
            return False
        return number < bound if self.operator == "Lt" else number > bound


class NodeTerm(NamedTuple):
    """Conditions on labels, and on the name (fields), that hold together."""

    labels: tuple[selectors.Requirement, ...]
    names: tuple[selectors.Requirement, ...]


class NodeRule(NamedTuple):
    """What a pod asks of a node. terms: one of them must match; None: there are none."""

    selector: selectors.Selector
    terms: tuple[NodeTerm, ...] | None
    tolerations: tuple[Toleration, ...]


@dataclass(frozen=True, slots=True)
class Node:
    """One node. amounts: allocatable, by resource, in units of 10^-9.

    ready: whether its kubelet says so, or nothing is known; leaving: whether it is being deleted.
    """

    source: str
    path: str
    name: str
    labels: dict[str, str]
    taints: tuple[Taint, ...]
    amounts: dict[str, int]
    cordoned: bool
    ready: bool
    leaving: bool

    def error(self, reason: str, resource: str) -> InputError:
        """Error at what this node has of a resource."""
        path = fields.step(f"{self.path}.status.allocatable", resource)
        return InputError(f"node {self.name}: {reason}", source=self.source, path=path)


def parse_node(item: ApiObject) -> Node:
    """Node of an API object; InputError with the path of what is wrong."""
    meta = fields.mapping(item.body.get("metadata"), f"{item.path}.metadata")
    spec = fields.mapping(item.body.get("spec"), f"{item.path}.spec")
    status = fields.mapping(item.body.get("status"), f"{item.path}.status")
    path = f"{item.path}.status.allocatable"
    amounts = quantity.amounts(status.get("allocatable"), path)
    name = fields.name(meta.get("name"), f"{item.path}.metadata.name")
    if not amounts:
        raise InputError(f"node {name} has no allocatable resources", path=path)
    return Node(
        source=item.source,
        path=item.path,
        name=name,
        labels=fields.labels(meta.get("labels"), f"{item.path}.metadata.labels"),
        taints=_taints(spec.get("taints"), f"{item.path}.spec.taints"),
        amounts=amounts,
        cordoned=fields.flag(spec.get("unschedulable"), f"{item.path}.spec.unschedulable"),
        ready=condition(status, "Ready", f"{item.path}.status") in ("True", ""),
        leaving=meta.get("deletionTimestamp") is not None,
    )


def condition(status: dict[str, Any], kind: str, path: str, field: str = "status") -> str:
    """*field* of the condition *kind* of an object, "" if it has none."""
    entries = fields.sequence(status.get("conditions"), f"{path}.conditions")
    for at, value in enumerate(entries):
        where = f"{path}.conditions[{at}]"
        entry = fields.mapping(value, where)
        if entry.get("type") == kind:
            return fields.string(entry.get(field), f"{where}.{field}")
    return ""


def _taints(value: Any, path: str) -> tuple[Taint, ...]:
    found = []
    for at, entry in enumerate(fields.sequence(value, path)):
        where = f"{path}[{at}]"
        body = fields.mapping(entry, where)
        effect = body.get("effect")
        if not isinstance(effect, str) or effect not in _EFFECTS:
            raise InputError(
                f"unknown effect {describe(effect)}; known: {', '.join(_EFFECTS)}",
                path=f"{where}.effect",
            )
        found.append(
            Taint(
                fields.string(body.get("key"), f"{where}.key"),
                fields.string(body.get("value"), f"{where}.value"),
                effect,
            )
        )
    return tuple(found)


def parse_rule(spec: dict[str, Any], path: str) -> NodeRule:
    """Node selector, required node affinity and tolerations of a pod's *spec*."""
    pairs = fields.labels(spec.get("nodeSelector"), f"{path}.nodeSelector")
    selector = tuple(
        selectors.Requirement(key, "In", (value,)) for key, value in sorted(pairs.items())
    )
    affinity = fields.mapping(spec.get("affinity"), f"{path}.affinity")
    where = f"{path}.affinity.nodeAffinity"
    node = fields.mapping(affinity.get("nodeAffinity"), where)
    where += ".requiredDuringSchedulingIgnoredDuringExecution"
    required = node.get("requiredDuringSchedulingIgnoredDuringExecution")
    terms = None if required is None else _terms(fields.mapping(required, where), where)
    return NodeRule(selector, terms, _tolerations(spec.get("tolerations"), f"{path}.tolerations"))


def _terms(required: dict[str, Any], path: str) -> tuple[NodeTerm, ...]:
    path += ".nodeSelectorTerms"
    found = []
    for at, entry in enumerate(fields.sequence(required.get("nodeSelectorTerms"), path)):
        where = f"{path}[{at}]"
        body = fields.mapping(entry, where)
        labels = selectors.node_requirements(
            body.get("matchExpressions"), f"{where}.matchExpressions"
        )
        names = selectors.requirements(
            body.get("matchFields"), f"{where}.matchFields", ("In", "NotIn")
        )
        for number, field in enumerate(names):
            if field.key != "metadata.name" or len(field.values) != 1:
                raise InputError(
                    "a field condition is on metadata.name and has one value",
                    path=f"{where}.matchFields[{number}]",
                )
        found.append(NodeTerm(tuple(labels), tuple(names)))
    return tuple(found)


def _tolerations(value: Any, path: str) -> tuple[Toleration, ...]:
    found = []
    for at, entry in enumerate(fields.sequence(value, path)):
        where = f"{path}[{at}]"
        body = fields.mapping(entry, where)
        found.append(
            Toleration(
                fields.string(body.get("key"), f"{where}.key"),
                fields.choice(
                    body.get("operator"),
                    ("Equal", "Exists", "Lt", "Gt"),
                    "Equal",
                    f"{where}.operator",
                ),
                fields.string(body.get("value"), f"{where}.value"),
                fields.choice(body.get("effect"), _EFFECTS, "", f"{where}.effect"),
            )
        )
    return tuple(found)


class NodeTable:
    """All nodes; each question about them is answered once."""

    def __init__(self, nodes: list[Node]) -> None:
        self.nodes = nodes
        self.index = {node.name: at for at, node in enumerate(nodes)}
        self._selected: dict[tuple[object, ...], BoolArray] = {}
        self._tolerated: dict[tuple[object, ...], BoolArray] = {}
        self._domains: dict[str, IntArray] = {}

    @cached_property
    def _labels(self) -> selectors.LabelIndex:
        keys = {key for node in self.nodes for key in node.labels}
        return selectors.LabelIndex((node.labels for node in self.nodes), keys)

    @cached_property
    def _open(self) -> BoolArray:
        return np.array([node.ready and not node.leaving for node in self.nodes], dtype=np.bool_)

    def allowed(self, rule: NodeRule) -> BoolArray:
        """Shape (num_nodes,): nodes to which a pod with *rule* may come."""
        return self._open & self.selected(rule) & self.tolerated(rule.tolerations, cordons=True)

    def selected(self, rule: NodeRule) -> BoolArray:
        """Shape (num_nodes,): nodes that node selector and required node affinity match."""
        key = (rule.selector, rule.terms)
        known = self._selected.get(key)
        if known is None:
            known = self._labels.mask(rule.selector)
            if rule.terms is not None:
                anywhere = np.zeros(len(self.nodes), dtype=np.bool_)
                for term in rule.terms:
                    anywhere |= self._term(term)
                known &= anywhere
            self._selected[key] = known
        return known

    def _term(self, term: NodeTerm) -> BoolArray:
        if not term.labels and not term.names:
            return np.zeros(len(self.nodes), dtype=np.bool_)  # an empty term matches nothing
        found = self._labels.mask(term.labels)
        for field in term.names:
            named = np.zeros(len(self.nodes), dtype=np.bool_)
            at = self.index.get(field.values[0])
            if at is not None:
                named[at] = True
            found &= named if field.operator == "In" else ~named
        return found

    def tolerated(self, tolerations: tuple[Toleration, ...], *, cordons: bool) -> BoolArray:
        """Shape (num_nodes,): nodes whose taints (and *cordons*) a pod tolerates."""
        key = (tolerations, cordons)
        known = self._tolerated.get(key)
        if known is None:
            known = np.ones(len(self.nodes), dtype=np.bool_)
            for taint, is_cordon, members in self._tainted:
                if (cordons or not is_cordon) and not any(t.tolerates(taint) for t in tolerations):
                    known[members] = False
            self._tolerated[key] = known
        return known

    @cached_property
    def _tainted(self) -> list[tuple[Taint, bool, list[int]]]:
        """Distinct taints that keep pods away, whether they are cordons, and their nodes."""
        found: dict[tuple[Taint, bool], list[int]] = {}
        for at, node in enumerate(self.nodes):
            for taint in set(node.taints):
                if taint.effect != "PreferNoSchedule":
                    found.setdefault((taint, False), []).append(at)
            if node.cordoned:
                cordon = Taint(_UNSCHEDULABLE, "", "NoSchedule")
                found.setdefault((cordon, True), []).append(at)
        return [(taint, is_cordon, members) for (taint, is_cordon), members in found.items()]

    def domain(self, key: str) -> IntArray:
        """Shape (num_nodes,): number of each node's value of the label *key*, -1 without one."""
        known = self._domains.get(key)
        if known is None:
            values = [node.labels.get(key) for node in self.nodes]
            numbers = _written_numbers(key, values)
            if numbers is None:
                order: dict[str, int] = {}
                numbers = [
                    -1 if value is None else order.setdefault(value, len(order))
                    for value in values
                ]
            known = self._domains[key] = np.array(numbers, dtype=np.int32)
        return known


def _written_numbers(key: str, values: list[str | None]) -> list[int] | None:
    """The domain numbers that the writer wrote as labels, None for other labels."""
    if not key.startswith(DOMAIN_PREFIX):
        return None
    names = {str(number): number for number in range(len(values))}
    if any(value is not None and value not in names for value in values):
        return None
    return [-1 if value is None else names[value] for value in values]
