"""The single environments as Gymnasium sees them: spaces, seeds, ends, input."""

from __future__ import annotations

import copy
import itertools
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
    schedule,
)
from ortools.sat.python import cp_model
from random_shops import random_job_shop

import cpsched
from cpsched.construct import Frame
from cpsched.construct.observe import CONSTRAINT_FEATURES, DECISION_FEATURES
from cpsched.errors import InputError, UnknownNameError
from cpsched.propagation import DisjunctiveRule, UnsupportedConstraintError

pytest.importorskip("gymnasium", reason="the rl extra is not installed")
import gymnasium
from gymnasium.utils.env_checker import check_env

import cpsched.envs
from cpsched.envs import AssignEnv, ConstructEnv, ScheduleEnv

if TYPE_CHECKING:
    from pathlib import Path

MAKE: dict[str, tuple[str, Any]] = {
    "job shop": ("cpsched/Schedule-v0", lambda: {"instance": "ft06"}),
    "job shop, wait": ("cpsched/Schedule-v0", lambda: {"instance": "ft06", "frame": "wait"}),
    "flexible": ("cpsched/Schedule-v0", lambda: {"instance": random_flexible_job_shop(0)}),
    "project": ("cpsched/Schedule-v0", lambda: {"model": project(0), "frame": "active"}),
    "optional": (
        "cpsched/Schedule-v0",
        lambda: {"model": optional_intervals(0), "probe": True, "reward": "final"},
    ),
    "one interval": ("cpsched/Schedule-v0", lambda: {"model": one_interval()}),
    "assign": ("cpsched/Assign-v0", lambda: {"model": assignment(0)}),
    "pack": ("cpsched/Assign-v0", lambda: {"model": packing(0), "frame": "all"}),
}


def one_interval() -> cp_model.CpModel:
    """The least there is to decide: no edge, no constraint node, no objective."""
    model = cp_model.CpModel()
    model.new_fixed_size_interval_var(model.new_int_var(2, 5, "start"), 3, "alone")
    return model


@pytest.mark.parametrize("name", MAKE)
def test_check_env(name: str) -> None:
    identifier, arguments = MAKE[name]
    env = gymnasium.make(identifier, **arguments())
    # Every warning is an error; none is allowed.
    check_env(env.unwrapped)
    observation, _ = env.reset(seed=1)
    terminated = False
    while not terminated:
        observation, _, terminated, _, _ = env.step(env.action_space.sample())
    assert observation in env.observation_space


def test_ids_and_arguments() -> None:
    env = gymnasium.make("cpsched/Schedule-v0", instance="ft06")
    assert isinstance(env.unwrapped, ScheduleEnv)
    assert env.unwrapped.frame is Frame.ALL
    assert env.action_space.n == 36
    env = gymnasium.make("cpsched/Schedule-v0", instance="ft06", frame="wait")
    assert env.action_space.n == 37
    env = gymnasium.make("cpsched/Assign-v0", model=assignment(0))
    assert isinstance(env.unwrapped, AssignEnv)
    assert env.unwrapped.frame is Frame.NEXT


def test_instance_from_name_file_or_object(tmp_path: Path) -> None:
    shop = random_flexible_job_shop(3)
    cpsched.write(shop, tmp_path / "shop.fjs", "fjs")
    first = ScheduleEnv(shop).reset()[0]
    second = ScheduleEnv(str(tmp_path / "shop.fjs")).reset()[0]
    third = ScheduleEnv(instance=tmp_path / "shop.fjs").reset()[0]
    for name in first:
        assert np.array_equal(first[name], second[name])
        assert np.array_equal(first[name], third[name])


def floating() -> cp_model.CpModel:
    model = one_interval()
    model.minimize(0.5 * model.get_int_var_from_proto_index(0))
    return model


def unsupported() -> cp_model.CpModel:
    model = one_interval()
    model.add_multiplication_equality(
        model.new_int_var(0, 9, "square"), [model.new_int_var(0, 3, "x")] * 2
    )
    return model


def infeasible() -> cp_model.CpModel:
    model = one_interval()
    model.add(model.get_int_var_from_proto_index(0) >= 6)
    return model


def choices(sign: str) -> cp_model.CpModel:
    model = cp_model.CpModel()
    total = sum(model.new_bool_var(f"x{k}") for k in range(3))
    model.add(total == 1 if sign == "==" else total <= 1).with_name("item")
    return model


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ScheduleEnv(), "exactly one of instance=, model=, formulation= .* got none"),
        (lambda: ScheduleEnv("ft06", model=project(0)), "got instance=, model="),
        (lambda: ScheduleEnv("ft0"), "unknown instance 'ft0'"),
        (lambda: ScheduleEnv("missing.fjs"), "no such file"),
        (lambda: ScheduleEnv(3), "not int"),  # type: ignore[arg-type]
        (lambda: ScheduleEnv("ft06", frame="activ"), "did you mean active"),
        (lambda: ScheduleEnv("ft06", reward="dense"), "known: bound, final"),  # type: ignore[arg-type]
        (lambda: ScheduleEnv("ft06", render_mode="human"), "render_mode"),
        (lambda: AssignEnv("ft06"), "ft06 has nothing to assign"),
        (lambda: AssignEnv(model=assignment(0), frame="active"), "known: all, next"),
        (lambda: ScheduleEnv(model=assignment(0)), "offers no decision"),
        (lambda: AssignEnv(model=project(0)), "offers no decision"),
        (lambda: ScheduleEnv(model=infeasible()), "no solution"),
        (lambda: ScheduleEnv("ft06", rules="all"), "NONE, DETECTABLE_.*ALL.* not 'all'"),  # type: ignore[arg-type]
        (lambda: ScheduleEnv("ft06", rules=7), "a DisjunctiveRule .* not 7"),  # type: ignore[arg-type]
        (lambda: ScheduleEnv("ft06", probe=1), "probe must be True or False, not 1"),  # type: ignore[arg-type]
        (lambda: ScheduleEnv(model="ft06"), "model takes a CpModel, not 'ft06'; names.* instance"),  # type: ignore[arg-type]
        (lambda: ScheduleEnv(formulation=project(0)), "takes a Formulation, not CpModel"),  # type: ignore[arg-type]
        (lambda: AssignEnv(model=choices("==")), "constraint 0 'item' .* == 1: .*exactly_one"),
        (lambda: AssignEnv(model=choices("<=")), "constraint 0 'item' .* <= 1: .*at_most_one"),
    ],
)
def test_input_errors(make: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()


def test_unknown_names_are_unknown_name_errors() -> None:
    with pytest.raises(UnknownNameError):
        ScheduleEnv("ft06", frame="sll")


@pytest.mark.parametrize("make", [floating, unsupported])
def test_unsupported_models_are_named(make: Any) -> None:
    with pytest.raises(UnsupportedConstraintError):
        ScheduleEnv(model=make())


def test_nothing_left_to_decide() -> None:
    model = cp_model.CpModel()
    literals = [model.new_bool_var(f"x{k}") for k in range(3)]
    model.add_exactly_one(literals)
    model.add(literals[1] == 1)
    with pytest.raises(InputError, match="nothing is left to decide"):
        AssignEnv(model=model)


@pytest.mark.parametrize(
    ("cls", "make"),
    [(ScheduleEnv, one_interval), (ScheduleEnv, project), (AssignEnv, assignment)],
)
def test_model_is_left_as_it_was(cls: type[ConstructEnv], make: Any) -> None:
    model = make() if make is one_interval else make(1)
    before = str(model.proto)
    env = cls(model=model)
    env.reset(seed=0)
    finish(env)
    assert str(model.proto) == before


def test_illegal_actions_change_nothing() -> None:
    env = ScheduleEnv("ft06")
    env.reset()
    before = env.domains()
    for action in (1, 36, -1, 10**6, np.int64(2)):
        with pytest.raises(InputError, match=rf"action {action} is not legal; legal: 0, 6, 12"):
            env.step(action)
    for action in (0.0, "0", None):
        with pytest.raises(TypeError):
            env.step(action)
    after = env.domains()
    assert all(np.array_equal(one, other) for one, other in zip(before, after, strict=True))
    env.step(np.int32(0))
    assert not env.action_masks()[0]


def finish(env: Any) -> tuple[list[int], list[float], dict[str, Any]]:
    actions, rewards, terminated, info = [], [], False, {}
    while not terminated:
        actions.append(int(env.action_space.sample()))
        _, reward, terminated, _, info = env.step(actions[-1])
        rewards.append(reward)
    return actions, rewards, info


def test_step_after_the_end_is_refused() -> None:
    env = ScheduleEnv("ft06")
    env.reset()
    actions, _, _ = finish(env)
    with pytest.raises(InputError, match="the episode is over"):
        env.step(actions[-1])
    env.reset()
    env.step(actions[0])


@pytest.mark.parametrize("name", MAKE)
def test_equal_seeds_give_equal_roll_outs(name: str) -> None:
    identifier, arguments = MAKE[name]
    episodes = []
    for _ in range(2):
        env = gymnasium.make(identifier, **arguments())
        env.reset(seed=5)
        env.action_space.seed(5)
        episodes.append(finish(env))
    assert episodes[0] == episodes[1]


def test_step_limit_truncates() -> None:
    env = gymnasium.make("cpsched/Schedule-v0", instance="ft06", max_episode_steps=5)
    env.reset(seed=0)
    for step in range(5):
        _, _, terminated, truncated, info = env.step(env.action_space.sample())
        assert not terminated
        assert truncated == (step == 4)
        assert info == {}


def test_observations_are_the_callers() -> None:
    env = ScheduleEnv("ft06", frame="wait")
    first, _ = env.reset()
    kept = copy.deepcopy(first)
    second, *_ = env.step(0)
    for name in first:
        assert np.array_equal(first[name], kept[name])
        assert not np.shares_memory(first[name], second[name])
        second[name][...] = 7
    fresh, _ = env.reset()
    assert all(np.array_equal(fresh[name], kept[name]) for name in kept)


def test_deep_copy_goes_its_own_way() -> None:
    env = ScheduleEnv("ft06")
    env.reset()
    env.step(0)
    twin = copy.deepcopy(env)
    before, *_ = env.step(1)
    assert twin.action_masks()[1]
    after, *_ = twin.step(1)
    assert all(np.array_equal(before[name], after[name]) for name in before)
    twin.step(twin.action_space.sample())
    assert not np.array_equal(env.domains()[0], twin.domains()[0])


def test_graph_of_a_job_shop() -> None:
    shop = random_job_shop(0, 4, 3, low=1)
    env = ScheduleEnv(shop)
    observation, _ = env.reset()
    assert len(observation["decision"]) == 12
    assert observation["constraint"].shape == (3, CONSTRAINT_FEATURES)
    arcs = {tuple(pair) for pair in observation["precedence"].T.tolist()}
    assert arcs == {(op, op + 1) for op in range(12) if op % 3 < 2}
    groups: dict[int, set[int]] = {}
    for decision, constraint in observation["membership"].T.tolist():
        groups.setdefault(constraint, set()).add(int(shop.machine[decision]))
    assert sorted(map(sorted, groups.values())) == [[0], [1], [2]]
    assert (observation["decision"][:, 6] == observation["mask"]).all()


def bins(weights: list[int], capacity: int) -> cp_model.CpModel:
    model = cp_model.CpModel()
    into = [[model.new_bool_var(f"item{i}_bin{b}") for b in range(2)] for i in range(len(weights))]
    for literals in into:
        model.add_exactly_one(literals)
    for b in range(2):
        model.add(sum(w * row[b] for w, row in zip(weights, into, strict=True)) <= capacity)
    model.minimize(sum(row[0] for row in into))
    return model


def demands(needs: list[int]) -> cp_model.CpModel:
    model = cp_model.CpModel()
    sizes = (2, 5, 3)
    starts = [model.new_int_var(0, 20, f"start{k}") for k in range(3)]
    intervals = [
        model.new_fixed_size_interval_var(start, size, f"task{k}")
        for k, (start, size) in enumerate(zip(starts, sizes, strict=True))
    ]
    model.add_cumulative(intervals, needs, 4)
    return model


def weights(env: ConstructEnv) -> dict[tuple[int, int], float]:
    """Weight by decision and constraint of the model."""
    observation, _ = env.reset()
    nodes = env.construction.nodes
    return {
        (decision, nodes[node]): pytest.approx(weight)
        for (decision, node), weight in zip(
            observation["membership"].T.tolist(), observation["weight"].tolist(), strict=True
        )
    }


def test_weights_of_items() -> None:
    # Decision 2 i + b puts item i into bin b; constraint 3 + b is the capacity of bin b.
    expected = {(2 * i + b, i): 1.0 for i in range(3) for b in range(2)}
    shares = (0.1, 0.4, 0.7)
    expected |= {(2 * i + b, 3 + b): shares[i] for i in range(3) for b in range(2)}
    assert weights(AssignEnv(model=bins([1, 4, 7], 10))) == expected
    assert weights(AssignEnv(model=bins([7, 4, 1], 10))) != expected
    assert weights(AssignEnv(model=bins([1, 4, 7], 11))) != expected


def test_weights_of_intervals() -> None:
    # Demands of a capacity of 4.
    expected = {(0, 3): 1 / 4, (1, 3): 3 / 4, (2, 3): 2 / 4}
    assert weights(ScheduleEnv(model=demands([1, 3, 2]))) == expected
    assert weights(ScheduleEnv(model=demands([2, 2, 2]))) != expected


def test_padding_where_there_is_nothing() -> None:
    observation, _ = ScheduleEnv(model=one_interval()).reset()
    assert observation["constraint"].tolist() == [[0.0] * CONSTRAINT_FEATURES]
    assert observation["precedence"].tolist() == [[-1], [-1]]
    assert observation["membership"].tolist() == [[-1], [-1]]
    assert observation["weight"].tolist() == [0.0]


def test_extra_features_of_a_formulation() -> None:
    formulation = schedule(project(0))
    extra = np.arange(2.0 * len(formulation.decisions), dtype=np.float32).reshape(-1, 2)
    object.__setattr__(formulation, "features", extra)
    env = ConstructEnv(formulation=formulation)
    env.reset()
    observation, *_ = env.step(int(np.argmax(env.action_masks())))
    assert np.array_equal(observation["decision"][:, DECISION_FEATURES:], extra)
    assert observation in env.observation_space


def test_reward_is_the_drop_of_the_bound() -> None:
    env = ScheduleEnv("ft06")
    env.reset(seed=0)
    first = env.bound()
    _, rewards, info = finish(env)
    assert all(reward <= 0 for reward in rewards)
    assert sum(rewards) == first - info["objective"]


def test_final_reward() -> None:
    env = ScheduleEnv("ft06", reward="final")
    env.reset(seed=0)
    _, rewards, info = finish(env)
    assert not any(rewards[:-1])
    assert rewards[-1] == -info["objective"]


def test_objective_is_the_users_when_maximised() -> None:
    env = ScheduleEnv(model=optional_intervals(0), reward="final")
    env.reset(seed=0)
    _, rewards, info = finish(env)
    assert info["objective"] >= 3
    assert type(info["objective"]) is float
    # The constant 3 is outside the sum that is minimised inside.
    assert rewards[-1] == info["objective"] - 3


def in_order(env: Any, order: tuple[int, ...]) -> tuple[list[float], dict[str, Any]]:
    """Rewards and last info of an episode that takes the first legal action of *order*."""
    env.reset()
    rewards, terminated, info = [], False, {}
    while not terminated:
        masks = env.action_masks()
        _, reward, terminated, _, info = env.step(
            next(action for action in order if masks[action])
        )
        rewards.append(reward)
    return rewards, info


ORDERS = list(itertools.permutations(range(4)))


def test_dead_end() -> None:
    env = ScheduleEnv(model=deadlines())
    env.reset()
    first, (_, upper) = env.bound(), env.domains()
    # Strictly worse than any finished episode.
    worst = 1 + int(np.dot(deadlines().proto.objective.coeffs, upper))
    final = ScheduleEnv(model=deadlines(), reward="final")
    reasons = set()
    for order in ORDERS:
        rewards, info = in_order(env, order)
        if "dead_end" in info:
            assert info.keys() == {"dead_end"}
            assert not env.action_masks().any()
            assert sum(rewards) == first - worst
            assert in_order(final, order)[0][-1] == -worst
            reasons.add(info["dead_end"])
        else:
            assert info.keys() == {"objective", "values"}
    assert reasons
    assert all("'machine' (no_overlap) cannot hold" in reason for reason in reasons)


def test_looking_ahead_avoids_dead_ends() -> None:
    env = ScheduleEnv(model=deadlines(), probe=True)
    assert all("dead_end" not in in_order(env, order)[1] for order in ORDERS)


@pytest.mark.parametrize("rules", [DisjunctiveRule.NONE, DisjunctiveRule.ALL])
def test_rules_change_no_objective(rules: DisjunctiveRule) -> None:
    plain = ScheduleEnv(model=deadlines())
    env = ScheduleEnv(model=deadlines(), rules=rules, probe=True)
    for order in ORDERS:
        info = in_order(plain, order)[1]
        if "dead_end" not in info:
            assert in_order(env, order)[1]["objective"] == info["objective"]


def test_waiting() -> None:
    shop = cpsched.JobShop.classic("two", 2, [[(0, 3), (1, 2)], [(1, 5), (0, 1)], [(0, 2)]])
    env = ScheduleEnv(shop, frame="wait")
    env.reset()
    assert np.flatnonzero(env.action_masks()).tolist() == [0, 2, 4]
    assert env.describe(5) == "wait: there is no next event"
    env.step(0)
    # Operation 2 can start at 0, operations 1 and 4 at 3: that is the next event.
    assert np.flatnonzero(env.action_masks()).tolist() == [2, 5]
    assert env.describe(5) == "wait until 3"
    env.step(5)
    assert np.flatnonzero(env.action_masks()).tolist() == [1, 2, 4]
    lower, _ = env.domains()
    assert lower[2] == 3


def test_words() -> None:
    env = ScheduleEnv(model=optional_intervals(0))
    env.reset()
    assert env.describe(0) == "start interval 0 'job0' at 0"
    assert env.describe(1) == "make variable 0 'done0' false"
    with pytest.raises(InputError, match="not one of"):
        env.describe(-1)
    env = AssignEnv(model=assignment(0))
    env.reset()
    assert env.describe(0) == "make variable 0 'item0_bin0' true"


@pytest.mark.parametrize("source", ["la01", optional_intervals(2)], ids=["la01", "optional"])
def test_every_array_is_finite(source: Any) -> None:
    named = isinstance(source, str)
    env = ScheduleEnv(source) if named else ScheduleEnv(model=source)
    observation, _ = env.reset(seed=0)
    terminated = False
    while not terminated:
        for array in observation.values():
            assert np.isfinite(array).all()
        observation, _, terminated, _, _ = env.step(env.action_space.sample())
