"""Methods of pod packing, each started from the current state of the cluster."""

from __future__ import annotations

from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from cpsched.pods import objective
from cpsched.pods.check import check
from cpsched.pods.methods import MODULES
from cpsched.pods.solution import Placement

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Collection

    from cpsched.incumbent import Incumbent
    from cpsched.pods.instance import Cluster
    from cpsched.protocols import Limits


def load(methods: Collection[str]) -> None:
    """Import the modules of *methods*, and with them their kernels."""
    for method in methods:
        import_module(MODULES[method])


def trivial_bound(cluster: Cluster) -> int:
    """Bound of the objective: pending pods that are held find no place, all else might."""
    waiting = ~cluster.running & cluster.is_held
    return objective.number(
        cluster,
        [
            int((waiting & (cluster.priority == stage.priority)).sum())
            if stage.goal is objective.Goal.UNPLACED
            else 0
            for stage in objective.stages(cluster)
        ],
    )


def start(
    cluster: Cluster, limits: Limits, method: str, incumbent: Incumbent[Placement]
) -> threading.Thread:
    """Offer the current state, so that there is an answer, then start *method*."""
    offer(cluster, cluster.node, "current state", incumbent)
    incumbent.raise_bound(trivial_bound(cluster), "counting")
    if method in _BASELINES:
        return incumbent.run(partial(_baseline, cluster, method, incumbent))
    if method == "search":
        return incumbent.run(partial(_search, cluster, limits, incumbent))
    module = import_module(MODULES[method])
    thread: threading.Thread = module.start(cluster, limits, method, incumbent)
    return thread


def offer(cluster: Cluster, node: Any, source: str, incumbent: Incumbent[Placement]) -> bool:
    """Offer the pods on *node*, shape (num_pods,); whether it is better than all before."""
    return incumbent.offer(objective.objective(cluster, node), Placement(node), source)


def _search(cluster: Cluster, limits: Limits, incumbent: Incumbent[Placement]) -> None:
    from cpsched.pods.search import improve

    improve(cluster, incumbent, seed=limits.seed)
    incumbent.finish()


def _baseline(cluster: Cluster, method: str, incumbent: Incumbent[Placement]) -> None:
    found = _BASELINES[method](cluster)
    node = found.node if isinstance(found, Placement) else np.asarray(found)
    # A scheduler is no model: what it does may break a budget or have no plan.
    report = check(cluster, Placement(node))
    if report.ok:
        offer(cluster, node, method, incumbent)
        incumbent.finish()
    else:
        incumbent.give_up(f"{method}: {report.violations[0]}")


def _scheduler(cluster: Cluster, *, preemption: bool) -> Any:
    from cpsched.pods import scheduler

    return scheduler.schedule(cluster, preemption=preemption)


def _first_fit_decreasing(cluster: Cluster) -> Any:
    from cpsched.pods.baselines import first_fit_decreasing

    return first_fit_decreasing(cluster)


def _best_fit(cluster: Cluster) -> Any:
    from cpsched.pods.baselines import best_fit

    return best_fit(cluster)


_BASELINES: dict[str, Callable[[Cluster], Any]] = {
    "default-scheduler": partial(_scheduler, preemption=False),
    "default-preemption": partial(_scheduler, preemption=True),
    "first-fit-decreasing": _first_fit_decreasing,
    "best-fit": _best_fit,
}
