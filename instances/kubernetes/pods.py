"""Pods of a snapshot: each parsed once, what many pods have in common parsed once for all."""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from cpsched.errors import InputError
from cpsched.instances.formats.native import describe
from cpsched.instances.kubernetes import fields, immovable, nodes, requests, terms

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cpsched.instances.kubernetes.documents import ApiObject
    from cpsched.instances.kubernetes.priorities import PriorityClasses

T = TypeVar("T")

_PHASES = ("Pending", "Running", "Succeeded", "Failed", "Unknown")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?.{1,6}")
_DEFAULT_GRACE = 30
_ASKED = ("name", "resources", "ports", "restartPolicy")
_ACTUAL = ("name", "resources", "allocatedResources")
_MAX_CACHED = 100_000


class Shape(NamedTuple):
    """What a pod asks for; equal for the replicas of an owner."""

    request: requests.Amounts
    ports: tuple[terms.HostPort, ...]
    rule: nodes.NodeRule
    affinity: tuple[terms.Term, ...]
    anti_affinity: tuple[terms.Term, ...]
    spreads: tuple[terms.SpreadTerm, ...]


@dataclass(slots=True)
class Pod:
    """One pod. node: name of the node it runs on, "" for none; created: seconds."""

    source: str
    path: str
    namespace: str
    name: str
    created: float
    labels: Mapping[str, str]
    node: str
    controller: immovable.Controller | None
    shape: Shape
    priority: int
    preempts: bool
    grace: int
    held: str
    terminating: bool
    phase: str
    ready: bool

    @property
    def full_name(self) -> str:
        """Namespace and name."""
        return f"{self.namespace}/{self.name}"

    def error(self, reason: str, field: str) -> InputError:
        """Error at a field of this pod."""
        return InputError(reason, source=self.source, path=f"{self.path}.{field}")


class PodReader:
    """Reads pods; keeps what it has read of them by their text."""

    def __init__(self, classes: PriorityClasses) -> None:
        self._classes = classes
        self._known: dict[object, Any] = {}

    def parse(self, item: ApiObject) -> Pod | None:
        """Pod of an API object, None for one that has finished.

        Raises
        ------
        InputError
            With the path of what is wrong.
        """
        path = item.path
        meta = fields.mapping(item.body.get("metadata"), f"{path}.metadata")
        spec = fields.mapping(item.body.get("spec"), f"{path}.spec")
        status = fields.mapping(item.body.get("status"), f"{path}.status")
        name = fields.name(meta.get("name"), f"{path}.metadata.name")
        namespace = fields.namespace(meta.get("namespace"), f"{path}.metadata.namespace")
        phase = fields.choice(status.get("phase"), _PHASES, "", f"{path}.status.phase")
        if phase in ("Succeeded", "Failed"):
            return None
        labels = fields.labels(meta.get("labels"), f"{path}.metadata.labels")
        annotations = fields.labels(meta.get("annotations"), f"{path}.metadata.annotations")
        controller = _controller(meta, f"{path}.metadata")
        priority, preempts = self._classes.of(spec, f"{path}.spec")
        node = fields.string(spec.get("nodeName"), f"{path}.spec.nodeName")
        grace = spec.get("terminationGracePeriodSeconds")
        return Pod(
            source=item.source,
            path=path,
            namespace=namespace,
            name=name,
            created=self._created(meta, f"{path}.metadata"),
            labels=labels,
            node=node,
            controller=controller,
            shape=self._shape(spec, status, labels, namespace, path),
            priority=priority,
            preempts=preempts,
            grace=_DEFAULT_GRACE
            if grace is None
            else fields.integer(grace, 0, 2**31 - 1, f"{path}.spec.terminationGracePeriodSeconds"),
            held=immovable.reason(
                meta=meta,
                spec=spec,
                annotations=annotations,
                controller=controller,
                priority=priority,
                running=bool(node),
                path=path,
            ),
            terminating=meta.get("deletionTimestamp") is not None,
            phase=phase,
            ready=nodes.condition(status, "Ready", f"{path}.status") == "True",
        )

    def _shape(
        self,
        spec: dict[str, Any],
        status: dict[str, Any],
        labels: Mapping[str, str],
        namespace: str,
        path: str,
    ) -> Shape:
        where = f"{path}.spec"
        conditions = status.get("conditions")
        key = repr(
            (
                _parts(spec.get("containers"), _ASKED),
                _parts(spec.get("initContainers"), _ASKED),
                spec.get("hostNetwork"),
                spec.get("resources"),
                spec.get("overhead"),
                _parts(status.get("containerStatuses"), _ACTUAL),
                _parts(status.get("initContainerStatuses"), _ACTUAL),
                conditions if "PodResizePending" in str(conditions) else None,
            )
        )
        request, ports = self._once(
            ("request", key),
            lambda: (requests.parse(spec, status, path), terms.host_ports(spec, where)),
        )
        affinity = spec.get("affinity")
        if isinstance(affinity, dict):
            to_nodes: Any = affinity.get("nodeAffinity")
        else:
            to_nodes = affinity
        key = repr((spec.get("nodeSelector"), to_nodes, spec.get("tolerations")))
        rule = self._once(("rule", key), lambda: nodes.parse_rule(spec, where))
        key = repr((affinity, spec.get("topologySpreadConstraints")))
        # Such keys (also matchLabelKeys) take the pod's own labels into its selectors.
        own = tuple(sorted(labels.items())) if "atchLabelKeys" in key else ()
        pods = self._once(
            ("terms", key, namespace, own),
            lambda: (
                terms.affinity(spec, "podAffinity", labels, namespace, where),
                terms.affinity(spec, "podAntiAffinity", labels, namespace, where),
                terms.spreads(spec, labels, where),
            ),
        )
        return Shape(request, ports, rule, *pods)

    def _once(self, key: object, parse: Callable[[], T]) -> T:
        """What *parse* gives, or gave for the same text before."""
        if key not in self._known:
            if len(self._known) >= _MAX_CACHED:
                self._known.clear()
            self._known[key] = parse()
        found: T = self._known[key]
        return found

    def _created(self, meta: dict[str, Any], path: str) -> float:
        """Seconds since the epoch, minus infinity where nothing is said."""
        text = fields.string(meta.get("creationTimestamp"), f"{path}.creationTimestamp")
        if not text:
            return float("-inf")
        return self._once(("time", text), lambda: _seconds(text, f"{path}.creationTimestamp"))


def _parts(containers: Any, keys: tuple[str, ...]) -> Any:
    """Fields *keys* of each container: what decides on its request and its ports."""
    if type(containers) is not list:
        return containers
    return [
        [entry.get(key) for key in keys] if isinstance(entry, dict) else entry
        for entry in containers
    ]


def _seconds(text: str, path: str) -> float:
    try:
        if not _TIME.fullmatch(text):
            raise ValueError
        time = datetime.datetime.fromisoformat(text)
        if time.tzinfo is None:
            raise ValueError
        return time.timestamp()
    except (ValueError, OverflowError):
        raise InputError(
            f"a time is like 2026-01-31T12:00:00Z, not {describe(text)}", path=path
        ) from None


def _controller(meta: dict[str, Any], path: str) -> immovable.Controller | None:
    path += ".ownerReferences"
    for at, value in enumerate(fields.sequence(meta.get("ownerReferences"), path)):
        where = f"{path}[{at}]"
        owner = fields.mapping(value, where)
        if fields.flag(owner.get("controller"), f"{where}.controller"):
            return immovable.Controller(
                fields.name(owner.get("kind"), f"{where}.kind"),
                fields.name(owner.get("name"), f"{where}.name"),
                fields.string(owner.get("uid"), f"{where}.uid"),
            )
    return None
