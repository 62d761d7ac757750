"""The batch as stable-baselines3 uses it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from construction_models import deadlines
from random_shops import random_job_shop

pytest.importorskip("torch", reason="the rl extra is not installed")
pytest.importorskip("stable_baselines3", reason="the rl extra is not installed")
import gymnasium
from sb3_contrib import MaskablePPO
from sb3_contrib.common.maskable.utils import get_action_masks, is_masking_supported
from stable_baselines3.common.vec_env import VecMonitor

from cpsched.agents.vec_env import Sb3VecEnv
from cpsched.envs import CpVecEnv
from cpsched.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

SHOPS = [random_job_shop(seed, 3, 2) for seed in range(3)]


def test_steps_are_those_of_the_batch() -> None:
    envs, batch = Sb3VecEnv(CpVecEnv(SHOPS, num_envs=4)), CpVecEnv(SHOPS, num_envs=4)
    envs.seed(5)
    one, (other, _) = envs.reset(), batch.reset(seed=5)
    for _ in range(10):
        assert all(np.array_equal(one[name], other[name]) for name in other)
        actions = batch.sample()
        one, rewards, done, infos = envs.step(actions)
        other, other_rewards, terminated, _, found = batch.step(actions)
        assert rewards.dtype == np.float32
        assert np.array_equal(rewards, other_rewards)
        assert np.array_equal(done, terminated)
        for row in range(4):
            if not done[row]:
                assert infos[row] == {}
                continue
            assert infos[row]["objective"] == found["final_info"]["objective"][row]
            assert infos[row]["values"] == found["final_info"]["values"][row]
            assert infos[row]["TimeLimit.truncated"] is False
            final = found["final_obs"][row]
            for name, array in infos[row]["terminal_observation"].items():
                assert np.array_equal(array, final[name])
    envs.close()


def test_truncation_and_dead_ends_are_told() -> None:
    envs = Sb3VecEnv(CpVecEnv(SHOPS, num_envs=2, max_episode_steps=3))
    envs.reset()
    for _ in range(3):
        _, _, done, infos = envs.step(envs.envs.sample())
    assert done.all()
    assert all(info["TimeLimit.truncated"] for info in infos)
    envs = Sb3VecEnv(CpVecEnv(models=[deadlines()], num_envs=32))
    envs.seed(0)
    envs.reset()
    ends: list[dict[str, Any]] = []
    while len(ends) < 32:
        _, _, done, infos = envs.step(envs.envs.sample())
        ends += [info for info in infos if info]
    assert {"dead_end" in info for info in ends} == {True, False}
    for info in ends:
        assert ("dead_end" in info) != ("objective" in info)
        assert ("objective" in info) == ("values" in info)


def test_masks() -> None:
    envs = Sb3VecEnv(CpVecEnv(SHOPS, num_envs=3))
    observation = envs.reset()
    assert is_masking_supported(envs)
    masks = get_action_masks(envs)
    assert masks.dtype == np.bool_
    assert np.array_equal(masks, observation["mask"] == 1)
    assert np.array_equal(envs.env_method("action_masks", indices=1), masks[1:2])
    assert np.array_equal(envs.env_method("action_masks", indices=np.int64(1)), masks[1:2])
    assert envs.get_attr("num_envs", indices=[0, 2]) == [3, 3]
    assert envs.env_is_wrapped(VecMonitor) == [False] * 3  # type: ignore[arg-type]
    with pytest.raises(InputError, match="no method"):
        envs.env_method("solve")
    with pytest.raises(InputError, match="share their attributes"):
        envs.set_attr("frame", "wait", indices=0)


@pytest.mark.parametrize("arguments", [{"copy": False}, {"autoreset": False}])
def test_batches_that_cannot_be_used(arguments: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="stable-baselines3"):
        Sb3VecEnv(CpVecEnv(SHOPS, num_envs=2, **arguments))


def test_maskable_ppo_learns() -> None:
    envs = VecMonitor(Sb3VecEnv(CpVecEnv(SHOPS, num_envs=4, frame="wait")))
    model = MaskablePPO(
        "MultiInputPolicy",
        envs,
        n_steps=16,
        batch_size=32,
        n_epochs=2,
        seed=0,
        device="cpu",
        policy_kwargs={"net_arch": [8]},
    )
    model.learn(128)
    assert model.num_timesteps == 128
    assert len(model.ep_info_buffer) > 4
    observation = envs.reset()
    for _ in range(10):
        actions, _ = model.predict(observation, action_masks=get_action_masks(envs))
        observation, _, _, _ = envs.step(actions)


def test_maskable_ppo_takes_a_single_environment() -> None:
    env = gymnasium.make("cpsched/Schedule-v0", instance=SHOPS[0])
    model = MaskablePPO("MultiInputPolicy", env, n_steps=16, batch_size=16, n_epochs=1, seed=0)
    model.learn(32)
    observation, _ = env.reset()
    action, _ = model.predict(observation, action_masks=env.unwrapped.action_masks())
    env.step(action)


def test_model_is_saved_and_loaded(tmp_path: Path) -> None:
    envs = Sb3VecEnv(CpVecEnv(SHOPS, num_envs=2))
    model = MaskablePPO("MultiInputPolicy", envs, n_steps=4, batch_size=8, seed=0)
    model.save(tmp_path / "model")
    # Shapes and bounds of the spaces are those of other instances of the same sizes, too.
    others = Sb3VecEnv(CpVecEnv([random_job_shop(9, 3, 2)], num_envs=2))
    MaskablePPO.load(tmp_path / "model", env=others).learn(8)
