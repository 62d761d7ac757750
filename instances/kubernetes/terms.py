"""What a pod asks of other pods: affinity terms, spread constraints, host ports."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from cpsched.errors import InputError
from cpsched.instances.kubernetes import fields, selectors

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cpsched.instances.kubernetes.selectors import Selector

_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_ANY_ADDRESS: Final = "0.0.0.0"


class Term(NamedTuple):
    """A required pod affinity or anti-affinity term, its selector completed for its pod.

    namespaces: by name; namespace_selector: and by label, None for none.
    """

    topology: str
    selector: Selector | None
    namespaces: tuple[str, ...]
    namespace_selector: Selector | None


class SpreadTerm(NamedTuple):
    """A topology spread constraint with DoNotSchedule, its selector completed for its pod."""

    topology: str
    selector: Selector | None
    max_skew: int
    min_domains: int
    by_affinity: bool
    by_taints: bool


class HostPort(NamedTuple):
    """A port of the node that a pod wants for itself."""

    protocol: str
    port: int
    address: str

    @property
    def everywhere(self) -> bool:
        """Whether it is taken on all addresses of the node."""
        return self.address == _ANY_ADDRESS


def affinity(
    spec: dict[str, Any], field: str, labels: Mapping[str, str], namespace: str, path: str
) -> tuple[Term, ...]:
    """Required terms of ``podAffinity`` or ``podAntiAffinity`` (*field*) of a pod."""
    group = fields.mapping(spec.get("affinity"), f"{path}.affinity").get(field)
    where = f"{path}.affinity.{field}"
    terms = fields.mapping(group, where).get(_REQUIRED)
    where += f".{_REQUIRED}"
    return tuple(
        _term(fields.mapping(entry, f"{where}[{at}]"), labels, namespace, f"{where}[{at}]")
        for at, entry in enumerate(fields.sequence(terms, where))
    )


def _term(body: dict[str, Any], labels: Mapping[str, str], namespace: str, path: str) -> Term:
    selector = selectors.label_selector(body.get("labelSelector"), f"{path}.labelSelector")
    for key, operator in (("matchLabelKeys", "In"), ("mismatchLabelKeys", "NotIn")):
        names = fields.strings(body.get(key), f"{path}.{key}")
        selector = _completed(selector, names, operator, labels)
    names = fields.strings(body.get("namespaces"), f"{path}.namespaces")
    by_label = selectors.label_selector(body.get("namespaceSelector"), f"{path}.namespaceSelector")
    if not names and by_label is None:
        names = (namespace,)
    return Term(_topology(body, path), selector, tuple(sorted(set(names))), by_label)


def _completed(
    selector: Selector | None, keys: tuple[str, ...], operator: str, labels: Mapping[str, str]
) -> Selector | None:
    """*selector* and the pod's own values of *keys*; those that it lacks are ignored."""
    if selector is None:
        return None
    own = [selectors.Requirement(key, operator, (labels[key],)) for key in keys if key in labels]
    return tuple(sorted({*selector, *own}))


def _topology(body: dict[str, Any], path: str) -> str:
    key = fields.string(body.get("topologyKey"), f"{path}.topologyKey")
    if not key:
        raise InputError("a topologyKey is needed", path=f"{path}.topologyKey")
    return key


def spreads(spec: dict[str, Any], labels: Mapping[str, str], path: str) -> tuple[SpreadTerm, ...]:
    """Topology spread constraints of a pod that keep it from being scheduled."""
    path += ".topologySpreadConstraints"
    found = []
    for at, entry in enumerate(fields.sequence(spec.get("topologySpreadConstraints"), path)):
        where = f"{path}[{at}]"
        body = fields.mapping(entry, where)
        action = fields.choice(
            body.get("whenUnsatisfiable"),
            ("DoNotSchedule", "ScheduleAnyway"),
            "DoNotSchedule",
            f"{where}.whenUnsatisfiable",
        )
        if action == "ScheduleAnyway":
            continue
        selector = selectors.label_selector(body.get("labelSelector"), f"{where}.labelSelector")
        keys = fields.strings(body.get("matchLabelKeys"), f"{where}.matchLabelKeys")
        least = body.get("minDomains")
        found.append(
            SpreadTerm(
                topology=_topology(body, where),
                selector=_completed(selector, keys, "In", labels),
                max_skew=fields.integer(body.get("maxSkew"), 1, 2**31 - 1, f"{where}.maxSkew"),
                min_domains=1
                if least is None
                else fields.integer(least, 1, 2**31 - 1, f"{where}.minDomains"),
                by_affinity=_policy(body, "nodeAffinityPolicy", "Honor", where),
                by_taints=_policy(body, "nodeTaintsPolicy", "Ignore", where),
            )
        )
    return tuple(found)


def _policy(body: dict[str, Any], key: str, default: str, path: str) -> bool:
    """Whether a node inclusion policy is Honor."""
    return fields.choice(body.get(key), ("Honor", "Ignore"), default, f"{path}.{key}") == "Honor"


def host_ports(spec: dict[str, Any], path: str) -> tuple[HostPort, ...]:
    """Ports of the node that containers and sidecars of a pod take."""
    on_host = fields.flag(spec.get("hostNetwork"), f"{path}.hostNetwork")
    found = set()
    for group in ("containers", "initContainers"):
        for at, value in enumerate(fields.sequence(spec.get(group), f"{path}.{group}")):
            where = f"{path}.{group}[{at}]"
            container = fields.mapping(value, where)
            if group == "initContainers" and container.get("restartPolicy") != "Always":
                continue
            where += ".ports"
            for number, entry in enumerate(fields.sequence(container.get("ports"), where)):
                port = _host_port(entry, on_host, f"{where}[{number}]")
                if port is not None:
                    found.add(port)
    return tuple(sorted(found))


def _host_port(value: Any, on_host: bool, path: str) -> HostPort | None:
    """Port of the node; in the node's own network (*on_host*) by default that of the container."""
    body = fields.mapping(value, path)
    port = _port(body, "hostPort", path) or (_port(body, "containerPort", path) if on_host else 0)
    if not port:
        return None
    return HostPort(
        fields.string(body.get("protocol"), f"{path}.protocol") or "TCP",
        port,
        fields.string(body.get("hostIP"), f"{path}.hostIP") or _ANY_ADDRESS,
    )


def _port(body: dict[str, Any], key: str, path: str) -> int:
    """Number of a port, 0 for none."""
    value = body.get(key)
    return 0 if value is None else fields.integer(value, 0, 65535, f"{path}.{key}")
