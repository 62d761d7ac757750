"""Vector bin packing, best fit: what lies worst is taken out and packed again.

After alpha-VBPP, to which the literature compares: the VMs of the NUMA nodes with the largest
fragments are taken out, a few at a time, and put in again, the largest first, each where it
leaves the least free of all resources together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from cpsched.vms.greedy import evacuate, reached, require_goal
from cpsched.vms.moving import NEVER, Moving
from cpsched.vms.objective import move_limit

if TYPE_CHECKING:
    from collections.abc import Callable

    from cpsched.arrays import BoolArray, IntArray, LongArray
    from cpsched.vms.instance import VmCluster

FloatArray = npt.NDArray[np.float64]

#: VMs that are packed again together.
_BATCH = 8


def best_fit(cluster: VmCluster, stop: Callable[[], bool]) -> Moving:
    """Pack the VMs of the worst NUMA nodes again, batch by batch, within the migration limit.

    A batch that does not raise the worth of the slots is taken back. stop: whether to end now.
    Raises NoWayError as ``cpsched.vms.greedy.greedy``.
    """
    moving = Moving(cluster)
    evacuate(moving)
    limit = move_limit(cluster)
    tried = np.zeros(cluster.num_numa, dtype=np.bool_)
    while len(moving.moves) < limit and not reached(moving) and not stop():
        vms = _take(moving, tried, min(_BATCH, limit - len(moving.moves)))
        if not len(vms):
            break
        before = moving.total
        done = _carry_out(moving, _pack(moving, vms))
        if moving.total > before:
            tried[:] = False
        else:
            for vm, place in reversed(done):
                moving.undo(vm, place)
    require_goal(moving)
    return moving


def _take(moving: Moving, tried: BoolArray, size: int) -> IntArray:
    """VMs of the NUMA nodes with the largest fragments, marked as *tried*, up to *size*."""
    cluster = moving.cluster
    smallest = min(one.size for one in cluster.policy.fragments)
    lost = np.maximum(moving.free[:, 0], 0) % smallest
    lost[~cluster.active[cluster.numa_pm] | tried] = 0
    movable = ~moving.is_fixed
    found: list[int] = []
    for numa in np.argsort(-lost, kind="stable").tolist():
        if lost[numa] == 0 or len(found) >= size:
            break
        tried[numa] = True
        there = (moving.places.numa[moving.at] == numa).any(axis=1) & movable
        found += np.flatnonzero(there).tolist()
        movable[there] = False
    return np.array(found[:size], dtype=np.int32)


def _pack(moving: Moving, vms: IntArray) -> list[tuple[int, int]]:
    """Place of each of *vms*, taken out together and put in again one by one.

    A VM that finds no place keeps its own, and so may others after it.
    """
    cluster = moving.cluster
    pm = moving.pm.copy()
    pm[vms] = -1
    free = moving.free.copy()
    for vm in vms.tolist():
        _add(free, moving, vm, int(moving.at[vm]), 1)
    scale = np.maximum(cluster.capacity.astype(np.float64).mean(axis=0), 1)
    size = (cluster.demand[vms] * cluster.parts[vms][:, None] / scale).sum(axis=1)
    found = []
    for vm in vms[np.argsort(-size, kind="stable")].tolist():
        at = _tightest(moving, vm, free, pm, scale)
        place = int(moving.at[vm]) if at < 0 else at
        _add(free, moving, vm, place, -1)
        pm[vm] = moving.places.pm[place]
        found.append((vm, place))
    return found


def _add(free: LongArray, moving: Moving, vm: int, place: int, sign: int) -> None:
    numa = [one for one in moving.places.numa[place].tolist() if one >= 0]
    free[numa] += sign * moving.cluster.demand[vm]


def _tightest(moving: Moving, vm: int, free: LongArray, pm: IntArray, scale: FloatArray) -> int:
    """The place that *vm* fills best, its own among them; -1 if it fits nowhere."""
    demand = moving.cluster.demand[vm]
    allowed = moving.is_open(vm).copy()
    barred = moving.barred(vm, pm)
    if barred is not None:
        allowed &= ~barred[moving.places.pm]
    allowed[moving.at[vm]] = True
    at = np.flatnonzero(allowed)
    numa = moving.places.numa[at]
    room = free[numa[:, 0]]
    two = numa[:, 1] >= 0
    room[two] = np.minimum(room[two], free[numa[two, 1]])
    fits = ((demand == 0) | (demand <= room)).all(axis=1)
    if not fits.any():
        return -1
    # Rounded, so that places that are equally full stay equal whatever the order of sums.
    left = ((room[fits] - demand) / scale).sum(axis=1).round(9)
    return int(at[fits][np.argmin(left)])


def _carry_out(moving: Moving, wanted: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Make the moves of *wanted* that are possible, in any order; who moved, and from where."""
    pending = [(vm, place) for vm, place in wanted if moving.at[vm] != place]
    done: list[tuple[int, int]] = []
    progress = True
    while pending and progress:
        left = []
        for vm, place in pending:
            if moving.gains(vm)[place] > NEVER // 2:
                done.append((vm, int(moving.at[vm])))
                moving.move(vm, place)
            else:
                left.append((vm, place))
        progress = len(left) < len(pending)
        pending = left
    return done
