"""Train small scores by an evolution strategy: only what they come to, no gradients.

Salimans et al., "Evolution strategies as a scalable alternative to reinforcement learning", 2017:
antithetic perturbations of all weights, fitness by rank, the estimated gradient through Adam. It
optimises what greedy decisions come to, argmax included, which a likelihood does not.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np

from cpsched.agents.config import require
from cpsched.agents.run import State
from cpsched.agents.score.flat import initial, joined
from cpsched.agents.weights import load
from cpsched.protocols import available_cores

if TYPE_CHECKING:
    from cpsched.agents.run import Run
    from cpsched.agents.score.flat import Shapes, Vector
    from cpsched.agents.weights import Checkpoint

BatchT = TypeVar("BatchT")


@dataclass(frozen=True)
class Evolution:
    """The table ``[train]``.

    pairs: antithetic pairs of perturbations an update; instances: instances an update; sigma:
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


@dataclass(frozen=True)
class HiddenLayer:
    """The table ``[network]``: width of the one hidden layer, and the temperature of draws."""

    width: int = 16
    temperature: float = 0.05

    def __post_init__(self) -> None:
        require(1 <= self.width <= 512, "width must be in 1..512", self.width)
        require(self.temperature > 0, "temperature must be above 0", self.temperature)


class Problem(ABC, Generic[BatchT]):
    """What is to be trained for.

    family: of the weights; shapes: of their tensors.
    """

    family: str
    shapes: Shapes

    @abstractmethod
    def draw(self, rng: np.random.Generator, count: int) -> BatchT:
        """*count* instances to train on."""

    @abstractmethod
    def cost(self, batch: BatchT, weights: Vector) -> float:
        """What greedy decisions come to on *batch* in the mean; less is better."""

    @abstractmethod
    def references(self) -> list[float]:
        """Of each validation instance, what a solver comes to."""

    @abstractmethod
    def gaps(self, weights: Vector, references: list[float]) -> tuple[float, float]:
        """Mean gaps to the *references*, in per cent: greedy, and the best of some samples."""

    @abstractmethod
    def checkpoint(self, run: Run, weights: Vector, gaps: tuple[float, float]) -> Checkpoint:
        """What is kept if these weights are the best so far."""


class _Adam:
    """Adam on a vector; m, v: moments."""

    def __init__(self, m: Vector, v: Vector) -> None:
        self.m, self.v = m, v

    def step(self, gradient: Vector, rate: float, number: int) -> Vector:
        self.m = 0.9 * self.m + 0.1 * gradient
        self.v = 0.99 * self.v + 0.01 * gradient**2
        m, v = self.m / (1 - 0.9**number), self.v / (1 - 0.99**number)
        step: Vector = rate * m / (np.sqrt(v) + 1e-8)
        return step


def evolve(run: Run, problem: Problem[Any]) -> None:
    """Train until the time or the updates of *run* are used up."""
    table: Evolution = run.config["train"]
    every: int = run.config["validation"].every
    state = run.resumed()
    if state is None:
        with run.share("validation"):
            references = problem.references()
    else:
        references = state.numbers["references"]
    weights, adam = _begin(run, problem, table)
    with ThreadPoolExecutor(available_cores()) as pool:
        while run.left > 0:
            # Everything that an update draws comes from its number: a resumed run draws the same.
            rng = np.random.default_rng((run.config.run.seed, run.update))
            with run.share("instances"):
                batch = problem.draw(rng, table.instances)
            noise = rng.standard_normal((table.pairs, len(weights)))
            trial = np.concatenate((noise, -noise)) * table.sigma + weights
            with run.share("rollouts"):
                cost = np.array(list(pool.map(partial(problem.cost, batch), trial)))
            rank = np.empty(len(cost))
            rank[np.argsort(cost)] = np.linspace(0.5, -0.5, len(cost))
            with run.share("network"):
                slope = (rank[: table.pairs] - rank[table.pairs :]) @ noise
                slope = slope / (table.pairs * table.sigma) - table.decay * weights
                weights = weights + adam.step(slope, _rate(run, table), run.update + 1)
            if (run.update + 1) % every == 0 or run.is_last:
                with run.share("validation"):
                    gaps = problem.gaps(weights, references)
                rollouts = len(trial) * table.instances
                run.log(
                    cost=float(cost.mean()), gap=gaps[0], gap_sampled=gaps[1], rollouts=rollouts
                )
                run.validated(gaps[0], partial(problem.checkpoint, run, weights, gaps))
            arrays = {"weights": weights, "m": adam.m, "v": adam.v}
            run.save(State(arrays, {"references": references}))


def _begin(run: Run, problem: Problem[Any], table: Evolution) -> tuple[Vector, _Adam]:
    state = run.resumed()
    if state is not None:
        return state.arrays["weights"], _Adam(state.arrays["m"], state.arrays["v"])
    if table.start:
        weights = joined(load(table.start, family=problem.family).tensors, problem.shapes)
    else:
        weights = initial(problem.shapes, np.random.default_rng(run.config.run.seed))
    return weights, _Adam(np.zeros(len(weights)), np.zeros(len(weights)))


def _rate(run: Run, table: Evolution) -> float:
    return table.rate * (1 - (1 - table.final) * run.done)
