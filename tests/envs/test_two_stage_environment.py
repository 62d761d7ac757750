"""Moves chosen in two stages are the moves of the flat environment."""

from __future__ import annotations

import copy
import random
from typing import Any

import numpy as np
import pytest
from move_models import pods, random_moves, random_stairs
from random_vms import small
from three_pms import cluster as three

from cpsched.construct.root import NothingToDecideError
from cpsched.errors import InputError
from cpsched.vms.check import check
from cpsched.vms.solution import Migrations

pytest.importorskip("gymnasium", reason="the rl extra is not installed")
import gymnasium
from gymnasium.utils.env_checker import check_env

from cpsched.envs import MoveEnv, TwoStageMoveEnv


def drawn(make: Any, seed: int, **more: Any) -> dict[str, Any]:
    model, start = make(seed, **more)
    return {"model": model, "start": start}


MAKE: dict[str, Any] = {
    "rows": lambda seed: drawn(random_moves, seed, deep=False),
    "deep": lambda seed: drawn(random_moves, 2 * seed + 1, deep=True),
    "stairs": lambda seed: drawn(random_stairs, seed),
    "pods": lambda seed: drawn(pods, seed, num_pods=8, num_nodes=3),
    "final, once": lambda seed: {
        **drawn(pods, seed, num_pods=8, num_nodes=3),
        "once": True,
        "reward": "final",
    },
    "vms": lambda seed: {"instance": three()},
    "vms, fragments": lambda seed: {"instance": three(), "reward": "fragments"},
}
every_case = pytest.mark.parametrize("name", MAKE)


@every_case
def test_check_env(name: str) -> None:
    env = gymnasium.make("cpsched/TwoStageMove-v0", **MAKE[name](0))
    assert isinstance(env.unwrapped, TwoStageMoveEnv)
    check_env(env.unwrapped)


def legal(env: TwoStageMoveEnv | MoveEnv) -> list[int]:
    return np.flatnonzero(env.action_masks()).tolist()


@every_case
@pytest.mark.parametrize("seed", range(3))
def test_two_stages_are_the_flat_environment(name: str, seed: int) -> None:
    arguments = MAKE[name](seed)
    flat, env = MoveEnv(**arguments), TwoStageMoveEnv(**arguments)
    rng = random.Random(seed)
    wide, _ = flat.reset(seed=seed)
    seen, _ = env.reset(seed=seed)
    items, done = env.moves.num_items, False
    while not done:
        assert seen in env.observation_space
        assert (seen["stage"].tolist(), seen["chosen"].tolist()) == ([0], [-1])
        actions = legal(flat)
        wanted = {int(wide["item"][a]) for a in actions[:-1]}
        assert legal(env) == [*sorted(wanted), items]
        assert np.array_equal(seen["mask"] == 1, env.action_masks())
        assert not seen["option"].any()
        flags = seen["item"][:, 2] == 1
        assert np.flatnonzero(flags).tolist() == sorted(wanted)
        for item in wanted:
            changes = [wide["decision"][a, 3] for a in actions[:-1] if wide["item"][a] == item]
            assert seen["item"][item, 4] == min(changes)
        if not wanted:
            wide, value, done, _, last = flat.step(flat.action_space.n - 1)
            seen, other, over, _, info = env.step(items)
        else:
            action = rng.choice(actions[:-1])
            item = int(wide["item"][action])
            options = np.flatnonzero(wide["item"] == item)
            seen, zero, over, _, nothing = env.step(item)
            assert (zero, over, nothing) == (0.0, False, {})
            assert seen in env.observation_space
            assert (seen["stage"].tolist(), seen["chosen"].tolist()) == ([1], [item])
            assert seen["item"][:, 7].tolist() == [float(k == item) for k in range(items)]
            assert [int(options[k]) for k in legal(env)] == [a for a in actions if a in options]
            count = len(options)
            assert np.array_equal(seen["option"][:count, :8], wide["decision"][options, :8])
            assert np.array_equal(seen["option"][:count, 9:], wide["decision"][options, 8:])
            assert not seen["option"][count:].any()
            assert env.decision(item, int(np.flatnonzero(options == action)[0])) == action
            wide, value, done, _, last = flat.step(action)
            seen, other, over, _, info = env.step(int(np.flatnonzero(options == action)[0]))
        assert (value, done, last) == (other, over, info)
        assert flat.objective() == env.objective()
        assert np.array_equal(flat.values(), env.values())
    assert not env.action_masks().any()
    with pytest.raises(InputError, match="the episode is over"):
        env.step(0)


def test_episodes_of_vms_are_plans() -> None:
    finished = 0
    for seed in range(60):
        cluster = small(random.Random(seed))
        if not check(cluster, Migrations()).ok:
            continue
        try:
            env = TwoStageMoveEnv(cluster)
        except NothingToDecideError:
            continue
        env.reset(seed=seed)
        env.action_space.seed(seed)
        done, info = False, {}
        while not done:
            _, _, done, _, info = env.step(env.action_space.sample())
        report = check(cluster, env.solution())
        assert report.ok, report.violations
        assert report.objective == info["objective"]
        finished += len(env.solution().moves) > 0
    assert finished > 10


def test_once_changes_no_item_twice() -> None:
    for cls in (MoveEnv, TwoStageMoveEnv):
        for once in (False, True):
            env = cls(**drawn(pods, 1, num_pods=8, num_nodes=3), once=once, budget=30)
            env.reset(seed=0)
            env.action_space.seed(0)
            rng, done = np.random.default_rng(0), False
            stop = env.moves.num_items if cls is TwoStageMoveEnv else env.moves.num_decisions
            while not done:
                actions = legal(env)
                if stop in actions and len(actions) > 1:
                    actions.remove(stop)
                done = env.step(int(rng.choice(actions)))[2]
            items = env.moves.item_of[env._repair.taken].tolist()
            assert (len(set(items)) == len(items)) is once


def test_illegal_actions_change_nothing() -> None:
    env = TwoStageMoveEnv(**MAKE["pods"](0))
    env.reset()
    before = env.values()
    for stage in ("an item", "a decision of item"):
        mask = env.action_masks()
        for action in (*np.flatnonzero(~mask).tolist(), -1, env.action_space.n):
            with pytest.raises(InputError, match=f"action {action} is not legal for {stage}"):
                env.step(action)
        assert np.array_equal(mask, env.action_masks())
        if stage == "an item":
            env.step(legal(env)[0])
    with pytest.raises(TypeError):
        env.step(0.0)
    assert np.array_equal(before, env.values())


def test_shares_that_are_left() -> None:
    env = TwoStageMoveEnv(three())
    first, _ = env.reset()
    # VM a, 4 of 8 cores; b likewise; c, 8 of 8; d asks for nothing; e, 2 of 8 on each of two.
    assert first["item"][:, 8].tolist() == pytest.approx([0.5, 0.5, 0.0, 1.0, 0.5])
    second, *_ = env.step(0)
    left = second["option"][:, 8].tolist()
    assert left[0] == pytest.approx(0.5)
    assert max(left) == 1.0


def test_deep_copy_goes_its_own_way() -> None:
    env = TwoStageMoveEnv(**MAKE["vms"](0))
    env.reset()
    env.step(legal(env)[0])
    twin = copy.deepcopy(env)
    action = legal(env)[0]
    before = twin.values()
    one, *_ = env.step(action)
    assert np.array_equal(twin.values(), before)
    other, *_ = twin.step(action)
    assert all(np.array_equal(one[key], other[key]) for key in one)
