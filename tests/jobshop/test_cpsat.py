"""CP-SAT under an incumbent: what it reports, when it stops, how it fails."""

from __future__ import annotations

import dataclasses
import os
import signal
import threading
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest

from cpsched import cpsat
from cpsched.incumbent import Incumbent
from cpsched.jobshop.check import check
from cpsched.jobshop.instance import JobShop
from cpsched.jobshop.model import PROOF_PARAMETERS, formulate
from cpsched.jobshop.solution import Schedule
from cpsched.result import Status

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cpsched.formulation import Formulation


def random_shop(num_jobs: int, num_machines: int) -> JobShop:
    """Shop in which every job visits every machine."""
    rng = np.random.default_rng(5)
    jobs = [
        [(int(machine), int(rng.integers(1, 100))) for machine in rng.permutation(num_machines)]
        for _ in range(num_jobs)
    ]
    return JobShop.classic("random", num_machines, jobs)


EASY = random_shop(5, 4)
#: 30 x 30 is far out of reach of a proof: whoever returns at once was stopped.
HARD = random_shop(30, 30)


def solved(shop: JobShop) -> tuple[Incumbent[Schedule], cpsat.CpSatOutcome]:
    """Incumbent and outcome of a run to the proof."""
    incumbent: Incumbent[Schedule] = Incumbent(60.0)
    return incumbent, cpsat.run(formulate(shop), incumbent, workers=1, seed=3)


def test_solution_and_proof_reach_the_incumbent() -> None:
    incumbent, outcome = solved(EASY)
    assert outcome.status is Status.OPTIMAL
    assert incumbent.solution is not None
    report = check(EASY, incumbent.solution)
    assert report.ok
    assert report.objective == incumbent.objective == incumbent.bound
    assert (outcome.objective, outcome.bound) == (incumbent.objective, incumbent.bound)
    assert incumbent.source == "cpsat"
    assert incumbent.done


def test_equal_seeds_take_equal_steps() -> None:
    runs = [solved(EASY)[0] for _ in range(2)]
    steps = [[(point.objective, point.bound) for point in run.trace] for run in runs]
    assert steps[0] == steps[1]


@pytest.mark.parametrize("parameters", [{}, PROOF_PARAMETERS], ids=["default", "proof"])
def test_horizon_below_the_optimum_is_infeasible_and_says_nothing_else(
    parameters: Mapping[str, object],
) -> None:
    optimum = solved(EASY)[0].objective
    assert optimum is not None
    incumbent: Incumbent[Schedule] = Incumbent(60.0)
    outcome = cpsat.run(
        formulate(EASY, upper_bound=optimum - 1),
        incumbent,
        workers=1,
        seed=0,
        parameters=parameters,
    )
    assert outcome.status is Status.INFEASIBLE
    assert outcome.objective is None
    assert outcome.bound is None
    assert incumbent.solution is None


def test_question_without_objective_proves_no_bound() -> None:
    formulation = formulate(EASY)
    formulation.model.clear_objective()
    incumbent: Incumbent[Schedule] = Incumbent(60.0)
    outcome = cpsat.run(formulation, incumbent, workers=1, seed=0)
    assert outcome.status is Status.FEASIBLE
    assert incumbent.solution is not None
    assert check(EASY, incumbent.solution).objective == outcome.objective == incumbent.objective
    assert outcome.bound is incumbent.bound is None


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("stop", ["finish", "event", "until", "time_limit", "deadline"])
def test_whatever_ends_the_solve_ends_cpsat(stop: str, workers: int) -> None:
    event = threading.Event()
    incumbent: Incumbent[Schedule] = Incumbent(0.3 if stop == "deadline" else 600.0, event)
    start = time.perf_counter()
    if stop == "finish":
        threading.Timer(0.3, incumbent.finish).start()
    if stop == "event":
        threading.Timer(0.3, event.set).start()
    outcome = cpsat.run(
        formulate(HARD),
        incumbent,
        workers=workers,
        seed=0,
        time_limit=0.3 if stop == "time_limit" else None,
        until=(lambda: time.perf_counter() > start + 0.3) if stop == "until" else None,
    )
    assert time.perf_counter() - start < 20
    assert outcome.status in (Status.FEASIBLE, Status.UNKNOWN)


def test_incumbent_that_is_done_stops_cpsat_from_the_start() -> None:
    incumbent: Incumbent[Schedule] = Incumbent(600.0)
    incumbent.finish()
    outcome = cpsat.run(formulate(HARD), incumbent, workers=1, seed=0)
    assert outcome.status in (Status.FEASIBLE, Status.UNKNOWN)


def test_hint_is_offered_again_only_if_it_is_news() -> None:
    schedule = solved(EASY)[0].solution
    assert schedule is not None
    formulation = formulate(EASY)
    formulation.hint(schedule)
    incumbent: Incumbent[Schedule] = Incumbent(60.0)
    incumbent.offer(schedule.makespan, schedule, "elsewhere")
    outcome = cpsat.run(formulation, incumbent, workers=1, seed=0)
    assert outcome.status is Status.OPTIMAL
    assert incumbent.source == "elsewhere"
    assert incumbent.bound == schedule.makespan


def test_error_in_a_callback_reaches_the_caller() -> None:
    def broken(_: object) -> Schedule:
        raise RuntimeError("cannot decode")

    formulation: Formulation[Schedule] = dataclasses.replace(formulate(EASY), decode=broken)
    with pytest.raises(RuntimeError, match="cannot decode"):
        cpsat.run(formulation, Incumbent(60.0), workers=1, seed=0)


def test_bound_above_the_objective_reaches_the_caller() -> None:
    incumbent: Incumbent[Schedule] = Incumbent(60.0)
    incumbent.offer(1, Schedule.from_starts(EASY, np.zeros(EASY.num_ops, dtype=np.int32)), "lie")
    with pytest.raises(ValueError, match="above objective 1"):
        cpsat.run(formulate(EASY), incumbent, workers=1, seed=0)


def test_invalid_model_is_an_error() -> None:
    formulation = formulate(EASY)
    formulation.model.proto.variables[0].domain.clear()
    with pytest.raises(ValueError, match="refuses the model: var #0"):
        cpsat.run(formulation, Incumbent(60.0), workers=1, seed=0)


def test_parameters_reach_cpsat() -> None:
    incumbent: Incumbent[Schedule] = Incumbent(60.0)
    outcome = cpsat.run(
        formulate(HARD),
        incumbent,
        workers=1,
        seed=0,
        parameters={"stop_after_first_solution": True, "ignore_subsolvers": ["lns"]},
    )
    assert outcome.status is Status.FEASIBLE
    with pytest.raises(AttributeError, match="num_worker"):
        cpsat.run(formulate(EASY), incumbent, workers=1, seed=0, parameters={"num_worker": 1})


def test_interrupt_is_not_swallowed() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    start = time.perf_counter()
    threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        cpsat.run(formulate(HARD), Incumbent(600.0), workers=1, seed=0)
    assert time.perf_counter() - start < 20
