"""What a repack changes, as pictures need it: kind and number of each pod, shares, nodes."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cpsched.plot.common import FloatArray
    from cpsched.pods.instance import Cluster, IntArray, LongArray
    from cpsched.pods.solution import Placement

#: Resources beyond this number have no room; the fullest are shown.
_MAX_RESOURCES = 4

#: Pod slots are shown only where at least this share of some node's is taken.
_SLOTS_MATTER = 0.8


def _shared(names: Sequence[str]) -> str:
    """What all *names* begin with: the first and the last of them in order differ most."""
    first, last = min(names), max(names)
    same = (k for k, (one, two) in enumerate(zip(first, last, strict=False)) if one != two)
    return first[: next(same, min(len(first), len(last)))]


class Kind(enum.IntEnum):
    """What happens to a pod."""

    STAYS = 0
    MOVED = 1
    PLACED = 2
    EVICTED = 3
    PENDING = 4


@dataclass(frozen=True, eq=False)
class Changes:
    """*cluster* now and with *placement*."""

    cluster: Cluster
    placement: Placement

    @cached_property
    def kind(self) -> IntArray:
        """Shape (num_pods,): ``Kind`` of each pod."""
        now, then = self.cluster.node, self.placement.node
        runs, stays = now >= 0, then >= 0
        kinds = np.full(len(now), Kind.STAYS, np.int32)
        kinds[runs & stays & (now != then)] = Kind.MOVED
        kinds[~runs & stays] = Kind.PLACED
        kinds[runs & ~stays] = Kind.EVICTED
        kinds[~runs & ~stays] = Kind.PENDING
        return kinds

    @cached_property
    def _common(self) -> tuple[int, int]:
        """Characters that all node names begin and end with, up to the nearest separators."""
        names = self.cluster.nodes
        if len(set(names)) < 2:
            return 0, 0
        head = _shared(names)
        while head and head[-1].isalnum():
            head = head[:-1]
        tail = _shared([name[len(head) :][::-1] for name in names])[::-1]
        while tail and tail[0].isalnum():
            tail = tail[1:]
        return len(head), len(tail)

    def node_name(self, node: int, length: int) -> str:
        """Name of *node* in at most *length* characters: what all names share goes first.

        First the shared end is left out, then the shared beginning, then whatever is furthest
        from the end.
        """
        name = self.cluster.nodes[node]
        head, tail = self._common
        if len(name) <= length:
            return name
        core = name[: len(name) - tail]
        ends = "…" if tail else ""
        if len(core) + len(ends) <= length:
            return core + ends
        core = core[head:]
        room = length - 1 - len(ends)
        return "…" + core[-room:] + ends

    def of(self, kind: Kind) -> list[int]:
        """Pods of *kind*, the most important first, then in order of arrival."""
        pods = np.flatnonzero(self.kind == kind)
        order = np.lexsort((pods, -self.cluster.priority[pods]))
        return [int(pod) for pod in pods[order]]

    @cached_property
    def numbers(self) -> dict[int, int]:
        """Number of every moved, placed and evicted pod, from 1 in this order."""
        pods = [*self.of(Kind.MOVED), *self.of(Kind.PLACED), *self.of(Kind.EVICTED)]
        return {pod: number for number, pod in enumerate(pods, 1)}

    @cached_property
    def before(self) -> FloatArray:
        """Shape (num_nodes, num_resources): requested share of allocatable now."""
        return self._share(self.cluster.usage)

    @cached_property
    def after(self) -> FloatArray:
        """Shape (num_nodes, num_resources): requested share of allocatable afterwards."""
        return self._share(self.cluster.usage_of(self.placement.node))

    def _share(self, amount: LongArray) -> FloatArray:
        # Of nothing, nothing is used; whatever runs there all the same is drawn as full.
        size = self.cluster.allocatable
        return np.where(size > 0, amount / np.maximum(size, 1), np.sign(amount)).astype(np.float64)

    @cached_property
    def resources(self) -> list[int]:
        """Resources worth showing, in the cluster's order: the requested ones, fullest first."""
        names = self.cluster.resources
        fullest = np.maximum(self.before, self.after).max(axis=0)
        asked = self.cluster.request.sum(axis=0) > 0
        known = [
            r
            for r, name in enumerate(names)
            if asked[r] and (name != "pods" or fullest[r] >= _SLOTS_MATTER)
        ]
        first = [r for r in known if names[r] in ("cpu", "memory")]
        others = sorted((r for r in known if r not in first), key=lambda r: (-fullest[r], r))
        return sorted([*first, *others][:_MAX_RESOURCES]) or [0]

    @cached_property
    def nodes(self) -> list[int]:
        """Nodes that pods leave or come to: the most changed, whom it trades pods with, and so on.

        Whoever draws only the first ones sees whole chains of moves.
        """
        now, then = self.cluster.node, self.placement.node
        count = np.zeros(self.cluster.num_nodes, np.int64)
        partners: dict[int, list[int]] = {}
        for pod in self.numbers:
            ends = [int(side[pod]) for side in (now, then) if side[pod] >= 0]
            count[ends] += 1
            if len(ends) == 2:
                partners.setdefault(ends[0], []).append(ends[1])
                partners.setdefault(ends[1], []).append(ends[0])
        changed = np.flatnonzero(count)
        found: dict[int, None] = {}
        for first in (int(node) for node in changed[np.lexsort((changed, -count[changed]))]):
            queue = [first]
            for node in queue:
                if node not in found:
                    found[node] = None
                    queue += partners.get(node, ())
        return list(found)
