"""The arrays of the local search: what never changes, and what an assignment amounts to."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np

from cpsched.reassignment.cost import cost, machine_costs, usage

if TYPE_CHECKING:
    import numpy.typing as npt

    from cpsched.reassignment.instance import IntArray, LongArray, Reassignment


NumberT = TypeVar("NumberT", bound=np.generic)


class Problem(NamedTuple):
    """An instance as the kernel takes it: move costs weighted, dependencies by either service.

    Services that service s needs are ``needs[needs_start[s]:needs_start[s + 1]]``, those that need
    it ``needed_by`` likewise; locations and neighbourhoods are numbered from 0 without gaps.
    """

    home: IntArray
    service: IntArray
    requirement: LongArray
    transient: LongArray
    capacity: LongArray
    safety: LongArray
    load_weight: LongArray
    balance: LongArray
    machine_move: LongArray
    process_move: LongArray
    location: IntArray
    neighbourhood: IntArray
    spread_min: IntArray
    needs_start: IntArray
    needs: IntArray
    needed_start: IntArray
    needed_by: IntArray
    service_weight: int

    @classmethod
    def of(cls, instance: Reassignment) -> Problem:
        """The arrays of *instance*."""
        needs_start, needs = _grouped(instance.dependency, 0, instance.num_services)
        needed_start, needed_by = _grouped(instance.dependency, 1, instance.num_services)
        return cls(
            home=_own(instance.machine),
            service=_own(instance.service),
            requirement=_own(instance.requirement),
            transient=instance.transient.astype(np.int64),
            capacity=_own(instance.capacity),
            safety=_own(instance.safety),
            load_weight=_own(instance.load_weight),
            balance=np.ascontiguousarray(
                np.column_stack((instance.balance, instance.balance_weight))
            ),
            machine_move=instance.machine_weight * instance.machine_move_cost,
            process_move=instance.process_weight * instance.process_move_cost,
            location=_dense(instance.location),
            neighbourhood=_dense(instance.neighbourhood),
            spread_min=_own(instance.spread_min),
            needs_start=needs_start,
            needs=needs,
            needed_start=needed_start,
            needed_by=needed_by,
            service_weight=instance.service_weight,
        )


class State(NamedTuple):
    """What an assignment amounts to; the kernel keeps it up to date, in place.

    occupied: what counts against the capacity, see ``steps``; here, in_location and
    in_neighbourhood: processes of each service on each machine, in each location, in each
    neighbourhood; spread: locations of each service; moved: its processes that are not at home;
    moved_count: services by that number; most_moved: the largest; first, after, before: the
    processes of each machine as a list, -1 at its ends; costs: now, and the least.
    """

    machine: IntArray
    used: LongArray
    occupied: LongArray
    machine_cost: LongArray
    here: IntArray
    in_location: IntArray
    spread: IntArray
    in_neighbourhood: IntArray
    moved: IntArray
    moved_count: IntArray
    most_moved: LongArray
    first: IntArray
    after: IntArray
    before: IntArray
    costs: LongArray
    best: IntArray

    @classmethod
    def of(cls, instance: Reassignment, problem: Problem, machine: IntArray) -> State:
        """State of the processes on *machine*, shape (P,), which keeps all rules."""
        used = usage(instance, machine)
        left = machine != instance.machine
        occupied = used.copy()
        np.add.at(
            occupied,
            instance.machine[left],
            instance.requirement[left] * problem.transient,
        )
        in_location = _table(instance, problem.location[machine], problem.location)
        moved = np.bincount(instance.service[left], minlength=instance.num_services)
        first, after, before = _lists(machine, instance.num_machines)
        total = cost(instance, machine).total
        return cls(
            machine=machine.copy(),
            used=used,
            occupied=occupied,
            machine_cost=np.add(*machine_costs(instance, used)),
            here=_table(instance, machine, np.arange(instance.num_machines, dtype=np.int32)),
            in_location=in_location,
            spread=(in_location > 0).sum(axis=1).astype(np.int32),
            in_neighbourhood=_table(
                instance, problem.neighbourhood[machine], problem.neighbourhood
            ),
            moved=moved.astype(np.int32),
            moved_count=np.bincount(moved, minlength=instance.num_processes + 1).astype(np.int32),
            most_moved=np.array([moved.max()], dtype=np.int64),
            first=first,
            after=after,
            before=before,
            costs=np.array([total, total], dtype=np.int64),
            best=machine.copy(),
        )


def _own(array: npt.NDArray[NumberT]) -> npt.NDArray[NumberT]:
    """Copy that may be written to: to a kernel, read-only is another type."""
    return array.copy()


def _dense(numbers: IntArray) -> IntArray:
    return np.unique(numbers, return_inverse=True)[1].astype(np.int32)


def _table(instance: Reassignment, place: IntArray, places: IntArray) -> IntArray:
    """Shape (S, number of places): processes of each service in each place."""
    width = int(np.max(places)) + 1
    table = np.zeros((instance.num_services, width), dtype=np.int32)
    np.add.at(table, (instance.service, place), 1)
    return table


def _lists(machine: IntArray, num_machines: int) -> tuple[IntArray, IntArray, IntArray]:
    """First process of each machine, the next and the previous one of each process, -1: none."""
    first = np.full(num_machines, -1, dtype=np.int32)
    after, before = (np.full(len(machine), -1, dtype=np.int32) for _ in range(2))
    order = np.argsort(machine, kind="stable")
    same = machine[order][1:] == machine[order][:-1]
    after[order[:-1][same]] = order[1:][same]
    before[order[1:][same]] = order[:-1][same]
    heads = order[np.concatenate(([True], ~same))]
    first[machine[heads]] = heads
    return first, after, before


def _grouped(pairs: IntArray, by: int, number: int) -> tuple[IntArray, IntArray]:
    """Start of each group of *pairs* with the same entry in column *by*, and the other entries."""
    order = np.argsort(pairs[:, by], kind="stable")
    start = np.concatenate(([0], np.cumsum(np.bincount(pairs[:, by], minlength=number))))
    return start.astype(np.int32), np.ascontiguousarray(pairs[order, 1 - by])
