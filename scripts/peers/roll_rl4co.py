"""Driver for rl4co's ``JSSPEnv``: a batch of tensors, stepped by torch on the CPU.

Peculiarities (0.7.0): its reader takes machines as counted from 1, so it gets a file like that.
Random actions are one draw of ``multinomial`` from the mask, for the whole batch. With its
default ``mask_no_ops=True`` every episode has one step for each operation, so that all
environments of a batch end together.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from rl4co.envs import JSSPEnv
from rolling import read_jobs, serve

if TYPE_CHECKING:
    from rolling import Request


class _Jssp:
    def __init__(self, request: Request) -> None:
        torch.set_num_threads(1)
        torch.manual_seed(request["seed"])
        self.num_envs: int = request["num_envs"]
        jobs = read_jobs(request["instance"])
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "from-one.txt"
            path.write_text(_counted_from_one(jobs))
            self.env = JSSPEnv(generator_params={"file_path": str(path)})
        self.instances = self.env.generator.td[[0] * self.num_envs]
        self.observation: Any = None

    def reset(self) -> None:
        self.observation = self.env.reset(self.instances.clone())

    def step(self) -> list[float]:
        state = self.observation
        state.set("action", state["action_mask"].float().multinomial(1).squeeze(1))
        self.observation = self.env.step(state)["next"]
        if not self.observation["done"].all():
            return []
        makespans = (-self.env.get_reward(self.observation, None)).tolist()
        self.reset()
        return makespans


def _counted_from_one(jobs: list[list[tuple[int, int]]]) -> str:
    machines = 1 + max(machine for job in jobs for machine, _ in job)
    lines = [f"{len(jobs)} {machines}"]
    lines += [" ".join(f"{machine + 1} {duration}" for machine, duration in job) for job in jobs]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    serve({"": _Jssp}, ("rl4co", "torch", "torchrl", "tensordict"))
