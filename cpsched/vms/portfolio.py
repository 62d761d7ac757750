"""``auto``: a heuristic for a first answer, columns for the proof, the rest where that ends."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from cpsched.vms import columns, cpsat, search
from cpsched.vms.greedy import NoWayError, greedy
from cpsched.vms.offering import offer
from cpsched.vms.solution import Migrations
from cpsched.vms.variables import Places

if TYPE_CHECKING:
    import threading

    from cpsched.incumbent import Incumbent
    from cpsched.protocols import Limits
    from cpsched.vms.instance import VmCluster

#: Pairs of VMs and places up to which CP-SAT comes before the search.
_SMALL = 20_000
#: Share of the time that columns have where they may not come to an end.
_SHARE = 0.6
#: Seconds by which programs are told to end early: solvers look at the clock now and then.
_MARGIN = 0.02


def start(
    cluster: VmCluster, limits: Limits, method: str, incumbent: Incumbent[Migrations]
) -> threading.Thread:
    """Run ``auto``, ``columns`` or ``search`` in a thread until the incumbent is done."""
    run = {"columns": _columns, "search": _search}.get(method, _auto)
    return incumbent.run(partial(incumbent.in_time, partial(run, cluster, limits, incumbent)))


def _auto(cluster: VmCluster, limits: Limits, incumbent: Incumbent[Migrations]) -> None:
    if columns.obstacle(cluster):
        _greedy(cluster, incumbent)
    else:
        engine = columns.Columns(cluster, incumbent)
        share = 1.0
        if engine.hard:
            _greedy(cluster, incumbent)
            share = _SHARE
        engine.run(incumbent.deadline - (1 - share) * incumbent.remaining - _MARGIN)
        if incumbent.done or _proven(incumbent):
            return
        if not engine.hard:
            _greedy(cluster, incumbent)
    small = Places(cluster).count() <= _SMALL
    if small or search.obstacle(cluster):
        cpsat.solve_by_stages(cluster, incumbent, workers=limits.workers, seed=limits.seed)
    if not search.obstacle(cluster) and not incumbent.done:
        search.improve(cluster, incumbent, seed=limits.seed)
    incumbent.finish()


def _proven(incumbent: Incumbent[Migrations]) -> bool:
    return incumbent.objective is not None and incumbent.objective == incumbent.bound


def _greedy(cluster: VmCluster, incumbent: Incumbent[Migrations]) -> None:
    """Offer what the filtering heuristic finds, if anything."""
    try:
        plan = Migrations(tuple(greedy(cluster, lambda: incumbent.done).moves))
    except NoWayError:
        return
    offer(cluster, plan, "greedy", incumbent)


def _columns(cluster: VmCluster, limits: Limits, incumbent: Incumbent[Migrations]) -> None:
    del limits
    columns.Columns(cluster, incumbent).run(incumbent.deadline - _MARGIN)
    incumbent.finish()


def _search(cluster: VmCluster, limits: Limits, incumbent: Incumbent[Migrations]) -> None:
    _greedy(cluster, incumbent)
    search.improve(cluster, incumbent, seed=limits.seed)
    incumbent.finish()
