"""VM rescheduling as a CP-SAT model: who is where in the end, by which rules, what it is worth."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
from ortools.sat.python import cp_model

from cpsched.allocation import uncollected
from cpsched.errors import InputError, StopRequestedError
from cpsched.formulation import Assign, Formulation
from cpsched.vms import objective
from cpsched.vms.constraints import CONSTRAINTS, room_for_all
from cpsched.vms.objective import Goal
from cpsched.vms.ordering import plan_or_list
from cpsched.vms.slots import MAX_SUM, gains
from cpsched.vms.solution import Migration, Migrations
from cpsched.vms.variables import Places, Variables

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cpsched.arrays import IntArray
    from cpsched.formulation import Values
    from cpsched.vms.instance import VmCluster

#: What the model minimises: the number of all stages, or the first stage alone.
Objective: TypeAlias = Literal["number", "stages"]


def formulate(
    cluster: VmCluster,
    *,
    objective: Objective = "number",
    bounded: bool = False,
    easy: bool = False,
    stop: Callable[[], bool] = lambda: False,
) -> VmFormulation:
    """Formulation of VM rescheduling, of the final state.

    It says what every state keeps that a plan leads to; moves and their cost are those of VMs that
    end elsewhere than they began. A plan may need more, hops: ``decode`` looks for one with few. A
    state to which no plan was found decodes to its moves in the order of VMs, which the check
    refuses.

    Its decisions go VM by VM: one ``Assign`` for each place that the VM may have, its own first.
    VMs that are pinned have none.

    Parameters
    ----------
    cluster
        What to reschedule.
    objective
        ``number``: the number of all stages, see ``vms.objective``; ``stages``: the first stage,
        for solving stage by stage, which has no limit of size.
    bounded
        Also say how many slots so many moves can gain: it follows, but a relaxation does not see
        it.
    easy
        Whoever comes must find room beside those who are there now, so that for room any order
        does. That excludes states that plans lead to.
    stop
        Asked now and then: a million pairs of VMs and places take some seconds.

    Raises
    ------
    InputError
        If the number, or the goal, does not fit into the model, or there are more pairs of VMs and
        places than ``variables.MAX_PAIRS``.
    StopRequestedError
        Once *stop* says so.
    """
    if reason := Places(cluster).obstacle():
        raise InputError(f"{cluster.name}: {reason}")
    with uncollected():
        return _formulate(cluster, objective, bounded, easy, stop)


def _formulate(
    cluster: VmCluster, what: Objective, bounded: bool, easy: bool, stop: Callable[[], bool]
) -> VmFormulation:
    model = cp_model.CpModel()
    variables = Variables(cluster, model, stop)
    for family in CONSTRAINTS:
        family(variables)
        if stop():
            raise StopRequestedError
    if bounded:
        gains(variables)
    if easy:
        room_for_all(variables)
    sums = _stages(variables)
    stages = tuple(one.expression for one in sums)
    if what == "number":
        model.minimize(_number(cluster, sums).expression)
    else:
        model.minimize(stages[0])
    return VmFormulation(
        model=model,
        decisions=tuple(
            Assign(pair) for first, end in variables.groups for pair in range(first, end)
        ),
        stages=stages,
        decode=lambda values: plan_or_list(cluster, variables.numa(values)),
        encode=lambda migrations: variables.values(migrations.end(cluster)),
        objective=_value(cluster, what),
        features=_features(variables),
        cluster=cluster,
        vm=variables.vm,
        place=variables.place,
    )


def values_without_hops(cluster: VmCluster, migrations: Migrations) -> tuple[int, ...]:
    """Value of each stage if every VM that ends elsewhere moved once: what the model counts."""
    end = migrations.end(cluster)
    moved = (end != cluster.numa).any(axis=1)
    found = []
    for stage, value in zip(
        objective.stages(cluster), objective.values(cluster, migrations), strict=True
    ):
        if stage.goal is Goal.MOVES:
            found.append(int(moved.sum()))
        elif stage.goal is Goal.COST:
            found.append(int(cluster.move_cost[moved].sum()))
        else:
            found.append(value)
    return tuple(found)


def _value(cluster: VmCluster, what: Objective) -> Callable[[Migrations], int]:
    def number(migrations: Migrations) -> int:
        return objective.number(cluster, values_without_hops(cluster, migrations))

    def first(migrations: Migrations) -> int:
        return values_without_hops(cluster, migrations)[0]

    return number if what == "number" else first


@dataclass(frozen=True)
class VmFormulation(Formulation[Migrations]):
    """Formulation of VM rescheduling that also says what each decision is.

    vm: shape (num_decisions,); place: shape (num_decisions, 2), its NUMA nodes, the second -1 for
    a VM with one part.
    """

    cluster: VmCluster | None = None
    vm: IntArray = field(default_factory=lambda: np.zeros(0, np.int32))
    place: IntArray = field(default_factory=lambda: np.zeros((0, 2), np.int32))

    def migration(self, decision: int) -> Migration:
        """What a decision does, if its VM is elsewhere."""
        place = (numa for numa in self.place[decision].tolist() if numa >= 0)
        return Migration(int(self.vm[decision]), tuple(place))


class _Sum:
    """Variables, their weights, and a constant."""

    def __init__(
        self, variables: Sequence[cp_model.IntVar], weights: Sequence[int], constant: int
    ) -> None:
        self.variables, self.weights, self.constant = list(variables), list(weights), constant

    @property
    def expression(self) -> cp_model.LinearExprT:
        """As CP-SAT has it."""
        if not self.variables:
            return self.constant
        return cp_model.LinearExpr.weighted_sum(self.variables, self.weights) + self.constant


def _stages(v: Variables) -> list[_Sum]:
    """Each stage as a sum."""
    moves = np.flatnonzero(~v.stays)
    arrivals = v.literals(moves.tolist())
    sums = []
    for stage in objective.stages(v.cluster):
        if stage.goal is Goal.FRAGMENTS:
            worth = objective.worth(v.cluster)
            weights = [-worth[slot.kind] for slot in v.slots]
            sums.append(_Sum([slot.variable for slot in v.slots], weights, stage.worst))
        elif stage.goal is Goal.OCCUPIED:
            sums.append(_occupied(v))
        elif stage.goal is Goal.MOVES:
            sums.append(_Sum(arrivals, [1] * len(moves), 0))
        else:
            cost = v.cluster.move_cost[v.vm[moves]].tolist()
            sums.append(_Sum(arrivals, cost, 0))
    return sums


def _occupied(v: Variables) -> _Sum:
    """PMs on which a VM is: those of pinned VMs, and a Boolean for each other one."""
    cluster = v.cluster
    pinned = np.unique(cluster.pm[cluster.is_pinned])
    order = np.argsort(v.pm, kind="stable")
    ends = np.searchsorted(v.pm[order], np.arange(1, cluster.num_pms))
    booleans = []
    for pm, there in enumerate(np.split(order, ends)):
        if pm in pinned or not len(there):
            continue
        occupied = v.integer(0, 1, partial(_any, there), f"occupied {pm}")
        count = len(np.unique(v.vm[there]))
        v.model.add(v.total(there.tolist(), [1] * len(there)) <= count * occupied)
        # Stronger where cpu is short: a relaxation sees how many PMs what is asked for fills.
        cpu = cluster.demand[v.vm[there], 0] * cluster.parts[v.vm[there]]
        numas = list(cluster.numas_of(pm))
        has, free = cluster.capacity[numas, 0], cluster.free[numas, 0]
        most = int(np.maximum(has, has - free).sum())
        v.model.add(v.total(there.tolist(), cpu.tolist()) <= most * occupied)
        booleans.append(occupied)
    return _Sum(booleans, [1] * len(booleans), len(pinned))


def _any(pairs: npt.NDArray[np.int64], values: Values) -> int:
    return int(values[pairs].any())


def _number(cluster: VmCluster, sums: list[_Sum]) -> _Sum:
    """The stages as one number; InputError if it is too large for CP-SAT."""
    scale, constant = 1, 0
    weights: dict[int, int] = {}
    variables: dict[int, cp_model.IntVar] = {}
    stages = objective.stages(cluster)
    for stage, one in reversed(list(zip(stages, sums, strict=True))):
        for variable, weight in zip(one.variables, one.weights, strict=True):
            variables[variable.index] = variable
            weights[variable.index] = weights.get(variable.index, 0) + scale * weight
        constant += scale * one.constant
        scale *= stage.worst + 1
    if max(scale, abs(constant) + sum(map(abs, weights.values()))) >= MAX_SUM:
        raise InputError(
            f"{cluster.name}: the {len(stages)} stages of the objective do not fit into one "
            "number of 62 bits; only methods that go stage by stage apply"
        )
    return _Sum(list(variables.values()), list(weights.values()), constant)


def _features(v: Variables) -> npt.NDArray[np.float32]:
    """What a policy may want to know of each decision; shape (decisions, 3 + resources), in 0..1.

    Columns: keeps a VM where it is; the VM has two parts; stays on its PM; what a part asks of
    each resource / what the place has, of two NUMA nodes the poorer.
    """
    cluster = v.cluster
    place = np.where(v.place < 0, v.place[:, :1], v.place)
    least = np.minimum(cluster.capacity[place[:, 0]], cluster.capacity[place[:, 1]])
    share = np.minimum(1.0, cluster.demand[v.vm] / np.maximum(1, least))
    columns = (v.stays, cluster.parts[v.vm] == 2, v.pm == cluster.pm[v.vm])
    return np.column_stack((*columns, share)).astype(np.float32)
