"""Offering a plan: only what is better, and what the check accepts, reaches the incumbent."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from cpsched.vms.check import check
from cpsched.vms.objective import objective

if TYPE_CHECKING:
    from cpsched.incumbent import Incumbent
    from cpsched.vms.instance import VmCluster
    from cpsched.vms.solution import Migrations


def offer(
    cluster: VmCluster, plan: Migrations, source: str, incumbent: Incumbent[Migrations]
) -> bool | None:
    """Check and offer *plan*; see ``Incumbent.submit``."""
    return incumbent.submit(objective(cluster, plan), plan, source, partial(check, cluster))
