"""The best patterns of a class of bins for given prices, and how good any can be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cpsched.columns.knapsack import ALL, BEST, enumerate_patterns, prices

if TYPE_CHECKING:
    from cpsched.columns.lagrange import Prices
    from cpsched.columns.packing import Bins, Items, LongArray

#: Improving patterns that one search keeps.
_ROWS = 64


@dataclass(frozen=True)
class Finds:
    """Patterns found, best first; no pattern is worth more than *ceiling*; complete: all seen."""

    patterns: list[LongArray]
    ceiling: int
    complete: bool


class Pricer:
    """Searches the patterns of each class; halt, shape (1,): not 0 ends a search early."""

    def __init__(self, items: Items, bins: Bins, halt: LongArray) -> None:
        self._items, self._bins, self._halt = items, bins, halt
        self._limit = np.minimum(bins.limit, items.count)
        self._mu = np.zeros(items.weight.shape[1])
        self._info = np.zeros(4, dtype=np.int64)
        self._out = np.zeros((_ROWS, items.number), dtype=np.int64)
        self._worth = np.zeros(_ROWS, dtype=np.int64)

    def best(self, bin_class: int, price: Prices, least: int, max_nodes: int) -> Finds:
        """Patterns worth more than *least*, ever better ones; the ceiling is at least *least*."""
        found = self._search(bin_class, price, least + 1, BEST, max_nodes, self._out, self._worth)
        complete = bool(self._info[0])
        ceiling = max(least, int(self._info[2]))
        if not complete:
            ceiling = max(ceiling, self._relaxed(bin_class, price))
        last = int(self._info[3]) - 1
        rows = [(last - back) % _ROWS for back in range(found)]
        return Finds([self._out[row].copy() for row in rows], ceiling, complete)

    def all(
        self, bin_class: int, price: Prices, threshold: int, max_rows: int, max_nodes: int
    ) -> list[LongArray] | None:
        """Every maximal pattern worth *threshold* or more; None if that is too much work."""
        out = np.zeros((max_rows, self._items.number), dtype=np.int64)
        worth = np.zeros(max_rows, dtype=np.int64)
        found = self._search(bin_class, price, threshold, ALL, max_nodes, out, worth)
        return list(out[:found]) if self._info[0] else None

    def _search(
        self,
        bin_class: int,
        price: Prices,
        threshold: int,
        mode: int,
        max_nodes: int,
        out: LongArray,
        worth: LongArray,
    ) -> int:
        bins, weight = self._bins, self._items.weight
        shape = (
            weight,
            self._limit[bin_class],
            bins.stay[bin_class],
            price.profit,
            price.bonus,
            bins.capacity[bin_class],
        )
        prices(*shape, self._mu)
        found: int = enumerate_patterns(
            *shape,
            bins.conflict,
            self._mu,
            self._halt,
            threshold,
            mode,
            max_nodes,
            out,
            worth,
            self._info,
        )
        return found

    def _relaxed(self, bin_class: int, price: Prices) -> int:
        """Lagrangian bound of the class's knapsack at the prices ``_mu``, rounded up."""
        capacity = self._bins.capacity[bin_class].astype(np.float64)
        share = self._items.weight / np.where(capacity > 0, capacity, 1.0)
        cost = np.where(capacity > 0, share, 0.0) @ self._mu
        limit = self._limit[bin_class]
        first = np.minimum(self._bins.stay[bin_class], limit)
        extra = first * np.maximum(0.0, price.profit + price.bonus - cost)
        extra += (limit - first) * np.maximum(0.0, price.profit - cost)
        return int(np.ceil((float(self._mu.sum()) + float(extra.sum())) * (1 + 1e-9))) + 1
