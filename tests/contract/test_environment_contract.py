"""What makes the model the environment: the environment, the check and CP-SAT say the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from construction_models import (
    FORMULATIONS,
    assign,
    assignment,
    deadlines,
    optional_intervals,
    packing,
    pods_formulation,
    project,
    random_flexible_job_shop,
    schedule,
)
from random_clusters import random_cluster
from random_shops import random_job_shop
from verdicts import decided, inner_sum, solve

from cpsched.checking import check
from cpsched.construct import Frame, Outcome, State
from cpsched.errors import InputError
from cpsched.formulation import Assign, Start
from cpsched.jobshop.model import formulate

if TYPE_CHECKING:
    from collections.abc import Callable

    from cpsched.formulation import Formulation
    from cpsched.jobshop.instance import JobShop

pytest.importorskip("gymnasium", reason="the rl extra is not installed")
from cpsched.envs import AssignEnv, ConstructEnv, ScheduleEnv

CASES = [
    (name, frame)
    for name in FORMULATIONS
    for frame in (
        ("next", "all")
        if name.startswith("assign")
        else ("all", "active", "nondelay", "wait", "next")
    )
]
every_case = pytest.mark.parametrize(("name", "frame"), CASES, ids=map("-".join, CASES))


def environment(name: str, seed: int, frame: str, **arguments: Any) -> ConstructEnv:
    cls = AssignEnv if name.startswith("assign") else ScheduleEnv
    return cls(formulation=FORMULATIONS[name](seed), frame=frame, **arguments)


def play(env: ConstructEnv, seed: int) -> tuple[float, dict[str, Any], list[int], list[int]]:
    """Sum of rewards, last info, actions and bounds of a random episode."""
    env.action_space.seed(seed)
    observation, info = env.reset(seed=seed)
    assert info == {}
    total, actions, bounds, done = 0.0, [], [env.bound()], False
    while not done:
        assert observation in env.observation_space
        assert np.array_equal(observation["mask"] == 1, env.action_masks())
        actions.append(int(env.action_space.sample()))
        observation, reward, done, truncated, info = env.step(actions[-1])
        assert not truncated
        assert bool(info) == done
        total += reward
        bounds.append(env.bound())
    assert not observation["mask"].any()
    return total, info, actions, bounds


@every_case
@pytest.mark.parametrize("seed", range(3))
def test_one_objective(name: str, frame: str, seed: int) -> None:
    env = environment(name, seed, frame)
    formulation = env.construction.formulation
    total, info, _, bounds = play(env, seed)
    assert "dead_end" not in info
    values = info["values"]
    assert len(values) == formulation.num_variables
    assert all(type(value) is int for value in values)
    assert type(info["objective"]) is float
    status, objective, _ = solve(formulation.model, dict(enumerate(values)))
    assert (status, objective) == ("OPTIMAL", info["objective"])
    inner = inner_sum(formulation, values)
    assert bounds == sorted(bounds)
    assert bounds[-1] == inner
    assert total == bounds[0] - inner


@pytest.mark.parametrize("frame", ["all", "active", "nondelay", "wait"])
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    "make", [lambda seed: random_job_shop(seed, 4, 3), random_flexible_job_shop]
)
def test_episodes_of_job_shops_pass_check(
    make: Callable[[int], JobShop], seed: int, frame: str
) -> None:
    shop = make(seed)
    env = ScheduleEnv(shop, frame=frame)
    _, info, _, _ = play(env, seed)
    report = check(shop, env.construction.formulation.solution(info["values"]))
    assert report.ok, report.violations
    assert report.objective == info["objective"]


@pytest.mark.parametrize("frame", ["next", "all"])
def test_episodes_of_clusters_keep_the_rules(frame: str) -> None:
    finished = ended = 0
    for seed in range(60):
        cluster = random_cluster(seed)
        try:
            env = AssignEnv(cluster, frame=frame)
        except InputError:
            continue  # nothing is left to decide
        _, info, _, _ = play(env, seed)
        if "dead_end" in info:
            ended += 1
            continue
        finished += 1
        report = check(cluster, env.construction.formulation.solution(info["values"]))
        if report.ok:
            assert report.objective == info["objective"]
        else:  # the model says nothing of the way there
            assert "plan" in report.violations[0]
    assert finished > 5 * ended


@pytest.mark.parametrize("name", FORMULATIONS)
@pytest.mark.parametrize("seed", range(3))
def test_half_done_episode_can_be_completed(name: str, seed: int) -> None:
    env = environment(name, seed, "all")
    formulation = env.construction.formulation
    _, _, actions, _ = play(env, seed)
    rng = np.random.default_rng(seed)
    stops = rng.choice(len(actions) + 1, 2, replace=False).tolist()
    env.reset()
    fixed: dict[int, int] = {}
    for step in range(len(actions) + 1):
        if step in stops:
            status, _, values = solve(formulation.model, fixed)
            assert status == "OPTIMAL"
            assert env.bound() <= inner_sum(formulation, values)
            lower, upper = env.domains()
            assert (lower <= values).all()
            assert (values <= upper).all()
        if step < len(actions):
            env.step(actions[step])
            lower, upper = env.domains()
            for variable in decided(formulation, actions[step]):
                assert lower[variable] == upper[variable]
                fixed[variable] = int(lower[variable])


def replay(formulation: Formulation[Any], values: list[int]) -> float:
    """Objective of the environment that takes the decisions of a solution, by their starts."""
    env = ConstructEnv(formulation=formulation, frame="all")
    proto = formulation.model.proto

    def true(ref: int) -> bool:
        return bool(values[ref]) if ref >= 0 else not values[-ref - 1]

    def place(decision: int) -> tuple[bool, int]:
        """Whether the solution takes the decision, and when."""
        choice = formulation.decisions[decision]
        if isinstance(choice, Start):
            constraint = proto.constraints[choice.interval]
            expression = constraint.interval.start
            start = expression.offset + sum(
                a * values[v] for v, a in zip(expression.vars, expression.coeffs, strict=True)
            )
            return all(map(true, constraint.enforcement_literal)), start
        if isinstance(choice, Assign):
            return true(choice.literal), 0
        return not any(map(true, choice.literals)), 0

    places = [place(decision) for decision in range(len(formulation.decisions))]
    env.reset()
    while True:
        legal = [d for d in np.flatnonzero(env.action_masks()).tolist() if places[d][0]]
        _, _, terminated, _, info = env.step(min(legal, key=lambda d: places[d][1]))
        if terminated:
            objective: float = info["objective"]
            return objective


@pytest.mark.parametrize("name", FORMULATIONS)
@pytest.mark.parametrize("seed", range(4))
def test_replaying_an_optimal_solution_is_optimal(name: str, seed: int) -> None:
    formulation = FORMULATIONS[name](seed)
    status, objective, values = solve(formulation.model, {})
    assert status == "OPTIMAL"
    assert replay(formulation, values) == objective


def best_of_all(formulation: Formulation[Any], frame: Frame) -> int | float:
    """Least sum inside over every order of decisions, by depth-first search."""
    state: State[Any] = State(formulation, frame)
    best = float("inf")

    def search() -> None:
        nonlocal best
        if state.outcome is Outcome.FINISHED:
            best = min(best, inner_sum(formulation, state.values().tolist()))
        for decision in state.legal().tolist():
            state.push()
            state.apply(decision)
            search()
            state.pop()

    search()
    return best


TINY: dict[str, Callable[[int], Formulation[Any]]] = {
    "job shop": lambda seed: formulate(random_job_shop(seed, 3, 2)),
    "flexible job shop": lambda seed: formulate(random_flexible_job_shop(seed, 2, 2)),
    "project": lambda seed: schedule(project(seed, 5)),
    "optional intervals": lambda seed: schedule(optional_intervals(seed, 4)),
    "deadlines": lambda seed: schedule(deadlines(seed)),
    "exactly one": lambda seed: assign(assignment(seed, 4, 2)),
    "at most one": lambda seed: assign(packing(seed, 4, 2)),
    "pods": lambda seed: pods_formulation(seed, 4, 2),
}


@pytest.mark.parametrize(
    ("name", "frame"),
    [
        *((name, Frame.ALL) for name in TINY),
        # Conflict sets are complete where an interval lies on one resource.
        ("job shop", Frame.ACTIVE),
        ("flexible job shop", Frame.ACTIVE),
        ("job shop", Frame.WAIT),
        ("exactly one", Frame.NEXT),
        ("at most one", Frame.NEXT),
        ("pods", Frame.NEXT),
    ],
)
@pytest.mark.parametrize("seed", range(3))
def test_best_roll_out_is_the_optimum(name: str, frame: Frame, seed: int) -> None:
    formulation = TINY[name](seed)
    status, _, values = solve(formulation.model, {})
    assert status == "OPTIMAL"
    assert best_of_all(formulation, frame) == inner_sum(formulation, values)
