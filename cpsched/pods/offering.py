"""Offering a placement: only what is better, and what the check accepts, reaches the incumbent."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from cpsched.pods.check import check
from cpsched.pods.objective import objective
from cpsched.pods.solution import Placement

if TYPE_CHECKING:
    from cpsched.incumbent import Incumbent
    from cpsched.pods.instance import Cluster, IntArray

#: Checks that take less, in seconds, are not planned for.
_NOTICED = 0.002
#: Whoever asked for the solution checks it once more; so much longer than here, at most.
_AGAIN = 1.3


def offer(
    cluster: Cluster, node: IntArray, source: str, incumbent: Incumbent[Placement]
) -> bool | None:
    """Check and offer the pods on *node*, shape (num_pods,).

    Whether the check accepts it; None if it is not asked, because the incumbent is as good or the
    check would end too late. What a check costs is kept free at the end of the solve.
    """
    number = objective(cluster, node)
    begin = time.perf_counter()
    if incumbent.objective is not None and (
        number >= incumbent.objective or begin + incumbent.reserved >= incumbent.deadline
    ):
        return None
    placement = Placement(node)
    accepted = check(cluster, placement).ok
    seconds = time.perf_counter() - begin
    if seconds > _NOTICED:
        incumbent.reserve(_AGAIN * seconds)
    if accepted:
        incumbent.offer(number, placement, source)
    return accepted
