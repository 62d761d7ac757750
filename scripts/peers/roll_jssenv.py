"""Driver for JSSEnv's ``JssEnv`` (``jss-v1``).

Peculiarities (1.1.0): ``reset`` takes no seed and returns the observation alone, so that the
environment is made by its class: ``gymnasium.make`` wraps it in checks that it does not pass. The
arrays of the observation are those it works on, not copies.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from JSSEnv.envs import JssEnv
from rolling import serve

if TYPE_CHECKING:
    from rolling import Request


class _Jss:
    def __init__(self, request: Request) -> None:
        self.env = JssEnv({"instance_path": request["instance"]})
        self.observation: Any = None

    def reset(self) -> None:
        self.observation = self.env.reset()

    def legal(self) -> Any:
        return np.asarray(self.observation["action_mask"]).nonzero()[0]

    def step(self, action: Any) -> bool:
        self.observation, _, terminated, _, _ = self.env.step(action)
        return terminated

    def makespan(self) -> float:
        return self.env.last_time_step


if __name__ == "__main__":
    serve({"": _Jss}, ("JSSEnv", "gymnasium", "numpy"))
