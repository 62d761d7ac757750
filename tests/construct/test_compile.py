"""Laying a formulation out: what it reads off the model, and that it leaves the model alone."""

from __future__ import annotations

import dataclasses
from itertools import pairwise

import numpy as np
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
from cpsched.construct.root import Root
from cpsched.construct.rules import TERMS
from cpsched.errors import InputError, StopRequestedError
from cpsched.formulation import Assign, Reject, Start
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
    asked: list[bool] = []
    compile_formulation(formulation, stop=lambda: bool(asked.append(False)))  # type: ignore[func-returns-value]
    # The last question comes when the decisions are prepared.
    answers = iter([*asked[:-1], True])
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


# --- decisions that do not fit the model ---------------------------------------------------------


def switches() -> cp_model.CpModel:
    model = cp_model.CpModel()
    model.add_exactly_one([model.new_bool_var(""), model.new_bool_var("")])
    model.new_int_var(0, 9, "number")
    return model


@pytest.mark.parametrize(
    ("decision", "message"),
    [
        (Assign(2), r"Assign\(literal=2\): variable 2 is not Boolean but in 0..9"),
        (Assign(40), r"Assign\(literal=40\): the model has no variable 40, only 3"),
        (Assign(-41), r"Assign\(literal=-41\): the model has no variable 40"),
        (Assign(3 * 10**8), r"the model has no variable 300000000"),
        (Assign("x"), "'x' is no literal"),  # type: ignore[arg-type]
        (Reject((0, -3)), r"Reject\(literals=\(0, -3\)\): variable 2 is not Boolean"),
        (Reject((5,)), "the model has no variable 5"),
        (Start(0), r"Start\(interval=0\): constraint 0 is no interval"),
        (Start(-1), "constraint -1 is no interval"),
        ("take it", "'take it', is a str"),
    ],
)
def test_a_decision_that_the_model_does_not_have(decision: object, message: str) -> None:
    decisions = (Assign(0), decision)
    with pytest.raises(InputError, match=f"decision 1.*{message}"):
        compile_formulation(formulation_of(switches(), decisions))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"due": np.zeros(3, np.int64)}, r"due must have an entry for each of the 2 decisions"),
        ({"weight": np.ones((2, 1))}, r"weight must have an entry .* not shape \(2, 1\)"),
        ({"weight": np.array([1.0, np.nan])}, "weight must be finite"),
        ({"features": np.zeros(2, np.float32)}, r"features must have a row .* not shape \(2,\)"),
        ({"features": np.zeros((3, 2), np.float32)}, r"not shape \(3, 2\)"),
        ({"features": np.full((2, 1), np.inf, np.float32)}, "features must be finite"),
    ],
)
def test_attributes_of_decisions_fit_them(attributes: dict[str, object], message: str) -> None:
    formulation = formulation_of(switches(), (Assign(0), Assign(1)))
    with pytest.raises(InputError, match=message):
        compile_formulation(dataclasses.replace(formulation, **attributes))  # type: ignore[arg-type]


def test_decisions_on_literals_that_nothing_else_decides_are_allowed() -> None:
    for decisions in ((Reject((0,)),), (Assign(0), Assign(0)), (Assign(0), Assign(-2))):
        compile_formulation(formulation_of(switches(), decisions))


# --- where time begins ---------------------------------------------------------------------------


@pytest.mark.parametrize("origin", [1_700_000_000, -500, 0])
def test_an_observation_does_not_depend_on_where_time_begins(origin: int) -> None:
    def root_at(first: int) -> tuple[Root, list[float]]:
        model = cp_model.CpModel()
        starts = [model.new_int_var(first, first + 500, "") for _ in range(4)]
        model.add_no_overlap(
            [model.new_fixed_size_interval_var(s, 10 * (k + 1), "") for k, s in enumerate(starts)]
        )
        for before, after in pairwise(starts[:3]):
            model.add(after >= before + 10)
        construction = compile_formulation(formulation_of(model, schedule_decisions(model.proto)))
        state: State[object] = State(construction)
        ready = [state.terms()[0, TERMS.index("ready")] - first]
        state.apply(0)
        ready.append(state.terms()[0, TERMS.index("ready")] - first)
        return Root.of(construction, Frame.ALL), ready

    here, ready_here = root_at(origin)
    there, ready_there = root_at(0)
    assert np.array_equal(here.decision, there.decision)
    assert len(np.unique(here.decision[:, 1])) == 3
    assert ready_here == ready_there
