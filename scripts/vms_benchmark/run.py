"""One run: a cluster from its file, solved, checked; and the stream of arrivals."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from cpsched.instances.formats import vms_native
from cpsched.solving import solve
from cpsched.vms import objective
from cpsched.vms.check import check
from cpsched.vms.solution import Migrations

if TYPE_CHECKING:
    from .rows import Row


def run(row: Row, seed: int, method: str, text: str) -> dict[str, Any]:
    """Read *text*, solve, check: seconds of all that, and what came out."""
    start = time.perf_counter()
    cluster = vms_native.parse(text)
    result = solve(cluster, method=method, time_limit=row.time_limit, workers=1)
    seconds = time.perf_counter() - start
    plan = result.solution or Migrations()
    digits = objective.values(cluster, plan)
    bound = None if result.bound is None else objective.digits(cluster, result.bound)
    most = objective.stages(cluster)[0].worst
    now = objective.values(cluster, Migrations())
    kinds = cluster.policy.fragments
    return {
        "kind": "run",
        "seed": seed,
        "method": method,
        "time_limit": row.time_limit,
        "seconds": round(seconds, 4),
        "status": str(result.status),
        "worth": most - digits[0],
        "worth_before": most - now[0],
        "worth_bound": None if bound is None else most - bound[0],
        "slots_proven": bound is not None and bound[0] == digits[0],
        "moves": digits[1],
        "cost": digits[2],
        "fr_before": [float(objective.fr(cluster, cluster.numa, kind)) for kind in kinds],
        "fr": [float(objective.fr(cluster, plan.end(cluster), kind)) for kind in kinds],
        "fr_bound": None if bound is None else fr_bound(cluster, most - bound[0]),
        "valid": check(cluster, plan).ok,
    }


def fr_bound(cluster: Any, worth: int) -> float | None:
    """Fragment rate of so much worth of slots, where there is one kind."""
    kinds = cluster.policy.fragments
    if len(kinds) > 1:
        return None
    free = objective.free_cpu(cluster, cluster.numa)
    return (free - worth * kinds[0].size) / free if free else 0.0
