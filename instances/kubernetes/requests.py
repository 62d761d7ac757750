"""What a pod requests, as the scheduler counts it; amounts in units of 10^-9.

The sum over the containers, sidecars (init containers that restart always) included; or the most
that runs at once while it starts, if that is more; pod-level requests in their place; and the
overhead. Limits stand in for missing requests, as the API server has it. While a container is
resized in place, the largest of what is asked for, allocated and in effect counts (of the latter
two, if the resize is infeasible).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cpsched.instances.kubernetes import fields, nodes, quantity

if TYPE_CHECKING:
    from collections.abc import Iterable

Amounts = dict[str, int]

_POD_LEVEL = ("cpu", "memory")
_HUGE_PAGES = "hugepages-"


def parse(spec: dict[str, Any], status: dict[str, Any], path: str) -> Amounts:
    """Request of a pod with *spec* and *status* at *path* + ``.spec`` and ``.status``.

    Raises
    ------
    InputError
        With the path of a quantity that is none, or negative.
    """
    actual = _actual(status, f"{path}.status")
    infeasible = (
        nodes.condition(status, "PodResizePending", f"{path}.status", "reason") == "Infeasible"
    )
    path += ".spec"
    total: Amounts = {}
    for container, where in _containers(spec, "containers", path):
        _add(total, _container(container, where, actual, infeasible))
    sidecars: Amounts = {}
    starting: Amounts = {}
    for container, where in _containers(spec, "initContainers", path):
        is_sidecar = container.get("restartPolicy") == "Always"
        amounts = _container(container, where, actual if is_sidecar else {}, infeasible)
        if is_sidecar:
            _add(total, amounts)
            _add(sidecars, amounts)
            _raise(starting, sidecars)
        else:
            _add(amounts, sidecars)
            _raise(starting, amounts)
    _raise(total, starting)
    _pod_level(total, spec.get("resources"), f"{path}.resources")
    _add(total, quantity.amounts(spec.get("overhead"), f"{path}.overhead"))
    return total


def _containers(spec: dict[str, Any], key: str, path: str) -> Iterable[tuple[dict[str, Any], str]]:
    for at, value in enumerate(fields.sequence(spec.get(key), f"{path}.{key}")):
        where = f"{path}.{key}[{at}]"
        yield fields.mapping(value, where), where


def _container(
    container: dict[str, Any],
    path: str,
    actual: dict[str, tuple[Amounts, ...]],
    infeasible: bool,
) -> Amounts:
    path += ".resources"
    resources = fields.mapping(container.get("resources"), path)
    asked = quantity.amounts(resources.get("limits"), f"{path}.limits")
    asked.update(quantity.amounts(resources.get("requests"), f"{path}.requests"))
    name = container.get("name")
    known = actual.get(name) if isinstance(name, str) else None
    if known is None:
        return asked
    found: Amounts = {}
    for amounts in known if infeasible else (asked, *known):
        _raise(found, amounts)
    return found


def _actual(status: dict[str, Any], path: str) -> dict[str, tuple[Amounts, ...]]:
    """By container, what is in effect and allocated, where the kubelet says so."""
    found: dict[str, tuple[Amounts, ...]] = {}
    for key in ("containerStatuses", "initContainerStatuses"):
        for container, where in _containers(status, key, path):
            if container.get("resources") is None:
                continue
            resources = fields.mapping(container["resources"], f"{where}.resources")
            allocated = container.get("allocatedResources")
            found[fields.string(container.get("name"), f"{where}.name")] = (
                quantity.amounts(resources.get("requests"), f"{where}.resources.requests"),
                quantity.amounts(allocated, f"{where}.allocatedResources"),
            )
    return found


def _pod_level(total: Amounts, value: Any, path: str) -> None:
    """Put the requests of the pod in the place of the containers'."""
    resources = fields.mapping(value, path)
    limits = quantity.amounts(resources.get("limits"), f"{path}.limits")
    requested = quantity.amounts(resources.get("requests"), f"{path}.requests")
    for resource, amount in limits.items():
        if resource not in total:
            requested.setdefault(resource, amount)
    for resource, amount in requested.items():
        if resource in _POD_LEVEL or resource.startswith(_HUGE_PAGES):
            total[resource] = amount


def _add(total: Amounts, more: Amounts) -> None:
    for resource, amount in more.items():
        total[resource] = total.get(resource, 0) + amount


def _raise(total: Amounts, least: Amounts) -> None:
    for resource, amount in least.items():
        total[resource] = max(total.get(resource, 0), amount)
