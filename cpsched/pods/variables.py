"""Variables of the pod model: a Boolean for each pod and node that may come together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from ortools.sat.python import cp_model

from cpsched.errors import StopRequestedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from cpsched.formulation import Values
    from cpsched.pods.instance import BoolArray, Cluster, IntArray

#: Variables between two looks at whether to stop.
_POLL = 4096


def importance(cluster: Cluster) -> IntArray:
    """Pods by priority, highest first, then by size: the largest share of any node's most."""
    most = np.maximum(1, cluster.allocatable.max(axis=0))
    size = (cluster.request / most).max(axis=1, initial=0.0)
    order: IntArray = np.lexsort((-size, -cluster.priority)).astype(np.int32)
    return order


def possible(cluster: Cluster) -> tuple[IntArray, IntArray]:
    """Pods and nodes that may come together, pod by pod in order of importance.

    A pod may stay where it runs, and come to where it is allowed, fits alone beside what is held
    there, and where every rule that it holds knows the node. Held pods have no choice.
    """
    fixed = np.where(cluster.is_held, cluster.node, -1).astype(np.int32)
    room = np.maximum(0, cluster.allocatable - cluster.usage_of(fixed))
    unknown = unknown_nodes(cluster)
    pods: list[IntArray] = []
    nodes: list[IntArray] = []
    for pod in importance(cluster).tolist():
        if cluster.is_held[pod]:
            continue
        request = cluster.request[pod]
        fits = ((request <= room) | (request == 0)).all(axis=1)
        fits &= cluster.allowed[cluster.profile[pod]]
        if pod in unknown:
            fits &= ~unknown[pod]
        now = int(cluster.node[pod])
        if now >= 0:
            fits[now] = False
        found = np.flatnonzero(fits).astype(np.int32)
        if now >= 0:
            found = np.concatenate((np.array([now], np.int32), found))
        nodes.append(found)
        pods.append(np.full(len(found), pod, np.int32))
    none = [np.zeros(0, np.int32)]
    return np.concatenate(pods or none), np.concatenate(nodes or none)


def unknown_nodes(cluster: Cluster) -> dict[int, BoolArray]:
    """For holders of affinities and spreads: nodes that lack the label they ask for."""
    found: dict[int, BoolArray] = {}
    for affinity in cluster.affinities:
        _note(found, affinity.holders, np.asarray((affinity.domains < 0).any(axis=0)))
    for spread in cluster.spreads:
        _note(found, spread.holders, spread.domain < 0)
    return found


def _note(found: dict[int, BoolArray], pods: IntArray, nodes: BoolArray) -> None:
    for pod in pods.tolist() if nodes.any() else []:
        found[pod] = found[pod] | nodes if pod in found else nodes


class Variables:
    """The pairs of pods and nodes, then auxiliary variables that follow from them.

    pod, node: shape (num_pairs,), of each pair, whose variable has the same number; stays: shape
    (num_pairs,), pairs of a running pod and its node; of_pod, at_node: pairs of each; groups:
    pairs of each pod that has some, the most important pod first; lasting: see ``formulate``.
    """

    def __init__(
        self,
        cluster: Cluster,
        model: cp_model.CpModel,
        stop: Callable[[], bool],
        *,
        lasting: bool = False,
    ) -> None:
        self.cluster, self.model, self.lasting = cluster, model, lasting
        self.pod, self.node = possible(cluster)
        self.stays: BoolArray = cluster.node[self.pod] == self.node
        self.pairs: list[cp_model.IntVar] = []
        for pair in range(len(self.pod)):
            if pair % _POLL == 0 and stop():
                raise StopRequestedError
            self.pairs.append(model.new_bool_var(""))
        self.of_pod: list[list[int]] = [[] for _ in range(cluster.num_pods)]
        self.at_node: list[list[int]] = [[] for _ in range(cluster.num_nodes)]
        for pair, (pod, node) in enumerate(
            zip(self.pod.tolist(), self.node.tolist(), strict=True)
        ):
            self.of_pod[pod].append(pair)
            self.at_node[node].append(pair)
        # In the order of their first pairs, which is that of importance.
        self.groups = sorted(pairs for pairs in self.of_pod if pairs)
        self._derived: list[Callable[[Values], int]] = []
        self._any: dict[tuple[int, ...], cp_model.IntVar] = {}

    def literals(self, pairs: Iterable[int]) -> list[cp_model.IntVar]:
        """Variables of *pairs*."""
        return [self.pairs[pair] for pair in pairs]

    def arrivals(self, pod: int) -> list[int]:
        """Pairs of *pod* with nodes where it does not run."""
        return [pair for pair in self.of_pod[pod] if not self.stays[pair]]

    def stay(self, pod: int) -> list[int]:
        """The pair of *pod* and its node, if it runs and may leave."""
        return [pair for pair in self.of_pod[pod] if self.stays[pair]]

    def total(self, pairs: Iterable[int], weights: Sequence[int]) -> cp_model.LinearExpr:
        """Weighted sum of *pairs*."""
        terms = self.literals(pairs)
        return cp_model.LinearExpr.weighted_sum(terms, list(weights))

    def forbid(self, pairs: Iterable[int]) -> None:
        """None of *pairs*."""
        for pair in pairs:
            self.model.add_bool_and(~self.pairs[pair])

    def boolean(self, value: Callable[[Values], int]) -> cp_model.IntVar:
        """Auxiliary Boolean; *value* says what it is under the values of those before it."""
        return self.integer(0, 1, value)

    def integer(self, lower: int, upper: int, value: Callable[[Values], int]) -> cp_model.IntVar:
        """Auxiliary integer; *value* says what it is under the values of those before it."""
        self._derived.append(value)
        if (lower, upper) == (0, 1):
            return self.model.new_bool_var("")
        return self.model.new_int_var(lower, upper, "")

    def any(self, pairs: Iterable[int]) -> cp_model.IntVar | None:
        """Literal that is true exactly if one of *pairs* is; None if there are none."""
        key = tuple(sorted(set(pairs)))
        if len(key) <= 1:
            return self.pairs[key[0]] if key else None
        if key not in self._any:
            index = np.array(key)
            some = self.boolean(lambda values: int(values[index].any()))
            for pair in key:
                self.model.add_implication(self.pairs[pair], some)
            self.model.add_bool_or([~some, *self.literals(key)])
            self._any[key] = some
        return self._any[key]

    def values(self, node: IntArray) -> Values:
        """Values of all variables if the pods are on *node*.

        Raises ValueError if a pod is where no pair says it, or a held one is not where it was.
        """
        if node.shape != (self.cluster.num_pods,):
            raise ValueError(f"the placement is not one of {self.cluster.num_pods} pods")
        chosen = node[self.pod] == self.node
        expected = np.where(self.cluster.is_held, self.cluster.node, -1)
        expected[self.pod[chosen]] = self.node[chosen]
        if not np.array_equal(expected, node):
            pod = int(np.flatnonzero(expected != node)[0])
            raise ValueError(f"pod {self.cluster.pods[pod]} cannot be on node number {node[pod]}")
        values = np.zeros(len(self.pairs) + len(self._derived), np.int64)
        values[: len(self.pairs)] = chosen
        for index, value in enumerate(self._derived, start=len(self.pairs)):
            values[index] = value(values)
        return values

    def nodes(self, values: Values) -> IntArray:
        """Node of each pod, -1 for none, under the *values* of all variables."""
        node: IntArray = np.where(self.cluster.is_held, self.cluster.node, -1).astype(np.int32)
        chosen = np.flatnonzero(values[: len(self.pairs)])
        node[self.pod[chosen]] = self.node[chosen]
        return node
