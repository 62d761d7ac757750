"""The batch: the same as single environments side by side, on any instances, with any threads."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from construction_models import (
    assignment,
    deadlines,
    optional_intervals,
    packing,
    project,
    random_flexible_job_shop,
)
from ortools.sat.python import cp_model
from random_shops import random_job_shop

from cpsched.construct.batch import max_threads
from cpsched.errors import InputError

pytest.importorskip("gymnasium", reason="the rl extra is not installed")
import gymnasium
from gymnasium.vector import AutoresetMode

from cpsched.envs import AssignEnv, ConstructEnv, CpVecEnv, ScheduleEnv, threads

if TYPE_CHECKING:
    from cpsched.construct.root import Sizes

SHOPS = [
    random_job_shop(0, 4, 3),
    random_flexible_job_shop(1),
    random_job_shop(2, 2, 5, reentrant=True),
]
MODELS = [project(0), optional_intervals(1), deadlines()]
ITEMS = [assignment(0), packing(0), assignment(1, 4, 4)]

CASES: dict[str, dict[str, Any]] = {
    "shops": {"sources": SHOPS},
    "shops, active, final": {"sources": SHOPS, "frame": "active", "reward": "final"},
    "shops, wait": {"sources": SHOPS, "frame": "wait"},
    "models": {"sources": MODELS},
    "models, wait, probe": {"sources": MODELS, "frame": "wait", "probe": True},
    "models, nondelay, final": {"sources": MODELS, "frame": "nondelay", "reward": "final"},
    "items": {"sources": ITEMS, "decisions": "assign"},
    "items, all": {"sources": ITEMS, "decisions": "assign", "frame": "all"},
}


class Singles:
    """Single environments that follow the rows of a batch."""

    def __init__(self, batch: CpVecEnv, case: dict[str, Any]) -> None:
        arguments = dict(case)
        self.sources = arguments.pop("sources")
        self.cls = AssignEnv if arguments.pop("decisions", "") == "assign" else ScheduleEnv
        self.arguments = arguments
        self.batch = batch
        self.envs: list[ConstructEnv] = [self.new(row) for row in range(batch.num_envs)]
        self.observations = [env.reset()[0] for env in self.envs]

    def new(self, row: int) -> ConstructEnv:
        source = self.sources[self.batch.instance_indices[row]]
        key = "instance" if self.sources is SHOPS else "model"
        return self.cls(**{key: source}, **self.arguments)

    def action(self, row: int, action: int) -> int:
        """Action of the single environment for one of the batch."""
        count = self.envs[row].construction.num_decisions
        if self.arguments.get("frame") == "wait" and action == self.batch.sizes.decisions:
            return count
        assert action < count
        return action


def padded(observation: dict[str, Any], sizes: Sizes, count: int) -> dict[str, Any]:
    """Observation of a single environment as it stands in a batch."""
    decision = np.zeros((sizes.decisions, sizes.features), np.float32)
    decision[:count, : observation["decision"].shape[1]] = observation["decision"]
    constraint = np.zeros((sizes.constraints, 4), np.float32)
    constraint[: len(observation["constraint"])] = observation["constraint"]
    edges = {}
    for name, number in (("precedence", sizes.precedences), ("membership", sizes.memberships)):
        edges[name] = np.full((2, number), -1, np.int32)
        edges[name][:, : observation[name].shape[1]] = observation[name]
    edges["weight"] = np.zeros(sizes.memberships, np.float32)
    edges["weight"][: len(observation["weight"])] = observation["weight"]
    waits = len(observation["mask"]) > count
    mask = np.zeros(sizes.decisions + waits, np.int8)
    mask[:count] = observation["mask"][:count]
    if waits:
        mask[-1] = observation["mask"][-1]
    return {"decision": decision, "constraint": constraint, **edges, "mask": mask}


def same(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert one.keys() == other.keys()
    for name, array in one.items():
        assert array.dtype == other[name].dtype
        assert np.array_equal(array, other[name]), name


def row_of(observation: dict[str, Any], row: int) -> dict[str, Any]:
    return {name: array[row] for name, array in observation.items()}


@pytest.mark.parametrize("num_threads", [1, 2, None])
@pytest.mark.parametrize("name", CASES)
def test_same_as_single_environments(name: str, num_threads: int | None) -> None:
    if num_threads is not None and num_threads > max_threads():
        pytest.skip("numba has one thread here")
    case = CASES[name]
    arguments = {key: value for key, value in case.items() if key != "sources"}
    batch = CpVecEnv(case["sources"], num_envs=5, num_threads=num_threads, **arguments)
    observation, infos = batch.reset(seed=3)
    assert infos == {}
    singles = Singles(batch, case)
    ends = 0
    for _ in range(60):
        for row, single in enumerate(singles.observations):
            count = singles.envs[row].construction.num_decisions
            same(row_of(observation, row), padded(single, batch.sizes, count))
        assert observation in batch.observation_space
        assert np.array_equal(observation["mask"] == 1, batch.action_masks())
        actions = batch.sample()
        observation, rewards, terminated, truncated, infos = batch.step(actions)
        assert rewards.dtype == np.float64
        assert not truncated.any()
        for row, env in enumerate(singles.envs):
            single, reward, ended, _, info = env.step(singles.action(row, int(actions[row])))
            assert (rewards[row], terminated[row]) == (reward, ended)
            singles.observations[row] = single
            if not ended:
                continue
            ends += 1
            count = env.construction.num_decisions
            assert infos["_final_obs"][row]
            same(infos["final_obs"][row], padded(single, batch.sizes, count))
            final = infos["final_info"]
            for key in ("objective", "values", "dead_end"):
                assert (key in final and bool(final[f"_{key}"][row])) == (key in info)
                if key in info:
                    assert final[key][row] == info[key]
            singles.envs[row] = singles.new(row)
            singles.observations[row] = singles.envs[row].reset()[0]
        if infos:
            assert np.array_equal(infos["_final_obs"], terminated)
            assert np.array_equal(infos["_final_info"], terminated)
    assert ends > 5


def test_every_instance_comes_once_a_round() -> None:
    batch = CpVecEnv([random_job_shop(seed, 1, 2) for seed in range(4)], num_envs=2)
    rounds = []
    batch.reset(seed=0)
    for _ in range(6):
        rounds += batch.instance_indices.tolist()
        for _ in range(2):
            batch.step(batch.sample())
    assert [sorted(rounds[k : k + 4]) for k in (0, 4, 8)] == [[0, 1, 2, 3]] * 3
    assert rounds[:4] != rounds[4:8] or rounds[4:8] != rounds[8:]


def roll(batch: CpVecEnv, seed: int, steps: int = 40) -> list[Any]:
    observation, _ = batch.reset(seed=seed)
    seen: list[Any] = [copy.deepcopy(observation)]
    for _ in range(steps):
        actions = batch.sample()
        observation, rewards, terminated, _, _ = batch.step(actions)
        seen.append((actions.tolist(), rewards.tolist(), terminated.tolist()))
        seen.append(copy.deepcopy(observation))
    return seen


def equal(one: list[Any], other: list[Any]) -> bool:
    for left, right in zip(one, other, strict=True):
        if isinstance(left, tuple):
            if left != right:
                return False
        elif not all(np.array_equal(left[name], right[name]) for name in left):
            return False
    return True


def any_shop(rng: np.random.Generator) -> Any:
    return random_job_shop(int(rng.integers(10**6)), int(rng.integers(1, 5)), 3)


@pytest.mark.parametrize("source", ["pool", "generator"])
def test_equal_seeds_give_equal_roll_outs(source: str) -> None:
    def make() -> CpVecEnv:
        if source == "pool":
            return CpVecEnv(SHOPS, num_envs=3)
        return CpVecEnv(generator=any_shop, num_envs=3, sizes=largest())

    first = make()
    episodes = roll(first, 7)
    assert equal(roll(first, 7), episodes)
    assert equal(roll(make(), 7), episodes)
    assert not equal(roll(make(), 8), episodes)


def largest() -> Sizes:
    return CpVecEnv([random_job_shop(0, 4, 3)], num_envs=1).sizes


def test_generator_makes_an_instance_for_every_episode() -> None:
    batch = CpVecEnv(generator=any_shop, num_envs=2, sizes=largest())
    batch.reset(seed=1)
    seen = {id(construction) for construction in batch.constructions}
    ends = 0
    while ends < 20:
        before = batch.constructions
        observation, _, terminated, _, infos = batch.step(batch.sample())
        for row in np.flatnonzero(terminated):
            ends += 1
            assert batch.constructions[row] is not before[row]
            count = batch.constructions[row].num_decisions
            assert (observation["decision"][row, :, 0] != 0).sum() == count
            assert (observation["precedence"][row, 0] >= 0).sum() == max(0, 2 * count // 3)
            assert infos["final_info"]["objective"].dtype == np.float64
            seen.add(id(batch.constructions[row]))


def test_generated_instance_that_does_not_fit() -> None:
    sizes = iter([2, 2, 2, 2, 3, 3])

    def growing(_: np.random.Generator) -> Any:
        return random_job_shop(0, next(sizes), 3)

    batch = CpVecEnv(generator=growing, num_envs=2)
    batch.reset(seed=0)
    with pytest.raises(InputError, match="more than the batch is padded to"):
        batch.reset(seed=1)


def stuck(rng: np.random.Generator) -> Any:
    """A model that in one case of three has no solution, in one nothing to decide."""
    model = deadlines()
    case = int(rng.integers(3))
    if case == 0:
        model.add_bool_or([])
    elif case == 1:
        model = cp_model.CpModel()
        model.new_fixed_size_interval_var(3, 4, "fixed")
    return model


def test_generated_instances_that_cannot_be_used_are_drawn_again() -> None:
    batch = CpVecEnv(generator=stuck, num_envs=4)
    episodes = roll(batch, 3)
    assert equal(roll(batch, 3), episodes)
    assert sum(any(entry[2]) for entry in episodes if isinstance(entry, tuple)) > 5


@pytest.mark.parametrize("num_envs", [1, 3])
def test_generator_that_never_yields_a_usable_instance(num_envs: int) -> None:
    good, calls = True, 0

    def source(rng: np.random.Generator) -> Any:
        nonlocal calls
        calls += 1
        return random_job_shop(0, 2, 2) if good else infeasible()

    def infeasible() -> cp_model.CpModel:
        model = deadlines()
        model.add_bool_or([])
        return model

    batch = CpVecEnv(generator=source, num_envs=num_envs)
    batch.reset(seed=0)
    for _ in range(3):
        batch.step(batch.sample())
    good, calls = False, 0
    with pytest.raises(InputError, match=r"100 instances of the generator.*no solution"):
        batch.step(batch.sample())
    assert calls == 100
    good = True
    ended = ~batch.action_masks().any(axis=1)
    assert ended.all()
    batch.reset(options={"reset_mask": ended})
    batch.step(batch.sample())
    with pytest.raises(InputError, match="100 instances"):
        CpVecEnv(generator=lambda _: infeasible(), num_envs=1)


def test_before_the_first_reset() -> None:
    batch = CpVecEnv(SHOPS, num_envs=2)
    for ask in (batch.sample, lambda: batch.constructions, lambda: batch.describe(0, 0)):
        with pytest.raises(InputError, match="reset the environments first"):
            ask()


def test_copies_are_the_callers() -> None:
    batch = CpVecEnv(SHOPS, num_envs=3)
    first, _ = batch.reset(seed=0)
    kept = copy.deepcopy(first)
    second, *_ = batch.step(batch.sample())
    same(first, kept)
    assert not any(np.shares_memory(first[name], second[name]) for name in first)


def test_without_copies_the_arrays_are_overwritten() -> None:
    batch = CpVecEnv(SHOPS, num_envs=3, copy=False)
    first, _ = batch.reset(seed=0)
    kept = copy.deepcopy(first)
    second, _, terminated, _, infos = batch.step(batch.sample())
    assert all(np.shares_memory(first[name], second[name]) for name in first)
    assert not np.array_equal(first["decision"], kept["decision"])
    while not terminated.any():
        _, _, terminated, _, infos = batch.step(batch.sample())
    row = int(np.argmax(terminated))
    final = copy.deepcopy(infos["final_obs"][row])
    batch.step(batch.sample())
    same(infos["final_obs"][row], final)


def test_step_limit_truncates() -> None:
    batch = CpVecEnv(SHOPS, num_envs=3, max_episode_steps=4)
    batch.reset(seed=0)
    for step in range(1, 13):
        _, _, terminated, truncated, infos = batch.step(batch.sample())
        assert not terminated.any()
        assert truncated.all() == (step % 4 == 0)
        if truncated.any():
            assert infos["_final_obs"].all()
            assert infos["final_info"] == {}


def test_without_autoreset() -> None:
    batch = CpVecEnv(SHOPS, num_envs=3, autoreset=False)
    assert batch.metadata["autoreset_mode"] is AutoresetMode.DISABLED
    batch.reset(seed=0)
    terminated = np.zeros(3, np.bool_)
    while not terminated.any():
        observation, _, terminated, _, infos = batch.step(batch.sample())
    assert infos["_objective"].tolist() == terminated.tolist()
    row = int(np.argmax(terminated))
    assert not observation["mask"][row].any()
    assert batch.sample()[row] == 0
    with pytest.raises(InputError, match=f"row {row}: the episode is over"):
        batch.step(batch.sample())
    others = {name: array[~terminated] for name, array in observation.items()}
    observation, _ = batch.reset(options={"reset_mask": terminated})
    same({name: array[~terminated] for name, array in observation.items()}, others)
    batch.step(batch.sample())


def test_illegal_actions_change_no_row() -> None:
    batch = CpVecEnv(SHOPS, num_envs=3)
    with pytest.raises(InputError, match="reset the environments"):
        batch.step(np.zeros(3, np.int64))
    before, _ = batch.reset(seed=0)
    actions = batch.sample()
    for wrong in (-1, 10**6, int(np.argmin(before["mask"][1]))):
        bad = actions.copy()
        bad[1] = wrong
        with pytest.raises(InputError, match=f"row 1: action {wrong} is not legal; legal: "):
            batch.step(bad)
    for wrong_type in (actions[:2], actions[None], actions.astype(np.float32)):
        with pytest.raises(InputError):
            batch.step(wrong_type)
    after, *_ = batch.step(actions)
    assert not np.array_equal(before["decision"], after["decision"])


def test_samples_are_uniform() -> None:
    batch = CpVecEnv([random_job_shop(0, 4, 2)], num_envs=1000, frame="all")
    observation, _ = batch.reset(seed=0)
    legal = np.flatnonzero(observation["mask"][0])
    counts = np.bincount(batch.sample(), minlength=8)
    assert counts[legal].sum() == 1000
    assert (np.abs(counts[legal] - 250) < 70).all()
    assert not np.array_equal(batch.sample(), batch.sample())


def test_action_space_samples_legally() -> None:
    batch = CpVecEnv(SHOPS, num_envs=3, frame="wait")
    batch.reset(seed=0)
    for _ in range(20):
        batch.step(batch.action_space.sample())


def test_words() -> None:
    batch = CpVecEnv([*SHOPS[:1], *SHOPS[:1]], num_envs=1, frame="wait")
    batch.reset(seed=0)
    assert batch.describe(0, 0) == "start interval 0 at 0"
    assert batch.describe(0, 12).startswith("wait")
    with pytest.raises(InputError, match="no action 13"):
        batch.describe(0, 13)


FORK = """
import os
from cpsched.envs import CpVecEnv
from cpsched.jobshop.instance import JobShop

def step():
    shop = JobShop.classic("two", 2, [[(0, 3), (1, 2)], [(1, 5), (0, 1)]])
    batch = CpVecEnv([shop], num_envs=4, num_threads=2)
    batch.reset(seed=0)
    for _ in range(20):
        batch.step(batch.sample())

step()
child = os.fork()
step()
if child:
    assert os.waitpid(child, 0)[1] == 0
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.skipif(max_threads() < 2, reason="numba has one thread here")
def test_forked_process_goes_on() -> None:
    command = [sys.executable, "-W", "ignore", "-c", FORK]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("slow", [False, True])
def test_threads_are_chosen_by_trying(slow: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    now, seconds = 0.0, {False: 0.7, True: 1.0 if slow else 0.5}

    def step(_: object, *, parallel: bool) -> int:
        nonlocal now
        now += seconds[parallel]
        return -1

    monkeypatch.setattr(threads, "max_threads", lambda: 2)
    monkeypatch.setattr(threads, "time", SimpleNamespace(perf_counter=lambda: now))
    monkeypatch.setattr(
        threads, "numba", SimpleNamespace(get_num_threads=int, set_num_threads=int)
    )
    chooser = threads.Threads(None, 8)
    batch: Any = SimpleNamespace(step=step)
    for _ in range(1000):
        assert chooser.step(batch, np.zeros(8, np.int64)) == -1
    assert chooser.parallel == (not slow)
    assert not threads.Threads(None, 1).parallel


def test_make_vec() -> None:
    batch = gymnasium.make_vec("cpsched/Schedule-v0", num_envs=3, instance="ft06", frame="active")
    assert isinstance(batch.unwrapped, CpVecEnv)
    observation, _ = batch.reset(seed=0)
    assert observation["mask"].shape == (3, 36)
    batch = gymnasium.make_vec("cpsched/Schedule-v0", num_envs=2, instances=SHOPS)
    assert batch.reset(seed=0)[0]["mask"].shape[0] == 2
    batch = gymnasium.make_vec("cpsched/Assign-v0", num_envs=2, model=assignment(0))
    assert batch.reset(seed=0)[0]["mask"].shape == (2, 18)


def test_gymnasiums_own_batch_agrees() -> None:
    ours = CpVecEnv(["ft06"], num_envs=3)
    theirs = gymnasium.make_vec(
        "cpsched/Schedule-v0",
        num_envs=3,
        vectorization_mode="sync",
        instance="ft06",
        vector_kwargs={"autoreset_mode": AutoresetMode.SAME_STEP},
    )
    assert ours.single_observation_space == theirs.single_observation_space
    assert ours.metadata["autoreset_mode"] == theirs.metadata["autoreset_mode"]
    one, _ = ours.reset(seed=0)
    other, _ = theirs.reset(seed=0)
    for _ in range(40):
        same(one, other)
        actions = ours.sample()
        one, *left, infos = ours.step(actions)
        other, *right, other_infos = theirs.step(actions)
        for a, b in zip(left, right, strict=True):
            assert np.array_equal(a, b)
        assert infos.keys() == other_infos.keys()
        if infos:
            for row in range(3):
                same(infos["final_obs"][row], other_infos["final_obs"][row])
            final, other_final = infos["final_info"], other_infos["final_info"]
            assert final.keys() == other_final.keys()
            for key in ("objective", "values"):
                assert final[key].dtype == other_final[key].dtype
                assert final[key].tolist() == other_final[key].tolist()


@pytest.mark.parametrize("mode", [AutoresetMode.SAME_STEP, AutoresetMode.NEXT_STEP])
def test_gymnasiums_own_batch_sees_dead_ends_and_ends_in_one_step(mode: AutoresetMode) -> None:
    envs = gymnasium.make_vec(
        "cpsched/Schedule-v0",
        num_envs=8,
        vectorization_mode="sync",
        model=deadlines(),
        vector_kwargs={"autoreset_mode": mode},
    )
    rng = np.random.default_rng(0)
    observation, _ = envs.reset(seed=0)
    ours = CpVecEnv(models=[deadlines()], num_envs=8, autoreset=False)
    both = 0
    for _ in range(40):
        masks = observation["mask"]
        actions = [int(rng.choice(np.flatnonzero(row))) if row.any() else 0 for row in masks]
        observation, _, _, _, infos = envs.step(np.array(actions))
        infos = infos.get("final_info", {}) if mode is AutoresetMode.SAME_STEP else infos
        if "_objective" in infos and "_dead_end" in infos:
            both += 1
            assert not (infos["_objective"] & infos["_dead_end"]).any()
            assert infos["objective"].dtype == np.float64
            assert all(isinstance(why, str) for why in infos["dead_end"][infos["_dead_end"]])
    assert both
    ours.reset(seed=0)
    terminated = np.zeros(8, np.bool_)
    while not terminated.any():
        _, _, terminated, _, infos = ours.step(ours.sample())
    while not {"objective", "dead_end"} <= infos.keys():
        ours.reset(options={"reset_mask": terminated})
        _, _, terminated, _, infos = ours.step(ours.sample())
    assert np.array_equal(np.isnan(infos["objective"]), ~infos["_objective"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "exactly one of instances=, models=, formulations=, generator="),
        ({"instances": SHOPS, "models": MODELS}, "got instances=, models="),
        ({"instances": []}, "at least one instance"),
        ({"instances": "ft06"}, "a sequence of instances"),
        ({"instances": ["ft06", "ft07x"]}, "unknown instance 'ft07x'"),
        ({"instances": [*SHOPS, 3]}, "number 3 of the 4 given: .* not int"),
        ({"instances": SHOPS, "num_envs": 0}, "num_envs must be at least 1"),
        ({"instances": SHOPS, "num_threads": 0}, "num_threads must be in 1"),
        ({"instances": SHOPS, "num_threads": 10**6}, "num_threads must be in 1"),
        ({"instances": SHOPS, "max_episode_steps": 0}, "max_episode_steps"),
        ({"instances": SHOPS, "frame": "al"}, "did you mean all"),
        ({"instances": SHOPS, "decisions": "schedules"}, "did you mean schedule"),
        ({"instances": SHOPS, "render_mode": "human"}, "render_mode"),
        ({"instances": SHOPS, "rules": "all"}, "rules must be a DisjunctiveRule"),
        ({"instances": SHOPS, "probe": None}, "probe must be True or False"),
        ({"models": ["ft06"]}, "model takes a CpModel, not 'ft06'"),
        ({"formulations": MODELS}, "formulation takes a Formulation, not CpModel"),
    ],
)
def test_input_errors(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        CpVecEnv(**{"num_envs": 2, **arguments})


def test_reset_masks_are_checked() -> None:
    batch = CpVecEnv(SHOPS, num_envs=3)
    with pytest.raises(InputError, match="first reset must be of all rows"):
        batch.reset(seed=0, options={"reset_mask": np.array([True, False, True])})
    batch.reset(seed=0)
    for mask in ([True] * 3, np.ones(2, np.bool_), np.ones(3)):
        with pytest.raises(InputError, match="reset_mask must be an array of 3 Booleans"):
            batch.reset(options={"reset_mask": mask})
