"""The objective of pod packing: unplaced pods tier by tier, then disruption tier by tier.

The stages are minimised lexicographically. As one number, they are the digits of a mixed-radix
number, the first stage the most significant: comparing numbers compares lexicographically.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cpsched.stages import digits_of, number_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cpsched.pods.instance import Cluster, IntArray


class Goal(enum.StrEnum):
    """What a stage counts: pods without a place, or the cost of moves and evictions."""

    UNPLACED = "unplaced"
    DISRUPTION = "disruption"


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage: *goal* over the pods of *priority*; worst: the largest value it can take."""

    goal: Goal
    priority: int
    worst: int


def stages(cluster: Cluster) -> tuple[Stage, ...]:
    """Placement tier by tier, highest priority first, then disruption in the same order.

    Tiers without a running pod have no disruption stage.
    """
    placement, disruption = [], []
    for tier in cluster.tiers:
        members = cluster.priority == tier
        placement.append(Stage(Goal.UNPLACED, tier, int(members.sum())))
        running = members & cluster.running
        if running.any():
            worst = int(cluster.evict_cost[running].sum())
            disruption.append(Stage(Goal.DISRUPTION, tier, worst))
    return (*placement, *disruption)


def values(cluster: Cluster, node: IntArray) -> tuple[int, ...]:
    """Value of each stage if the pods are on *node*, shape (num_pods,), -1 for none."""
    unplaced = node < 0
    moved = cluster.running & ~unplaced & (node != cluster.node)
    evicted = cluster.running & unplaced
    cost = np.where(moved, cluster.move_cost, 0) + np.where(evicted, cluster.evict_cost, 0)
    found = []
    for stage in stages(cluster):
        members = cluster.priority == stage.priority
        counted = unplaced if stage.goal is Goal.UNPLACED else cost
        found.append(int(counted[members].sum()))
    return tuple(found)


def number(cluster: Cluster, digits: Sequence[int]) -> int:
    """Stage values as one number."""
    return number_of(stages(cluster), digits)


def digits(cluster: Cluster, total: int) -> tuple[int, ...]:
    """Stage values of a number: the inverse of ``number``."""
    return digits_of(stages(cluster), total)


def objective(cluster: Cluster, node: IntArray) -> int:
    """The one number of a placement."""
    return number(cluster, values(cluster, node))
