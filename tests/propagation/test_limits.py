"""What would take for ever, overflow, or be rounded in silence is found out or refused."""

from __future__ import annotations

import time

import numpy as np
import pytest
from ortools.sat.python import cp_model

import cpsched
from cpsched.construct import Frame, Outcome, State, formulation_of, schedule_decisions
from cpsched.errors import InputError
from cpsched.jobshop.model import formulate
from cpsched.propagation import DisjunctiveRule, Propagator
from cpsched.propagation.cycles import positive_cycle


@pytest.fixture
def model() -> cp_model.CpModel:
    return cp_model.CpModel()


def test_precedences_in_a_circle_fail_at_once(model: cp_model.CpModel) -> None:
    x, y, z = (model.new_int_var(0, 10**12, name) for name in "xyz")
    model.add(x < y)
    model.add(y <= z)
    model.add(z <= x)
    begin = time.perf_counter()
    failure = Propagator(model).failure
    assert time.perf_counter() - begin < 1
    assert failure is not None
    assert failure.kind == "linear"


@pytest.mark.parametrize(
    ("precedence", "found"),
    [
        ([], False),
        ([(0, 5, 1), (1, -5, 0)], False),
        ([(0, 5, 1), (1, -4, 0)], True),
        ([(k, 1, k + 1) for k in range(3000)], False),
        ([(k, 1, k + 1) for k in range(3000)] + [(3000, -3000, 0)], False),
        ([(k, 1, k + 1) for k in range(300)] + [(300, -299, 0)], True),
        ([(0, 0, 1), (1, 0, 0), (2, 1, 0), (1, 1, 3)], False),
        ([(4, 1, 4)], True),
    ],
)
def test_positive_cycle(precedence: list[tuple[int, int, int]], found: bool) -> None:
    rows = np.array(precedence, dtype=np.int64).reshape(-1, 3)
    assert (positive_cycle(rows) >= 0) == found


def test_demands_that_do_not_fit_are_refused(model: cp_model.CpModel) -> None:
    tasks = [model.new_fixed_size_interval_var(0, 1, "") for _ in range(4)]
    model.add_cumulative(tasks, [2**59] * 4, 2**60)
    with pytest.raises(InputError, match="demands may sum to"):
        Propagator(model)


def test_bounds_are_integers(model: cp_model.CpModel) -> None:
    x = model.new_int_var(0, 9, "x")
    p = Propagator(model)
    with pytest.raises(TypeError):
        p.fix(x.index, 2.7)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="beyond"):
        p.tighten(x.index, upper=2**70)
    assert p.fix(x.index, np.int64(3))
    state = State(formulate(cpsched.read("ft06")))
    with pytest.raises(TypeError):
        state.apply(0.7)  # type: ignore[arg-type]


def test_long_lists_of_variables_are_cut(model: cp_model.CpModel) -> None:
    model.add(sum(model.new_int_var(1, 2, f"x{k}") for k in range(200)) <= 100)
    text = str(Propagator(model).failure)
    assert "'x7' and 192 more" in text
    assert len(text) < 300


def test_a_pop_undoes_what_was_posted_from_outside() -> None:
    state = State(formulate(cpsched.read("ft06")))
    state.push()
    assert not state.tighten(36, upper=1)
    assert state.outcome is Outcome.DEAD_END
    assert len(state.legal()) == 0
    state.pop()
    assert state.outcome is Outcome.RUNNING
    assert len(state.legal()) == 6


def test_waiting_that_cannot_be_is_not_legal(model: cp_model.CpModel) -> None:
    soon, late = model.new_int_var(0, 2, "soon"), model.new_int_var(5, 20, "late")
    tasks = [model.new_fixed_size_interval_var(start, 3, "") for start in (soon, late)]
    model.add_no_overlap(tasks)
    state = State(formulation_of(model, schedule_decisions(model.proto)), Frame.WAIT)
    assert state.legal().tolist() == [0]


def test_rules_belong_to_a_construction() -> None:
    construction = State(formulate(cpsched.read("ft06"))).construction
    with pytest.raises(ValueError, match="compile"):
        State(construction, rules=DisjunctiveRule.ALL)


def test_a_maximum_is_no_dearer_than_the_precedences_it_stands_for() -> None:
    """A step changes few of many expressions: the constraint is not looked through for each."""
    seconds = []
    for as_maximum in (True, False):
        model = cp_model.CpModel()
        starts = [model.new_int_var(0, 10**6, "") for _ in range(3000)]
        tasks = [model.new_fixed_size_interval_var(start, 7, "") for start in starts]
        for k in range(30):
            model.add_no_overlap(tasks[k::30])
        makespan = model.new_int_var(0, 2 * 10**6, "makespan")
        if as_maximum:
            model.add_max_equality(makespan, [start + 7 for start in starts])
        else:
            for start in starts:
                model.add(makespan >= start + 7)
        model.minimize(makespan)
        state = State(formulation_of(model, schedule_decisions(model.proto)))
        begin = time.perf_counter()
        for decision in range(300):
            state.apply(decision)
        seconds.append(time.perf_counter() - begin)
    assert seconds[0] < 5 * seconds[1] + 0.1
