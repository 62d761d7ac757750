"""Interchangeable pods: replicas of one owner that no rule and no cost tells apart."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Hashable

    from cpsched.pods.instance import Cluster, IntArray
    from cpsched.pods.variables import Variables


def groups(cluster: Cluster) -> list[IntArray]:
    """Pods that may be swapped without a difference: replicas that are on the same node now."""
    # Two pods with the same members' lists are in the same rules.
    roles: list[list[int]] = [[] for _ in range(cluster.num_pods)]
    rules: list[IntArray] = [budget.pods for budget in cluster.budgets]
    rules += [side for rule in cluster.conflicts for side in (rule.holders, rule.targets)]
    rules += [side for rule in cluster.affinities for side in (rule.holders, rule.targets)]
    rules += [side for rule in cluster.spreads for side in (rule.holders, rule.counted)]
    for number, members in enumerate(rules):
        for pod in members.tolist():
            roles[pod].append(number)
    alike: dict[Hashable, list[int]] = {}
    for pod in np.flatnonzero((cluster.owner >= 0) & ~cluster.is_held).tolist():
        key: tuple[Any, ...] = (
            int(cluster.owner[pod]),
            int(cluster.node[pod]),
            int(cluster.priority[pod]),
            int(cluster.profile[pod]),
            int(cluster.move_cost[pod]),
            bool(cluster.preempts[pod]),
            cluster.request[pod].tobytes(),
            tuple(roles[pod]),
        )
        alike.setdefault(key, []).append(pod)
    return [np.array(pods, np.int32) for pods in alike.values() if len(pods) > 1]


def canonical(cluster: Cluster, node: IntArray) -> IntArray:
    """The placement in which interchangeable pods are ordered as ``order_groups`` wants it."""
    ordered = node.copy()
    for pods in groups(cluster):
        rank = _rank(cluster, pods, node[pods])
        ordered[pods] = node[pods][np.argsort(-rank, kind="stable")]
    return ordered


def order_groups(v: Variables) -> None:
    """Of interchangeable pods, the first stay, the next move, to nodes in their order."""
    for pods in groups(v.cluster):
        sums = []
        for pod in pods.tolist():
            pairs = v.of_pod[pod]
            sums.append(v.total(pairs, _rank(v.cluster, pods, v.node[pairs]).tolist()))
        for one, two in pairwise(sums):
            v.model.add(one >= two)


def _rank(cluster: Cluster, pods: IntArray, node: IntArray) -> IntArray:
    """Rank of the places *node* of pods of one group: the own node first, no place last, 0."""
    now = int(cluster.node[pods[0]])
    rank = np.where(node < 0, 0, cluster.num_nodes - node)
    result: IntArray = np.where((node >= 0) & (node == now), cluster.num_nodes + 1, rank)
    return result
