"""Exchanging items between bins that hold some already: the problem that changes solve.

Bins are worth the whole slots that their free room gives, so only what changes in a bin matters:
which items leave, which come. Items of a type are counts, and bins with equal room and equal items
are a class. Everything that leaves comes to some bin. Three aims, all maximised: worth of slots
gained, minus items that leave, minus what their moves cost.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cpsched.columns.packing import LongArray

BoolArray = npt.NDArray[np.bool_]

#: Number of aims: slots, moves, cost.
AIMS = 3


@dataclass(frozen=True)
class Exchange:
    """An exchange problem; slots lie on the first resource.

    Parameters
    ----------
    weight, cost
        (types, resources) and (types,): what an item takes, and what its move costs.
    moves
        (types,): how many moves one item counts (halves of one item share a move).
    free, have, number
        (classes, resources), (classes, types) and (classes,): room in a bin, items in it that
        may leave, and how many bins are like that.
    counts
        (classes,): 1 where slots count, else 0.
    door, accepts
        (classes,) and (doors, types): which types may come to the bins of a class.
    size, worth
        (slots,): a bin with x free has x // size slots of each kind, each worth so much.
    limit
        Most moves.
    """

    weight: LongArray
    cost: LongArray
    moves: LongArray
    free: LongArray
    have: LongArray
    number: LongArray
    counts: LongArray
    door: LongArray
    accepts: BoolArray
    size: LongArray
    worth: LongArray
    limit: int

    @property
    def num_types(self) -> int:
        """Number of types."""
        return len(self.cost)

    def gain(self, bin_class: int, leave: LongArray, come: LongArray) -> int:
        """Worth of the slots that a bin gains."""
        before = int(self.free[bin_class, 0])
        after = before + int((leave - come) @ self.weight[:, 0])
        return int(self.counts[bin_class]) * (self._slots(after) - self._slots(before))

    def _slots(self, free: int) -> int:
        return int((self.worth * (max(0, free) // self.size)).sum())


@dataclass(frozen=True)
class Change:
    """What changes in a bin of a class: leave, come: (types,); values: (aims,)."""

    bin_class: int
    leave: LongArray
    come: LongArray
    values: tuple[int, ...]

    @classmethod
    def of(cls, problem: Exchange, bin_class: int, leave: LongArray, come: LongArray) -> Change:
        """The change of a bin of *bin_class*, with its values."""
        gain = problem.gain(bin_class, leave, come)
        lost = -int(leave @ problem.moves), -int(leave @ problem.cost)
        return cls(bin_class, leave.copy(), come.copy(), (gain, *lost))

    def without(self, problem: Exchange, item: int) -> Change:
        """The same change where one item of a type less comes."""
        come = self.come.copy()
        come[item] -= 1
        return Change.of(problem, self.bin_class, self.leave, come)

    @property
    def key(self) -> tuple[int, bytes, bytes]:
        """Equal for equal changes."""
        return self.bin_class, self.leave.tobytes(), self.come.tobytes()

    def fits_first(self, problem: Exchange) -> bool:
        """Whether what comes has room before anything leaves."""
        need = self.come @ problem.weight
        return bool(((need <= problem.free[self.bin_class]) | (need == 0)).all())


def reaches(
    problem: Exchange, chosen: Sequence[tuple[Change, int]], floors: Sequence[int]
) -> bool:
    """Whether *chosen* changes, with how many bins each, keep every row, counted in integers.

    floors: of as many aims as are given.
    """
    taken = np.zeros(len(problem.number), dtype=np.int64)
    balance = np.zeros(problem.num_types, dtype=np.int64)
    values = np.zeros(AIMS, dtype=np.int64)
    for change, count in chosen:
        taken[change.bin_class] += count
        balance += count * (change.leave - change.come)
        values += count * np.array(change.values)
    if (taken > problem.number).any() or balance.any() or -values[1] > problem.limit:
        return False
    return all(int(value) >= floor for value, floor in zip(values, floors, strict=False))
