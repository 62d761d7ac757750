"""The answer to a job shop: where and when each operation runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cpsched.jobshop.instance import int32_array

if TYPE_CHECKING:
    from cpsched.jobshop.instance import IntArray, JobShop


@dataclass(frozen=True, eq=False)
class Schedule:
    """Machine, start and end of every operation; says nothing about how it was found.

    machine, start, end: shape (num_ops,), operations numbered as in ``JobShop``.
    """

    machine: IntArray
    start: IntArray
    end: IntArray

    def __post_init__(self) -> None:
        for field in ("machine", "start", "end"):
            object.__setattr__(self, field, int32_array(getattr(self, field), field))

    @classmethod
    def from_starts(cls, instance: JobShop, start: IntArray) -> Schedule:
        """Schedule of a classic job shop from its start times, shape (num_ops,)."""
        starts = int32_array(start, "start")
        return cls(instance.machine, starts, starts + instance.duration)

    @property
    def makespan(self) -> int:
        """Latest end."""
        return int(self.end.max(initial=0))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Schedule):
            return NotImplemented
        return self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple[bytes, bytes, bytes]:
        return (self.machine.tobytes(), self.start.tobytes(), self.end.tobytes())
