"""The move environment as Gymnasium sees it, and its contracts with the model."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
from construction_models import assignment, packing, project
from move_models import assign, pods, random_moves
from ortools.sat.python import cp_model
from random_clusters import random_cluster
from verdicts import inner_sum, solve

from cpsched.construct.observe import CONSTRAINT_FEATURES, DECISION_FEATURES
from cpsched.errors import InputError, UnknownNameError
from cpsched.pods import objective
from cpsched.pods.check import check

pytest.importorskip("gymnasium", reason="the rl extra is not installed")
import gymnasium
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from cpsched.envs import MoveEnv


def solved(model: cp_model.CpModel) -> dict[str, Any]:
    """Arguments for a model that starts at a solution that is not optimal."""
    worst = model.clone()
    objective = worst.proto.objective
    for k in range(len(objective.coeffs)):
        objective.coeffs[k] = -objective.coeffs[k]
    _, _, values = solve(worst, {})
    return {"model": model, "start": values}


def drawn(seed: int, *, deep: bool) -> dict[str, Any]:
    model, start = random_moves(seed, deep=deep)
    return {"model": model, "start": start}


def cluster(seed: int) -> dict[str, Any]:
    model, start = pods(seed, 8, 3)
    return {"model": model, "start": start}


MAKE: dict[str, Any] = {
    "exactly one": lambda seed: solved(assignment(seed)),
    "at most one": lambda seed: solved(packing(seed)),
    "rows": lambda seed: drawn(seed, deep=False),
    "deep": lambda seed: drawn(2 * seed + 1, deep=True),
    "pods": cluster,
    "final, budget": lambda seed: {**cluster(seed), "reward": "final", "budget": 3},
}
every_case = pytest.mark.parametrize("name", MAKE)


@every_case
def test_check_env(name: str) -> None:
    env = gymnasium.make("cpsched/Move-v0", **MAKE[name](0))
    # Every warning is an error; none is allowed.
    check_env(env.unwrapped)
    assert isinstance(env.unwrapped, MoveEnv)


def moves_of(env: MoveEnv) -> np.ndarray[Any, Any]:
    return np.flatnonzero(env.action_masks()[:-1])


def play(env: MoveEnv, seed: int) -> tuple[list[int], list[float], dict[str, Any]]:
    """Actions, rewards and last info of a random episode that moves as long as it may."""
    rng = np.random.default_rng(seed)
    observation, info = env.reset(seed=seed)
    actions: list[int] = []
    rewards: list[float] = []
    done, stop = False, env.action_space.n - 1
    while not done:
        assert info == {}
        assert observation in env.observation_space
        assert np.array_equal(observation["mask"] == 1, env.action_masks())
        assert observation["mask"][stop]
        legal = moves_of(env)
        actions.append(int(rng.choice(legal)) if len(legal) else int(stop))
        observation, reward, done, truncated, info = env.step(actions[-1])
        assert not truncated
        rewards.append(reward)
    assert not observation["mask"].any()
    return actions, rewards, info


@every_case
@pytest.mark.parametrize("seed", range(3))
def test_one_objective(name: str, seed: int) -> None:
    arguments = MAKE[name](seed)
    env = MoveEnv(**arguments)
    first = inner_sum(env.moves.formulation, env.values().tolist())
    actions, rewards, info = play(env, seed)
    assert len(actions) <= env.budget
    values = info["values"]
    assert all(type(value) is int for value in values)
    status, objective, _ = solve(arguments["model"], dict(enumerate(values)))
    # CP-SAT's is a float, rounded by its presolve; ours is exact.
    assert (status, round(objective)) == ("OPTIMAL", info["objective"])
    # With the decisions fixed alone, CP-SAT finds nothing better.
    bits = {v: values[v] for v in env.moves.bits.tolist()}
    assert round(solve(arguments["model"], bits)[1]) == info["objective"]
    assert type(info["objective"]) is int
    inner = inner_sum(env.moves.formulation, values)
    if name.startswith("final"):
        assert not any(rewards[:-1])
        assert rewards[-1] == -inner
    else:
        assert sum(rewards) == first - inner


@every_case
def test_every_assignment_on_the_way_is_a_solution(name: str) -> None:
    arguments = MAKE[name](5)
    env = MoveEnv(**arguments)
    actions, _, _ = play(env, 5)
    env.reset()
    for action in actions:
        before = env.values()
        assert solve(arguments["model"], dict(enumerate(before.tolist())))[0] == "OPTIMAL"
        env.step(action)
        if action < env.moves.num_decisions:
            assert not np.array_equal(before[env.moves.bits], env.values()[env.moves.bits])


def test_decisions_of_an_item_change_together() -> None:
    env = MoveEnv(**cluster(1))
    observation, _ = env.reset()
    item, count = observation["item"], env.moves.num_items
    assert np.array_equal(item, np.repeat(np.arange(8), 4))
    while len(moves_of(env)):
        in_force = observation["decision"][:, 1] == 1
        assert np.bincount(item[in_force], minlength=count).tolist() == [1] * count
        action = int(moves_of(env)[-1])
        observation, _, done, _, _ = env.step(action)
        now = observation["decision"][:, 1] == 1
        assert now[action]
        changed = np.flatnonzero(now != in_force)
        assert len(changed) == 2
        assert set(item[changed]) == {item[action]}
        if done:
            break


def test_features() -> None:
    model = cp_model.CpModel()
    into = [[model.new_bool_var(f"item{i}_bin{b}") for b in range(2)] for i in range(2)]
    for literals in into:
        model.add_exactly_one(literals)
    model.add(3 * into[0][0] + 5 * into[1][0] <= 10)
    model.add(3 * into[0][1] + 5 * into[1][1] <= 6)
    model.minimize(8 * into[0][0] + 4 * into[1][0])
    env = MoveEnv(model=model, start=[1, 0, 1, 0], budget=4)
    first, _ = env.reset()
    assert first["decision"].shape == (4, DECISION_FEATURES)
    assert first["constraint"].shape == (4, CONSTRAINT_FEATURES)
    assert first["decision"][:, 1].tolist() == [1, 0, 1, 0]
    assert first["decision"][:, 3].tolist() == [0, -1, 0, -0.5]
    logarithm = [0, -1, 0, -np.log(5) / np.log(9)]
    assert first["decision"][:, 4].tolist() == pytest.approx(logarithm)
    assert first["mask"].tolist() == [0, 1, 0, 1, 1]
    nodes = first["constraint"][:, 1:3].tolist()
    assert nodes[:2] == [[0, 1], [0, 1]]
    assert nodes[2] == pytest.approx([0.2, 0.8])
    assert nodes[3] == pytest.approx([1, 0])
    second, reward, *_ = env.step(1)
    assert (reward, env.objective()) == (8.0, 4)
    assert second["budget"].tolist() == [0.75]
    assert second["decision"][:, 1].tolist() == [0, 1, 1, 0]
    assert second["decision"][:, 2].tolist() == [1, 0, 1, 0]
    assert second["decision"][:, 5].tolist() == [1, 1, 0, 0]
    # The second item fits no more.
    assert second["mask"].tolist() == [1, 0, 0, 0, 1]
    assert second["constraint"][3, 1:3].tolist() == pytest.approx([0.5, 0.5])


def test_stopping_ends_the_episode() -> None:
    env = MoveEnv(**cluster(0))
    env.reset()
    before = env.objective()
    _, reward, terminated, truncated, info = env.step(env.action_space.n - 1)
    assert (reward, terminated, truncated) == (0.0, True, False)
    assert info["objective"] == before
    assert info["values"] == cluster(0)["start"]
    with pytest.raises(InputError, match="the episode is over"):
        env.step(env.action_space.n - 1)
    env.reset()
    env.step(int(moves_of(env)[0]))


def test_the_budget_ends_the_episode() -> None:
    env = MoveEnv(**{**cluster(0), "budget": 2})
    for _ in range(2):
        observation, _ = env.reset()
        assert observation["budget"].tolist() == [1.0]
        observation, _, terminated, _, info = env.step(int(moves_of(env)[0]))
        assert (observation["budget"].tolist(), terminated, info) == ([0.5], False, {})
        observation, _, terminated, truncated, info = env.step(int(moves_of(env)[0]))
        assert (terminated, truncated, set(info)) == (True, False, {"objective", "values"})


def test_step_limit_truncates() -> None:
    env = gymnasium.make("cpsched/Move-v0", **cluster(0), max_episode_steps=2)
    env.reset(seed=0)
    for step in range(2):
        action = int(moves_of(env.unwrapped)[0])  # type: ignore[arg-type]
        _, _, terminated, truncated, info = env.step(action)
        assert (terminated, truncated, info) == (False, step == 1, {})


@every_case
def test_equal_seeds_give_equal_roll_outs(name: str) -> None:
    episodes = []
    for _ in range(2):
        env = MoveEnv(**MAKE[name](2))
        env.reset(seed=5)
        env.action_space.seed(5)
        actions, rewards, done, info = [], [], False, {}
        while not done:
            actions.append(int(env.action_space.sample()))
            _, reward, done, _, info = env.step(actions[-1])
            rewards.append(reward)
        episodes.append((actions, rewards, info))
    assert episodes[0] == episodes[1]


def test_illegal_actions_change_nothing() -> None:
    env = MoveEnv(**cluster(0))
    observation, _ = env.reset()
    illegal = np.flatnonzero(observation["mask"] == 0).tolist()
    before = env.values()
    for action in (*illegal, -1, env.action_space.n, np.int64(illegal[0])):
        with pytest.raises(InputError, match=rf"action {action} is not legal; legal: "):
            env.step(action)
    for action in (0.0, "0", None):
        with pytest.raises(TypeError):
            env.step(action)
    assert np.array_equal(before, env.values())


def test_observations_are_the_callers() -> None:
    env = MoveEnv(**cluster(0))
    first, _ = env.reset()
    kept = copy.deepcopy(first)
    second, *_ = env.step(int(moves_of(env)[0]))
    for name in first:
        assert np.array_equal(first[name], kept[name])
        assert not np.shares_memory(first[name], second[name])
        second[name][...] = 1
    fresh, _ = env.reset()
    assert all(np.array_equal(fresh[name], kept[name]) for name in kept)


@pytest.mark.parametrize("name", ["pods", "deep"])
def test_deep_copy_goes_its_own_way(name: str) -> None:
    env = MoveEnv(**MAKE[name](0))
    env.reset()
    twin = copy.deepcopy(env)
    action = int(moves_of(env)[0])
    before = twin.values()
    one, *_ = env.step(action)
    assert np.array_equal(twin.values(), before)
    other, *_ = twin.step(action)
    assert all(np.array_equal(one[key], other[key]) for key in one)


def test_model_is_left_as_it_was() -> None:
    arguments = MAKE["deep"](0)
    before = str(arguments["model"].proto)
    play(MoveEnv(**arguments), 0)
    assert str(arguments["model"].proto) == before


def test_words() -> None:
    env = MoveEnv(**cluster(0))
    env.reset()
    action = next(int(action) for action in moves_of(env) if action % 4 < 3)
    pod, node = divmod(action, 4)
    what = f"make variable {3 * pod + node} 'pod{pod}_node{node}' true, which was: make variable"
    assert env.describe(action).startswith(what)
    assert env.describe(env.action_space.n - 1) == "stop"
    with pytest.raises(InputError, match="is not one of 0"):
        env.describe(env.action_space.n)


def test_formulations_and_their_solutions() -> None:
    model, start = pods(0, 6, 2)
    formulation = assign(model)
    extra = np.arange(2.0 * len(formulation.decisions), dtype=np.float32).reshape(-1, 2)
    object.__setattr__(formulation, "features", extra)
    env = MoveEnv(formulation=formulation, start=np.array(start))
    env.reset()
    observation, *_ = env.step(int(moves_of(env)[0]))
    assert np.array_equal(observation["decision"][:, DECISION_FEATURES:], extra)
    assert observation in env.observation_space
    assert np.array_equal(env.solution(), env.values())


def infeasible() -> dict[str, Any]:
    model, start = pods(0, 6, 2)
    for literal in range(0, 12, 2):
        start[literal], start[literal + 1] = 1, 0
    return {"model": model, "start": start}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MoveEnv(), "exactly one of instance=, model=, formulation= .* got none"),
        (lambda: MoveEnv(model=pods(0, 4, 2)[0]), "start= is needed.* a model has no current"),
        (lambda: MoveEnv("ft06", start=[0]), "ft06 has nothing to assign"),
        (lambda: MoveEnv(model=project(0), start=[0]), "offers no decision"),
        (lambda: MoveEnv(**infeasible()), r"not feasible: constraint \d+ .*cannot hold"),
        (lambda: MoveEnv(**cluster(0), budget=0), "budget must be .* not 0"),
        (lambda: MoveEnv(**cluster(0), budget=1.5), "budget must be .* not 1.5"),
        (lambda: MoveEnv(**cluster(0), budget=True), "budget must be .* not True"),
        (lambda: MoveEnv(**cluster(0), reward="bound"), "known: drop, final"),
        (lambda: MoveEnv(**cluster(0), render_mode="human"), "render_mode"),
        (lambda: MoveEnv(model="ft06"), "model takes a CpModel, not 'ft06'"),  # type: ignore[arg-type]
    ],
)
def test_input_errors(make: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()


def test_unknown_reward() -> None:
    with pytest.raises(UnknownNameError):
        MoveEnv(**cluster(0), reward="dorp")  # type: ignore[arg-type]


def test_several_in_a_batch_of_gymnasium() -> None:
    envs = SyncVectorEnv(
        [lambda seed=seed: MoveEnv(**cluster(seed), budget=3) for seed in (0, 1)],
        autoreset_mode=AutoresetMode.SAME_STEP,
    )
    observation, _ = envs.reset(seed=0)
    ended = 0
    for _ in range(12):
        actions = [int(np.flatnonzero(mask)[0]) for mask in observation["mask"]]
        observation, _, terminated, _, infos = envs.step(np.array(actions))
        ended += int(terminated.sum())
        for row in np.flatnonzero(terminated):
            assert infos["final_info"]["_objective"][row]
    assert ended >= 4
    envs.close()


def test_maskable_ppo_learns_a_step() -> None:
    contrib = pytest.importorskip("sb3_contrib", reason="needs the rl extra")
    env = MoveEnv(**cluster(0), budget=4)
    policy = contrib.MaskablePPO("MultiInputPolicy", env, n_steps=16, batch_size=16, seed=0)
    policy.learn(32)
    observation, _ = env.reset()
    action, _ = policy.predict(observation, action_masks=env.action_masks(), deterministic=True)
    assert env.action_masks()[int(action)]


def test_a_cluster_starts_where_its_pods_are() -> None:
    tried = 0
    for seed in range(30):
        cluster = random_cluster(seed, nodes=3, pods=6, rules=("budgets", "conflicts", "held"))
        try:
            env = MoveEnv(cluster, budget=4)
        except InputError:  # nothing is left to decide
            continue
        tried += 1
        _, _ = env.reset(seed=seed)
        before = objective.objective(cluster, cluster.node)
        assert env.objective() == before
        total, done, info = 0.0, False, {}
        rng = np.random.default_rng(seed)
        while not done:
            action = int(rng.choice(np.flatnonzero(env.action_masks())))
            _, reward, done, _, info = env.step(action)
            total += reward
            # Every state on the way keeps the rules of the final state.
            node = env.solution().node
            assert not [v for v in check(cluster, env.solution()).violations if "plan" not in v]
            assert env.objective() == objective.objective(cluster, node)
        assert total == before - info["objective"]
    assert tried > 20
