"""Instances to train on and to validate on: generated, never those of a benchmark."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cpsched.agents.config import require
from cpsched.instances.generate import two_sets, uniform

if TYPE_CHECKING:
    from cpsched.jobshop.instance import JobShop

#: Seeds of instances: of training below, of validation from here on, of reports from twice that.
VALIDATION = 1_000_000

SIZES = (
    (10, 10),
    (15, 10),
    (15, 15),
    (20, 10),
    (20, 15),
    (20, 20),
    (30, 10),
    (30, 15),
    (30, 20),
)


@dataclass(frozen=True)
class ShopData:
    """The table ``[data]``: random job shops.

    sizes: pairs of jobs and machines, each as often; two_sets: share of shops after the law of
    Demirkol, Mehta and Uzsoy (1998) in which jobs visit one half of the machines first, durations
    U[1, 200]; the others have uniform routes and durations U[1, 99]. large: how often a size of
    more than 450 operations is drawn, beside others: they take most of the time. curriculum: begin
    with the first sizes; all of them are used after that share of the training, 0 for at once.
    """

    sizes: tuple[tuple[int, int], ...] = SIZES
    two_sets: float = 0.3
    large: float = 0.5
    curriculum: float = 0.0

    def __post_init__(self) -> None:
        require(len(self.sizes) > 0, "sizes must hold a pair", self.sizes)
        for jobs, machines in self.sizes:
            require(2 <= jobs <= 1000, "jobs in sizes must be in 2..1000", jobs)
            require(2 <= machines <= 1000, "machines in sizes must be in 2..1000", machines)
        require(0 <= self.two_sets <= 1, "two_sets must be in [0, 1]", self.two_sets)
        require(0 < self.large <= 1, "large must be in (0, 1]", self.large)
        require(0 <= self.curriculum <= 1, "curriculum must be in [0, 1]", self.curriculum)

    def draw(
        self, rng: np.random.Generator, count: int, *, equal: bool = False, done: float = 1.0
    ) -> list[JobShop]:
        """*count* shops to train on.

        equal: all of one size; done: share of the training that is over, for the curriculum.
        """
        known = len(self.sizes)
        if self.curriculum > 0:
            known = max(1, min(known, int(np.ceil(known * done / self.curriculum))))
        weight = np.array([self.large if a * b > 450 else 1.0 for a, b in self.sizes[:known]])
        sizes = rng.choice(known, 1 if equal else count, p=weight / weight.sum())
        return [
            self._make(self.sizes[size], int(rng.integers(VALIDATION)), rng.random())
            for size in np.resize(sizes, count)
        ]

    def patterns(self) -> list[JobShop]:
        """A shop of each size."""
        return [self._make(size, 0, 1.0) for size in self.sizes]

    def held_out(self, count: int) -> list[JobShop]:
        """*count* shops to validate on: always the same, both laws in their shares."""
        return [
            self._make(self.sizes[k % len(self.sizes)], VALIDATION + k, (k + 0.5) / count)
            for k in range(count)
        ]

    def _make(self, size: tuple[int, int], seed: int, chance: float) -> JobShop:
        if chance < self.two_sets:
            return two_sets(*size, seed)
        return uniform(*size, seed, high=99)
