"""The rules of the job shop, stated against the instance alone, without any solver."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from cpsched.result import CheckReport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cpsched.jobshop.instance import JobShop
    from cpsched.jobshop.solution import Schedule

#: Sentences per broken rule; the rest is counted.
MAX_VIOLATIONS_PER_RULE = 20

_Ints = npt.NDArray[np.int64]


def check(instance: JobShop, schedule: Schedule) -> CheckReport:
    """Check every rule of the job shop and recompute the makespan.

    The rules: one machine, start and end for every operation; the machine is among those that
    can run it; the end is the start plus the duration there; no start before 0; the operations
    of a job run in route order without overlap; no two operations overlap on a machine. An
    operation of duration 0 may sit at the start or the end of another one on its machine, not
    strictly inside.
    """
    shapes = _wrong_shapes(instance, schedule)
    if shapes:
        return CheckReport(None, tuple(shapes))
    found = tuple(_Rules(instance, schedule).violations())
    return CheckReport(None if found else schedule.makespan, found)


def _wrong_shapes(instance: JobShop, schedule: Schedule) -> list[str]:
    expected = (instance.num_ops,)
    return [
        f"{field} has shape {array.shape}, not {expected}: one entry per operation"
        for field in ("machine", "start", "end")
        if (array := getattr(schedule, field)).shape != expected
    ]


class _Rules:
    """The rules over one schedule; 64-bit, so that no sum or difference overflows."""

    def __init__(self, instance: JobShop, schedule: Schedule) -> None:
        self.instance = instance
        self.machine = schedule.machine.astype(np.int64)
        self.start = schedule.start.astype(np.int64)
        self.end = schedule.end.astype(np.int64)

    def violations(self) -> Iterator[str]:
        """One sentence per violation, rule by rule."""
        if self.instance.num_ops == 0:
            return
        mode = self._modes()
        yield from self._machine_allowed(mode)
        yield from self._duration(mode)
        yield from self._not_before_zero()
        yield from self._route_order()
        yield from self._machine_capacity()

    def _modes(self) -> _Ints:
        """Mode that each operation's machine stands for, -1 for none."""
        op_of_mode = np.repeat(np.arange(self.instance.num_ops), np.diff(self.instance.mode_ptr))
        chosen = np.flatnonzero(self.instance.mode_machine == self.machine[op_of_mode])
        mode = np.full(self.instance.num_ops, -1, dtype=np.int64)
        mode[op_of_mode[chosen]] = chosen
        return mode

    def _machine_allowed(self, mode: _Ints) -> Iterator[str]:
        def say(op: int) -> str:
            allowed = ", ".join(str(machine) for machine, _ in self.instance.modes(op))
            return f"{self._at(op)} cannot run on machine {self.machine[op]}, only on {allowed}"

        return _report(np.flatnonzero(mode < 0), say)

    def _duration(self, mode: _Ints) -> Iterator[str]:
        needed = self.instance.mode_duration[mode].astype(np.int64)
        wrong = (mode >= 0) & (self.end - self.start != needed)
        return _report(
            np.flatnonzero(wrong),
            lambda op: (
                f"{self._at(op)} takes {self.end[op] - self.start[op]} on machine "
                f"{self.machine[op]}, not {needed[op]}"
            ),
        )

    def _not_before_zero(self) -> Iterator[str]:
        return _report(
            np.flatnonzero(self.start < 0), lambda op: f"{self._at(op)} starts before 0"
        )

    def _route_order(self) -> Iterator[str]:
        same_job = self.instance.job[1:] == self.instance.job[:-1]
        early = same_job & (self.start[1:] < self.end[:-1])
        return _report(
            np.flatnonzero(early),
            lambda op: f"{self._at(op + 1)} starts before {self._at(op)} of the same job ends",
        )

    def _machine_capacity(self) -> Iterator[str]:
        order = np.lexsort((self.end, self.start, self.machine))
        machine, start, end = self.machine[order], self.start[order], self.end[order]
        # Latest end so far on the same machine: machines are laid out on disjoint ranges of one
        # axis, so that one running maximum serves all.
        rank = np.concatenate(([0], np.cumsum(machine[1:] != machine[:-1])))
        position = (end - end.min()) + rank * (int(end.max()) - int(end.min()) + 1)
        latest = np.maximum.accumulate(position)
        holder = np.maximum.accumulate(np.where(position == latest, np.arange(len(order)), 0))
        overlaps = (rank[1:] == rank[:-1]) & (start[1:] < end[holder[:-1]])

        def say(index: int) -> str:
            first, second = int(order[holder[index]]), int(order[index + 1])
            return f"{self._at(first)} and {self._at(second)} overlap on machine {machine[index]}"

        return _report(np.flatnonzero(overlaps), say)

    def _at(self, op: int) -> str:
        job = int(self.instance.job[op])
        index = op - int(self.instance.job_ptr[job])
        return (
            f"job {job}, operation {index} "
            f"(machine {self.machine[op]}, {self.start[op]} to {self.end[op]})"
        )


def _report(where: npt.NDArray[np.intp], say: Callable[[int], str]) -> Iterator[str]:
    shown = where[:MAX_VIOLATIONS_PER_RULE].tolist()
    for index in shown[:-1]:
        yield say(index)
    if shown:
        hidden = len(where) - len(shown)
        yield say(shown[-1]) + (f", and {hidden} more like it" if hidden else "")
