"""Train the score of job shops: on random shops, never on those of a benchmark."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cpsched.agents.config import require
from cpsched.agents.data import ShopData
from cpsched.agents.score.evolution import Evolution, Problem, evolve
from cpsched.agents.score.jobshop import config_of, tensors_of
from cpsched.agents.validation import Validation
from cpsched.agents.weights import Checkpoint
from cpsched.jobshop import score
from cpsched.jobshop.bounds import lower_bound
from cpsched.jobshop.score import Shop, dispatch, shapes
from cpsched.solving import solve

if TYPE_CHECKING:
    from cpsched.agents.config import Config
    from cpsched.agents.run import Run
    from cpsched.agents.score.flat import Vector


@dataclass(frozen=True)
class Network:
    """The table ``[network]``: widths of the two layers, and the temperature of draws."""

    width: int = 24
    depth: int = 12
    temperature: float = 0.2

    def __post_init__(self) -> None:
        for name in ("width", "depth"):
            value = getattr(self, name)
            require(1 <= value <= 512, f"{name} must be in 1..512", value)
        require(self.temperature > 0, "temperature must be above 0", self.temperature)


TABLES = {"data": ShopData, "network": Network, "train": Evolution, "validation": Validation}

Batch = tuple[list[Shop], "Vector"]


class ShopProblem(Problem[Batch]):
    """Makespans of greedy dispatching, in parts of the lower bound; gaps to tabu search."""

    family = "jobshop"

    def __init__(self, config: Config) -> None:
        self.data: ShopData = config["data"]
        self.network: Network = config["network"]
        self.exam: Validation = config["validation"]
        self.shapes = shapes(self.network.width, self.network.depth)
        self.held_out = self.data.held_out(self.exam.instances)
        self.shops = [Shop(one) for one in self.held_out]

    def _of(self, weights: Vector) -> score.Network:
        return score.Network(weights, self.network.width, self.network.depth)

    def draw(self, rng: np.random.Generator, count: int) -> Batch:
        """Shops and their lower bounds."""
        shops = [Shop(one) for one in self.data.draw(rng, count)]
        return shops, np.array([lower_bound(one.instance) for one in shops], np.float64)

    def cost(self, batch: Batch, weights: Vector) -> float:
        """Mean makespan in parts of the lower bound."""
        shops, least = batch
        network = self._of(weights)
        makespan = np.array([dispatch(shop, network)[0] for shop in shops])
        return float((makespan / least).mean())

    def references(self) -> list[float]:
        """Makespans of tabu search."""
        limit = self.exam.seconds
        found = [solve(shop, method="tabu", time_limit=limit, workers=1) for shop in self.held_out]
        return [float(one.objective or 0) for one in found]

    def gaps(self, weights: Vector, references: list[float]) -> tuple[float, float]:
        """Of one greedy schedule, and of the best of one greedy and drawn ones."""
        network, heat = self._of(weights), self.network.temperature
        rng = np.array([88172645463325252], np.uint64)
        made = np.array(
            [
                [
                    dispatch(shop, network, temperature=heat if k else 0.0, rng=rng)[0]
                    for k in range(self.exam.samples)
                ]
                for shop in self.shops
            ]
        )
        parts = 100 * (made / np.array(references)[:, None] - 1)
        return float(parts[:, 0].mean()), float(parts.min(axis=1).mean())

    def checkpoint(self, run: Run, weights: Vector, gaps: tuple[float, float]) -> Checkpoint:
        """The weights with their card."""
        network = self._of(weights)
        card = run.card(
            title="a small network over conflict sets",
            data="random job shops, seeds below 1,000,000; validation from there on",
            results={
                "gap to tabu search on the validation shops, %": {
                    "greedy": round(gaps[0], 3),
                    f"best of {self.exam.samples}": round(gaps[1], 3),
                }
            },
        )
        config = config_of(network, self.network.temperature)
        return Checkpoint("score", "jobshop", config, tensors_of(network), card)


def train(run: Run) -> None:
    """Train a score of job shops."""
    evolve(run, ShopProblem(run.config))
