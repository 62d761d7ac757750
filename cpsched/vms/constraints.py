"""The rules of VM rescheduling as constraints, one function per family, the contents at the end.

All say of the final state what follows for it from the rules that ``cpsched.vms.check`` asks of
every step: what stays is let be, rules are asked of arrivals, VMs on a place where they are not
now. Every state that a plan leads to keeps them; that a plan leads there is not in them.
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from cpsched.vms.slots import goal, slots

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cpsched.arrays import IntArray
    from cpsched.vms.groups import Group
    from cpsched.vms.instance import VmCluster
    from cpsched.vms.variables import Variables


def one_place(v: Variables) -> None:
    """A VM has one place."""
    for first, end in v.groups:
        v.model.add_exactly_one(v.pairs[first:end])


def evacuation(v: Variables) -> None:
    """Nothing stays on PMs that are to be emptied."""
    v.forbid(np.flatnonzero(v.stays & v.cluster.evacuate[v.pm]).tolist())


def move_limit(v: Variables) -> None:
    """No more VMs change their place than the migration limit allows."""
    limit = v.cluster.policy.max_moves
    moves = np.flatnonzero(~v.stays).tolist()
    if limit is not None and limit < len(v.groups) and moves:
        v.model.add(v.total(moves, [1] * len(moves)) <= limit)


def capacity(v: Variables) -> None:
    """NUMA nodes hold what they have; one that runs more accepts nothing of it until it has room.

    Left out where another constraint implies it: that of slots, or that of cpu where no VM asks
    for so much of the other resource a core that it could run out first.
    """
    for numa in range(v.cluster.num_numa):
        for resource in range(len(v.cluster.resources)):
            if not v.covered[numa, resource] and not _implied(v, numa, resource):
                _hold(v, numa, resource)


def _implied(v: Variables, numa: int, resource: int) -> bool:
    """Whether cpu runs out on *numa* no later than *resource*, whoever comes."""
    if resource == 0:
        return False
    demand = v.cluster.demand[v.vm[v.at_numa[numa]]]
    room = v.cluster.capacity[numa] - v.fixed[numa]
    staying = demand[v.stays[v.at_numa[numa]]].sum(axis=0)
    if (staying > room).any() or room[0] <= 0:
        return False
    # In floats: amounts are below 2^60, so that their products would overflow.
    share = demand[:, resource] * float(room[0])
    return bool((share <= demand[:, 0] * float(room[resource]) * (1 - 1e-9)).all())


def _hold(v: Variables, numa: int, resource: int) -> None:
    pairs, needs, free, staying = v.usage(numa, resource)
    if sum(needs) <= free:
        return
    if staying <= free:
        v.model.add(v.total(pairs, needs) <= free)
        return
    arriving = [pair for pair in pairs if not v.stays[pair]]
    if free < 0:
        v.forbid(arriving)
    elif (opened := v.any(arriving)) is not None:
        v.model.add(v.total(pairs, needs) + (staying - free) * opened <= staying)


def room_for_all(v: Variables) -> None:
    """All that come to a NUMA node find room there before anybody leaves."""
    for numa in range(v.cluster.num_numa):
        for resource in range(len(v.cluster.resources)):
            if _implied(v, numa, resource):
                continue
            pairs, needs, _, _ = v.usage(numa, resource)
            coming = [(p, need) for p, need in zip(pairs, needs, strict=True) if not v.stays[p]]
            free = int(v.cluster.free[numa, resource])
            fits = [(pair, need) for pair, need in coming if need <= free]
            v.forbid(pair for pair, need in coming if need > free)
            if fits and sum(need for _, need in fits) > free:
                v.model.add(v.total(*map(list, zip(*fits, strict=True))) <= free)


def apart(v: Variables) -> None:
    """At most so many of a group in a domain, and none beside a VM it conflicts with.

    Asked of VMs that come to the domain; those that begin there may be too many already.
    """
    pms = v.cluster.domain("pm")
    for clique in cliques(v.cluster):
        _at_most(v, clique, pms, 1)
    for group in v.cluster.groups:
        if group.apart:
            _at_most(v, group.vms, v.cluster.domain(group.scope), group.most)


def _at_most(v: Variables, vms: IntArray, domain: IntArray, most: int) -> None:
    home = domain[v.cluster.pm[vms]]
    pinned = v.cluster.is_pinned[vms]
    for where, pairs in _by_domain(v, vms, domain):
        arriving = pairs[domain[v.cluster.pm[v.vm[pairs]]] != where].tolist()
        room = most - int((pinned & (home == where)).sum())
        if not arriving or len(np.unique(v.vm[pairs])) <= room:
            continue
        literals = v.literals(pairs.tolist())
        if room <= 0:
            v.forbid(arriving)
        elif int((home == where).sum()) > most:
            total = v.total(pairs.tolist(), [1] * len(pairs))
            for pair in arriving:
                v.model.add(total <= room).only_enforce_if(v.pairs[pair])
        elif room == 1:
            v.model.add_at_most_one(literals)
        else:
            v.model.add(v.total(pairs.tolist(), [1] * len(pairs)) <= room)


def _by_domain(v: Variables, vms: IntArray, domain: IntArray) -> Iterator[tuple[int, IntArray]]:
    """Each domain in which *vms* may be, and their pairs there."""
    pairs = np.array([pair for vm in vms.tolist() for pair in v.of(vm)], np.int32)
    where = domain[v.pm[pairs]]
    order = np.lexsort((pairs, where))
    pairs, where = pairs[order], where[order]
    ends = np.flatnonzero(np.diff(where)) + 1
    for here in np.split(pairs, ends) if len(pairs) else ():
        yield int(domain[v.pm[here[0]]]), here


def cliques(cluster: VmCluster) -> list[IntArray]:
    """Sets of VMs that conflict with one another, so that every conflict is in one; greedily."""
    partners = {
        vm: set(cluster.partners_of(vm).tolist()) for vm in np.unique(cluster.conflicts).tolist()
    }
    done: set[tuple[int, int]] = set()
    found = []
    for one, other in cluster.conflicts.tolist():
        if (one, other) in done:
            continue
        clique, common = [one, other], partners[one] & partners[other]
        while common:
            more = min(common)
            clique.append(more)
            common &= partners[more]
        done.update(combinations(sorted(clique), 2))
        found.append(np.array(sorted(clique), np.int32))
    return found


def together(v: Variables) -> None:
    """A VM comes to a domain only where all others of its affinity group are.

    Once together, none can leave: so only one VM, of a group of which all others begin together,
    may change its domain, or one of two. That is stronger than what it says of the final state,
    and holds in all that plans lead to.
    """
    for group in v.cluster.groups:
        if not group.apart and len(group.vms) > 1:
            _keep_together(v, group)


def _keep_together(v: Variables, group: Group) -> None:
    domain = v.cluster.domain(group.scope)
    home = domain[v.cluster.pm[group.vms]]
    coming: list[int] = []
    for k, vm in enumerate(group.vms.tolist()):
        others = np.unique(np.delete(home, k))
        there = int(others[0]) if len(others) == 1 else int(home[k])
        pairs = list(v.of(vm))
        where = domain[v.pm[pairs]] if pairs else np.zeros(0, np.int32)
        v.forbid(np.array(pairs)[(where != home[k]) & (where != there)].tolist())
        coming += [p for p, at in zip(pairs, where, strict=True) if at == there != home[k]]
    # Two that are apart may not swap sides.
    if len(group.vms) == 2 and coming:
        v.model.add_at_most_one(v.literals(coming))


#: Every family of constraints; slots come before the capacity that they imply.
CONSTRAINTS = (one_place, evacuation, move_limit, slots, goal, capacity, apart, together)
