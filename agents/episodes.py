"""Episodes of a graph network: rows on instances, all stepped together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from cpsched.agents.candidates import Candidates, Map, Reader
from cpsched.construct import compile_formulation
from cpsched.construct import layout as at
from cpsched.construct.batch import Batch
from cpsched.construct.root import Root, Sizes, values_of
from cpsched.envs.sources import Kind, formulation_for, frame_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    from cpsched.agents.networks.graph import GraphNetwork, Memory

#: Kind and frame of the episodes of each family.
FRAMES = {"jobshop": (Kind.SCHEDULE, "active"), "pods": (Kind.ASSIGN, "next")}


def root_of(instance: Any) -> Root:
    """Root of an instance of a family in ``FRAMES``.

    Raises InfeasibleModelError or NothingToDecideError as ``Root.of``, InputError if the instance
    offers no decision.
    """
    kind, frame = FRAMES[instance.family]
    construction = compile_formulation(formulation_for(kind, instance))
    return Root.of(construction, frame_of(kind, frame))


@dataclass(frozen=True, eq=False)
class Past:
    """One step of all rows: what there was to choose from, and what was chosen.

    live: shape (rows,), rows whose episode was under way; choice: shape (rows,), place of the
    decision among the candidates.
    """

    candidates: Candidates
    choice: npt.NDArray[np.int64]
    live: npt.NDArray[np.bool_]


class Episodes:
    """Rows of states, one episode each.

    Parameters
    ----------
    roots
        Of the instances.
    rows
        How many rows each instance has; those of one are next to each other.
    """

    def __init__(self, roots: Sequence[Root], rows: int) -> None:
        self.roots, self.maps = list(roots), [Map.of(root) for root in roots]
        self.which = np.repeat(np.arange(len(roots)), rows)
        sizes = Sizes.largest([root.sizes for root in roots])
        self.batch = Batch(len(self.which), self.roots, sizes, roots[0].frame, probe=False)
        self.reader = Reader(self.maps, self.which)
        self.reset()

    def reset(self) -> None:
        """Begin all episodes."""
        for slot in range(len(self.roots)):
            self.batch.start(np.flatnonzero(self.which == slot), slot)
        self.live = np.ones(len(self.which), np.bool_)
        self.objective = np.full(len(self.which), np.inf)
        self.values: list[npt.NDArray[np.int64] | None] = [None] * len(self.which)

    def candidates(self) -> Candidates:
        """What there is to choose from now."""
        batch = self.batch
        return self.reader.read(batch.decision, batch.constraint, batch.mask[:, :-1])

    def step(self, candidates: Candidates, choice: npt.NDArray[np.int64]) -> None:
        """Take the chosen candidates; rows whose episode is over go idle.

        objective is then the sum that is minimised inside, inf at a dead end, values those of the
        model's variables.
        """
        batch = self.batch
        actions = candidates.index[np.arange(len(choice)), choice]
        batch.step(actions, parallel=False)
        over = np.flatnonzero(batch.outcomes != at.RUNNING)
        for row in over.tolist():
            if self.live[row]:
                self.live[row] = False
                if batch.outcomes[row] == at.FINISHED:
                    state = batch.states[row]
                    self.objective[row] = float(state[at.BOUND])
                    construction = self.roots[self.which[row]].construction
                    self.values[row] = values_of(construction, state).copy()
        for slot in np.unique(self.which[over]).tolist():
            # Every row takes every step: those that are over begin again, for nobody.
            batch.start(over[self.which[over] == slot], slot)

    def solution(self, row: int) -> Any | None:
        """Solution of a finished row, None at a dead end."""
        values = self.values[row]
        if values is None:
            return None
        return self.roots[self.which[row]].construction.formulation.decode(values)


def roll(
    episodes: Episodes,
    network: GraphNetwork,
    memory: Memory,
    *,
    temperature: npt.NDArray[np.float32],
    generator: torch.Generator,
    keep: bool = False,
    stop: Callable[[], bool] = lambda: False,
) -> list[Past]:
    """Play all *episodes* to their ends, or until *stop*; returns the steps if *keep*.

    temperature: shape (rows,), 0 for greedy rows.
    """
    past = []
    heat = torch.from_numpy(temperature).to(memory.own.device).unsqueeze(1)
    with torch.inference_mode():
        while episodes.live.any() and not stop():
            candidates = episodes.candidates()
            step = network.step(memory, candidates, episodes.which, episodes.maps)
            score, _ = network(memory, step)
            # The largest score with Gumbel noise is a draw by softmax.
            uniform = torch.rand(score.shape, generator=generator).to(score.device)
            noise = -torch.log(-torch.log(uniform.clamp(1e-9, 1 - 1e-7)))
            choice = (score + heat * noise).argmax(1).cpu().numpy()
            if keep:
                past.append(Past(candidates, choice, episodes.live.copy()))
            episodes.step(candidates, choice)
    return past
