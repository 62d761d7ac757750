"""Episodes as stable-baselines3 wants them: an action is the place of a candidate.

What a policy learns from is kept for thousands of steps, so an observation holds the legal
decisions only, not the graph: that is known by its number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np
from gymnasium import spaces
from stable_baselines3.common.vec_env import VecEnv

from cpsched.agents.candidates import COMMON, CONTEXT, Map, Reader
from cpsched.agents.episodes import root_of
from cpsched.construct import layout as at
from cpsched.construct.batch import Batch
from cpsched.construct.root import Sizes
from cpsched.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import numpy.typing as npt

Observation = dict[str, "npt.NDArray[Any]"]


class CandidateVecEnv(VecEnv):
    """Rows of episodes, each on an instance of its own, a new one for every episode.

    An observation is a dict: ``index``, int64, shape (most,), decisions, -1 for padding;
    ``feature``, float32, shape (most, features); ``context``, float32, shape (CONTEXT,);
    ``graph``, int64, shape (1,), number of the instance in *maps*. The reward is the drop of the
    propagated bound in parts of the root's, so that an episode's sum is 1 less the objective in
    these parts.

    Parameters
    ----------
    draw
        Called with a generator; returns an instance.
    num_envs
        Rows.
    most
        Candidates that there is room for.
    patterns
        Instances of all sizes that *draw* may come up with: they say what to pad to.
    seed
        Of the instances.

    Attributes
    ----------
    maps
        By number; those that no kept observation can refer to are dropped by ``forget``.
    """

    def __init__(
        self,
        draw: Callable[[np.random.Generator], Any],
        num_envs: int,
        most: int,
        patterns: Iterable[Any],
        seed: int,
    ) -> None:
        roots = [root_of(one) for one in patterns]
        sizes = Sizes.largest([root.sizes for root in roots])
        self._draw, self._rng, self.most = draw, np.random.default_rng(seed), most
        self.maps: dict[int, Map] = {}
        self._next = 0
        begun = [roots[0]] * num_envs
        self._batch = Batch(num_envs, begun, sizes, roots[0].frame, probe=False)
        self._reader = Reader(
            [Map.of(roots[0])] * num_envs, np.arange(num_envs), least=sizes.decisions
        )
        self._graph = np.zeros(num_envs, np.int64)
        self._scale = np.ones(num_envs)
        self._sum = np.zeros(num_envs)
        self._length = np.zeros(num_envs, np.int64)
        self._actions: npt.NDArray[np.int64] = np.zeros(num_envs, np.int64)
        features = COMMON + roots[0].decision.shape[1] - 8
        observed = spaces.Dict(
            {
                "index": spaces.Box(-1, sizes.decisions, (most,), np.int64),
                "feature": spaces.Box(-np.inf, np.inf, (most, features), np.float32),
                "context": spaces.Box(-np.inf, np.inf, (CONTEXT,), np.float32),
                "graph": spaces.Box(0, 2**62, (1,), np.int64),
            }
        )
        self.render_mode = None
        super().__init__(num_envs, observed, spaces.Discrete(most))

    def forget(self) -> None:
        """Drop the maps of instances that no row is on."""
        used = set(self._graph.tolist())
        self.maps = {number: one for number, one in self.maps.items() if number in used}

    def reset(self) -> Observation:
        """Begin an episode in every row."""
        for row in range(self.num_envs):
            self._begin(row)
        self.reset_infos = [{} for _ in range(self.num_envs)]
        return self._observe()

    def _begin(self, row: int) -> None:
        root = root_of(self._draw(self._rng))
        one = Map.of(root)
        self._batch.put(row, root)
        self._batch.start(np.array([row]), row)
        self._reader.put(row, one)
        self.maps[self._next] = one
        self._graph[row] = self._next
        self._next += 1
        self._scale[row] = max(1.0, float(root.row[at.BOUND]))
        self._sum[row] = self._length[row] = 0

    def _observe(self) -> Observation:
        batch = self._batch
        found = self._reader.read(batch.decision, batch.constraint, batch.mask[:, :-1])
        count = found.index.shape[1]
        if count > self.most:
            raise InputError(f"{count} decisions are legal, there is room for {self.most}")
        index = np.full((self.num_envs, self.most), -1, np.int64)
        feature = np.zeros((self.num_envs, self.most, found.feature.shape[2]), np.float32)
        index[:, :count], feature[:, :count] = found.index, found.feature
        self._index = index
        return {
            "index": index,
            "feature": feature,
            "context": found.context,
            "graph": self._graph[:, None].copy(),
        }

    def step_async(self, actions: npt.NDArray[Any]) -> None:
        """Keep the actions for ``step_wait``."""
        self._actions = np.asarray(actions, np.int64)

    def step_wait(self) -> Any:
        """Take the actions; observations, rewards, ends and infos of all rows."""
        batch = self._batch
        actions = self._index[np.arange(self.num_envs), self._actions]
        if (actions < 0).any() or batch.step(actions, parallel=False) >= 0:
            raise InputError("an action is no candidate")
        rewards = batch.rewards / self._scale
        self._sum += rewards
        self._length += 1
        done = batch.outcomes != at.RUNNING
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        if done.any():
            last = self._observe()
            for row in np.flatnonzero(done).tolist():
                infos[row]["terminal_observation"] = {key: last[key][row] for key in last}
                infos[row]["TimeLimit.truncated"] = False
                infos[row]["episode"] = {"r": float(self._sum[row]), "l": int(self._length[row])}
                self._begin(row)
        return self._observe(), rewards.astype(np.float32), done, infos

    def action_masks(self) -> npt.NDArray[np.bool_]:
        """Shape (num_envs, most): which actions are legal now."""
        return self._index >= 0

    def close(self) -> None:
        """Nothing to close."""

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """The batch's attribute, once for each of the rows asked for."""
        return [getattr(self, attr_name) for _ in self._rows(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """InputError: rows of a batch have no attributes of their own."""
        raise InputError(f"the rows of a batch share their attributes: {attr_name}")

    def env_method(
        self, method_name: str, *method_args: Any, indices: Any = None, **method_kwargs: Any
    ) -> list[Any]:
        """``action_masks`` of the rows asked for; InputError for any other method."""
        if method_name != "action_masks":
            raise InputError(f"a row of a batch has no method {method_name!r}, only action_masks")
        masks = self.action_masks()
        return [masks[row] for row in self._rows(indices)]

    def env_is_wrapped(
        self, wrapper_class: type[gymnasium.Wrapper[Any, Any, Any, Any]], indices: Any = None
    ) -> list[bool]:
        """No row is wrapped in anything."""
        return [False for _ in self._rows(indices)]

    def _rows(self, indices: Any) -> list[int]:
        if indices is None:
            return list(range(self.num_envs))
        return [int(indices)] if isinstance(indices, int | np.integer) else list(indices)
