"""Driver for cpsched's own environments: ``cpsched/Schedule-v0`` by frame, and ``CpVecEnv``.

The single environment is ``unwrapped``, as the peers are; its observation is a fresh copy every
step. The batch draws its random legal actions itself, and hands out its buffers or copies.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np
from rolling import serve

from cpsched.envs import CpVecEnv

if TYPE_CHECKING:
    from rolling import Request


class _Schedule:
    def __init__(self, frame: str, request: Request) -> None:
        self.env: Any = gymnasium.make(
            "cpsched/Schedule-v0",
            instance=request["instance"],
            frame=frame,
            disable_env_checker=True,
        ).unwrapped
        self.observation: Any = None
        self.info: dict[str, Any] = {}

    def reset(self) -> None:
        self.observation, self.info = self.env.reset()

    def legal(self) -> Any:
        # The mask is int8, as Gymnasium has it; where it is not 0 is found faster in Booleans,
        # which the masks of the peers are.
        return self.observation["mask"].view(np.bool_).nonzero()[0]

    def step(self, action: Any) -> bool:
        self.observation, _, terminated, _, self.info = self.env.step(action)
        return terminated

    def makespan(self) -> float:
        return self.info["objective"]


class _Batch:
    def __init__(self, request: Request, *, copy: bool) -> None:
        self.num_envs: int = request["num_envs"]
        self.env = CpVecEnv(instances=[request["instance"]], num_envs=self.num_envs, copy=copy)
        self.observation: Any = None
        self.seed = request["seed"]

    def reset(self) -> None:
        self.observation, _ = self.env.reset(seed=self.seed)

    def step(self) -> list[float]:
        self.observation, _, terminated, _, infos = self.env.step(self.env.sample())
        if not terminated.any():
            return []
        # Job shops have no dead ends: every episode that is over has an objective.
        return infos["final_info"]["objective"][terminated].tolist()


if __name__ == "__main__":
    serve(
        {
            "all": lambda request: _Schedule("all", request),
            "active": lambda request: _Schedule("active", request),
            "nondelay": lambda request: _Schedule("nondelay", request),
            "batch": lambda request: _Batch(request, copy=False),
            "batch with copies": lambda request: _Batch(request, copy=True),
        },
        ("cpsched", "ortools", "numpy", "numba", "gymnasium"),
    )
