"""The move environments on VM rescheduling: an episode is a plan, worth what the model says."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from every_plan import best_plan
from random_vms import small, steps
from three_pms import cluster as three
from verdicts import inner_sum, solve
from vms_rules import may_begin, now

from cpsched.construct.root import NothingToDecideError
from cpsched.errors import InputError, UnknownNameError
from cpsched.vms.check import check
from cpsched.vms.model import formulate
from cpsched.vms.objective import number
from cpsched.vms.policy import Policy
from cpsched.vms.solution import Migration, Migrations

pytest.importorskip("gymnasium", reason="the rl extra is not installed")
import gymnasium
from gymnasium.utils.env_checker import check_env

from cpsched.envs import MoveEnv

if TYPE_CHECKING:
    from cpsched.vms.instance import VmCluster


def startable(seed: int, **policy: Any) -> VmCluster | None:
    """A random cluster whose current state is a solution, with something to change."""
    cluster = small(random.Random(seed), **policy)
    if not check(cluster, Migrations()).ok:
        return None
    try:
        MoveEnv(cluster)
    except NothingToDecideError:
        return None
    return cluster


def environments(count: int, first: int = 0) -> list[tuple[int, VmCluster, MoveEnv]]:
    found = []
    for seed in range(first, first + 4 * count):
        cluster = startable(seed)
        if cluster is not None and len(found) < count:
            found.append((seed, cluster, MoveEnv(cluster)))
    return found


def legal_moves(env: MoveEnv) -> list[int]:
    return np.flatnonzero(env.action_masks()[:-1]).tolist()


def step_of(env: MoveEnv, action: int) -> Migration:
    return env.moves.formulation.migration(action)  # type: ignore[attr-defined]


def shares(cluster: VmCluster, move: Migration) -> bool:
    """Whether the place has a NUMA node in common with the one that the VM has."""
    return not set(move.numa).isdisjoint(cluster.numa[move.vm].tolist())


def test_masks_are_the_rules_of_the_step() -> None:
    """Against a second statement of the rules, replayed; places that change and stay aside."""
    legal = illegal = 0
    for seed, cluster, env in environments(40):
        rng = random.Random(seed)
        env.reset()
        places, moved = now(cluster), set()
        for _ in range(4):
            mask = env.action_masks()
            for action in range(env.moves.num_decisions):
                move = step_of(env, action)
                right = move.vm not in moved and not shares(cluster, move)
                right = right and may_begin(cluster, places, move)
                assert mask[action] == right, (seed, move)
                legal, illegal = legal + right, illegal + (not right)
            if not legal_moves(env):
                break
            action = rng.choice(legal_moves(env))
            moved.add(step_of(env, action).vm)
            places[step_of(env, action).vm] = [step_of(env, action).numa]
            if env.step(action)[2]:
                break
    assert legal > 500
    assert illegal > 500


@pytest.mark.parametrize("reward", ["drop", "final"])
def test_finished_episodes_are_plans_with_one_objective(reward: Any) -> None:
    episodes = longer = 0
    for seed in range(60):
        cluster = startable(seed)
        if cluster is None:
            continue
        env = MoveEnv(cluster, reward=reward)
        formulation = env.moves.formulation
        rng = random.Random(seed)
        env.reset(seed=seed)
        first, total, info, done = env.objective(), 0.0, {}, False
        assert first == formulation.objective(Migrations())
        while not done:
            actions = legal_moves(env) or [env.action_space.n - 1]
            _, value, done, truncated, info = env.step(rng.choice(actions))
            total += value
            assert not truncated
        plan = env.solution()
        report = check(cluster, plan)
        assert report.ok, report.violations
        assert report.objective == info["objective"] == env.objective()
        # The model finds an order of its own to the same state.
        again = formulation.solution(info["values"])
        assert check(cluster, again).objective == report.objective
        assert np.array_equal(again.end(cluster), plan.end(cluster))
        status, objective, _ = solve(formulation.model, dict(enumerate(info["values"])))
        assert (status, round(objective)) == ("OPTIMAL", info["objective"])
        fixed = {v: info["values"][v] for v in env.moves.bits.tolist()}
        assert round(solve(formulation.model, fixed)[1]) == info["objective"]
        inner = inner_sum(formulation, info["values"])
        offset = info["objective"] - inner
        assert total == (first - offset - inner if reward == "drop" else -inner)
        episodes += 1
        longer += len(plan.moves) > 1
    assert episodes > 20
    assert longer > 10


def test_half_done_episodes_leave_the_model_feasible_and_bounded() -> None:
    for seed, _, env in environments(15, 100):
        rng = random.Random(seed)
        env.reset()
        fixed: dict[int, int] = {}
        for _ in range(3):
            if not legal_moves(env):
                break
            action = rng.choice(legal_moves(env))
            done = env.step(action)[2]
            fixed[action] = 1
            status, objective, _ = solve(env.moves.formulation.model, fixed)
            assert status == "OPTIMAL"
            assert round(objective) <= env.objective()
            if done:
                break


def test_replaying_the_best_plan_gives_its_objective() -> None:
    replayed = 0
    for seed in range(200, 320):
        cluster = startable(seed, max_moves=3)
        if cluster is None or len(steps(cluster)) > 40:
            continue
        best, reached = best_plan(cluster, 3)
        plan = next(one for one in reached.values() if check(cluster, one).objective == best)
        hops = len({move.vm for move in plan.moves}) < len(plan.moves)
        if hops or any(shares(cluster, move) for move in plan.moves):
            continue  # are not made
        env = MoveEnv(cluster)
        env.reset()
        for move in plan.moves:
            env.step(next(a for a in legal_moves(env) if step_of(env, a) == move))
        assert env.objective() == best
        assert env.solution() == plan
        replayed += len(plan.moves) > 0
    assert replayed > 10


def test_best_roll_out_is_the_best_plan_without_hops() -> None:
    searched = 0
    for seed in range(400, 520):
        cluster = startable(seed, max_moves=2)
        if cluster is None or len(steps(cluster)) > 40:
            continue
        if any(shares(cluster, move) and len(move.numa) == 2 for move in steps(cluster)):
            continue
        best, _ = best_plan(cluster, 2)
        env = MoveEnv(cluster)
        env.reset()
        found = env.objective()
        for first in legal_moves(env):
            env.reset()
            _, _, done, _, _ = env.step(first)
            found = min(found, env.objective())
            for second in [] if done else legal_moves(env):
                twin = env._repair.state.copy()
                twin.apply(second)
                found = min(found, twin.objective())
        # With two moves, a hop leaves none for another VM.
        assert found == best, seed
        searched += 1
    assert searched > 10


@pytest.mark.parametrize("reward", ["drop", "final", "fragments"])
def test_check_env(reward: str) -> None:
    env = gymnasium.make("cpsched/Move-v0", instance=three(), reward=reward)
    check_env(env.unwrapped)


def test_published_reward() -> None:
    cluster = three(capacity=np.array([[20000, 1024]] * 6))
    env = MoveEnv(cluster, reward="fragments")
    env.reset()
    # VM c, 8 cores, from 12 free of 20 (12 in fragments) to NUMA node 3, all free (4): source has
    # 20 free then (4), the destination 12 (12): nothing gained.
    act = {step_of(env, a): a for a in legal_moves(env)}
    assert env.step(act[Migration(2, (3,))])[1] == 0
    # VM a, 4 cores, from 16 free of 20 (0) beside VM b's like: 4 in fragments then; to the 12 free
    # of NUMA node 3 (12): 8 in fragments. Together 12 before, 12 after.
    act = {step_of(env, a): a for a in legal_moves(env)}
    assert env.step(act[Migration(0, (3,))])[1] == 0
    # VM b, 4 cores, from 16 free (0; then 4) to NUMA node 0, 20 free (4; then 0).
    act = {step_of(env, a): a for a in legal_moves(env)}
    assert env.step(act[Migration(1, (3,))])[1] == pytest.approx((8 - 4 + 0 - 4) / 128)
    env.reset()
    act = {step_of(env, a): a for a in legal_moves(env)}
    # VM a to the 12 free of NUMA node 2: 12 in fragments there, then 8; at home none, then 4.
    assert env.step(act[Migration(0, (2,))])[1] == pytest.approx((12 - 8 + 0 - 4) / 128)
    act = {step_of(env, a): a for a in legal_moves(env)}
    # VM e, 2 cores on each of two, 18 free there (2 each), to NUMA nodes 2 (8 free) and 3 (20, 4):
    # before 2 + 2 + 8 + 4, after 4 + 4 + 6 + 2.
    assert env.step(act[Migration(4, (2, 3))])[1] == pytest.approx((16 - 16) / 128)


def test_fragments_that_vanish_are_rewarded() -> None:
    # VM b, 4 cores: 8 free of 12 at home (8), 4 free of 8 at the destination (4).
    cluster = three(
        capacity=np.array([[20000, 1024], [16000, 1024], *[[8000, 1024]] * 4]),
    )
    env = MoveEnv(cluster, reward="fragments")
    env.reset()
    act = {step_of(env, a): a for a in legal_moves(env)}
    # At home 12 free of 16 (12), then 16 (0); NUMA node 0 has 16 free (0), then 12 (12).
    assert env.step(act[Migration(1, (0,))])[1] == 0
    env.reset()
    act = {step_of(env, a): a for a in legal_moves(env)}
    # NUMA node 3 has 8 free (8), then 4: 12 cores less at home, 4 less there.
    assert env.step(act[Migration(1, (3,))])[1] == pytest.approx(16 / 128)


def test_a_place_that_shares_a_numa_node_is_not_legal() -> None:
    cluster = three(
        pms=("p", "q"),
        numa_pm=np.array([0, 0, 0, 1, 1, 1]),
        rack=np.array([0, 1]),
        closed=np.array([False] * 2),
        evacuate=np.array([False] * 2),
        active=np.array([True] * 2),
        allowed=np.array([[True] * 2]),
    )
    env = MoveEnv(cluster)
    env.reset()
    places = {step_of(env, a).numa for a in legal_moves(env) if step_of(env, a).vm == 4}
    assert places == {(0, 1)} & places
    full = formulate(cluster)
    assert {full.migration(d).numa for d in range(len(full.decisions)) if full.vm[d] == 4} > places


def test_the_budget_is_the_migration_limit() -> None:
    env = MoveEnv(three(policy=Policy(max_moves=2)))
    assert env.budget == 2
    for budget, message in ((3, "budget 3 is beyond the migration limit, 2"), (0, "at least 1")):
        with pytest.raises(InputError, match=message):
            MoveEnv(three(policy=Policy(max_moves=2)), budget=budget)
    with pytest.raises(InputError, match="the migration limit is 0"):
        MoveEnv(three(policy=Policy(max_moves=0)))


def test_what_has_no_episode() -> None:
    leaving = three(evacuate=np.array([True, False, False]))
    with pytest.raises(InputError, match="the start is not feasible"):
        MoveEnv(leaving)
    with pytest.raises(InputError, match="every one moves once"):
        MoveEnv(three(), once=False)
    with pytest.raises(InputError, match="no start is taken"):
        MoveEnv(three(), start=Migrations((Migration(0, (4,)),)))
    with pytest.raises(InputError, match="once must be True or False"):
        MoveEnv(three(), once=1)  # type: ignore[arg-type]
    with pytest.raises(UnknownNameError, match="known: drop, final, fragments"):
        MoveEnv(three(), reward="bound")  # type: ignore[arg-type]


def test_number_in_the_info_is_that_of_the_stages() -> None:
    cluster = three()
    env = MoveEnv(cluster)
    env.reset()
    *_, info = env.step(env.action_space.n - 1)
    assert info["objective"] == check(cluster, Migrations()).objective
    assert number(cluster, (0, 0, 0)) == 0
