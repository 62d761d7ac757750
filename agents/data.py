"""Instances to train on and to validate on: generated, never those of a benchmark."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cpsched.agents.config import require
from cpsched.instances import generate_pods
from cpsched.instances.formats.scenario import empty_cluster, to_cluster
from cpsched.instances.generate import two_sets, uniform
from cpsched.pods import objective

if TYPE_CHECKING:
    from cpsched.jobshop.instance import JobShop
    from cpsched.jobshop.solution import Schedule
    from cpsched.pods.instance import Cluster
    from cpsched.pods.solution import Placement

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

    @property
    def most_candidates(self) -> int:
        """Most decisions that are legal at a time: one of each job."""
        return max(jobs for jobs, _ in self.sizes)

    def patterns(self) -> list[JobShop]:
        """A shop of each size."""
        return [self._make(size, 0, 1.0) for size in self.sizes]

    def held_out(self, count: int) -> list[JobShop]:
        """*count* shops to validate on: always the same, both laws in their shares."""
        return [
            self._make(self.sizes[k % len(self.sizes)], VALIDATION + k, (k + 0.5) / count)
            for k in range(count)
        ]

    def cost(self, instance: JobShop, schedule: Schedule) -> float:
        """The makespan."""
        del instance
        return float(schedule.makespan)

    def _make(self, size: tuple[int, int], seed: int, chance: float) -> JobShop:
        if chance < self.two_sets:
            return two_sets(*size, seed)
        return uniform(*size, seed, high=99)


@dataclass(frozen=True)
class PodData:
    """The table ``[data]``: scenarios of Christensen et al. (2025), see ``generate_pods``.

    nodes, pods_per_node, priorities, usage: what is drawn from, each value as often; bare: share
    of clusters on which nothing runs yet; the others are as the default scheduler leaves them.
    """

    nodes: tuple[int, ...] = (4, 8, 16)
    pods_per_node: tuple[int, ...] = (4, 8)
    priorities: tuple[int, ...] = (1, 2, 4)
    usage: tuple[float, ...] = (0.9, 0.95, 1.0, 1.05)
    bare: float = 0.7

    def __post_init__(self) -> None:
        for name in ("nodes", "pods_per_node", "priorities", "usage"):
            values = getattr(self, name)
            require(len(values) > 0 and min(values) > 0, f"{name} must be above 0", values)
        require(0 <= self.bare <= 1, "bare must be in [0, 1]", self.bare)

    def draw(
        self, rng: np.random.Generator, count: int, *, equal: bool = False, done: float = 1.0
    ) -> list[Cluster]:
        """*count* clusters to train on; equal: all of one size."""
        del done
        sizes = [self._size(rng) for _ in range(1 if equal else count)]
        return [
            self._make(sizes[k % len(sizes)], rng, int(rng.integers(VALIDATION)))
            for k in range(count)
        ]

    @property
    def most_candidates(self) -> int:
        """Most decisions that are legal at a time: a pod's nodes, and none."""
        return max(self.nodes) + 1

    def patterns(self) -> list[Cluster]:
        """A cluster of the largest size, for each kind."""
        rng = np.random.default_rng(0)
        size = max(self.nodes), max(self.pods_per_node)
        return [self._make(size, rng, seed) for seed in range(4)]

    def held_out(self, count: int) -> list[Cluster]:
        """*count* clusters to validate on: always the same."""
        rng = np.random.default_rng(VALIDATION)
        return [self._make(self._size(rng), rng, VALIDATION + k) for k in range(count)]

    def cost(self, instance: Cluster, placement: Placement) -> float:
        """1 and the pods without a place, in parts of all; those of a tier count half as much.

        Half of those of the tier before: a measure for curves, not the objective.
        """
        unplaced = [
            value
            for stage, value in zip(
                objective.stages(instance),
                objective.values(instance, placement.node),
                strict=True,
            )
            if stage.goal is objective.Goal.UNPLACED
        ]
        return 1 + sum(value * 0.5**k for k, value in enumerate(unplaced)) / instance.num_pods

    def _size(self, rng: np.random.Generator) -> tuple[int, int]:
        return int(rng.choice(self.nodes)), int(rng.choice(self.pods_per_node))

    def _make(self, size: tuple[int, int], rng: np.random.Generator, seed: int) -> Cluster:
        tiers, usage = int(rng.choice(self.priorities)), float(rng.choice(self.usage))
        scenario = generate_pods.scenario(*size, tiers, usage, seed)
        made = empty_cluster if rng.random() < self.bare else to_cluster
        return made(scenario)


#: Either: they have the same methods.
Data = ShopData | PodData
