"""The filtering heuristic: one migration after another, always the one that gains most.

That is the heuristic (HA) of the literature: of all single migrations that keep every rule the
one with the largest drop of the fragment rate, until none drops it. It is fast, and it stops at
the first local optimum: a VM that has to make room for another one gains nothing by itself.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from cpsched.errors import CpschedError
from cpsched.vms.moving import NEVER, Moving
from cpsched.vms.objective import move_limit
from cpsched.vms.rates import rate

if TYPE_CHECKING:
    from collections.abc import Callable

    from cpsched.arrays import BoolArray
    from cpsched.vms.instance import VmCluster


class NoWayError(CpschedError):
    """A heuristic that cannot do what is asked; says which VM, or what is missing."""


def greedy(cluster: VmCluster, stop: Callable[[], bool]) -> Moving:
    """Evacuate what is to be evacuated, then gain most, migration by migration.

    Parameters
    ----------
    cluster
        Where it begins, and what is asked.
    stop
        Whether to end now, with the migrations made so far.

    Raises
    ------
    NoWayError
        If a VM of a PM to be evacuated finds no place, or a goal is not reached.
    """
    moving = Moving(cluster)
    evacuate(moving)
    if cluster.policy.objective == "empty":
        empty(moving, stop)
        return moving
    climb(moving, move_limit(cluster), stop)
    require_goal(moving)
    return moving


def climb(moving: Moving, limit: int, stop: Callable[[], bool]) -> None:
    """Make the migrations that gain most, until there are *limit*, or none gains anything.

    With a goal, it ends as soon as the goal is reached.
    """
    cluster = moving.cluster
    # Of equals the cheapest: argmax takes the first.
    order = np.lexsort((np.arange(cluster.num_vms), cluster.move_cost))
    kind = moving.kind[order]
    while len(order) and len(moving.moves) < limit and not reached(moving) and not stop():
        most = np.maximum(
            moving.departure[order] + moving.arrival.max(axis=1)[kind], moving.inner[order]
        )
        # A rule between VMs may forbid the best place: the next best is then found in turn.
        places: dict[int, int] = {}
        while (first := int(np.argmax(most))) not in places and most[first] > 0:
            most[first], places[first] = moving.best(int(order[first]))
        if most[first] <= 0:
            return
        moving.move(int(order[first]), places[first])


def reached(moving: Moving) -> bool:
    """Whether there is a goal, and it is reached."""
    policy = moving.cluster.policy
    if policy.goal is None:
        return False
    return rate_now(moving) <= Fraction(*policy.goal)


def rate_now(moving: Moving) -> Fraction:
    """The weighted fragment rate now."""
    return rate(moving.cluster, moving.total, moving.free_cpu)


def require_goal(moving: Moving) -> None:
    """NoWayError if there is a goal that is not reached."""
    goal = moving.cluster.policy.goal
    if goal is not None and not reached(moving):
        raise NoWayError(
            f"the goal {goal[0]}/{goal[1]} was not reached: the fragment rate is "
            f"{float(rate_now(moving)):.4f} after {len(moving.moves)} migrations"
        )


def evacuate(moving: Moving) -> None:
    """Move all VMs away from PMs that are to be evacuated, the largest first.

    Raises
    ------
    NoWayError
        Naming the first VM that finds no place, or the limit of migrations.
    """
    cluster = moving.cluster
    vms = np.flatnonzero(cluster.evacuate[moving.pm])
    size = cluster.demand[vms, 0] * cluster.parts[vms]
    for vm in vms[np.argsort(-size, kind="stable")].tolist():
        gain, place = moving.best(vm)
        name, pm = cluster.vms[vm], cluster.pms[moving.pm[vm]]
        if gain == NEVER:
            raise NoWayError(f"VM {name} of PM {pm}, which is to be evacuated, finds no place")
        if len(moving.moves) == move_limit(cluster):
            raise NoWayError(
                f"PM {pm} is to be evacuated, and the limit of {len(moving.moves)} migrations "
                f"leaves VM {name} there"
            )
        moving.move(vm, place)


def empty(moving: Moving, stop: Callable[[], bool]) -> None:
    """Empty PM after PM, those with the fewest VMs first, onto PMs that are in use anyway."""
    cluster = moving.cluster
    limit = move_limit(cluster)
    used = np.bincount(moving.pm, minlength=cluster.num_pms)
    stuck = np.zeros(cluster.num_pms, dtype=np.bool_)
    stuck[moving.pm[cluster.is_pinned]] = True
    for pm in np.argsort(used, kind="stable").tolist():
        now = np.bincount(moving.pm, minlength=cluster.num_pms)
        room = limit - len(moving.moves)
        if stop() or room == 0:
            return
        # VMs that came here from an emptied PM would move a second time.
        if not stuck[pm] and 0 < now[pm] <= min(room, used[pm]):
            among = now > 0
            among[pm] = False
            _drain(moving, pm, among)


def _drain(moving: Moving, pm: int, among: BoolArray) -> None:
    """Move all VMs of *pm* to PMs *among*; nothing happens if one finds no place."""
    cluster = moving.cluster
    vms = np.flatnonzero(moving.pm == pm)
    size = cluster.demand[vms, 0] * cluster.parts[vms]
    done: list[tuple[int, int]] = []
    for vm in vms[np.argsort(-size, kind="stable")].tolist():
        gain, place = moving.best(vm, among)
        if gain == NEVER:
            for earlier, came_from in reversed(done):
                moving.undo(earlier, came_from)
            return
        done.append((vm, int(moving.at[vm])))
        moving.move(vm, place)
