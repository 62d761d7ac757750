"""The certifying engine of pod packing: columns that prove, placements that pass the check."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from cpsched.pods import objective
from cpsched.pods.check import check
from cpsched.pods.solution import Placement

if TYPE_CHECKING:
    from cpsched.columns.packing import LongArray
    from cpsched.incumbent import Incumbent
    from cpsched.pods.packing import PodPacking

SOURCE = "columns"


class PodHost:
    """Stands between the columns and the incumbent of a solve.

    It passes on placements that the check accepts, and bounds: the digits of stages that are not
    reached yet are those of everything placed and nothing moved, which nothing can undercut.
    """

    def __init__(self, pods: PodPacking, incumbent: Incumbent[Placement]) -> None:
        self.cluster, self.incumbent, self.pods = pods.cluster, incumbent, pods
        self.halt = incumbent.halt
        self.closed = False
        packing = self.pods.packing
        self._trivial = [
            constant - aim.most(packing.items)
            for constant, aim in zip(self.pods.constant, packing.aims, strict=True)
        ]
        self._bound = list(self._trivial)
        self._lock = threading.Lock()
        self._raise()

    def best(self) -> tuple[tuple[int, ...], list[LongArray]]:
        """Values of the aims in the incumbent; and its contents."""
        solution = self.incumbent.solution
        node = self.cluster.node if solution is None else solution.node
        digits = objective.values(self.cluster, node)
        values = tuple(c - d for c, d in zip(self.pods.constant, digits, strict=True))
        return values, [self.pods.contents(node)]

    def offer(self, contents: LongArray, source: str = SOURCE) -> None:
        """Offer a placement, if it is better than the incumbent and breaks no rule."""
        node = self.pods.place(contents)
        number = objective.objective(self.cluster, node)
        known = self.incumbent.objective
        if self.closed or (known is not None and number >= known):
            return
        placement = Placement(node)
        report = check(self.cluster, placement)
        if not report.ok or report.objective is None:
            return
        with self._lock:
            if not self.closed:
                self.incumbent.offer(report.objective, placement, source)

    def close(self) -> None:
        """Pass on nothing any more: the solve is over, whoever may still be at work."""
        with self._lock:
            self.closed = True

    def prove(self, stage: int, bound: int) -> None:
        """Take a bound on one aim, those before being at their bounds.

        What was known of the aims behind it is forgotten if the bound is new: it held under the
        old one.
        """
        digit = self.pods.constant[stage] - bound
        with self._lock:
            if digit > self._bound[stage] and not self.closed:
                self._bound[stage:] = [digit, *self._trivial[stage + 1 :]]
                self._raise()

    def _raise(self) -> None:
        self.incumbent.raise_bound(objective.number(self.cluster, self._bound), SOURCE)
