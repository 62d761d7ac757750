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
HOT, COLD = 0.5, 1e-4
#: First temperature of further rounds, as a share of that of the first one, unless more than this
#: share of the time is left.
REHEAT, ANEW = 0.1, 0.3
#: First temperatures of ``polish``, as shares of the usual one, in turn.
HEATS = (1e-6, 1e-2, 1e-4, 5e-2, 1e-3)
#: The end of each round, as a share of it, goes on at a temperature that accepts next to nothing.
QUENCH, QUIET = 0.05, 0.5
#: Where resources are transient, the processes that are away decide how much room there is to
#: move: hot searches drift to where everything has moved and nothing can move any more. A process
#: away from home counts as so many temperatures, which vanish as it cools.
RELUCTANCES = (5.0, 0.0)
#: Short rounds with each first temperature, as a share of the usual one, and reluctance decide
#: which pair is best for an instance; share of the time of each round.
CANDIDATES = tuple((heat, reluctance) for heat in (1.0, 0.1) for reluctance in RELUCTANCES)
RACE = 0.04


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
        self.reluctance = RELUCTANCES[0]

    @property
    def cost(self) -> int:
        """The least cost so far, which is that of ``best``."""
        return int(self._state.costs[1])

    def start_from(self, machine: IntArray) -> None:
        """Go on from the processes on *machine*, shape (P,), which keeps all rules."""
        self._state = State.of(self.instance, self._problem, machine)
        self.best = machine

    def take(self, incumbent: Incumbent[Assignment]) -> None:
        """Go on from the best answer that is known."""
        if incumbent.solution is not None:
            self.start_from(incumbent.solution.machine)

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
            self.reluctance,
        )
        self.best = self._state.best
        return self.cost

    def round(self, iterations: int, incumbent: Incumbent[Assignment], heat: float = 1.0) -> None:
        """Anneal from *heat* times the usual temperature, offering what is better on the way."""
        hot = max(QUIET, heat * self.hot)
        cold = max(QUIET, COLD * hot)
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


def improve(search: LocalSearch, incumbent: Incumbent[Assignment], deadline: float) -> None:
    """Anneal until *deadline* (perf_counter) or the end of the solve.

    First near where the processes are, then a short round for each of ``CANDIDATES``, then one
    that takes the time left as the best of them did, then others from the best answer that is
    known, less hot. The clock decides only how long the rounds are, in coarse steps, so that two
    runs on one machine mostly take the same steps.
    """
    begin, before = time.perf_counter(), search.moves
    total = deadline - begin
    home = search.instance.machine

    def affordable(share: float) -> int:
        """Moves of *share* of the time, as fast as it went so far."""
        rate = (search.moves - before) / max(1e-9, time.perf_counter() - begin)
        return _coarse(rate * share * total)

    search.offer(search.run(SLICE, QUIET, QUIET), incumbent)
    iterations = affordable(RACE)
    found = []
    for heat, search.reluctance in CANDIDATES:
        search.start_from(home)
        search.round(iterations, incumbent, heat)
        found.append(search.cost)
    heat, search.reluctance = CANDIDATES[found.index(min(found))]
    search.start_from(home)
    while not incumbent.done and (left := deadline - time.perf_counter()) > 0:
        # Much time is left if the machine turned out faster than it was at first.
        cooler = 1.0 if left > ANEW * total else REHEAT
        if cooler < 1:
            search.take(incumbent)
        search.round(affordable(left / total), incumbent, cooler * heat)


def polish(search: LocalSearch, incumbent: Incumbent[Assignment], deadline: float) -> None:
    """Anneal from the best answer known, a little, with one temperature after the other."""
    turn = 0
    begin, before = time.perf_counter(), search.moves
    iterations = 2 * SLICE
    while not incumbent.done and time.perf_counter() < deadline:
        search.take(incumbent)
        search.round(iterations, incumbent, HEATS[turn % len(HEATS)])
        turn += 1
        now = time.perf_counter()
        rate = (search.moves - before) / max(1e-9, now - begin)
        left = max(0.0, deadline - now) / max(1, len(HEATS) - turn)
        iterations = _coarse(rate * left)


def _coarse(iterations: float) -> int:
    """The power of the square root of 2 that is next below."""
    return round(2 ** (math.floor(2 * math.log2(max(SLICE, iterations))) / 2))
