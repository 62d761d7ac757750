"""Flat int64 arrays put together from sections, and the fields of a proto that go into them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Ints: TypeAlias = npt.NDArray[np.int64]


def ints(field: Any) -> list[int]:
    """Entries of a repeated integer field.

    ``list(field)`` would end in an exception of the wrapper, which takes 2 us, and ``field[-1]``
    is a wrong value.
    """
    count = len(field)
    if count <= 1:
        return [field[0]] if count else []
    return list(map(field.__getitem__, range(count)))


class Sections:
    """A growing array.

    Parameters
    ----------
    head
        Its first entries.
    """

    def __init__(self, head: Ints) -> None:
        self._parts: list[Ints] = [head]
        self._size = len(head)

    def __len__(self) -> int:
        return self._size

    def add(self, values: npt.ArrayLike) -> int:
        """Append a section; returns where it begins."""
        part = np.asarray(values, dtype=np.int64).reshape(-1)
        self._parts.append(part)
        self._size += len(part)
        return self._size - len(part)

    def fill(self, value: int, count: int) -> int:
        """Append *count* times *value*; returns where the section begins."""
        return self.add(np.full(count, value, dtype=np.int64))

    def add_lists(self, counts: npt.ArrayLike, entries: npt.ArrayLike) -> int:
        """Append lists that lie one behind the other in *entries*, *counts* entries each.

        The section begins with len(counts) + 1 indices of the array between two of which the
        entries of a list lie.
        """
        ends = np.cumsum(np.asarray(counts, dtype=np.int64))
        first = self._size + len(ends) + 1
        begin = self.add(np.concatenate(([first], first + ends)))
        self.add(entries)
        return begin

    def add_groups(self, count: int, keys: npt.ArrayLike, entries: npt.ArrayLike) -> int:
        """Append *count* lists: list k has the entries whose key is k, in their order."""
        key = np.asarray(keys, dtype=np.int64)
        order = np.argsort(key, kind="stable")
        entry = np.asarray(entries, dtype=np.int64)[order]
        return self.add_lists(np.bincount(key, minlength=count), entry)

    def array(self, header: Mapping[int, int]) -> Ints:
        """The whole, with the slots of *header* set."""
        whole = np.concatenate(self._parts)
        for slot, value in header.items():
            whole[slot] = value
        return whole


def flat(rows: Sequence[Sequence[int]]) -> list[int]:
    """All entries of *rows*, one row behind the other."""
    return [value for row in rows for value in row]
