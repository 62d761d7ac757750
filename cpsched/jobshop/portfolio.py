"""The exact and local-search methods of the job shop, and the portfolio of them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from cpsched import cpsat
from cpsched.errors import StopRequestedError
from cpsched.jobshop.arrays import Arrays
from cpsched.jobshop.bounds import lower_bound
from cpsched.jobshop.dispatch import WEIGHTS, roll_out
from cpsched.jobshop.model import formulate
from cpsched.jobshop.population import Population, SearchParams
from cpsched.jobshop.proof import Prover

if TYPE_CHECKING:
    import threading

    from cpsched.incumbent import Incumbent
    from cpsched.jobshop.instance import JobShop
    from cpsched.jobshop.solution import Schedule
    from cpsched.protocols import Limits


def start(
    instance: JobShop, limits: Limits, method: str, incumbent: Incumbent[Schedule]
) -> threading.Thread:
    """Start auto, cpsat or tabu on *incumbent*; returns the running thread."""
    if method == "cpsat" or instance.is_flexible:
        work = partial(_exact, instance, limits, incumbent, dispatch=method == "auto")
    else:
        work = partial(_local_search, instance, limits, incumbent, prove=method == "auto")
    return incumbent.run(work)


def _exact(
    instance: JobShop, limits: Limits, incumbent: Incumbent[Schedule], *, dispatch: bool
) -> None:
    incumbent.raise_bound(lower_bound(instance), "bounds")
    try:
        # For a shop without choices the local search dispatches.
        if dispatch and instance.is_flexible:
            # Here, because a classic job shop does without the kernels that this loads.
            from cpsched.jobshop import dispatching

            dispatching.start(instance, limits, incumbent)
        formulation = formulate(
            instance,
            upper_bound=incumbent.objective,
            lower_bound=incumbent.bound or 0,
            stop=lambda: incumbent.done,
        )
    except StopRequestedError:
        return
    if incumbent.solution is not None:
        formulation.hint(incumbent.solution)
    cpsat.run(formulation, incumbent, workers=limits.workers, seed=limits.seed)
    incumbent.finish()


#: Linear scores whose roll-outs the local search starts from: (terms, active frame).
STARTS = (
    ({"duration": -1.0, "remaining_work": 0.4, "start": -2.0}, False),
    ({"duration": -1.0, "remaining_work": 0.4, "start": -2.0}, True),
    (WEIGHTS["mwkr"], False),
    (WEIGHTS["mopnr"], False),
    (WEIGHTS["spt"], False),
)


def _local_search(
    instance: JobShop, limits: Limits, incumbent: Incumbent[Schedule], *, prove: bool
) -> None:
    arrays = Arrays(instance)
    incumbent.raise_bound(lower_bound(instance), "bounds")
    population = Population(arrays, incumbent, SearchParams.for_size(instance.num_ops))
    given = incumbent.solution
    best = None
    for terms, active in STARTS:
        if incumbent.done or (best is not None and incumbent.elapsed > 0.05 * limits.time_limit):
            break
        try:
            makespan, order = roll_out(arrays, terms, active=active, halt=incumbent.halt)
        except StopRequestedError:
            return
        if best is None or makespan < best:
            best = makespan
            population.seeds = [order]
            incumbent.offer(makespan, arrays.schedule(order), "dispatching")
    if given is not None:
        population.seeds.append(arrays.order(given))
    prover = Prover(instance, incumbent, limits) if prove else None

    def between() -> None:
        if prover is not None and prover.due():
            prover.run()
            if incumbent.source == "cpsat" and incumbent.solution is not None:
                population.seeds = [arrays.order(incumbent.solution)]

    # The first thread alternates between tabu search and proof, the others only search.
    work = [between] + [None] * (limits.workers - 1)
    threads = [
        incumbent.run(partial(population.search, limits.seed * 1_000 + k, extra))
        for k, extra in enumerate(work)
    ]
    try:
        while not incumbent.wait(0.05):
            pass
    finally:
        incumbent.finish()
        for thread in threads:
            thread.join()
