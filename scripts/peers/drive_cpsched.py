"""Driver for cpsched itself, through its Python interface.

``prepare`` loads (or compiles) the kernels while warming up, as a user's set-up does; nothing
else is kept between requests.
"""

from __future__ import annotations

from worker import Answer, Limits, Shop, serve

from cpsched.jobshop.instance import JobShop
from cpsched.result import versions
from cpsched.solving import prepare
from cpsched.solving import solve as solve_cpsched


def solve(shop: Shop, limits: Limits) -> Answer:
    """Solve *shop* with the portfolio."""
    instance = JobShop.classic(shop.path.stem, shop.num_machines, shop.jobs)
    result = solve_cpsched(
        instance, time_limit=limits.remaining, workers=limits.workers, seed=limits.seed
    )
    answer = Answer(str(result.status), result.objective, result.bound, setup=result.setup_time)
    answer.trace = [(point.seconds, point.objective, point.bound) for point in result.trace]
    if result.solution is not None:
        flat = iter(result.solution.start.tolist())
        answer.starts = [[next(flat) for _ in job] for job in shop.jobs]
    return answer


if __name__ == "__main__":
    prepare()
    serve(solve, versions())
