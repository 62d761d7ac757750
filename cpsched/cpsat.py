"""CP-SAT run on any formulation, exchanging incumbents and bounds with other methods."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ortools.sat.python import cp_model

from cpsched.result import Status

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cpsched.formulation import Formulation
    from cpsched.incumbent import Incumbent

SolutionT = TypeVar("SolutionT")

#: Seconds between two looks at whether to stop.
_POLL = 0.05

_STATUS = {
    cp_model.OPTIMAL: Status.OPTIMAL,
    cp_model.FEASIBLE: Status.FEASIBLE,
    cp_model.INFEASIBLE: Status.INFEASIBLE,
    cp_model.UNKNOWN: Status.UNKNOWN,
}


@dataclass(frozen=True, slots=True)
class CpSatOutcome:
    """What CP-SAT says about the model it was given, not about the problem behind it.

    status: of the model: with a horizon of one less than the best known makespan, INFEASIBLE
    proves that one optimal; without an objective a solution is FEASIBLE, never OPTIMAL.
    objective: best it found itself, or None; bound: proven for every solution of the model, None
    if there is none or nothing is proven; wall_time: seconds.
    """

    status: Status
    objective: int | None
    bound: int | None
    wall_time: float


def run(
    formulation: Formulation[SolutionT],
    incumbent: Incumbent[SolutionT],
    *,
    workers: int,
    seed: int,
    time_limit: float | None = None,
    parameters: Mapping[str, Any] | None = None,
    until: Callable[[], bool] | None = None,
    source: str = "cpsat",
) -> CpSatOutcome:
    """Run CP-SAT until it has an answer, the incumbent is done, or a limit is reached.

    Every solution is offered to *incumbent* with the objective recomputed from the solution, and
    every bound raises the incumbent's, so the model may forbid solutions only if they are no
    better than one that is known. CP-SAT takes no new hint or bound while it runs: to pass on
    what others found, return by means of *until* and run again on a tighter model.

    It returns at most 0.3 s after it should, even in presolve and with 100,000 intervals (measured
    on two cores, up to 0.7 s on busy ones).

    Parameters
    ----------
    formulation
        What to solve, with its hint if any.
    incumbent
        Where solutions and bounds go; its deadline and its end are obeyed.
    workers, seed
        Threads and random seed of CP-SAT.
    time_limit
        Seconds of wall time, if less than the incumbent has left.
    parameters
        Further ``SatParameters`` by name; a name that does not exist raises AttributeError.
    until
        Asked about 20 times a second; returns early once true.
    source
        Name under which solutions and bounds are reported.
    """
    exchange = _Exchange(formulation, incumbent, source)
    solver = cp_model.CpSolver()
    solver.best_bound_callback = exchange.on_bound
    limit = incumbent.remaining if time_limit is None else min(time_limit, incumbent.remaining)
    _set_parameters(
        solver.parameters,
        {
            "max_time_in_seconds": limit,
            "num_workers": workers,
            "random_seed": seed,
            "log_search_progress": False,
            # Ctrl-C belongs to Python: CP-SAT's own handler would swallow it and leave behind the
            # default one, which ends the process. That is also why the search has a thread of its
            # own: this one stays able to receive it.
            "catch_sigint_signal": False,
            **(parameters or {}),
        },
    )
    with ThreadPoolExecutor(1, thread_name_prefix="cpsat") as pool:
        search = pool.submit(solver.solve, formulation.model, exchange)
        try:
            while not wait([search], _POLL).done:
                if incumbent.done or exchange.error is not None or (until is not None and until()):
                    solver.stop_search()
        finally:
            # Reached with the search alive only by an exception, such as Ctrl-C. A stop that comes
            # before the search has begun is lost: repeat it.
            while not wait([search], _POLL).done:
                solver.stop_search()
    status = search.result()
    if exchange.error is not None:
        raise exchange.error
    if status not in _STATUS:
        raise ValueError(f"CP-SAT refuses the model: {formulation.model.validate()}")
    return _outcome(solver, _STATUS[status], exchange)


def _set_parameters(target: Any, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        if isinstance(value, list | tuple):
            getattr(target, name).extend(value)
        else:
            setattr(target, name, value)


def _outcome(solver: cp_model.CpSolver, status: Status, exchange: _Exchange[Any]) -> CpSatOutcome:
    if not exchange.minimises and status is Status.OPTIMAL:
        status = Status.FEASIBLE
    if status in (Status.OPTIMAL, Status.FEASIBLE):
        exchange.on_bound(solver.best_objective_bound)
    if exchange.error is not None:
        raise exchange.error
    bound = None if status is Status.INFEASIBLE else exchange.bound
    return CpSatOutcome(status, exchange.objective, bound, solver.wall_time)


class _Exchange(cp_model.CpSolverSolutionCallback, Generic[SolutionT]):
    """Passes solutions and bounds on to the incumbent, from CP-SAT's own threads.

    An exception must not leave a callback, or it ends the process: it is kept for the caller.
    """

    def __init__(
        self, formulation: Formulation[SolutionT], incumbent: Incumbent[SolutionT], source: str
    ) -> None:
        super().__init__()
        self.formulation = formulation
        self.incumbent = incumbent
        self.source = source
        # Without an objective CP-SAT reports a bound of 0, which means nothing.
        self.minimises = formulation.model.has_objective()
        self.objective: int | None = None
        self.bound: int | None = None
        self.error: BaseException | None = None

    def on_solution_callback(self) -> None:
        """Offer the solution that CP-SAT has just found."""
        try:
            solution = self.formulation.solution(list(self.response_proto.solution))
            objective = self.formulation.objective(solution)
            if self.objective is None or objective < self.objective:
                self.objective = objective
            self.incumbent.offer(objective, solution, self.source)
        except BaseException as error:  # Raised again by run().
            self.error = error

    def on_bound(self, value: float) -> None:
        """Raise the bound to what CP-SAT has just proven."""
        if not self.minimises or not math.isfinite(value):
            return
        try:
            # The objective is an integer; the float of its bound may be off by rounding.
            bound = math.ceil(value - 1e-6)
            if self.bound is None or bound > self.bound:
                self.bound = bound
                self.incumbent.raise_bound(bound, self.source)
        except BaseException as error:  # Raised again by run().
            self.error = error
