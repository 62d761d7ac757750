"""Why a running pod may not be moved, and why a pending one may not be placed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from cpsched.instances.kubernetes import fields

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Annotation that decides on pods which could be moved but are not by default: empty, the pod may
#: be moved; else it may not, for the reason given.
HELD: Final = "cpsched/held"

#: Priority from which on a pod is critical to the system.
SYSTEM_CRITICAL: Final = 2_000_000_000

_MIRROR = "kubernetes.io/config.mirror"
_CONFIG_SOURCE = "kubernetes.io/config.source"
_EVICT = "descheduler.alpha.kubernetes.io/evict"
_PREFER_NO_EVICTION = "descheduler.alpha.kubernetes.io/prefer-no-eviction"
_SAFE_TO_EVICT = "cluster-autoscaler.kubernetes.io/safe-to-evict"

#: Volumes that bind a pod to no node, and hold nothing that a move would lose.
_FREE_VOLUMES: Final = frozenset(
    ("configMap", "secret", "projected", "downwardAPI", "nfs", "cephfs", "glusterfs", "image")
)
#: Volumes that bind a pending pod to no node, but whose content stays behind on a node.
_LOCAL_VOLUMES: Final = ("emptyDir", "hostPath")


class Controller(NamedTuple):
    """The controller that owns a pod."""

    kind: str
    name: str
    uid: str


def reason(
    *,
    meta: dict[str, Any],
    spec: dict[str, Any],
    annotations: Mapping[str, str],
    controller: Controller | None,
    priority: int,
    running: bool,
    path: str,
) -> str:
    """Reason why the pod at *path* is held, "" if it is not."""
    if meta.get("deletionTimestamp") is not None:
        return "terminating"
    firm = _firm(spec, annotations, controller, running, path)
    if firm:
        return firm
    if HELD in annotations:
        return annotations[HELD]
    scheduler = fields.string(spec.get("schedulerName"), f"{path}.spec.schedulerName")
    if scheduler not in ("", "default-scheduler"):
        return f"scheduled by {fields.shown(scheduler)}"
    return _by_default(spec, annotations, controller, priority, path) if running else ""


def _firm(
    spec: dict[str, Any],
    annotations: Mapping[str, str],
    controller: Controller | None,
    running: bool,
    path: str,
) -> str:
    """Reason that no annotation overrides."""
    if running:
        if _MIRROR in annotations:
            return "mirror pod"
        source = annotations.get(_CONFIG_SOURCE, "api")
        if source != "api" or (controller is not None and controller.kind == "Node"):
            return "static pod"
        if controller is not None and controller.kind == "DaemonSet":
            return "DaemonSet pod"
    gates = fields.sequence(spec.get("schedulingGates"), f"{path}.spec.schedulingGates")
    for at, value in enumerate(gates):
        where = f"{path}.spec.schedulingGates[{at}]"
        gate = fields.string(fields.mapping(value, where).get("name"), f"{where}.name")
        if not running:
            return f"scheduling gate {fields.shown(gate)}"
    for kind, name in _volumes(spec, f"{path}.spec.volumes"):
        if kind not in _FREE_VOLUMES and kind not in _LOCAL_VOLUMES:
            return f"needs the volume {name} ({kind}), whose nodes are not in the snapshot"
    for field in ("resourceClaims",):
        for at, value in enumerate(fields.sequence(spec.get(field), f"{path}.spec.{field}")):
            where = f"{path}.spec.{field}[{at}]"
            name = fields.string(fields.mapping(value, where).get("name"), f"{where}.name")
            return f"needs the resource claim {fields.shown(name)}: dynamic allocation is not read"
    return ""


def _by_default(
    spec: dict[str, Any],
    annotations: Mapping[str, str],
    controller: Controller | None,
    priority: int,
    path: str,
) -> str:
    if controller is None:
        return "no controller would create it again"
    if _PREFER_NO_EVICTION in annotations:
        return f"annotation {_PREFER_NO_EVICTION}"
    if annotations.get(_SAFE_TO_EVICT) == "false":
        return f"annotation {_SAFE_TO_EVICT}=false"
    if _EVICT in annotations:
        return ""
    if priority >= SYSTEM_CRITICAL:
        return "critical to the system by its priority"
    if annotations.get(_SAFE_TO_EVICT) != "true":
        for kind, name in _volumes(spec, f"{path}.spec.volumes"):
            if kind in _LOCAL_VOLUMES:
                return f"has data in the {kind} volume {name}"
    return ""


def _volumes(spec: dict[str, Any], path: str) -> list[tuple[str, str]]:
    """Kind and name of each volume."""
    found = []
    for at, value in enumerate(fields.sequence(spec.get("volumes"), path)):
        volume = fields.mapping(value, f"{path}[{at}]")
        name = fields.shown(fields.string(volume.get("name"), f"{path}[{at}].name"))
        # A volume without a source is an emptyDir, to the API.
        kinds = [key for key, entry in volume.items() if key != "name" and entry is not None]
        found += [(fields.shown(kind), name) for kind in kinds or ["emptyDir"]]
    return found
