"""Driver for PyJobShop with its OR-Tools back end.

The model is stated as its documentation does: jobs, machines, tasks with one mode each,
end-before-start between consecutive tasks; makespan is the default objective.

Peculiarities (0.0.9):

- ``Model.solve`` translates its data into a CP-SAT model before CP-SAT's clock starts, so it
  gets the time limit less the time spent on stating the model, and overruns by its translation:
  tenths of a second on 2,000 operations, seconds on 10,000. The overrun is left to it and the
  actual wall time recorded.
- ``num_workers`` is handed on to CP-SAT; there is no seed argument, but unknown keywords become
  CP-SAT parameters, so ``random_seed`` arrives.
- Variables reach up to 2^42, not to the sum of durations.
- Without a schedule it reports bound 0 and an infinite objective: taken as no bound here.
"""

from __future__ import annotations

import time
from itertools import pairwise

from pyjobshop import Model, SolveStatus
from worker import Answer, Limits, Shop, serve, versions_of

_STATUS = {
    SolveStatus.OPTIMAL: "optimal",
    SolveStatus.FEASIBLE: "feasible",
    SolveStatus.INFEASIBLE: "infeasible",
    SolveStatus.TIME_LIMIT: "unknown",
    SolveStatus.UNKNOWN: "unknown",
}


def solve(shop: Shop, limits: Limits) -> Answer:
    """Solve *shop* with ``Model.solve``."""
    begin = time.perf_counter()
    model = Model()
    machines = [model.add_machine() for _ in range(shop.num_machines)]
    for operations in shop.jobs:
        job = model.add_job()
        tasks = []
        for machine, duration in operations:
            task = model.add_task(job=job)
            model.add_mode(task, machines[machine], duration)
            tasks.append(task)
        for before, after in pairwise(tasks):
            model.add_end_before_start(before, after)
    setup = time.perf_counter() - begin
    result = model.solve(
        solver="ortools",
        time_limit=limits.remaining,
        display=False,
        num_workers=limits.workers,
        random_seed=limits.seed,
    )
    status = _STATUS[result.status]
    answer = Answer(status, setup=setup)
    if status in ("optimal", "feasible"):
        answer.objective, answer.bound = result.objective, result.lower_bound
        starts = iter(result.best.tasks)
        answer.starts = [[next(starts).start for _ in operations] for operations in shop.jobs]
    return answer


if __name__ == "__main__":
    serve(solve, versions_of("pyjobshop", "ortools", "numpy"))
