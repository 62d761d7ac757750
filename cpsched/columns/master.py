"""The master linear program of one stage, its columns and its dual prices."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from ortools.math_opt.python import mathopt

from cpsched.columns.integer import SOLVER_ERRORS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cpsched.columns.packing import Aim, Column, LongArray, StageProblem

_MISSED = 1e-6

FloatArray = npt.NDArray[np.float64]

#: Price of missing an earlier stage by one, in the largest weights of the last: at first, and the
#: most that integer prices of that size leave exact enough.
_PENALTY, _MOST_PENALTY = 16.0, 2.0**16


@dataclass(frozen=True)
class Duals:
    """Dual prices, all >= 0; ``lagrange.integer_prices`` says what each is the price of.

    placed, home: (types,); floors: one for each earlier stage; quotas: one for each quota; bins:
    (classes,).
    """

    placed: FloatArray
    home: FloatArray
    floors: FloatArray
    quotas: FloatArray
    bins: FloatArray


class Master:
    """Maximise the aim of a stage over fractions of columns.

    Attributes
    ----------
    columns
        ``(class, pattern)`` of each.
    value, missed
        Of the linear program when it was last solved; whether it missed a floor.
    """

    def __init__(self, problem: StageProblem) -> None:
        self.problem = problem
        self.columns: list[Column] = []
        self.value = 0.0
        self.missed = False
        self._seen: set[tuple[int, bytes]] = set()
        self.model = model = mathopt.Model()
        items, bins = problem.items, problem.bins
        types = range(items.number)
        self._placed = [model.add_variable(lb=0, ub=int(n)) for n in items.count]
        self._placed_row = [model.add_linear_constraint(ub=0.0) for _ in types]
        self._class_row = [model.add_linear_constraint(ub=float(n)) for n in bins.number]
        self._kept: list[mathopt.Variable] = []
        self._home: list[mathopt.Variable] = []
        self._home_row: list[mathopt.LinearConstraint] = []
        for i in types:
            self._placed_row[i].set_coefficient(self._placed[i], 1.0)
        for i in types if problem.local else ():
            kept = model.add_variable(lb=0, ub=int(items.running[i]))
            home = model.add_variable(lb=0, ub=int(items.running[i]))
            model.add_linear_constraint(kept - self._placed[i] <= 0)
            model.add_linear_constraint(home - kept <= 0)
            row = model.add_linear_constraint(ub=0.0)
            row.set_coefficient(home, 1.0)
            self._kept.append(kept)
            self._home.append(home)
            self._home_row.append(row)
        self._quota_row = []
        for quota in problem.quotas:
            home_sum = mathopt.fast_sum(self._home[i] for i in np.flatnonzero(quota.member))
            least = int((quota.member * items.running).sum()) - quota.allowed
            self._quota_row.append(model.add_linear_constraint(home_sum >= least))
        self._floor_row = []
        self._missing: list[mathopt.Variable] = []
        for aim, floor in zip(problem.aims[:-1], problem.floors, strict=True):
            # The first columns may not reach a floor: missing it has a price.
            slack = model.add_variable(lb=0)
            self._missing.append(slack)
            row = model.add_linear_constraint(self._expression(aim) + slack >= floor)
            self._floor_row.append(row)
        aim = problem.aim
        self._top = float(max(w.max(initial=0) for w in (aim.placed, aim.kept, aim.home)))
        self._penalty = _PENALTY
        model.maximize(self._expression(aim) - self._price_of_missing())
        self._solver = mathopt.IncrementalSolver(model, mathopt.SolverType.GLOP)

    def _price_of_missing(self) -> mathopt.LinearSum:
        return mathopt.fast_sum(self._penalty * self._top * slack for slack in self._missing)

    def require_floors(self) -> None:
        """No floor may be missed: the columns of a solution that reaches all of them are here."""
        for slack in self._missing:
            slack.upper_bound = 0.0

    def insist(self) -> bool:
        """Raise the price of missing a floor if one is missed; return whether that was done."""
        if not self.missed or self._penalty >= _MOST_PENALTY:
            return False
        self._penalty *= 16.0
        self.model.maximize(self._expression(self.problem.aim) - self._price_of_missing())
        return True

    def _expression(self, aim: Aim) -> mathopt.LinearSum:
        terms = []
        for weights, variables in (
            (aim.placed, self._placed),
            (aim.kept, self._kept),
            (aim.home, self._home),
        ):
            if variables:
                terms += [
                    float(weights[i]) * variables[i] for i in np.flatnonzero(weights).tolist()
                ]
        return mathopt.fast_sum(terms)

    def add(self, bin_class: int, pattern: LongArray) -> bool:
        """Add a column; return whether it was new."""
        key = (bin_class, pattern.tobytes())
        if key in self._seen:
            return False
        self._seen.add(key)
        self.columns.append((bin_class, pattern.copy()))
        x = self.model.add_variable(lb=0)
        self._class_row[bin_class].set_coefficient(x, 1.0)
        stay = self.problem.bins.stay[bin_class]
        for i in np.flatnonzero(pattern).tolist():
            number = int(pattern[i])
            self._placed_row[i].set_coefficient(x, -float(number))
            if self._home_row and stay[i]:
                self._home_row[i].set_coefficient(x, -float(min(number, int(stay[i]))))
        return True

    def solve(self, seconds: float) -> Duals | None:
        """Solve the linear program; None if time is up or no solver finds an answer."""
        limit = mathopt.SolveParameters(time_limit=datetime.timedelta(seconds=max(0.001, seconds)))
        try:
            result = self._solver.solve(params=limit)
        except SOLVER_ERRORS:
            # GLOP now and then ends ABNORMAL. HiGHS from scratch is slower and does the same.
            try:
                result = mathopt.solve(self.model, mathopt.SolverType.HIGHS, params=limit)
            except SOLVER_ERRORS:
                return None
        if result.termination.reason is not mathopt.TerminationReason.OPTIMAL:
            return None
        self.value = result.objective_value()
        missing = result.variable_values(self._missing)
        self.missed = any(value > _MISSED for value in missing)

        def prices(rows: Sequence[mathopt.LinearConstraint]) -> FloatArray:
            return np.abs(np.array(result.dual_values(rows), dtype=np.float64))

        return Duals(
            placed=prices(self._placed_row),
            home=prices(self._home_row) if self._home_row else np.zeros(len(self._placed)),
            floors=prices(self._floor_row),
            quotas=prices(self._quota_row),
            bins=prices(self._class_row),
        )
