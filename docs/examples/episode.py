"""Play one random episode on any CP-SAT model, and have CP-SAT confirm it.

The three models beside this file hand their ``build_model`` to ``main``: the model becomes the
environment ``cpsched/Schedule-v0``, legal actions are drawn at random until the episode is over,
and the values that it ends with are fixed in the very same model and given to CP-SAT.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np
from ortools.sat.python import cp_model

import cpsched.envs  # noqa: F401 - registers cpsched/Schedule-v0

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def play(env: gymnasium.Env[Any, Any], seed: int) -> tuple[dict[str, Any], int]:
    """Play one episode with random legal actions; return its last info and its steps."""
    rng = np.random.default_rng(seed)
    _, info = env.reset(seed=seed)
    steps, over = 0, False
    while not over:
        legal = np.flatnonzero(env.unwrapped.action_masks())
        _, _, terminated, truncated, info = env.step(rng.choice(legal))
        steps += 1
        over = terminated or truncated
    return info, steps


def fixed(model: cp_model.CpModel, values: Sequence[int]) -> cp_model.CpModel:
    """Copy of *model* in which each variable, in order, equals its value."""
    copy = model.clone()
    for index, value in enumerate(values):
        copy.add(copy.get_int_var_from_proto_index(index) == int(value))
    return copy


def solve(model: cp_model.CpModel, seconds: float = 60.0) -> tuple[str, float | None]:
    """Status and objective that CP-SAT finds for *model*."""
    solver = cp_model.CpSolver()
    solver.parameters.max_time_in_seconds = seconds
    status = solver.solve(model)
    found = status in (cp_model.OPTIMAL, cp_model.FEASIBLE)
    return solver.status_name(status), solver.objective_value if found else None


def main(build_model: Callable[[], cp_model.CpModel]) -> None:
    """Play, confirm, compare with the optimum."""
    parser = argparse.ArgumentParser(description="One random episode, confirmed by CP-SAT.")
    parser.add_argument("--seed", type=int, default=0, help="seed of the random actions (0)")
    seed = parser.parse_args().seed
    model = build_model()
    env = gymnasium.make("cpsched/Schedule-v0", model=model)
    info, steps = play(env, seed)
    if "dead_end" in info:
        print(f"dead end after {steps} steps: {info['dead_end']}")
    else:
        print(f"random episode: {steps} steps, objective {info['objective']:g}")
        status, objective = solve(fixed(model, info["values"]))
        print(f"the same values fixed in the model: {status.lower()}, objective {objective}")
        if objective != info["objective"]:
            raise SystemExit("CP-SAT does not agree")
    status, objective = solve(model)
    print(f"CP-SAT alone: {status.lower()}, objective {objective}")
