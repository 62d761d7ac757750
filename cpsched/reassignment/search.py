"""Local search: annealing in rounds, each as long as the clock allows, the best kept."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

import numpy as np

from cpsched.reassignment.anneal import anneal
from cpsched.reassignment.solution import Assignment
from cpsched.reassignment.state import Problem, State

if TYPE_CHECKING:
    from cpsched.incumbent import Incumbent
    from cpsched.reassignment.instance import IntArray, LongArray, Reassignment

SOURCE = "local-search"
#: Moves of one call of the kernel, between which improvements are offered.
SLICE = 200_000
#: The first temperature as a share of what a process's load costs on average, and the last as a
#: share of the first. Measured on the challenge's set A: ten times hotter wastes the time, ten
#: times colder sticks near the start.
HOT, COLD = 0.2, 1e-4
#: The end of each round, as a share of it, goes on at a temperature that accepts next to nothing.
QUENCH, QUIET = 0.05, 0.5
#: Where a resource is transient, the share of processes that are away decides how much room there
#: is to move: hot searches drift to where everything has moved and nothing can move any more. A
#: process away from home counts as so many temperatures, which vanish as it cools.
RELUCTANCE = 5.0


class LocalSearch:
    """Annealing of one instance; equal seeds and equal rounds give equal results."""

    def __init__(self, instance: Reassignment, seed: int, halt: LongArray) -> None:
        self.instance = instance
        self.best: IntArray = instance.machine
        self.moves = 0
        self._problem = Problem.of(instance)
        self._halt = halt
        self._random = np.array([(seed * 2 + 1) * 0x9E3779B97F4A7C15 % 2**64], dtype=np.uint64)
        self._state = State.of(instance, self._problem, instance.machine)
        load = (instance.requirement * instance.load_weight).sum(axis=1).mean()
        self.hot = max(1.0, HOT * float(load))
        self._reluctance = RELUCTANCE if instance.transient.any() else 0.0

    @property
    def cost(self) -> int:
        """The least cost so far, which is that of ``best``."""
        return int(self._state.costs[1])

    def start_from(self, machine: IntArray) -> None:
        """Go on from the processes on *machine*, shape (P,), which keeps all rules."""
        self._state = State.of(self.instance, self._problem, machine)
        self.best = machine

    def run(self, iterations: int, hot: float, cold: float) -> int:
        """Anneal from *hot* to *cold*; returns the least cost so far."""
        self.moves += anneal(
            *self._problem,
            *self._state,
            self._random,
            self._halt,
            iterations,
            hot,
            cold,
            self._reluctance,
        )
        self.best = self._state.best
        return self.cost

    def round(
        self, iterations: int, incumbent: Incumbent[Assignment], heat: float = 1.0
    ) -> None:
        """Anneal from *heat* times the usual temperature, offering what is better on the way."""
        hot = heat * self.hot
        cold = COLD * self.hot
        slices = max(2, round(iterations * (1 - QUENCH) / SLICE))
        size = max(1, round(iterations * (1 - QUENCH) / slices))
        for k in range(slices):
            if incumbent.done:
                return
            begin, end = (hot * (cold / hot) ** ((k + step) / slices) for step in (0, 1))
            self.offer(self.run(size, begin, end), incumbent)
        self.offer(self.run(max(1, round(iterations * QUENCH)), QUIET, QUIET), incumbent)

    def offer(self, cost: int, incumbent: Incumbent[Assignment]) -> None:
        """Offer the best, whose cost is *cost*, if it is better than what is known."""
        if incumbent.objective is None or cost < incumbent.objective:
            incumbent.offer(cost, Assignment(self.best), SOURCE)


def improve(
    instance: Reassignment,
    incumbent: Incumbent[Assignment],
    *,
    seed: int,
    deadline: float,
) -> LocalSearch:
    """Anneal until *deadline* (perf_counter) or the end of the solve.

    First two short rounds, for a good answer soon, then one that takes most of the time left, then
    others from the best answer that is known, less hot. The clock decides only how long the rounds
    are, in coarse steps, so that two runs on one machine mostly take the same steps.
    """
    search = LocalSearch(instance, seed, incumbent.halt)
    search.offer(search.cost, incumbent)
    begin = time.perf_counter()
    shares = [0.03, 0.12, 0.95]
    heat = 1.0
    iterations = 2 * SLICE
    while not incumbent.done and time.perf_counter() < deadline:
        search.round(iterations, incumbent, heat)
        now = time.perf_counter()
        rate = search.moves / max(1e-9, now - begin)
        share = shares.pop(0) if shares else 0.95
        left = max(0.0, deadline - now)
        exponent = math.floor(2 * math.log2(max(SLICE, rate * share * left)))
        iterations = round(2 ** (exponent / 2))
        if len(shares) == 0 and heat == 1.0 and search.moves > 0.5 * rate * (deadline - begin):
            heat = 0.2
        best = incumbent.solution
        if heat < 1 and best is not None:
            search.start_from(best.machine)
    return search
