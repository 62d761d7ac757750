"""The batch of environments as stable-baselines3 wants it: a ``VecEnv``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from stable_baselines3.common.vec_env import VecEnv

from cpsched.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable

    import gymnasium
    import numpy.typing as npt

    from cpsched.envs import CpVecEnv


class Sb3VecEnv(VecEnv):
    """A ``CpVecEnv`` for algorithms of stable-baselines3 and sb3-contrib.

    The mask is in the observation and, for ``MaskablePPO``, in ``env_method("action_masks")``. At
    the end of an episode the row's info holds ``terminal_observation``, ``TimeLimit.truncated``
    and what the single environment says (``objective`` and ``values``, or ``dead_end``).

    Parameters
    ----------
    envs
        The batch, with autoreset and copies: stable-baselines3 keeps observations over a step.
    """

    def __init__(self, envs: CpVecEnv) -> None:
        if not envs.copy:
            raise InputError("stable-baselines3 keeps observations: make the batch with copy=True")
        if not envs.autoreset:
            raise InputError(
                "stable-baselines3 resets nothing: make the batch with autoreset=True"
            )
        self.envs = envs
        self._actions: npt.NDArray[Any] | None = None
        super().__init__(envs.num_envs, envs.single_observation_space, envs.single_action_space)

    def reset(self) -> dict[str, npt.NDArray[Any]]:
        """Begin an episode in every row, with the seed of an earlier call of ``seed``."""
        observation, _ = self.envs.reset(seed=self._seeds[0])
        self.reset_infos = [{} for _ in range(self.num_envs)]
        self._reset_seeds()
        self._reset_options()
        return observation

    def step_async(self, actions: npt.NDArray[Any]) -> None:
        """Keep the actions for ``step_wait``."""
        self._actions = actions

    def step_wait(self) -> Any:
        """Take the actions; observations, rewards, ends and infos of all rows."""
        if self._actions is None:
            raise InputError("step_wait without step_async")
        observation, rewards, terminated, truncated, found = self.envs.step(self._actions)
        self._actions = None
        done = terminated | truncated
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        for row in np.flatnonzero(done).tolist():
            final = found["final_info"]
            infos[row] = {
                key: final[key][row] for key in final if key[0] != "_" and final[f"_{key}"][row]
            }
            infos[row]["terminal_observation"] = found["final_obs"][row]
            infos[row]["TimeLimit.truncated"] = bool(truncated[row] and not terminated[row])
        return observation, rewards.astype(np.float32), done, infos

    def close(self) -> None:
        """Close the batch."""
        self.envs.close()

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """The batch's attribute, once for each of the rows asked for."""
        value = getattr(self.envs, attr_name)
        return [value for _ in self._rows(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Set an attribute of the whole batch; InputError for some of its rows."""
        if len(self._rows(indices)) != self.num_envs:
            raise InputError(f"the rows of a batch share their attributes: {attr_name}")
        setattr(self.envs, attr_name, value)

    def env_method(
        self, method_name: str, *method_args: Any, indices: Any = None, **method_kwargs: Any
    ) -> list[Any]:
        """``action_masks`` of the rows asked for; InputError for any other method."""
        if method_name != "action_masks":
            raise InputError(f"a row of a batch has no method {method_name!r}, only action_masks")
        masks = self.envs.action_masks(*method_args, **method_kwargs)
        return [masks[row] for row in self._rows(indices)]

    def env_is_wrapped(
        self, wrapper_class: type[gymnasium.Wrapper[Any, Any, Any, Any]], indices: Any = None
    ) -> list[bool]:
        """No row is wrapped in anything."""
        return [False for _ in self._rows(indices)]

    def _rows(self, indices: int | np.integer[Any] | Iterable[int] | None) -> list[int]:
        if indices is None:
            return list(range(self.num_envs))
        return [int(indices)] if isinstance(indices, int | np.integer) else list(indices)
