"""Why pods stay where they are or find no place: held pods, used-up budgets, what is full."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cpsched.pods.instance import PENDING
from cpsched.pods.occupancy import Occupancy

if TYPE_CHECKING:
    from cpsched.pods.instance import BoolArray, Budget, Cluster, LongArray
    from cpsched.pods.solution import Placement

#: Budgets that a reason names.
_NAMES = 2


def held(cluster: Cluster) -> dict[int, str]:
    """Running pods that may not move and why, in order of arrival."""
    return {
        pod: cluster.held[pod]
        for pod in np.flatnonzero(cluster.running & cluster.is_held).tolist()
    }


def binding(cluster: Cluster, placement: Placement) -> list[tuple[Budget, int]]:
    """Budgets that *placement* uses up while more of their pods could move, and how far."""
    gone = cluster.running & (placement.node != cluster.node)
    free = cluster.running & ~cluster.is_held
    found = []
    for budget in cluster.budgets:
        used = int(gone[budget.pods].sum())
        if used >= budget.allowed and int(free[budget.pods].sum()) > used:
            found.append((budget, used))
    return found


def unplaced(cluster: Cluster, placement: Placement) -> list[tuple[int, str]]:
    """Pods without a place and why, in order of priority, then arrival."""
    pods = np.flatnonzero(placement.node < 0)
    order = pods[np.argsort(-cluster.priority[pods], kind="stable")].tolist()
    obstacles = _Obstacles(cluster, placement)
    return [(pod, cluster.held[pod] or obstacles.of(pod)) for pod in order]


class _Obstacles:
    """What keeps a pod from every node: first what no repack can change, then what is there."""

    def __init__(self, cluster: Cluster, placement: Placement) -> None:
        self.cluster = cluster
        self.state = Occupancy(cluster, placement.node)
        fixed = cluster.is_held & cluster.running
        #: Allocatable less what can never leave: nothing, held pods, pods under budgets at 0 too.
        self.size = cluster.allocatable
        self.loose = self._left(fixed)
        self.zero = [budget for budget in cluster.budgets if not budget.allowed]
        kept = fixed.copy()
        for budget in self.zero:
            kept[budget.pods] = cluster.running[budget.pods]
        self.certain = self._left(kept)
        self.kept = kept & ~fixed
        self._known: dict[tuple[int, bytes], str] = {}

    def _left(self, stays: BoolArray) -> LongArray:
        cluster = self.cluster
        node = np.where(stays, cluster.node, PENDING).astype(np.int32)
        return np.asarray(cluster.allocatable - cluster.usage_of(node))

    def of(self, pod: int) -> str:
        """Why *pod*, which is not held, has no place."""
        cluster = self.cluster
        key = int(cluster.profile[pod]), cluster.request[pod].tobytes()
        if not cluster.running[pod]:  # one that was evicted might have stayed all the same
            if key not in self._known:
                self._known[key] = self._lasting(pod)
            if self._known[key]:
                return self._known[key]
        # There may be room for it alone: moving or placing others came first, or a limit of the
        # plan.
        return self.state.blocked(pod) or "fits on its own, but is not placed in this answer"

    def _lasting(self, pod: int) -> str:
        """What no repack can change about the nodes for pods like *pod*; empty if nothing."""
        cluster = self.cluster
        allowed = cluster.allowed[cluster.profile[pod]]
        if not allowed.any():
            return "not allowed on any node by selector, affinity, taint or cordon"
        asks = np.flatnonzero(cluster.request[pod])
        need = cluster.request[pod][asks]

        def room(left: LongArray) -> BoolArray:
            return np.asarray(allowed & (left[:, asks] >= need).all(axis=1))

        if not room(self.size).any():
            which = "any node" if allowed.all() else "any node that is allowed for it"
            return f"larger than {which}{self._short(allowed, asks, need)}"
        loose = room(self.loose)
        if not loose.any():
            return "on every node it is allowed on, pods that may not move leave too little room"
        if not room(self.certain).any():
            return f"would need room that {self._budgets(loose)}"
        return ""

    def _short(self, allowed: BoolArray, asks: LongArray, need: LongArray) -> str:
        """The resources of which no node has enough, in brackets."""
        most = self.size[allowed][:, asks].max(axis=0)
        short = [self.cluster.resources[asks[k]] for k in np.flatnonzero(most < need)]
        return f" ({', '.join(short)})" if short else ""

    def _budgets(self, nodes: BoolArray) -> str:
        """The budgets at 0 whose pods run on *nodes*, in words."""
        cluster = self.cluster
        there = self.kept & nodes[cluster.node]
        names = [budget.name for budget in self.zero if there[budget.pods].any()]
        more = f" and {len(names) - _NAMES} more" if len(names) > _NAMES else ""
        shown = ", ".join(names[:_NAMES]) + more
        verb = "budget" if len(names) == 1 else "budgets"
        return f"pods under {verb} {shown} take, and no disruption is allowed there"
