"""Divide at random, solve the parts, put the answers together: POP (Narayanan et al., SOSP 2021).

The PMs are divided at random into parts of about equal size, each with its share of the migration
limit; VMs move only inside a part. Each part is solved by the exact engine, as the literature on
rescheduling does with a MIP solver: what is lost is what only PMs of different parts can do.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from cpsched.incumbent import Incumbent
from cpsched.vms.columns import Columns
from cpsched.vms.greedy import evacuate, reached, require_goal
from cpsched.vms.moving import Moving
from cpsched.vms.objective import move_limit
from cpsched.vms.solution import Migrations

if TYPE_CHECKING:
    from collections.abc import Callable

    from cpsched.arrays import BoolArray
    from cpsched.vms.instance import VmCluster

#: PMs of a part, about.
_SIZE = 70


def partition(
    cluster: VmCluster, stop: Callable[[], bool], seed: int, seconds: float = 60.0
) -> Moving:
    """Solve random parts of *cluster*, one after the other.

    stop: whether to end now; seed: of the division; seconds: for all parts, each has an equal
    share of what is left. Raises NoWayError as ``cpsched.vms.greedy.greedy``.
    """
    clock: Incumbent[Migrations] = Incumbent(seconds)
    moving = Moving(cluster)
    evacuate(moving)
    parts = max(1, round(cluster.num_pms / _SIZE))
    part = np.random.default_rng(seed).permutation(cluster.num_pms) % parts
    used = len(moving.moves)
    left = move_limit(cluster) - used
    for number in range(parts):
        if stop() or clock.done or reached(moving):
            break
        limit = used + left * (number + 1) // parts - len(moving.moves)
        share = clock.remaining / (parts - number)
        _follow(moving, _solved(_alone(moving, part == number, limit), share))
    require_goal(moving)
    return moving


def _alone(moving: Moving, inside: BoolArray, limit: int) -> VmCluster:
    """The cluster as *moving* has left it, where only the PMs *inside* take part."""
    cluster = moving.cluster
    # A VM that was evacuated has moved once: a hop on top of it would be a third time.
    free = inside[moving.pm] & (moving.pm == cluster.pm)
    pinned = [
        reason or ("" if here else "not in this part")
        for reason, here in zip(cluster.pinned, free.tolist(), strict=True)
    ]
    return replace(
        cluster,
        numa=moving.places.numa[moving.at],
        closed=cluster.closed | ~inside,
        evacuate=np.zeros(cluster.num_pms, dtype=np.bool_),
        pinned=tuple(pinned),
        policy=replace(cluster.policy, objective="fragments", goal=None, max_moves=limit),
    )


def _solved(part: VmCluster, seconds: float) -> Migrations:
    """The best plan of the exact engine for *part*."""
    incumbent: Incumbent[Migrations] = Incumbent(seconds)
    engine = Columns(part, incumbent)
    incumbent.in_time(lambda: engine.run(incumbent.deadline))
    if incumbent.error is not None:
        raise incumbent.error
    return incumbent.solution or Migrations(())


def _follow(moving: Moving, plan: Migrations) -> None:
    """Make the moves of *plan*, until a goal is reached."""
    for move in plan.moves:
        if reached(moving):
            return
        place = moving.places.find(np.array([(*move.numa, -1)[:2]]))
        moving.move(move.vm, int(place[0]))
