"""Large-neighbourhood search: the processes of a few machines are placed anew by CP-SAT.

After entries of the challenge that fix all but a few machines and hand those to a constraint
solver: Mehta, O'Sullivan and Simonis, "Comparing solution methods for the machine reassignment
problem", CP 2012.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from cpsched import cpsat
from cpsched.incumbent import Incumbent
from cpsched.reassignment.cost import machine_costs, usage
from cpsched.reassignment.model import formulate
from cpsched.reassignment.solution import Assignment
from cpsched.result import Status

if TYPE_CHECKING:
    from cpsched.reassignment.instance import IntArray, Reassignment

SOURCE = "lns"
#: Seconds that one neighbourhood may take.
_SECONDS = 3.0
#: Processes that are free at first, at least and at most; more after each proof, fewer after each
#: neighbourhood that was not settled in time.
_FIRST, _LEAST, _MOST = 40.0, 12.0, 400.0
_GROWTH, _SHRINKAGE = 1.05, 0.85


class _Part(Incumbent[Assignment]):
    """Best of one neighbourhood; over when the whole solve is."""

    def __init__(self, whole: Incumbent[Assignment], seconds: float) -> None:
        super().__init__(min(seconds, whole.remaining))
        self._whole = whole

    @property
    def done(self) -> bool:
        """Whether the neighbourhood or the solve is over."""
        return self._whole.done or super().done


class Neighbourhoods:
    """Neighbourhoods of the best assignment known, one after the other."""

    def __init__(
        self, instance: Reassignment, incumbent: Incumbent[Assignment], seed: int, workers: int
    ) -> None:
        self._instance, self._incumbent, self._workers = instance, incumbent, workers
        self._random = np.random.default_rng(seed)
        self._size = _FIRST

    def run(self, deadline: float) -> None:
        """Improve the best assignment, of which there must be one, until *deadline*."""
        while not self._incumbent.done and time.perf_counter() < deadline:
            self.step(min(_SECONDS, deadline - time.perf_counter()))

    def step(self, seconds: float) -> None:
        """Solve one neighbourhood, within *seconds*."""
        best, objective = self._incumbent.solution, self._incumbent.objective
        if best is None or objective is None:
            raise ValueError("a neighbourhood needs an assignment to start from")
        targets = self._machines(best.machine)
        free = np.flatnonzero(np.isin(best.machine, targets)).astype(np.int32)
        formulation = formulate(self._instance, free=free, targets=targets, around=best.machine)
        formulation.hint(best)
        part = _Part(self._incumbent, seconds)
        outcome = cpsat.run(
            formulation,
            part,
            workers=self._workers,
            seed=int(self._random.integers(2**31 - 1)),
            source=SOURCE,
        )
        if part.objective is not None and part.solution is not None:
            self._incumbent.offer(part.objective, part.solution, SOURCE)
        settled = outcome.status is Status.OPTIMAL
        self._size *= _GROWTH if settled else _SHRINKAGE
        self._size = min(_MOST, max(_LEAST, self._size))

    def _machines(self, machine: IntArray) -> IntArray:
        """Machines to free: one that costs much, or any, and random ones up to the size."""
        instance = self._instance
        number = np.bincount(machine, minlength=instance.num_machines)
        load, balance = machine_costs(instance, usage(instance, machine))
        price = (load + balance).astype(np.float64)
        order = self._random.permutation(instance.num_machines)
        if price.sum() > 0 and self._random.random() < 0.7:
            dear = int(self._random.choice(len(price), p=price / price.sum()))
            order = np.concatenate(([dear], order[order != dear]))
        many = np.cumsum(number[order])
        count = max(2, int(np.searchsorted(many, self._size, side="right")))
        return np.sort(order[:count]).astype(np.int32)
