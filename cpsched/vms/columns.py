"""The certifying engine of VM rescheduling: changes of NUMA nodes that prove, plans that hold."""

from __future__ import annotations

import time
from math import gcd
from typing import TYPE_CHECKING

import numpy as np

from cpsched.columns.exchange_stage import ChangePool, Stage
from cpsched.vms import objective
from cpsched.vms.exchange import exchange_of
from cpsched.vms.objective import Goal
from cpsched.vms.offering import offer
from cpsched.vms.realise import realise

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cpsched.columns.exchange import Change
    from cpsched.incumbent import Incumbent
    from cpsched.vms.instance import VmCluster
    from cpsched.vms.solution import Migrations

SOURCE = "columns"

#: Choices of changes for a stage; there are more changes for each.
_ROUNDS = 5
#: Share of the time left that all choices for a stage may take.
_ALL = 0.25
#: Share of the time left that one choice may take, and seconds that it may at least.
_SHARE, _LEAST = 0.1, 0.3
#: Attempts to realise one choice of changes.
_ATTEMPTS = 8


def obstacle(cluster: VmCluster) -> str:
    """What keeps the engine from working on *cluster*; empty if nothing."""
    policy = cluster.policy
    if policy.objective == "empty":
        return "it does not empty PMs"
    shares = np.unique(np.diff(cluster.numa_ptr)).tolist()
    if any(one.double for one in policy.fragments) and shares not in ([1], [2]):
        return "it knows slots over NUMA nodes only where all PMs have one, or all have two"
    if policy.goal is not None and not cluster.active.all():
        return "it reaches no goal where PMs are not active"
    return ""


def wanted(cluster: VmCluster) -> int | None:
    """Worth of slots that the goal of the policy asks for; None if it has none."""
    if cluster.policy.goal is None:
        return None
    numerator, denominator = cluster.policy.goal
    kinds = cluster.policy.fragments
    unit = 1000 * gcd(*(one.weight * one.cores for one in kinds))
    weight = sum(one.weight for one in kinds)
    free = objective.free_cpu(cluster, cluster.numa)
    return -(-free * weight * (denominator - numerator) // (denominator * unit))


class Columns:
    """Works through the stages of the objective; offers plans, raises bounds.

    Aims of the exchange are slots gained, moves and cost, of which the first is no stage if there
    is a goal.
    """

    def __init__(self, cluster: VmCluster, incumbent: Incumbent[Migrations]) -> None:
        self.cluster, self.incumbent = cluster, incumbent
        self.stages = objective.stages(cluster)
        self.skipped = 3 - len(self.stages)
        self.exchange = exchange_of(cluster, objective.move_limit(cluster))
        self.pool = ChangePool(self.exchange.problem)
        #: Whether a proof may take long.
        self.hard = len(self.exchange.resources) > 1 or not self.exchange.entire.all()
        self.least = [0] * len(self.stages)
        # Worth of slots once PMs that are to be empty are so, and nothing else has changed.
        empty = cluster.evacuate[cluster.numa_pm]
        cpu = np.where(empty, cluster.capacity[:, 0], cluster.free[:, 0])
        self.base = sum(
            w * int(objective.slots_at(cluster, cpu, kind).sum())
            for w, kind in zip(objective.worth(cluster), cluster.policy.fragments, strict=True)
        )

    def run(self, deadline: float) -> None:
        """All stages, as far as time and proofs reach."""
        floors: list[int] = []
        if (needed := self._needed()) is not None:
            first = Stage(self.pool, [])
            first.generate(deadline)
            if first.bound is None:
                return
            if first.bound < needed:
                self.incumbent.prove_infeasible(SOURCE)
                return
            floors.append(needed)
        while len(floors) < 3 and not self.incumbent.done:
            stage = Stage(self.pool, floors)
            stage.generate(deadline)
            if stage.bound is None:
                return
            self._raise(stage)
            best = self._solve(stage, deadline)
            if best != stage.bound:
                return
            floors.append(best)

    def _needed(self) -> int | None:
        total = wanted(self.cluster)
        return None if total is None else total - self.base

    def _digit(self, aim: int, value: int) -> int:
        """The digit of an aim's *value*, which is the least it can be for a bound."""
        stage = self.stages[aim - self.skipped]
        if stage.goal is Goal.FRAGMENTS:
            return stage.worst - self.base - value
        exchange = self.exchange
        more = [len(exchange.homeless), int(self.cluster.move_cost[exchange.homeless].sum())]
        return more[aim - 1] - value // exchange.unit

    def _raise(self, stage: Stage) -> None:
        """Take the bound of *stage*, those before being at theirs."""
        if stage.bound is None:
            return
        self.least[stage.aim - self.skipped] = max(0, self._digit(stage.aim, stage.bound))
        self.incumbent.raise_bound(objective.number(self.cluster, self.least), SOURCE)

    def _solve(self, stage: Stage, deadline: float) -> int | None:
        """Value of the best plan for *stage* that keeps the floors; None if none was found."""
        problem = self.exchange.problem
        parts = ~self.exchange.entire
        random = np.random.default_rng(0)
        best: int | None = None
        start = time.perf_counter()
        last = start + _ALL * (deadline - start)
        for round_ in range(_ROUNDS):
            whole = [c for c in self.pool.changes if not (c.leave + c.come)[parts].any()]
            at_once = [change for change in whole if problem.fits_first(change)]
            for changes in (at_once, whole):
                left = deadline - time.perf_counter()
                end = time.perf_counter() + max(_LEAST, _SHARE * left)
                chosen = stage.choose(changes, min(deadline, end))
                if chosen is None or self.incumbent.done:
                    continue
                value = sum(count * change.values[stage.aim] for change, count in chosen)
                if (best is None or value > best) and self._realised(chosen):
                    best = value
                if best == stage.bound:
                    return best
            if self.incumbent.done or time.perf_counter() >= last:
                break
            for _ in range(2**round_):
                stage.enrich(random)
        return best

    def _realised(self, chosen: Sequence[tuple[Change, int]]) -> bool:
        """Offer plans of the *chosen* changes; whether one makes all of them."""
        for seed in range(_ATTEMPTS):
            plan, complete = realise(self.exchange, chosen, seed)
            accepted = offer(self.cluster, plan, SOURCE, self.incumbent) is not False
            if (complete and accepted) or self.incumbent.done:
                return complete and accepted
        return False
