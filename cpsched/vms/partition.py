"""Divide at random, solve the parts, put the answers together: after POP (SOSP 2021).

The PMs are divided at random into parts of about equal size, each with its share of the migration
limit; VMs move only inside a part. Each part is solved by the filtering heuristic.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cpsched.vms.greedy import climb, evacuate, require_goal
from cpsched.vms.moving import Moving
from cpsched.vms.objective import move_limit

if TYPE_CHECKING:
    from collections.abc import Callable

    from cpsched.vms.instance import VmCluster

#: PMs of a part, about.
_SIZE = 70


def partition(cluster: VmCluster, stop: Callable[[], bool], seed: int) -> Moving:
    """Solve random parts of *cluster*, one after the other.

    stop: whether to end now; seed: of the division. Raises NoWayError as
    ``cpsched.vms.greedy.greedy``.
    """
    moving = Moving(cluster)
    evacuate(moving)
    parts = max(1, round(cluster.num_pms / _SIZE))
    part = np.random.default_rng(seed).permutation(cluster.num_pms) % parts
    used = len(moving.moves)
    left = move_limit(cluster) - used
    for number in range(parts):
        moving.restrict(part == number)
        climb(moving, used + left * (number + 1) // parts, stop)
    require_goal(moving)
    return moving
