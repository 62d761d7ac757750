"""``auto``: search for good placements and columns for proofs, under one clock."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from cpsched.columns.lexicographic import Certifier
from cpsched.pods import anneal, search
from cpsched.pods.check import check
from cpsched.pods.columns import PodHost
from cpsched.pods.packing import PodPacking, types
from cpsched.pods.solution import Placement

if TYPE_CHECKING:
    import threading

    from cpsched.incumbent import Incumbent
    from cpsched.pods.instance import Cluster
    from cpsched.protocols import Limits

#: Share of the time that search has for itself before the first proof; at most, seconds.
_FIRST_SHARE, _FIRST_MOST = 0.1, 0.08
#: Seconds of the first turns of columns and search where one thread does both; they double.
_TURN = 0.5
#: Nodes times types beyond which nothing is annealed as one matrix, nor proven by patterns.
_DENSE = 200_000
#: Seconds of the first search of a large cluster, after which the time of a check is known, and
#: how many times that is kept for the last one.
_FIRST_LARGE, _CHECKS = 2.0, 2.0
#: Seconds by which programs are told to end early: solvers look at the clock now and then.
_MARGIN = 0.02


def start(
    cluster: Cluster, limits: Limits, method: str, incumbent: Incumbent[Placement]
) -> threading.Thread:
    """Run ``auto``, or ``columns`` alone, in a thread until the incumbent is done."""
    run = _columns if method == "columns" else _auto
    return incumbent.run(partial(run, cluster, limits, incumbent))


def _auto(cluster: Cluster, limits: Limits, incumbent: Incumbent[Placement]) -> None:
    """Search and proof take turns, or go side by side where there are threads for both."""
    if not _dense(cluster):
        _large(cluster, limits, incumbent)
        return
    pods = PodPacking(cluster)
    host = PodHost(pods, incumbent)
    improve = partial(_improve, pods, host, limits.seed, incumbent)
    improve(min(_FIRST_MOST, _FIRST_SHARE * limits.time_limit))
    helper = None
    if limits.workers > 1 and not incumbent.done:
        helper = incumbent.run(partial(improve, None))
    certifier = Certifier(pods.packing, host)
    turn = _TURN
    while not incumbent.done:
        known = incumbent.objective
        left = incumbent.remaining
        certifier.run(time.perf_counter() + (left if helper else min(turn, left)) - _MARGIN)
        if incumbent.done:
            break
        if helper is None:
            improve(min(turn, incumbent.remaining))
        elif incumbent.objective == known:
            incumbent.wait(0.1)
        turn *= 2
    if helper is not None:
        helper.join()


def _columns(cluster: Cluster, limits: Limits, incumbent: Incumbent[Placement]) -> None:
    """Columns alone, from the current state."""
    del limits
    if not _dense(cluster):
        incumbent.give_up(f"{cluster.num_nodes} nodes are too many for patterns of so many pods")
        return
    pods = PodPacking(cluster)
    certifier = Certifier(pods.packing, PodHost(pods, incumbent))
    while not incumbent.done:
        known = incumbent.objective, incumbent.bound
        certifier.run(incumbent.deadline - _MARGIN)
        if (incumbent.objective, incumbent.bound) == known:
            incumbent.finish()


def _large(cluster: Cluster, limits: Limits, incumbent: Incumbent[Placement]) -> None:
    """Search alone: counting gives the bound, which placing every pod reaches.

    Who asked for the solution checks it once more, which takes its time, too.
    """
    search.improve(
        cluster,
        incumbent,
        seed=limits.seed,
        deadline=time.perf_counter() + min(_FIRST_LARGE, 0.5 * incumbent.remaining),
    )
    if incumbent.done:
        return
    begin = time.perf_counter()
    solution = incumbent.solution
    check(cluster, solution or Placement.now(cluster))
    reserve = _CHECKS * (time.perf_counter() - begin)
    node = None if solution is None else solution.node
    search.improve(
        cluster, incumbent, seed=limits.seed, start=node, deadline=incumbent.deadline - reserve
    )
    incumbent.finish()


def _dense(cluster: Cluster) -> bool:
    """Whether nodes and types of pods make a matrix of moderate size."""
    if cluster.num_nodes * cluster.num_pods <= _DENSE:
        return True
    _, first = types(cluster)
    return cluster.num_nodes * len(first) <= _DENSE


def _improve(
    pods: PodPacking,
    host: PodHost,
    seed: int,
    incumbent: Incumbent[Placement],
    seconds: float | None,
) -> None:
    """Search for *seconds*, or until the solve is done."""
    left = incumbent.remaining if seconds is None else seconds
    end = time.perf_counter() + left
    if pods.exact:
        anneal.improve(pods, host, incumbent, seed=seed, deadline=end)
    else:
        solution = incumbent.solution
        node = None if solution is None else solution.node
        search.improve(pods.cluster, incumbent, seed=seed, start=node, deadline=end)
