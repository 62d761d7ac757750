"""Train the score of job shops by an evolution strategy: only makespans, no gradients.

Salimans et al., "Evolution strategies as a scalable alternative to reinforcement learning", 2017:
antithetic perturbations of all weights, fitness by rank, the estimated gradient through Adam. It
optimises what greedy dispatching comes to, argmax included, which a likelihood does not.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from cpsched.agents.config import require
from cpsched.agents.run import State
from cpsched.agents.score import config_of, network_of, tensors_of
from cpsched.agents.score.shops import ShopData, Validation, references
from cpsched.agents.weights import Checkpoint, load
from cpsched.jobshop.bounds import lower_bound
from cpsched.jobshop.score import Network, Shop, dispatch, num_weights, shapes
from cpsched.protocols import available_cores

if TYPE_CHECKING:
    from cpsched.agents.run import Run
    from cpsched.jobshop.score_kernels import Floats


@dataclass(frozen=True)
class ScoreShape:
    """The table ``[network]``: widths of the two layers, and the temperature of draws."""

    width: int = 24
    depth: int = 12
    temperature: float = 0.2

    def __post_init__(self) -> None:
        for name in ("width", "depth"):
            require(
                1 <= getattr(self, name) <= 512, f"{name} must be in 1..512", getattr(self, name)
            )
        require(self.temperature > 0, "temperature must be above 0", self.temperature)


@dataclass(frozen=True)
class Evolution:
    """The table ``[train]``.

    pairs: antithetic pairs of perturbations an update; instances: job shops an update; sigma:
    standard deviation of the perturbations; rate: step of Adam, which falls to *final* of it;
    decay: of the weights; start: weights to begin with, a name or a file, empty for random ones.
    """

    pairs: int = 40
    instances: int = 18
    sigma: float = 0.04
    rate: float = 0.03
    final: float = 0.1
    decay: float = 0.002
    start: str = ""

    def __post_init__(self) -> None:
        require(self.pairs >= 1, "pairs must be at least 1", self.pairs)
        require(self.instances >= 1, "instances must be at least 1", self.instances)
        require(self.sigma > 0, "sigma must be above 0", self.sigma)
        require(self.rate > 0, "rate must be above 0", self.rate)
        require(0 < self.final <= 1, "final must be in (0, 1]", self.final)
        require(self.decay >= 0, "decay must be at least 0", self.decay)


TABLES = {
    "data": ShopData,
    "network": ScoreShape,
    "train": Evolution,
    "validation": Validation,
}


class _Adam:
    """Adam on a flat vector; m, v: moments."""

    def __init__(self, m: Floats, v: Floats) -> None:
        self.m, self.v = m, v

    def step(self, gradient: Floats, rate: float, number: int) -> Floats:
        self.m = 0.9 * self.m + 0.1 * gradient
        self.v = 0.99 * self.v + 0.01 * gradient**2
        m, v = self.m / (1 - 0.9**number), self.v / (1 - 0.99**number)
        step: Floats = rate * m / (np.sqrt(v) + 1e-8)
        return step


def train(run: Run) -> None:
    """Train until the time or the updates of *run* are used up."""
    shape: ScoreShape = run.config["network"]
    table: Evolution = run.config["train"]
    data: ShopData = run.config["data"]
    exam = Exam(run)
    weights, adam = _begin(run, shape, table)
    with ThreadPoolExecutor(available_cores()) as pool:
        while run.left > 0:
            # Everything that an update draws comes from its number: a resumed run draws the same.
            rng = np.random.default_rng((run.config.run.seed, run.update))
            with run.share("instances"):
                shops = [Shop(one) for one in data.draw(rng, table.instances)]
                least = np.array([lower_bound(shop.instance) for shop in shops], dtype=float)
            noise = rng.standard_normal((table.pairs, len(weights)))
            trial = np.concatenate((noise, -noise)) * table.sigma + weights
            with run.share("environment"):
                worth = partial(_worth, shape, shops, least)
                fitness = np.array(list(pool.map(worth, trial)))
            rank = np.empty(len(fitness))
            rank[np.argsort(fitness)] = np.linspace(0.5, -0.5, len(fitness))
            with run.share("network"):
                slope = (rank[: table.pairs] - rank[table.pairs :]) @ noise
                slope = slope / (table.pairs * table.sigma) - table.decay * weights
                weights = weights + adam.step(slope, _rate(run, table), run.update + 1)
            if (run.update + 1) % table_every(run) == 0:
                exam.take(weights, float(fitness.mean()), shops=len(shops) * len(trial))
            run.save(State({"weights": weights, "m": adam.m, "v": adam.v}, exam.numbers))


def table_every(run: Run) -> int:
    """Updates from one validation to the next."""
    every: int = run.config["validation"].every
    return every


def _begin(run: Run, shape: ScoreShape, table: Evolution) -> tuple[Floats, _Adam]:
    state = run.resumed()
    if state is not None:
        weights = state.arrays["weights"]
        return weights, _Adam(state.arrays["m"], state.arrays["v"])
    if table.start:
        found = load(table.start, family="jobshop")
        weights = network_of(found.tensors, shape.width, shape.depth).weights
    else:
        weights = initial(shape, np.random.default_rng(run.config.run.seed))
    return weights, _Adam(np.zeros(len(weights)), np.zeros(len(weights)))


def initial(shape: ScoreShape, rng: np.random.Generator) -> Floats:
    """Random weights whose layers keep the scale of what they are given."""
    parts = []
    for name, size in shapes(shape.width, shape.depth).items():
        spread = 0.3 if len(size) == 1 else size[1] ** -0.5
        parts.append(rng.normal(0.0, spread, size).reshape(-1))
        if name.endswith("bias"):
            parts[-1][:] = 0.0
    found = np.concatenate(parts)
    assert len(found) == num_weights(shape.width, shape.depth)
    return found


def _rate(run: Run, table: Evolution) -> float:
    limits = run.config.run
    # By the number of updates if it is given: equal seeds are then equal runs.
    if limits.updates is not None:
        done = run.update / limits.updates
    else:
        done = run.seconds / limits.time_limit
    return table.rate * (1 - (1 - table.final) * min(1.0, done))


def _worth(shape: ScoreShape, shops: list[Shop], least: Floats, weights: Floats) -> float:
    """Mean makespan of greedy dispatching, in parts of the lower bound."""
    network = Network(weights, shape.width, shape.depth)
    makespan = np.array([dispatch(shop, network)[0] for shop in shops])
    return float((makespan / least).mean())


class Exam:
    """The validation: gaps to tabu search, greedy and sampled, in per cent.

    numbers: the references, kept in the state of the run.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self.shape: ScoreShape = run.config["network"]
        self.table: Validation = run.config["validation"]
        instances = run.config["data"].held_out(self.table.instances)
        state = run.resumed()
        if state is None:
            with run.share("validation"):
                found = references(instances, self.table.seconds).tolist()
            self.numbers = {"references": found}
        else:
            self.numbers = {"references": state.numbers["references"]}
        self.reference = np.array(self.numbers["references"])
        self.shops = [Shop(one) for one in instances]

    def take(self, weights: Floats, fitness: float, shops: int) -> None:
        """Validate, log, keep the best by the greedy gap."""
        network = Network(weights, self.shape.width, self.shape.depth)
        with self.run.share("validation"):
            greedy = self._gap(network, 1)
            sampled = self._gap(network, self.table.samples)
        self.run.log(fitness=fitness, gap=greedy, gap_sampled=sampled, rollouts=float(shops))
        self.run.validated(greedy, lambda: self._checkpoint(network, greedy, sampled))

    def _gap(self, network: Network, samples: int) -> float:
        rng = np.array([88172645463325252], np.uint64)
        best = [
            min(
                dispatch(shop, network, temperature=self.shape.temperature * (k > 0), rng=rng)[0]
                for k in range(samples)
            )
            for shop in self.shops
        ]
        return float(100 * (np.array(best) / self.reference - 1).mean())

    def _checkpoint(self, network: Network, greedy: float, sampled: float) -> Checkpoint:
        gaps = {"greedy": round(greedy, 3), f"best of {self.table.samples}": round(sampled, 3)}
        card = self.run.card(
            title="a small network over conflict sets",
            data="random job shops, seeds below 1,000,000; validation from there on",
            results={"gap to tabu search on the validation shops, %": gaps},
        )
        config = config_of(network, self.shape.temperature)
        return Checkpoint("score", "jobshop", config, tensors_of(network), card)
