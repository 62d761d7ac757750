"""Exchanges between bins of two compartments, where some items take room in both."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cpsched.columns.exchange import Exchange, Labels
from cpsched.columns.pair_kernels import ENDS, best_pairs

if TYPE_CHECKING:
    from cpsched.columns.exchange import BoolArray, Change, Slots
    from cpsched.columns.packing import LongArray


class PairExchange(Exchange):
    """Bins of two compartments; types of items in one of them, then twin types, in both alike.

    Entries of a change: the single types in the first compartment, in the second, the twin types.

    Parameters
    ----------
    weight, twin_weight
        (types, resources) and (twin types, resources): of an item, in each compartment it is in.
    cost
        (types + twin types,): what a move costs.
    free, have, twins, number
        (classes, 2, resources), (classes, 2, types), (classes, twin types), (classes,).
    counts
        (classes,): 1 where slots count, else 0.
    door, accepts
        (classes,) and (doors, types + twin types): which types may come to the bins of a class.
    slots, twin_slots
        What free room of a compartment is worth; what the lesser of both is worth.
    homeless, limit
        (types + twin types,): items to come besides; most moves without theirs.
    """

    def __init__(
        self,
        *,
        weight: LongArray,
        twin_weight: LongArray,
        cost: LongArray,
        free: LongArray,
        have: LongArray,
        twins: LongArray,
        number: LongArray,
        counts: LongArray,
        door: LongArray,
        accepts: BoolArray,
        slots: Slots,
        twin_slots: Slots,
        homeless: LongArray,
        limit: int,
    ) -> None:
        self.homeless = homeless
        self.weight, self.twin_weight, self.cost = weight, twin_weight, cost
        self.free, self.have, self.twins, self.number = free, have, twins, number
        self.counts, self.door, self.accepts = counts, door, accepts
        self.slots, self.twin_slots, self.limit = slots, twin_slots, limit
        types, resources = weight.shape
        single = np.arange(types)
        self.moves = np.ones(len(cost), dtype=np.int64)
        self.kind = np.concatenate((single, single, np.arange(types, len(cost))))
        self.best = np.zeros(len(number), dtype=np.int64)
        self.leave = np.zeros((len(number), len(self.kind)), dtype=np.int64)
        self.come = np.zeros((len(number), len(self.kind)), dtype=np.int64)
        self._come = Labels(types, resources)
        self._twins_come = Labels(len(twin_weight), resources)
        self._twins_gone = Labels(len(twin_weight), resources)
        amount, value, content = self._come.arrays
        self._mine = _twice(amount), _twice(value), _twice(content)
        self._ends = np.zeros((2, ENDS, 4), dtype=np.int64)
        freed = have @ weight + (twins @ twin_weight)[:, None, :]
        self._room = np.maximum(free + freed, 0).max(axis=(0, 1))
        there = have.sum(axis=1), twins
        self._total = homeless + np.concatenate([number @ items for items in there])

    def amounts(self, entries: LongArray) -> LongArray:
        """Shape (2, resources): what *entries* take in each compartment."""
        types = len(self.weight)
        both = entries[2 * types :] @ self.twin_weight
        single = entries[: 2 * types].reshape(2, types) @ self.weight
        return np.asarray(single + both)

    def gain(self, bin_class: int, net: LongArray) -> int:
        """Worth of the slots that a bin gains."""
        before = self.free[bin_class, :, 0]
        after = before + self.amounts(net)[:, 0]

        def worth(room: LongArray) -> int:
            single = sum(self.slots.of(int(one)) for one in room)
            return single + self.twin_slots.of(int(room.min()))

        return int(self.counts[bin_class]) * (worth(after) - worth(before))

    def fits_first(self, change: Change) -> bool:
        """Whether what comes has room before anything leaves."""
        need = self.amounts(change.come)
        return bool(((need <= self.free[change.bin_class]) | (need == 0)).all())

    def price(self, gain: int, leaving: LongArray, coming: LongArray) -> bool:
        """Find the best change of each class; False if there are too many labels."""
        self.best[:] = 0
        types = len(self.weight)
        for number, accepts in enumerate(self.accepts):
            most = np.where(accepts, self._total, 0)
            size = self._come.choose(self.weight, coming[:types], most[:types], self._room)
            twins = self._twins_come.choose(
                self.twin_weight, coming[types:], most[types:], self._room
            )
            if min(size, twins) < 0 or not best_pairs(
                self.free, self.have, self.twins, self.counts, self.weight, self.twin_weight,
                -leaving[:types], -leaving[types:], gain, self.slots.size, self.slots.worth,
                self.twin_slots.size, self.twin_slots.worth, self.door, number,
                *self._come.arrays, size, *self._twins_come.arrays, twins, *self._mine,
                *self._twins_gone.arrays, self._ends, self.best, self.leave, self.come,
            ):  # fmt: skip
                return False
        return True


def _twice(array: LongArray) -> LongArray:
    return np.stack((array, array))
