"""A plan of migrations as JSON and as words for the person on call."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from cpsched.stages import judged
from cpsched.vms import objective
from cpsched.vms.bounds import is_steady
from cpsched.vms.lanes import makespan, schedule
from cpsched.vms.listing import aligned, rows_of, steps
from cpsched.vms.objective import Goal
from cpsched.vms.rates import rate
from cpsched.words import count

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cpsched.result import Result
    from cpsched.stages import StageRow
    from cpsched.vms.instance import VmCluster
    from cpsched.vms.solution import Migrations

#: Steps of a plan that a summary shows; JSON holds all.
MAX_LINES = 20

#: Reasons why VMs may not move that a summary names.
_REASONS = 3


def stage_rows(
    cluster: VmCluster, migrations: Migrations, bound: int | None
) -> list[StageRow[objective.Stage]]:
    """Every stage of *migrations*; bound: of the objective, None for none."""
    return judged(objective.stages(cluster), objective.values(cluster, migrations), bound)


def rate_bound(cluster: VmCluster, bound: int | None) -> float | None:
    """The lowest fragment rate that the *bound* of the objective leaves possible.

    None if it says nothing: for objectives that do not begin with fragments, or if what is free
    on active PMs may change.
    """
    first = objective.stages(cluster)[0]
    if bound is None or first.goal is not Goal.FRAGMENTS or not is_steady(cluster):
        return None
    most = first.worst - objective.digits(cluster, bound)[0]
    return float(rate(cluster, most, objective.free_cpu(cluster, cluster.numa)))


def record(cluster: VmCluster, migrations: Migrations, bound: int | None) -> dict[str, Any]:
    """The ``solution`` part of the JSON object, as ``docs/result-schema.md`` has it."""
    planned = steps(cluster, migrations)
    kinds = cluster.policy.fragments
    numa = migrations.end(cluster)
    return {
        "policy": asdict(cluster.policy),
        "fr_before": float(objective.weighted_fr(cluster, cluster.numa)),
        "fr_after": float(objective.weighted_fr(cluster, numa)),
        "fr_bound": rate_bound(cluster, bound),
        "slots": [
            {
                "cores": kind.cores,
                "double": kind.double,
                "before": objective.slots(cluster, cluster.numa, kind),
                "after": objective.slots(cluster, numa, kind),
            }
            for kind in kinds
        ],
        "moves": len(migrations.moves),
        "makespan_s": max((step.end_s for step in planned), default=0),
        "stages": [
            {
                "goal": row.stage.goal.value,
                "value": row.value,
                "bound": row.bound,
                "proven": row.proven,
            }
            for row in stage_rows(cluster, migrations, bound)
        ],
        "migrations": [asdict(step) for step in planned],
    }


_UNITS = {Goal.OCCUPIED: "PM", Goal.MOVES: "move", Goal.COST: "cost"}


def objective_text(cluster: VmCluster, total: int | None) -> str:
    """The rate (or the PMs in use), the moves and their cost."""
    if total is None:
        return "-"
    words = []
    for stage, value in zip(
        objective.stages(cluster), objective.digits(cluster, total), strict=True
    ):
        if stage.goal is Goal.FRAGMENTS:
            free = objective.free_cpu(cluster, cluster.numa)
            steady = is_steady(cluster)
            words.append(
                f"FR {float(rate(cluster, stage.worst - value, free)):.4f}"
                if steady
                else f"{value} missing"
            )
        elif stage.goal is Goal.COST:
            words.append(f"cost {value}")
        else:
            words.append(count(value, _UNITS[stage.goal]))
    return ", ".join(words)


def proof(cluster: VmCluster, result: Result[Migrations]) -> str:
    """What is proven of the plan of *result*, in a sentence."""
    if result.solution is None:
        return "there is no plan"
    rows = stage_rows(cluster, result.solution, result.bound)
    if all(row.proven for row in rows):
        return "optimal: proven that there is nothing better"
    if not rows[0].proven:
        return "not proven: there may be something better"
    proven = [_PROVEN[row.stage.goal] for row in rows if row.proven]
    return f"proven: {', '.join(proven)}; not proven: {_PROVEN[_first_open(rows).stage.goal]}"


_PROVEN = {
    Goal.FRAGMENTS: "no lower fragment rate",
    Goal.OCCUPIED: "no more empty PMs",
    Goal.MOVES: "no fewer migrations",
    Goal.COST: "no cheaper ones",
}


def _first_open(rows: list[StageRow[objective.Stage]]) -> StageRow[objective.Stage]:
    return next(row for row in rows if not row.proven)


def facts(
    cluster: VmCluster, result: Result[Migrations], best_known: int | None, found: str
) -> list[tuple[str, str]]:
    """Rates and slots before and after, migrations, what is proven."""
    del best_known
    if result.solution is None:
        return []
    lines = list(_rate_lines(cluster, result.solution, result.bound))
    for row in stage_rows(cluster, result.solution, result.bound):
        known = "proven" if row.proven else f"at least {row.bound}"
        if row.stage.goal is Goal.OCCUPIED:
            now = len(np.unique(cluster.pm))
            lines.append(("PMs in use", f"{now} -> {row.value}; {known}"))
        elif row.stage.goal is Goal.MOVES:
            limit = cluster.policy.max_moves
            most = "" if limit is None else f" of at most {limit}"
            lines.append(("migrations", f"{row.value}{most}; {known}"))
        elif row.stage.goal is Goal.COST:
            lines.append(("cost", f"{row.value}; {known}"))
    if result.solution.moves:
        seconds = makespan(schedule(cluster, result.solution))
        policy = cluster.policy
        lines.append(
            ("duration", f"{_time(seconds)}, at most {policy.in_flight} at a time (estimated)")
        )
    if over := _overcommitted(cluster):
        lines.append(("overcommit", over))
    if held := _pinned(cluster):
        lines.append(("pinned", held))
    if result.reason:
        lines.append(("note", result.reason))
    lines.append(("answer", found))
    return lines


def _rate_lines(
    cluster: VmCluster, migrations: Migrations, bound: int | None
) -> Iterator[tuple[str, str]]:
    numa = migrations.end(cluster)
    kinds = cluster.policy.fragments
    before = float(objective.weighted_fr(cluster, cluster.numa))
    after = float(objective.weighted_fr(cluster, numa))
    least = rate_bound(cluster, bound)
    text = f"{before:.4f} -> {after:.4f}"
    if least is not None:
        text += "; proven: no lower one" if after <= least else f"; at least {least:.4f}"
    if cluster.policy.goal is not None:
        text += f"; the goal is {cluster.policy.goal[0] / cluster.policy.goal[1]:.4f}"
    yield ("FR" if len(kinds) > 1 else kinds[0].name, text)
    for kind in kinds:
        now, then = (objective.slots(cluster, at, kind) for at in (cluster.numa, numa))
        rates = ""
        if len(kinds) > 1:
            low, high = (float(objective.fr(cluster, at, kind)) for at in (cluster.numa, numa))
            rates = f", {kind.name} {low:.4f} -> {high:.4f}"
        size = f"{kind.cores} cores" + (" over two NUMA nodes" if kind.double else "")
        yield ("slots", f"{now} -> {then} of {size}{rates}")


def _time(seconds: int) -> str:
    minutes, rest = divmod(seconds, 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _overcommitted(cluster: VmCluster) -> str:
    """PMs that run more than they have, to which nothing is added; empty if there are none."""
    pms = np.unique(cluster.numa_pm[(cluster.free < 0).any(axis=1)]).tolist()
    if not pms:
        return ""
    names = ", ".join(cluster.pms[pm] for pm in pms[:_REASONS])
    more = f" and {len(pms) - _REASONS} more" if len(pms) > _REASONS else ""
    verb = "runs" if len(pms) == 1 else "run"
    return f"{count(len(pms), 'PM')} {verb} more than there is: {names}{more}; nothing is added"


def _pinned(cluster: VmCluster) -> str:
    """How many VMs may not move, and the most frequent reasons; empty if all may."""
    reasons = Counter(reason for reason in cluster.pinned if reason)
    if not reasons:
        return ""
    said = [f"{number} {reason}" for reason, number in reasons.most_common(_REASONS)]
    if len(reasons) > _REASONS:
        said.append(f"and {len(reasons) - _REASONS} reasons more")
    return f"{count(reasons.total(), 'VM')} may not move: {', '.join(said)}"


def after(cluster: VmCluster, result: Result[Migrations]) -> list[str]:
    """The plan, step by step."""
    if result.solution is None:
        return []
    planned = steps(cluster, result.solution)
    if not planned:
        return ["\nplan: nothing to do"]
    lines = [f"\nplan: {count(len(planned), 'migration')}, in this order"]
    rows = rows_of(planned[:MAX_LINES])
    lines += [f"  {line}" for line in aligned(rows)]
    if len(planned) > MAX_LINES:
        lines.append(f"  and {len(planned) - MAX_LINES} more (--format table shows all)")
    return lines


def cells(cluster: VmCluster, result: Result[Migrations]) -> list[str]:
    """Rates now, after, and at least; moves; seconds of the plan; stages proven."""
    before = f"{float(objective.weighted_fr(cluster, cluster.numa)):.4f}"
    if result.solution is None:
        return [before, "-", "-", "-", "-", "-"]
    least = rate_bound(cluster, result.bound)
    rows = stage_rows(cluster, result.solution, result.bound)
    return [
        before,
        f"{float(objective.weighted_fr(cluster, result.solution.end(cluster))):.4f}",
        "-" if least is None else f"{least:.4f}",
        str(len(result.solution.moves)),
        f"{makespan(schedule(cluster, result.solution))}",
        f"{sum(row.proven for row in rows)} of {len(rows)}",
    ]


def measures(cluster: VmCluster, result: Result[Migrations]) -> dict[str, float]:
    """Rates before, after and at least, moves, stages proven, in per cent."""
    if result.solution is None:
        raise ValueError(f"{result.instance}: there is no plan to measure")
    rows = stage_rows(cluster, result.solution, result.bound)
    found = {
        "FR before %": 100 * float(objective.weighted_fr(cluster, cluster.numa)),
        "FR after %": 100 * float(objective.weighted_fr(cluster, result.solution.end(cluster))),
        "moves": float(len(result.solution.moves)),
        "proven %": 100 * sum(row.proven for row in rows) / len(rows),
    }
    least = rate_bound(cluster, result.bound)
    if least is not None:
        found["FR bound %"] = 100 * least
    return found
