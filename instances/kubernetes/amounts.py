"""Tables of what nodes have and what pods request, in the units of a cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from cpsched.instances.kubernetes import quantity
from cpsched.instances.kubernetes.canonical import BASIC
from cpsched.pods.instance import MAX_AMOUNT

if TYPE_CHECKING:
    from cpsched.errors import InputError
    from cpsched.instances.kubernetes.nodes import Node
    from cpsched.instances.kubernetes.pods import Pod
    from cpsched.pods.instance import LongArray

#: Resources in the order in which they come first in a cluster; the others follow by name.
_FIRST: Final = ("cpu", "memory", "ephemeral-storage", "pods")


def resources(pods: list[Pod]) -> tuple[str, ...]:
    """Resources that pods request, and those that every cluster has.

    What only nodes name is left out: it decides nothing, and some nodes offer 2^63 - 1 of it.
    """
    found = set(BASIC)
    for request in {id(pod.shape.request): pod.shape.request for pod in pods}.values():
        found.update(resource for resource, amount in request.items() if amount)
    return (
        *(resource for resource in _FIRST if resource in found),
        *sorted(found.difference(_FIRST)),
    )


def allocatable(nodes: list[Node], resources: tuple[str, ...]) -> LongArray:
    """Shape (num_nodes, num_resources).

    Raises
    ------
    InputError
        At the largest amount of a resource of which all nodes together have more than fits.
    """
    rows = [_row(node.amounts, resources) for node in nodes]
    for column, resource in enumerate(resources):
        amounts = [row[column] for row in rows]
        if sum(amounts) >= MAX_AMOUNT:
            most = max(amounts)
            raise nodes[amounts.index(most)].error(
                _too_much("has", most, resource, sum(amounts), "nodes"), resource
            )
    return np.array(rows, dtype=np.int64).reshape(len(nodes), len(resources))


def requests(pods: list[Pod], resources: tuple[str, ...]) -> LongArray:
    """Shape (num_pods, num_resources); each pod takes one slot.

    Raises
    ------
    InputError
        At a pod that requests something that is none of *resources*, or the most of a resource
        of which all pods together request more than fits.
    """
    slots = resources.index("pods") if "pods" in resources else None
    # Replicas share one request.
    numbers: dict[int, int] = {}
    rows: list[list[int]] = []
    first: list[Pod] = []
    of_pod = np.zeros(len(pods), dtype=np.int64)
    for at, pod in enumerate(pods):
        request = pod.shape.request
        number = numbers.setdefault(id(request), len(rows))
        if number == len(rows):
            rows.append(_row(request, resources))
            if slots is not None:
                rows[-1][slots] = 1
            first.append(pod)
            _check_known(pod, resources)
        of_pod[at] = number
    replicas = np.bincount(of_pod, minlength=len(rows)).tolist()
    for column, resource in enumerate(resources):
        amounts = [row[column] for row in rows]
        total = sum(count * amount for count, amount in zip(replicas, amounts, strict=True))
        if total >= MAX_AMOUNT:
            raise _most(first, amounts, resource, total)
    table = np.array(rows, dtype=np.int64).reshape(len(rows), len(resources))
    return np.asarray(table[of_pod])


def _row(amounts: dict[str, int], resources: tuple[str, ...]) -> list[int]:
    return [quantity.scaled(amounts.get(name, 0), name) for name in resources]


def _check_known(pod: Pod, resources: tuple[str, ...]) -> None:
    for resource, amount in pod.shape.request.items():
        if amount and resource not in resources:
            raise pod.error(f"requests {resource}, which the snapshot leaves out", "spec")


def _most(pods: list[Pod], amounts: list[int], resource: str, total: int) -> InputError:
    most = max(amounts)
    pod = pods[amounts.index(most)]
    reason = _too_much("requests", most, resource, total, "pods")
    return pod.error(f"pod {pod.full_name}: {reason}", "spec")


def _too_much(verb: str, most: int, resource: str, total: int, what: str) -> str:
    unit = "m" if resource == "cpu" else ""
    return (
        f"{verb} {most}{unit} of {resource}, and all {what} together {total}{unit}, which is "
        "beyond the 2^62 that fit"
    )
