"""The job-shop formulation: its variables, domains, decisions, hints and size."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from ortools.sat.python import cp_model

from cpsched.errors import StopRequestedError
from cpsched.jobshop.instance import JobShop
from cpsched.jobshop.model import formulate
from cpsched.jobshop.solution import Schedule

if TYPE_CHECKING:
    from cpsched.formulation import Formulation

CLASSIC = JobShop.classic("classic", 2, [[(0, 3), (1, 2)], [(1, 4), (0, 1)]])
FLEXIBLE = JobShop.flexible("flexible", 2, [[[(0, 3)], [(1, 2), (0, 5)]], [[(1, 4)], [(0, 1)]]])


def domains(formulation: Formulation[Schedule]) -> list[list[int]]:
    """Flat domain of every variable."""
    return [list(variable.domain) for variable in formulation.model.proto.variables]


def solve(model: cp_model.CpModel, **parameters: object) -> cp_model.CpSolver:
    """Solver of *model*, after it has solved it."""
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.max_time_in_seconds = 60
    # Otherwise CP-SAT leaves the process with the default handler of Ctrl-C: sudden death.
    solver.parameters.catch_sigint_signal = False
    for name, value in parameters.items():
        setattr(solver.parameters, name, value)
    solver.solve(model)
    return solver


def test_start_domains_are_as_tight_as_jobs_and_horizon_allow() -> None:
    tight = formulate(CLASSIC, upper_bound=9, lower_bound=6)
    assert domains(tight) == [[0, 4], [3, 7], [0, 4], [4, 8], [6, 9]]
    assert domains(formulate(CLASSIC)) == [[0, 5], [3, 8], [0, 5], [4, 9], [5, 10]]


def test_only_an_operation_with_a_choice_has_booleans() -> None:
    assert len(domains(formulate(CLASSIC))) == CLASSIC.num_ops + 1
    assert len(domains(formulate(FLEXIBLE))) == FLEXIBLE.num_ops + 2 + 1


@pytest.mark.parametrize("shop", [CLASSIC, FLEXIBLE])
def test_decisions_are_the_intervals_of_the_modes_in_order(shop: JobShop) -> None:
    formulation = formulate(shop)
    assert len(formulation.decisions) == len(shop.mode_machine)
    constraints = formulation.model.proto.constraints
    intervals = [constraints[start.interval].interval for start in formulation.decisions]
    assert [interval.size.offset for interval in intervals] == shop.mode_duration.tolist()
    starts = [interval.start.vars[0] for interval in intervals]
    assert starts == np.repeat(np.arange(shop.num_ops), np.diff(shop.mode_ptr)).tolist()


@pytest.mark.parametrize(("shop", "optimum"), [(CLASSIC, 6), (FLEXIBLE, 6)])
def test_optimum_decodes_to_its_schedule(shop: JobShop, optimum: int) -> None:
    formulation = formulate(shop)
    solver = solve(formulation.model)
    schedule = formulation.solution(list(solver.response_proto.solution))
    assert (solver.response_proto.status.name, solver.objective_value) == ("OPTIMAL", optimum)
    assert schedule.makespan == formulation.objective(schedule) == optimum
    assert formulation.encode(schedule).tolist() == list(solver.response_proto.solution)


def test_hint_is_complete_and_replaces_the_one_before() -> None:
    formulation = formulate(FLEXIBLE)
    slow = Schedule(np.array([0, 0, 1, 0]), np.array([0, 3, 0, 8]), np.array([3, 8, 4, 9]))
    fast = Schedule(np.array([0, 1, 1, 0]), np.array([0, 4, 0, 4]), np.array([3, 6, 4, 5]))
    formulation.hint(slow)
    formulation.hint(fast)
    hint = formulation.model.proto.solution_hint
    assert list(hint.vars) == list(range(formulation.num_variables))
    assert list(hint.values) == [0, 4, 0, 4, 1, 0, 6]
    solver = solve(formulation.model, stop_after_first_solution=True)
    assert formulation.solution(list(solver.response_proto.solution)) == fast


def test_hint_beyond_the_horizon_is_allowed() -> None:
    formulation = formulate(CLASSIC, upper_bound=6)
    formulation.hint(Schedule.from_starts(CLASSIC, np.array([0, 4, 0, 8])))
    solver = solve(formulation.model)
    assert (solver.response_proto.status.name, solver.objective_value) == ("OPTIMAL", 6)


@pytest.mark.parametrize(
    ("bounds", "status"),
    [
        ({"upper_bound": 5}, "INFEASIBLE"),
        ({"upper_bound": 2}, "INFEASIBLE"),
        ({"upper_bound": -1}, "INFEASIBLE"),
        ({"upper_bound": 7, "lower_bound": 8}, "INFEASIBLE"),
        ({"upper_bound": 6, "lower_bound": 6}, "OPTIMAL"),
        ({"lower_bound": 99}, "INFEASIBLE"),
    ],
)
def test_bounds_nothing_meets_are_infeasible_not_invalid(
    bounds: dict[str, int], status: str
) -> None:
    assert solve(formulate(CLASSIC, **bounds).model).response_proto.status.name == status


@pytest.mark.parametrize(
    ("machine", "start", "end", "words"),
    [
        ([0, 1, 1], [0, 3, 0], [3, 5, 4], "not one of 4 operations"),
        ([0, 0, 1, 0], [0, 3, 0, 4], [3, 5, 4, 5], "cannot run it"),
        ([0, 1, 1, 0], [0, 3, 0, 4], [3, 5, 4, 6], "does not end its duration after"),
    ],
)
def test_schedule_that_no_values_say_is_refused(
    machine: list[int], start: list[int], end: list[int], words: str
) -> None:
    schedule = Schedule(np.array(machine), np.array(start), np.array(end))
    with pytest.raises(ValueError, match=words):
        formulate(CLASSIC).encode(schedule)


def test_values_for_another_model_are_refused() -> None:
    with pytest.raises(ValueError, match="5 values needed"):
        formulate(CLASSIC).solution([0, 0, 0])


@pytest.mark.parametrize(
    ("jobs", "makespan"), [([[]], 0), ([[], [(0, 0)]], 0), ([[(0, 2), (0, 3)], [], [(0, 1)]], 6)]
)
def test_empty_jobs_and_operations_are_scheduled(
    jobs: list[list[tuple[int, int]]], makespan: int
) -> None:
    solver = solve(formulate(JobShop.classic("odd", 1, jobs)).model)
    assert (solver.response_proto.status.name, solver.objective_value) == ("OPTIMAL", makespan)


def test_model_is_linear_in_the_operations() -> None:
    rng = np.random.default_rng(1)
    shop = JobShop.classic(
        "large", 20, [[(int(machine), 7) for machine in rng.permutation(20)] for _ in range(100)]
    )
    formulation = formulate(shop)
    assert formulation.num_variables == 2000 + 1
    # An interval per operation, a precedence or the makespan after each, a no-overlap per machine.
    assert len(formulation.model.proto.constraints) == 2000 + 2000 + 20
    assert not formulation.model.validate()


@pytest.mark.parametrize("shop", [CLASSIC, FLEXIBLE])
def test_writing_the_model_can_be_stopped_at_any_look(shop: JobShop) -> None:
    looks = 0

    def count() -> bool:
        nonlocal looks
        looks += 1
        return False

    formulate(shop, stop=count)
    assert looks >= 5
    for last in range(looks):
        asked = iter([False] * last + [True])
        with pytest.raises(StopRequestedError, match="stopped"):
            formulate(shop, stop=lambda asked=asked: next(asked))  # type: ignore[misc]
