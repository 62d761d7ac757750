"""Search for plans where proofs end: annealing over final states, then an order for the best."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from cpsched.vms import objective
from cpsched.vms.anneal_kernel import (
    AWAY,
    BEST,
    BEST_AWAY,
    CONTROL,
    LIMIT,
    STATE,
    STEPS,
    WORTH,
    anneal,
)
from cpsched.vms.offering import offer
from cpsched.vms.ordering import NoPlanError, make_plan

if TYPE_CHECKING:
    from cpsched.arrays import IntArray
    from cpsched.incumbent import Incumbent
    from cpsched.vms.instance import VmCluster
    from cpsched.vms.solution import Migrations

#: Trials of one call of the kernel: some milliseconds.
_SLICE = 20_000
#: Temperatures at the beginning and at the end of a round, in units of the least worth of a slot;
#: price of a VM away from home likewise.
_HOT, _COLD, _PRICE = 0.1, 0.02, 0.02
#: Calls of the first round; later ones are longer by a factor.
_ROUND, _GROWTH = 40, 1.5


def obstacle(cluster: VmCluster) -> str:
    """What keeps the search from working on *cluster*; empty if nothing."""
    if cluster.policy.objective != "fragments":
        return "it knows the objective 'fragments' only"
    return ""


class Search:
    """Annealing from the state *start*, shape (num_vms, 2), by default the current one.

    best: the best state so far, by worth of slots, then number of VMs away from home.
    """

    def __init__(self, cluster: VmCluster, seed: int, start: IntArray | None = None) -> None:
        begin = cluster.numa if start is None else start
        self.cluster = cluster
        self.best = begin.astype(np.int64)
        together = [group for group in cluster.groups if not group.apart]
        movable = ~cluster.is_pinned & ~cluster.evacuate[cluster.pm]
        for group in together:
            movable[group.vms] = False
        self.movable = np.flatnonzero(movable)
        self.control = np.zeros(CONTROL, dtype=np.int64)
        self.control[LIMIT] = objective.move_limit(cluster)
        self.control[STATE] = (seed * 0x9E3779B97F4A7C15 + 0x2545F4914F6CDD1D) & (2**62 - 1) | 1
        self.heat = np.zeros(2)
        kinds = list(zip(cluster.policy.fragments, objective.worth(cluster), strict=True))
        self.least = min(worth for _, worth in kinds)
        self._slots = [
            np.array(list(pairs), dtype=np.int64).reshape(-1, 2).T.copy()
            for pairs in (
                [(kind.size, worth) for kind, worth in kinds if kind.double == double]
                for double in (False, True)
            )
        ]
        self._rules()
        self._restore()
        self.control[BEST], self.control[BEST_AWAY] = self.control[WORTH], self.control[AWAY]

    def _rules(self) -> None:
        cluster = self.cluster
        pointers = [cluster.partners_of(vm) for vm in range(cluster.num_vms)]
        self.partner_ptr = np.zeros(cluster.num_vms + 1, dtype=np.int64)
        self.partner_ptr[1:] = np.cumsum([len(partners) for partners in pointers])
        none = [np.zeros(0, dtype=np.int32)]
        self.partner = np.concatenate(pointers or none).astype(np.int64)
        apart = [group for group in cluster.groups if group.apart]
        self.most = np.array([group.most for group in apart], dtype=np.int64)
        domains = [cluster.domain(group.scope) for group in apart]
        shape = (len(apart), cluster.num_pms)
        self.domain = np.array(domains, dtype=np.int64).reshape(shape)
        members: list[list[int]] = [[] for _ in range(cluster.num_vms)]
        for number, group in enumerate(apart):
            for vm in group.vms.tolist():
                members[vm].append(number)
        self.group_ptr = np.zeros(cluster.num_vms + 1, dtype=np.int64)
        self.group_ptr[1:] = np.cumsum([len(groups) for groups in members])
        self.group = np.array([g for groups in members for g in groups], dtype=np.int64)
        self.apart = apart
        self.opens = cluster.allowed & ~cluster.closed

    def _restore(self) -> None:
        """Begin from the best."""
        cluster = self.cluster
        self.numa = self.best.copy()
        numa = self.numa.astype(np.int32)
        self.at = cluster.numa_pm[numa[:, 0]].astype(np.int64)
        self.free = np.ascontiguousarray(cluster.capacity - cluster.usage_of(numa))
        width = int(self.domain.max(initial=-1)) + 1
        self.count = np.zeros((len(self.apart), width), dtype=np.int64)
        for number, group in enumerate(self.apart):
            np.add.at(self.count[number], self.domain[number, self.at[group.vms]], 1)
        self.control[AWAY] = int((numa != cluster.numa).any(axis=1).sum())
        kinds = zip(cluster.policy.fragments, objective.worth(cluster), strict=True)
        self.control[WORTH] = sum(w * objective.slots(cluster, numa, kind) for kind, w in kinds)

    def run(self, halt: np.ndarray, calls: int) -> None:
        """One round of *calls* to the kernel, from hot to cold, from the best."""
        cluster = self.cluster
        self._restore()
        arrays = (
            cluster.parts.astype(np.int64),
            cluster.demand.astype(np.int64),  # a copy: the kernel asks for arrays it may write
            self.movable,
            self.free,
            cluster.numa_pm.astype(np.int64),
            cluster.numa_ptr.astype(np.int64),
            cluster.active.astype(np.int64),
            np.ascontiguousarray(self.opens),
            cluster.profile.astype(np.int64),
            self.partner_ptr,
            self.partner,
            self.group_ptr,
            self.group,
            self.domain,
            self.count,
            self.most,
            self._slots[0][0],
            self._slots[0][1],
            self._slots[1][0],
            self._slots[1][1],
        )
        home = cluster.numa.astype(np.int64)
        self.control[STEPS] = _SLICE
        for call in range(calls):
            if halt[0] or not len(self.movable):
                return
            self.heat[0] = self.least * _HOT * (_COLD / _HOT) ** (call / calls)
            self.heat[1] = self.least * _PRICE
            anneal(self.numa, home, self.best, *arrays, self.at, self.control, self.heat, halt)


def improve(cluster: VmCluster, incumbent: Incumbent[Migrations], *, seed: int) -> None:
    """Search until *incumbent* is done; every better state to which a plan leads is offered."""
    known = incumbent.solution
    search = Search(cluster, seed, None if known is None else known.end(cluster))
    calls = float(_ROUND)
    tried = b""
    while not incumbent.done and len(search.movable):
        search.run(incumbent.halt, int(calls))
        calls *= _GROWTH
        state = search.best.astype(np.int32)
        if state.tobytes() == tried:
            continue
        tried = state.tobytes()
        begin = time.perf_counter()
        try:
            plan = make_plan(cluster, state)
        except NoPlanError:
            search = Search(cluster, seed + 1, None if known is None else known.end(cluster))
            continue
        if offer(cluster, plan, "search", incumbent):
            known = plan
            # The next plan is likely to take as long, and to be checked once more.
            incumbent.reserve(1.3 * (time.perf_counter() - begin))
