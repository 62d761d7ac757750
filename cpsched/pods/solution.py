"""The answer to pod packing: the node of each pod."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cpsched.errors import InputError

if TYPE_CHECKING:
    from cpsched.pods.instance import Cluster, IntArray


@dataclass(frozen=True, eq=False)
class Placement:
    """Node of every pod, -1 for none; says nothing about how it was found.

    node: shape (num_pods,), pods numbered as in ``Cluster``.
    """

    node: IntArray

    def __post_init__(self) -> None:
        array = np.asarray(self.node)
        if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
            raise InputError("a placement needs one node index for each pod")
        copy = array.astype(np.int32)
        copy.setflags(write=False)
        object.__setattr__(self, "node", copy)

    @classmethod
    def now(cls, cluster: Cluster) -> Placement:
        """Where pods are now: nothing placed, nothing moved."""
        return cls(cluster.node)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Placement) and self.node.tobytes() == other.node.tobytes()

    def __hash__(self) -> int:
        return hash(self.node.tobytes())
