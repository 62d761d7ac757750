"""What a step costs on instances of one size, and what it is made of.

One episode of ``cpsched/Schedule-v0`` is played with random legal actions and written down; then
loops are timed, each for some seconds: episodes with random legal actions, as in the table of
rates; the same recorded actions given to ``step`` of the environment; the same given to the kernel
that decides, propagates and keeps an observation up to date, on its bare arrays; to the one that
only decides and propagates; and copies of an observation.

A request is ``{"jobs": n, "machines": n, "seconds": s, "seed": n}``.
"""

from __future__ import annotations

import json
import random
import sys
import time
from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np

import cpsched.envs  # noqa: F401 - registers the environments
from cpsched.construct import Frame, State
from cpsched.construct.kernels import step as take_step
from cpsched.construct.observe import (
    CONSTRAINT_FEATURES,
    DECISION_FEATURES,
    show_all,
    step_shown,
)
from cpsched.construct.state import FRAME_CODES
from cpsched.instances import generate
from cpsched.jobshop.model import formulate
from cpsched.result import versions

if TYPE_CHECKING:
    from collections.abc import Callable

    from cpsched.jobshop.instance import JobShop

#: The law of the Taillard instances; the seed of the instance, not of the actions.
_LOW, _HIGH, _INSTANCE_SEED = 1, 99, 1


def main() -> None:
    """Answer the request on the command line."""
    request = json.loads(sys.argv[1])
    seconds, seed = request["seconds"], request["seed"]
    instance = generate.uniform(request["jobs"], request["machines"], _INSTANCE_SEED, _LOW, _HIGH)
    begin = time.perf_counter()
    env = gymnasium.make(
        "cpsched/Schedule-v0", instance=instance, disable_env_checker=True
    ).unwrapped
    making = time.perf_counter() - begin
    actions, observation = _random_episode(env, seed)
    answer = {
        "versions": versions(),
        "operations": instance.num_ops,
        "making_s": making,
        "observation_bytes": sum(array.nbytes for array in observation.values()),
        "loop_us": _microseconds(_random_steps(env, seed), seconds),
        "step_us": _microseconds(_recorded_steps(env, actions), seconds),
        "shown_us": _microseconds(_kernel_steps(instance, actions, shown=True), seconds),
        "kernel_us": _microseconds(_kernel_steps(instance, actions, shown=False), seconds),
        "copy_us": _microseconds(_copies(observation), seconds),
    }
    print(json.dumps(answer))


def _microseconds(run: Callable[[float], tuple[int, float]], seconds: float) -> float:
    """Microseconds for each of the steps that *run* makes until a time on the clock."""
    run(time.perf_counter() + min(0.5, seconds))
    steps, spent = run(time.perf_counter() + seconds)
    return 1e6 * spent / steps


def _random_episode(env: Any, seed: int) -> tuple[list[int], Any]:
    """Actions of a random episode, and its first observation."""
    draw = random.Random(seed).random
    actions: list[int] = []
    observation, _ = env.reset(seed=seed)
    first = {name: array.copy() for name, array in observation.items()}
    over = False
    while not over:
        legal = np.flatnonzero(observation["mask"])
        action = int(legal[int(draw() * len(legal))])
        actions.append(action)
        observation, _, over, _, _ = env.step(action)
    return actions, first


def _random_steps(env: Any, seed: int) -> Callable[[float], tuple[int, float]]:
    draw = random.Random(seed).random

    def run(deadline: float) -> tuple[int, float]:
        begin = now = time.perf_counter()
        steps = 0
        while now < deadline:
            observation, _ = env.reset()
            over = False
            while not over and now < deadline:
                legal = observation["mask"].view(np.bool_).nonzero()[0]
                observation, _, over, _, _ = env.step(legal[int(draw() * len(legal))])
                steps += 1
                now = time.perf_counter()
        return steps, now - begin

    return run


def _recorded_steps(env: Any, actions: list[int]) -> Callable[[float], tuple[int, float]]:
    """Steps of whole episodes, their resets not counted."""

    def run(deadline: float) -> tuple[int, float]:
        steps, spent = 0, 0.0
        while time.perf_counter() < deadline:
            env.reset()
            begin = time.perf_counter()
            for action in actions:
                env.step(action)
            spent += time.perf_counter() - begin
            steps += len(actions)
        return steps, spent

    return run


def _kernel_steps(
    instance: JobShop, actions: list[int], *, shown: bool
) -> Callable[[float], tuple[int, float]]:
    """The kernels on the arrays of a ``State``, as it and the environment call them."""
    state = State(formulate(instance), Frame.ALL)
    static, row, trail = state.static, state.row, state.propagator.reserve()
    scratch, frame = np.zeros(0, np.int64), FRAME_CODES[Frame.ALL]
    num_nodes = len(state.construction.nodes)
    decision = np.zeros((state.num_decisions, DECISION_FEATURES), np.float32)
    constraint = np.zeros((num_nodes, CONSTRAINT_FEATURES), np.float32)
    mask = np.zeros(state.num_decisions + 1, np.int8)
    root = row.copy()

    def step(action: int) -> None:
        take_step(static, row, trail, scratch, frame, action)

    def step_and_show(action: int) -> None:
        step_shown(static, row, trail, scratch, frame, action, decision, constraint, mask)

    take = step_and_show if shown else step

    def run(deadline: float) -> tuple[int, float]:
        steps, spent = 0, 0.0
        while time.perf_counter() < deadline:
            row[:] = root
            if shown:
                mask[:] = 0
                show_all(static, row, decision, constraint, mask)
            begin = time.perf_counter()
            for action in actions:
                take(action)
            spent += time.perf_counter() - begin
            steps += len(actions)
        return steps, spent

    return run


def _copies(observation: Any) -> Callable[[float], tuple[int, float]]:
    def run(deadline: float) -> tuple[int, float]:
        begin = now = time.perf_counter()
        steps = 0
        while now < deadline:
            for _ in range(10):
                {name: array.copy() for name, array in observation.items()}
            steps += 10
            now = time.perf_counter()
        return steps, now - begin

    return run


if __name__ == "__main__":
    main()
