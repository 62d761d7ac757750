"""Driver for CP-SAT alone on the textbook job-shop model.

One interval per operation with the sum of all durations as horizon, no overlap per machine, each
operation after its predecessor, the makespan after the last operation of each job; no hints, no
bounds, no parameters but time, workers and seed.

Peculiarities: ``max_time_in_seconds`` is lowered by the time the model took to build; CP-SAT
looks at the clock between its own steps and may overrun a limit of 1 s by some hundredths on the
largest Taillard instances. Its bound without any schedule is still reported.
"""

from __future__ import annotations

import time

from ortools.sat.python import cp_model
from worker import Answer, Limits, Shop, serve, versions_of

_STATUS = {
    cp_model.OPTIMAL: "optimal",
    cp_model.FEASIBLE: "feasible",
    cp_model.INFEASIBLE: "infeasible",
    cp_model.UNKNOWN: "unknown",
}


def solve(shop: Shop, limits: Limits) -> Answer:
    """Solve *shop* with CP-SAT's defaults."""
    begin = time.perf_counter()
    horizon = shop.horizon
    model = cp_model.CpModel()
    makespan = model.new_int_var(0, horizon, "makespan")
    machines: list[list[cp_model.IntervalVar]] = [[] for _ in range(shop.num_machines)]
    starts: list[list[cp_model.IntVar]] = []
    for job, operations in enumerate(shop.jobs):
        row: list[cp_model.IntVar] = []
        previous_end = None
        for index, (machine, duration) in enumerate(operations):
            start = model.new_int_var(0, horizon, f"start_{job}_{index}")
            end = model.new_int_var(0, horizon, f"end_{job}_{index}")
            machines[machine].append(
                model.new_interval_var(start, duration, end, f"interval_{job}_{index}")
            )
            if previous_end is not None:
                model.add(start >= previous_end)
            previous_end = end
            row.append(start)
        if previous_end is not None:
            model.add(makespan >= previous_end)
        starts.append(row)
    for intervals in machines:
        model.add_no_overlap(intervals)
    model.minimize(makespan)

    solver = cp_model.CpSolver()
    solver.parameters.num_workers = limits.workers
    solver.parameters.random_seed = limits.seed
    setup = time.perf_counter() - begin
    solver.parameters.max_time_in_seconds = limits.remaining
    status = _STATUS[solver.solve(model)]
    answer = Answer(status, bound=solver.best_objective_bound, setup=setup)
    if status in ("optimal", "feasible"):
        answer.objective = solver.objective_value
        answer.starts = [[solver.value(start) for start in row] for row in starts]
    return answer


if __name__ == "__main__":
    serve(solve, versions_of("ortools", "numpy"))
