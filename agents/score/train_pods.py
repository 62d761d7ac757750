"""Train the score of pod packing: on generated scenarios."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cpsched.agents.data import PodData
from cpsched.agents.score.evolution import Evolution, HiddenLayer, Problem, evolve
from cpsched.agents.score.pods import config_of, tensors_of
from cpsched.agents.validation import Validation
from cpsched.agents.weights import Checkpoint
from cpsched.pods import score
from cpsched.pods.score import Placing, shapes
from cpsched.pods.solution import Placement
from cpsched.solving import solve

if TYPE_CHECKING:
    from cpsched.agents.config import Config
    from cpsched.agents.run import Run
    from cpsched.agents.score.flat import Vector

#: Clusters that are made in the beginning and drawn from.
_POOL = 300
#: What a move of a running pod costs beside a pod without a place, so that equals are told apart.
_MOVED = 0.02


TABLES = {"data": PodData, "network": HiddenLayer, "train": Evolution, "validation": Validation}


class PodProblem(Problem[list[Placing]]):
    """Pods without a place, weighted by tier; gaps to the exact engine."""

    family = "pods"

    def __init__(self, config: Config) -> None:
        self.data: PodData = config["data"]
        self.network: HiddenLayer = config["network"]
        self.exam: Validation = config["validation"]
        self.shapes = shapes(self.network.width)
        rng = np.random.default_rng(config.run.seed)
        self.pool = [Placing(one) for one in self.data.draw(rng, _POOL)]
        self.held_out = self.data.held_out(self.exam.instances)
        self.exams = [Placing(one) for one in self.held_out]

    def _of(self, weights: Vector) -> score.Network:
        return score.Network(weights, self.network.width)

    def draw(self, rng: np.random.Generator, count: int) -> list[Placing]:
        """Clusters of the pool."""
        return [self.pool[k] for k in rng.integers(len(self.pool), size=count)]

    def cost(self, batch: list[Placing], weights: Vector) -> float:
        """Mean cost of ``PodData.cost``, and a little for each pod that moves."""
        network = self._of(weights)
        found = []
        for placing in batch:
            placement, cluster = placing.run(network), placing.cluster
            moved = (cluster.node >= 0) & (placement.node != cluster.node)
            found.append(
                self.data.cost(cluster, placement) + _MOVED * moved.sum() / cluster.num_pods
            )
        return float(np.mean(found))

    def references(self) -> list[float]:
        """Costs of ``auto``."""
        found = []
        for cluster in self.held_out:
            result = solve(cluster, time_limit=self.exam.seconds, workers=1)
            found.append(self.data.cost(cluster, result.solution or Placement.now(cluster)))
        return found

    def gaps(self, weights: Vector, references: list[float]) -> tuple[float, float]:
        """Of one greedy placement, and of the best of one greedy and drawn ones."""
        network, heat = self._of(weights), self.network.temperature
        rng = np.array([88172645463325252], np.uint64)
        made = np.array(
            [
                [
                    self.data.cost(
                        placing.cluster,
                        placing.run(network, temperature=heat if k else 0.0, rng=rng),
                    )
                    for k in range(self.exam.samples)
                ]
                for placing in self.exams
            ]
        )
        parts = 100 * (made / np.array(references)[:, None] - 1)
        return float(parts[:, 0].mean()), float(parts.min(axis=1).mean())

    def checkpoint(self, run: Run, weights: Vector, gaps: tuple[float, float]) -> Checkpoint:
        """The weights with their card."""
        network = self._of(weights)
        card = run.card(
            title="a small network over nodes, the smallest pods first",
            data="generated scenarios, seeds below 1,000,000; validation from there on",
            results={
                "pods without a place, weighted, over auto's on validation clusters, %": {
                    "greedy": round(gaps[0], 3),
                    f"best of {self.exam.samples}": round(gaps[1], 3),
                }
            },
        )
        config = config_of(network, self.network.temperature)
        return Checkpoint("score", "pods", config, tensors_of(network), card)


def train(run: Run) -> None:
    """Train a placement of pods."""
    evolve(run, PodProblem(run.config))
