"""A learned way to place pods: by priority, the smallest first, each where a small network says.

Within a priority small pods come first: what is counted is pods, not their size. A pod that fits
somewhere is placed. Running pods are placed again with the others and may stay; the answer is a
final state, and whether a plan leads there is for the check to say.

A shortcut beside ``cpsched/Assign-v0``: no model, no propagation. It knows resources, and on
which nodes a pod is allowed; clusters with rules between pods are refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cpsched.errors import InputError, StopRequestedError
from cpsched.pods.score_kernels import NUM_FEATURES, place
from cpsched.pods.solution import Placement

if TYPE_CHECKING:
    from cpsched.draws import Words
    from cpsched.pods.instance import Cluster
    from cpsched.pods.score_kernels import Floats, Longs

#: Version of the features and of the order: another one when something changes its meaning.
FEATURES = 1

_RUNNING = np.zeros(1, np.int64)


def shapes(width: int) -> dict[str, tuple[int, ...]]:
    """Tensors of the network by name, in the order of the flat weights."""
    return {"first.weight": (width, NUM_FEATURES), "first.bias": (width,), "out.weight": (width,)}


@dataclass(frozen=True)
class Network:
    """Weights of the network, flat, in the order of ``shapes``."""

    weights: Floats
    width: int

    def __post_init__(self) -> None:
        wanted = sum(int(np.prod(shape)) for shape in shapes(self.width).values())
        if self.weights.shape != (wanted,):
            raise InputError(f"the network has {wanted} weights, not {self.weights.shape}")


class Placing:
    """A cluster in the arrays of the kernel.

    Raises InputError for a cluster with affinities, spreads or conflicts.
    """

    def __init__(self, cluster: Cluster) -> None:
        if cluster.affinities or cluster.spreads or len(cluster.conflicts):
            raise InputError(
                f"{cluster.name}: the learned placement knows no affinities, spreads or conflicts"
            )
        self.cluster = cluster
        most = np.maximum(1, cluster.allocatable.max(axis=0))
        size = (cluster.request / most).max(axis=1, initial=0.0)
        order = np.lexsort((np.arange(cluster.num_pods), size, -cluster.priority))
        self.order: Longs = order[~cluster.is_held[order]].astype(np.int64)
        fixed = np.where(cluster.is_held, cluster.node, -1).astype(np.int32)
        self.free: Longs = (cluster.allocatable - cluster.usage_of(fixed)).astype(np.int64)
        self.now: Longs = cluster.node.astype(np.int64)
        self.request: Longs = cluster.request.astype(np.int64)
        self.allocatable: Longs = cluster.allocatable.astype(np.int64)
        self.profile: Longs = cluster.profile.astype(np.int64)
        self.allowed: Longs = cluster.allowed.astype(np.int64)

    def run(
        self,
        network: Network,
        *,
        temperature: float = 0.0,
        rng: Words | None = None,
        halt: Longs | None = None,
    ) -> Placement:
        """One placement; StopRequestedError once *halt* says so."""
        node = self.now.copy()
        missed = place(
            self.order,
            self.request,
            self.allocatable,
            self.free.copy(),
            self.now,
            self.profile,
            self.allowed,
            network.weights,
            network.width,
            temperature,
            np.ones(1, np.uint64) if rng is None else rng,
            node,
            _RUNNING if halt is None else halt,
        )
        if missed < 0:
            raise StopRequestedError("placing was stopped")
        return Placement(node.astype(np.int32))
