"""A cluster as items and bins: types of interchangeable pods, classes of equal nodes.

It is a relaxation: rules that look beyond one node (affinity, spread, conflicts over zones), the
Never rule and over-committed nodes are asked of every solution afterwards, not here. So its bounds
hold, and its solutions are checked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cpsched.columns.lexicographic import Packing
from cpsched.columns.packing import Aim, Bins, Items, Quota
from cpsched.pods.objective import Goal, stages

if TYPE_CHECKING:
    from cpsched.pods.instance import Cluster, Conflict, IntArray, LongArray


class PodPacking:
    """The packing of a cluster, and the way back.

    kind: shape (num_pods,), type of each pod, -1 for held ones; first: (types,), a pod of each;
    constant, unit: (stages,), digit of a stage = constant - unit * value of its aim; unit: what
    all its costs are multiples of.
    """

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.kind, self.first = types(cluster)
        number = len(self.first)
        free = ~cluster.is_held
        movable = free & cluster.running
        self.count = np.bincount(self.kind[free], minlength=number).astype(np.int64)
        running = np.bincount(self.kind[movable], minlength=number).astype(np.int64)
        self.home = np.zeros((cluster.num_nodes, number), dtype=np.int64)
        np.add.at(self.home, (cluster.node[movable], self.kind[movable]), 1)
        items = Items(cluster.request[self.first].copy(), self.count, running)
        single, single_member = self._single(items)
        merged, merged_member = self._merged(single, single_member)
        aims, self.constant, self.unit = self._aims(items)
        self.packing = Packing(
            items=items,
            quotas=self._quotas(),
            aims=aims,
            single=single,
            single_member=single_member,
            merged=merged,
            merged_member=merged_member,
            num_bins=cluster.num_nodes,
            home=self.home,
        )

    def _single(self, items: Items) -> tuple[Bins, list[LongArray]]:
        cluster = self.cluster
        held = np.where(cluster.is_held & cluster.running, cluster.node, -1)
        reserved = cluster.usage_of(held)
        capacity = np.maximum(cluster.allocatable, cluster.usage) - reserved
        allowed = cluster.allowed[cluster.profile[self.first]].T.copy()
        room = (cluster.allocatable - reserved)[:, None, :]
        # What a pod does not request may be over-committed by held pods.
        fits = ((items.weight <= room) | (items.weight == 0)).all(axis=2)
        conflict, blocked = self._conflicts()
        arrive = allowed & fits & ~blocked
        limit = np.where(arrive, items.count, np.minimum(self.home, items.count))
        rows = np.concatenate([capacity, limit, self.home], axis=1)
        _, inverse = np.unique(rows, axis=0, return_inverse=True)
        return _classes(inverse.ravel(), capacity, limit, self.home, conflict)

    def _merged(self, single: Bins, member: list[LongArray]) -> tuple[Bins, list[LongArray]]:
        """Classes of nodes that differ only in what runs there now."""
        node_class = np.zeros(self.cluster.num_nodes, dtype=np.int64)
        for c, nodes in enumerate(member):
            node_class[nodes] = c
        rows = np.concatenate([single.capacity, single.limit], axis=1)[node_class]
        _, inverse = np.unique(rows, axis=0, return_inverse=True)
        capacity = single.capacity[node_class]
        limit = single.limit[node_class]
        return _classes(inverse.ravel(), capacity, limit, np.zeros_like(limit), single.conflict)

    def _conflicts(self) -> tuple[np.ndarray, np.ndarray]:
        """Pairs of types that never share a node, and where held pods keep a type out."""
        cluster = self.cluster
        number = len(self.first)
        conflict = np.zeros((number, number), dtype=np.uint8)
        blocked = np.zeros((cluster.num_nodes, number), dtype=np.bool_)
        for rule in cluster.conflicts:
            if not _on_nodes(rule) or _broken(cluster, rule):
                continue
            sides = []
            for pods in (rule.holders, rule.targets):
                kinds = self.kind[pods]
                sides.append(np.unique(kinds[kinds >= 0]))
            conflict[np.ix_(sides[0], sides[1])] = 1
            conflict[np.ix_(sides[1], sides[0])] = 1
            for pods, kinds in ((rule.holders, sides[1]), (rule.targets, sides[0])):
                still = pods[cluster.is_held[pods] & cluster.running[pods]]
                blocked[np.ix_(cluster.node[still], kinds)] = True
        return conflict, blocked

    def _quotas(self) -> list[Quota]:
        found = []
        for budget in self.cluster.budgets:
            kinds = np.unique(self.kind[budget.pods])
            member = np.zeros(len(self.first), dtype=np.int64)
            member[kinds[kinds >= 0]] = 1
            if member.any():
                found.append(Quota(member, budget.allowed))
        return found

    def _aims(self, items: Items) -> tuple[list[Aim], list[int], list[int]]:
        cluster = self.cluster
        priority = cluster.priority[self.first]
        move, evict = cluster.move_cost[self.first], cluster.evict_cost[self.first]
        nothing = np.zeros(items.number, dtype=np.int64)
        aims, constant, unit = [], [], []
        for stage in stages(cluster):
            tier = (priority == stage.priority).astype(np.int64)
            if stage.goal is Goal.UNPLACED:
                aims.append(Aim(tier, nothing, nothing))
                unit.append(1)
                lost = (cluster.priority == stage.priority) & cluster.is_held & ~cluster.running
                constant.append(int((tier * items.count).sum() + lost.sum()))
            else:
                costs = tier * np.stack((evict - move, move))
                unit.append(max(1, int(np.gcd.reduce(costs[:, items.running > 0], axis=None))))
                kept, home = costs // unit[-1]
                aims.append(Aim(nothing, kept, home))
                constant.append(int((tier * evict * items.running).sum()))
        return aims, constant, unit

    @property
    def exact(self) -> bool:
        """Whether the packing knows every rule of the cluster."""
        cluster = self.cluster
        never = ~cluster.preempts & ~cluster.running & ~cluster.is_held
        return not (
            cluster.affinities
            or cluster.spreads
            or never.any()
            or (cluster.usage > cluster.allocatable).any()
            or any(not _on_nodes(rule) or _broken(cluster, rule) for rule in cluster.conflicts)
        )

    def contents(self, node: IntArray) -> LongArray:
        """Shape (num_nodes, types): pods of each type on each node, held ones left out."""
        placed = (node >= 0) & (self.kind >= 0)
        found = np.zeros_like(self.home)
        np.add.at(found, (node[placed], self.kind[placed]), 1)
        return found

    def place(self, contents: LongArray) -> IntArray:
        """Node of each pod: as many as possible stay, running pods before pending ones."""
        cluster = self.cluster
        node = np.where(cluster.is_held, cluster.node, -1).astype(np.int32)
        left = contents.copy()
        order = np.argsort(self.kind, kind="stable")
        starts = np.searchsorted(self.kind[order], np.arange(len(self.first) + 1))
        for kind in range(len(self.first)):
            waiting_running, waiting = [], []
            column = left[:, kind]
            for pod in order[starts[kind] : starts[kind + 1]].tolist():
                at = cluster.node[pod]
                if at < 0:
                    waiting.append(pod)
                elif column[at] > 0:
                    column[at] -= 1
                    node[pod] = at
                else:
                    waiting_running.append(pod)
            slots = np.repeat(np.arange(cluster.num_nodes), column).tolist()
            for pod, at in zip(waiting_running + waiting, slots, strict=False):
                node[pod] = at
        return node


def types(cluster: Cluster) -> tuple[IntArray, LongArray]:
    """Type of each pod (-1: held), and the first pod of each type.

    Interchangeable: equal request, profile, priority, costs, preemption, and the same rules.
    """
    member: dict[int, list[int]] = {}
    number = 0
    for rule in cluster.budgets:
        for pod in rule.pods.tolist():
            member.setdefault(pod, []).append(number)
        number += 1
    pairs = [(rule.holders, rule.targets) for rule in cluster.conflicts]
    pairs += [(rule.holders, rule.targets) for rule in cluster.affinities]
    pairs += [(rule.holders, rule.counted) for rule in cluster.spreads]
    for sides in pairs:
        for pods in sides:
            for pod in pods.tolist():
                member.setdefault(pod, []).append(number)
            number += 1
    names: dict[tuple[int, ...], int] = {}
    rules = np.zeros(cluster.num_pods, dtype=np.int64)
    for pod, found in member.items():
        rules[pod] = names.setdefault(tuple(found), len(names) + 1)
    rows = np.column_stack(
        [
            cluster.request,
            cluster.profile.astype(np.int64),
            cluster.priority,
            cluster.move_cost,
            cluster.preempts.astype(np.int64),
            rules,
        ]
    )
    kind = np.full(cluster.num_pods, -1, dtype=np.int32)
    free = np.flatnonzero(~cluster.is_held)
    if not len(free):
        return kind, np.zeros(0, dtype=np.int64)
    _, first, inverse = np.unique(rows[free], axis=0, return_index=True, return_inverse=True)
    kind[free] = inverse.ravel()
    return kind, free[first]


def _on_nodes(rule: Conflict) -> bool:
    """Whether every domain of a conflict is a single node, and every node is in one."""
    return bool((rule.domain >= 0).all()) and len(np.unique(rule.domain)) == len(rule.domain)


def _broken(cluster: Cluster, rule: Conflict) -> bool:
    """Whether pods that run now break a conflict on nodes: those that stay are let be."""
    count = np.zeros((2, cluster.num_nodes), dtype=np.int64)
    for side, pods in enumerate((rule.holders, rule.targets)):
        there = pods[cluster.running[pods]]
        np.add.at(count[side], cluster.node[there], 1)
    both = np.intersect1d(rule.holders, rule.targets)
    same = np.zeros(cluster.num_nodes, dtype=np.int64)
    there = both[cluster.running[both]]
    np.add.at(same, cluster.node[there], 1)
    # Pairs of different pods, one of each side: all pairs but those of a pod with itself.
    return bool((count[0] * count[1] > same).any())


def _classes(
    inverse: LongArray,
    capacity: LongArray,
    limit: LongArray,
    stay: LongArray,
    conflict: np.ndarray,
) -> tuple[Bins, list[LongArray]]:
    number = int(inverse.max()) + 1
    order = np.argsort(inverse, kind="stable")
    member = np.split(order, np.cumsum(np.bincount(inverse, minlength=number))[:-1])
    first = [rows[0] for rows in member]
    bins = Bins(
        capacity=np.ascontiguousarray(capacity[first]),
        number=np.array([len(rows) for rows in member], dtype=np.int64),
        limit=np.ascontiguousarray(limit[first]),
        stay=np.ascontiguousarray(stay[first]),
        conflict=conflict,
    )
    return bins, member
