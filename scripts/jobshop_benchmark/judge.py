"""Nothing a solver says is believed: its schedule is checked and its objective recomputed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from cpsched.checking import check
from cpsched.jobshop.solution import Schedule

if TYPE_CHECKING:
    from .shops import Shop

#: Parts of the time limit at which the objective is kept.
MARKS = (1 / 12, 1 / 4, 1 / 2, 3 / 4, 1.0)

_Trace = list[tuple[float, float | None, float | None]]


def judged(shop: Shop, answer: dict[str, Any], time_limit: float) -> dict[str, Any]:
    """The fields of a ``Run`` that follow from a solver's *answer* on *shop*."""
    problems: list[str] = []
    status = answer["status"]
    objective = None
    bound = answer["bound"]
    bound = None if bound is None or not math.isfinite(bound) else math.ceil(bound - 1e-6)
    if answer["operations"] is not None:
        objective, broken = _recomputed(shop, answer["operations"])
        problems += broken
        if broken:
            status = "invalid"
        elif objective != answer["objective"]:
            problems.append(f"claims objective {answer['objective']}, it is {objective}")
            status = "feasible"
    elif status in ("optimal", "feasible"):
        problems.append(f"claims to be {status} without a schedule")
        status = "unknown"
    if status == "infeasible":
        problems.append("claims that no schedule exists")
        status = "unknown"
    ceiling = min((value for value in (objective, shop.upper) if value is not None), default=None)
    if bound is not None and ceiling is not None and bound > ceiling:
        problems.append(f"claims bound {bound}, but a schedule of {ceiling} exists")
        bound = None
    if status == "optimal" and (bound is None or bound != objective):
        problems.append(f"claims optimality with bound {answer['bound']}")
        status = "feasible"
    if objective is not None and shop.lower is not None and objective < shop.lower:
        problems.append(f"objective {objective} below the published lower bound {shop.lower}")
    return {
        "status": status,
        "objective": objective,
        "bound": bound,
        "trace": summary(answer["trace"], time_limit),
        "problems": tuple(problems),
    }


def summary(trace: _Trace, time_limit: float) -> dict[str, Any]:
    """What is kept of a *trace*.

    first, last: seconds of the first and the last schedule; improvements: how many; at: the
    objective at each of ``MARKS`` times *time_limit*; empty without a schedule.
    """
    found: list[tuple[float, float]] = []
    for seconds, objective, _ in trace:
        if objective is not None and (not found or objective < found[-1][1]):
            found.append((seconds, objective))
    if not found:
        return {}
    at = []
    for mark in MARKS:
        before = [objective for seconds, objective in found if seconds <= mark * time_limit]
        at.append(before[-1] if before else None)
    if found[-1][0] > time_limit:
        at[-1] = found[-1][1]
    return {
        "first": round(found[0][0], 3),
        "last": round(found[-1][0], 3),
        "improvements": len(found) - 1,
        "at": at,
    }


def _recomputed(shop: Shop, operations: list[dict[str, int]]) -> tuple[int | None, list[str]]:
    """Makespan by the check, and what is wrong (two sentences at most)."""
    instance = shop.instance
    first = instance.job_ptr.astype(np.int64)
    length = np.diff(first)
    fields = ("job", "index", "machine", "start", "end")
    table = np.array([[operation[name] for name in fields] for operation in operations])
    if table.shape != (instance.num_ops, len(fields)):
        return None, [f"{len(operations)} operations, not {instance.num_ops}"]
    job, index, machine, start, end = table.T
    known = (job >= 0) & (job < instance.num_jobs)
    if not known.all() or not ((index >= 0) & (index < length[job])).all():
        return None, ["an operation that does not exist"]
    op = first[job] + index
    if len(np.unique(op)) != instance.num_ops:
        return None, ["an operation twice"]
    order = np.argsort(op)
    report = check(instance, Schedule(machine[order], start[order], end[order]))
    return report.objective, list(report.violations[:2])
