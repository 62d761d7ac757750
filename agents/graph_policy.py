"""A graph network as a policy: greedy, or the best of episodes that are drawn together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch

from cpsched.agents.beam import search
from cpsched.agents.candidates import Map
from cpsched.agents.episodes import FRAMES, Episodes, roll, root_of
from cpsched.agents.networks.graph import network_of
from cpsched.construct.root import NothingToDecideError
from cpsched.errors import InputError
from cpsched.propagation import InfeasibleModelError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy.typing as npt

    from cpsched.agents.networks.graph import GraphNetwork
    from cpsched.agents.weights import Checkpoint
    from cpsched.construct.root import Root

#: Decisions that the rows of a batch may have together, and rows: what is drawn at once.
_MOST_DECISIONS, _MOST_ROWS = 400_000, 128


class GraphPolicy:
    """The policy of ``networks.graph``; the first sample is greedy."""

    def __init__(self, network: GraphNetwork, family: str) -> None:
        self.network, self.family = network.eval(), family

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> Self:
        """The policy of *checkpoint*; InputError, naming what differs, if it does not fit."""
        return cls(network_of(checkpoint.config, checkpoint.tensors), checkpoint.family)

    def roll(
        self,
        instance: Any,
        *,
        samples: int,
        seed: int,
        stop: Callable[[], bool],
        halt: npt.NDArray[np.int64] | None = None,
        temperature: float | None = None,
    ) -> Iterator[Any]:
        """See ``LearnedPolicy``; nothing where every episode comes to a dead end."""
        del halt  # between two steps *stop* is asked
        root = self._root(instance)
        if root is None:
            return
        heat = self.network.shape.temperature if temperature is None else temperature
        generator = torch.Generator().manual_seed(seed)
        most = max(1, min(_MOST_ROWS, _MOST_DECISIONS // len(root.decision)))
        best = np.inf
        with torch.inference_mode():
            memory = self.network.encode([Map.of(root)])
        # The greedy episode first and alone: its answer comes soon.
        done, rows = 0, 1
        while done < samples and not stop():
            episodes = Episodes([root], rows)
            drawn = np.full(rows, heat if done else 0.0, np.float32)
            roll(
                episodes,
                self.network,
                memory,
                temperature=drawn,
                generator=generator,
                stop=stop,
            )
            row = int(np.argmin(episodes.objective))
            if episodes.objective[row] < best:
                best = float(episodes.objective[row])
                yield episodes.solution(row)
            done += rows
            rows = min(most, samples - done)

    def beam(self, instance: Any, *, width: int, stop: Callable[[], bool]) -> Iterator[Any]:
        """The solution that beam search ends with, if it ends with one; see ``beam.search``."""
        root = self._root(instance)
        if root is None:
            return
        with torch.inference_mode():
            memory = self.network.encode([Map.of(root)])
        found = search(Episodes([root], width), self.network, memory, stop)
        if found is not None:
            yield found

    def _root(self, instance: Any) -> Root | None:
        """Root of *instance*, None if it has no solution or leaves nothing to decide."""
        if instance.family != self.family or instance.family not in FRAMES:
            raise InputError(f"{instance.name}: these weights are for {self.family}")
        torch.set_num_threads(1)
        try:
            root = root_of(instance)
        except (InfeasibleModelError, NothingToDecideError):
            return None
        extra = root.decision.shape[1] - 8
        if extra != self.network.extra:
            raise InputError(
                f"these weights know {self.network.extra} columns of a decision, "
                f"{instance.name} has {extra}"
            )
        return root
