"""Job shops to train on and to validate on, never those of a benchmark."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from cpsched.agents.config import require
from cpsched.instances.generate import two_sets, uniform
from cpsched.solving import solve

if TYPE_CHECKING:
    from collections.abc import Callable

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
    more than 450 operations is drawn, beside others: they take most of the time.
    """

    sizes: tuple[tuple[int, int], ...] = SIZES
    two_sets: float = 0.3
    large: float = 0.5

    def __post_init__(self) -> None:
        require(len(self.sizes) > 0, "sizes must hold a pair", self.sizes)
        for jobs, machines in self.sizes:
            require(2 <= jobs <= 1000, "jobs in sizes must be in 2..1000", jobs)
            require(2 <= machines <= 1000, "machines in sizes must be in 2..1000", machines)
        require(0 <= self.two_sets <= 1, "two_sets must be in [0, 1]", self.two_sets)
        require(0 < self.large <= 1, "large must be in (0, 1]", self.large)

    def draw(self, rng: np.random.Generator, count: int) -> list[JobShop]:
        """*count* shops to train on."""
        weight = np.array([self.large if a * b > 450 else 1.0 for a, b in self.sizes])
        sizes = rng.choice(len(self.sizes), count, p=weight / weight.sum())
        return [
            self._make(self.sizes[size], int(rng.integers(VALIDATION)), rng.random())
            for size in sizes
        ]

    def held_out(self, count: int) -> list[JobShop]:
        """*count* shops to validate on: always the same, the two laws in turn."""
        return [
            self._make(
                self.sizes[k % len(self.sizes)],
                VALIDATION + k,
                k / max(1, count) if self.two_sets > 0 else 1.0,
            )
            for k in range(count)
        ]

    def _make(self, size: tuple[int, int], seed: int, chance: float) -> JobShop:
        law: Callable[..., JobShop] = partial(uniform, high=99)
        return (two_sets if chance < self.two_sets else law)(*size, seed)


@dataclass(frozen=True)
class Validation:
    """The table ``[validation]``.

    instances: how many; every: updates from one validation to the next; samples: of the sampled
    gap; seconds: of tabu search on each instance, once, for the reference.
    """

    instances: int = 45
    every: int = 20
    samples: int = 32
    seconds: float = 0.5

    def __post_init__(self) -> None:
        require(self.instances >= 1, "instances must be at least 1", self.instances)
        require(self.every >= 1, "every must be at least 1", self.every)
        require(self.samples >= 2, "samples must be at least 2", self.samples)
        require(self.seconds > 0, "seconds must be above 0", self.seconds)


def references(shops: list[JobShop], seconds: float) -> np.ndarray:
    """Shape (len(shops),): makespans of tabu search after so many *seconds*, one core each."""
    found = [solve(shop, method="tabu", time_limit=seconds, workers=1) for shop in shops]
    return np.array([one.objective for one in found], dtype=np.float64)
