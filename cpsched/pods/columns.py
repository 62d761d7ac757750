"""The certifying engine of pod packing: columns that prove, placements that pass the check."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from cpsched.pods import objective
from cpsched.pods.offering import offer

if TYPE_CHECKING:
    from cpsched.columns.packing import LongArray
    from cpsched.incumbent import Incumbent
    from cpsched.pods.packing import PodPacking
    from cpsched.pods.solution import Placement

SOURCE = "columns"


class PodHost:
    """Stands between the columns and the incumbent of a solve.

    It passes on placements that the check accepts, and bounds: the digits of stages that are not
    reached yet are those of everything placed and nothing moved, which nothing can undercut.
    """

    def __init__(self, pods: PodPacking, incumbent: Incumbent[Placement]) -> None:
        self.cluster, self.incumbent, self.pods = pods.cluster, incumbent, pods
        self.halt = incumbent.halt
        packing = self.pods.packing
        self._trivial = [
            constant - unit * aim.most(packing.items)
            for constant, unit, aim in zip(pods.constant, pods.unit, packing.aims, strict=True)
        ]
        self._bound = list(self._trivial)
        self._lock = threading.Lock()
        self._raise()

    def best(self) -> tuple[tuple[int, ...], list[LongArray]]:
        """Values of the aims in the incumbent; and its contents."""
        solution = self.incumbent.solution
        node = self.cluster.node if solution is None else solution.node
        digits = objective.values(self.cluster, node)
        pods = self.pods
        values = tuple(
            (c - d) // u for c, u, d in zip(pods.constant, pods.unit, digits, strict=True)
        )
        return values, [self.pods.contents(node)]

    def offer(self, contents: LongArray, source: str = SOURCE) -> None:
        """Offer a placement, if it is better than the incumbent and breaks no rule."""
        offer(self.cluster, self.pods.place(contents), source, self.incumbent)

    def prove(self, stage: int, bound: int) -> None:
        """Take a bound on one aim, those before being at their bounds.

        What was known of the aims behind it is forgotten if the bound is new: it held under the
        old one.
        """
        digit = self.pods.constant[stage] - self.pods.unit[stage] * bound
        with self._lock:
            if digit > self._bound[stage]:
                self._bound[stage:] = [digit, *self._trivial[stage + 1 :]]
                self._raise()

    def _raise(self) -> None:
        self.incumbent.raise_bound(objective.number(self.cluster, self._bound), SOURCE)
