"""The order of tasks: it spares dead ends, and never costs the optimum."""

from __future__ import annotations

from itertools import pairwise

import pytest
from ortools.sat.python import cp_model

from cpsched.construct import (
    Frame,
    Outcome,
    State,
    compile_formulation,
    formulation_of,
    schedule_decisions,
)

HORIZON = 60


def state_of(model: cp_model.CpModel, frame: Frame = Frame.ALL) -> State[object]:
    return State(formulation_of(model, schedule_decisions(model.proto)), frame)


def order_of(model: cp_model.CpModel) -> list[list[int]]:
    formulation = formulation_of(model, schedule_decisions(model.proto))
    return compile_formulation(formulation).order.T.tolist()


def all_ends(model: cp_model.CpModel, frame: Frame = Frame.ALL) -> tuple[list[float], int]:
    """Objectives at the ends of all episodes, and how many end without one."""
    state = state_of(model, frame)
    objectives: list[float] = []
    dead_ends = 0

    def go_on() -> None:
        nonlocal dead_ends
        if state.outcome is Outcome.FINISHED:
            objectives.append(state.objective())
        elif state.outcome is Outcome.DEAD_END:
            dead_ends += 1
        else:
            for decision in state.legal().tolist():
                state.push()
                state.apply(decision)
                go_on()
                state.pop()

    go_on()
    return objectives, dead_ends


def optimum(model: cp_model.CpModel) -> float:
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    assert solver.solve(model) == cp_model.OPTIMAL
    return solver.objective_value


class Builder:
    """A model under construction, with a few shorthands."""

    def __init__(self) -> None:
        self.model = cp_model.CpModel()

    def time(self, name: str = "") -> cp_model.IntVar:
        return self.model.new_int_var(0, HORIZON, name)

    def fixed(self, start: cp_model.LinearExprT, size: int) -> cp_model.IntervalVar:
        return self.model.new_fixed_size_interval_var(start, size, "")

    def optional(
        self, start: cp_model.LinearExprT, size: int, presence: cp_model.IntVar
    ) -> cp_model.IntervalVar:
        return self.model.new_optional_fixed_size_interval_var(start, size, presence, "")


# --- precedences through other variables ---------------------------------------------------------


def two_jobs(way: str) -> cp_model.CpModel:
    """Two jobs of three operations on as many machines, their precedences written in some way."""
    b = Builder()
    model = b.model
    machines: list[list[cp_model.IntervalVar]] = [[], [], []]
    ends = []
    for route in ([(0, 3), (1, 2), (2, 2)], [(1, 2), (2, 1), (0, 4)]):
        before = None
        for machine, size in route:
            start, end = b.time(), b.time()
            if way in ("interval with end", "transport"):
                machines[machine].append(model.new_interval_var(start, size, end, ""))
            elif way == "mode":
                presences = [model.new_bool_var("") for _ in range(2)]
                model.add_exactly_one(presences)
                for more, presence in enumerate(presences):
                    machines[(machine + more) % 3].append(b.optional(start, size + more, presence))
                    model.add(end == start + size + more).only_enforce_if(presence)
            else:
                machines[machine].append(b.fixed(start, size))
                if way == "equality":
                    model.add(end == start + size)
                else:
                    duration = model.new_int_var(size, size, "")
                    model.add(end >= start + duration)
            if before is not None:
                if way == "transport":
                    leave, arrive = b.time(), b.time()
                    model.new_interval_var(leave, 2, arrive, "transport")
                    model.add(leave >= before)
                    before = arrive
                model.add(start >= before)
            before = end
        ends.append(before)
    for intervals in machines:
        model.add_no_overlap(intervals)
    makespan = b.time("makespan")
    model.add_max_equality(makespan, ends)
    model.minimize(makespan)
    return model


@pytest.mark.parametrize(
    "way", ["interval with end", "equality", "duration variable", "transport", "mode"]
)
def test_precedences_through_end_variables_leave_no_dead_end(way: str) -> None:
    model = two_jobs(way)
    pairs = order_of(model)
    assert [0, 1] in pairs and [1, 2] in pairs and [3, 4] in pairs  # noqa: PT018
    # With modes there are too many episodes for all of them.
    if way != "mode":
        objectives, dead_ends = all_ends(model)
        assert dead_ends == 0
        assert min(objectives) == optimum(model)


@pytest.mark.parametrize("frame", [Frame.ALL, Frame.ACTIVE, Frame.NONDELAY, Frame.WAIT])
def test_a_phase_begins_after_all_of_the_one_before(frame: Frame) -> None:
    b = Builder()
    starts = [b.time() for _ in range(5)]
    b.model.add_no_overlap([b.fixed(start, 3 + k) for k, start in enumerate(starts)])
    phase = b.time("phase")
    b.model.add_max_equality(phase, [starts[0] + 3, starts[1] + 4])
    for start in starts[2:]:
        b.model.add(start >= phase)
    b.model.minimize(sum(starts))
    objectives, dead_ends = all_ends(b.model, frame)
    assert dead_ends == 0
    assert min(objectives) == optimum(b.model)


def test_the_least_of_some_ends_is_before_none_of_them_but_what_is_before_all_is() -> None:
    b = Builder()
    starts = [b.time() for _ in range(3)]
    b.model.add_no_overlap([b.fixed(start, 2) for start in starts])
    least = b.time("least")
    b.model.add_min_equality(least, [starts[1], starts[2]])
    b.model.add(least >= starts[0] + 2)
    assert sorted(order_of(b.model)) == [[0, 1], [0, 2]]


def test_one_task_starts_at_the_very_variable_at_which_another_ends() -> None:
    b = Builder()
    first, second, third = b.time(), b.time(), b.time()
    one = b.model.new_interval_var(first, 2, second, "")
    other = b.model.new_interval_var(second, 3, third, "")
    b.model.add_no_overlap([other, one])
    assert order_of(b.model) == [[0, 1]]


# --- what is no order ----------------------------------------------------------------------------


def test_offsets_of_starts_count() -> None:
    b = Builder()
    x, y = b.time("x"), b.model.new_int_var(22, HORIZON, "y")
    b.model.add_no_overlap([b.fixed(x + 20, 10), b.fixed(y, 5)])
    b.model.add(y >= x)
    makespan = b.model.new_int_var(0, 200, "makespan")
    b.model.add(makespan >= x + 30)
    b.model.add(makespan >= y + 40)
    b.model.minimize(makespan)
    assert order_of(b.model) == []
    objectives, _ = all_ends(b.model)
    assert min(objectives) == optimum(b.model) == 62
    b.model.add(y >= x + 20)
    assert order_of(b.model) == [[0, 1]]


def test_what_one_mode_enforces_is_no_order() -> None:
    b = Builder()
    x, y = b.time("x"), b.time("y")
    modes = [b.model.new_bool_var("") for _ in range(2)]
    b.model.add_exactly_one(modes)
    b.model.add_no_overlap([b.optional(x, 2, modes[0]), b.optional(x, 4, modes[1]), b.fixed(y, 5)])
    b.model.add(y >= x + 20).only_enforce_if(modes[0])
    makespan = b.model.new_int_var(0, 200, "makespan")
    b.model.add(makespan >= x + 4)
    b.model.add(makespan >= y + 30)
    b.model.minimize(makespan)
    assert order_of(b.model) == []
    objectives, _ = all_ends(b.model)
    assert min(objectives) == optimum(b.model) == 30
    b.model.add(y >= x + 4).only_enforce_if(modes[1])
    assert order_of(b.model) == [[0, 1]]


def test_a_task_that_is_left_out_passes_no_order_on() -> None:
    """The third need not wait for the first if the second between them is rejected."""
    b = Builder()
    starts, ends = [b.time() for _ in range(3)], [b.time() for _ in range(3)]
    presence = b.model.new_bool_var("")
    intervals = [
        b.model.new_interval_var(starts[0], 9, ends[0], ""),
        b.model.new_optional_interval_var(starts[1], 9, ends[1], presence, ""),
        b.model.new_interval_var(starts[2], 1, ends[2], ""),
    ]
    b.model.add_no_overlap(intervals)
    for before, after in pairwise(range(3)):
        b.model.add(starts[after] >= ends[before])
    b.model.minimize(ends[0] + 5 * ends[2] + presence)
    assert order_of(b.model) == [[0, 1]]
    objectives, _ = all_ends(b.model)
    assert min(objectives) == optimum(b.model)


# --- intervals with the same presence ------------------------------------------------------------


@pytest.mark.parametrize("frame", list(Frame))
def test_all_operations_of_an_accepted_order_are_decided(frame: Frame) -> None:
    b = Builder()
    accept = b.model.new_bool_var("accept")
    first, second, third, fourth = (b.time() for _ in range(4))
    b.model.add_no_overlap([b.optional(first, 4, accept), b.fixed(third, 5)])
    b.model.add_no_overlap([b.optional(second, 4, accept), b.fixed(fourth, 5)])
    makespan = b.time("makespan")
    for start in (third, fourth):
        b.model.add(makespan >= start + 5)
    for start in (first, second):
        b.model.add(makespan >= start + 14).only_enforce_if(accept)
    b.model.minimize(makespan - 30 * accept)
    assert state_of(b.model).construction.task_of == (0, 0, 1, 2, 3)
    objectives, dead_ends = all_ends(b.model, frame)
    assert dead_ends == 0
    assert min(objectives) == optimum(b.model) == -16


def test_an_order_with_a_second_operation_behind_the_first() -> None:
    b = Builder()
    accept = b.model.new_bool_var("accept")
    first, second, other = b.time(), b.time(), b.time()
    b.model.add_no_overlap(
        [b.optional(first, 4, accept), b.optional(second, 4, accept), b.fixed(other, 5)]
    )
    b.model.add(second >= first + 4).only_enforce_if(accept)
    b.model.minimize(other + second - 20 * accept)
    assert order_of(b.model) == [[0, 1]]
    objectives, dead_ends = all_ends(b.model)
    assert dead_ends == 0
    assert min(objectives) == optimum(b.model)
    # Rejected, the order takes its second operation with it.
    state = state_of(b.model)
    state.apply(1)
    assert state.legal().tolist() == [3]


def test_a_mode_may_need_an_operator_later() -> None:
    b = Builder()
    machines: list[list[cp_model.IntervalVar]] = [[], []]
    operator = []
    ends = []
    for job in range(2):
        start, unload = b.time(), b.time()
        modes = [b.model.new_bool_var("") for _ in range(2)]
        for k, mode in enumerate(modes):
            machines[k].append(b.optional(start, 4 + k + job, mode))
            operator.append(b.optional(unload, 2, mode))
            b.model.add(unload >= start + 4 + k + job).only_enforce_if(mode)
        b.model.add_exactly_one(modes)
        ends.append(unload + 2)
    for intervals in (*machines, operator):
        b.model.add_no_overlap(intervals)
    makespan = b.time("makespan")
    b.model.add_max_equality(makespan, ends)
    b.model.minimize(makespan)
    assert state_of(b.model).construction.task_of == (0, 1, 0, 2, 3, 4, 3, 5)
    objectives, dead_ends = all_ends(b.model)
    assert dead_ends == 0
    assert min(objectives) == optimum(b.model)


def test_a_presence_of_two_literals_is_rejected_by_itself() -> None:
    b = Builder()
    one, other = b.model.new_bool_var(""), b.model.new_bool_var("")
    x, y = b.time(), b.time()
    both = b.optional(y, 3, one)
    b.model.proto.constraints[0].enforcement_literal.append(other.index)
    b.model.add_no_overlap([both, b.optional(x, 3, one)])
    b.model.maximize(3 * one + 5 * other - x - y)
    assert state_of(b.model).construction.task_of == (0, 0, 1, 1)


def test_an_order_can_be_rejected_though_its_last_operation_is_listed_first() -> None:
    b = Builder()
    accept = b.model.new_bool_var("accept")
    first, second, other = b.time(), b.time(), b.time()
    b.model.add_no_overlap(
        [b.optional(second, 4, accept), b.optional(first, 4, accept), b.fixed(other, 5)]
    )
    b.model.add(second >= first + 4).only_enforce_if(accept)
    b.model.minimize(other + 9 * accept)
    state = state_of(b.model)
    assert state.construction.order.T.tolist() == [[1, 0]]
    assert state.construction.task_of == (0, 1, 1, 2)
    objectives, dead_ends = all_ends(b.model)
    assert dead_ends == 0
    assert min(objectives) == optimum(b.model) == 0
