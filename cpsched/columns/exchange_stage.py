"""One aim of an exchange: a linear program over changes, an exact bound, a choice in integers."""

from __future__ import annotations

import datetime
import time
from typing import TYPE_CHECKING

import numpy as np
from ortools.math_opt.python import mathopt

from cpsched.columns.integer import SOLVER_ERRORS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cpsched.columns.exchange import Change, Exchange
    from cpsched.columns.packing import LongArray

#: Integer prices to the unit.
_SCALE = 2**20
#: Price of an item that finds no bin, in the linear program.
_PENALTY = 10_000.0
#: Prices are shaken by such a share for more changes.
_SHAKE = 0.2
#: A change is worth adding if it is better than its class's price by this.
_BETTER = 1e-7


class ChangePool:
    """The changes found so far, of all stages."""

    def __init__(self, problem: Exchange) -> None:
        self.problem = problem
        self.changes: list[Change] = []
        self._seen: set[tuple[int, bytes, bytes]] = set()

    def add(self, change: Change) -> bool:
        """Keep *change*; whether it is new."""
        if change.key in self._seen:
            return False
        self._seen.add(change.key)
        self.changes.append(change)
        return True


class Stage:
    """Maximise aim number *aim* while every earlier one reaches its floor.

    bound: no solution is better; None until it is known. fraction: value of the linear program.
    """

    def __init__(self, pool: ChangePool, floors: Sequence[int]) -> None:
        self.pool, self.problem = pool, pool.problem
        self.floors, self.aim = tuple(floors), len(floors)
        self.bound: int | None = None
        self.fraction = 0.0
        problem = self.problem
        self._duals = np.zeros(problem.num_types), 0.0, np.zeros(len(self.floors))
        self.model = model = mathopt.Model()
        self._balance = [model.add_linear_constraint(ub=-float(n)) for n in problem.homeless]
        self._class = [model.add_linear_constraint(ub=float(n)) for n in problem.number]
        self._limit = model.add_linear_constraint(ub=float(problem.limit))
        self._floors = [model.add_linear_constraint(lb=float(floor)) for floor in floors]
        model.maximize(0)
        for t in np.flatnonzero(problem.homeless).tolist():
            # The first changes may not house all.
            missing = model.add_variable(lb=0, ub=float(problem.homeless[t]))
            self._balance[t].set_coefficient(missing, -1.0)
            model.objective.set_linear_coefficient(missing, -_PENALTY)
        self._solver = mathopt.IncrementalSolver(model, mathopt.SolverType.GLOP)
        for change in pool.changes:
            self._column(change)

    def _column(self, change: Change) -> None:
        x = self.model.add_variable(lb=0)
        self._class[change.bin_class].set_coefficient(x, 1.0)
        net = self.problem.by_type(change.leave - change.come)
        for t in np.flatnonzero(net).tolist():
            self._balance[t].set_coefficient(x, float(net[t]))
        self._limit.set_coefficient(x, -float(change.values[1]))
        for row, value in zip(self._floors, change.values, strict=False):
            row.set_coefficient(x, float(value))
        self.model.objective.set_linear_coefficient(x, float(change.values[self.aim]))

    def generate(self, deadline: float) -> bool:
        """Generate changes until the linear program has all it needs; False if time is up.

        After each round the prices are rounded to integers, and the Lagrangian relaxation, which
        is a bound whatever the prices, is evaluated in integers.
        """
        problem, pool = self.problem, self.pool
        of_class = np.zeros(len(problem.number))
        balance, limit, floors = self._duals
        while True:
            if pool.changes or problem.homeless.any():
                left = deadline - time.perf_counter()
                if left <= 0 or (result := self._relaxed(left)) is None:
                    return False
                self.fraction = result.objective_value()
                balance = np.abs(np.array(result.dual_values(self._balance)))
                of_class = np.abs(np.array(result.dual_values(self._class)))
                limit = abs(result.dual_values(self._limit))
                floors = np.abs(np.array(result.dual_values(self._floors)))
            self._duals = balance, limit, floors
            prices = _Prices.of(self, balance, limit, floors)
            if not problem.price(prices.gain, prices.leaving, prices.coming):
                return False
            total = prices.rest + sum(
                n * best
                for n, best in zip(problem.number.tolist(), problem.best.tolist(), strict=True)
            )
            bound = total // _SCALE
            self.bound = bound if self.bound is None else min(self.bound, bound)
            if not self._more(of_class):
                return True

    def enrich(self, random: np.random.Generator) -> None:
        """Add changes that are good at prices near those of the linear program.

        It stops at changes that suffice for its own, fractional optimum.
        """
        problem = self.problem
        balance, limit, floors = self._duals
        shaken = [
            array * random.uniform(1 - _SHAKE, 1 + _SHAKE, np.shape(array))
            for array in (balance, np.array(limit), floors)
        ]
        prices = _Prices.of(self, shaken[0], float(shaken[1]), shaken[2])
        if problem.price(prices.gain, prices.leaving, prices.coming):
            self._more(np.zeros(len(problem.number)))

    def _relaxed(self, seconds: float) -> mathopt.SolveResult | None:
        limit = mathopt.SolveParameters(time_limit=datetime.timedelta(seconds=max(0.001, seconds)))
        try:
            result = self._solver.solve(params=limit)
        except SOLVER_ERRORS:
            return None
        if result.termination.reason is not mathopt.TerminationReason.OPTIMAL:
            return None
        return result

    def _more(self, of_class: np.ndarray) -> bool:
        """Add the changes that the last prices speak for; whether there are new ones."""
        problem = self.problem
        found = False
        for c in np.flatnonzero(problem.best > _SCALE * (of_class + _BETTER)).tolist():
            change = problem.change(c, problem.leave[c], problem.come[c])
            if self.pool.add(change):
                self._column(change)
                found = True
        return found

    def choose(self, changes: list[Change], deadline: float) -> list[tuple[Change, int]] | None:
        """The best choice of *changes* in integers, with the number of bins of each; None: none.

        More may be gained than the pool's changes do, so the value is to be taken from the choice.
        """
        problem = self.problem
        left = deadline - time.perf_counter()
        if left <= 0:
            return None
        model = mathopt.Model()
        number = problem.number.tolist()
        x = [model.add_integer_variable(lb=0, ub=number[c.bin_class]) for c in changes]
        net = [problem.by_type(change.leave - change.come) for change in changes]
        rows: list[list[mathopt.LinearProduct]] = [[] for _ in range(problem.num_types)]
        of_class: dict[int, list[mathopt.Variable]] = {}
        for variable, change, more in zip(x, changes, net, strict=True):
            of_class.setdefault(change.bin_class, []).append(variable)
            for t in np.flatnonzero(more).tolist():
                rows[t].append(int(more[t]) * variable)
        for row, homeless in zip(rows, problem.homeless.tolist(), strict=True):
            if row or homeless:
                model.add_linear_constraint(mathopt.fast_sum(row) <= -homeless)
        for bin_class, members in of_class.items():
            model.add_linear_constraint(mathopt.fast_sum(members) <= number[bin_class])

        def total(aim: int) -> mathopt.LinearSum:
            return mathopt.fast_sum(
                c.values[aim] * v for v, c in zip(x, changes, strict=True) if c.values[aim]
            )

        model.add_linear_constraint(total(1) >= -problem.limit)
        for aim, floor in enumerate(self.floors):
            model.add_linear_constraint(total(aim) >= floor)
        model.maximize(total(self.aim))
        parameters = mathopt.SolveParameters(
            time_limit=datetime.timedelta(seconds=left), absolute_gap_tolerance=0.99, threads=1
        )
        try:
            result = mathopt.solve(model, mathopt.SolverType.GSCIP, params=parameters)
        except SOLVER_ERRORS:
            return None
        if not result.has_primal_feasible_solution():
            return None
        values = result.variable_values(x)
        chosen = [(c, round(v)) for c, v in zip(changes, values, strict=True) if v > 0.5]
        chosen = _balanced(problem, chosen)
        return chosen if problem.reaches(chosen, self.floors) else None


def _balanced(problem: Exchange, chosen: list[tuple[Change, int]]) -> list[tuple[Change, int]]:
    """Nothing comes that has not left: bins only gain by that."""
    number = {change.key: count for change, count in chosen}
    changes = {change.key: change for change, _ in chosen}
    extra = -problem.homeless
    for change, count in chosen:
        extra = extra + count * problem.by_type(change.come - change.leave)
    for item in np.flatnonzero(extra > 0).tolist():
        for _ in range(int(extra[item])):
            mine = problem.kind == item
            key = next(k for k, n in number.items() if n and changes[k].come[mine].any())
            come = changes[key].come.copy()
            come[np.flatnonzero(mine & (come > 0))[0]] -= 1
            less = problem.change(changes[key].bin_class, changes[key].leave, come)
            number[key] -= 1
            changes[less.key] = less
            number[less.key] = number.get(less.key, 0) + 1
    return [(changes[key], count) for key, count in number.items() if count]


class _Prices:
    """Integer prices, ``_SCALE`` to the unit; rest: what the bound has besides the bins."""

    def __init__(self, gain: int, leaving: LongArray, coming: LongArray, rest: int) -> None:
        self.gain, self.leaving, self.coming, self.rest = gain, leaving, coming, rest

    @classmethod
    def of(cls, stage: Stage, balance: np.ndarray, limit: float, floors: np.ndarray) -> _Prices:
        problem = stage.problem
        weights = [round(price * _SCALE) for price in floors.tolist()] + [0] * 3
        rest = -sum(w * floor for w, floor in zip(weights, stage.floors, strict=False))
        weights[stage.aim] += _SCALE
        of_limit = round(limit * _SCALE)
        coming = np.round(balance * _SCALE).astype(np.int64)
        leaving = coming + (weights[1] + of_limit) * problem.moves + weights[2] * problem.cost
        rest += of_limit * problem.limit - int(coming @ problem.homeless)
        return cls(weights[0], leaving, coming, rest)
