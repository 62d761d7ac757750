"""``auto``: search for good placements and columns for proofs, under one clock."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from cpsched.columns.lexicographic import Certifier
from cpsched.pods import anneal, search
from cpsched.pods.baselines import best_fit
from cpsched.pods.columns import PodHost
from cpsched.pods.cpsat import MAX_PAIRS, pairs, solve_by_stages
from cpsched.pods.offering import offer
from cpsched.pods.packing import PodPacking, types
from cpsched.pods.scheduler import schedule
from cpsched.pods.solution import Placement

if TYPE_CHECKING:
    import threading

    from cpsched.incumbent import Incumbent
    from cpsched.pods.instance import Cluster
    from cpsched.protocols import Limits

#: Share of the time that search has for itself before the first proof; at most, seconds.
_FIRST_SHARE, _FIRST_MOST = 0.1, 0.08
#: Seconds of the first turns of columns and search where one thread does both; they double. With
#: so few pods a node the columns are good at it and have most of the time at once, as a share.
_TURN, _FEW_PODS, _FIRST_TURN = 0.5, 5, 0.8
#: Nodes times types beyond which nothing is annealed as one matrix, nor proven by patterns.
_DENSE = 200_000
#: Share of the time left that search, and then columns, have before CP-SAT; seconds of search that
#: a pod is worth before it.
_SEARCH_SHARE, _SEARCH_PER_POD = 0.25, 0.005
#: Seconds by which programs are told to end early: solvers look at the clock now and then.
_MARGIN = 0.02


def start(
    cluster: Cluster, limits: Limits, method: str, incumbent: Incumbent[Placement]
) -> threading.Thread:
    """Run ``auto``, or ``columns`` alone, in a thread until the incumbent is done."""
    run = _columns if method == "columns" else _auto
    return incumbent.run(partial(run, cluster, limits, incumbent))


def _auto(cluster: Cluster, limits: Limits, incumbent: Incumbent[Placement]) -> None:
    """Choose by size and rules; the best of what a scheduler would do is where all begin."""
    for node in (schedule(cluster).node, best_fit(cluster).node):
        offer(cluster, node, "schedulers", incumbent)
    if incumbent.done:
        return
    if not _dense(cluster):
        _large(cluster, limits, incumbent)
        return
    host = PodHost(PodPacking(cluster), incumbent)
    if host.pods.exact:
        incumbent.in_time(partial(_packing, host, limits, incumbent))
    else:
        _ruled(host, limits, incumbent)


def _packing(host: PodHost, limits: Limits, incumbent: Incumbent[Placement]) -> None:
    """Annealing and columns take turns, or go side by side where there are threads for both."""
    improve = partial(anneal.improve, host.pods, host, incumbent, seed=limits.seed)

    def until(seconds: float) -> float:
        return time.perf_counter() + min(seconds, incumbent.remaining)

    improve(deadline=until(min(_FIRST_MOST, _FIRST_SHARE * limits.time_limit)))
    helper = None
    if limits.workers > 1 and not incumbent.done:
        helper = incumbent.run(partial(improve, deadline=incumbent.deadline))
    certifier = Certifier(host.pods.packing, host)
    certifier.bound()
    small = host.cluster.num_pods <= _FEW_PODS * host.cluster.num_nodes
    turn = _FIRST_TURN * incumbent.remaining if small else _TURN
    while not incumbent.done:
        known = incumbent.objective
        certifier.run((incumbent.deadline if helper else until(turn)) - _MARGIN)
        if helper is None:
            improve(deadline=until(turn))
        elif incumbent.objective == known:
            incumbent.wait(0.1)
        certifier.bound()
        turn *= 2
    if helper is not None:
        helper.join()


def _ruled(host: PodHost, limits: Limits, incumbent: Incumbent[Placement]) -> None:
    """Rules that tie nodes to each other: search, bounds by columns, then CP-SAT for the rest.

    The columns do not know those rules: their bounds hold, their placements may not.
    """
    cluster = host.cluster

    def searched(share: float) -> None:
        solution = incumbent.solution
        search.improve(
            cluster,
            incumbent,
            seed=limits.seed,
            start=None if solution is None else solution.node,
            deadline=time.perf_counter() + share * incumbent.remaining,
        )

    searched(min(_SEARCH_SHARE, _SEARCH_PER_POD * cluster.num_pods / limits.time_limit))
    certifier = Certifier(host.pods.packing, host)
    certifier.bound()
    certifier.run(time.perf_counter() + _SEARCH_SHARE * incumbent.remaining - _MARGIN)
    certifier.bound()
    if pairs(cluster) <= MAX_PAIRS and not incumbent.done:
        solve_by_stages(cluster, incumbent, workers=limits.workers, seed=limits.seed)
    searched(1.0)
    incumbent.finish()


def _large(cluster: Cluster, limits: Limits, incumbent: Incumbent[Placement]) -> None:
    """Search alone: counting gives the bound, which placing every pod reaches."""
    solution = incumbent.solution or Placement.now(cluster)
    search.improve(cluster, incumbent, seed=limits.seed, start=solution.node)
    incumbent.finish()


def _columns(cluster: Cluster, limits: Limits, incumbent: Incumbent[Placement]) -> None:
    """Columns alone, from the current state."""
    del limits
    if not _dense(cluster):
        incumbent.give_up(f"{cluster.num_nodes} nodes are too many for patterns of so many pods")
        return
    pods = PodPacking(cluster)
    host = PodHost(pods, incumbent)
    certifier = Certifier(pods.packing, host)

    def work() -> None:
        certifier.bound()
        while not incumbent.done:
            known = incumbent.objective, incumbent.bound
            certifier.run(incumbent.deadline - _MARGIN)
            if (incumbent.objective, incumbent.bound) == known:
                incumbent.finish()

    incumbent.in_time(work)


def _dense(cluster: Cluster) -> bool:
    """Whether nodes and types of pods make a matrix of moderate size."""
    if cluster.num_nodes * cluster.num_pods <= _DENSE:
        return True
    _, first = types(cluster)
    return cluster.num_nodes * len(first) <= _DENSE
