"""Slots in the VM model: integers that are worth something, and the goal stated in them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from ortools.sat.python import cp_model

from cpsched.errors import InputError
from cpsched.vms import objective

if TYPE_CHECKING:
    from cpsched.formulation import Values
    from cpsched.vms.policy import Fragment
    from cpsched.vms.variables import Variables


#: CP-SAT wants sums of magnitudes below this.
MAX_SUM = 2**62


@dataclass(frozen=True, slots=True)
class Slots:
    """Slots of one fragment size on one NUMA node, or on one PM for a double one.

    kind: number of the fragment in the policy; variable: how many.
    """

    kind: int
    variable: cp_model.IntVar


def slots(v: Variables) -> None:
    """Whole slots lie on what is free: a NUMA node f free has at most ``f // size`` of them.

    Nothing keeps the numbers from being less; the objective, or the goal, wants them large.
    """
    if v.cluster.policy.objective == "empty":
        return
    for kind, fragment in enumerate(v.cluster.policy.fragments):
        if fragment.double:
            for pm in np.flatnonzero(v.cluster.active).tolist():
                numas = list(v.cluster.numas_of(pm))
                _slots(v, kind, fragment, numas, fragment.size // len(numas))
        else:
            active = v.cluster.active[v.cluster.numa_pm]
            for numa in np.flatnonzero(active).tolist():
                _slots(v, kind, fragment, [numa], fragment.size)


def _slots(v: Variables, kind: int, fragment: Fragment, numas: list[int], share: int) -> None:
    room = (v.cluster.capacity - v.fixed)[numas, 0]
    most = int(max(0, room.min()) // share)
    if most == 0:
        return
    name = f"{fragment.name} at {numas[0]}"
    variable = v.integer(0, most, partial(_value, v, numas, share), name)
    for numa in numas:
        pairs, needs, free, staying = v.usage(numa, 0)
        total = v.total(pairs, needs)
        if staying <= free:
            v.model.add(share * variable + total <= free)
            v.covered[numa, 0] = True
            continue
        # What is over-committed has no slots until it has room.
        roomy = v.integer(0, 1, lambda values: int(values[variable.index] > 0))
        v.model.add(variable <= most * roomy)
        v.model.add(share * variable + total + (staying - free) * roomy <= staying)
    v.slots.append(Slots(kind, variable))


def _value(v: Variables, numas: list[int], share: int, values: Values) -> int:
    least = None
    for numa in numas:
        pairs = v.at_numa[numa]
        used = int(v.cluster.demand[v.vm[pairs], 0] @ values[pairs])
        free = int(v.cluster.capacity[numa, 0] - v.fixed[numa, 0]) - used
        least = max(0, free) if least is None else min(least, max(0, free))
    return (least or 0) // share


def goal(v: Variables) -> None:
    """The weighted fragment rate is at most the goal, if there is one."""
    wanted = v.cluster.policy.goal
    if wanted is None:
        return
    cluster = v.cluster
    kinds = cluster.policy.fragments
    weight = sum(one.weight for one in kinds)
    # lost * denominator <= numerator * free * weight, lost = free * weight - worth of the slots.
    factor = (wanted[1] - wanted[0]) * weight
    free, pairs, freed = _free(v)
    cpu = int(cluster.capacity[:, 0].sum()) + abs(free) + sum(map(abs, freed))
    if cpu * wanted[1] * weight >= MAX_SUM:
        raise InputError(
            f"{cluster.name}: the goal {wanted[0]}/{wanted[1]} times the cpu of the cluster does "
            "not fit into 62 bits; a fraction with a smaller denominator is needed"
        )
    worth = [kinds[slot.kind].weight * kinds[slot.kind].size * wanted[1] for slot in v.slots]
    gained = cp_model.LinearExpr.weighted_sum([slot.variable for slot in v.slots], worth)
    v.model.add(gained - factor * v.total(pairs, freed) >= factor * free)


def _free(v: Variables) -> tuple[int, list[int], list[int]]:
    """Free cpu of active PMs now, and the pairs that change it, by how much."""
    cluster = v.cluster
    before, after = cluster.active[cluster.pm[v.vm]], cluster.active[v.pm]
    change = cluster.demand[v.vm, 0] * cluster.parts[v.vm] * (before.astype(np.int64) - after)
    pairs = np.flatnonzero(change)
    return objective.free_cpu(cluster, cluster.numa), pairs.tolist(), change[pairs].tolist()


def gains(v: Variables) -> None:
    """Whoever leaves frees no more slots than its cpu reaches into; whoever comes frees none."""
    cluster = v.cluster
    moves = np.flatnonzero(~v.stays)
    vms = v.vm[moves]
    for kind, fragment in enumerate(cluster.policy.fragments):
        mine = [slot.variable for slot in v.slots if slot.kind == kind]
        if not mine or not len(moves):
            continue
        count = np.diff(cluster.numa_ptr)[cluster.pm[vms]] if fragment.double else 1
        gain = -(-cluster.demand[vms, 0] // (fragment.size // count))
        if not fragment.double:
            gain *= cluster.parts[vms]
        gain = np.where(cluster.active[cluster.pm[vms]], gain, 0)
        now = objective.slots(cluster, cluster.numa, fragment)
        v.model.add(sum(mine) - v.total(moves.tolist(), gain.tolist()) <= now)
