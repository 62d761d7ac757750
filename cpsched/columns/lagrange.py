"""Exact upper bounds from approximate dual prices.

Whatever the prices, the Lagrangian relaxation of the rows is an upper bound of the stage: the
linear program only has to suggest good ones. Here they are rounded to integers and the relaxation
is evaluated in integers, so that no tolerance of any solver is part of a proof.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cpsched.columns.knapsack import MAX_PROFIT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cpsched.columns.master import Duals
    from cpsched.columns.packing import LongArray, StageProblem

#: More items than that a bin does not hold where patterns are of use.
_MOST_ITEMS = 4096


@dataclass(frozen=True)
class Prices:
    """Integer dual prices, *scale* to the unit.

    profit, bonus: (types,), of an item in a bin, and on top of it of one that is at home; rest:
    what the items and the earlier stages contribute to the bound, without the bins.
    """

    scale: int
    profit: LongArray
    bonus: LongArray
    rest: int


def integer_prices(problem: StageProblem, duals: Duals) -> Prices:
    """*duals* rounded, and the part of the bound that does not depend on patterns.

    The prices are of the rows "placed items are in patterns", "items at home are in patterns that
    leave them there", of the floors and of the quotas. For given prices every item of a type
    chooses for itself: no place, a place, and for those that run now a place and kept, or at
    home.
    """
    items = problem.items
    top = float((duals.placed + duals.home).max(initial=0.0))
    scale = 1
    while scale < 2**30 and scale * 2 * (top + 1.0) * _MOST_ITEMS < MAX_PROFIT:
        scale *= 2

    def ints(values: Iterable[float]) -> list[int]:
        return [round(value * scale) for value in values]

    profit, bonus = ints(duals.placed.tolist()), ints(duals.home.tolist())
    aim = problem.aim
    placed, kept, home = (
        [weight * scale for weight in weights.tolist()]
        for weights in (aim.placed, aim.kept, aim.home)
    )
    rest = 0
    for earlier, floor, price in zip(
        problem.aims[:-1], problem.floors, ints(duals.floors.tolist()), strict=True
    ):
        rest -= price * int(floor)
        for i in range(items.number):
            placed[i] += price * int(earlier.placed[i])
            kept[i] += price * int(earlier.kept[i])
            home[i] += price * int(earlier.home[i])
    for quota, price in zip(problem.quotas, ints(duals.quotas.tolist()), strict=True):
        members = np.flatnonzero(quota.member).tolist()
        rest += price * (quota.allowed - sum(int(items.running[i]) for i in members))
        for i in members:
            home[i] += price
    for i in range(items.number):
        running, others = int(items.running[i]), int(items.count[i] - items.running[i])
        as_placed = placed[i] - profit[i]
        as_kept = as_placed + kept[i]
        as_home = as_kept + home[i] - bonus[i]
        rest += running * max(0, as_placed, as_kept, as_home) + others * max(0, as_placed)
    return Prices(scale, np.array(profit, dtype=np.int64), np.array(bonus, dtype=np.int64), rest)
