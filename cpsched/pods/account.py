"""A placement as JSON and as words for the person on call."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from cpsched.pods import objective
from cpsched.pods.objective import Goal
from cpsched.pods.reasons import binding, held, unplaced
from cpsched.stages import StageRow, judged
from cpsched.words import count

if TYPE_CHECKING:
    from cpsched.pods.instance import BoolArray, Cluster
    from cpsched.pods.plan import Plan
    from cpsched.pods.solution import Placement
    from cpsched.result import Result

#: Lines of a plan and of unplaced pods that a summary shows; JSON holds all.
MAX_LINES = 20

#: Reasons for holding pods that a summary names.
_REASONS = 3


def stage_rows(
    cluster: Cluster, placement: Placement, bound: int | None
) -> list[StageRow[objective.Stage]]:
    """Every stage of *placement*; bound: of the objective, None for none."""
    return judged(objective.stages(cluster), objective.values(cluster, placement.node), bound)


def moved(cluster: Cluster, placement: Placement) -> BoolArray:
    """Shape (num_pods,): running pods that end on another node."""
    node = placement.node
    return np.asarray(cluster.running & (node >= 0) & (node != cluster.node))


def evicted(cluster: Cluster, placement: Placement) -> BoolArray:
    """Shape (num_pods,): running pods that end without a place."""
    return np.asarray(cluster.running & (placement.node < 0))


def plan_of(cluster: Cluster, placement: Placement) -> Plan:
    """The plan that leads to *placement*; NoPlanError if there is none."""
    from cpsched.pods.plan import make_plan

    return make_plan(cluster, placement)


def commands(cluster: Cluster, result: Result[Placement]) -> str:
    """The plan that leads to the placement of *result*, which has one, as shell commands."""
    from cpsched.pods.commands import kubectl

    if result.solution is None:
        raise ValueError(f"{result.instance}: there is no placement to carry out")
    return kubectl(cluster, plan_of(cluster, result.solution), proof=proof(cluster, result))


def proof(cluster: Cluster, result: Result[Placement]) -> str:
    """What is proven of the placement of *result*, in a sentence."""
    if result.solution is None:
        return "there is no placement"
    rows = stage_rows(cluster, result.solution, result.bound)
    places = [row for row in rows if row.stage.goal is Goal.UNPLACED]
    if all(row.proven for row in rows):
        return "optimal: proven that no more pods can be placed, and none of these cheaper"
    if all(row.proven for row in places):
        return "proven that no more pods can be placed; not proven that it is the cheapest way"
    known = sum(row.proven for row in places)
    if not known:
        return "not proven: more pods might be placed"
    return f"not proven beyond the highest {known} of {len(places)} priorities"


def record(cluster: Cluster, placement: Placement, bound: int | None) -> dict[str, Any]:
    """The ``solution`` part of the JSON object, as ``docs/result-schema.md`` has it."""
    rows = stage_rows(cluster, placement, bound)
    tiers = []
    for row in rows:
        if row.stage.goal is Goal.UNPLACED:
            members = cluster.priority == row.stage.priority
            total = int(members.sum())
            tiers.append(
                {
                    "priority": row.stage.priority,
                    "pods": total,
                    "placed_before": int((members & cluster.running).sum()),
                    "placed": total - row.value,
                    "bound": total - row.bound,
                    "proven": row.proven,
                }
            )
    costs = [row for row in rows if row.stage.goal is Goal.DISRUPTION]
    names = (*cluster.nodes, None)  # -1 is the last
    return {
        "policy": asdict(cluster.policy),
        "tiers": tiers,
        "moved": int(moved(cluster, placement).sum()),
        "evicted": int(evicted(cluster, placement).sum()),
        "disruption": sum(row.value for row in costs),
        "disruption_bound": sum(row.bound for row in costs),
        "disruption_proven": all(row.proven for row in rows),
        "placements": {
            pod: names[node]
            for pod, node in zip(cluster.pods, placement.node.tolist(), strict=True)
        },
        "held": {cluster.pods[pod]: reason for pod, reason in held(cluster).items()},
        "budgets": [
            {"name": budget.name, "allowed": budget.allowed, "used": used}
            for budget, used in binding(cluster, placement)
        ],
        "unplaced": [
            {"pod": cluster.pods[pod], "reason": reason}
            for pod, reason in unplaced(cluster, placement)
        ],
        "plan": [
            {
                "action": step.action.value,
                "pod": cluster.pods[step.pod],
                "node": cluster.nodes[step.node],
                "from": None if step.source is None else cluster.nodes[step.source],
                "owner": _owner(cluster, step.pod),
                "cost": step.cost,
                "reason": step.reason,
            }
            for step in plan_of(cluster, placement).steps
        ],
    }


def _owner(cluster: Cluster, pod: int) -> str | None:
    return cluster.owners[cluster.owner[pod]] if cluster.owner[pod] >= 0 else None


def objective_text(cluster: Cluster, total: int | None) -> str:
    """Unplaced pods by tier, highest first, and the cost of moves and evictions."""
    if total is None:
        return "-"
    values = objective.digits(cluster, total)
    stages = objective.stages(cluster)
    lost = "/".join(
        str(value)
        for stage, value in zip(stages, values, strict=True)
        if stage.goal is Goal.UNPLACED
    )
    cost = sum(
        value for stage, value in zip(stages, values, strict=True) if stage.goal is Goal.DISRUPTION
    )
    return f"{lost or 0} unplaced, cost {cost}"


def _held_text(cluster: Cluster) -> str:
    """How many running pods may not move, and the most frequent reasons; empty if all may."""
    reasons = Counter(held(cluster).values())
    if not reasons:
        return ""
    said = [f"{number} {reason}" for reason, number in reasons.most_common(_REASONS)]
    if len(reasons) > _REASONS:
        said.append(f"and {len(reasons) - _REASONS} reasons more")
    return f"{count(reasons.total(), 'running pod')} may not move: {', '.join(said)}"


def facts(
    cluster: Cluster, result: Result[Placement], best_known: int | None, found: str
) -> list[tuple[str, str]]:
    """What is placed in each tier, what it costs, and whether anything better exists."""
    del best_known
    if result.solution is None:
        return []
    lines = []
    rows = stage_rows(cluster, result.solution, result.bound)
    for row in rows:
        if row.stage.goal is not Goal.UNPLACED:
            continue
        members = cluster.priority == row.stage.priority
        total, before = int(members.sum()), int((members & cluster.running).sum())
        best = (
            "proven: no more is possible"
            if row.proven
            else f"at most {total - row.bound} possible"
        )
        text = f"{total - row.value} of {count(total, 'pod')} placed (now {before}); {best}"
        lines.append(("priority", f"{row.stage.priority}: {text}"))
    costs = [row for row in rows if row.stage.goal is Goal.DISRUPTION]
    cost, least = sum(row.value for row in costs), sum(row.bound for row in costs)
    proven = all(row.proven for row in rows)
    best = "proven: no cheaper way exists" if proven else f"at least {least}"
    moves, evictions = moved(cluster, result.solution), evicted(cluster, result.solution)
    lines.append(
        (
            "disruption",
            f"{count(int(moves.sum()), 'pod')} moved, {int(evictions.sum())} evicted for good, "
            f"cost {cost}; {best}",
        )
    )
    if text := _held_text(cluster):
        lines.append(("held", text))
    if used := binding(cluster, result.solution):
        names = ", ".join(budget.name for budget, _ in used[:_REASONS])
        more = f" and {len(used) - _REASONS} more" if len(used) > _REASONS else ""
        lines.append(("budgets", f"{len(used)} used up: {names}{more}"))
    if result.reason:
        lines.append(("note", result.reason))
    lines.append(("answer", found))
    return lines


def after(cluster: Cluster, result: Result[Placement]) -> list[str]:
    """What stays pending and why, and the plan step by step."""
    if result.solution is None:
        return []
    lines: list[str] = []
    left = unplaced(cluster, result.solution)
    if left:
        lines.append(f"\nwithout a place: {count(len(left), 'pod')}")
        width = max(len(cluster.pods[pod]) for pod, _ in left[:MAX_LINES])
        for pod, why in left[:MAX_LINES]:
            lines.append(f"  {cluster.pods[pod]:<{width}}  {why}")
        if len(left) > MAX_LINES:
            lines.append(f"  and {len(left) - MAX_LINES} more (--format json lists all)")
    steps = plan_of(cluster, result.solution).steps
    if not steps:
        lines.append("\nplan: nothing to do")
        return lines
    lines.append(f"\nplan: {count(len(steps), 'step')}, in this order")
    digits = len(str(min(len(steps), MAX_LINES)))
    for place, step in enumerate(steps[:MAX_LINES], start=1):
        name, node = cluster.pods[step.pod], cluster.nodes[step.node]
        cost = f" (cost {step.cost})" if step.cost else ""
        direction = "on" if step.action.value == "bind" else "from"
        words = f"{step.action.value} {name} {direction} {node}{cost}"
        lines.append(f"  {place:>{digits}}  {words}: {step.reason}".rstrip(": "))
    if len(steps) > MAX_LINES:
        lines.append(f"  and {len(steps) - MAX_LINES} more (--output plan.json holds all)")
    return lines


def measures(cluster: Cluster, result: Result[Placement]) -> dict[str, float]:
    """Pods without a place, moved and evicted; stages proven, in per cent."""
    placement = result.solution
    if placement is None:
        raise ValueError(f"{result.instance}: there is no placement to measure")
    proven = [row.proven for row in stage_rows(cluster, placement, result.bound)]
    return {
        "unplaced": int((placement.node < 0).sum()),
        "moved": int(moved(cluster, placement).sum()),
        "evicted": int(evicted(cluster, placement).sum()),
        "proven %": 100 * sum(proven) / max(1, len(proven)),
    }


def cells(cluster: Cluster, result: Result[Placement]) -> list[str]:
    """Pods without a place now, after, and at least; moved, evicted, stages proven."""
    before = str(int((~cluster.running).sum()))
    if result.solution is None:
        return [before, "-", "-", "-", "-", "-"]
    rows = stage_rows(cluster, result.solution, result.bound)
    lost = [row for row in rows if row.stage.goal is Goal.UNPLACED]
    return [
        before,
        str(sum(row.value for row in lost)),
        str(sum(row.bound for row in lost)),
        str(int(moved(cluster, result.solution).sum())),
        str(int(evicted(cluster, result.solution).sum())),
        f"{sum(row.proven for row in rows)} of {len(rows)}",
    ]
