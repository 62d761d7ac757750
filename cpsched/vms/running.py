"""Methods of VM rescheduling, each started from the current state of the cluster."""

from __future__ import annotations

from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING

from cpsched.vms import objective
from cpsched.vms.bounds import impossible, simple_bound
from cpsched.vms.check import check
from cpsched.vms.methods import BASELINES, MODULES
from cpsched.vms.solution import Migrations

if TYPE_CHECKING:
    import threading
    from collections.abc import Collection

    from cpsched.incumbent import Incumbent
    from cpsched.protocols import Limits
    from cpsched.vms.instance import VmCluster
    from cpsched.vms.moving import Moving


def load(methods: Collection[str]) -> None:
    """Import the modules of *methods*, and with them their kernels."""
    for method in methods:
        import_module(MODULES[method])


def start(
    cluster: VmCluster, limits: Limits, method: str, incumbent: Incumbent[Migrations]
) -> threading.Thread:
    """Offer the current state, if it is an answer, then start *method*."""
    for reason in impossible(cluster):
        incumbent.prove_infeasible("counting")
        return incumbent.run(partial(incumbent.give_up, reason))
    if check(cluster, Migrations.now(cluster)).ok:
        offer(cluster, Migrations.now(cluster), "current state", incumbent)
    incumbent.raise_bound(simple_bound(cluster), "counting")
    if method in BASELINES:
        return incumbent.run(partial(_run_baseline, cluster, limits, method, incumbent))
    module = import_module(MODULES[method])
    thread: threading.Thread = module.start(cluster, limits, method, incumbent)
    return thread


def offer(
    cluster: VmCluster, migrations: Migrations, source: str, incumbent: Incumbent[Migrations]
) -> bool:
    """Offer a plan that keeps the rules; whether it is better than all before."""
    return incumbent.offer(objective.objective(cluster, migrations), migrations, source)


def _run_baseline(
    cluster: VmCluster, limits: Limits, name: str, incumbent: Incumbent[Migrations]
) -> None:
    from cpsched.vms.greedy import NoWayError

    try:
        moving = _baseline(cluster, name, limits.seed, incumbent)
    except NoWayError as error:
        if incumbent.solution is None:
            incumbent.give_up(f"{name}: {error}")
    else:
        offer(cluster, Migrations(tuple(moving.moves)), name, incumbent)
    incumbent.finish()


def _baseline(
    cluster: VmCluster, name: str, seed: int, incumbent: Incumbent[Migrations]
) -> Moving:
    def stop() -> bool:
        return incumbent.done

    if name == "best-fit-vbpp":
        from cpsched.vms.baselines import best_fit

        return best_fit(cluster, stop)
    if name == "pop":
        from cpsched.vms.partition import partition

        return partition(cluster, stop, seed, incumbent.remaining)
    from cpsched.vms.greedy import greedy

    return greedy(cluster, stop)
