"""Slots, fragments and rates; the objective of VM rescheduling, stage by stage.

The stages are minimised lexicographically. As one number, they are the digits of a mixed-radix
number, the first stage the most significant: comparing numbers compares lexicographically.

Free cpu is constant while VMs only move between active PMs, so that few fragments and many whole
slots are the same. The first stage of the objective ``fragments`` is therefore the worth of the
slots that are missing to ``most_slots``, an integer from 0 on and small, in units of the greatest
common divisor of what a slot of each size is worth (weight * cores).
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from fractions import Fraction
from math import gcd
from typing import TYPE_CHECKING

import numpy as np

from cpsched.stages import digits_of, number_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cpsched.arrays import IntArray, LongArray
    from cpsched.vms.instance import VmCluster
    from cpsched.vms.policy import Fragment
    from cpsched.vms.solution import Migrations


class Goal(enum.StrEnum):
    """What a stage counts."""

    #: Weighted worth of missing slots.
    FRAGMENTS = "fragments"
    #: PMs on which a VM is.
    OCCUPIED = "occupied"
    #: Migrations, hops included.
    MOVES = "moves"
    #: Their cost, ``VmCluster.move_cost``.
    COST = "cost"


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage; worst: the largest value it can take."""

    goal: Goal
    worst: int


_FIRST = {"fragments": Goal.FRAGMENTS, "empty": Goal.OCCUPIED}


def slots_at(cluster: VmCluster, cpu: LongArray, fragment: Fragment) -> LongArray:
    """Whole slots of each NUMA node, or of each PM for a double *fragment*.

    cpu: shape (num_numa,), free millicores. Shape (num_numa,) or (num_pms,); PMs that are not
    active have none.
    """
    room = np.maximum(cpu, 0)
    if not fragment.double:
        return np.where(cluster.active[cluster.numa_pm], room // fragment.size, 0)
    share = fragment.size // np.diff(cluster.numa_ptr)
    least = np.minimum.reduceat(room // share[cluster.numa_pm], cluster.numa_ptr[:-1])
    return np.where(cluster.active, least, 0)


def slots(cluster: VmCluster, numa: IntArray, fragment: Fragment) -> int:
    """Whole slots on active PMs if VMs are on *numa*, shape (num_vms, 2)."""
    return int(slots_at(cluster, _free(cluster, numa), fragment).sum())


def free_cpu(cluster: VmCluster, numa: IntArray) -> int:
    """Free millicores of active PMs; what is over-committed on one NUMA node is deducted."""
    return int(_free(cluster, numa)[cluster.active[cluster.numa_pm]].sum())


def fr(cluster: VmCluster, numa: IntArray, fragment: Fragment) -> Fraction:
    """Fragment rate: the share of free cpu of active PMs that is in no whole slot; 0 if none is.

    With over-committed NUMA nodes slots can hold more than the free cpu in sum: then it is 0.
    """
    free = free_cpu(cluster, numa)
    return _rate(free, free - slots(cluster, numa, fragment) * fragment.size)


def weighted_fr(cluster: VmCluster, numa: IntArray) -> Fraction:
    """Mean of the fragment rates of the policy, by weight; what ``goal`` is about."""
    free = free_cpu(cluster, numa)
    kinds = cluster.policy.fragments
    weight = sum(one.weight for one in kinds)
    lost = sum(one.weight * (free - slots(cluster, numa, one) * one.size) for one in kinds)
    return _rate(free * weight, lost)


def reaches_goal(cluster: VmCluster, numa: IntArray) -> bool:
    """Whether the goal is reached, or there is none."""
    goal = cluster.policy.goal
    return goal is None or weighted_fr(cluster, numa) <= Fraction(*goal)


def _rate(free: int, lost: int) -> Fraction:
    return Fraction(max(0, lost), free) if free > 0 else Fraction(0)


def _free(cluster: VmCluster, numa: IntArray) -> LongArray:
    return (cluster.capacity - cluster.usage_of(numa))[:, 0]


def most_slots(cluster: VmCluster, fragment: Fragment) -> int:
    """A bound on the slots in any state that migrations lead to.

    Slots lie on cpu that is free. Nothing comes to an over-committed NUMA node before it has
    room, so that what is free on the others never grows in sum, unless VMs leave for a PM
    that is not active; and no NUMA node (PM) has more than its capacity gives.
    """
    counted = cluster.active[cluster.numa_pm]
    room = int(np.maximum(cluster.free[counted, 0], 0).sum())
    if (~cluster.active & ~cluster.closed).any():
        mine = cluster.active[cluster.pm]
        room += int((cluster.demand[mine, 0] * cluster.parts[mine]).sum())
    capacity = int(slots_at(cluster, cluster.capacity[:, 0], fragment).sum())
    return min(room // fragment.size, capacity)


def worth(cluster: VmCluster) -> tuple[int, ...]:
    """What a missing slot of each of the policy's fragments counts in the first stage."""
    values = [one.weight * one.cores for one in cluster.policy.fragments]
    return tuple(value // gcd(*values) for value in values)


def move_limit(cluster: VmCluster) -> int:
    """Most steps of a plan: the policy's, or a hop and a way on for each VM that may move."""
    twice = 2 * int((~cluster.is_pinned).sum())
    limit = cluster.policy.max_moves
    return twice if limit is None else min(limit, twice)


def stages(cluster: VmCluster) -> tuple[Stage, ...]:
    """The stages of the policy's objective, most important first."""
    most = move_limit(cluster)
    costs = np.repeat(np.sort(cluster.move_cost[~cluster.is_pinned])[::-1], 2)
    found = [Stage(Goal.MOVES, most), Stage(Goal.COST, int(costs[:most].sum()))]
    first = _FIRST.get(cluster.policy.objective)
    if first is Goal.FRAGMENTS:
        kinds = cluster.policy.fragments
        missing = (w * most_slots(cluster, k) for w, k in zip(worth(cluster), kinds, strict=True))
        found.insert(0, Stage(first, sum(missing)))
    elif first is Goal.OCCUPIED:
        found.insert(0, Stage(first, cluster.num_pms))
    return tuple(found)


def values(cluster: VmCluster, migrations: Migrations) -> tuple[int, ...]:
    """Value of each stage; rules are not looked at."""
    numa = migrations.end(cluster)
    found = []
    for stage in stages(cluster):
        if stage.goal is Goal.FRAGMENTS:
            kinds = cluster.policy.fragments
            lost = [
                w * slots(cluster, numa, k) for w, k in zip(worth(cluster), kinds, strict=True)
            ]
            found.append(stage.worst - sum(lost))
        elif stage.goal is Goal.OCCUPIED:
            found.append(len(np.unique(cluster.numa_pm[numa[:, 0]])))
        elif stage.goal is Goal.MOVES:
            found.append(len(migrations.moves))
        else:
            found.append(sum(int(cluster.move_cost[move.vm]) for move in migrations.moves))
    return tuple(found)


def number(cluster: VmCluster, digits: Sequence[int]) -> int:
    """Stage values as one number."""
    return number_of(stages(cluster), digits)


def digits(cluster: VmCluster, total: int) -> tuple[int, ...]:
    """Stage values of a number: the inverse of ``number``."""
    return digits_of(stages(cluster), total)


def objective(cluster: VmCluster, migrations: Migrations) -> int:
    """The one number of a plan."""
    return number(cluster, values(cluster, migrations))
