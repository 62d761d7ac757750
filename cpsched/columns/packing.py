"""Placing items of several types into bins of several classes: the problem that columns solve.

Identical items are counts and identical bins are classes. What a stage may weigh, for each type:
``placed``, how many of its ``count`` have a place; ``kept``, how many of its ``running`` items
have one (no more than are placed); ``home``, how many stay in the bin where they are (no more
than are kept).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Sequence

LongArray = npt.NDArray[np.int64]

#: What one bin of a class holds: class and pattern, shape (types,).
Column = tuple[int, LongArray]


@dataclass(frozen=True)
class Items:
    """Types of items. weight: (types, resources); count, running: (types,)."""

    weight: LongArray
    count: LongArray
    running: LongArray

    @property
    def number(self) -> int:
        """Number of types."""
        return len(self.count)


@dataclass(frozen=True)
class Bins:
    """Classes of equal bins.

    capacity: (classes, resources); number: (classes,), bins in each; limit: (classes, types),
    most of a type in one bin; stay: (classes, types), items that are in each bin of the class
    already; conflict: (types, types), 1 where two types never share a bin (on the diagonal: two
    of the type never do).
    """

    capacity: LongArray
    number: LongArray
    limit: LongArray
    stay: LongArray
    conflict: npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Quota:
    """At most *allowed* of the running items of some types leave their bins. member: (types,)."""

    member: LongArray
    allowed: int


@dataclass(frozen=True)
class Aim:
    """A stage to maximise: sum of placed * z + kept * p + home * S, weights of shape (types,).

    Weights are integers >= 0.
    """

    placed: LongArray
    kept: LongArray
    home: LongArray

    @property
    def local(self) -> bool:
        """Whether it matters where items are now."""
        return bool(self.kept.any() or self.home.any())

    def most(self, items: Items) -> int:
        """Value if everything is placed and nothing moves."""
        kept = self.kept + self.home
        return int((self.placed * items.count + kept * items.running).sum())

    def value(self, items: Items, contents: LongArray, stays: LongArray) -> int:
        """Value of *contents*, shape (types,): items in all bins, *stays* of them at home."""
        placed = np.minimum(contents, items.count)
        kept = np.minimum(placed, items.running)
        home = np.minimum(stays, kept)
        return int((self.placed * placed + self.kept * kept + self.home * home).sum())


@dataclass(frozen=True)
class StageProblem:
    """Maximise the last of *aims* while every earlier one reaches its floor at least.

    local: whether it matters which item is where now (then classes tell bins apart by it).
    """

    items: Items
    bins: Bins
    quotas: Sequence[Quota]
    aims: Sequence[Aim]
    floors: Sequence[int]
    local: bool

    @property
    def aim(self) -> Aim:
        """What is maximised."""
        return self.aims[-1]

    def reaches(
        self, columns: Sequence[Column], use: Sequence[tuple[int, int]], target: int
    ) -> bool:
        """Whether *use*, (column, number of bins) pairs, keeps every row, counted in integers."""
        items, bins = self.items, self.bins
        taken = np.zeros(len(bins.number), dtype=np.int64)
        contents = np.zeros(items.number, dtype=np.int64)
        stays = np.zeros(items.number, dtype=np.int64)
        for j, number in use:
            bin_class, pattern = columns[j]
            taken[bin_class] += number
            contents += number * pattern
            stays += number * np.minimum(pattern, bins.stay[bin_class])
        if (taken > bins.number).any():
            return False
        for aim, floor in zip(self.aims, [*self.floors, target], strict=True):
            if aim.value(items, contents, stays) < floor:
                return False
        left = items.running - np.minimum(stays, np.minimum(contents, items.running))
        return all(int((quota.member * left).sum()) <= quota.allowed for quota in self.quotas)


def maximal(bins: Bins, items: Items, bin_class: int, pattern: LongArray) -> LongArray:
    """*pattern* filled up, in the order of types, until nothing more fits."""
    room = bins.capacity[bin_class] - pattern @ items.weight
    filled = pattern.copy()
    conflict = bins.conflict
    for k in np.flatnonzero(bins.limit[bin_class] > pattern).tolist():
        if (conflict[k] & (filled > 0)).any() or (filled[k] and conflict[k, k]):
            continue
        positive = items.weight[k] > 0
        most = int(bins.limit[bin_class, k] - filled[k])
        if positive.any():
            most = min(most, int((room[positive] // items.weight[k][positive]).min()))
        if conflict[k, k]:
            most = min(most, 1)
        if most > 0:
            filled[k] += most
            room = room - most * items.weight[k]
    return filled
