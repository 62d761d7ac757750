"""The answer to machine reassignment: the machine of each process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cpsched.errors import InputError

if TYPE_CHECKING:
    from cpsched.reassignment.instance import IntArray, Reassignment


@dataclass(frozen=True, eq=False)
class Assignment:
    """Machine of every process; says nothing about how it was found.

    machine: shape (num_processes,), processes and machines numbered as in ``Reassignment``.
    InputError unless it is a vector of 32-bit integers.
    """

    machine: IntArray

    def __post_init__(self) -> None:
        array = np.asarray(self.machine)
        if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
            raise InputError("an assignment needs one machine number for each process")
        copy = array.astype(np.int32)
        if not np.array_equal(copy, array):
            raise InputError("an assignment holds a number beyond 32 bits")
        copy.setflags(write=False)
        object.__setattr__(self, "machine", copy)

    @classmethod
    def now(cls, instance: Reassignment) -> Assignment:
        """Where the processes are now: nothing moved."""
        return cls(instance.machine)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Assignment) and self.machine.tobytes() == other.machine.tobytes()

    def __hash__(self) -> int:
        return hash(self.machine.tobytes())
