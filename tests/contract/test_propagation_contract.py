"""Contract 3 of the design: the propagator prunes no value that CP-SAT can complete.

Over random models outside the families and over small schedules, against all solutions of each
model as CP-SAT lists them. A message names the seed: ``random_models.random_model(seed)``.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pytest
from ortools.sat.python import cp_model
from random_models import (
    BOX_LIMIT,
    brute_force,
    domain_values,
    kind_of,
    objectives,
    random_model,
    random_scheduling_model,
    satisfied,
    solutions,
    variables_of,
)

from cpsched.propagation import DisjunctiveRule, Propagator

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Models of each sort, and how many of them one test looks at.
NUM_RANDOM, NUM_SCHEDULES, CHUNK = 800, 400, 50

SINGLE_RULES = (
    DisjunctiveRule.DETECTABLE_PRECEDENCES,
    DisjunctiveRule.NOT_FIRST_NOT_LAST,
    DisjunctiveRule.EDGE_FINDING,
)

Bounds = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]


@dataclass(frozen=True, repr=False)
class Case:
    """A model, all its solutions, sorted, and their objectives, None without an objective."""

    maker: str
    seed: int
    model: cp_model.CpModel
    solutions: npt.NDArray[np.int64]
    objective: npt.NDArray[np.int64] | None

    def __repr__(self) -> str:
        return f"{self.maker}({self.seed})"

    @property
    def num_variables(self) -> int:
        return len(self.model.proto.variables)

    def rng(self, purpose: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, purpose])


@cache
def case(maker: str, seed: int) -> Case:
    make = {"random_model": random_model, "random_scheduling_model": random_scheduling_model}
    model = make[maker](seed)
    found = solutions(model)
    objective = objectives(model, found) if model.has_objective() else None
    return Case(maker, seed, model, found, objective)


@dataclass(frozen=True)
class Chunk:
    """Consecutive seeds of one generator."""

    maker: str
    seeds: range

    def __str__(self) -> str:
        return f"{self.maker}-{self.seeds.start}-{self.seeds.stop - 1}"

    def __iter__(self) -> Iterator[Case]:
        return (case(self.maker, seed) for seed in self.seeds)


def chunks(maker: str, count: int) -> list[Chunk]:
    return [Chunk(maker, range(low, low + CHUNK)) for low in range(0, count, CHUNK)]


RANDOM = chunks("random_model", NUM_RANDOM)
SCHEDULES = chunks("random_scheduling_model", NUM_SCHEDULES)

every_model = pytest.mark.parametrize("chunk", [*RANDOM, *SCHEDULES], ids=str)
every_schedule = pytest.mark.parametrize("chunk", SCHEDULES, ids=str)


# --- what is looked at ---------------------------------------------------------------------------


def bounds_of(p: Propagator) -> Bounds:
    return np.array(p.lower), np.array(p.upper)


def same(a: Bounds, b: Bounds) -> bool:
    return bool(np.array_equal(a[0], b[0]) and np.array_equal(a[1], b[1]))


def require_sound(p: Propagator, alive: npt.NDArray[np.int64], what: str) -> None:
    """All solutions in *alive* lie within the bounds; a failure only if there is none."""
    if p.failure is not None:
        assert not len(alive), f"{what}: {p.failure}, but {alive[0]} is a solution"
        return
    lower, upper = bounds_of(p)
    assert lower.shape == upper.shape == alive.shape[1:], what
    assert lower.dtype == upper.dtype == np.int64, what
    assert (lower <= upper).all(), f"{what}: empty domain without a failure"
    outside = ((alive < lower) | (alive > upper)).any(axis=1)
    assert not outside.any(), f"{what}: {alive[outside][0]} is outside {lower}..{upper}"


def require_explained(p: Propagator, of: Case, what: str, *, domain: bool = False) -> None:
    """The failure names a constraint of the model and variables of it.

    domain: that a decision asked for a value outside the domain is a reason, too.
    """
    failure = p.failure
    assert failure is not None, what
    assert str(failure), what
    if failure.constraint is None:
        assert domain, f"{what}: no constraint named"
        assert all(0 <= v < of.num_variables for v in failure.variables), what
        return
    assert 0 <= failure.constraint < len(of.model.proto.constraints), what
    constraint = of.model.proto.constraints[failure.constraint]
    assert failure.kind == kind_of(constraint), what
    assert failure.name == constraint.name, what
    assert constraint.name in str(failure), what
    assert set(failure.variables) <= variables_of(of.model, failure.constraint), what


@dataclass(frozen=True)
class Tightening:
    """Bounds posted on one variable; None leaves that side alone."""

    variable: int
    lower: int | None
    upper: int | None

    def post(self, p: Propagator) -> bool:
        if self.lower is not None and self.lower == self.upper:
            return p.fix(self.variable, self.lower)
        return p.tighten(self.variable, lower=self.lower, upper=self.upper)

    def keeps(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """Which rows obey the bounds."""
        keep = np.ones(len(rows), dtype=bool)
        if self.lower is not None:
            keep &= rows[:, self.variable] >= self.lower
        if self.upper is not None:
            keep &= rows[:, self.variable] <= self.upper
        return keep

    def in_domain(self, of: Case, bounds: Bounds) -> bool:
        """Whether a value of the variable is left by its bounds so far, holes looked at."""
        low, high = int(bounds[0][self.variable]), int(bounds[1][self.variable])
        if self.lower is not None:
            low = max(low, self.lower)
        if self.upper is not None:
            high = min(high, self.upper)
        values = domain_values(of.model.proto.variables[self.variable])
        return any(low <= v <= high for v in values)


def random_tightening(rng: np.random.Generator, bounds: Bounds) -> Tightening | None:
    """Decision on a random variable that is not fixed, by its bounds: it may fall into a hole."""
    lower, upper = bounds
    open_variables = np.flatnonzero(lower < upper)
    if not len(open_variables):
        return None
    variable = int(rng.choice(open_variables))
    low, high = int(lower[variable]), int(upper[variable])
    sort = int(rng.integers(4))
    if sort <= 1:
        value = int(rng.integers(low, high + 1))
        return Tightening(variable, value, value)
    if sort == 2:
        return Tightening(variable, int(rng.integers(low + 1, high + 1)), None)
    return Tightening(variable, None, int(rng.integers(low, high)))


def restricted(model: cp_model.CpModel, bounds: Bounds) -> cp_model.CpModel:
    """Copy of *model* whose variables start with these bounds."""
    copy = model.clone()
    lower, upper = bounds
    for index, variable in enumerate(copy.proto.variables):
        inside = cp_model.Domain(int(lower[index]), int(upper[index]))
        domain = cp_model.Domain.from_flat_intervals(list(variable.domain))
        flat = domain.intersection_with(inside).flattened_intervals()
        assert flat, f"variable {index}: no value of its domain within its bounds"
        variable.domain.clear()
        variable.domain.extend(flat)
    return copy


def walk(p: Propagator, of: Case, rng: np.random.Generator, what: str) -> None:
    """Down 3-6 random decisions, each checked, and back up."""
    alive = of.solutions
    before: list[tuple[Bounds, int | None]] = []
    trace = what
    for _ in range(int(rng.integers(3, 7))):
        here = bounds_of(p)
        decision = random_tightening(rng, here)
        if decision is None:
            break
        bound = p.bound
        level = p.level
        p.push()
        assert p.level == level + 1, trace
        ok = decision.post(p)
        step = f"{trace}, {decision}"
        assert ok == (p.failure is None), step
        left = alive[decision.keeps(alive)]
        require_sound(p, left, step)
        if not ok:
            require_explained(p, of, step, domain=not decision.in_domain(of, here))
            # Undone, the walk goes on with another decision.
            p.pop()
            assert p.failure is None, step
            assert p.level == level, step
            assert same(bounds_of(p), here), f"{step}: bounds differ after pop"
            assert p.bound == bound, f"{step}: bound differs after pop"
            continue
        now = bounds_of(p)
        assert (now[0] >= here[0]).all(), f"{step}: a lower bound fell"
        assert (now[1] <= here[1]).all(), f"{step}: an upper bound rose"
        assert decision.lower is None or now[0][decision.variable] >= decision.lower, step
        assert decision.upper is None or now[1][decision.variable] <= decision.upper, step
        require_bound(p, of, left, step)
        if bound is not None:
            assert p.bound is not None, step
            assert p.bound >= bound, f"{step}: the bound fell from {bound} to {p.bound}"
        before.append((here, bound))
        alive, trace = left, step
    while before:
        p.pop()
        here, bound = before.pop()
        assert same(bounds_of(p), here), f"{trace}: bounds differ after pop"
        assert p.bound == bound, f"{trace}: bound differs after pop"
        assert p.level == len(before), trace


def require_bound(p: Propagator, of: Case, alive: npt.NDArray[np.int64], what: str) -> None:
    """The bound on the objective is at most that of the best solution in *alive*."""
    if of.objective is None:
        assert p.bound is None, what
        return
    assert p.bound is not None, what
    if len(alive):
        best = int(objectives(of.model, alive).min())
        assert p.bound <= best, f"{what}: bound {p.bound}, but a solution has {best}"


# --- the oracles ---------------------------------------------------------------------------------


@every_model
def test_cp_sat_and_brute_force_list_the_same_solutions(chunk: Chunk) -> None:
    for of in chunk:
        points = math.prod(len(domain_values(v)) for v in of.model.proto.variables)
        if points <= BOX_LIMIT:
            assert np.array_equal(of.solutions, brute_force(of.model)), of
        else:
            assert satisfied(of.model, of.solutions).all(), of


def test_enough_models_have_a_solution_and_all_kinds_occur() -> None:
    for parts in (RANDOM, SCHEDULES):
        cases = list(itertools.chain(*parts))
        feasible = np.mean([len(of.solutions) > 0 for of in cases])
        assert 0.6 <= feasible <= 0.8
    seen: dict[str, int] = {}
    for of in itertools.chain(*RANDOM):
        for kind in {kind_of(c) for c in of.model.proto.constraints}:
            seen[kind] = seen.get(kind, 0) + bool(len(of.solutions))
    assert min(seen.values()) >= 20, seen
    assert len(seen) == 12, seen


# --- soundness -----------------------------------------------------------------------------------


@every_model
def test_no_solution_is_pruned_at_the_root(chunk: Chunk) -> None:
    for of in chunk:
        p = Propagator(of.model)
        require_sound(p, of.solutions, str(of))
        if p.failure is not None:
            require_explained(p, of, str(of))
            continue
        for index, variable in enumerate(of.model.proto.variables):
            values = domain_values(variable)
            assert p.lower[index] in values, of
            assert p.upper[index] in values, of
        require_bound(p, of, of.solutions, str(of))


@every_model
def test_no_solution_is_pruned_under_decisions_and_pop_restores(chunk: Chunk) -> None:
    for of in chunk:
        p = Propagator(of.model)
        if p.failure is not None:
            continue
        for number in range(3):
            walk(p, of, of.rng(number), f"{of}, walk {number}")


# --- completeness --------------------------------------------------------------------------------


@every_model
def test_a_point_fails_exactly_if_it_is_no_solution(chunk: Chunk) -> None:
    for of in chunk:
        p = Propagator(of.model)
        if p.failure is not None:
            continue
        rng = of.rng(10)
        values = [domain_values(v) for v in of.model.proto.variables]
        points = [[int(rng.choice(v)) for v in values] for _ in range(3)]
        if len(of.solutions):
            for _ in range(2):
                solution = of.solutions[int(rng.integers(len(of.solutions)))].tolist()
                points.append(solution)
                # One value off a solution: most constraints hold, one or two do not.
                near = list(solution)
                variable = int(rng.integers(of.num_variables))
                near[variable] = int(rng.choice(values[variable]))
                points.append(near)
        for point in points:
            expected = bool((of.solutions == point).all(axis=1).any())
            order = rng.permutation(of.num_variables).tolist()
            what = f"{of}, {point} fixed in the order {order}"
            p.push()
            ok, domain = True, False
            for variable in order:
                here = bounds_of(p)
                value = point[variable]
                ok = p.fix(variable, value)
                if not ok:
                    domain = not Tightening(variable, value, value).in_domain(of, here)
                    break
            assert ok == expected, what
            if ok:
                assert bounds_of(p)[0].tolist() == bounds_of(p)[1].tolist() == point, what
                if of.objective is not None:
                    assert p.bound == objectives(of.model, np.array([point]))[0], what
            else:
                require_explained(p, of, what, domain=domain)
            p.pop()
            assert p.failure is None, what


# --- the fix point -------------------------------------------------------------------------------


@every_model
@pytest.mark.parametrize("rules", [DisjunctiveRule.NONE, DisjunctiveRule.ALL], ids=str)
def test_propagating_again_changes_nothing(chunk: Chunk, rules: DisjunctiveRule) -> None:
    """A new propagator that starts from the bounds of one at rest has nothing to add."""
    for of in chunk:
        p = Propagator(of.model, rules=rules)
        if p.failure is not None:
            continue
        rng = of.rng(20)
        what = str(of)
        for _ in range(3):
            here = bounds_of(p)
            again = Propagator(restricted(of.model, here), rules=rules)
            assert again.failure is None, f"{what}: {again.failure} from {here}"
            assert same(bounds_of(again), here), f"{what}: {here} becomes {bounds_of(again)}"
            assert again.bound == p.bound, what
            # Bounds that hold already change nothing either.
            for variable in range(of.num_variables):
                low, high = int(here[0][variable]), int(here[1][variable])
                assert p.tighten(variable, lower=low, upper=high), what
            assert same(bounds_of(p), here), what
            decision = random_tightening(rng, here)
            if decision is None or not decision.post(p):
                break
            what = f"{what}, {decision}"


@every_model
def test_the_order_of_two_decisions_does_not_matter(chunk: Chunk) -> None:
    for of in chunk:
        p = Propagator(of.model)
        if p.failure is not None:
            continue
        rng = of.rng(30)
        for _ in range(3):
            pair = [random_tightening(rng, bounds_of(p)) for _ in range(2)]
            if pair[0] is None or pair[1] is None:
                break
            outcomes = []
            for order in (pair, pair[::-1]):
                p.push()
                ok = all(decision.post(p) for decision in order if decision is not None)
                outcomes.append((ok, bounds_of(p)))
                p.pop()
            (first_ok, first), (second_ok, second) = outcomes
            assert first_ok == second_ok, f"{of}, {pair}"
            if first_ok:
                assert same(first, second), f"{of}, {pair}: {first} or {second}"


# --- disjunctive rules ---------------------------------------------------------------------------


@every_schedule
@pytest.mark.parametrize("rules", [*SINGLE_RULES, DisjunctiveRule.ALL], ids=str)
def test_rules_are_sound_and_add_to_what_holds_without(
    chunk: Chunk, rules: DisjunctiveRule
) -> None:
    for of in chunk:
        what = f"{of}, {rules}"
        plain, p = Propagator(of.model), Propagator(of.model, rules=rules)
        require_sound(p, of.solutions, what)
        if p.failure is not None:
            require_explained(p, of, what)
            continue
        assert plain.failure is None, f"{what}: fails only without the rule"
        assert (p.lower >= plain.lower).all(), f"{what}: {p.lower}, without {plain.lower}"
        assert (p.upper <= plain.upper).all(), f"{what}: {p.upper}, without {plain.upper}"
        require_bound(p, of, of.solutions, what)
        walk(p, of, of.rng(40), what)


@every_model
def test_all_rules_together_are_sound_on_any_model(chunk: Chunk) -> None:
    for of in chunk:
        what = f"{of}, all rules"
        p = Propagator(of.model, rules=DisjunctiveRule.ALL)
        require_sound(p, of.solutions, what)
        if p.failure is None:
            walk(p, of, of.rng(50), what)


@pytest.mark.parametrize("rule", SINGLE_RULES, ids=str)
def test_each_rule_prunes_what_the_others_are_not_asked_for(rule: DisjunctiveRule) -> None:
    """A rule that never prunes would pass every test above."""
    stronger = 0
    for of in itertools.chain(*SCHEDULES):
        plain, p = Propagator(of.model), Propagator(of.model, rules=rule)
        if plain.failure is not None:
            continue
        stronger += p.failure is not None or not same(bounds_of(p), bounds_of(plain))
    assert stronger >= 10
