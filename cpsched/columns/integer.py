"""Whole numbers of columns: a small mixed-integer program; its refusals by a second solver."""

from __future__ import annotations

import datetime
import enum
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from ortools.math_opt.python import mathopt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cpsched.columns.packing import Aim, Column, StageProblem

#: Seconds that a call may keep a Ctrl-C waiting: solvers look at nothing but the clock.
LONGEST_CALL = 8.0


#: What a solver's failure looks like; the wrapper of 9.15 cannot even report some of them.
SOLVER_ERRORS = (AttributeError, RuntimeError, ValueError)


class Answer(enum.Enum):
    """Whether columns reach a target: a solution, a proof that there is none, or neither."""

    FOUND = "found"
    NONE = "none"
    OPEN = "open"


@dataclass(frozen=True)
class Selection:
    """Columns chosen, as (column, number of bins) pairs; none without a solution."""

    answer: Answer
    use: tuple[tuple[int, int], ...] = ()


def select(
    problem: StageProblem,
    target: int,
    columns: Sequence[Column],
    *,
    deadline: float,
    best: bool = False,
    solver: mathopt.SolverType = mathopt.SolverType.GSCIP,
) -> Selection:
    """Choose columns such that the aim reaches *target* and the earlier ones their floors.

    best: go on to the best value that the columns allow; deadline: by ``time.perf_counter``,
    building the program included. A solution is counted again in integers before it is returned;
    a solver that errs makes the answer OPEN.
    """
    program = _Program(problem, columns)
    model = program.model
    model.add_linear_constraint(program.expression(problem.aim) >= target)
    if best:
        model.maximize(program.expression(problem.aim))
    left = deadline - time.perf_counter()
    if left <= 0:
        return Selection(Answer.OPEN)
    parameters = mathopt.SolveParameters(
        time_limit=datetime.timedelta(seconds=min(LONGEST_CALL, left)),
        # The relaxation is tight already: without cuts and presolve SCIP is nine times as fast as
        # HiGHS, and five times as fast as itself (44 programs of 16 nodes and 64 pods).
        presolve=mathopt.Emphasis.OFF,
        cuts=mathopt.Emphasis.OFF if solver is mathopt.SolverType.GSCIP else None,
        # Heuristics help to find; a target that is seldom reached is better searched for.
        heuristics=None if best else mathopt.Emphasis.OFF,
        threads=1 if solver is mathopt.SolverType.GSCIP else None,
        absolute_gap_tolerance=0.99 if best else None,
    )
    try:
        result = mathopt.solve(model, solver, params=parameters)
    except SOLVER_ERRORS:
        return Selection(Answer.OPEN)
    if result.has_primal_feasible_solution():
        values = result.variable_values(program.x)
        use = tuple((j, round(value)) for j, value in enumerate(values) if value > 0.5)
        if problem.reaches(columns, use, target):
            return Selection(Answer.FOUND, use)
        return Selection(Answer.OPEN)
    if result.termination.reason is mathopt.TerminationReason.INFEASIBLE:
        return Selection(Answer.NONE)
    return Selection(Answer.OPEN)


def decide(
    problem: StageProblem, target: int, columns: Sequence[Column], *, deadline: float
) -> Selection:
    """Whether *columns* reach *target*; NONE only if two different solvers say so.

    SCIP first; that there is none is believed when HiGHS has come to the same by itself, without
    its presolve, which has been seen to lose solutions.
    """
    first = select(problem, target, columns, deadline=deadline)
    if first.answer is not Answer.NONE:
        return first
    return select(problem, target, columns, deadline=deadline, solver=mathopt.SolverType.HIGHS)


class _Program:
    """The rows of a stage over whole numbers of columns.

    The numbers of items are continuous: every row asks for more of them, so they follow from the
    columns.
    """

    def __init__(self, problem: StageProblem, columns: Sequence[Column]) -> None:
        items, bins = problem.items, problem.bins
        self.model = model = mathopt.Model()
        self.x = [
            model.add_integer_variable(lb=0, ub=int(bins.number[bin_class]))
            for bin_class, _ in columns
        ]
        types = range(items.number)
        inside: list[list[mathopt.LinearProduct]] = [[] for _ in types]
        at_home: list[list[mathopt.LinearProduct]] = [[] for _ in types]
        of_class: list[list[mathopt.Variable]] = [[] for _ in bins.number]
        for x, (bin_class, pattern) in zip(self.x, columns, strict=True):
            of_class[bin_class].append(x)
            stay = bins.stay[bin_class]
            for i in np.flatnonzero(pattern).tolist():
                inside[i].append(int(pattern[i]) * x)
                if stay[i]:
                    at_home[i].append(min(int(pattern[i]), int(stay[i])) * x)
        self.placed = [model.add_variable(lb=0, ub=int(n)) for n in items.count]
        self.kept, self.home = [], []
        for i in types:
            model.add_linear_constraint(self.placed[i] <= mathopt.fast_sum(inside[i]))
        for i in types if problem.local else ():
            kept = model.add_variable(lb=0, ub=int(items.running[i]))
            home = model.add_variable(lb=0, ub=int(items.running[i]))
            model.add_linear_constraint(kept <= self.placed[i])
            model.add_linear_constraint(home <= kept)
            model.add_linear_constraint(home <= mathopt.fast_sum(at_home[i]))
            self.kept.append(kept)
            self.home.append(home)
        for members, number in zip(of_class, bins.number.tolist(), strict=True):
            if members:
                model.add_linear_constraint(mathopt.fast_sum(members) <= number)
        for aim, floor in zip(problem.aims[:-1], problem.floors, strict=True):
            model.add_linear_constraint(self.expression(aim) >= floor)
        for quota in problem.quotas:
            members_home = [self.home[i] for i in np.flatnonzero(quota.member).tolist()]
            least = int((quota.member * items.running).sum()) - quota.allowed
            model.add_linear_constraint(mathopt.fast_sum(members_home) >= least)

    def expression(self, aim: Aim) -> mathopt.LinearSum:
        """Value of an aim."""
        terms = []
        for weights, variables in (
            (aim.placed, self.placed),
            (aim.kept, self.kept),
            (aim.home, self.home),
        ):
            if variables:
                terms += [int(weights[i]) * variables[i] for i in np.flatnonzero(weights).tolist()]
        return mathopt.fast_sum(terms)
