"""Driver for job-shop-lib's ``ORToolsSolver``.

Peculiarities (1.7.2):

- it needs an OR-Tools before 9.13 (here 9.12), hence an environment of its own;
- it takes neither workers nor seed, and makes a new ``CpSolver`` inside ``solve``, so that both
  can only be set from a subclass: ``_initialize_model`` is extended by two parameters, nothing
  else. Without it CP-SAT would take one worker per core of the machine;
- ``max_time_in_seconds`` does not count the model that ``solve`` builds: it overruns by that,
  a tenth of a second on 2,000 operations, a second or two on 10,000. The overrun is left to it
  and the actual wall time recorded;
- no schedule in time is an exception, ``NoSolutionFoundError``;
- the bound is not part of its result; it is read from the ``solver`` attribute.
"""

from __future__ import annotations

import time
from typing import Any

from job_shop_lib import JobShopInstance, Operation
from job_shop_lib.constraint_programming import ORToolsSolver
from job_shop_lib.exceptions import NoSolutionFoundError
from worker import Answer, Limits, Shop, serve, versions_of


class _WithLimits(ORToolsSolver):
    """``ORToolsSolver`` that can be told workers and seed."""

    def __init__(self, limits: Limits) -> None:
        super().__init__(max_time_in_seconds=limits.remaining)
        self._limits = limits

    def _initialize_model(self, *args: Any, **kwargs: Any) -> None:
        super()._initialize_model(*args, **kwargs)
        self.solver.parameters.num_workers = self._limits.workers
        self.solver.parameters.random_seed = self._limits.seed


def solve(shop: Shop, limits: Limits) -> Answer:
    """Solve *shop* with ``ORToolsSolver``."""
    begin = time.perf_counter()
    instance = JobShopInstance(
        [[Operation(machine, duration) for machine, duration in job] for job in shop.jobs]
    )
    setup = time.perf_counter() - begin
    solver = _WithLimits(limits)
    try:
        schedule = solver.solve(instance)
    except NoSolutionFoundError:
        return Answer("unknown", bound=solver.solver.best_objective_bound, setup=setup)
    answer = Answer(
        str(schedule.metadata["status"]),
        objective=schedule.makespan(),
        bound=solver.solver.best_objective_bound,
        setup=setup,
    )
    answer.starts = [[0] * len(job) for job in shop.jobs]
    for machine in schedule.schedule:
        for scheduled in machine:
            answer.starts[scheduled.job_id][scheduled.position_in_job] = scheduled.start_time
    return answer


if __name__ == "__main__":
    serve(solve, versions_of("job-shop-lib", "ortools", "numpy"))
