"""One stage to its proof: column generation, rounding, the exact program over what is left."""

from __future__ import annotations

import logging
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cpsched.columns.integer import Answer, decide, select
from cpsched.columns.lagrange import integer_prices
from cpsched.columns.master import Master
from cpsched.columns.pricing import Pricer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cpsched.columns.lagrange import Prices
    from cpsched.columns.packing import Column, LongArray, StageProblem

_log = logging.getLogger(__name__)

#: Patterns that the exact program takes at most, and search nodes to find those of one class.
MAX_PATTERNS = 20_000
MAX_NODES = 60_000_000
#: So few patterns that the exact program is tried before the columns at hand are rounded.
_FEW = 400
#: Search nodes of a pricing that need not be exact.
_QUICK_NODES = 30_000
#: New columns that one pricing of a class brings at most.
_NEW_COLUMNS = 8
#: Prices are rounded: a column must be worth this much more than its bin to count as new.
_ROUNDING = 64
#: The value of the linear program is a float.
_FLOOR = 1e-6
#: Seconds of column generation that are worth its columns alone.
_CHEAP = 0.1
#: Patterns that are added to the columns at hand when they are rounded.
_RICH = 400
#: Most of the time left that one rounding takes.
_ROUND_SHARE = 0.3


@dataclass
class StageState:
    """What is known of a stage: *value* reached by a solution, *bound* proven; both integers."""

    value: int
    bound: int

    @property
    def proven(self) -> bool:
        """Whether value and bound have met."""
        return self.value >= self.bound


class StageSolver:
    """Raises the value and lowers the bound of one stage; keeps its columns between runs.

    Parameters
    ----------
    problem
        The stage.
    halt
        Shape (1,): everything stops when it is no longer 0.
    found
        Called with a selection ``[(class, pattern, number of bins)]`` that reaches the floors; it
        returns the value of the aim in the best solution known afterwards.
    """

    def __init__(
        self,
        problem: StageProblem,
        halt: LongArray,
        found: Callable[[list[tuple[int, LongArray, int]]], int],
    ) -> None:
        self.problem = problem
        self._halt, self._found = halt, found
        self._master = Master(problem)
        self._pricer = Pricer(problem.items, problem.bins, halt)
        self._prices: Prices | None = None
        self._ceilings: list[int] = []
        #: Best Lagrangian bound, in units of the scale of ``_prices``.
        self._bound = 0
        self._generated = False

    def run(
        self,
        state: StageState,
        columns: Sequence[Column],
        deadline: float,
        *,
        quick: bool = False,
    ) -> None:
        """Work on *state* until it is proven, nothing helps, or *deadline* (perf_counter).

        quick: no exact program over many patterns.
        """
        self.relax(state, columns, deadline)
        while not state.proven and not self._over(deadline) and self._prices is not None:
            before = (state.value, state.bound)
            self._decide(state, deadline, _FEW)
            if (state.value, state.bound) == before and not self._over(deadline):
                self._round(state, deadline)
            if (state.value, state.bound) == before and not quick and not self._over(deadline):
                self._decide(state, deadline, MAX_PATTERNS)
            if (state.value, state.bound) == before:
                break

    def relax(self, state: StageState, columns: Sequence[Column], deadline: float) -> None:
        """Add *columns*, and bound the stage by the linear program over all columns."""
        for column in columns:
            self._master.add(*column)
        if state.value >= 0:
            self._master.require_floors()
        self._generate(state, deadline)

    def _over(self, deadline: float) -> bool:
        return bool(self._halt[0]) or time.perf_counter() >= deadline

    def _generate(self, state: StageState, deadline: float) -> None:
        """Column generation until the bound meets the value, or can fall no further; once.

        Pricing is cut short at first; only when it finds nothing new is it done in full.
        """
        if self._generated:
            return
        exact = False
        number = self.problem.bins.number.tolist()
        rounds = 0
        start = time.perf_counter()
        while not self._over(deadline):
            rounds += 1
            duals = self._master.solve(deadline - time.perf_counter())
            if duals is None:
                return
            prices = integer_prices(self.problem, duals)
            bound, ceilings, new, complete = prices.rest, [], 0, True
            for bin_class, bins in enumerate(number):
                if self._over(deadline):
                    return
                least = int(duals.bins[bin_class] * prices.scale) + _ROUNDING
                nodes = MAX_NODES if exact else _QUICK_NODES
                finds = self._pricer.best(bin_class, prices, least, nodes)
                complete = complete and finds.complete
                bound += bins * finds.ceiling
                ceilings.append(finds.ceiling)
                for pattern in finds.patterns[:_NEW_COLUMNS]:
                    new += self._master.add(bin_class, pattern)
            old = self._prices
            if old is None or bound * old.scale < self._bound * prices.scale:
                self._prices, self._ceilings, self._bound = prices, ceilings, bound
                state.bound = min(state.bound, bound // prices.scale)
            if not new and self._master.insist():
                exact = False
                continue
            # Where the bound is the linear program's, rounded down, no further column lowers it;
            # but columns at the optimum make better whole numbers, if they cost little.
            lowest = not self._master.missed and (
                state.bound <= math.floor(self._master.value + _FLOOR)
            )
            spent = time.perf_counter() - start
            if state.proven or (lowest and spent > _CHEAP) or (not new and (complete or exact)):
                self._generated = True
                break
            exact = not new
            if exact and lowest:
                self._generated = True
                break
        _log.debug(
            "%d rounds, %d columns, relaxation %.3f, bound %d, value %d",
            rounds,
            len(self._master.columns),
            self._master.value,
            state.bound,
            state.value,
        )

    def _round(self, state: StageState, deadline: float) -> None:
        """Best whole numbers of the columns at hand."""
        start = time.perf_counter()
        columns = self._rich_columns(state)
        chosen = select(
            self.problem,
            state.value + 1,
            columns,
            deadline=min(deadline, start + max(0.3, _ROUND_SHARE * (deadline - start))),
            best=True,
        )
        self._take(state, columns, chosen.use)
        _log.debug(
            "rounding of %d columns: %s, value %d, %.3f s",
            len(columns),
            chosen.answer.value,
            state.value,
            time.perf_counter() - start,
        )

    def _rich_columns(self, state: StageState) -> list[Column]:
        """The columns at hand, and those patterns among the most worth that are not yet."""
        prices = self._prices
        if prices is None:
            return self._master.columns
        gap = max(1, self._bound - state.bound * prices.scale)
        most = max(1, _RICH // len(self._ceilings))
        for bin_class, ceiling in enumerate(self._ceilings):
            reach = gap
            for _ in range(8):
                found = self._pricer.all(bin_class, prices, ceiling - reach, most, _QUICK_NODES)
                if found is not None:
                    for pattern in found:
                        self._master.add(bin_class, pattern)
                    break
                reach //= 2
        return self._master.columns

    def _decide(self, state: StageState, deadline: float, most: int) -> None:
        """Reach the bound or show that it cannot be: over all patterns that could be part of it.

        A pattern whose worth is so far below the best of its class that using it once takes the
        Lagrangian bound below the stage's bound is in no solution that reaches that.
        """
        prices = self._prices
        if prices is None:
            return
        start = time.perf_counter()
        gap = self._bound - state.bound * prices.scale
        columns: list[Column] = []
        for bin_class, ceiling in enumerate(self._ceilings):
            patterns = self._pricer.all(
                bin_class, prices, ceiling - gap, most - len(columns), MAX_NODES
            )
            if patterns is None or self._over(deadline):
                return
            columns += [(bin_class, pattern) for pattern in patterns]
        listed = time.perf_counter()
        chosen = decide(self.problem, state.bound, columns, deadline=deadline)
        if chosen.answer is Answer.NONE:
            state.bound -= 1
        self._take(state, columns, chosen.use)
        _log.debug(
            "%d columns in %.3f s: %s, value %d, bound %d, %.3f s",
            len(columns),
            listed - start,
            chosen.answer.value,
            state.value,
            state.bound,
            time.perf_counter() - listed,
        )

    def _take(
        self, state: StageState, columns: Sequence[Column], use: Sequence[tuple[int, int]]
    ) -> None:
        if use:
            value = self._found([(*columns[j], number) for j, number in use])
            state.value = max(state.value, value)
