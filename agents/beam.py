"""Beam search: the likeliest beginnings of episodes, all rows of a batch on one instance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from cpsched.agents.episodes import Episodes
    from cpsched.agents.networks.graph import GraphNetwork, Memory


def search(
    episodes: Episodes, network: GraphNetwork, memory: Memory, stop: Callable[[], bool]
) -> Any | None:
    """The best solution among the ends of the beam, None if there is none.

    A beginning is worth the sum of its decisions' log-probabilities; of all that the rows can
    become in a step, as many as there are rows are gone on with.

    Parameters
    ----------
    episodes
        At their beginning, all rows on one instance: their number is the width of the beam.
    network, memory
        The policy, and what it says of the instance.
    stop
        Looked at before every step.
    """
    width = len(episodes.which)
    worth = np.full(width, -np.inf)
    worth[0] = 0.0  # all rows are equal at first: one of them begins
    best, found = np.inf, None
    with torch.inference_mode():
        while np.isfinite(worth).any() and not stop():
            candidates = episodes.candidates()
            step = network.step(memory, candidates, episodes.which, episodes.maps)
            score, _ = network(memory, step)
            likely = torch.log_softmax(score, dim=1).cpu().numpy()
            total = np.where(np.isnan(likely), -np.inf, likely) + worth[:, None]
            flat = np.argsort(-total, axis=None, kind="stable")[:width]
            parent, choice = np.unravel_index(flat, total.shape)
            worth = total[parent, choice]
            # Rows that no beginning is left for repeat the best one, for nobody.
            parent[~np.isfinite(worth)], choice[~np.isfinite(worth)] = parent[0], choice[0]
            _copy(episodes, parent)
            candidates = type(candidates)(
                candidates.index[parent], candidates.feature[parent], candidates.context[parent]
            )
            episodes.live[:] = True
            episodes.objective[:] = np.inf
            episodes.step(candidates, choice)
            for row in np.flatnonzero(~episodes.live).tolist():
                if np.isfinite(worth[row]) and episodes.objective[row] < best:
                    best, found = float(episodes.objective[row]), episodes.solution(row)
                worth[row] = -np.inf
    return found


def _copy(episodes: Episodes, parent: npt.NDArray[np.int64]) -> None:
    """Have every row go on from the state of its parent."""
    batch = episodes.batch
    for array in (batch.states, batch.decision, batch.constraint, batch.mask, batch.outcomes):
        array[:] = array[parent]
