"""Pod packing as a CP-SAT model: who is where in the end, by which rules, at what cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
from ortools.sat.python import cp_model

from cpsched.errors import InputError, StopRequestedError
from cpsched.formulation import Assign, Decision, Formulation, Reject
from cpsched.pods import objective
from cpsched.pods.constraints import CONSTRAINTS
from cpsched.pods.interchange import order_groups
from cpsched.pods.solution import Placement
from cpsched.pods.variables import Variables

if TYPE_CHECKING:
    from collections.abc import Callable

    from cpsched.pods.instance import Cluster

#: What the model minimises: the number of all stages, or the first stage alone.
Objective: TypeAlias = Literal["number", "stages"]

#: CP-SAT wants sums of an objective's magnitudes below this.
MAX_OBJECTIVE = 2**62


def formulate(
    cluster: Cluster,
    *,
    objective: Objective = "number",
    symmetric: bool = False,
    lasting: bool = False,
    stop: Callable[[], bool] = lambda: False,
) -> Formulation[Placement]:
    """Formulation of pod packing, of the final state; that a plan leads there is not in it.

    Its decisions go pod by pod, by priority, then size: one ``Assign`` for each node that the pod
    may be on, its own first, then the ``Reject`` that leaves it without a place. Pods that are
    held have none.

    Parameters
    ----------
    cluster
        What to pack.
    objective
        ``number``: the number of all stages, see ``pods.objective``; ``stages``: the first stage,
        for solving stage by stage, which has no limit of size.
    symmetric
        Order interchangeable pods. Then most placements are no solutions, but
        ``interchange.canonical`` makes one of each.
    lasting
        Whoever an affinity or a spread lets come must find it kept in the end, too. That excludes
        placements that are allowed, and most of those that no plan leads to.
    stop
        Asked now and then: a million pairs of pods and nodes take some seconds.

    Raises
    ------
    InputError
        If the number does not fit into the model.
    StopRequestedError
        Once *stop* says so.
    """
    model = cp_model.CpModel()
    variables = Variables(cluster, model, stop, lasting=lasting)
    for family in CONSTRAINTS:
        family(variables)
        if stop():
            raise StopRequestedError
    if symmetric:
        order_groups(variables)
    sums = _stages(variables)
    stages = tuple(variables.total(pairs, weights) + more for pairs, weights, more in sums)
    if objective == "number":
        model.minimize(_number(variables, sums))
    elif stages:
        model.minimize(stages[0])
    return Formulation(
        model=model,
        decisions=_decisions(variables),
        stages=stages,
        decode=lambda values: Placement(variables.nodes(values)),
        encode=lambda placement: variables.values(placement.node),
        objective=_value(cluster, objective),
        features=_features(variables),
    )


def _value(cluster: Cluster, what: Objective) -> Callable[[Placement], int]:
    def number(placement: Placement) -> int:
        return objective.objective(cluster, placement.node)

    def first(placement: Placement) -> int:
        return next(iter(objective.values(cluster, placement.node)), 0)

    return number if what == "number" else first


#: Pairs, their weights, and a constant.
_Sum: TypeAlias = tuple[list[int], list[int], int]


def _stages(v: Variables) -> list[_Sum]:
    """Each stage as a sum over the pairs of its tier."""
    cluster = v.cluster
    held_out = cluster.is_held & ~cluster.running
    sums: list[_Sum] = []
    for stage in objective.stages(cluster):
        tier = cluster.priority == stage.priority
        if stage.goal is objective.Goal.UNPLACED:
            pairs = np.flatnonzero(tier[v.pod])
            weights = np.full(len(pairs), -1, np.int64)
            constant = int((tier & (held_out | ~cluster.is_held)).sum())
        else:
            free = tier & cluster.running & ~cluster.is_held
            pairs = np.flatnonzero(free[v.pod])
            pods = v.pod[pairs]
            # A pod without a place is evicted; one that has any costs less, its own nothing.
            kept = np.where(v.stays[pairs], 0, cluster.move_cost[pods])
            weights = kept - cluster.evict_cost[pods]
            constant = int(cluster.evict_cost[free].sum())
        sums.append((pairs.tolist(), weights.tolist(), constant))
    return sums


def _number(v: Variables, sums: list[_Sum]) -> cp_model.LinearExprT:
    """The stages as one number; InputError if it is too large for CP-SAT."""
    scale = 1
    weight = [0] * len(v.pairs)
    constant = 0
    stages = objective.stages(v.cluster)
    for stage, (pairs, weights, more) in reversed(list(zip(stages, sums, strict=True))):
        for pair, factor in zip(pairs, weights, strict=True):
            weight[pair] += scale * factor
        constant += scale * more
        scale *= stage.worst + 1
    if max(scale, abs(constant) + sum(map(abs, weight))) >= MAX_OBJECTIVE:
        raise InputError(
            f"{v.cluster.name}: the {len(stages)} stages of the objective do not fit into one "
            "number of 62 bits; only methods that go stage by stage apply"
        )
    return v.total(range(len(v.pairs)), weight) + constant


def _decisions(v: Variables) -> tuple[Decision, ...]:
    decisions: list[Decision] = []
    for pairs in v.groups:
        decisions += [Assign(pair) for pair in pairs]
        decisions.append(Reject(tuple(pairs)))
    return tuple(decisions)


def _features(v: Variables) -> npt.NDArray[np.float32]:
    """What a policy may want to know of each decision; shape (decisions, 4 + resources), in 0..1.

    Columns: keeps a pod where it is; leaves a pod without a place; the pod is pending; rank of its
    priority, 1 the highest; its request of each resource / what the node has, or for a rejection
    the largest node.
    """
    cluster = v.cluster
    sizes = np.array([len(pairs) for pairs in v.groups], np.int64)
    first = np.cumsum(sizes + 1) - sizes - 1
    pair = np.full(int((sizes + 1).sum()), -1)
    owner = np.array([v.pod[pairs[0]] for pairs in v.groups], np.int64).repeat(sizes + 1)
    for at, pairs in zip(first.tolist(), v.groups, strict=True):
        pair[at : at + len(pairs)] = pairs
    rejects = pair < 0
    most = cluster.allocatable.max(axis=0)
    # -1 is replaced in the next line.
    nodes = v.node[pair] if len(v.node) else pair
    has = np.where(rejects[:, None], most, cluster.allocatable[nodes])
    rank = np.searchsorted(sorted(cluster.tiers), cluster.priority) + 1
    columns = (
        ~rejects & (cluster.node[owner] == nodes),
        rejects,
        ~cluster.running[owner],
        rank[owner] / max(1, len(cluster.tiers)),
    )
    share = np.minimum(1.0, cluster.request[owner] / np.maximum(1, has))
    return np.column_stack((*columns, share)).astype(np.float32)
