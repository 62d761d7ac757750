"""All that plans of a tiny cluster lead to, step by step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from random_vms import steps

from cpsched.vms.check import check
from cpsched.vms.objective import objective
from cpsched.vms.simulate import Occupancy
from cpsched.vms.solution import Migrations

if TYPE_CHECKING:
    from cpsched.vms.instance import VmCluster


def best_plan(cluster: VmCluster, most: int) -> tuple[int | None, dict[bytes, Migrations]]:
    """Least number of all plans of up to *most* moves, and the best plan to each final state.

    None if no plan passes the check.
    """
    possible = steps(cluster)
    reached: dict[bytes, Migrations] = {}
    numbers: dict[bytes, int] = {}
    level = [Migrations()]
    best: int | None = None
    for length in range(most + 1):
        following: dict[bytes, Migrations] = {}
        for plan in level:
            number = objective(cluster, plan)
            if (best is None or number < best) and check(cluster, plan).ok:
                best = number
            end = plan.end(cluster).tobytes()
            if end not in numbers or number < numbers[end]:
                reached[end], numbers[end] = plan, number
            if length == most:
                continue
            occupancy = Occupancy(cluster)
            moved: dict[int, int] = {}
            for move in plan.moves:
                occupancy.begin(move)
                occupancy.finish(move)
                moved[move.vm] = moved.get(move.vm, 0) + 1
            for move in possible:
                if moved.get(move.vm, 0) == 2 or next(occupancy.problems(move), None):
                    continue
                more = Migrations((*plan.moves, move))
                # What may come next depends on where VMs are and how often each has moved.
                count = np.bincount([m.vm for m in more.moves], minlength=cluster.num_vms)
                key = more.end(cluster).tobytes() + count.tobytes()
                following.setdefault(key, more)
        level = list(following.values())
    return best, reached
