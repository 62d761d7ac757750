"""Random episodes of ``cpsched/Schedule-v0`` on a user's model, confirmed by CP-SAT.

For some seconds random legal actions are taken, episodes back to back; then the best and the
first finished episodes are fixed in the model, value by value, and CP-SAT has to find that
feasible with the objective that the environment reported.

A request is ``{"model": path of a module with build_model, "seconds": s, "seed": n, "confirm": n,
"solve_seconds": s}``.
"""

from __future__ import annotations

import importlib.util
import json
import random
import statistics
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np
from ortools.sat.python import cp_model

import cpsched.envs  # noqa: F401 - registers the environments
from cpsched.result import versions

if TYPE_CHECKING:
    from collections.abc import Sequence

_FOUND = (cp_model.OPTIMAL, cp_model.FEASIBLE)


def main() -> None:
    """Answer the request on the command line."""
    request = json.loads(sys.argv[1])
    model = _build(Path(request["model"]))
    env = gymnasium.make("cpsched/Schedule-v0", model=model, disable_env_checker=True).unwrapped
    _roll(env, min(1.0, request["seconds"]), request["seed"] + 1)
    steps, wall_time, lengths, ends = _roll(env, request["seconds"], request["seed"])
    finished = [info for info in ends if "dead_end" not in info]
    finished_steps = [
        length for length, info in zip(lengths, ends, strict=True) if "dead_end" not in info
    ]
    dead = [info["dead_end"] for info in ends if "dead_end" in info]
    best = min(finished, key=lambda info: info["objective"], default=None)
    looked_at = finished[: request["confirm"]] + ([best] if best else [])
    status, optimum, bound = _solve(model, request["solve_seconds"])
    answer = {
        "versions": versions(),
        "variables": len(model.proto.variables),
        "constraints": len(model.proto.constraints),
        "steps": steps,
        "wall_time": wall_time,
        "episodes": len(ends),
        "dead_ends": len(dead),
        "dead_end": dead[0] if dead else "",
        "steps_per_episode": statistics.fmean(finished_steps) if finished_steps else None,
        "mean_objective": (
            statistics.fmean(info["objective"] for info in finished) if finished else None
        ),
        "best_objective": best["objective"] if best else None,
        "confirmed": sum(_confirmed(model, info) for info in looked_at),
        "looked_at": len(looked_at),
        "status": status,
        "optimum": optimum,
        "bound": bound,
    }
    print(json.dumps(answer))


def _build(path: Path) -> cp_model.CpModel:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise SystemExit(f"{path} is no module")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.build_model()


def _roll(
    env: Any, seconds: float, seed: int
) -> tuple[int, float, list[int], list[dict[str, Any]]]:
    """Steps, wall time, and of each episode that ended its length and its last info."""
    draw = random.Random(seed).random
    clock = time.perf_counter
    steps, lengths, ends = 0, [], []
    begin = now = clock()
    deadline = begin + seconds
    while now < deadline:
        observation, _ = env.reset()
        over, begun = False, steps
        while not over and now < deadline:
            legal = observation["mask"].view(np.bool_).nonzero()[0]
            observation, _, over, _, info = env.step(legal[int(draw() * len(legal))])
            steps += 1
            now = clock()
        if over:
            lengths.append(steps - begun)
            ends.append(info)
    return steps, now - begin, lengths, ends


def _confirmed(model: cp_model.CpModel, info: dict[str, Any]) -> bool:
    """Whether CP-SAT accepts the values and finds the objective that the environment reported."""
    copy = model.clone()
    _fix(copy, info["values"])
    _, objective, _ = _solve(copy, 60)
    return objective == info["objective"]


def _fix(model: cp_model.CpModel, values: Sequence[int]) -> None:
    for index, value in enumerate(values):
        model.add(model.get_int_var_from_proto_index(index) == int(value))


def _solve(model: cp_model.CpModel, seconds: float) -> tuple[str, float | None, float | None]:
    solver = cp_model.CpSolver()
    solver.parameters.max_time_in_seconds = seconds
    solver.parameters.num_workers = 2
    status = solver.solve(model)
    found = status in _FOUND
    return (
        solver.status_name(status).lower(),
        solver.objective_value if found else None,
        solver.best_objective_bound if found else None,
    )


if __name__ == "__main__":
    main()
