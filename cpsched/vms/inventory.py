"""What PMs have in all, and how much of it may be used."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cpsched.arrays import Arrays, LongArray, ints
from cpsched.errors import InputError

#: Sums of demands and of capacities stay below this.
MAX_AMOUNT = 2**62


@dataclass(frozen=True, eq=False)
class Inventory(Arrays):
    """Where capacities come from: ``(total - reserved) * ratio // 1000``.

    total, reserved: shape (num_numa, num_resources), units as the capacity's. ratio: the same
    shape, allocation ratio in thousandths. Only formats that state these need them.
    """

    total: LongArray
    reserved: LongArray
    ratio: LongArray

    def __post_init__(self) -> None:
        for entry in ("total", "reserved", "ratio"):
            object.__setattr__(self, entry, ints(getattr(self, entry), entry, np.int64))
        if not self.total.shape == self.reserved.shape == self.ratio.shape:
            raise InputError("total, reserved and ratio of an inventory differ in shape")
        if self.total.size and (
            min(self.total.min(), self.reserved.min(), self.ratio.min()) < 0
            or float(self.total.max()) * float(self.ratio.max()) >= MAX_AMOUNT
        ):
            raise InputError("an amount or a ratio of the inventory is negative or too large")

    @property
    def usable(self) -> LongArray:
        """Shape (num_numa, num_resources): the capacity."""
        left: LongArray = np.maximum(self.total - self.reserved, 0)
        return left * self.ratio // 1000
