"""Exchanging items between bins that hold some already: the problem that changes solve.

Bins are worth the whole slots that their free room gives, so only what changes in a bin matters:
which items leave, which come. Items of a type are counts, and bins with equal room and equal items
are a class. Everything that leaves comes to some bin, and so does what is homeless. Three aims,
all maximised: worth of slots gained, minus items that leave, minus what their moves cost.

What a bin is, an implementation says: ``BinExchange`` here, bins of one compartment;
``cpsched.columns.pairs``, bins of two, where some items take room in both.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from cpsched.columns.exchange_kernels import LABELS, best_changes, choices

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cpsched.columns.packing import LongArray

BoolArray = npt.NDArray[np.bool_]

#: Number of aims: slots, moves, cost.
AIMS = 3


class Exchange(ABC):
    """What the linear program over changes asks of a problem.

    A change of a bin has *entries*: items that leave or come, told apart by type and by
    compartment.

    Attributes
    ----------
    kind
        Shape (entries,): type of each entry.
    cost, moves
        Shape (types,): what a move of an item costs, and how many moves it counts.
    number
        Shape (classes,): bins of each class.
    homeless
        Shape (types,): items that have to come to a bin besides those that leave one.
    limit
        Most moves, without theirs.
    best, leave, come
        Shapes (classes,) and (classes, entries): what ``price`` found.
    """

    kind: LongArray
    cost: LongArray
    moves: LongArray
    number: LongArray
    homeless: LongArray
    limit: int
    best: LongArray
    leave: LongArray
    come: LongArray

    @abstractmethod
    def price(self, gain: int, leaving: LongArray, coming: LongArray) -> bool:
        """Find the best change of each class; False if that is too much work.

        gain: price of a slot's worth; leaving: (types,) cost of an item that leaves, at least 0;
        coming: (types,) reward of one that comes. Writes ``best``, which no change of the class
        exceeds, at least 0, and that change into ``leave`` and ``come``.
        """

    @abstractmethod
    def gain(self, bin_class: int, net: LongArray) -> int:
        """Worth of the slots that a bin gains by *net*, shape (entries,): leaving less coming."""

    @abstractmethod
    def fits_first(self, change: Change) -> bool:
        """Whether what comes has room before anything leaves."""

    @property
    def num_types(self) -> int:
        """Number of types."""
        return len(self.cost)

    def by_type(self, entries: LongArray) -> LongArray:
        """Shape (types,): *entries* summed up."""
        return np.bincount(self.kind, entries, minlength=self.num_types).astype(np.int64)

    def change(self, bin_class: int, leave: LongArray, come: LongArray) -> Change:
        """The change of a bin of *bin_class*, with its values."""
        gone = self.by_type(leave)
        values = (
            self.gain(bin_class, leave - come),
            -int(gone @ self.moves),
            -int(gone @ self.cost),
        )
        return Change(bin_class, leave.copy(), come.copy(), values)

    def reaches(self, chosen: Sequence[tuple[Change, int]], floors: Sequence[int]) -> bool:
        """Whether *chosen* changes, with how many bins each, keep every row, in integers.

        floors: of as many aims as are given.
        """
        taken = np.zeros(len(self.number), dtype=np.int64)
        balance = self.homeless.copy()
        values = np.zeros(AIMS, dtype=np.int64)
        for change, count in chosen:
            taken[change.bin_class] += count
            balance += count * self.by_type(change.leave - change.come)
            values += count * np.array(change.values)
        if (taken > self.number).any() or balance.any() or -values[1] > self.limit:
            return False
        return all(int(value) >= floor for value, floor in zip(values, floors, strict=False))


@dataclass(frozen=True)
class Change:
    """What changes in a bin of a class: leave, come: (entries,); values: (aims,)."""

    bin_class: int
    leave: LongArray
    come: LongArray
    values: tuple[int, ...]

    @property
    def key(self) -> tuple[int, bytes, bytes]:
        """Equal for equal changes."""
        return self.bin_class, self.leave.tobytes(), self.come.tobytes()


class Labels:
    """Room for selections of items: amounts (labels, resources), worth, items (labels, types)."""

    def __init__(self, types: int, resources: int) -> None:
        self.amount = np.zeros((LABELS, resources), dtype=np.int64)
        self.worth = np.zeros(LABELS, dtype=np.int64)
        self.content = np.zeros((LABELS, types), dtype=np.int64)

    def choose(self, weight: LongArray, price: LongArray, most: LongArray, room: LongArray) -> int:
        """Undominated selections of items that come, by their amount of the first resource.

        Returns how many, -1 if they are too many.
        """
        size = int(choices(weight, price, most, room, 1, *self.arrays))
        order = np.argsort(self.amount[: max(0, size), 0], kind="stable")
        for array in self.arrays:
            array[: len(order)] = array[order]
        return size

    @property
    def arrays(self) -> tuple[LongArray, LongArray, LongArray]:
        """As kernels take them."""
        return self.amount, self.worth, self.content


@dataclass(frozen=True)
class Slots:
    """Slots lie on the first resource: x free gives x // size of each kind, each worth so much."""

    size: LongArray
    worth: LongArray

    def of(self, free: int) -> int:
        """Worth of the slots of *free* room."""
        return int((self.worth * (max(0, free) // self.size)).sum())


class BinExchange(Exchange):
    """Bins of one compartment; the entries of a change are its types.

    Parameters
    ----------
    weight, cost, moves
        (types, resources), (types,) and (types,): what an item takes, what its move costs, and
        how many moves it counts (halves of one item share a move).
    free, have, number
        (classes, resources), (classes, types) and (classes,): room in a bin, items in it that
        may leave, and how many bins are like that.
    counts
        (classes,): 1 where slots count, else 0.
    door, accepts
        (classes,) and (doors, types): which types may come to the bins of a class.
    slots, homeless, limit
        What free room is worth; items to come besides, and most moves without theirs.
    """

    def __init__(
        self,
        *,
        weight: LongArray,
        cost: LongArray,
        moves: LongArray,
        free: LongArray,
        have: LongArray,
        number: LongArray,
        counts: LongArray,
        door: LongArray,
        accepts: BoolArray,
        slots: Slots,
        homeless: LongArray,
        limit: int,
    ) -> None:
        self.weight, self.cost, self.moves, self.homeless = weight, cost, moves, homeless
        self.free, self.have, self.number = free, have, number
        self.counts, self.door, self.accepts = counts, door, accepts
        self.slots, self.limit = slots, limit
        self.kind = np.arange(len(cost))
        types, resources = weight.shape
        self.best = np.zeros(len(number), dtype=np.int64)
        self.leave = np.zeros((len(number), types), dtype=np.int64)
        self.come = np.zeros((len(number), types), dtype=np.int64)
        self._labels = Labels(types, resources), Labels(types, resources)
        self._room = np.maximum(free + have @ weight, 0).max(axis=0)
        self._total = homeless + (number[:, None] * have).sum(axis=0)

    def gain(self, bin_class: int, net: LongArray) -> int:
        """Worth of the slots that a bin gains."""
        before = int(self.free[bin_class, 0])
        after = before + int(net @ self.weight[:, 0])
        return int(self.counts[bin_class]) * (self.slots.of(after) - self.slots.of(before))

    def fits_first(self, change: Change) -> bool:
        """Whether what comes has room before anything leaves."""
        need = change.come @ self.weight
        return bool(((need <= self.free[change.bin_class]) | (need == 0)).all())

    def price(self, gain: int, leaving: LongArray, coming: LongArray) -> bool:
        """Find the best change of each class; False if there are too many labels."""
        self.best[:] = 0
        come, mine = self._labels
        for number, accepts in enumerate(self.accepts):
            most = np.where(accepts, self._total, 0)
            size = come.choose(self.weight, coming, most, self._room)
            if size < 0 or not best_changes(
                self.free, self.have, self.counts, self.weight, -leaving, gain, self.slots.size,
                self.slots.worth, self.door, number, *come.arrays, size, *mine.arrays, self.best,
                self.leave, self.come,
            ):  # fmt: skip
                return False
        return True
