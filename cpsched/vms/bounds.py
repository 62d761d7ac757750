"""What can be said before any search: a bound of the objective, and what is plainly impossible."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from cpsched.vms import objective
from cpsched.vms.objective import Goal
from cpsched.vms.rates import rate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cpsched.arrays import LongArray
    from cpsched.vms.instance import VmCluster


def simple_bound(cluster: VmCluster) -> int:
    """Bound of the objective: no migration gains more than its VM can, alone.

    Stages after the first are bounded for plans that reach the bound of those before: all other
    plans are worse anyway.
    """
    low: list[int] = []
    moves = int(cluster.evacuate[cluster.pm].sum())
    for stage in objective.stages(cluster):
        if stage.goal is Goal.FRAGMENTS:
            low.append(max(0, stage.worst - _now(cluster) - int(_gains(cluster).sum())))
            moves = max(moves, _moves_for(cluster, stage.worst - low[0] - _now(cluster)))
        elif stage.goal is Goal.OCCUPIED:
            count = _cheap_to_empty(cluster)
            emptied = int((np.cumsum(count) <= objective.move_limit(cluster)).sum())
            used = len(np.unique(cluster.pm))
            low.append(max(used - emptied, int(used > 0)))
            moves = max(moves, int(count[: used - low[0]].sum()))
        elif stage.goal is Goal.MOVES:
            moves = max(moves, _moves_to_goal(cluster))
            low.append(moves)
        else:
            low.append(int(np.sort(cluster.move_cost[~cluster.is_pinned])[:moves].sum()))
    return objective.number(cluster, low)


def impossible(cluster: VmCluster) -> Iterator[str]:
    """Why no plan can do what is asked: sentences that name VMs and rules; none if one might."""
    vms = np.flatnonzero(cluster.evacuate[cluster.pm])
    limit = objective.move_limit(cluster)
    if len(vms) > limit:
        yield (
            f"{len(vms)} VMs are on PMs that are to be evacuated, and the limit is {limit} "
            "migrations"
        )
    for vm in vms.tolist():
        if not _takes(cluster, vm):
            yield (
                f"VM {cluster.vms[vm]} of PM {cluster.pms[cluster.pm[vm]]}, which is to be "
                "evacuated, is allowed on no open PM that is large enough for it"
            )
    goal = cluster.policy.goal
    if goal is not None and is_steady(cluster):
        kinds = cluster.policy.fragments
        most = sum(
            value * objective.most_slots(cluster, kind)
            for value, kind in zip(objective.worth(cluster), kinds, strict=True)
        )
        most = min(most, _now(cluster) + int(_gains(cluster).sum()))
        least = rate(cluster, most, objective.free_cpu(cluster, cluster.numa))
        if least > Fraction(*goal):
            yield (
                f"no plan within the limits reaches the goal {goal[0]}/{goal[1]}: the fragment "
                f"rate stays at {float(least):.4f} at least"
            )


def is_steady(cluster: VmCluster) -> bool:
    """Whether the free cpu of active PMs stays the same whatever moves."""
    outside = ~cluster.active
    may_leave = ~cluster.is_pinned & outside[cluster.pm]
    return not (outside & ~cluster.closed).any() and not may_leave.any()


def _takes(cluster: VmCluster, vm: int) -> bool:
    """Whether an open PM would take *vm* if it were empty."""
    demand = cluster.demand[vm]
    fits = ((demand == 0) | (demand <= cluster.capacity)).all(axis=1)
    count = np.bincount(cluster.numa_pm[fits], minlength=cluster.num_pms)
    open_ = ~cluster.closed & cluster.allowed[cluster.profile[vm]]
    return bool((open_ & (count >= cluster.parts[vm])).any())


def _now(cluster: VmCluster) -> int:
    """Worth of the slots there are."""
    return sum(
        value * objective.slots(cluster, cluster.numa, kind)
        for value, kind in zip(objective.worth(cluster), cluster.policy.fragments, strict=True)
    )


def _gains(cluster: VmCluster) -> LongArray:
    """What the VMs that gain most can gain, descending, as many as may move.

    Think of all departures first, then of all arrivals. The departure of d millicores makes at
    most ceil(d / size) slots of a NUMA node, an arrival costs at least floor(d / size) if the PM
    counts: between PMs that count, a part gains at most one slot, and none if d is a multiple.
    """
    found = np.zeros(cluster.num_vms, dtype=np.int64)
    cpu = cluster.demand[:, 0]
    counted = bool(cluster.active[~cluster.closed].all())
    for value, kind in zip(objective.worth(cluster), cluster.policy.fragments, strict=True):
        if kind.double:
            share = int((kind.size // np.diff(cluster.numa_ptr)).min())
            found += value * -(-cpu // share)
        else:
            lost = cpu // kind.size if counted else 0
            found += value * cluster.parts * (-(-cpu // kind.size) - lost)
    found = found[~cluster.is_pinned]
    return np.sort(found)[::-1][: objective.move_limit(cluster)]


def _moves_for(cluster: VmCluster, gain: int) -> int:
    """Fewest migrations that could gain as much."""
    reach = np.concatenate(([0], np.cumsum(_gains(cluster))))
    return int(np.searchsorted(reach, gain))


def _cheap_to_empty(cluster: VmCluster) -> LongArray:
    """VMs of each PM that could be emptied, ascending: all of them must move."""
    count = np.bincount(cluster.pm, minlength=cluster.num_pms)
    stuck = np.bincount(cluster.pm[cluster.is_pinned], minlength=cluster.num_pms) > 0
    return np.sort(count[~stuck & (count > 0)]).astype(np.int64)


def _moves_to_goal(cluster: VmCluster) -> int:
    """Migrations without which a goal cannot be reached."""
    goal = cluster.policy.goal
    if goal is None or not is_steady(cluster):
        return 0
    free, now = objective.free_cpu(cluster, cluster.numa), _now(cluster)
    reach = np.concatenate(([0], np.cumsum(_gains(cluster)))).tolist()
    for moves, gain in enumerate(reach):
        if rate(cluster, now + gain, free) <= Fraction(*goal):
            return moves
    return 0
