"""Laying a formulation out: what it reads off the model, and that it leaves the model alone."""

from __future__ import annotations

import pytest
from ortools.sat.python import cp_model
from random_models import random_model, random_scheduling_model
from random_shops import random_job_shop

from cpsched.construct import (
    Frame,
    State,
    assignment_decisions,
    compile_formulation,
    formulation_of,
    schedule_decisions,
)
from cpsched.construct.rules import TERMS
from cpsched.errors import InputError, StopRequestedError
from cpsched.jobshop.model import formulate


@pytest.mark.parametrize("make", [random_model, random_scheduling_model])
@pytest.mark.parametrize("seed", range(40))
def test_reading_leaves_the_model_as_it_is(make: object, seed: int) -> None:
    # In the wrapper of 9.15 a look at a field that is not set sets it.
    model: cp_model.CpModel = make(seed)  # type: ignore[operator]
    before = str(model.proto)
    decisions = schedule_decisions(model.proto) or assignment_decisions(model.proto)
    try:
        compile_formulation(formulation_of(model, decisions))
    except InputError as error:
        assert "no solution" in str(error) or "no decision" in str(error)  # noqa: PT017
    assert str(model.proto) == before


def test_tasks_follow_each_other_along_the_route() -> None:
    construction = compile_formulation(formulate(random_job_shop(1, 3, 4)))
    assert sorted(construction.precedence.edges) == [
        (4 * job + k, 4 * job + k + 1) for job in range(3) for k in range(3)
    ]
    assert construction.order.T.tolist() == construction.arcs.T.tolist()
    assert list(construction.precedence.nodes) == list(range(12))


def test_tasks_on_a_cycle_are_in_no_order_but_those_behind_it_are() -> None:
    model = cp_model.CpModel()
    a, b, c, d = (model.new_int_var(0, 9, name) for name in "abcd")
    model.add_no_overlap([model.new_fixed_size_interval_var(v, 1, v.name) for v in (a, b, c, d)])
    for before, after in ((a, b), (b, a), (b, c), (c, d)):
        model.add(before <= after)
    formulation = formulation_of(model, schedule_decisions(model.proto))
    assert sorted(compile_formulation(formulation).precedence.edges) == [(1, 2), (2, 3)]


def test_an_enforced_order_counts_by_the_presence_of_the_two_only() -> None:
    model = cp_model.CpModel()
    start = [model.new_int_var(0, 9, "") for _ in range(3)]
    present, other = model.new_bool_var(""), model.new_bool_var("")
    intervals = [
        model.new_fixed_size_interval_var(start[0], 2, ""),
        model.new_optional_fixed_size_interval_var(start[1], 2, present, ""),
        model.new_fixed_size_interval_var(start[2], 2, ""),
    ]
    model.add_cumulative(intervals, [1, 1, 1], 2)
    model.add(start[0] + 2 <= start[1]).only_enforce_if(present)
    model.add(start[0] + 2 <= start[2]).only_enforce_if(other)
    construction = compile_formulation(formulation_of(model, schedule_decisions(model.proto)))
    task = construction.task_of
    assert list(construction.precedence.edges) == [(task[0], task[1])]


def test_it_can_be_stopped() -> None:
    formulation = formulate(random_job_shop(1, 3, 3))
    with pytest.raises(StopRequestedError, match="reading"):
        compile_formulation(formulation, stop=lambda: True)
    answers = iter([False, True])
    with pytest.raises(StopRequestedError, match="decisions"):
        compile_formulation(formulation, stop=lambda: next(answers))


def test_an_alternative_with_a_start_of_its_own_starts_no_sooner_than_its_task() -> None:
    """As OR-Tools' examples write them: equal to the task's variables if it is taken."""
    model = cp_model.CpModel()
    ends, literals = [], []
    for task in range(2):
        start, end = (model.new_int_var(0, 20, f"{name} {task}") for name in ("start", "end"))
        taken = []
        for size in (3, 5):
            local = model.new_int_var(0, 20, "")
            local_end = model.new_int_var(0, 20, "")
            presence = model.new_bool_var("")
            model.new_optional_interval_var(local, size, local_end, presence, f"{task} {size}")
            model.add(start == local).only_enforce_if(presence)
            model.add(end == local_end).only_enforce_if(presence)
            taken.append(presence)
        model.add_exactly_one(taken)
        literals += taken
        if ends:
            model.add(start >= ends[-1])
        ends.append(end)
    model.minimize(ends[-1])
    state = State(formulation_of(model, schedule_decisions(model.proto)), Frame.NONDELAY)
    assert state.legal().tolist() == [0, 1]
    state.apply(1)
    starts = state.terms()[:, TERMS.index("start")]
    assert state.legal().tolist() == [2, 3]
    assert starts.tolist() == [5, 5]
    state.apply(2)
    assert state.objective() == 8
