"""Classic packing heuristics: pending pods only, one after another; what runs stays.

Pods are taken by priority, highest first, then by size, largest first, then by arrival. Size is
the largest share that the pod requests of the mean allocatable amount of a node, over resources.
A pod that a rule kept out is tried again after others were placed, until nothing changes: the pod
it must be near may have been smaller. Held pending pods are not tried.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from cpsched.pods.occupancy import Occupancy
from cpsched.pods.solution import Placement

if TYPE_CHECKING:
    from collections.abc import Callable

    from cpsched.pods.instance import Cluster, IntArray

FloatArray = npt.NDArray[np.float64]


def first_fit_decreasing(cluster: Cluster) -> Placement:
    """Each pod on the first node, in the order of the cluster, that takes it."""
    return _pack(cluster, lambda now, pod, at: int(at[0]))


def best_fit(cluster: Cluster) -> Placement:
    """Each pod on the node that it leaves the least free, the first of equals.

    What is free is the sum over resources of the free share of what the node has.
    """
    offer = np.maximum(cluster.allocatable, 1).astype(np.float64)

    def tightest(now: Occupancy, pod: int, at: IntArray) -> int:
        left = (now.free[at] - cluster.request[pod]) / offer[at]
        # Rounded, so that nodes that are equally full stay equal whatever the order of sums.
        return int(at[np.argmin(left.sum(axis=1).round(9))])

    return _pack(cluster, tightest)


def _pack(cluster: Cluster, choose: Callable[[Occupancy, int, IntArray], int]) -> Placement:
    now = Occupancy(cluster)
    left = _order(cluster)
    changed = True
    while left and changed:
        failed = []
        for pod in left:
            at = np.flatnonzero(now.feasible(pod)).astype(np.int32)
            if len(at):
                now.place(pod, choose(now, pod, at))
            else:
                failed.append(pod)
        changed = len(failed) < len(left)
        left = [pod for pod in failed if now.has_rules(pod)]
    return Placement(now.node)


def _order(cluster: Cluster) -> list[int]:
    """Pods to be placed, in the order in which they are."""
    pending = np.flatnonzero(~cluster.running & ~cluster.is_held)
    size = sizes(cluster)[pending]
    order: list[int] = pending[np.lexsort((-size, -cluster.priority[pending]))].tolist()
    return order


def sizes(cluster: Cluster) -> FloatArray:
    """Shape (num_pods,): largest requested share of the mean allocatable amount.

    A resource that no node has is not counted: nothing that requests it fits anyway.
    """
    mean = cluster.allocatable.astype(np.float64).mean(axis=0)
    there = mean > 0
    shares = cluster.request[:, there] / mean[there]
    return np.asarray(shares.max(axis=1, initial=0.0), dtype=np.float64)
