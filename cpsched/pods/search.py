"""Local search for placements: ruin and recreate, in slices that stop at once when they must.

Not touched, but respected: held pods, and pods under rules that look beyond one node (affinity,
topology spread, conflicts over zones) as well as pending pods of ``preemptionPolicy: Never`` under
a conflict. They stay where the start has them. Other pending Never pods come only to room that is
free now. On a node that runs more of a resource than it has, nothing new requests that resource.
"""

from __future__ import annotations

import time
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from cpsched.errors import InputError
from cpsched.pods.instance import PENDING
from cpsched.pods.objective import Goal, stages
from cpsched.pods.offering import offer
from cpsched.pods.ruin import HOMING, ITERATION, LIMIT, SAMPLE, ruin_recreate
from cpsched.pods.solution import Placement

if TYPE_CHECKING:
    from cpsched.incumbent import Incumbent
    from cpsched.pods.instance import Cluster, IntArray

Array = np.ndarray[Any, Any]

#: Seconds between two looks at the clock, about.
_SLICE = 0.01
#: The last check begins so many times its own length before the deadline.
_HEADROOM = 3.0
#: Pods without a place that an iteration tries.
_TRIED = 24
#: A pod of a tier is worth so many of the next tier to the annealing (the best is exact).
_TIER = 4.0
#: Temperature at the start and at the end of a round, in pods of the lowest tier.
_HOT, _COLD = 0.3, 0.03
#: Iterations of the first round, which ends with the return of pods; later ones are longer.
_ROUND = 4_000
_GROWTH = 1.6


class Search:
    """Ruin and recreate from *start* (by default from where pods are now).

    best: shape (num_pods,), node of each pod in the best placement so far. It has kept every rule
    that the kernel knows; ask ``check`` before handing it out.

    Raises InputError if *start* has another shape than one node per pod.
    """

    def __init__(self, cluster: Cluster, seed: int, start: IntArray | None = None) -> None:
        node = np.array(cluster.node if start is None else start, dtype=np.int32)
        if node.shape != (cluster.num_pods,):
            raise InputError(f"a start of {cluster.num_pods} node indices is needed")
        self.cluster = cluster
        self.best = node.copy()
        self.iterations = 0
        self._round = 0
        self._left = 0
        self._length = 0
        self._step = 64
        self._rule_start, self._rule, self._side, self._mobile = _conflicts(cluster)
        self._budgets(node)
        self._room(node)
        self._mate = self._rings()
        self._prices()
        self._home = cluster.node.copy()
        self._allowed = np.array(cluster.allowed, order="C")
        self._profile = cluster.profile.copy()
        self._rng = np.array([seed * 0x9E3779B97F4A7C15 + 0x2545F4914F6CDD1D & (1 << 64) - 1 or 1],
                             dtype=np.uint64)  # fmt: skip
        self._control = np.zeros(5, np.int64)
        self._heat = np.zeros(3)
        self._node = node
        self._value = self._values(node)
        self._best_value = self._value.copy()

    def _budgets(self, node: IntArray) -> None:
        cluster = self.cluster
        self._budget = np.full(cluster.num_pods, -1, np.int32)
        self._quota = np.array([b.allowed for b in cluster.budgets] or [0], dtype=np.int64)
        disrupted = cluster.running & (node != cluster.node)
        self._used = np.zeros_like(self._quota)
        for k, budget in enumerate(cluster.budgets):
            self._budget[budget.pods] = k
            self._used[k] = disrupted[budget.pods].sum()

    def _room(self, node: IntArray) -> None:
        """Free amounts; resources again for pending Never pods, whose room is what is free now."""
        cluster = self.cluster
        request, free = cluster.request, cluster.allocatable - cluster.usage_of(node)
        over = cluster.usage > cluster.allocatable
        share = cluster.allocatable.mean(axis=0)
        never = ~cluster.preempts & ~cluster.running
        if never.any():
            again = np.where(never[:, None], request, 0)
            now = np.maximum(cluster.allocatable - cluster.usage, 0)
            there = np.flatnonzero(never & (node >= 0))
            np.subtract.at(now, node[there], request[there])
            request, free = np.hstack((request, again)), np.hstack((free, now))
            over = np.hstack((over, np.zeros_like(over)))
            share = np.concatenate((share, np.full(len(share), np.inf)))
        self._request = np.array(request, dtype=np.int64, order="C")
        self._free = np.ascontiguousarray(free, dtype=np.int64)
        self._over = np.ascontiguousarray(over)
        used = cluster.request.sum(axis=0) > 0
        used = np.concatenate((used, np.zeros(len(share) - len(used), np.bool_)))
        weight = np.where(used, 1.0 / np.maximum(share, 1.0), 0.0)
        self._scale = weight / max(1, int(used.sum()))

    def _rings(self) -> Array:
        """Next pod of the ring of interchangeable pods, itself where there is no other."""
        cluster = self.cluster
        mate = np.arange(cluster.num_pods, dtype=np.int32)
        kinds: dict[tuple[object, ...], list[int]] = {}
        for pod in np.flatnonzero(self._mobile & (cluster.owner >= 0)).tolist():
            rules = slice(self._rule_start[pod], self._rule_start[pod + 1])
            key = (
                int(cluster.owner[pod]),
                self._request[pod].tobytes(),
                int(cluster.priority[pod]),
                int(cluster.profile[pod]),
                int(cluster.move_cost[pod]),
                int(self._budget[pod]),
                bool(cluster.preempts[pod]),
                self._rule[rules].tobytes(),
                self._side[rules].tobytes(),
            )
            kinds.setdefault(key, []).append(pod)
        for pods in kinds.values():
            for pod, following in pairwise([*pods, pods[0]]):
                mate[pod] = following
        return mate

    def _prices(self) -> None:
        cluster = self.cluster
        rank = {tier: k for k, tier in enumerate(cluster.tiers)}
        self._tier = np.array([rank[t] for t in cluster.priority.tolist()], dtype=np.int32)
        below = np.minimum(max(len(rank) - 1, 0) - self._tier, 12)
        self._absent = _TIER**below
        self._evict_cost = np.array(cluster.evict_cost)
        self._move_cost = np.array(cluster.move_cost)
        unit = float(cluster.move_cost.mean()) if cluster.num_pods else 1.0
        self._moved = cluster.move_cost / unit
        self._evicted = cluster.evict_cost / unit * cluster.running

    def _values(self, node: IntArray) -> Array:
        """Stage values in two halves, one entry for every tier in each."""
        cluster = self.cluster
        tiers = len(cluster.tiers)
        moved = cluster.running & (node >= 0) & (node != cluster.node)
        cost = np.where(moved, cluster.move_cost, 0)
        cost = cost + np.where(cluster.running & (node < 0), cluster.evict_cost, 0)
        found = np.zeros(2 * tiers, np.int64)
        np.add.at(found, self._tier[node < 0], 1)
        np.add.at(found, tiers + self._tier, cost)
        return found

    @property
    def idle(self) -> bool:
        """Whether there is nothing that the search may touch."""
        return not self._mobile.any()

    @property
    def digits(self) -> tuple[int, ...]:
        """Stage values of ``best``, as ``objective.values`` has them."""
        cluster = self.cluster
        tiers = len(cluster.tiers)
        return tuple(
            int(
                self._best_value[
                    cluster.tiers.index(stage.priority)
                    + (tiers if stage.goal is Goal.DISRUPTION else 0)
                ]
            )
            for stage in stages(cluster)
        )

    def run(
        self,
        seconds: float | None = None,
        iterations: int | None = None,
        halt: Array | None = None,
    ) -> bool:
        """Go on for *seconds* or *iterations*; return whether ``best`` became better.

        The outcome depends on the seed and the iterations alone, however they are divided.
        """
        halt = np.zeros(1, np.int64) if halt is None else halt
        before = self._best_value.copy()
        end = None if seconds is None else time.perf_counter() + seconds
        left = iterations
        while (left is None or left > 0) and halt[0] == 0 and self._mobile.any():
            now = time.perf_counter()
            if end is not None and now >= end:
                break
            step = self._step if left is None else min(left, self._step)
            done = self._slice(step, halt)
            if left is not None:
                left -= step
            spent = time.perf_counter() - now
            if done == step and spent < _SLICE / 2:
                self._step = min(2 * self._step, 1 << 16)
            elif spent > _SLICE and self._step > 16:
                self._step //= 2
        return bool((before != self._best_value).any())

    def _slice(self, step: int, halt: Array) -> int:
        """Up to *step* iterations, cut where the temperature or the round changes."""
        before = self.iterations
        while step > 0 and halt[0] == 0:
            if self._left == 0:
                self._begin_round()
            done = self._length - self._left
            part = min(step, self._left, self._grain - done % self._grain)
            progress = (done - done % self._grain) / self._length
            homing = self._round % 2 == 0
            hot, cold = (0.5, 0.05) if homing else (_HOT, _COLD)
            self._heat[:] = hot * (cold / hot) ** progress, 0.0 if homing else 0.5, 0.3
            self._control[LIMIT], self._control[SAMPLE] = part, _TRIED
            self._control[HOMING] = homing
            self._kernel(homing, halt)
            self._left -= part
            step -= part
            self.iterations = int(self._control[ITERATION])
        return self.iterations - before

    def _kernel(self, homing: bool, halt: Array) -> None:
        # While pods return, no placement is worth less; while they are placed, moves are cheap.
        absent = self._absent * (20.0 if homing else 1.0)
        share = 1.0 if homing else 0.002
        ruin_recreate(
            self._home, self._node, self.best, self._request, self._free, self._over,
            self._allowed, self._profile, self._mobile, self._mate, self._rule_start, self._rule,
            self._side, self._budget, self._used, self._quota, self._tier,
            self._evict_cost, self._move_cost, absent, self._evicted * share,
            self._moved * share, self._scale, self._value, self._best_value, self._control,
            self._heat, self._rng, halt,
        )  # fmt: skip

    def _begin_round(self) -> None:
        """Rounds of placing and of returning take turns, each from the best."""
        self._round += 1
        self._length = int(_ROUND * _GROWTH ** (min(self._round, 20) // 2))
        self._left = self._length
        self._grain = max(1, self._length // 50)
        self._restore()

    def back_to(self, placement: Placement) -> None:
        """Forget what was found since *placement*."""
        self.best[:] = placement.node
        self._best_value = self._values(placement.node)
        self._left = 0

    def _restore(self) -> None:
        self._node[:] = self.best
        self._value[:] = self._best_value
        self._budgets(self._node)
        self._room(self._node)


def _conflicts(cluster: Cluster) -> tuple[Array, Array, Array, Array]:
    """Conflicts within nodes, per pod: starts, rules, sides; and which pods the search moves."""
    mobile = ~cluster.is_held
    sides: list[dict[int, int]] = [{} for _ in range(cluster.num_pods)]
    for k, conflict in enumerate(cluster.conflicts):
        labelled = conflict.domain[conflict.domain >= 0]
        # A node without the label knows no such conflict: one node a domain, and all of them.
        if len(labelled) == cluster.num_nodes == len(np.unique(labelled)):
            for pods, bit in ((conflict.holders, 1), (conflict.targets, 2)):
                for pod in pods.tolist():
                    sides[pod][k] = sides[pod].get(k, 0) | bit
        else:
            mobile[conflict.holders] = False
            mobile[conflict.targets] = False
    for affinity in cluster.affinities:
        mobile[affinity.holders] = False
        mobile[affinity.targets] = False
    for spread in cluster.spreads:
        mobile[spread.holders] = False
        mobile[spread.counted] = False
    never = ~cluster.preempts & (cluster.node == PENDING)
    for pod in np.flatnonzero(never).tolist():
        mobile[pod] &= not sides[pod]
    start = np.zeros(cluster.num_pods + 1, np.int32)
    start[1:] = np.cumsum([len(entry) for entry in sides])
    rule = np.array([k for entry in sides for k in entry], dtype=np.int32)
    side = np.array([bit for entry in sides for bit in entry.values()], dtype=np.int32)
    return start, rule, side, mobile


def improve(
    cluster: Cluster,
    incumbent: Incumbent[Placement],
    *,
    seed: int,
    start: IntArray | None = None,
    deadline: float | None = None,
) -> None:
    """Search until *incumbent* is done or the clock (``time.perf_counter``) is at *deadline*.

    Every better placement that ``check`` passes is offered; what it does not pass is left out.
    """
    search = Search(cluster, seed, start)
    known = Placement(search.best)
    offered: bytes = b""
    next_offer = 0.0
    pause = 0.02
    while True:
        now = time.perf_counter()
        last = incumbent.deadline if deadline is None else min(deadline, incumbent.deadline)
        over = incumbent.done or now >= last
        key = search.best.tobytes()
        # The last check has to begin in time.
        due = over or now + _HEADROOM * incumbent.reserved >= last - 2 * _SLICE
        if key != offered and (now >= next_offer or due):
            offered = key
            accepted = offer(cluster, search.best, "search", incumbent)
            if accepted:
                known = Placement(search.best)
            elif accepted is False:  # by a rule that the kernel does not know
                search.back_to(known)
                offered = search.best.tobytes()
            # Checks take a tenth of the time at most, and some ten a second.
            pause = max(min(2 * pause, 0.1), 10 * (time.perf_counter() - now))
            next_offer = time.perf_counter() + pause
        if over or search.idle:
            return
        search.run(seconds=_SLICE, halt=incumbent.halt)
