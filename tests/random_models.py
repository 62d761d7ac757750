"""Small random CP-SAT models outside the families, and two oracles that list their solutions.

``solutions`` asks CP-SAT, ``brute_force`` evaluates every point of the box; they share nothing
but the model, and the contract test compares them.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from ortools.sat.python import cp_model

if TYPE_CHECKING:
    from collections.abc import Callable

#: Values of all variables, one row a solution.
Solutions = npt.NDArray[np.int64]

#: Points of the box up to which brute force is used.
BOX_LIMIT = 20_000
#: Solutions up to which a model counts as enumerable.
SOLUTION_LIMIT = 2_000

#: Every kind of constraint that the generators use.
KINDS = (
    "linear",
    "bool_or",
    "bool_and",
    "bool_xor",
    "exactly_one",
    "at_most_one",
    "interval",
    "no_overlap",
    "cumulative",
    "element",
    "lin_max",
    "all_diff",
)
_ALL_KINDS = (
    *KINDS,
    *("int_prod", "int_div", "int_mod", "table", "automaton", "circuit", "routes", "inverse"),
    *("reservoir", "no_overlap_2d", "dummy_constraint"),
)


# --- reading -------------------------------------------------------------------------------------


def kind_of(constraint: Any) -> str:
    """Kind of a constraint of the proto, by the name of its field."""
    return next(kind for kind in _ALL_KINDS if getattr(constraint, f"has_{kind}")())


def domain_values(variable: Any) -> list[int]:
    """All values of a variable of the proto."""
    # Through list(): in the wrapper of 9.15 a negative index does not count from the end.
    flat = list(variable.domain)
    return [
        v for low, high in zip(flat[::2], flat[1::2], strict=True) for v in range(low, high + 1)
    ]


def variables_of(model: cp_model.CpModel, index: int) -> set[int]:
    """Variables of a constraint: literals, expressions, and those of the intervals it names."""
    constraint = model.proto.constraints[index]
    kind = kind_of(constraint)
    body = getattr(constraint, kind)
    literals = list(constraint.enforcement_literal)
    found: set[int] = set()
    if kind == "linear":
        found.update(body.vars)
    elif kind in ("bool_or", "bool_and", "bool_xor", "exactly_one", "at_most_one"):
        literals += list(body.literals)
    elif kind == "no_overlap":
        found.update(*(variables_of(model, i) for i in body.intervals))
    elif kind == "cumulative":
        found.update(*(variables_of(model, i) for i in body.intervals))
        found.update(*(e.vars for e in body.demands), body.capacity.vars)
    elif kind == "interval":
        found.update(body.start.vars, body.size.vars, body.end.vars)
    elif kind == "element":
        found.update(
            body.linear_index.vars, body.linear_target.vars, *(e.vars for e in body.exprs)
        )
    elif kind == "lin_max":
        found.update(body.target.vars, *(e.vars for e in body.exprs))
    elif kind == "all_diff":
        found.update(*(e.vars for e in body.exprs))
    found.update(literal if literal >= 0 else -literal - 1 for literal in literals)
    return found


# --- oracles -------------------------------------------------------------------------------------


class TooManySolutionsError(Exception):
    """More solutions than the limit."""


class _Collect(cp_model.CpSolverSolutionCallback):
    def __init__(self, limit: int) -> None:
        super().__init__()
        self.limit = limit
        self.rows: list[list[int]] = []

    def on_solution_callback(self) -> None:
        self.rows.append(list(self.response_proto.solution))
        if len(self.rows) > self.limit:
            self.stop_search()


def solutions(model: cp_model.CpModel, limit: int = SOLUTION_LIMIT) -> Solutions:
    """All solutions of *model* by CP-SAT, over all variables, in lexicographic order.

    The objective is left out; TooManySolutionsError if there are more than *limit*.
    """
    free = model.clone()
    free.clear_objective()
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.enumerate_all_solutions = True
    # Presolve of 9.15 loses solutions of a few of these models though told to keep all, and on a
    # few it aborts the process: y - 1 as an element of [y, y] is one.
    solver.parameters.cp_model_presolve = False
    collect = _Collect(limit)
    status = solver.solve(free, collect)
    if len(collect.rows) > limit:
        raise TooManySolutionsError(f"more than {limit} solutions")
    if status not in (cp_model.OPTIMAL, cp_model.INFEASIBLE):
        raise ValueError(f"{solver.status_name(status)}: {free.validate()}")
    rows = np.array(collect.rows, dtype=np.int64).reshape(-1, len(model.proto.variables))
    unique = np.unique(rows, axis=0)
    if len(unique) != len(rows):
        raise ValueError("CP-SAT gave a solution twice")
    return unique


def objectives(model: cp_model.CpModel, points: Solutions) -> npt.NDArray[np.int64]:
    """Objective of each row of *points* as minimised internally: no offset, no scaling."""
    objective = model.proto.objective
    coeffs = np.array(list(objective.coeffs), dtype=np.int64)
    return points[:, list(objective.vars)] @ coeffs


def brute_force(model: cp_model.CpModel) -> Solutions:
    """All solutions of *model* by evaluating every point, sorted as in ``solutions``."""
    values = [domain_values(v) for v in model.proto.variables]
    grid = np.meshgrid(*(np.array(v, dtype=np.int64) for v in values), indexing="ij")
    points = np.stack([axis.ravel() for axis in grid], axis=1)
    return points[satisfied(model, points)]


def satisfied(model: cp_model.CpModel, points: Solutions) -> npt.NDArray[np.bool_]:
    """Which rows of *points*, one value per variable, satisfy domains and all constraints."""
    proto = model.proto
    holds = np.ones(len(points), dtype=bool)
    for index, variable in enumerate(proto.variables):
        holds &= np.isin(points[:, index], domain_values(variable))
    for constraint in proto.constraints:
        enforced = np.ones(len(points), dtype=bool)
        for literal in constraint.enforcement_literal:
            enforced &= _literal(points, literal) == 1
        holds &= ~enforced | _BODY[kind_of(constraint)](proto, constraint, points)
    return holds


def _literal(points: Solutions, literal: int) -> npt.NDArray[np.int64]:
    return points[:, literal] if literal >= 0 else 1 - points[:, -literal - 1]


def _expression(points: Solutions, expression: Any) -> npt.NDArray[np.int64]:
    total = np.full(len(points), expression.offset, dtype=np.int64)
    for variable, coeff in zip(expression.vars, expression.coeffs, strict=True):
        total = total + coeff * points[:, variable]
    return total


def _true_literals(points: Solutions, body: Any) -> npt.NDArray[np.int64]:
    literals = list(body.literals)
    if not literals:
        return np.zeros(len(points), dtype=np.int64)
    return np.sum([_literal(points, literal) for literal in literals], axis=0)


def _linear(_proto: Any, constraint: Any, points: Solutions) -> Any:
    body = constraint.linear
    total = np.zeros(len(points), dtype=np.int64)
    for variable, coeff in zip(body.vars, body.coeffs, strict=True):
        total = total + coeff * points[:, variable]
    flat = list(body.domain)
    inside = np.zeros(len(points), dtype=bool)
    for low, high in zip(flat[::2], flat[1::2], strict=True):
        inside |= (total >= low) & (total <= high)
    return inside


def _bool_and(_proto: Any, constraint: Any, points: Solutions) -> Any:
    body = constraint.bool_and
    return _true_literals(points, body) == len(list(body.literals))


def _interval(_proto: Any, constraint: Any, points: Solutions) -> Any:
    start, size, end = _times(constraint, points)
    return (size >= 0) & (start + size == end)


def _times(constraint: Any, points: Solutions) -> tuple[Any, Any, Any]:
    body = constraint.interval
    return (
        _expression(points, body.start),
        _expression(points, body.size),
        _expression(points, body.end),
    )


def _present(constraint: Any, points: Solutions) -> Any:
    present = np.ones(len(points), dtype=bool)
    for literal in constraint.enforcement_literal:
        present &= _literal(points, literal) == 1
    return present


def _no_overlap(proto: Any, constraint: Any, points: Solutions) -> Any:
    intervals = [proto.constraints[i] for i in constraint.no_overlap.intervals]
    times = [(*_times(i, points), _present(i, points)) for i in intervals]
    holds = np.ones(len(points), dtype=bool)
    for k, (start, _, end, present) in enumerate(times):
        for other_start, _, other_end, other_present in times[:k]:
            apart = (end <= other_start) | (other_end <= start)
            holds &= apart | ~present | ~other_present
    return holds


def _cumulative(proto: Any, constraint: Any, points: Solutions) -> Any:
    body = constraint.cumulative
    intervals = [proto.constraints[i] for i in body.intervals]
    times = [(*_times(i, points), _present(i, points)) for i in intervals]
    demands = [_expression(points, demand) for demand in body.demands]
    capacity = _expression(points, body.capacity)
    holds = capacity >= 0
    # The use of the resource rises only at the start of an interval.
    for start, size, _, present in times:
        use = np.zeros(len(points), dtype=np.int64)
        for demand, (other_start, _, other_end, other_present) in zip(demands, times, strict=True):
            use += demand * (other_present & (other_start <= start) & (start < other_end))
        holds &= (use <= capacity) | ~present | (size == 0)
    return holds


def _element(_proto: Any, constraint: Any, points: Solutions) -> Any:
    body = constraint.element
    index = _expression(points, body.linear_index)
    target = _expression(points, body.linear_target)
    holds = np.zeros(len(points), dtype=bool)
    for position, expression in enumerate(body.exprs):
        holds |= (index == position) & (target == _expression(points, expression))
    return holds


def _lin_max(_proto: Any, constraint: Any, points: Solutions) -> Any:
    body = constraint.lin_max
    largest = np.max([_expression(points, e) for e in body.exprs], axis=0)
    return _expression(points, body.target) == largest


def _all_diff(_proto: Any, constraint: Any, points: Solutions) -> Any:
    values = [_expression(points, e) for e in constraint.all_diff.exprs]
    holds = np.ones(len(points), dtype=bool)
    for k, value in enumerate(values):
        for other in values[:k]:
            holds &= value != other
    return holds


_BODY: dict[str, Callable[[Any, Any, Solutions], Any]] = {
    "linear": _linear,
    "bool_or": lambda _, c, points: _true_literals(points, c.bool_or) >= 1,
    "bool_and": _bool_and,
    "bool_xor": lambda _, c, points: _true_literals(points, c.bool_xor) % 2 == 1,
    "exactly_one": lambda _, c, points: _true_literals(points, c.exactly_one) == 1,
    "at_most_one": lambda _, c, points: _true_literals(points, c.at_most_one) <= 1,
    "interval": _interval,
    "no_overlap": _no_overlap,
    "cumulative": _cumulative,
    "element": _element,
    "lin_max": _lin_max,
    "all_diff": _all_diff,
}


# --- models without structure --------------------------------------------------------------------


def random_model(seed: int) -> cp_model.CpModel:
    """Model of 3-7 variables and 2-7 constraints of any supported kind (intervals not counted).

    At least six in ten have a solution; all have at most ``BOX_LIMIT`` points in the box and
    ``SOLUTION_LIMIT`` solutions.
    """
    want_solution = np.random.default_rng(seed).random() < 0.55
    for attempt in range(1000):
        model = _Draw(np.random.default_rng([seed, attempt])).model
        if model.validate():
            continue
        if math.prod(len(domain_values(v)) for v in model.proto.variables) > BOX_LIMIT:
            continue
        found = len(brute_force(model))
        if found <= SOLUTION_LIMIT and (found or not want_solution):
            return model
    raise ValueError(f"no model for seed {seed}")


class _Draw:
    """One random model, possibly invalid or without solutions."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.model = cp_model.CpModel()
        self.ints = [self._integer(i) for i in range(int(rng.integers(2, 5)))]
        self.bools = [self._boolean(i) for i in range(int(rng.integers(1, 4)))]
        draws = (
            [self._linear] * 5
            + [self._clause] * 2
            + [self._choice]
            + [self._implication]
            + [self._resource] * 4
            + [self._alternatives] * 2
            + [self._element] * 2
            + [self._extremum] * 2
            + [self._absolute]
            + [self._all_different]
        )
        wanted = int(rng.integers(2, 8))
        while self._num_constraints() < wanted:
            draws[int(rng.integers(len(draws)))]()
        if rng.random() < 0.75:
            terms = [self._coeff() * v for v in self._some(self.ints + self.bools, 1, 4)]
            objective = sum(terms) + int(rng.integers(-5, 6))
            if rng.random() < 0.5:
                self.model.minimize(objective)
            else:
                self.model.maximize(objective)

    def _num_constraints(self) -> int:
        return sum(not c.has_interval() for c in self.model.proto.constraints)

    # variables

    def _integer(self, index: int) -> cp_model.IntVar:
        rng, name = self.rng, f"x{index}"
        low = int(rng.choice([-3, -2, -1, 0, 0, 0, 1, 2]))
        width = int(rng.integers(2, 8))
        if rng.random() < 0.3:
            inside = rng.choice(width + 3, size=min(width, 5), replace=False)
            values = [low + int(v) for v in inside]
            return self.model.new_int_var_from_domain(cp_model.Domain.from_values(values), name)
        return self.model.new_int_var(low, low + width - 1, name)

    def _boolean(self, index: int) -> cp_model.IntVar:
        if self.rng.random() < 0.05:
            return self.model.new_constant(int(self.rng.integers(2)))
        return self.model.new_bool_var(f"b{index}")

    # parts

    def _some(self, items: list[Any], low: int, high: int, *, again: bool = False) -> list[Any]:
        count = int(self.rng.integers(low, high + 1))
        if not again:
            count = min(count, len(items))
        return [items[int(i)] for i in self.rng.choice(len(items), size=count, replace=again)]

    def _coeff(self) -> int:
        return int(self.rng.choice([1, 1, 1, 2, 3, -1, -1, -2, -3]))

    def _literal(self) -> Any:
        literal = self.bools[int(self.rng.integers(len(self.bools)))]
        return ~literal if self.rng.random() < 0.4 else literal

    def _literals(self, low: int, high: int) -> list[Any]:
        return [self._literal() for _ in range(int(self.rng.integers(low, high + 1)))]

    def _affine(self) -> Any:
        """Affine expression of one variable, seldom a constant or a literal."""
        chance = self.rng.random()
        if chance < 0.1:
            return int(self.rng.integers(-2, 6))
        if chance < 0.2:
            return self._literal()
        variable = self.ints[int(self.rng.integers(len(self.ints)))]
        coeff = int(self.rng.choice([1, 1, 1, 1, 2, -1, -2]))
        return coeff * variable + int(self.rng.choice([0, 0, 0, 1, 2, -1]))

    def _general(self) -> Any:
        """Affine, sometimes with a second variable."""
        expression = self._affine()
        if self.rng.random() < 0.2:
            expression = expression - self.ints[int(self.rng.integers(len(self.ints)))]
        return expression

    def _non_negative(self) -> Any:
        """Constant or affine expression that is never negative."""
        candidates = [
            v
            for v in self.ints + self.bools
            if min(domain_values(self.model.proto.variables[v.index])) >= 0
        ]
        if not candidates or self.rng.random() < 0.6:
            return int(self.rng.integers(0, 4))
        variable = candidates[int(self.rng.integers(len(candidates)))]
        if variable.is_boolean and self.rng.random() < 0.3:
            return ~variable
        return int(self.rng.integers(1, 3)) * variable + int(self.rng.choice([0, 0, 1]))

    def _enforce(self, constraint: cp_model.Constraint, chance: float) -> None:
        if self.rng.random() < chance:
            constraint.only_enforce_if(self._literals(1, 2))
        if self.rng.random() < 0.5:
            constraint.with_name(f"c{len(self.model.proto.constraints) - 1}")

    def _point(self) -> list[int]:
        """Random value for each variable."""
        return [int(self.rng.choice(domain_values(v))) for v in self.model.proto.variables]

    # constraints

    def _linear(self) -> None:
        rng = self.rng
        variables = self._some(self.ints + self.bools, 1, 4, again=rng.random() < 0.2)
        coeffs = [self._coeff() for _ in variables]
        total = sum(c * v for c, v in zip(coeffs, variables, strict=True))
        if rng.random() < 0.15:
            total = total + self._literal()
        # Around a value that the sum takes somewhere in the box.
        point = self._point()
        near = sum(c * point[v.index] for c, v in zip(coeffs, variables, strict=True))
        near += int(rng.integers(-1, 2))
        relation = int(rng.integers(6))
        if relation == 0:
            constraint = self.model.add(total <= near)
        elif relation == 1:
            constraint = self.model.add(total >= near)
        elif relation == 2:
            constraint = self.model.add(total == near)
        elif relation == 3:
            constraint = self.model.add(total != near)
        elif relation == 4:
            high = near + int(rng.integers(0, 4))
            constraint = self.model.add_linear_constraint(total, near, high)
        else:
            gap = int(rng.integers(2, 5))
            domain = cp_model.Domain.from_intervals(
                [[near - 1, near], [near + gap, near + gap + int(rng.integers(0, 3))]]
            )
            constraint = self.model.add_linear_expression_in_domain(total, domain)
        self._enforce(constraint, 0.45)

    def _clause(self) -> None:
        rng = self.rng
        kind = int(rng.integers(3))
        if kind == 0:
            constraint = self.model.add_bool_or(self._literals(1, 3))
        elif kind == 1:
            constraint = self.model.add_bool_and(self._literals(1, 2))
        else:
            constraint = self.model.add_bool_xor(self._literals(1, 3))
        self._enforce(constraint, 0.5)

    def _choice(self) -> None:
        literals = self._some(self.bools, 2, 3)
        if self.rng.random() < 0.3:
            literals[0] = ~literals[0]
        if self.rng.random() < 0.6:
            constraint = self.model.add_exactly_one(literals)
        else:
            constraint = self.model.add_at_most_one(literals)
        self._enforce(constraint, 0)

    def _implication(self) -> None:
        self._enforce(self.model.add_implication(self._literal(), self._literal()), 0)

    def _interval(self) -> cp_model.IntervalVar:
        rng, model = self.rng, self.model
        name = f"i{len(model.proto.constraints)}"
        optional = rng.random() < 0.4
        shape = int(rng.integers(6))
        if shape <= 2:
            # Fixed size; the start is a constant, a variable, or affine such as 2 * x + 1.
            start: Any = int(rng.integers(0, 4)) if rng.random() < 0.15 else self._affine()
            size: Any = int(rng.choice([0, 1, 1, 2, 2, 3]))
            if optional:
                return model.new_optional_fixed_size_interval_var(
                    start, size, self._literal(), name
                )
            return model.new_fixed_size_interval_var(start, size, name)
        if shape == 3:
            # From a constant, as long as a variable says; or up to a constant.
            start, size = int(rng.integers(0, 3)), self._non_negative()
            end = size + start
            if rng.random() < 0.3:
                start, end = -end, -start
        elif shape == 4:
            start, size = self._affine(), self._non_negative()
            end = self._affine()
        else:
            # The size of an optional interval may be negative: then it is absent. Not so for all
            # values of a variable: CP-SAT 9.15 without presolve crashes.
            variable = self.ints[int(rng.integers(len(self.ints)))]
            values = domain_values(model.proto.variables[variable.index])
            start, size, end = self._affine(), variable - int(rng.choice(values)), self._affine()
        if optional:
            return model.new_optional_interval_var(start, size, end, self._literal(), name)
        return model.new_interval_var(start, size, end, name)

    def _resource(self) -> None:
        self._over([self._interval() for _ in range(int(self.rng.integers(1, 4)))])

    def _over(self, intervals: list[cp_model.IntervalVar]) -> None:
        if self.rng.random() < 0.5:
            self._enforce(self.model.add_no_overlap(intervals), 0)
            return
        capacity: Any = int(self.rng.integers(1, 5))
        if self.rng.random() < 0.3:
            # A negative capacity is no error for CP-SAT: it is infeasible.
            capacity = self._affine()
        demands = [self._non_negative() for _ in intervals]
        self._enforce(self.model.add_cumulative(intervals, demands, capacity), 0)

    def _alternatives(self) -> None:
        """Optional intervals of one start variable, exactly one of them present."""
        start = self._affine()
        presences = self._some(self.bools, 2, 3)
        if self.rng.random() < 0.3:
            presences[0] = ~presences[0]
        intervals = [
            self.model.new_optional_fixed_size_interval_var(
                start, int(self.rng.integers(0, 4)), presence, f"a{k}"
            )
            for k, presence in enumerate(presences)
        ]
        self._enforce(self.model.add_exactly_one(presences), 0)
        for interval in intervals:
            if self.rng.random() < 0.7:
                self._over([interval, self._interval()])

    def _element(self) -> None:
        length = int(self.rng.integers(2, 6))
        if self.rng.random() < 0.5:
            items: list[Any] = [int(v) for v in self.rng.integers(-2, 6, length)]
        else:
            items = [self._affine() for _ in range(length)]
        index = self._affine()
        if isinstance(index, int):
            index = self.ints[0]
        self._enforce(self.model.add_element(index, items, self._affine()), 0)

    def _extremum(self) -> None:
        add = (
            self.model.add_max_equality if self.rng.random() < 0.5 else self.model.add_min_equality
        )
        items = [self._general() for _ in range(int(self.rng.integers(1, 4)))]
        self._enforce(add(self._affine(), items), 0)

    def _absolute(self) -> None:
        self._enforce(self.model.add_abs_equality(self._affine(), self._general()), 0)

    def _all_different(self) -> None:
        items = [
            variable + int(self.rng.integers(-1, 2)) for variable in self._some(self.ints, 2, 4)
        ]
        if self.rng.random() < 0.2:
            items.append(int(self.rng.integers(0, 4)))
        self._enforce(self.model.add_all_different(items), 0)


# --- models of schedules -------------------------------------------------------------------------


def random_scheduling_model(seed: int) -> cp_model.CpModel:
    """Small schedule with deadlines so tight that disjunctive reasoning has something to do.

    Seeds take turns among one machine with time windows, job shops, projects (RCPSP) and flexible
    job shops; all have at most ``SOLUTION_LIMIT`` solutions, about three in four have one.
    """
    draw = (_one_machine, _job_shop, _project, _flexible)[seed % 4]
    for attempt in range(100):
        model = draw(np.random.default_rng([seed, attempt]))
        try:
            solutions(model)
        except TooManySolutionsError:
            continue
        return model
    raise ValueError(f"no model for seed {seed}")


def _one_machine(rng: np.random.Generator) -> cp_model.CpModel:
    """3-5 intervals with release dates and deadlines on one machine; some optional or variable."""
    model = cp_model.CpModel()
    count = int(rng.integers(3, 6))
    sizes = [int(s) for s in rng.choice([0, 1, 2, 2, 3, 3, 4, 5], size=count)]
    horizon = sum(sizes) + int(rng.integers(0, 3))
    starts, intervals, lateness = [], [], []
    for k, size in enumerate(sizes):
        # Wide windows for some, narrow ones for others: the narrow ones push the wide.
        width = min(horizon, size + int(rng.choice([1, 2, 3, horizon])))
        release = int(rng.integers(0, horizon - width + 1))
        start = model.new_int_var(release, release + width - size, f"s{k}")
        chance = rng.random()
        if chance < 0.15:
            present = model.new_bool_var(f"p{k}")
            interval = model.new_optional_fixed_size_interval_var(start, size, present, f"t{k}")
            lateness.append(3 * ~present)
        elif chance < 0.25:
            longer = model.new_int_var(size, size + 1, f"d{k}")
            end = model.new_int_var(release + size, min(horizon, release + width), f"e{k}")
            interval = model.new_interval_var(start, longer, end, f"t{k}")
        else:
            interval = model.new_fixed_size_interval_var(start, size, f"t{k}")
        starts.append(start)
        intervals.append(interval)
    model.add_no_overlap(intervals).with_name("machine")
    if rng.random() < 0.3:
        # Some space between two of them, the order a Boolean.
        order = model.new_bool_var("order")
        gap = int(rng.integers(0, 2))
        first, second = (int(k) for k in rng.choice(count, size=2, replace=False))
        model.add(starts[first] + sizes[first] + gap <= starts[second]).only_enforce_if(order)
        model.add(starts[second] + sizes[second] + gap <= starts[first]).only_enforce_if(~order)
    if rng.random() < 0.4:
        latest = model.new_int_var(0, horizon, "latest")
        ends = [s + d for s, d in zip(starts, sizes, strict=True)]
        model.add_max_equality(latest, ends)
        lateness.append(latest)
    else:
        lateness.extend(int(rng.integers(1, 4)) * s for s in starts)
    model.minimize(sum(lateness))
    return model


def _job_shop(rng: np.random.Generator) -> cp_model.CpModel:
    """2-3 jobs on 2-3 machines, the makespan a variable with a tight upper bound."""
    model = cp_model.CpModel()
    num_jobs, num_machines = int(rng.integers(2, 4)), int(rng.integers(2, 4))
    sizes = rng.integers(0, 5, (num_jobs, num_machines))
    routes = [rng.permutation(num_machines) for _ in range(num_jobs)]
    loads = [sum(int(sizes[j][m]) for j in range(num_jobs)) for m in range(num_machines)]
    work = max(*loads, int(sizes.sum(axis=1).max()))
    deadline = work + int(rng.integers(0, 3))
    makespan = model.new_int_var(0, deadline, "makespan")
    machines: list[list[cp_model.IntervalVar]] = [[] for _ in range(num_machines)]
    last = []
    for job, route in enumerate(routes):
        previous: Any = int(rng.integers(0, 2))
        for machine in route:
            size = int(sizes[job][machine])
            start = model.new_int_var(0, deadline - size, f"s{job}_{machine}")
            name = f"t{job}_{machine}"
            machines[machine].append(model.new_fixed_size_interval_var(start, size, name))
            model.add(start >= previous)
            previous = start + size
        last.append(previous)
    for machine, intervals in enumerate(machines):
        model.add_no_overlap(intervals).with_name(f"machine{machine}")
    model.add_max_equality(makespan, last)
    model.minimize(makespan)
    return model


def _project(rng: np.random.Generator) -> cp_model.CpModel:
    """4-5 activities with precedences on one or two cumulative resources, seldom a machine."""
    model = cp_model.CpModel()
    count = int(rng.integers(4, 6))
    sizes = [int(s) for s in rng.integers(0, 5, count)]
    num_resources = int(rng.integers(1, 3))
    demands = rng.integers(0, 4, (num_resources, count))
    capacities = [int(max(demands[r].max(), rng.integers(2, 5))) for r in range(num_resources)]
    energy = max(
        -(-int((demands[r] * sizes).sum()) // max(1, capacities[r])) for r in range(num_resources)
    )
    horizon = max(energy, max(sizes)) + int(rng.integers(0, 3))
    starts = [model.new_int_var(0, horizon - size, f"s{k}") for k, size in enumerate(sizes)]
    intervals = [
        model.new_fixed_size_interval_var(start, size, f"t{k}")
        for k, (start, size) in enumerate(zip(starts, sizes, strict=True))
    ]
    for k in range(1, count):
        if rng.random() < 0.4:
            before = int(rng.integers(k))
            model.add(starts[before] + sizes[before] <= starts[k])
    for r in range(num_resources):
        capacity: Any = capacities[r]
        if rng.random() < 0.3:
            capacity = model.new_int_var(capacities[r] - 1, capacities[r], f"capacity{r}")
        listed = [int(d) for d in demands[r]]
        model.add_cumulative(intervals, listed, capacity).with_name(f"resource{r}")
    if rng.random() < 0.4:
        model.add_no_overlap(intervals[:3]).with_name("machine")
    makespan = model.new_int_var(0, horizon, "makespan")
    model.add_max_equality(makespan, [s + d for s, d in zip(starts, sizes, strict=True)])
    model.minimize(makespan)
    return model


def _flexible(rng: np.random.Generator) -> cp_model.CpModel:
    """2-3 jobs of 1-2 operations with optional intervals on two machines that have maintenance."""
    model = cp_model.CpModel()
    num_jobs = int(rng.integers(2, 4))
    machines: list[list[cp_model.IntervalVar]] = [[], []]
    horizon = int(rng.integers(5, 11))
    last = []
    shared = rng.random() < 0.5
    for job in range(num_jobs):
        previous: Any = 0
        for op in range(int(rng.integers(1, 3))):
            name = f"{job}_{op}"
            sizes = [int(s) for s in rng.integers(1, 5, 2)]
            start = model.new_int_var(0, horizon, f"s{name}")
            end = model.new_int_var(0, horizon, f"e{name}")
            presences = [model.new_bool_var(f"p{name}_{m}") for m in range(2)]
            model.add_exactly_one(presences)
            if shared:
                # One interval of variable size, its alternatives with the same start and end.
                size = model.new_int_var(min(sizes), max(sizes), f"d{name}")
                model.new_interval_var(start, size, end, f"t{name}")
            for machine, (present, length) in enumerate(zip(presences, sizes, strict=True)):
                if shared:
                    interval = model.new_optional_interval_var(
                        start, length, end, present, f"t{name}_{machine}"
                    )
                    model.add(size == length).only_enforce_if(present)
                else:
                    interval = model.new_optional_fixed_size_interval_var(
                        start, length, present, f"t{name}_{machine}"
                    )
                    model.add(end == start + length).only_enforce_if(present)
                machines[machine].append(interval)
            model.add(start >= previous)
            previous = end
        last.append(previous)
    for machine, intervals in enumerate(machines):
        free = 0
        for k in range(int(rng.integers(0, 3))):
            # Not in use for a while: an alternative learns an earliest start of its own.
            begin, length = free + int(rng.integers(0, 5)), int(rng.integers(1, 3))
            intervals.append(model.new_fixed_size_interval_var(begin, length, f"m{machine}_{k}"))
            free = begin + length
        model.add_no_overlap(intervals).with_name(f"machine{machine}")
    makespan = model.new_int_var(0, horizon, "makespan")
    model.add_max_equality(makespan, last)
    model.minimize(makespan)
    return model
