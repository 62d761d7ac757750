"""Arrays in frozen data: checked integers, read-only copies, equality by content."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from cpsched.errors import InputError

IntArray = npt.NDArray[np.int32]
LongArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


def ints(values: npt.ArrayLike, what: str, dtype: type[np.signedinteger[Any]]) -> npt.NDArray[Any]:
    """Read-only copy of *values* as *dtype*; InputError instead of a wrapped or rounded number."""
    array = np.asarray(values)
    if array.size and array.dtype.kind not in "iu":
        raise InputError(f"{what} must be integers")
    limits = np.iinfo(dtype)
    if array.size and (array.max() > limits.max or array.min() < limits.min):
        raise InputError(f"{what} holds a number beyond {limits.min}..{limits.max}")
    copy = array.astype(dtype)
    copy.setflags(write=False)
    return copy


def indices(values: npt.ArrayLike, what: str) -> IntArray:
    """Sorted, distinct, read-only indices."""
    array: IntArray = np.unique(ints(values, what, np.int32)).astype(np.int32)
    array.setflags(write=False)
    return array


def flags(values: npt.ArrayLike) -> BoolArray:
    """Read-only copy of *values* as booleans."""
    array = np.array(values, dtype=np.bool_)
    array.setflags(write=False)
    return array


@dataclass(frozen=True, eq=False)
class Arrays:
    """Equality and hash by content, arrays included."""

    def _key(self) -> tuple[object, ...]:
        values = (getattr(self, entry.name) for entry in fields(self))
        return tuple(
            (value.shape, value.tobytes()) if isinstance(value, np.ndarray) else value
            for value in values
        )

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())
