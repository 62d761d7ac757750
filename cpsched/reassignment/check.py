"""The rules of machine reassignment, stated against the instance alone, without any solver."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from cpsched.reassignment.cost import cost, usage
from cpsched.result import CheckReport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cpsched.reassignment.instance import IntArray, Reassignment
    from cpsched.reassignment.solution import Assignment

#: Sentences per broken rule; the rest is counted.
MAX_VIOLATIONS_PER_RULE = 20


def check(instance: Reassignment, solution: Assignment) -> CheckReport:
    """Check every rule and recompute the cost.

    The rules: one machine for every process; no machine holds more than its capacity of a
    resource, where a process that has moved uses transient resources on the machine it left as
    well; no two processes of a service on one machine; each service in at least as many locations
    as it must be; each process of a service that depends on another one has a process of that in
    its neighbourhood.
    """
    machine = solution.machine
    if machine.shape != (instance.num_processes,):
        return CheckReport(
            None,
            (
                f"there are {len(machine)} machine numbers; "
                f"{instance.num_processes} are needed, one for each process",
            ),
        )
    unknown = np.flatnonzero((machine < 0) | (machine >= instance.num_machines))
    if len(unknown):
        last = instance.num_machines - 1
        return CheckReport(
            None,
            tuple(
                _report(
                    unknown, lambda p: f"process {p} is on machine {machine[p]}; 0..{last} exist"
                )
            ),
        )
    found = tuple(_violations(instance, machine))
    return CheckReport(None if found else cost(instance, machine).total, found)


def _violations(instance: Reassignment, machine: IntArray) -> Iterator[str]:
    """One sentence per violation, rule by rule."""
    yield from _capacity(instance, machine)
    yield from _conflict(instance, machine)
    yield from _spread(instance, machine)
    yield from _dependency(instance, machine)


def _capacity(instance: Reassignment, machine: IntArray) -> Iterator[str]:
    used = usage(instance, machine)
    left = machine != instance.machine
    behind = np.zeros_like(used)
    np.add.at(behind, instance.machine[left], instance.requirement[left])
    behind[:, ~instance.transient] = 0
    over = np.argwhere(used + behind > instance.capacity)

    def say(index: int) -> str:
        m, r = over[index].tolist()
        also = f", {behind[m, r]} of it by processes that left" if behind[m, r] else ""
        return (
            f"machine {m} uses {used[m, r] + behind[m, r]} of resource {r}{also}; "
            f"its capacity is {instance.capacity[m, r]}"
        )

    return _report(np.arange(len(over)), say)


def _conflict(instance: Reassignment, machine: IntArray) -> Iterator[str]:
    order = np.lexsort((machine, instance.service))
    same = (np.diff(instance.service[order]) == 0) & (np.diff(machine[order]) == 0)

    def say(index: int) -> str:
        first, second = sorted((int(order[index]), int(order[index + 1])))
        return (
            f"processes {first} and {second} of service {instance.service[first]} "
            f"are both on machine {machine[first]}"
        )

    return _report(np.flatnonzero(same), say)


def _spread(instance: Reassignment, machine: IntArray) -> Iterator[str]:
    pairs = np.unique(np.stack((instance.service, instance.location[machine])), axis=1)
    spread = np.bincount(pairs[0], minlength=instance.num_services)
    return _report(
        np.flatnonzero(spread < instance.spread_min),
        lambda s: (
            f"service {s} is in {spread[s]} locations; "
            f"it must be in at least {instance.spread_min[s]}"
        ),
    )


def _dependency(instance: Reassignment, machine: IntArray) -> Iterator[str]:
    where = instance.neighbourhood[machine]
    places: list[set[int]] = [set() for _ in range(instance.num_services)]
    for service, place in zip(instance.service.tolist(), where.tolist(), strict=True):
        places[service].add(place)
    lacks = [
        (dependent, needed, place)
        for dependent, needed in instance.dependency.tolist()
        for place in sorted(places[dependent] - places[needed])
    ]

    def say(index: int) -> str:
        dependent, needed, place = lacks[index]
        return (
            f"service {dependent} is in neighbourhood {place} without "
            f"service {needed}, on which it depends"
        )

    return _report(np.arange(len(lacks)), say)


def _report(where: npt.NDArray[np.intp], say: Callable[[int], str]) -> Iterator[str]:
    shown = where[:MAX_VIOLATIONS_PER_RULE].tolist()
    for index in shown[:-1]:
        yield say(index)
    if shown:
        hidden = len(where) - len(shown)
        yield say(shown[-1]) + (f", and {hidden} more like it" if hidden else "")
