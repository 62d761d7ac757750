"""Self-labelling: learn from the best of one's own draws.

After Corsini et al., "Self-labeling the job shop scheduling problem", NeurIPS 2024: for every
instance some episodes are drawn, and the best of them is taken for the truth.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from cpsched.agents.config import require
from cpsched.agents.episodes import Episodes, roll, root_of
from cpsched.agents.graph_training import Exam, Lesson, begin, imitate, state_of
from cpsched.agents.networks.graph import GraphShape
from cpsched.agents.validation import Validation

if TYPE_CHECKING:
    from cpsched.agents.data import Data
    from cpsched.agents.run import Run


@dataclass(frozen=True)
class SelfLabelling:
    """The table ``[train]``.

    instances: an update; samples: episodes drawn for each; temperature: of the draws; rate: of
    Adam, which falls to *final* of it; clip: of the gradient's norm; start: weights to begin with,
    a name or a file, empty for random ones.
    """

    instances: int = 4
    samples: int = 24
    temperature: float = 1.0
    rate: float = 0.001
    final: float = 0.1
    clip: float = 1.0
    start: str = ""

    def __post_init__(self) -> None:
        require(self.instances >= 1, "instances must be at least 1", self.instances)
        require(self.samples >= 2, "samples must be at least 2", self.samples)
        require(self.temperature > 0, "temperature must be above 0", self.temperature)
        require(self.rate > 0, "rate must be above 0", self.rate)
        require(0 < self.final <= 1, "final must be in (0, 1]", self.final)
        require(self.clip > 0, "clip must be above 0", self.clip)


TABLES = {"network": GraphShape, "train": SelfLabelling, "validation": Validation}


def train(run: Run) -> None:
    """Train until the time or the updates of *run* are used up."""
    table: SelfLabelling = run.config["train"]
    data: Data = run.config["data"]
    exam = Exam(run)
    extra = exam.roots[0].decision.shape[1] - 8
    network, optimiser, generator = begin(run, table.rate, table.start, extra)
    losses, spread, decisions = [], [], 0
    while run.left > 0:
        rng = np.random.default_rng((run.config.run.seed, run.update))
        for group in optimiser.param_groups:
            group["lr"] = table.rate * (1 - (1 - table.final) * run.done)
        with run.share("instances"):
            shops = data.draw(rng, table.instances, equal=True, done=run.done)
            episodes = Episodes([root_of(shop) for shop in shops], table.samples)
        with run.share("episodes"):
            with torch.inference_mode():
                memory = network.encode(episodes.maps)
            heat = np.full(len(episodes.which), table.temperature, np.float32)
            # One of each instance's episodes is greedy.
            heat[:: table.samples] = 0.0
            past = roll(
                episodes, network, memory, temperature=heat, generator=generator, keep=True
            )
        decisions += len(past) * len(heat)
        found = episodes.objective.reshape(len(shops), table.samples)
        best = found.min(axis=1)
        spread.append(float(((found.mean(axis=1) - best) / np.maximum(1, np.abs(best))).mean()))
        rows = found.argmin(axis=1) + np.arange(len(shops)) * table.samples
        lessons = [Lesson.of(episodes, past, row) for row in rows.tolist()]
        with run.share("learning"):
            losses.append(imitate(network, optimiser, lessons, table.clip))
        if exam.due(run):
            exam.take(
                run,
                network,
                loss=float(np.mean(losses)),
                spread=float(np.mean(spread)),
                decisions=float(decisions),
            )
            losses, spread, decisions = [], [], 0
        run.save(state_of(network, optimiser, generator, references=exam.references))
