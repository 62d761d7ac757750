"""Train the heuristic of VM rescheduling: on generated clusters."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from cpsched.agents.config import require
from cpsched.agents.data import VALIDATION
from cpsched.agents.score.evolution import Evolution, HiddenLayer, Problem, evolve
from cpsched.agents.score.vms import config_of, tensors_of
from cpsched.agents.validation import Validation
from cpsched.agents.weights import Checkpoint
from cpsched.instances.generate_vms import WORKLOADS, generate_vms
from cpsched.solving import solve
from cpsched.vms import objective, score
from cpsched.vms.rates import rate
from cpsched.vms.score import Moves, shapes

if TYPE_CHECKING:
    from cpsched.agents.config import Config
    from cpsched.agents.run import Run
    from cpsched.agents.score.flat import Vector
    from cpsched.vms.instance import VmCluster


@dataclass(frozen=True)
class ClusterData:
    """The table ``[data]``.

    pms: PMs of a cluster, each number as often; workloads: of ``cpsched generate vms``, as
    often; moves: least and most migrations for 100 PMs; pool: clusters that are made in the
    beginning and drawn from; exam_pms, exam_moves: of a validation cluster.
    """

    pms: tuple[int, ...] = (40, 70, 140)
    workloads: tuple[str, ...] = ("high",)
    moves: tuple[float, float] = (5.0, 60.0)
    pool: int = 120
    exam_pms: int = 280
    exam_moves: int = 50

    def __post_init__(self) -> None:
        require(len(self.pms) > 0 and min(self.pms) >= 2, "pms must be at least 2", self.pms)
        unknown = [one for one in self.workloads if one not in WORKLOADS]
        require(not unknown and len(self.workloads) > 0, "workloads must be known", self.workloads)
        low, high = self.moves
        require(0 < low <= high, "moves must be 0 < least <= most", self.moves)
        require(self.pool >= 1, "pool must be at least 1", self.pool)
        require(self.exam_pms >= 2, "exam_pms must be at least 2", self.exam_pms)
        require(self.exam_moves >= 1, "exam_moves must be at least 1", self.exam_moves)


TABLES = {
    "data": ClusterData,
    "network": HiddenLayer,
    "train": Evolution,
    "validation": Validation,
}


class ClusterProblem(Problem[list[Moves]]):
    """Weighted fragment rates that greedy trajectories end with; gaps to the exact engine."""

    family = "vms"

    def __init__(self, config: Config) -> None:
        self.data: ClusterData = config["data"]
        self.network: HiddenLayer = config["network"]
        self.exam: Validation = config["validation"]
        self.shapes = shapes(self.network.width)
        rng = np.random.default_rng(config.run.seed)
        self.pool = [self._made(rng, number) for number in range(self.data.pool)]
        self.held_out = [
            _limited(
                generate_vms(
                    self.data.exam_pms,
                    self.data.workloads[k % len(self.data.workloads)],
                    VALIDATION + k,
                ),
                self.data.exam_moves,
            )
            for k in range(self.exam.instances)
        ]
        self.exams = [Moves(one) for one in self.held_out]

    def _made(self, rng: np.random.Generator, number: int) -> Moves:
        data = self.data
        pms = data.pms[number % len(data.pms)]
        workload = data.workloads[number // len(data.pms) % len(data.workloads)]
        cluster = generate_vms(pms, workload, int(rng.integers(VALIDATION)))
        limit = round(pms / 100 * rng.uniform(*data.moves))
        return Moves(_limited(cluster, max(1, limit)))

    def _of(self, weights: Vector) -> score.Network:
        return score.Network(weights, self.network.width)

    def draw(self, rng: np.random.Generator, count: int) -> list[Moves]:
        """Clusters of the pool."""
        return [self.pool[k] for k in rng.integers(len(self.pool), size=count)]

    def cost(self, batch: list[Moves], weights: Vector) -> float:
        """Mean fragment rate at the best moment, and a little for each migration until then."""
        network = self._of(weights)
        found = []
        for moves in batch:
            _, worth = moves.run(network)
            count = int(np.argmax(worth))
            found.append(_rate(moves, int(worth[count])) + 1e-5 * count)
        return float(np.mean(found))

    def references(self) -> list[float]:
        """Fragment rates of ``auto``."""
        found = []
        for cluster in self.held_out:
            result = solve(cluster, time_limit=self.exam.seconds, workers=1)
            numa = cluster.numa if result.solution is None else result.solution.end(cluster)
            found.append(float(objective.weighted_fr(cluster, numa)))
        return found

    def gaps(self, weights: Vector, references: list[float]) -> tuple[float, float]:
        """Of one greedy trajectory, and of the best of one greedy and drawn ones."""
        network, heat = self._of(weights), self.network.temperature
        rng = np.array([88172645463325252], np.uint64)
        made = np.array(
            [
                [
                    _rate(
                        moves,
                        int(moves.run(network, temperature=heat if k else 0.0, rng=rng)[1].max()),
                    )
                    for k in range(self.exam.samples)
                ]
                for moves in self.exams
            ]
        )
        parts = 100 * (made / np.array(references)[:, None] - 1)
        return float(parts[:, 0].mean()), float(parts.min(axis=1).mean())

    def checkpoint(self, run: Run, weights: Vector, gaps: tuple[float, float]) -> Checkpoint:
        """The weights with their card."""
        network = self._of(weights)
        card = run.card(
            title="two small networks, of leaving and of coming",
            data="generated clusters, seeds below 1,000,000; validation from there on",
            results={
                "fragment rate over that of auto on the validation clusters, %": {
                    "greedy": round(gaps[0], 3),
                    f"best of {self.exam.samples}": round(gaps[1], 3),
                }
            },
        )
        config = config_of(network, self.network.temperature)
        return Checkpoint("score", "vms", config, tensors_of(network), card)


def _limited(cluster: VmCluster, moves: int) -> VmCluster:
    return replace(cluster, policy=replace(cluster.policy, max_moves=moves))


def _rate(moves: Moves, worth: int) -> float:
    return float(rate(moves.cluster, worth, moves.free_cpu))


def train(run: Run) -> None:
    """Train a heuristic of VM rescheduling."""
    evolve(run, ClusterProblem(run.config))
