"""What the propagator does not know is an error that names it, never skipped."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest
from ortools.sat.python import cp_model
from random_models import brute_force, kind_of

from cpsched.errors import CpschedError, InputError
from cpsched.propagation import Propagator, UnsupportedConstraintError

if TYPE_CHECKING:
    from collections.abc import Callable


class Parts:
    """A model with some variables and intervals to constrain."""

    def __init__(self) -> None:
        self.model = cp_model.CpModel()
        self.x, self.y, self.z = (self.model.new_int_var(0, 2, name) for name in "xyz")
        self.a, self.b, self.c = (self.model.new_bool_var(name) for name in "abc")
        # The constraint of interest is not the first.
        self.model.add(self.x + self.y <= 3)

    def interval(self, start: cp_model.IntVar) -> cp_model.IntervalVar:
        return self.model.new_fixed_size_interval_var(start, 1, f"i{start.name}")


def _reservoir(p: Parts) -> cp_model.Constraint:
    return p.model.add_reservoir_constraint([p.x, p.y], [1, -1], 0, 2)


def _no_overlap_2d(p: Parts) -> cp_model.Constraint:
    columns = [p.interval(p.x), p.interval(p.y)]
    return p.model.add_no_overlap_2d(columns, [p.interval(p.z), p.interval(p.x)])


UNSUPPORTED: dict[str, Callable[[Parts], cp_model.Constraint]] = {
    "int_prod": lambda p: p.model.add_multiplication_equality(p.z, p.x, p.y),
    "int_div": lambda p: p.model.add_division_equality(p.z, p.x, p.y + 1),
    "int_mod": lambda p: p.model.add_modulo_equality(p.z, p.x, p.y + 1),
    "table": lambda p: p.model.add_allowed_assignments([p.x, p.y], [(0, 1), (1, 2)]),
    "automaton": lambda p: p.model.add_automaton([p.x, p.y], 0, [1], [(0, 0, 1), (1, 1, 1)]),
    "circuit": lambda p: p.model.add_circuit([(0, 1, p.a), (1, 0, p.b), (0, 0, p.c)]),
    "routes": lambda p: p.model.add_multiple_circuit([(0, 1, p.a), (1, 0, p.b)]),
    "inverse": lambda p: p.model.add_inverse([p.x, p.y, p.z], [p.z, p.x, p.y]),
    "reservoir": _reservoir,
    "no_overlap_2d": _no_overlap_2d,
}


@pytest.mark.parametrize("kind", UNSUPPORTED)
def test_unsupported_kind_is_named_with_index_and_name(kind: str) -> None:
    parts = Parts()
    constraint = UNSUPPORTED[kind](parts).with_name("the culprit")
    parts.model.add(parts.z <= 1)
    assert parts.model.validate() == ""
    assert kind_of(parts.model.proto.constraints[constraint.index]) == kind
    with pytest.raises(UnsupportedConstraintError) as caught:
        Propagator(parts.model)
    message = str(caught.value)
    assert kind in message
    assert str(constraint.index) in message
    assert "the culprit" in message
    assert "\n" not in message


@pytest.mark.parametrize("kind", UNSUPPORTED)
def test_unsupported_kind_without_a_name(kind: str) -> None:
    parts = Parts()
    constraint = UNSUPPORTED[kind](parts)
    with pytest.raises(UnsupportedConstraintError, match=kind) as caught:
        Propagator(parts.model)
    assert str(constraint.index) in str(caught.value)


@pytest.mark.parametrize("forbidden", [False, True])
def test_forbidden_assignments_are_a_table(forbidden: bool) -> None:
    parts = Parts()
    if forbidden:
        parts.model.add_forbidden_assignments([parts.x, parts.y], [(0, 1)])
    else:
        parts.model.add_allowed_assignments([parts.x, parts.y], [(0, 1)])
    with pytest.raises(UnsupportedConstraintError, match="table"):
        Propagator(parts.model)


def test_unsupported_is_an_input_error() -> None:
    assert issubclass(UnsupportedConstraintError, InputError)
    assert issubclass(UnsupportedConstraintError, CpschedError)


def test_floating_point_objective() -> None:
    parts = Parts()
    parts.model.minimize(0.5 * parts.x + parts.y)
    assert parts.model.proto.has_floating_point_objective()
    with pytest.raises(UnsupportedConstraintError, match="floating"):
        Propagator(parts.model)


# --- rare uses of supported kinds ----------------------------------------------------------------


def _enforced_no_overlap(p: Parts) -> None:
    p.model.add_no_overlap([p.interval(p.x), p.interval(p.y)]).only_enforce_if(p.a)


def _enforced_cumulative(p: Parts) -> None:
    intervals = [p.interval(p.x), p.interval(p.y)]
    p.model.add_cumulative(intervals, [1, 2], 2).only_enforce_if(p.a, ~p.b)


def _two_literals_interval(p: Parts) -> None:
    interval = p.model.new_optional_fixed_size_interval_var(p.x, 2, p.a, "i")
    p.model.proto.constraints[interval.index].enforcement_literal.append(p.b.index)
    p.model.add_no_overlap([interval, p.interval(p.y)])


def _interval_twice(p: Parts) -> None:
    interval = p.model.new_optional_fixed_size_interval_var(p.x, 2, p.a, "i")
    p.model.add_no_overlap([interval, interval])


def _objective_domain(p: Parts) -> None:
    p.model.minimize(p.x + p.z)
    p.model.proto.objective.domain.extend([0, 1, 3, 3])


def _assumption(p: Parts) -> None:
    p.model.add_assumption(~p.a)


def _unset(p: Parts) -> None:
    p.model.proto.constraints.add()


RARE: dict[str, Callable[[Parts], object]] = {
    "enforced exactly_one": lambda p: p.model.add_exactly_one(p.b, p.c).only_enforce_if(p.a),
    "enforced at_most_one": lambda p: p.model.add_at_most_one(p.b, p.c).only_enforce_if(~p.a),
    "enforced element": lambda p: p.model.add_element(p.x, [2, p.z, 1], p.y).only_enforce_if(p.a),
    "enforced lin_max": lambda p: p.model.add_max_equality(p.x, [p.y, 1]).only_enforce_if(p.a),
    "enforced all_diff": lambda p: p.model.add_all_different(p.x, p.y).only_enforce_if(~p.a),
    "enforced no_overlap": _enforced_no_overlap,
    "enforced cumulative": _enforced_cumulative,
    "interval with two literals": _two_literals_interval,
    "interval twice": _interval_twice,
    "all_diff of sums": lambda p: p.model.add_all_different(p.x + p.y, p.z, 3),
    "element at a sum": lambda p: p.model.add_element(p.x + p.y, [2, 0, p.z], p.z),
    "max of sums": lambda p: p.model.add_max_equality(p.x + p.a, [p.y + p.z, p.z - p.x]),
    "one variable twice": lambda p: p.model.add_bool_xor(p.a, p.a, ~p.b),
}


def complete(model: cp_model.CpModel) -> None:
    """Every point of the box fails exactly if it is no solution."""
    expected = {tuple(row) for row in brute_force(model).tolist()}
    p = Propagator(model)
    found = set()
    domains = [range(v.domain[0], v.domain[1] + 1) for v in model.proto.variables]
    for point in itertools.product(*domains):
        p.push()
        if all(p.fix(variable, value) for variable, value in enumerate(point)):
            found.add(point)
        p.pop()
    assert found == expected


@pytest.mark.parametrize("rare", RARE)
def test_rare_use_is_obeyed_or_refused(rare: str) -> None:
    parts = Parts()
    RARE[rare](parts)
    assert parts.model.validate() == ""
    try:
        Propagator(parts.model)
    except UnsupportedConstraintError:
        return
    complete(parts.model)


def test_objective_domain_is_obeyed_or_refused() -> None:
    parts = Parts()
    _objective_domain(parts)
    assert parts.model.validate() == ""
    try:
        p = Propagator(parts.model)
    except InputError:
        return
    assert not (p.fix(parts.x.index, 1) and p.fix(parts.z.index, 1)), "objective 2 is not allowed"


def test_assumption_is_obeyed_or_refused() -> None:
    parts = Parts()
    _assumption(parts)
    assert parts.model.validate() == ""
    try:
        p = Propagator(parts.model)
    except InputError:
        return
    assert not p.fix(parts.a.index, 1)


def test_invalid_model_is_refused() -> None:
    """A model that CP-SAT itself refuses has no solutions to be sound about."""
    parts = Parts()
    start = parts.model.new_int_var(0, 3, "start")
    size = parts.model.new_int_var(-2, 2, "size")
    parts.model.new_interval_var(start, size, start, "i")
    assert "size" in parts.model.validate()
    with pytest.raises(InputError):
        Propagator(parts.model)
