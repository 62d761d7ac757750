"""Dispatching rules on the state: the same schedules as the quick start, and by hand."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ortools.sat.python import cp_model
from random_shops import job_shops, random_job_shop

from cpsched import solving
from cpsched.checking import check
from cpsched.construct import (
    Construction,
    Frame,
    Outcome,
    State,
    assignment_decisions,
    compile_formulation,
    formulation_of,
    schedule_decisions,
)
from cpsched.construct.rollout import roll_out
from cpsched.construct.rules import (
    ATC_LOOK_AHEAD,
    RULES,
    TERMS,
    Terms,
    apparent_tardiness_cost,
)
from cpsched.errors import MethodError, UnknownNameError
from cpsched.instances import library
from cpsched.jobshop import dispatch
from cpsched.jobshop.arrays import Arrays
from cpsched.jobshop.instance import JobShop
from cpsched.jobshop.model import formulate

if TYPE_CHECKING:
    from cpsched.formulation import Formulation
    from cpsched.jobshop.solution import Schedule

LINEAR = sorted(set(dispatch.WEIGHTS) - {"random"})
WITHOUT_DUE = sorted(name for name, rule in RULES.items() if not rule.needs_due)


def follow(of: Formulation[Any] | Construction, name: str, seed: int = 0) -> State[Any]:
    """The state at the end of a roll-out in the frame of the rule."""
    rule = RULES[name]
    state: State[Any] = State(of, rule.frame)
    assert roll_out(state, rule, np.random.default_rng(seed)) is Outcome.FINISHED
    return state


# --- against the quick start, and the literature -------------------------------------------------


# Without durations of 0: the quick start puts such an operation behind the last one of its
# machine, the model lets it start when another starts there.
POSITIVE = st.builds(
    random_job_shop,
    st.integers(0, 10**6),
    st.integers(1, 8),
    st.integers(1, 6),
    reentrant=st.booleans(),
    low=st.just(1),
)


@given(POSITIVE, st.sampled_from(LINEAR))
@settings(max_examples=150)
def test_schedules_are_those_of_the_quick_start(instance: JobShop, name: str) -> None:
    arrays = Arrays(instance)
    makespan, order = dispatch.roll_out(arrays, dispatch.WEIGHTS[name])
    state = follow(formulate(instance), name)
    assert state.solution() == arrays.schedule(order)
    assert state.objective() == makespan


@pytest.mark.parametrize("shop", ["ft10", "la21", "swv06", "ta01", "ta41"])
def test_schedules_of_shipped_instances_are_those_of_the_quick_start(shop: str) -> None:
    instance = library.load(shop)
    arrays, construction = Arrays(instance), compile_formulation(formulate(instance))
    for name in LINEAR:
        _, order = dispatch.roll_out(arrays, dispatch.WEIGHTS[name])
        assert follow(construction, name).solution() == arrays.schedule(order), name


@given(job_shops(8, 6), st.sampled_from(WITHOUT_DUE))
@settings(max_examples=50)
def test_schedules_with_durations_of_0_pass_the_check(instance: JobShop, name: str) -> None:
    state = follow(formulate(instance), name)
    report = check(instance, state.solution())
    assert report.ok, report.violations
    assert report.objective == state.objective() == state.bound()


@given(POSITIVE, st.sampled_from(LINEAR))
@settings(max_examples=50)
def test_the_active_frame_is_that_of_the_quick_start(instance: JobShop, name: str) -> None:
    arrays = Arrays(instance)
    _, order = dispatch.roll_out(arrays, dispatch.WEIGHTS[name], active=True)
    state: State[Schedule] = State(formulate(instance), Frame.ACTIVE)
    roll_out(state, RULES[name], np.random.default_rng(0))
    assert state.solution() == arrays.schedule(order)


def test_gaps_on_ta01_to_ta10_are_those_of_the_literature() -> None:
    gaps: dict[str, list[float]] = {"spt": [], "mwkr": [], "mopnr": [], "fifo": []}
    for k in range(1, 11):
        shop = f"ta{k:02}"
        construction = compile_formulation(formulate(library.load(shop)))
        known = library.best_known(shop)
        assert known is not None
        for name, found in gaps.items():
            makespan = follow(construction, name).objective()
            found.append(100 * (makespan / known.upper - 1))
    means = [np.mean(found) for found in gaps.values()]
    assert means == pytest.approx([25.9, 19.2, 20.5, 23.9], abs=0.3)


# --- flexible shops ------------------------------------------------------------------------------


def flexible_shop(seed: int) -> JobShop:
    rng = np.random.default_rng(seed)
    num_machines = int(rng.integers(1, 5))

    def modes() -> list[tuple[int, int]]:
        able = rng.permutation(num_machines)[: rng.integers(1, num_machines + 1)]
        return [(int(machine), int(rng.integers(0, 20))) for machine in able]

    jobs = [[modes() for _ in range(rng.integers(1, 5))] for _ in range(rng.integers(1, 7))]
    return JobShop.flexible(f"flexible-{seed}", num_machines, jobs)


@given(st.builds(flexible_shop, st.integers(0, 10**6)), st.sampled_from(WITHOUT_DUE))
@settings(max_examples=150)
def test_flexible_schedules_pass_the_check(instance: JobShop, name: str) -> None:
    state = follow(formulate(instance), name)
    report = check(instance, state.solution())
    assert report.ok, report.violations
    assert report.objective == state.objective() == state.bound()


def test_spt_takes_the_fastest_machine_that_is_free() -> None:
    instance = JobShop.flexible("two", 2, [[[(0, 3), (1, 2)]], [[(0, 4), (1, 2)]]])
    schedule = follow(formulate(instance), "spt").solution()
    # Machine 1 for the first job; then the second starts at once, on the slow machine.
    assert schedule.machine.tolist() == [1, 0]
    assert schedule.end.tolist() == [2, 4]


# --- due dates -----------------------------------------------------------------------------------

# One machine. The order of mdd and its tardiness of 144 are from the literature on this example.
DURATION = [10, 11, 10, 10, 11, 10]
DUE = [15, 11, 13, 11, 12, 11]
WEIGHT = [1, 4, 2, 1, 3, 2]


def one_machine(*, weighted: bool = False) -> Formulation[Schedule]:
    instance = JobShop.classic("one", 1, [[(0, p)] for p in DURATION])
    return dataclasses.replace(
        formulate(instance),
        due=np.array(DUE),
        weight=np.array(WEIGHT) if weighted else None,
    )


def order_of(schedule: Schedule) -> list[int]:
    return np.argsort(schedule.start, kind="stable").tolist()


def test_edd_sorts_by_due_date() -> None:
    schedule = follow(one_machine(), "edd").solution()
    assert order_of(schedule) == [1, 3, 5, 4, 2, 0]


def test_mdd_sorts_by_modified_due_date() -> None:
    schedule = follow(one_machine(), "mdd").solution()
    assert order_of(schedule) == [1, 0, 2, 3, 5, 4]
    assert int(np.maximum(0, schedule.end - np.array(DUE)).sum()) == 144


@pytest.mark.parametrize("weighted", [False, True])
def test_atc_takes_the_highest_index(weighted: bool) -> None:
    left, now, order = list(range(6)), 0, []
    while left:
        mean = sum(DURATION[j] for j in left) / len(left)

        def index(j: int, now: int = now, mean: float = mean) -> float:
            slack = max(0, DUE[j] - DURATION[j] - now)
            urgency = math.exp(-slack / (ATC_LOOK_AHEAD * mean))
            return (WEIGHT[j] if weighted else 1) / DURATION[j] * urgency

        order.append(max(left, key=lambda j: (round(index(j), 12), -j)))
        left.remove(order[-1])
        now += DURATION[order[-1]]
    assert order_of(follow(one_machine(weighted=weighted), "atc").solution()) == order


def test_atc_tells_decisions_apart_whose_index_underflows() -> None:
    instance = JobShop.classic("far", 1, [[(0, 1)], [(0, 1)]])
    formulation = dataclasses.replace(formulate(instance), due=np.array([10**6 + 1, 10**6]))
    assert follow(formulation, "atc").solution().start.tolist() == [1, 0]


def test_atc_orders_durations_and_weights_of_0() -> None:
    duration, weight = np.array([[0, 0, 2, 2], [0, 1, 0, 1]], dtype=float)
    zero, due = np.zeros(4), np.full(4, 5.0)
    terms = Terms(np.random.default_rng(0), duration, zero, zero, zero, zero, due, weight)
    score = apparent_tardiness_cost(terms)
    assert np.isfinite(score).all()
    assert np.argsort(score).tolist() == [2, 0, 3, 1]


def test_decisions_without_a_due_date_come_last() -> None:
    formulation = one_machine()
    assert formulation.due is not None
    due = formulation.due.copy()
    due[1] = 2**62
    for name in ("edd", "mdd", "atc"):
        schedule = follow(dataclasses.replace(formulation, due=due), name).solution()
        assert order_of(schedule)[-1] == 1, name


@pytest.mark.parametrize("name", ["edd", "mdd", "atc"])
def test_due_date_rules_need_due_dates(name: str) -> None:
    instance = library.load("ft10")
    state: State[Schedule] = State(formulate(instance), Frame.NONDELAY)
    with pytest.raises(MethodError, match=f"rule {name} needs due dates, the formulation has"):
        roll_out(state, RULES[name], np.random.default_rng(0))
    with pytest.raises(MethodError, match=f"method rule:{name} needs due dates, ft10 has none"):
        solving.check_supported(f"rule:{name}", instance)


# --- terms, names and ends of a roll-out ---------------------------------------------------------


def test_terms_are_what_the_state_says() -> None:
    instance = JobShop.classic("tiny", 2, [[(0, 3), (1, 2)], [(0, 4), (1, 1)], [(1, 9)]])
    formulation = dataclasses.replace(
        formulate(instance), due=np.array([9, 2**62, 7, 7, 5]), weight=np.array([1, 1, 6, 1, 1])
    )
    state: State[Schedule] = State(formulation, Frame.ALL)
    state.apply(0)
    table = dict(zip(state.legal().tolist(), state.terms().tolist(), strict=True))
    assert len(TERMS) == 7
    assert table == {
        1: [2, 2, 1, 3, 3, math.inf, 1],
        2: [4, 5, 2, 0, 3, 7, 6],
        4: [9, 9, 1, 0, 0, 5, 1],
    }


def test_aliases_are_the_same_rules() -> None:
    instance = library.load("la21")
    construction = compile_formulation(formulate(instance))
    for alias, name in (("lrpt", "mwkr"), ("mor", "mopnr")):
        one, other = (follow(construction, rule).solution() for rule in (alias, name))
        assert one == other
        assert f"as {name}" in RULES[alias].meaning


def test_an_unknown_rule_lists_near_misses() -> None:
    with pytest.raises(UnknownNameError, match=r"did you mean rule:(mwkr|lwkr)"):
        solving.check_method("rule:mwk")


def test_a_roll_out_can_be_stopped_and_goes_on() -> None:
    instance = library.load("ta01")
    state: State[Schedule] = State(formulate(instance), Frame.NONDELAY)
    rule, rng = RULES["mwkr"], np.random.default_rng(0)
    assert roll_out(state, rule, rng, stop=lambda: True) is Outcome.RUNNING
    assert roll_out(state, rule, rng, stop=lambda: False) is Outcome.FINISHED
    assert state.objective() == 1491


def test_rules_do_not_wait_if_they_can_start() -> None:
    instance = library.load("ft06")
    for name in LINEAR:
        state: State[Schedule] = State(formulate(instance), Frame.WAIT)
        roll_out(state, RULES[name], np.random.default_rng(0))
        assert state.solution() == follow(formulate(instance), name).solution()


def test_a_dead_end_is_told() -> None:
    model = cp_model.CpModel()
    a, b = (model.new_int_var(0, 4, name) for name in "ab")
    model.add_no_overlap([model.new_fixed_size_interval_var(v, 3, "") for v in (a, b)])
    # Starting a at 0 has b start at 2.
    model.add(a + 2 * b == 4)
    formulation = formulation_of(model, schedule_decisions(model.proto))
    state: State[Any] = State(formulation, Frame.NONDELAY)
    assert roll_out(state, RULES["spt"], np.random.default_rng(0)) is Outcome.DEAD_END
    assert "cannot hold" in state.why()


def test_what_starts_nothing_is_taken_last() -> None:
    model = cp_model.CpModel()
    start = [model.new_int_var(0, 9, "") for _ in range(3)]
    present = model.new_bool_var("")
    intervals = [model.new_fixed_size_interval_var(v, 3, "") for v in start[:2]]
    intervals.append(model.new_optional_fixed_size_interval_var(start[2], 3, present, ""))
    model.add_no_overlap(intervals)
    state = follow(formulation_of(model, schedule_decisions(model.proto)), "spt")
    assert state.values().tolist() == [0, 3, 6, 1]


def test_rules_assign_where_nothing_starts() -> None:
    model = cp_model.CpModel()
    literals = [[model.new_bool_var("") for _ in range(3)] for _ in range(2)]
    for row in literals:
        model.add_exactly_one(row)
    for column in zip(*literals, strict=True):
        model.add_at_most_one(column)
    formulation = formulation_of(model, assignment_decisions(model.proto))
    assert follow(formulation, "spt").values().tolist() == [1, 0, 0, 0, 1, 0]
