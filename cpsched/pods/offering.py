"""Offering a placement: only what is better, and what the check accepts, reaches the incumbent."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from cpsched.pods.check import check
from cpsched.pods.objective import objective
from cpsched.pods.solution import Placement

if TYPE_CHECKING:
    from cpsched.incumbent import Incumbent
    from cpsched.pods.instance import Cluster, IntArray


def offer(
    cluster: Cluster, node: IntArray, source: str, incumbent: Incumbent[Placement]
) -> bool | None:
    """Check and offer the pods on *node*, shape (num_pods,); see ``Incumbent.submit``."""
    placement = Placement(node)
    return incumbent.submit(objective(cluster, node), placement, source, partial(check, cluster))
