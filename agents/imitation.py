"""Imitation: learn the decisions that lead to a solver's solutions.

Every solution is replayed through the environment: of the legal decisions, the one that the
solution makes first is taken. A pool of replayed solutions grows while the network learns from
it, so that neither waits for the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cpsched.agents.config import require
from cpsched.agents.episodes import Episodes, Past, root_of
from cpsched.agents.graph_training import Exam, Lesson, begin, imitate, state_of
from cpsched.agents.networks.graph import GraphShape
from cpsched.agents.validation import Validation
from cpsched.errors import InputError
from cpsched.formulation import Assign, Start
from cpsched.solving import solve

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy.typing as npt

    from cpsched.agents.data import Data
    from cpsched.agents.run import Run
    from cpsched.construct.root import Root


@dataclass(frozen=True)
class Imitation:
    """The table ``[train]``.

    seconds: of the solver on each instance, one core; solved: instances solved an update; lessons:
    replayed solutions learnt from in an update; pool: the latest of them that are kept; rate: of
    Adam, which falls to *final* of it; clip: of the gradient's norm; start: weights to begin with,
    a name or a file, empty for random ones.
    """

    seconds: float = 0.25
    solved: int = 1
    lessons: int = 8
    pool: int = 400
    rate: float = 0.001
    final: float = 0.1
    clip: float = 1.0
    start: str = ""

    def __post_init__(self) -> None:
        require(self.seconds > 0, "seconds must be above 0", self.seconds)
        require(self.solved >= 1, "solved must be at least 1", self.solved)
        require(self.lessons >= 1, "lessons must be at least 1", self.lessons)
        require(self.pool >= 1, "pool must be at least 1", self.pool)
        require(self.rate > 0, "rate must be above 0", self.rate)
        require(0 < self.final <= 1, "final must be in (0, 1]", self.final)
        require(self.clip > 0, "clip must be above 0", self.clip)


TABLES = {"network": GraphShape, "train": Imitation, "validation": Validation}


def train(run: Run) -> None:
    """Train until the time or the updates of *run* are used up."""
    table: Imitation = run.config["train"]
    data: Data = run.config["data"]
    exam = Exam(run)
    extra = exam.roots[0].decision.shape[1] - 8
    network, optimiser, generator = begin(run, table.rate, table.start, extra)
    # A run that goes on begins a new pool: the instances of earlier updates are not kept.
    pool: list[Lesson] = []
    losses = []
    while run.left > 0:
        rng = np.random.default_rng((run.config.run.seed, run.update))
        for group in optimiser.param_groups:
            group["lr"] = table.rate * (1 - (1 - table.final) * run.done)
        with run.share("solver"):
            for shop in data.draw(rng, table.solved, done=run.done):
                result = solve(shop, time_limit=table.seconds, workers=1)
                if result.solution is not None:
                    pool.append(replay(shop, result.solution))
        if not pool:
            raise InputError(
                f"train.seconds is too short: the solver comes to nothing in {table.seconds} s"
            )
        del pool[: -table.pool]
        with run.share("learning"):
            chosen = rng.integers(len(pool), size=min(table.lessons, len(pool)))
            lessons = [pool[k] for k in chosen.tolist()]
            losses.append(imitate(network, optimiser, lessons, table.clip))
        if exam.due(run):
            exam.take(run, network, loss=float(np.mean(losses)), pool=float(len(pool)))
            losses = []
        run.save(state_of(network, optimiser, generator, references=exam.references))


def replay(instance: Any, solution: Any) -> Lesson:
    """The decisions of the environment that lead to *solution*, or to one as good.

    Of the legal decisions that of the least rank is taken.
    """
    root = root_of(instance)
    wanted = ranks(root, solution)
    episodes = Episodes([root], 1)
    past = []
    while episodes.live.any():
        candidates = episodes.candidates()
        index = candidates.index[0]
        choice = np.array([int(np.argmin(np.where(index >= 0, wanted[index], np.inf)))])
        past.append(Past(candidates, choice, episodes.live.copy()))
        episodes.step(candidates, choice)
    return Lesson.of(episodes, past, 0)


def ranks(root: Root, solution: Any) -> npt.NDArray[np.float64]:
    """Shape (decisions,): when a solution takes each decision, inf if it does not.

    That is when an interval starts; a literal that is true, or a rejection that holds, is 0.
    """
    formulation = root.construction.formulation
    values = formulation.encode(solution)
    proto = formulation.model.proto

    def holds(literals: Iterable[int]) -> bool:
        return all(values[k] if k >= 0 else not values[-k - 1] for k in literals)

    found = np.full(len(formulation.decisions), np.inf)
    for number, decision in enumerate(formulation.decisions):
        if isinstance(decision, Start):
            interval = proto.constraints[decision.interval]
            if holds(interval.enforcement_literal):
                start = interval.interval.start
                found[number] = start.offset + sum(
                    c * values[v] for v, c in zip(start.vars, start.coeffs, strict=True)
                )
        elif isinstance(decision, Assign):
            if holds((decision.literal,)):
                found[number] = 0.0
        elif not any(holds((literal,)) for literal in decision.literals):
            found[number] = 0.0
    return found
