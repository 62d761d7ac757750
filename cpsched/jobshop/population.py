"""Memetic search: a shared pool of elite schedules, path relinking, tabu search on children.

The scheme is TS/PR of Peng, Lu & Cheng (2015), made asynchronous: threads share one pool and run
the kernels without the interpreter lock. Members of the pool keep a minimum distance from each
other, and a pool that brings nothing new for long is dropped and started again; without either
it collapses to one schedule.
"""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cpsched.errors import StopRequestedError
from cpsched.jobshop import tabu
from cpsched.jobshop.dispatch import roll_out
from cpsched.jobshop.relinking import distance, relink

if TYPE_CHECKING:
    from collections.abc import Callable

    from cpsched.incumbent import Incumbent
    from cpsched.jobshop.arrays import Arrays
    from cpsched.jobshop.dispatch import Halt
    from cpsched.jobshop.graph import IndexArray
    from cpsched.jobshop.instance import IntArray
    from cpsched.jobshop.solution import Schedule


@dataclass(frozen=True, slots=True)
class SearchParams:
    """Settings of the memetic search, chosen on ta and la instances.

    pool_size: members of a full pool; patience: iterations of tabu search without improvement
    before a child is done, beyond 1,000 operations times (operations / 1,000) ** 1.6;
    neighbourhood: 5, 6 or 7 (see ``tabu``); tenure: tabu tenures are drawn from [low, 2 low) with
    low this share of 10 + jobs / machines, beyond 1,000 operations times up to 32, (operations /
    1,000) ** 1.2; reach: how much of the way from one parent to the other a child goes, as the
    ends of a uniform range; min_distance: least distance between members, as a share of all pairs
    of operations on one machine; restart_after: children without a new best of the pool after
    which it is dropped.

    Tenure and patience decide on large instances. A 100x100 of the uniform law (seed 1, two
    threads) is after 15 s at 7.7 % above the same reference with the tenure that is best up to
    30x20 and at 4.1 % with 5.6 times that; after 30 s at 3.8 % so and at 2.8 % with 16 times the
    tenure and 4 times the patience (500,000 instead of 125,000 iterations).
    """

    pool_size: int = 8
    patience: int = 12_500
    neighbourhood: int = 6
    tenure: float = 0.35
    reach: tuple[float, float] = (0.3, 0.7)
    min_distance: float = 0.02
    restart_after: int = 200

    @classmethod
    def for_size(cls, num_ops: int) -> SearchParams:
        """Settings for an instance of so many operations.

        Beyond 5,000 a trajectory takes many seconds: two of them fill the pool, and children stay
        close to a parent, because a far one does not come down again in time.
        """
        return cls(pool_size=2, reach=(0.05, 0.2)) if num_ops > 5_000 else cls()


@dataclass(frozen=True, slots=True, eq=False)
class Member:
    """An elite schedule: its makespan and its topological order, shape (num_ops,)."""

    makespan: int
    order: IndexArray


class Population:
    """The pool and the search of one solve; ``search`` runs once per thread."""

    def __init__(
        self, arrays: Arrays, incumbent: Incumbent[Schedule], params: SearchParams
    ) -> None:
        self.arrays = arrays
        self.incumbent = incumbent
        self.params = params
        self.members: list[Member] = []
        self.seeds: list[IndexArray] = []
        self.restarts = 0
        self.children = 0
        self.iterations = 0
        self._stale = 0
        self._lock = threading.Lock()
        counts = np.bincount(arrays.machine, minlength=arrays.num_machines)
        self._pairs = int((counts * (counts - 1) // 2).sum())

    def search(self, seed: int, between: Callable[[], None] | None = None) -> None:
        """Improve the incumbent until it is done; random choices follow *seed*.

        The kernels look at ``Incumbent.halt``: this returns soon after the end if somebody waits
        for the incumbent, who notices it, and otherwise once the kernel that is running is done.

        between: called by this thread between two trajectories.
        """
        walk = _Walk(self.arrays, self.params, seed)
        while not self.incumbent.done:
            if between is not None:
                between()
            try:
                generation = self._next_start(walk)
            except StopRequestedError:
                return
            member = self._improve(walk)
            # At a million operations the distances to the pool take a quarter of a second.
            if not self.incumbent.done:
                self._admit(member, generation)

    def _next_start(self, walk: _Walk) -> int:
        """Set the walk on a new schedule or on a child of two members; returns the generation."""
        with self._lock:
            generation = self.restarts
            parents = None
            if self.seeds:
                walk.order[:] = self.seeds.pop()
                return generation
            if len(self.members) >= self.params.pool_size:
                first, second = walk.generator.choice(len(self.members), 2, replace=False)
                parents = self.members[first].order, self.members[second].order
        if parents is None:
            walk.start_random(self.incumbent.halt)
        else:
            walk.start_between(*parents)
        return generation

    def _improve(self, walk: _Walk) -> Member:
        incumbent = self.incumbent
        walk.begin()
        while True:
            iterations, reason = walk.run(incumbent.bound or 0, incumbent.halt)
            self.iterations += iterations
            makespan = walk.best_makespan
            if incumbent.objective is None or makespan < incumbent.objective:
                incumbent.offer(makespan, self.arrays.schedule(walk.best), "tabu")
            if reason == tabu.OPTIMAL:
                incumbent.raise_bound(makespan, "critical path")
            if reason != tabu.AT_LIMIT or incumbent.done:
                return Member(makespan, walk.best.copy())

    def _admit(self, member: Member, generation: int) -> None:
        """Put *member* in the pool if it is better than what it would stand for there."""
        arrays, params = self.arrays, self.params
        with self._lock:
            if generation != self.restarts:
                return
            self.children += 1
            members = self.members
            was_full = len(members) >= params.pool_size
            best = min((other.makespan for other in members), default=None)
            near = [
                other
                for other in members
                if distance(member.order, other.order, arrays.machine, arrays.num_machines)
                <= params.min_distance * self._pairs
            ]
            if near:
                if member.makespan <= min(other.makespan for other in near):
                    self.members = [other for other in members if other not in near] + [member]
            elif not was_full:
                members.append(member)
            else:
                worst = max(range(len(members)), key=lambda k: members[k].makespan)
                if member.makespan < members[worst].makespan:
                    members[worst] = member
            improved = best is None or member.makespan < best
            self._stale = 0 if improved or not was_full else self._stale + 1
            if self._stale >= params.restart_after:
                self._stale = 0
                self.restarts += 1
                self.members = []


class _Walk:
    """One thread's state: the current order, the tabu list, the random generators."""

    def __init__(self, arrays: Arrays, params: SearchParams, seed: int) -> None:
        n = arrays.num_ops
        self.arrays = arrays
        self.params = params
        self.generator = np.random.default_rng(seed)
        self.order: IndexArray = np.empty(n, np.uint32)
        self.best: IndexArray = np.empty(n, np.uint32)
        self._rng = self.generator.integers(1, 2**63, size=1).astype(np.uint64)
        # Arcs are hashed by (operation, job); up to 2**22 slots the hash is exact.
        slots = 1 << min(22, max(6, math.ceil(math.log2(n * arrays.num_jobs + 1))))
        self._tabu: IntArray = np.zeros(slots, np.int32)
        self._control = np.zeros(tabu.CONTROL_SLOTS, np.int64)
        self._control[tabu.NEIGHBOURHOOD] = params.neighbourhood
        thousands = max(1.0, n / 1000)
        tenure = params.tenure * (10 + arrays.num_jobs / arrays.num_machines)
        self._control[tabu.TENURE] = max(2, round(tenure * min(32.0, thousands**1.2)))
        self._control[tabu.PATIENCE] = round(params.patience * thousands**1.6)
        # A call of the kernel lasts some tens of milliseconds.
        self._control[tabu.LIMIT] = max(10, min(20_000, 10_000_000 // max(1, n)))

    @property
    def best_makespan(self) -> int:
        """Makespan of ``best``."""
        return int(self._control[tabu.BEST])

    def start_random(self, halt: Halt) -> None:
        """Start from a randomised roll-out of a linear score in the active frame.

        Raises StopRequestedError once *halt* says so.
        """
        uniform = self.generator.uniform
        terms = {
            "duration": -uniform(0, 2),
            "remaining_work": uniform(0, 1),
            "start": -uniform(0.5, 3),
            "random": uniform(0, 2) * float(self.arrays.p.mean()),
        }
        seed = int(self.generator.integers(2**31))
        _, self.order = roll_out(self.arrays, terms, active=True, seed=seed, halt=halt)

    def start_between(self, first: IndexArray, second: IndexArray) -> None:
        """Start from a schedule on the way between two others."""
        arrays = self.arrays
        self.order[:] = first
        apart = distance(first, second, arrays.machine, arrays.num_machines)
        steps = int(apart * self.generator.uniform(*self.params.reach))
        relink(
            self.order,
            second,
            steps,
            arrays.jp,
            arrays.js,
            arrays.machine,
            arrays.num_machines,
            self._rng,
        )

    def begin(self) -> None:
        """A new trajectory starts at ``order``."""
        control = self._control
        if control[tabu.ITERATION] > 2**30:
            # Tabu marks are 32-bit iteration numbers.
            control[tabu.ITERATION] = 0
            self._tabu[:] = 0
        control[tabu.BEST] = np.iinfo(np.int32).max
        control[tabu.IMPROVED_AT] = control[tabu.ITERATION]

    def run(self, target: int, halt: Halt) -> tuple[int, int]:
        """Some tens of milliseconds of tabu search: iterations made and reason of the return."""
        arrays, control = self.arrays, self._control
        before = int(control[tabu.ITERATION])
        control[tabu.TARGET] = target
        reason = tabu.tabu_search(
            self.order,
            self.best,
            arrays.p,
            arrays.jp,
            arrays.js,
            arrays.job,
            arrays.machine,
            arrays.num_machines,
            arrays.job_last,
            self._tabu,
            self._rng,
            control,
            halt,
        )
        return int(control[tabu.ITERATION]) - before, int(reason)
