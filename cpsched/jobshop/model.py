"""The job shop as a CP-SAT model: one method per constraint family, the contents at the end."""

from __future__ import annotations

from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt
from ortools.sat.python import cp_model

from cpsched.errors import StopRequestedError
from cpsched.formulation import Formulation, Start, Values
from cpsched.jobshop.solution import Schedule

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from cpsched.jobshop.instance import JobShop

_Ints = npt.NDArray[np.int64]
_T = TypeVar("_T")

#: Variables or constraints between two looks at whether to stop.
_POLL = 1024

#: CP-SAT parameters for proving that no schedule is shorter than ``upper_bound``: a model whose
#: horizon is one less than the best known makespan is shown infeasible many times faster than by
#: the defaults. Measured with CP-SAT 9.15, one worker, horizon optimum - 1, seconds of CPU,
#: without the objective but in the last row; other seeds differ by up to a half:
#:
#: ============================  =====  =====  =====  =====  =====  =====
#: parameters                    ft10   la36   la24   la25   la40   ta01
#: ============================  =====  =====  =====  =====  =====  =====
#: default                       > 12   > 12   > 12   > 12   > 12   > 12
#: no linear relaxation          3.5    11.3   > 12   > 12   > 12   6.6
#: these                         0.8    1.6    3.6    4.1    5.2    2.1
#: these, with the objective     1.0    1.6    3.4    5.6    7.0    1.7
#: ============================  =====  =====  =====  =====  =====  =====
PROOF_PARAMETERS: Mapping[str, Any] = MappingProxyType(
    {"linearization_level": 0, "use_strong_propagation_in_disjunctive": True}
)


def formulate(
    instance: JobShop,
    *,
    upper_bound: int | None = None,
    lower_bound: int = 0,
    stop: Callable[[], bool] = lambda: False,
) -> Formulation[Schedule]:
    """Formulation of a classic or flexible job shop that minimises the makespan.

    Its decisions are in the order of the instance's modes: decision k starts the interval of
    mode k.

    Parameters
    ----------
    instance
        What to schedule.
    upper_bound
        Longest makespan allowed; default: the sum of the longest durations. The tighter, the
        smaller every domain. If no schedule is that short the model is infeasible, never invalid.
    lower_bound
        A proven lower bound on the makespan.
    stop
        Asked now and then: 100,000 operations take a second.

    Raises
    ------
    StopRequestedError
        Once *stop* says so.
    """
    model = _JobShopModel(
        instance, instance.horizon if upper_bound is None else upper_bound, lower_bound, stop
    )
    model.build()
    return Formulation(
        model=model.model,
        decisions=tuple(Start(interval.index) for interval in model.intervals),
        stages=(model.makespan,),
        decode=model.decode,
        encode=model.encode,
        objective=lambda schedule: schedule.makespan,
        features=features(instance),
    )


def features(instance: JobShop) -> npt.NDArray[np.float32]:
    """What a policy may want to know of each mode beyond the model; shape (num_modes, 4), in 0..1.

    Columns: place of the operation in its job; operations of its job / those of the longest; load
    of the machine / the largest, every operation shared equally among its modes; 1 / number of
    modes of the operation.
    """
    counts = np.diff(instance.mode_ptr)
    op = np.repeat(np.arange(instance.num_ops), counts)
    length = np.diff(instance.job_ptr)
    job = instance.job[op]
    place = (op - instance.job_ptr[job] + 1) / np.maximum(1, length[job])
    share = 1.0 / counts[op]
    load = np.bincount(
        instance.mode_machine,
        weights=instance.mode_duration * share,
        minlength=instance.num_machines,
    )
    columns = (
        place,
        length[job] / max(1, int(length.max(initial=0))),
        load[instance.mode_machine] / max(1.0, float(load.max(initial=0.0))),
        share,
    )
    return np.stack(columns, axis=1).astype(np.float32)


class _JobShopModel:
    """Variables and constraints of one job shop.

    Variables, in this order: the start of every operation; for every mode of an operation with a
    choice, whether it is taken; the makespan. Ends are expressions, and an operation without a
    choice has neither a literal nor a duration variable.
    """

    def __init__(
        self,
        instance: JobShop,
        upper_bound: int,
        lower_bound: int,
        stop: Callable[[], bool] = lambda: False,
    ) -> None:
        self.instance = instance
        self.model = cp_model.CpModel()
        self.upper_bound = upper_bound
        self.lower_bound = lower_bound
        self.stop = stop
        self.starts: list[cp_model.IntVar] = []
        self.presences: list[cp_model.IntVar | None] = []
        self.intervals: list[cp_model.IntervalVar] = []

    def build(self) -> None:
        """Table of contents."""
        self._start_variables()
        self._presence_variables()
        self._makespan_variable()
        self._mode_intervals()
        self._one_mode_per_operation()
        self._route_precedence()
        self._machine_no_overlap()
        self._makespan_covers_jobs()
        self._refuse_crossed_bounds()
        self.model.minimize(self.makespan)

    def _unless_stopped(self, items: Iterable[_T]) -> Iterable[_T]:
        """The *items*; StopRequestedError between two of them once ``stop`` says so."""
        for count, item in enumerate(items):
            if count % _POLL == 0:
                self._poll()
            yield item

    def _poll(self) -> None:
        if self.stop():
            raise StopRequestedError("writing the model was stopped")

    def _start_variables(self) -> None:
        latest = self.upper_bound - self.tail
        # Crossed bounds would make the model invalid; _refuse_crossed_bounds says infeasible.
        latest = np.maximum(latest, self.head)
        domains = zip(self.head.tolist(), latest.tolist(), strict=True)
        for low, high in self._unless_stopped(domains):
            self.starts.append(self.model.new_int_var(low, high, ""))

    def _presence_variables(self) -> None:
        self.presences = [
            self.model.new_bool_var("") if choice else None
            for choice in self._unless_stopped(self.has_choice.tolist())
        ]

    def _makespan_variable(self) -> None:
        low = max(self.lower_bound, self.longest_job)
        self.makespan = self.model.new_int_var(low, max(low, self.upper_bound), "makespan")

    def _mode_intervals(self) -> None:
        model, starts = self.model, self.starts
        modes = zip(
            self.op_of_mode.tolist(),
            self.instance.mode_duration.tolist(),
            self.presences,
            strict=True,
        )
        for op, duration, presence in self._unless_stopped(modes):
            if presence is None:
                interval = model.new_fixed_size_interval_var(starts[op], duration, "")
            else:
                interval = model.new_optional_fixed_size_interval_var(
                    starts[op], duration, presence, ""
                )
            self.intervals.append(interval)

    def _one_mode_per_operation(self) -> None:
        with_choice = np.flatnonzero(np.diff(self.instance.mode_ptr) > 1)
        for op in self._unless_stopped(with_choice.tolist()):
            self.model.add_exactly_one(
                presence for _, presence in self._choices(op) if presence is not None
            )

    def _route_precedence(self) -> None:
        same_job = self.instance.job[1:] == self.instance.job[:-1]
        for op in self._unless_stopped(np.flatnonzero(same_job).tolist()):
            self.model.add(self._end(op) <= self.starts[op + 1])

    def _machine_no_overlap(self) -> None:
        order = np.argsort(self.instance.mode_machine, kind="stable")
        loads = np.bincount(self.instance.mode_machine, minlength=self.instance.num_machines)
        for modes in np.split(order, np.cumsum(loads)[:-1]):
            self._poll()
            if len(modes) > 1:
                self.model.add_no_overlap([self.intervals[mode] for mode in modes.tolist()])

    def _makespan_covers_jobs(self) -> None:
        used = np.flatnonzero(np.diff(self.instance.job_ptr))
        for job in self._unless_stopped(used.tolist()):
            self.model.add(self._end(int(self.instance.job_ptr[job + 1]) - 1) <= self.makespan)

    def _refuse_crossed_bounds(self) -> None:
        if self.upper_bound < max(self.lower_bound, self.longest_job):
            self.model.add_bool_or([])

    def _end(self, op: int) -> cp_model.LinearExprT:
        """End of operation *op*: its start plus the duration of the mode taken.

        The shortest duration stands outside the sum, so that it counts before a mode is taken.
        """
        shortest = int(self.shortest[op])
        extra = [
            (duration - shortest) * presence
            for duration, presence in self._choices(op)
            if presence is not None and duration > shortest
        ]
        end: cp_model.LinearExprT = self.starts[op] + shortest
        return cp_model.LinearExpr.sum([end, *extra]) if extra else end

    def _choices(self, op: int) -> list[tuple[int, cp_model.IntVar | None]]:
        span = slice(self.instance.mode_ptr[op], self.instance.mode_ptr[op + 1])
        durations = self.instance.mode_duration[span].tolist()
        return list(zip(durations, self.presences[span], strict=True))

    @cached_property
    def op_of_mode(self) -> _Ints:
        """Shape (num_modes,): operation of each mode."""
        return np.repeat(np.arange(self.instance.num_ops), np.diff(self.instance.mode_ptr))

    @cached_property
    def has_choice(self) -> npt.NDArray[np.bool_]:
        """Shape (num_modes,): whether the operation of the mode has another one."""
        return np.repeat(np.diff(self.instance.mode_ptr) > 1, np.diff(self.instance.mode_ptr))

    @cached_property
    def shortest(self) -> _Ints:
        """Shape (num_ops,): shortest duration of each operation."""
        if self.instance.num_ops == 0:
            return np.zeros(0, dtype=np.int64)
        return np.minimum.reduceat(
            self.instance.mode_duration.astype(np.int64), self.instance.mode_ptr[:-1]
        )

    @cached_property
    def head(self) -> _Ints:
        """Shape (num_ops,): shortest time from the start of its job to each operation."""
        before = np.concatenate(([0], np.cumsum(self.shortest)))
        return before[:-1] - before[self.instance.job_ptr[self.instance.job]]

    @cached_property
    def tail(self) -> _Ints:
        """Shape (num_ops,): shortest time from the start of each operation to its job's end."""
        before = np.concatenate(([0], np.cumsum(self.shortest)))
        return before[self.instance.job_ptr[self.instance.job + 1]] - before[:-1]

    @cached_property
    def longest_job(self) -> int:
        """Longest sum of shortest durations over the jobs."""
        return int((self.head + self.tail).max(initial=0))

    def decode(self, values: Values) -> Schedule:
        """Schedule that the values of all variables stand for."""
        start = values[: self.instance.num_ops].astype(np.int32)
        taken = np.ones(len(self.has_choice), dtype=np.bool_)
        taken[self.has_choice] = values[self.instance.num_ops : -1] != 0
        mode = np.flatnonzero(taken)
        return Schedule(
            machine=self.instance.mode_machine[mode],
            start=start,
            end=start + self.instance.mode_duration[mode],
        )

    def encode(self, schedule: Schedule) -> Values:
        """Values of all variables that say *schedule*.

        Raises
        ------
        ValueError
            If an operation has a machine that cannot run it, or an end that is not its start
            plus the duration there: no values of this model say that.
        """
        machine, start, end = schedule.machine, schedule.start, schedule.end
        if not machine.shape == start.shape == end.shape == (self.instance.num_ops,):
            raise ValueError(f"the schedule is not one of {self.instance.num_ops} operations")
        taken = self.instance.mode_machine == machine[self.op_of_mode]
        mode = np.flatnonzero(taken)
        if not np.array_equal(self.op_of_mode[mode], np.arange(self.instance.num_ops)):
            raise ValueError("an operation is on a machine that cannot run it")
        duration = end.astype(np.int64) - start
        if not np.array_equal(duration, self.instance.mode_duration[mode]):
            raise ValueError("an operation does not end its duration after its start")
        values = np.concatenate((start, taken[self.has_choice], [schedule.makespan]))
        return values.astype(np.int64)
