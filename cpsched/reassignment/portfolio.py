"""The methods of machine reassignment under one clock."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from cpsched import cpsat
from cpsched.errors import StopRequestedError
from cpsched.reassignment.check import check
from cpsched.reassignment.cost import lower_bound
from cpsched.reassignment.lns import Neighbourhoods
from cpsched.reassignment.model import formulate
from cpsched.reassignment.search import LocalSearch, improve, polish
from cpsched.reassignment.solution import Assignment

if TYPE_CHECKING:
    import threading

    from cpsched.incumbent import Incumbent
    from cpsched.protocols import Limits
    from cpsched.reassignment.instance import Reassignment

#: Pairs of a process and a machine up to which the whole model is tried for a proof.
_PROOF_PAIRS = 2_000
#: Share of the time that local search has before CP-SAT: where a proof is tried, and elsewhere.
_BEFORE_PROOF, _BEFORE_LNS = 0.1, 0.6
#: Turns of neighbourhoods and of local search that takes over from them: a share of the time, and
#: seconds at least.
_TURN, _TURN_LEAST = 0.03, 1.0


def start(
    instance: Reassignment, limits: Limits, method: str, incumbent: Incumbent[Assignment]
) -> threading.Thread:
    """Start *method*, one of ``METHODS``, on *incumbent*; returns the running thread."""
    incumbent.raise_bound(lower_bound(instance), "counting")
    now = Assignment.now(instance)
    report = check(instance, now)
    if report.objective is not None:
        incumbent.offer(report.objective, now, "now")
    work = {"auto": _auto, "cpsat": _exact, "local-search": _search}[method]
    return incumbent.run(partial(work, instance, limits, incumbent))


def _exact(instance: Reassignment, limits: Limits, incumbent: Incumbent[Assignment]) -> None:
    try:
        formulation = formulate(instance, stop=lambda: incumbent.done)
    except StopRequestedError:
        return
    if incumbent.solution is not None:
        formulation.hint(incumbent.solution)
    outcome = cpsat.run(formulation, incumbent, workers=limits.workers, seed=limits.seed)
    if outcome.status.value == "infeasible":
        incumbent.prove_infeasible("cpsat")
    incumbent.finish()


def _search(instance: Reassignment, limits: Limits, incumbent: Incumbent[Assignment]) -> None:
    _anneal(instance, limits, incumbent, limits.workers, incumbent.deadline)
    incumbent.finish()


def _anneal(
    instance: Reassignment,
    limits: Limits,
    incumbent: Incumbent[Assignment],
    workers: int,
    deadline: float,
) -> None:
    """Anneal with so many *workers*, this thread one of them, until *deadline*."""
    work = [
        partial(_improve, instance, incumbent, limits.seed * 1_000 + k, deadline)
        for k in range(workers)
    ]
    threads = [incumbent.run(one) for one in work[1:]]
    try:
        work[0]()
    finally:
        for thread in threads:
            thread.join()


def _improve(
    instance: Reassignment, incumbent: Incumbent[Assignment], seed: int, deadline: float
) -> None:
    improve(LocalSearch(instance, seed, incumbent.halt), incumbent, deadline)


def _auto(instance: Reassignment, limits: Limits, incumbent: Incumbent[Assignment]) -> None:
    small = instance.num_processes * instance.num_machines <= _PROOF_PAIRS
    share = _BEFORE_PROOF if small else _BEFORE_LNS
    until = time.perf_counter() + share * incumbent.remaining
    _anneal(instance, limits, incumbent, limits.workers, until)
    if incumbent.done:
        return
    if small:
        _exact(instance, limits, incumbent)
        return
    # All but one worker go on annealing; CP-SAT with several is no faster on a few machines.
    others = [
        incumbent.run(
            partial(
                _improve, instance, incumbent, limits.seed * 1_000 + 500 + k, incumbent.deadline
            )
        )
        for k in range(limits.workers - 1)
    ]
    try:
        neighbourhoods = Neighbourhoods(instance, incumbent, limits.seed, 1)
        search = LocalSearch(instance, limits.seed * 1_000 + 999, incumbent.halt)
        turn = max(_TURN_LEAST, _TURN * limits.time_limit)
        while not incumbent.done:
            neighbourhoods.run(time.perf_counter() + turn)
            polish(search, incumbent, time.perf_counter() + turn)
    finally:
        incumbent.finish()
        for thread in others:
            thread.join()
