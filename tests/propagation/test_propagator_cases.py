"""What each kind of constraint must prune, on models small enough to check by hand."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np
import pytest
from ortools.sat.python import cp_model

from cpsched.propagation import DisjunctiveRule, Propagator

if TYPE_CHECKING:
    from collections.abc import Callable


def bounds(p: Propagator, variable: cp_model.IntVar) -> tuple[int, int]:
    return int(p.lower[variable.index]), int(p.upper[variable.index])


@pytest.fixture
def model() -> cp_model.CpModel:
    return cp_model.CpModel()


# --- domains -------------------------------------------------------------------------------------


def test_upper_bounds_are_read_past_the_wrapper_s_negative_index(model: cp_model.CpModel) -> None:
    """``domain[-1]`` of the wrapper of ortools 9.15 gives no error and no last element."""
    plain = model.new_int_var(2, 7, "plain")
    holes = model.new_int_var_from_domain(cp_model.Domain.from_values([-4, 0, 1, 5, 9]), "holes")
    fixed = model.new_constant(6)
    p = Propagator(model)
    assert bounds(p, plain) == (2, 7)
    assert bounds(p, holes) == (-4, 9)
    assert bounds(p, fixed) == (6, 6)
    assert p.lower.dtype == p.upper.dtype == np.int64
    assert p.lower.shape == p.upper.shape == (3,)


def test_model_without_variables(model: cp_model.CpModel) -> None:
    p = Propagator(model)
    assert p.failure is None
    assert p.lower.shape == p.upper.shape == (0,)


def test_bounds_round_inward_over_holes(model: cp_model.CpModel) -> None:
    domain = cp_model.Domain.from_intervals([[0, 0], [3, 5], [9, 9]])
    x = model.new_int_var_from_domain(domain, "x")
    p = Propagator(model)
    assert p.tighten(x.index, lower=1)
    assert bounds(p, x) == (3, 9)
    assert p.tighten(x.index, upper=8)
    assert bounds(p, x) == (3, 5)
    p.push()
    assert p.tighten(x.index, lower=4, upper=4)
    assert bounds(p, x) == (4, 4)
    p.pop()
    assert bounds(p, x) == (3, 5)


@pytest.mark.parametrize("value", [7, 1, -1, 10])
def test_a_value_outside_the_domain_fails_for_no_constraint(
    model: cp_model.CpModel, value: int
) -> None:
    domain = cp_model.Domain.from_intervals([[0, 0], [3, 5], [9, 9]])
    x = model.new_int_var_from_domain(domain, "x")
    p = Propagator(model)
    assert not p.fix(x.index, value)
    assert p.failure is not None
    assert p.failure.constraint is None
    assert "x" in str(p.failure)


def test_both_bounds_within_one_hole_fail(model: cp_model.CpModel) -> None:
    x = model.new_int_var_from_domain(cp_model.Domain.from_values([0, 5]), "x")
    p = Propagator(model)
    assert not p.tighten(x.index, lower=1, upper=4)


def test_propagated_bounds_round_inward_over_holes(model: cp_model.CpModel) -> None:
    x = model.new_int_var_from_domain(cp_model.Domain.from_values([0, 3, 7]), "x")
    y = model.new_int_var(0, 10, "y")
    model.add(x + y == 10)
    p = Propagator(model)
    # y <= 8 leaves x >= 2: that is 3, and so y <= 7.
    assert p.tighten(y.index, upper=8)
    assert bounds(p, x) == (3, 7)
    assert bounds(p, y) == (3, 7)


def test_bounds_that_hold_already_change_nothing(model: cp_model.CpModel) -> None:
    x = model.new_int_var(2, 7, "x")
    p = Propagator(model)
    assert p.tighten(x.index)
    assert p.tighten(x.index, lower=-5, upper=100)
    assert bounds(p, x) == (2, 7)


@pytest.mark.parametrize("variable", [-1, 1, 10**6])
def test_unknown_variable_is_an_error(model: cp_model.CpModel, variable: int) -> None:
    model.new_int_var(0, 5, "x")
    p = Propagator(model)
    with pytest.raises((IndexError, ValueError)):
        p.tighten(variable, lower=1)
    with pytest.raises((IndexError, ValueError)):
        p.fix(variable, 1)


# --- linear --------------------------------------------------------------------------------------


def test_linear_at_most(model: cp_model.CpModel) -> None:
    x, y = model.new_int_var(0, 10, "x"), model.new_int_var(0, 10, "y")
    model.add(x + 2 * y <= 7)
    p = Propagator(model)
    assert bounds(p, x) == (0, 7)
    assert bounds(p, y) == (0, 3)
    assert p.tighten(y.index, lower=2)
    assert bounds(p, x) == (0, 3)


def test_linear_at_least_with_negative_coefficients(model: cp_model.CpModel) -> None:
    x, y = model.new_int_var(-5, 5, "x"), model.new_int_var(-5, 5, "y")
    model.add(-2 * x + 3 * y >= 4)
    p = Propagator(model)
    # -2 x >= 4 - 15, so x <= 5; 3 y >= 4 - 10, so y >= -2.
    assert bounds(p, x) == (-5, 5)
    assert bounds(p, y) == (-2, 5)
    assert p.tighten(y.index, upper=1)
    # -2 x >= 1, so x <= -1 (rounded inward from -1/2).
    assert bounds(p, x) == (-5, -1)


def test_linear_equality_prunes_both_sides(model: cp_model.CpModel) -> None:
    x, y = model.new_int_var(0, 4, "x"), model.new_int_var(0, 20, "y")
    model.add(x + y == 10)
    p = Propagator(model)
    assert bounds(p, y) == (6, 10)
    assert p.fix(y.index, 7)
    assert bounds(p, x) == (3, 3)


def test_linear_range_and_rounding(model: cp_model.CpModel) -> None:
    x = model.new_int_var(-20, 20, "x")
    model.add_linear_constraint(3 * x, -10, 10)
    p = Propagator(model)
    assert bounds(p, x) == (-3, 3)


def test_linear_propagates_to_the_fix_point(model: cp_model.CpModel) -> None:
    chain = [model.new_int_var(0, 20, f"x{k}") for k in range(6)]
    for before, after in itertools.pairwise(chain):
        model.add(after >= before + 3)
    p = Propagator(model)
    assert p.lower.tolist() == [0, 3, 6, 9, 12, 15]
    assert p.upper.tolist() == [5, 8, 11, 14, 17, 20]
    assert p.tighten(chain[2].index, lower=10)
    assert p.lower.tolist() == [0, 3, 10, 13, 16, 19]


def test_linear_not_equal_at_a_bound(model: cp_model.CpModel) -> None:
    x, y = model.new_int_var(0, 3, "x"), model.new_int_var(0, 5, "y")
    model.add(x != 3)
    model.add(x + y != 5)
    p = Propagator(model)
    assert bounds(p, x) == (0, 2)
    assert p.fix(y.index, 4)
    # x != 1 is inside the bounds and waits.
    assert bounds(p, x) == (0, 2)
    assert p.tighten(x.index, lower=1)
    assert bounds(p, x) == (2, 2)


def test_linear_of_several_intervals(model: cp_model.CpModel) -> None:
    x, y = model.new_int_var(0, 20, "x"), model.new_int_var(0, 5, "y")
    domain = cp_model.Domain.from_intervals([[0, 2], [8, 9]])
    model.add_linear_expression_in_domain(x + y, domain)
    p = Propagator(model)
    assert bounds(p, x) == (0, 9)
    assert p.fix(y.index, 1)
    assert p.tighten(x.index, lower=2)
    assert bounds(p, x) == (7, 8)


def test_linear_that_skips_a_value_fails_once_fixed(model: cp_model.CpModel) -> None:
    x = model.new_int_var(0, 5, "x")
    model.add(2 * x != 4)
    p = Propagator(model)
    assert not p.fix(x.index, 2)
    assert p.failure is not None
    assert p.failure.constraint == 0


def test_linear_of_large_numbers(model: cp_model.CpModel) -> None:
    x = model.new_int_var(0, 10**15, "x")
    y = model.new_int_var(-(10**15), 10**15, "y")
    model.add(1000 * x + y <= 10**12)
    p = Propagator(model)
    assert bounds(p, x) == (0, (10**12 + 10**15) // 1000)
    assert p.tighten(y.index, lower=0)
    assert bounds(p, x) == (0, 10**9)


def test_literal_becomes_false_when_the_linear_is_impossible(model: cp_model.CpModel) -> None:
    x, y = model.new_int_var(0, 9, "x"), model.new_int_var(0, 9, "y")
    b, c = model.new_bool_var("b"), model.new_bool_var("c")
    model.add(x + y <= 3).only_enforce_if(b)
    model.add(x + y >= 17).only_enforce_if(~c)
    p = Propagator(model)
    assert bounds(p, b) == bounds(p, c) == (0, 1)
    assert bounds(p, x) == (0, 9)
    assert p.tighten(x.index, lower=4)
    assert bounds(p, b) == (0, 0)
    assert bounds(p, c) == (0, 1)
    assert p.tighten(x.index, upper=7)
    assert bounds(p, c) == (1, 1)


def test_last_open_literal_of_an_impossible_linear_becomes_false(
    model: cp_model.CpModel,
) -> None:
    x = model.new_int_var(4, 9, "x")
    b, c = model.new_bool_var("b"), model.new_bool_var("c")
    model.add(x <= 3).only_enforce_if(b, ~c)
    p = Propagator(model)
    assert bounds(p, b) == bounds(p, c) == (0, 1)
    assert p.fix(b.index, 1)
    assert bounds(p, c) == (1, 1)


def test_enforced_linear_prunes_and_the_negated_one_does_not(model: cp_model.CpModel) -> None:
    x, b = model.new_int_var(0, 9, "x"), model.new_bool_var("b")
    model.add(x <= 3).only_enforce_if(b)
    model.add(x >= 6).only_enforce_if(~b)
    p = Propagator(model)
    p.push()
    assert p.fix(b.index, 1)
    assert bounds(p, x) == (0, 3)
    p.pop()
    assert p.fix(b.index, 0)
    assert bounds(p, x) == (6, 9)


def test_linear_over_literals(model: cp_model.CpModel) -> None:
    b, c, d = (model.new_bool_var(n) for n in "bcd")
    model.add(2 * b + c + ~d >= 3)
    p = Propagator(model)
    assert bounds(p, b) == (1, 1)
    assert p.fix(d.index, 1)
    assert bounds(p, c) == (1, 1)


# --- Booleans ------------------------------------------------------------------------------------


def test_bool_or_sets_its_last_literal(model: cp_model.CpModel) -> None:
    b, c, d = (model.new_bool_var(n) for n in "bcd")
    model.add_bool_or(b, ~c, d)
    p = Propagator(model)
    assert p.fix(b.index, 0)
    assert p.fix(c.index, 1)
    assert bounds(p, d) == (1, 1)


def test_empty_bool_or_is_false(model: cp_model.CpModel) -> None:
    b = model.new_bool_var("b")
    model.add_bool_or([]).only_enforce_if(b)
    p = Propagator(model)
    assert bounds(p, b) == (0, 0)
    model.add_bool_or([])
    failure = Propagator(model).failure
    assert failure is not None
    assert failure.constraint == 1


def test_enforced_bool_or(model: cp_model.CpModel) -> None:
    b, c, d = (model.new_bool_var(n) for n in "bcd")
    model.add_bool_or(b, c).only_enforce_if(d)
    p = Propagator(model)
    p.push()
    assert p.fix(d.index, 1)
    assert p.fix(b.index, 0)
    assert bounds(p, c) == (1, 1)
    p.pop()
    assert p.fix(b.index, 0)
    assert p.fix(c.index, 0)
    assert bounds(p, d) == (0, 0)


def test_bool_and(model: cp_model.CpModel) -> None:
    b, c, d, e = (model.new_bool_var(n) for n in "bcde")
    model.add_bool_and(b, ~c)
    model.add_bool_and(d, e).only_enforce_if(b)
    p = Propagator(model)
    assert p.lower.tolist() == p.upper.tolist() == [1, 0, 1, 1]


def test_implication_works_in_both_directions(model: cp_model.CpModel) -> None:
    b, c = model.new_bool_var("b"), model.new_bool_var("c")
    model.add_implication(b, ~c)
    p = Propagator(model)
    p.push()
    assert p.fix(b.index, 1)
    assert bounds(p, c) == (0, 0)
    p.pop()
    assert p.fix(c.index, 1)
    assert bounds(p, b) == (0, 0)


def test_bool_xor_sets_its_last_literal(model: cp_model.CpModel) -> None:
    b, c, d = (model.new_bool_var(n) for n in "bcd")
    model.add_bool_xor(b, ~c, d)
    p = Propagator(model)
    assert p.fix(b.index, 1)
    assert bounds(p, d) == (0, 1)
    assert p.fix(c.index, 0)
    # Two are true already, so the third must be.
    assert bounds(p, d) == (1, 1)


def test_enforced_bool_xor(model: cp_model.CpModel) -> None:
    b, c, d = (model.new_bool_var(n) for n in "bcd")
    model.add_bool_xor(b, c).only_enforce_if(~d)
    p = Propagator(model)
    assert p.fix(b.index, 1)
    assert p.fix(c.index, 1)
    assert bounds(p, d) == (1, 1)


def test_exactly_one_takes_the_last_candidate(model: cp_model.CpModel) -> None:
    b, c, d = (model.new_bool_var(n) for n in "bcd")
    model.add_exactly_one(b, c, ~d)
    p = Propagator(model)
    assert p.fix(b.index, 0)
    assert bounds(p, c) == (0, 1)
    assert p.fix(d.index, 1)
    assert bounds(p, c) == (1, 1)


@pytest.mark.parametrize("kind", ["exactly_one", "at_most_one"])
def test_one_true_literal_makes_the_others_false(model: cp_model.CpModel, kind: str) -> None:
    b, c, d = (model.new_bool_var(n) for n in "bcd")
    getattr(model, f"add_{kind}")(b, ~c, d)
    p = Propagator(model)
    assert p.fix(b.index, 1)
    assert bounds(p, c) == (1, 1)
    assert bounds(p, d) == (0, 0)


def test_at_most_one_allows_none(model: cp_model.CpModel) -> None:
    b, c = model.new_bool_var("b"), model.new_bool_var("c")
    model.add_at_most_one(b, c)
    p = Propagator(model)
    assert p.fix(b.index, 0)
    assert bounds(p, c) == (0, 1)
    assert p.fix(c.index, 0)


def test_a_literal_twice_counts_twice(model: cp_model.CpModel) -> None:
    b, c = model.new_bool_var("b"), model.new_bool_var("c")
    model.add_exactly_one(b, b, c)
    p = Propagator(model)
    assert not p.fix(b.index, 1)


# --- intervals -----------------------------------------------------------------------------------


def test_interval_ties_start_size_and_end(model: cp_model.CpModel) -> None:
    start, end = model.new_int_var(0, 10, "start"), model.new_int_var(0, 8, "end")
    size = model.new_int_var(2, 9, "size")
    model.new_interval_var(start, size, end, "i")
    p = Propagator(model)
    assert bounds(p, start) == (0, 6)
    assert bounds(p, end) == (2, 8)
    assert bounds(p, size) == (2, 8)
    assert p.tighten(start.index, lower=3)
    assert bounds(p, size) == (2, 5)
    assert bounds(p, end) == (5, 8)


def test_optional_interval_that_cannot_fit_becomes_absent(model: cp_model.CpModel) -> None:
    start, end = model.new_int_var(0, 10, "start"), model.new_int_var(0, 10, "end")
    present = model.new_bool_var("present")
    model.new_optional_interval_var(start, 4, end, present, "i")
    p = Propagator(model)
    # Absent, it ties nothing.
    assert bounds(p, start) == bounds(p, end) == (0, 10)
    p.push()
    assert p.fix(present.index, 1)
    assert bounds(p, start) == (0, 6)
    p.pop()
    assert p.tighten(start.index, lower=8)
    assert bounds(p, present) == (0, 0)
    assert bounds(p, end) == (0, 10)


def test_optional_interval_of_negative_size_is_absent(model: cp_model.CpModel) -> None:
    size, present = model.new_int_var(-3, 2, "size"), model.new_bool_var("present")
    end = model.new_int_var(-5, 5, "end")
    model.new_optional_interval_var(0, size, end, present, "i")
    p = Propagator(model)
    p.push()
    assert p.fix(present.index, 1)
    assert bounds(p, size) == (0, 2)
    p.pop()
    assert p.tighten(size.index, upper=-1)
    assert bounds(p, present) == (0, 0)


# --- no-overlap ----------------------------------------------------------------------------------


def test_no_overlap_pushes_into_the_first_gap_that_is_long_enough(
    model: cp_model.CpModel,
) -> None:
    start = model.new_int_var(0, 20, "start")
    fixed = [model.new_fixed_size_interval_var(s, d, "") for s, d in ((2, 2), (6, 3))]
    model.add_no_overlap([model.new_fixed_size_interval_var(start, 3, "i"), *fixed])
    p = Propagator(model)
    # 0..3 meets 2..4, 4..7 meets 6..9.
    assert bounds(p, start) == (9, 20)
    model.proto.variables[start.index].domain[1] = 8
    failure = Propagator(model).failure
    assert failure is not None
    assert failure.kind == "no_overlap"


def test_no_overlap_pushes_from_the_right_too(model: cp_model.CpModel) -> None:
    start = model.new_int_var(0, 8, "start")
    fixed = [model.new_fixed_size_interval_var(s, d, "") for s, d in ((4, 2), (7, 3))]
    model.add_no_overlap([model.new_fixed_size_interval_var(start, 2, "i"), *fixed])
    p = Propagator(model)
    assert bounds(p, start) == (0, 2)


@pytest.mark.parametrize(
    "rules", [DisjunctiveRule.DETECTABLE_PRECEDENCES, DisjunctiveRule.ALL], ids=str
)
def test_no_overlap_follows_the_compulsory_order(
    model: cp_model.CpModel, rules: DisjunctiveRule
) -> None:
    a, b = model.new_int_var(0, 4, "a"), model.new_int_var(2, 10, "b")
    model.add_no_overlap(
        [
            model.new_fixed_size_interval_var(a, 5, "a"),
            model.new_fixed_size_interval_var(b, 4, "b"),
        ]
    )
    p = Propagator(model, rules=rules)
    # b before a would end at 6, and a starts at 4 the latest.
    assert bounds(p, a) == (0, 4)
    assert bounds(p, b) == (5, 10)


def test_no_overlap_makes_an_optional_interval_absent(model: cp_model.CpModel) -> None:
    start, present = model.new_int_var(3, 5, "start"), model.new_bool_var("present")
    other = model.new_fixed_size_interval_var(2, 5, "other")
    i = model.new_optional_fixed_size_interval_var(start, 2, present, "i")
    model.add_no_overlap([i, other])
    p = Propagator(model)
    assert bounds(p, present) == (0, 0)
    assert bounds(p, start) == (3, 5)


def test_no_overlap_lets_an_open_optional_interval_push_nothing(model: cp_model.CpModel) -> None:
    start, present = model.new_int_var(0, 5, "start"), model.new_bool_var("present")
    fixed = model.new_optional_fixed_size_interval_var(0, 4, present, "fixed")
    model.add_no_overlap([model.new_fixed_size_interval_var(start, 2, "i"), fixed])
    p = Propagator(model)
    assert bounds(p, start) == (0, 5)
    p.push()
    assert p.fix(present.index, 1)
    assert bounds(p, start) == (4, 5)
    p.pop()
    assert p.fix(start.index, 3)
    assert bounds(p, present) == (0, 0)


def test_no_overlap_with_an_affine_start(model: cp_model.CpModel) -> None:
    x = model.new_int_var(0, 6, "x")
    fixed = model.new_fixed_size_interval_var(0, 4, "fixed")
    model.add_no_overlap([model.new_fixed_size_interval_var(2 * x + 1, 2, "i"), fixed])
    p = Propagator(model)
    # 2 x + 1 >= 4.
    assert bounds(p, x) == (2, 6)


def test_no_overlap_with_a_start_that_falls(model: cp_model.CpModel) -> None:
    x = model.new_int_var(0, 6, "x")
    fixed = model.new_fixed_size_interval_var(0, 4, "fixed")
    model.add_no_overlap([model.new_fixed_size_interval_var(7 - x, 2, "i"), fixed])
    p = Propagator(model)
    # 7 - x >= 4.
    assert bounds(p, x) == (0, 3)


def test_no_overlap_keeps_a_zero_size_out_of_the_inside(model: cp_model.CpModel) -> None:
    start = model.new_int_var(2, 9, "start")
    fixed = model.new_fixed_size_interval_var(1, 2, "fixed")
    model.add_no_overlap([model.new_fixed_size_interval_var(start, 0, "i"), fixed])
    p = Propagator(model)
    assert bounds(p, start) == (3, 9)
    model.proto.variables[start.index].domain[0] = 1
    p = Propagator(model)
    # At the edge it is allowed.
    assert bounds(p, start) == (1, 9)


def test_no_overlap_of_a_variable_size(model: cp_model.CpModel) -> None:
    size, end = model.new_int_var(1, 9, "size"), model.new_int_var(0, 20, "end")
    fixed = model.new_fixed_size_interval_var(7, 2, "fixed")
    model.add_no_overlap([model.new_interval_var(2, size, end, "i"), fixed])
    p = Propagator(model)
    # It starts before the fixed one, so it ends before it starts.
    assert bounds(p, size) == (1, 5)
    assert bounds(p, end) == (3, 7)


# --- disjunctive rules: Vilim (2007), Baptiste, Le Pape and Nuijten (2001) -----------------------


def disjunctive(
    model: cp_model.CpModel, tasks: list[tuple[int, int, int]]
) -> list[cp_model.IntVar]:
    """Starts of tasks (earliest start, size, latest end) on one machine."""
    starts = [
        model.new_int_var(low, high - size, f"s{k}") for k, (low, size, high) in enumerate(tasks)
    ]
    intervals = [
        model.new_fixed_size_interval_var(start, size, f"t{k}")
        for k, (start, (_, size, _)) in enumerate(zip(starts, tasks, strict=True))
    ]
    model.add_no_overlap(intervals).with_name("machine")
    return starts


def test_edge_finding_puts_a_task_after_a_set(model: cp_model.CpModel) -> None:
    # The first two fill 0..7 but for one unit: the third, of size 2, comes after both.
    tasks = [(0, 3, 7), (0, 3, 7), (0, 2, 20)]
    third = disjunctive(model, tasks)[2]
    assert bounds(Propagator(model), third)[0] < 3
    assert bounds(Propagator(model, rules=DisjunctiveRule.EDGE_FINDING), third)[0] == 6
    assert bounds(Propagator(model, rules=DisjunctiveRule.ALL), third)[0] == 6


def test_edge_finding_puts_a_task_before_a_set(model: cp_model.CpModel) -> None:
    tasks = [(13, 3, 20), (13, 3, 20), (0, 2, 20)]
    third = disjunctive(model, tasks)[2]
    for rules in (DisjunctiveRule.EDGE_FINDING, DisjunctiveRule.ALL):
        assert bounds(Propagator(model, rules=rules), third) == (0, 12)


def test_not_first_puts_a_task_after_one_of_a_set(model: cp_model.CpModel) -> None:
    tasks = [(0, 3, 7), (0, 3, 7), (0, 2, 20)]
    third = disjunctive(model, tasks)[2]
    p = Propagator(model, rules=DisjunctiveRule.NOT_FIRST_NOT_LAST)
    assert bounds(p, third)[0] >= 3


def test_not_last_puts_a_task_before_one_of_a_set(model: cp_model.CpModel) -> None:
    tasks = [(13, 3, 20), (13, 3, 20), (0, 2, 20)]
    third = disjunctive(model, tasks)[2]
    p = Propagator(model, rules=DisjunctiveRule.NOT_FIRST_NOT_LAST)
    assert bounds(p, third)[1] <= 15


def test_detectable_precedences_add_up(model: cp_model.CpModel) -> None:
    # The third cannot be before either of the others (3 + 2 > 7 - 3), so it is after both.
    tasks = [(0, 3, 7), (0, 3, 7), (3, 2, 20)]
    third = disjunctive(model, tasks)[2]
    assert bounds(Propagator(model), third)[0] < 6
    p = Propagator(model, rules=DisjunctiveRule.DETECTABLE_PRECEDENCES)
    assert bounds(p, third)[0] == 6


def test_rules_see_that_a_set_does_not_fit(model: cp_model.CpModel) -> None:
    disjunctive(model, [(0, 4, 11), (0, 4, 11), (0, 4, 11)])
    p = Propagator(model, rules=DisjunctiveRule.ALL)
    assert p.failure is not None
    assert p.failure.kind == "no_overlap"
    assert p.failure.name == "machine"


def test_rules_leave_absent_intervals_out(model: cp_model.CpModel) -> None:
    present = model.new_bool_var("present")
    starts = disjunctive(model, [(0, 3, 7), (0, 2, 20)])
    gone = model.new_int_var(0, 4, "gone")
    interval = model.new_optional_fixed_size_interval_var(gone, 3, present, "t2")
    machine = model.proto.constraints[2]
    assert machine.has_no_overlap()
    machine.no_overlap.intervals.append(interval.index)
    p = Propagator(model, rules=DisjunctiveRule.ALL)
    assert bounds(p, starts[1])[0] < 3
    assert p.fix(present.index, 0)
    assert bounds(p, starts[1])[0] < 3
    p = Propagator(model, rules=DisjunctiveRule.ALL)
    assert p.fix(present.index, 1)
    assert bounds(p, starts[1])[0] == 6


# --- cumulative ----------------------------------------------------------------------------------


def test_cumulative_pushes_past_what_does_not_leave_enough(model: cp_model.CpModel) -> None:
    start = model.new_int_var(0, 10, "start")
    i = model.new_fixed_size_interval_var(start, 2, "i")
    fixed = model.new_fixed_size_interval_var(0, 4, "fixed")
    model.add_cumulative([i, fixed], [2, 1], 2)
    p = Propagator(model)
    assert bounds(p, start) == (4, 10)


def test_cumulative_uses_compulsory_parts(model: cp_model.CpModel) -> None:
    a, b = model.new_int_var(2, 3, "a"), model.new_int_var(0, 9, "b")
    i = model.new_fixed_size_interval_var(a, 3, "i")
    j = model.new_fixed_size_interval_var(b, 4, "j")
    model.add_cumulative([i, j], [2, 2], 3)
    p = Propagator(model)
    # i runs at least from 3 to 5; j would meet that until it starts at 5.
    assert bounds(p, b) == (5, 9)


def test_cumulative_leaves_room_side_by_side(model: cp_model.CpModel) -> None:
    start = model.new_int_var(0, 10, "start")
    i = model.new_fixed_size_interval_var(start, 2, "i")
    fixed = model.new_fixed_size_interval_var(0, 4, "fixed")
    model.add_cumulative([i, fixed], [2, 1], 3)
    assert bounds(Propagator(model), start) == (0, 10)


def test_cumulative_overload_fails(model: cp_model.CpModel) -> None:
    intervals = [model.new_fixed_size_interval_var(s, 3, f"i{s}") for s in range(3)]
    model.add_cumulative(intervals, [1, 1, 1], 2).with_name("crane")
    failure = Propagator(model).failure
    assert failure is not None
    assert failure.kind == "cumulative"
    assert failure.name == "crane"


def test_cumulative_bounds_its_capacity_and_demands(model: cp_model.CpModel) -> None:
    capacity, demand = model.new_int_var(0, 9, "capacity"), model.new_int_var(1, 9, "demand")
    i = model.new_fixed_size_interval_var(0, 4, "i")
    j = model.new_fixed_size_interval_var(2, 4, "j")
    model.add_cumulative([i, j], [3, demand], capacity)
    p = Propagator(model)
    assert bounds(p, capacity) == (4, 9)
    assert p.tighten(capacity.index, upper=6)
    assert bounds(p, demand) == (1, 3)


def test_cumulative_makes_an_optional_interval_absent(model: cp_model.CpModel) -> None:
    present, demand = model.new_bool_var("present"), model.new_int_var(0, 9, "demand")
    i = model.new_optional_fixed_size_interval_var(2, 3, present, "i")
    j = model.new_fixed_size_interval_var(0, 4, "j")
    model.add_cumulative([i, j], [demand, 2], 3)
    p = Propagator(model)
    # An interval that may be absent bounds no demand.
    assert bounds(p, demand) == (0, 9)
    assert p.tighten(demand.index, lower=2)
    assert bounds(p, present) == (0, 0)


def test_cumulative_ignores_size_zero(model: cp_model.CpModel) -> None:
    start = model.new_int_var(0, 9, "start")
    i = model.new_fixed_size_interval_var(start, 0, "i")
    j = model.new_fixed_size_interval_var(2, 4, "j")
    model.add_cumulative([i, j], [5, 2], 2)
    p = Propagator(model)
    assert bounds(p, start) == (0, 9)
    assert p.fix(start.index, 3)


def test_cumulative_capacity_is_never_negative(model: cp_model.CpModel) -> None:
    capacity = model.new_int_var(-3, 3, "capacity")
    model.add_cumulative([], [], capacity)
    assert bounds(Propagator(model), capacity) == (0, 3)


# --- element, extremes, all different ------------------------------------------------------------


def test_element_bounds_its_target_and_index(model: cp_model.CpModel) -> None:
    index, target = model.new_int_var(-2, 9, "index"), model.new_int_var(-20, 20, "target")
    model.add_element(index, [5, 1, 7, 3], target)
    p = Propagator(model)
    assert bounds(p, index) == (0, 3)
    assert bounds(p, target) == (1, 7)
    p.push()
    assert p.tighten(target.index, upper=4)
    assert bounds(p, index) == (1, 3)
    assert bounds(p, target) == (1, 3)
    p.pop()
    assert p.fix(index.index, 2)
    assert bounds(p, target) == (7, 7)


def test_element_of_variables(model: cp_model.CpModel) -> None:
    index, target = model.new_int_var(0, 2, "index"), model.new_int_var(0, 9, "target")
    x, y = model.new_int_var(4, 8, "x"), model.new_int_var(0, 2, "y")
    model.add_element(index, [x, y, 2 * y + 1], target)
    p = Propagator(model)
    assert bounds(p, target) == (0, 8)
    p.push()
    assert p.tighten(target.index, lower=3)
    assert bounds(p, index) == (0, 2)
    assert p.tighten(index.index, upper=1)
    assert bounds(p, index) == (0, 0)
    assert p.tighten(target.index, lower=6)
    assert bounds(p, x) == (6, 8)
    p.pop()
    assert p.fix(index.index, 2)
    assert bounds(p, target) == (1, 5)


def test_max_bounds_target_and_candidates(model: cp_model.CpModel) -> None:
    target = model.new_int_var(-50, 50, "target")
    x, y = model.new_int_var(2, 9, "x"), model.new_int_var(0, 5, "y")
    model.add_max_equality(target, [x, y + 1])
    p = Propagator(model)
    assert bounds(p, target) == (2, 9)
    p.push()
    assert p.tighten(target.index, upper=4)
    assert bounds(p, x) == (2, 4)
    assert bounds(p, y) == (0, 3)
    p.pop()
    assert p.tighten(target.index, lower=7)
    # Only x reaches it.
    assert bounds(p, x) == (7, 9)


def test_min_bounds_target_and_candidates(model: cp_model.CpModel) -> None:
    target = model.new_int_var(-50, 50, "target")
    x, y = model.new_int_var(2, 9, "x"), model.new_int_var(0, 5, "y")
    model.add_min_equality(target, [x, 2 * y])
    p = Propagator(model)
    assert bounds(p, target) == (0, 9)
    p.push()
    assert p.tighten(target.index, lower=3)
    assert bounds(p, x) == (3, 9)
    assert bounds(p, y) == (2, 5)
    p.pop()
    assert p.tighten(target.index, upper=1)
    # Only y reaches it.
    assert bounds(p, y) == (0, 0)


def test_absolute_value(model: cp_model.CpModel) -> None:
    target, x = model.new_int_var(-9, 9, "target"), model.new_int_var(-3, 2, "x")
    model.add_abs_equality(target, x)
    p = Propagator(model)
    assert bounds(p, target) == (0, 3)
    assert p.tighten(target.index, lower=2)
    assert p.tighten(x.index, lower=-1)
    assert bounds(p, x) == (2, 2)
    assert bounds(p, target) == (2, 2)


def test_max_of_a_difference(model: cp_model.CpModel) -> None:
    tardiness, end = model.new_int_var(0, 50, "tardiness"), model.new_int_var(3, 12, "end")
    due = model.new_int_var(5, 6, "due")
    model.add_max_equality(tardiness, [0, end - due])
    p = Propagator(model)
    assert bounds(p, tardiness) == (0, 7)
    assert p.tighten(end.index, lower=9)
    assert bounds(p, tardiness) == (3, 7)
    assert p.tighten(tardiness.index, upper=4)
    assert bounds(p, end) == (9, 10)


def test_all_different_moves_bounds_off_fixed_values(model: cp_model.CpModel) -> None:
    x, y, z = (model.new_int_var(0, 5, n) for n in "xyz")
    model.add_all_different(x, y + 1, z)
    p = Propagator(model)
    assert p.fix(x.index, 5)
    # y + 1 is not 5, z is not 5.
    assert bounds(p, y) == (0, 5)
    assert bounds(p, z) == (0, 4)
    assert p.tighten(y.index, upper=4)
    assert bounds(p, y) == (0, 3)


def test_all_different_cascades(model: cp_model.CpModel) -> None:
    x, y, z = (model.new_int_var(0, k, n) for k, n in enumerate("xyz"))
    model.add_all_different(x, y, z)
    p = Propagator(model)
    assert p.lower.tolist() == p.upper.tolist() == [0, 1, 2]


def test_all_different_fails_on_equal_values(model: cp_model.CpModel) -> None:
    x, y = model.new_int_var(0, 9, "x"), model.new_int_var(0, 9, "y")
    model.add_all_different(x, y - 2)
    p = Propagator(model)
    assert p.fix(x.index, 3)
    assert not p.fix(y.index, 5)
    assert p.failure is not None
    assert p.failure.kind == "all_diff"


# --- the objective -------------------------------------------------------------------------------


def test_bound_of_an_objective_to_minimise(model: cp_model.CpModel) -> None:
    x, y = model.new_int_var(0, 9, "x"), model.new_int_var(0, 9, "y")
    model.add(x + y >= 10)
    model.minimize(2 * x - y + 100)
    p = Propagator(model)
    # The offset is left out; x >= 1, y <= 9.
    assert p.bound == 2 * 1 - 9
    assert p.tighten(x.index, lower=4)
    assert p.bound == 2 * 4 - 9
    assert p.fix(y.index, 6)
    assert p.bound == 2 * 4 - 6


def test_bound_of_an_objective_to_maximise(model: cp_model.CpModel) -> None:
    x = model.new_int_var(0, 9, "x")
    model.maximize(3 * x + 1)
    p = Propagator(model)
    assert p.bound == -27
    assert p.tighten(x.index, upper=5)
    assert p.bound == -15


def test_no_objective_no_bound(model: cp_model.CpModel) -> None:
    model.new_int_var(0, 9, "x")
    assert Propagator(model).bound is None


def test_constant_objective(model: cp_model.CpModel) -> None:
    model.new_int_var(0, 9, "x")
    model.minimize(5)
    assert Propagator(model).bound == 0


# --- the explanation of a failure ----------------------------------------------------------------


def test_failure_names_the_constraint_and_its_variables(model: cp_model.CpModel) -> None:
    model.new_int_var(0, 9, "other")
    x, y = model.new_int_var(5, 9, "width"), model.new_int_var(4, 9, "height")
    model.add(x >= 1)
    model.add(x + y <= 7).with_name("budget")
    failure = Propagator(model).failure
    assert failure is not None
    assert failure.constraint == 1
    assert failure.kind == "linear"
    assert failure.name == "budget"
    assert set(failure.variables) == {x.index, y.index}
    text = str(failure)
    for part in ("budget", "linear", "width", "height"):
        assert part in text, text
    assert "other" not in text


def test_failure_of_an_unnamed_constraint(model: cp_model.CpModel) -> None:
    b, c = model.new_bool_var("b"), model.new_bool_var("c")
    model.add_bool_or(b, c)
    model.add_at_most_one(b, c)
    p = Propagator(model)
    assert p.fix(b.index, 1)
    assert not p.fix(c.index, 1)
    # c was 0 already: the decision itself is outside the domain.
    assert p.failure is not None
    assert p.failure.constraint is None
    model.add_bool_and(b, c)
    failure = Propagator(model).failure
    assert failure is not None
    assert failure.constraint in (1, 2)
    assert failure.name == ""
    assert str(failure.constraint) in str(failure)
    assert failure.kind in str(failure)


def test_failure_of_a_no_overlap_names_what_collides(model: cp_model.CpModel) -> None:
    s, t = model.new_int_var(0, 9, "s"), model.new_int_var(0, 9, "t")
    far = model.new_int_var(50, 60, "far")
    intervals = [model.new_fixed_size_interval_var(v, 3, v.name) for v in (s, t, far)]
    index = model.add_no_overlap(intervals).with_name("machine").index
    p = Propagator(model)
    assert p.fix(s.index, 4)
    # In the way on both sides: t has no bound that says so before it is fixed.
    assert not p.fix(t.index, 3)
    failure = p.failure
    assert failure is not None
    assert failure.constraint == index
    assert (failure.kind, failure.name) == ("no_overlap", "machine")
    assert set(failure.variables) >= {s.index, t.index}
    assert "machine" in str(failure)


# --- the trail -----------------------------------------------------------------------------------


def test_push_and_pop_nest(model: cp_model.CpModel) -> None:
    chain = [model.new_int_var(0, 20, f"x{k}") for k in range(4)]
    for before, after in itertools.pairwise(chain):
        model.add(after >= before + 2)
    model.minimize(chain[-1])
    p = Propagator(model)
    seen = []
    for level in range(4):
        assert p.level == level
        seen.append((p.lower.tolist(), p.upper.tolist(), p.bound))
        p.push()
        # Several decisions in one level; all of them go with it.
        assert p.tighten(chain[0].index, lower=2 * level + 1)
        assert p.tighten(chain[3].index, upper=19 - level)
    assert p.level == 4
    while seen:
        p.pop()
        assert (p.lower.tolist(), p.upper.tolist(), p.bound) == seen.pop()
        assert p.level == len(seen)


def test_pop_undoes_a_failure(model: cp_model.CpModel) -> None:
    x, y = model.new_int_var(0, 9, "x"), model.new_int_var(0, 9, "y")
    model.add_all_different(x, y)
    p = Propagator(model)
    p.push()
    assert p.fix(x.index, 3)
    p.push()
    assert not p.fix(y.index, 3)
    assert p.failure is not None
    # Nothing more can be decided in a failed state.
    with pytest.raises(RuntimeError):
        p.tighten(x.index, lower=0)
    p.push()
    assert p.failure is not None
    p.pop()
    assert p.failure is not None
    p.pop()
    assert p.failure is None
    assert bounds(p, x) == (3, 3)
    assert bounds(p, y) == (0, 9)
    assert p.fix(y.index, 4)
    p.pop()
    assert bounds(p, x) == bounds(p, y) == (0, 9)


def test_a_failure_at_the_root_stays(model: cp_model.CpModel) -> None:
    x = model.new_int_var(0, 3, "x")
    model.add(x >= 5)
    p = Propagator(model)
    assert p.failure is not None
    p.push()
    with pytest.raises(RuntimeError):
        p.fix(x.index, 1)
    p.pop()
    assert p.failure is not None


def test_decisions_without_push_stay(model: cp_model.CpModel) -> None:
    x = model.new_int_var(0, 9, "x")
    p = Propagator(model)
    assert p.tighten(x.index, lower=2)
    p.push()
    assert p.fix(x.index, 5)
    p.pop()
    assert bounds(p, x) == (2, 9)


def test_pop_without_push_is_an_error(model: cp_model.CpModel) -> None:
    p = Propagator(model)
    with pytest.raises((IndexError, ValueError, RuntimeError)):
        p.pop()


def test_the_trail_grows_with_what_it_must_hold(model: cp_model.CpModel) -> None:
    """Thousands of changes in many levels, and back."""
    chain = [model.new_int_var(0, 1000, f"x{k}") for k in range(60)]
    for before, after in itertools.pairwise(chain):
        model.add(after >= before + 1)
    p = Propagator(model)
    lower, upper = p.lower.tolist(), p.upper.tolist()
    for step in range(1, 400):
        p.push()
        assert p.tighten(chain[0].index, lower=step)
    assert p.lower.tolist() == list(range(399, 459))
    for _ in range(399):
        p.pop()
    assert p.lower.tolist() == lower
    assert p.upper.tolist() == upper


@pytest.mark.parametrize("post", [Propagator.tighten, Propagator.fix])
def test_the_model_is_left_as_it_was(model: cp_model.CpModel, post: Callable[..., bool]) -> None:
    x, y = model.new_int_var(0, 9, "x"), model.new_int_var(0, 9, "y")
    model.add(x + y == 9)
    text = str(model.proto)
    p = Propagator(model)
    assert post(p, x.index, 4)
    assert str(model.proto) == text
