"""Formats that cannot hold everything: what is written must read back as the same."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

import numpy as np

from cpsched.errors import InputError

if TYPE_CHECKING:
    from cpsched.vms.instance import VmCluster


def require_equal(cluster: VmCluster, back: VmCluster, written: str) -> None:
    """InputError naming the first field of *cluster* that differs in *back*, the one re-read.

    written: name of the format.
    """
    for entry in fields(cluster):
        mine, theirs = getattr(cluster, entry.name), getattr(back, entry.name)
        equal = (
            np.array_equal(mine, theirs) if isinstance(mine, np.ndarray) else bool(mine == theirs)
        )
        if not equal:
            raise InputError(
                f"the format {written} cannot hold {entry.name} of {cluster.name}; json can"
            )
