"""From what pods ask of each other to the rules of a cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cpsched.instances.kubernetes import fields, selectors
from cpsched.pods.instance import Affinity, Conflict, Spread

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cpsched.instances.kubernetes.nodes import NodeTable
    from cpsched.instances.kubernetes.pods import Pod
    from cpsched.instances.kubernetes.terms import HostPort, SpreadTerm, Term
    from cpsched.pods.instance import BoolArray, IntArray

#: Label that every namespace has: its name.
_NAMESPACE_NAME = "kubernetes.io/metadata.name"


class Rules(NamedTuple):
    """Compiled rules, each with the topology key (the first, of an affinity) that it is about.

    unread: pods whose rules the snapshot does not tell, with the reason.
    """

    conflicts: list[tuple[str, Conflict]]
    affinities: list[tuple[str, Affinity]]
    spreads: list[tuple[str, Spread]]
    unread: dict[int, str]


class PodIndex:
    """Which pods a selector matches.

    namespaces: labels of those that are in the snapshot as objects.
    """

    def __init__(self, pods: list[Pod], namespaces: Mapping[str, Mapping[str, str]]) -> None:
        asked: set[str] = set()
        for pod in pods:
            shape = pod.shape
            chosen = [term.selector for term in (*shape.affinity, *shape.anti_affinity)]
            chosen += [term.selector for term in shape.spreads]
            asked.update(entry.key for selector in chosen for entry in selector or ())
        self._pods = pods
        self._labels = selectors.LabelIndex((pod.labels for pod in pods), asked)
        self._members: dict[str, list[int]] = {}
        for at, pod in enumerate(pods):
            self._members.setdefault(pod.namespace, []).append(at)
        self._namespaces = namespaces

    def matching(
        self, selector: selectors.Selector | None, namespaces: frozenset[str] | None
    ) -> BoolArray:
        """Shape (num_pods,): pods in *namespaces* (None: in all) that *selector* matches."""
        found = self._labels.mask(selector)
        if namespaces is not None:
            inside = np.zeros(len(self._pods), dtype=np.bool_)
            for name in namespaces:
                inside[self._members.get(name, [])] = True
            found &= inside
        return found

    def namespaces(self, term: Term) -> tuple[frozenset[str] | None, str]:
        """Namespaces of *term* (None: all), and the name of one whose labels are not known."""
        if term.namespace_selector is None:
            return frozenset(term.namespaces), ""
        if not term.namespace_selector:
            return None, ""
        found = set(term.namespaces)
        by_name = all(entry.key == _NAMESPACE_NAME for entry in term.namespace_selector)
        for name in self._members:
            if name in found:
                continue  # by its name, whatever its labels
            labels = self._namespaces.get(name)
            if labels is None and not by_name:
                return None, name
            own = {**(labels or {}), _NAMESPACE_NAME: name}
            if selectors.matches(term.namespace_selector, own):
                found.add(name)
        return frozenset(found), ""


def compile_rules(pods: list[Pod], nodes: NodeTable, index: PodIndex) -> Rules:
    """Rules of *pods* (in order of arrival) on *nodes*."""
    rules = Rules([], [], [], {})
    _anti_affinities(pods, nodes, index, rules)
    _affinities(pods, nodes, index, rules)
    _spreads(pods, nodes, index, rules)
    _host_ports(pods, len(nodes.nodes), rules)
    return rules


def _anti_affinities(pods: list[Pod], nodes: NodeTable, index: PodIndex, rules: Rules) -> None:
    holders: dict[Term, list[int]] = {}
    for at, pod in enumerate(pods):
        for term in dict.fromkeys(pod.shape.anti_affinity):
            holders.setdefault(term, []).append(at)
    for term, members in holders.items():
        # Where a namespace's labels are not known, all are meant: no pod may then come to one that
        # might be refused there, and the holders stay where they are.
        namespaces, unknown = index.namespaces(term)
        if unknown:
            rules.unread.update(dict.fromkeys(members, _unread(unknown)))
        targets = _indices(index.matching(term.selector, namespaces))
        name = f"anti-affinity to {_selected(term.selector, namespaces)} by {_key(term)}"
        domain = nodes.domain(term.topology)
        rules.conflicts.append((term.topology, Conflict(name, domain, np.array(members), targets)))


def _affinities(pods: list[Pod], nodes: NodeTable, index: PodIndex, rules: Rules) -> None:
    holders: dict[tuple[Term, ...], list[int]] = {}
    for at, pod in enumerate(pods):
        if pod.shape.affinity:
            holders.setdefault(tuple(dict.fromkeys(pod.shape.affinity)), []).append(at)
    for group, members in holders.items():
        targets = np.ones(len(pods), dtype=np.bool_)
        texts = []
        unknown = ""
        for term in group:
            namespaces, missing = index.namespaces(term)
            unknown = unknown or missing
            targets &= index.matching(term.selector, namespaces)
            texts.append(f"{_selected(term.selector, namespaces)} by {_key(term)}")
        if unknown:
            rules.unread.update(dict.fromkeys(members, _unread(unknown)))
            continue
        affinity = Affinity(
            f"affinity to {' and '.join(texts)}",
            np.array([nodes.domain(term.topology) for term in group]),
            np.array(members),
            _indices(targets),
        )
        rules.affinities.append((group[0].topology, affinity))


class _SpreadGroup(NamedTuple):
    """What decides on a spread rule: equal for pods that share the rule."""

    term: SpreadTerm
    namespace: str
    topologies: frozenset[str]
    selected: tuple[object, ...]
    tolerations: tuple[object, ...]


def _spreads(pods: list[Pod], nodes: NodeTable, index: PodIndex, rules: Rules) -> None:
    holders: dict[_SpreadGroup, list[int]] = {}
    for at, pod in enumerate(pods):
        for term in dict.fromkeys(pod.shape.spreads):
            holders.setdefault(_spread_group(pod, term), []).append(at)
    alive = np.array([not pod.terminating for pod in pods], dtype=np.bool_)
    # Groups may differ in what they ask of nodes and still count the same ones.
    merged: dict[_SpreadRule, list[int]] = {}
    for group, members in holders.items():
        domain = _eligible(group.term, pods[members[0]], nodes)
        plain = group.term._replace(by_affinity=False, by_taints=False)
        rule = _SpreadRule(plain, group.namespace, domain.tobytes())
        merged.setdefault(rule, []).extend(members)
    for rule, members in merged.items():
        term, namespaces = rule.term, frozenset([rule.namespace])
        spread = Spread(
            f"spread of {_selected(term.selector, namespaces)} by {_key(term)}",
            np.frombuffer(rule.domain, dtype=np.int32),
            np.array(members),
            _indices(index.matching(term.selector, namespaces) & alive),
            term.max_skew,
            term.min_domains,
        )
        rules.spreads.append((term.topology, spread))


class _SpreadRule(NamedTuple):
    """A spread rule; domain: of each node, as bytes."""

    term: SpreadTerm
    namespace: str
    domain: bytes


def _spread_group(pod: Pod, term: SpreadTerm) -> _SpreadGroup:
    rule = pod.shape.rule
    return _SpreadGroup(
        term,
        pod.namespace,
        frozenset(entry.topology for entry in pod.shape.spreads),
        (rule.selector, rule.terms) if term.by_affinity else (),
        rule.tolerations if term.by_taints else (),
    )


def _eligible(term: SpreadTerm, pod: Pod, nodes: NodeTable) -> IntArray:
    """Domain of each node, -1 where pods are not counted for the constraint."""
    counts = np.ones(len(nodes.nodes), dtype=np.bool_)
    for other in pod.shape.spreads:
        # A node without one of the topologies counts for none of them.
        counts &= nodes.domain(other.topology) >= 0
    if term.by_affinity:
        counts &= nodes.selected(pod.shape.rule)
    if term.by_taints:
        counts &= nodes.tolerated(pod.shape.rule.tolerations, cordons=False)
    return np.where(counts, nodes.domain(term.topology), -1).astype(np.int32)


def _host_ports(pods: list[Pod], num_nodes: int, rules: Rules) -> None:
    """A port on all addresses excludes it on each, a port on one address on the same one."""
    takers: dict[tuple[str, int], dict[HostPort, list[int]]] = {}
    for at, pod in enumerate(pods):
        for port in pod.shape.ports:
            group = takers.setdefault((port.protocol, port.port), {})
            group.setdefault(port, []).append(at)
    node = np.arange(num_nodes, dtype=np.int32)
    for (protocol, number), group in sorted(takers.items()):
        name = f"host port {number}/{fields.shown(protocol)}"
        everyone = np.array([at for members in group.values() for at in members])
        for port, members in sorted(group.items()):
            if port.everywhere:
                rules.conflicts.append(("", Conflict(name, node, np.array(members), everyone)))
            else:
                at_address = f"{name} on {fields.shown(port.address)}"
                own = np.array(members)
                rules.conflicts.append(("", Conflict(at_address, node, own, own)))


def _indices(chosen: BoolArray) -> IntArray:
    return np.flatnonzero(chosen).astype(np.int32)


def _selected(selector: selectors.Selector | None, namespaces: frozenset[str] | None) -> str:
    """Selector and namespaces for people."""
    if selector is None:
        return "no pods"
    what = ",".join(map(str, selector)) or "all pods"
    if namespaces is None:
        return f"{what} in all namespaces"
    return f"{what} in {fields.shown(','.join(sorted(namespaces)) or 'no namespace')}"


def _key(term: Term | SpreadTerm) -> str:
    return fields.shown(term.topology)


def _unread(namespace: str) -> str:
    return (
        f"its namespaceSelector needs the labels of the namespace {namespace}, "
        "which is not in the snapshot"
    )
