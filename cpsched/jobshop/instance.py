"""The job-shop instance: routes, machines, durations; one machine per operation or a choice."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt

from cpsched.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

IntArray = npt.NDArray[np.int32]

#: Sums of durations stay below this, so that every time fits a 32-bit integer in the kernels.
MAX_HORIZON = 2**31 - 1


def int32_array(values: npt.ArrayLike, field: str) -> IntArray:
    """Read-only int32 copy of *values*; InputError instead of a wrapped or rounded number."""
    array = np.asarray(values)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise InputError(f"{field} must be a one-dimensional array of integers")
    if array.size and (array.max() > MAX_HORIZON or array.min() < -MAX_HORIZON - 1):
        raise InputError(f"{field} holds a number beyond the {MAX_HORIZON} that fit")
    # A copy: freezing a caller's own array in place would be rude.
    copy = array.astype(np.int32)
    copy.setflags(write=False)
    return copy


@dataclass(frozen=True, eq=False)
class JobShop:
    """A job shop, classic or flexible, in flat arrays.

    Operations are numbered job by job in route order; a *mode* of an operation is one
    (machine, duration) it may run as. In a classic job shop every operation has one mode and
    modes and operations coincide. Durations are integers in any one unit of time. A job may
    visit a machine more than once (reentrant), and need not visit all.

    Parameters
    ----------
    name
        Name for reports.
    num_machines
        Machines are numbered 0..num_machines-1.
    job_ptr
        Shape (num_jobs + 1,): operations of job j are job_ptr[j]..job_ptr[j+1]-1.
    mode_ptr
        Shape (num_ops + 1,): modes of operation i are mode_ptr[i]..mode_ptr[i+1]-1.
    mode_machine
        Shape (num_modes,): machine of each mode.
    mode_duration
        Shape (num_modes,): duration of each mode, at least 0.

    Raises
    ------
    InputError
        If there is no job, an operation without a mode, a machine out of range, a machine twice
        among the modes of one operation, a negative duration, or a horizon (sum of the longest
        durations) beyond ``MAX_HORIZON``.
    """

    family: ClassVar[str] = "jobshop"

    name: str
    num_machines: int
    job_ptr: IntArray
    mode_ptr: IntArray
    mode_machine: IntArray
    mode_duration: IntArray

    def __post_init__(self) -> None:
        for field in ("job_ptr", "mode_ptr", "mode_machine", "mode_duration"):
            object.__setattr__(self, field, int32_array(getattr(self, field), field))
        if self.num_jobs < 1:
            raise InputError("a job shop needs at least one job")
        if self.num_machines < 1:
            raise InputError("a job shop needs at least one machine")
        for field in ("job_ptr", "mode_ptr"):
            if getattr(self, field)[0] != 0 or np.any(np.diff(getattr(self, field)) < 0):
                raise InputError(f"{field} must start at 0 and not decrease")
        if self.job_ptr[-1] != self.num_ops or self.mode_ptr[-1] != len(self.mode_machine):
            raise InputError("job_ptr, mode_ptr and the modes do not fit together")
        if len(self.mode_machine) != len(self.mode_duration):
            raise InputError("every mode needs one machine and one duration")
        self._validate_modes()

    def _validate_modes(self) -> None:
        op_of_mode = np.repeat(np.arange(self.num_ops), np.diff(self.mode_ptr))
        for where, message in (
            (self.mode_machine < 0, "machine {machine} is negative"),
            (
                self.mode_machine >= self.num_machines,
                f"machine {{machine}} is out of range 0..{self.num_machines - 1}",
            ),
            (self.mode_duration < 0, "duration {duration} is negative"),
        ):
            if where.any():
                mode = int(np.argmax(where))
                raise InputError(
                    self._describe(int(op_of_mode[mode]))
                    + message.format(
                        machine=self.mode_machine[mode], duration=self.mode_duration[mode]
                    )
                )
        empty = np.diff(self.mode_ptr) == 0
        if empty.any():
            raise InputError(self._describe(int(np.argmax(empty))) + "no machine can run it")
        if self.is_flexible:
            key = op_of_mode.astype(np.int64) * self.num_machines + self.mode_machine
            values, counts = np.unique(key, return_counts=True)
            if (counts > 1).any():
                op, machine = divmod(int(values[np.argmax(counts > 1)]), self.num_machines)
                raise InputError(self._describe(op) + f"machine {machine} is listed twice")
        if self.horizon > MAX_HORIZON:
            raise InputError(
                f"the durations sum to {self.horizon}, more than the {MAX_HORIZON} that fit"
            )

    def _describe(self, op: int) -> str:
        job = int(np.searchsorted(self.job_ptr, op, side="right")) - 1
        return f"job {job}, operation {op - int(self.job_ptr[job])}: "

    @classmethod
    def classic(
        cls, name: str, num_machines: int, jobs: Sequence[Sequence[tuple[int, int]]]
    ) -> JobShop:
        """Job shop from ``jobs[job][operation] = (machine, duration)``."""
        return cls.flexible(name, num_machines, [[[mode] for mode in job] for job in jobs])

    @classmethod
    def flexible(
        cls,
        name: str,
        num_machines: int,
        jobs: Sequence[Sequence[Sequence[tuple[int, int]]]],
    ) -> JobShop:
        """Job shop from ``jobs[job][operation] = [(machine, duration), …]``, one per mode."""
        ops = [modes for job in jobs for modes in job]
        flat = [mode for modes in ops for mode in modes]
        too_long = max((abs(value) for mode in flat for value in mode), default=0)
        if too_long > MAX_HORIZON:
            raise InputError(f"the number {too_long} is beyond the {MAX_HORIZON} that fit")
        pairs = np.array(flat, dtype=np.int32).reshape(-1, 2)
        return cls(
            name=name,
            num_machines=num_machines,
            job_ptr=np.cumsum([0] + [len(job) for job in jobs], dtype=np.int32),
            mode_ptr=np.cumsum([0] + [len(modes) for modes in ops], dtype=np.int32),
            mode_machine=pairs[:, 0],
            mode_duration=pairs[:, 1],
        )

    @property
    def num_jobs(self) -> int:
        """Number of jobs."""
        return len(self.job_ptr) - 1

    @property
    def num_ops(self) -> int:
        """Number of operations."""
        return len(self.mode_ptr) - 1

    @property
    def is_flexible(self) -> bool:
        """Whether some operation has a choice of machines."""
        return len(self.mode_machine) != self.num_ops

    @cached_property
    def job(self) -> IntArray:
        """Shape (num_ops,): job of each operation."""
        return np.repeat(np.arange(self.num_jobs, dtype=np.int32), np.diff(self.job_ptr))

    @cached_property
    def horizon(self) -> int:
        """Sum of the longest durations: no active schedule is longer."""
        if self.num_ops == 0:
            return 0
        return int(np.maximum.reduceat(self.mode_duration, self.mode_ptr[:-1]).sum(dtype=np.int64))

    @property
    def machine(self) -> IntArray:
        """Shape (num_ops,): machine of each operation; ValueError for a flexible job shop."""
        self._require_classic()
        return self.mode_machine

    @property
    def duration(self) -> IntArray:
        """Shape (num_ops,): duration of each operation; ValueError for a flexible job shop."""
        self._require_classic()
        return self.mode_duration

    def _require_classic(self) -> None:
        if self.is_flexible:
            raise ValueError(
                f"{self.name}: an operation of a flexible job shop has no one machine"
            )

    def modes(self, op: int) -> list[tuple[int, int]]:
        """``(machine, duration)`` of each mode of operation *op*."""
        span = slice(self.mode_ptr[op], self.mode_ptr[op + 1])
        return list(
            zip(self.mode_machine[span].tolist(), self.mode_duration[span].tolist(), strict=True)
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, JobShop):
            return NotImplemented
        return self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple[object, ...]:
        return (
            self.name,
            self.num_machines,
            self.job_ptr.tobytes(),
            self.mode_ptr.tobytes(),
            self.mode_machine.tobytes(),
            self.mode_duration.tobytes(),
        )
