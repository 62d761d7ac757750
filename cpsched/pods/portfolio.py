"""``auto``: search for good placements and columns for proofs, under one clock."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from cpsched.columns.lexicographic import Certifier
from cpsched.pods import anneal, search
from cpsched.pods.columns import PodHost
from cpsched.pods.packing import PodPacking

if TYPE_CHECKING:
    import threading

    from cpsched.incumbent import Incumbent
    from cpsched.pods.instance import Cluster
    from cpsched.pods.solution import Placement
    from cpsched.protocols import Limits

#: Share of the time that search has for itself before the first proof, with one thread; at most.
_FIRST_SHARE, _FIRST_MOST = 0.15, 0.25
#: Nodes times types beyond which nothing is annealed as one matrix, nor proven by patterns.
_DENSE = 200_000
#: Seconds by which programs are told to end early: solvers look at the clock now and then.
_MARGIN = 0.02
#: Seconds of a turn below which taking turns is not worth its switching.
_SHORT = 0.5


def start(
    cluster: Cluster, limits: Limits, method: str, incumbent: Incumbent[Placement]
) -> threading.Thread:
    """Run ``auto``, or ``columns`` alone, in a thread until the incumbent is done."""
    run = _columns if method == "columns" else _auto
    return incumbent.run(partial(run, cluster, limits, incumbent))


def _auto(cluster: Cluster, limits: Limits, incumbent: Incumbent[Placement]) -> None:
    """Search and proof take turns, or go side by side where there are threads for both."""
    pods = PodPacking(cluster)
    host = PodHost(pods, incumbent)
    improve = partial(_improve, pods, host, limits.seed, incumbent)
    improve(min(_FIRST_MOST, _FIRST_SHARE * limits.time_limit))
    helper = None
    if limits.workers > 1 and not incumbent.done:
        helper = incumbent.run(partial(improve, None))
    certifier = Certifier(pods.packing, host, patterns=_dense(pods))
    while not incumbent.done:
        left = incumbent.remaining
        known = incumbent.objective
        share = 0.5 if left > _SHORT else 1.0
        certifier.run(time.perf_counter() + share * left - _MARGIN)
        if incumbent.done:
            break
        if helper is None:
            improve(max(0.02, 0.5 * incumbent.remaining))
        elif incumbent.objective == known:
            incumbent.wait(0.1)
    if helper is not None:
        helper.join()


def _columns(cluster: Cluster, limits: Limits, incumbent: Incumbent[Placement]) -> None:
    """Columns alone, from the current state."""
    del limits
    pods = PodPacking(cluster)
    if not _dense(pods):
        incumbent.give_up(
            f"{cluster.num_nodes} nodes and {pods.packing.items.number} types of pods are too "
            "many for patterns"
        )
        return
    certifier = Certifier(pods.packing, PodHost(pods, incumbent))
    while not incumbent.done:
        known = incumbent.objective, incumbent.bound
        certifier.run(incumbent.deadline - _MARGIN)
        if (incumbent.objective, incumbent.bound) == known:
            incumbent.finish()


def _dense(pods: PodPacking) -> bool:
    return pods.cluster.num_nodes * pods.packing.items.number <= _DENSE


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
    if pods.exact and _dense(pods):
        anneal.improve(pods, host, incumbent, seed=seed, deadline=end)
    else:
        solution = incumbent.solution
        node = None if solution is None else solution.node
        search.improve(pods.cluster, incumbent, seed=seed, start=node, deadline=end)
