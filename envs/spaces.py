"""Spaces of the environments: an observation graph, and actions that are sampled legally."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from gymnasium import spaces

from cpsched.construct.observe import CONSTRAINT_FEATURES

if TYPE_CHECKING:
    import numpy.typing as npt

    from cpsched.construct.root import Sizes

_LARGEST = np.finfo(np.float32).max


def observation_space(sizes: Sizes, num_actions: int) -> spaces.Space[Any]:
    """Space of observation graphs of given *sizes*.

    Features that are shares or truth values have the bounds 0 and 1. Times and costs are on the
    instance's scale: about 0 to 1, but nothing keeps a model's horizon from being longer, so their
    bounds are those of the numbers themselves; they do not depend on the instance.
    """
    decision = np.full((sizes.decisions, sizes.features), _LARGEST, np.float32)
    shares = [0, 5, 6, 7]
    decision_low = -decision
    decision[:, shares], decision_low[:, shares] = 1.0, 0.0
    constraint = np.ones((sizes.constraints, CONSTRAINT_FEATURES), np.float32)
    # Used capacity: a constraint with coefficients of both signs can use more than its limit.
    constraint[:, 2] = _LARGEST
    nodes = np.array([[sizes.decisions - 1], [sizes.constraints - 1]], np.int32)
    edges = np.broadcast_to(nodes, (2, sizes.memberships)).copy()
    return spaces.Dict(
        {
            "decision": spaces.Box(decision_low, decision, dtype=np.float32),
            "constraint": spaces.Box(np.zeros_like(constraint), constraint, dtype=np.float32),
            "precedence": spaces.Box(
                -1, sizes.decisions - 1, (2, sizes.precedences), dtype=np.int32
            ),
            "membership": spaces.Box(np.full_like(edges, -1), edges, dtype=np.int32),
            "weight": spaces.Box(0.0, _LARGEST, (sizes.memberships,), dtype=np.float32),
            "mask": spaces.MultiBinary(num_actions),
        }
    )


class LegalDiscrete(spaces.Discrete):
    """Actions of one environment; a sample without a mask is drawn among the legal ones.

    Seeding begins a roll-out: the first sample after it is an action that is legal when an episode
    begins, whether the environment is reset before or after it is drawn.

    Parameters
    ----------
    mask
        Shape (num_actions or more,): the environment's own mask, looked at when sampling.
    num_actions
        How many actions there are.
    """

    def __init__(self, mask: npt.NDArray[np.int8], num_actions: int) -> None:
        self._seeded = False
        super().__init__(num_actions)
        self._legal, self._legal_at_first = mask, mask.copy()

    def seed(self, seed: int | None = None) -> Any:
        """Seed the samples."""
        self._seeded = seed is not None
        return super().seed(seed)

    def sample(self, mask: Any = None, probability: Any = None) -> Any:
        """Draw an action: as in ``Discrete``, by default a legal one."""
        if mask is None and probability is None:
            legal = self._legal_at_first if self._seeded else self._legal
            mask = legal[: int(self.n)]
        self._seeded = False
        return super().sample(mask, probability)


class LegalMultiDiscrete(spaces.MultiDiscrete):
    """Actions of a batch; a sample without a mask is drawn among the legal ones.

    Parameters
    ----------
    mask
        Shape (num_envs, num_actions or more): the batch's own mask, looked at when sampling.
    num_actions
        How many actions every row has.
    """

    def __init__(self, mask: npt.NDArray[np.int8], num_actions: int) -> None:
        super().__init__(np.full(len(mask), num_actions, np.int64))
        self._legal = mask

    def sample(self, mask: Any = None, probability: Any = None) -> Any:
        """Draw actions: as in ``MultiDiscrete``, by default legal ones."""
        if mask is None and probability is None:
            mask = tuple(self._legal[:, : int(self.nvec[0])])
        return super().sample(mask, probability)
