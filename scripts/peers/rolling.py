"""What every environment driver does: random masked episodes back to back, against the clock.

A driver wraps the environment of its package in a ``Rolled`` (or a ``RolledBatch``), hands
``serve`` its makers by variant, and is one process for one measurement. Only the standard library
is used here, because each driver runs in the virtual environment of its own package.

Protocol: one argument, a JSON object with ``task`` ("roll" or "conform"), ``variant``,
``instance`` (path of a file in the standard format, machines counted from 0), ``seconds``,
``seed`` and ``num_envs``; one JSON object, the last line of standard output (packages print there
when they are imported).

A step inside the clock is: the legal actions out of the mask, one random index, the
environment's own step with its observation, mask and reward, and one look at the clock.
Resets are inside, too. Imports, the constructor and up to a second of episodes are before it.
"""

from __future__ import annotations

import json
import os
import platform
import random
import resource
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable

#: Longest time spent on episodes before the clock starts, seconds.
_WARM_UP = 1.0

#: Steps of the episode that ``conformance`` looks at.
_CHECKED_STEPS = 200

Request = Mapping[str, Any]


class Rolled(Protocol):
    """One environment; ``env`` is the package's own object, ``observation`` its last one."""

    env: Any
    observation: Any

    def reset(self) -> None:
        """Begin an episode."""

    def legal(self) -> Sequence[Any]:
        """Legal actions, at least one."""

    def step(self, action: Any) -> bool:
        """Take *action*; whether the episode is over."""

    def makespan(self) -> float:
        """Makespan of the episode that is over."""


class RolledBatch(Protocol):
    """A batch that draws its own random actions and starts its own episodes."""

    env: Any
    observation: Any
    num_envs: int

    def reset(self) -> None:
        """Begin an episode in every environment."""

    def step(self) -> Sequence[float]:
        """Take one random step in every environment; makespans of the episodes now over."""


def serve(makers: Mapping[str, Callable[[Request], Any]], packages: Sequence[str]) -> None:
    """Do what the command line asks for with the maker of the variant."""
    answers = _claim_stdout()
    request: Request = json.loads(sys.argv[1])
    rolled = makers[request["variant"]](request)
    versions = {"python": platform.python_version()}
    versions |= {name: metadata.version(name) for name in packages}
    if request["task"] == "conform":
        answer: dict[str, Any] = {"facts": conformance(rolled)}
    else:
        answer = measure(rolled, request["seconds"], request["seed"])
    answers.write(json.dumps({"versions": versions, **answer}) + "\n")
    answers.flush()


def measure(rolled: Any, seconds: float, seed: int) -> dict[str, Any]:
    """Roll *rolled* for *seconds* after warming it up."""
    roll = _roll_batch if hasattr(rolled, "num_envs") else _roll
    roll(rolled, min(_WARM_UP, seconds), seed + 1)
    cpu = time.process_time()
    steps, wall, makespans = roll(rolled, seconds, seed)
    cpu = time.process_time() - cpu
    values, size = _content(rolled.observation)
    unit = 1 if sys.platform == "darwin" else 1024
    return {
        "steps": steps,
        "wall_time": wall,
        "cpu_time": cpu,
        "episodes": len(makespans),
        "mean_makespan": statistics.fmean(makespans) if makespans else None,
        "best_makespan": min(makespans, default=None),
        "observation_values": values // getattr(rolled, "num_envs", 1),
        "observation_bytes": size // getattr(rolled, "num_envs", 1),
        "peak_rss": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit,
    }


def _roll(rolled: Rolled, seconds: float, seed: int) -> tuple[int, float, list[float]]:
    """Steps, wall time, and the makespans of finished episodes."""
    draw = random.Random(seed).random
    clock = time.perf_counter
    steps = 0
    makespans = []
    begin = now = clock()
    deadline = begin + seconds
    while now < deadline:
        rolled.reset()
        over = False
        while not over and now < deadline:
            legal = rolled.legal()
            over = rolled.step(legal[int(draw() * len(legal))])
            steps += 1
            now = clock()
        if over:
            makespans.append(float(rolled.makespan()))
    return steps, now - begin, makespans


def _roll_batch(rolled: RolledBatch, seconds: float, seed: int) -> tuple[int, float, list[float]]:
    """As ``_roll``; a step of the batch counts once for every environment in it."""
    clock = time.perf_counter
    steps = 0
    makespans: list[float] = []
    begin = now = clock()
    deadline = begin + seconds
    rolled.reset()
    while now < deadline:
        makespans += rolled.step()
        steps += rolled.num_envs
        now = clock()
    return steps, now - begin, makespans


def conformance(rolled: Any) -> dict[str, str]:
    """How the environment keeps Gymnasium's interface, tried out."""
    env = rolled.env
    if not _is_gymnasium(env):
        return {"interface": "not a gymnasium.Env"}
    return {
        "interface": "gymnasium.Env",
        "reset": _seeded_reset(env),
        "space": _observations_in_space(rolled),
        "check_env": _check_env(env),
    }


def _is_gymnasium(env: Any) -> bool:
    names = {f"{kind.__module__}.{kind.__qualname__}" for kind in type(env).__mro__}
    return bool(names & {"gymnasium.core.Env", "gymnasium.vector.vector_env.VectorEnv"})


def _seeded_reset(env: Any) -> str:
    try:
        answer = env.reset(seed=0)
    except TypeError as error:
        return f"`reset(seed=0)` raises {type(error).__name__}"
    if isinstance(answer, tuple) and len(answer) == 2:
        return "`reset(seed=0)` returns observation and info"
    return "`reset` returns no info"


def _observations_in_space(rolled: Any) -> str:
    if hasattr(rolled, "num_envs"):
        return "-"
    draw = random.Random(0).random
    rolled.reset()
    outside = checked = 0
    over = False
    while not over and checked < _CHECKED_STEPS:
        outside += not rolled.env.observation_space.contains(rolled.observation)
        checked += 1
        legal = rolled.legal()
        over = rolled.step(legal[int(draw() * len(legal))])
    return f"{outside} of {checked} observations outside `observation_space`"


def _check_env(env: Any) -> str:
    """Outcome of Gymnasium's own checker, which draws actions without looking at the mask."""
    import warnings

    if hasattr(env, "num_envs"):
        return "-"
    from gymnasium.utils.env_checker import check_env

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            check_env(env, skip_render_check=True)
        except Exception as error:  # Whatever an environment raises under the checker is a fact.
            return f"{type(error).__name__}: {_first_line(error)}"
    return f"passes, {len(caught)} warnings" if caught else "passes"


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:110] if lines else ""


def _content(observation: Any) -> tuple[int, int]:
    """Number of values and of bytes in *observation*, arrays and tensors in whatever nesting."""
    if isinstance(observation, Mapping) or hasattr(observation, "batch_size"):
        parts = [_content(observation[key]) for key in observation.keys()]  # noqa: SIM118
    elif hasattr(observation, "nbytes"):
        count = 1
        for length in observation.shape:
            count *= int(length)
        return count, int(observation.nbytes)
    elif isinstance(observation, Sequence) and not isinstance(observation, str):
        parts = [_content(part) for part in observation]
    else:
        return 1, 8
    return sum(values for values, _ in parts), sum(size for _, size in parts)


def read_jobs(path: str | os.PathLike[str]) -> list[list[tuple[int, int]]]:
    """``jobs[job][index] = (machine, duration)`` from a file in the standard format."""
    rows = [[int(word) for word in line.split()] for line in Path(path).read_text().splitlines()]
    return [list(zip(row[::2], row[1::2], strict=True)) for row in rows[1:] if row]


def _claim_stdout() -> TextIO:
    """Keep standard output for the answer; whatever a package prints goes to standard error."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return answers
