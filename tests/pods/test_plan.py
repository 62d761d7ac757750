"""Plans: order, cycles, rules on the way; the replay refuses what breaks a rule."""

from __future__ import annotations

import random
import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from random_clusters import random_cluster

from cpsched.pods.check import check
from cpsched.pods.instance import Affinity, Budget, Cluster, Conflict, Spread
from cpsched.pods.plan import Action, NoPlanError, Plan, PlanError, Step, make_plan, simulate
from cpsched.pods.solution import Placement


def cluster(sizes: list[int], now: list[int], room: list[int], **changes: Any) -> Cluster:
    """One resource, one node of each size in *room*; priority 1, all may change."""
    pods = len(sizes)
    base = Cluster(
        name="plan",
        resources=("cpu",),
        nodes=tuple(f"n{k}" for k in range(len(room))),
        allocatable=np.array(room)[:, None],
        pods=tuple(f"web/p{k}" for k in range(pods)),
        request=np.array(sizes)[:, None],
        priority=np.ones(pods, dtype=int),
        node=np.array(now),
        owners=(),
        owner=np.full(pods, -1),
        allowed=np.ones((1, len(room)), dtype=bool),
        profile=np.zeros(pods, dtype=int),
        held=("",) * pods,
        preempts=np.ones(pods, dtype=bool),
        grace=np.zeros(pods, dtype=int),
    )
    return replace(base, **changes)


def planned(c: Cluster, node: list[int]) -> list[tuple[str, int, int]]:
    plan = make_plan(c, Placement(np.array(node)))
    assert simulate(c, plan).tolist() == node
    return [(str(step.action), step.pod, step.node) for step in plan.steps]


def test_nothing_to_do_is_an_empty_plan() -> None:
    assert planned(cluster([1, 1], [0, -1], [1]), [0, -1]) == []


def test_a_chain_starts_at_its_end_and_no_pod_is_down_meanwhile() -> None:
    c = cluster([2, 2, 2, 2], [0, 1, 2, -1], [2, 2, 2, 2])
    assert planned(c, [1, 2, 3, 0]) == [
        ("evict", 2, 2),
        ("bind", 2, 3),
        ("evict", 1, 1),
        ("bind", 1, 2),
        ("evict", 0, 0),
        ("bind", 0, 1),
        ("bind", 3, 0),
    ]


def test_two_full_nodes_swap_by_evicting_the_less_important_pod_early() -> None:
    c = cluster([2, 2], [0, 1], [2, 2], priority=np.array([5, 1]))
    steps = make_plan(c, Placement(np.array([1, 0]))).steps
    assert [(step.action, step.pod) for step in steps] == [
        (Action.EVICT, 1),
        (Action.EVICT, 0),
        (Action.BIND, 0),
        (Action.BIND, 1),
    ]
    assert steps[0].reason == "makes room for web/p0"
    assert steps[1].reason == "moves to n1"
    assert steps[3].source == 1


def test_a_cycle_with_spare_room_on_it_needs_no_early_eviction() -> None:
    c = cluster([2, 1, 1], [0, 1, 2], [2, 2, 2])
    steps = planned(c, [1, 2, 0])
    assert [pod for action, pod, _ in steps if action == "evict"] == [1, 0, 2]
    assert [action for action, _, _ in steps] == ["evict", "bind"] * 3


def test_two_cycles_are_broken_once_each() -> None:
    c = cluster([2] * 4, [0, 1, 2, 3], [2] * 4)
    steps = planned(c, [1, 0, 3, 2])
    assert len(steps) == 8
    down, worst = 0, 0
    for action, _, _ in steps:
        down += 1 if action == "evict" else -1
        worst = max(worst, down)
    assert worst == 2


def test_an_important_pending_pod_starts_as_soon_as_its_node_has_room() -> None:
    c = cluster([2, 1, 1, 2], [0, 1, 1, -1], [2, 3, 4], priority=np.array([1, 1, 1, 9]))
    steps = planned(c, [-1, 2, 2, 0])
    assert steps.index(("bind", 3, 0)) == steps.index(("evict", 0, 0)) + 1


def test_evictions_say_for_whom_and_what_they_cost() -> None:
    c = cluster([2, 1, 2], [0, 1, -1], [2, 1], grace=np.array([120, 0, 0]))
    steps = make_plan(c, Placement(np.array([-1, -1, 0]))).steps
    assert [step.reason for step in steps] == [
        "makes room for web/p2",
        "was pending",
        "left without a place",
    ]
    assert [step.cost for step in steps] == [int(c.evict_cost[0]), 0, int(c.evict_cost[1])]


def test_a_holder_of_an_affinity_waits_for_its_target() -> None:
    rule = Affinity("with", np.array([[0, 1]]), [0], [1])
    c = cluster([1, 1], [-1, -1], [2, 2], affinities=(rule,), priority=np.array([9, 1]))
    assert planned(c, [1, 1]) == [("bind", 1, 1), ("bind", 0, 1)]


def test_a_group_moves_only_when_none_of_it_is_left() -> None:
    rule = Affinity("with", np.array([[0, 1]]), [0, 1], [0, 1])
    c = cluster([1, 1], [0, 0], [2, 2], affinities=(rule,))
    steps = planned(c, [1, 1])
    assert [action for action, _, _ in steps] == ["evict", "evict", "bind", "bind"]


def test_a_spread_is_kept_on_the_way() -> None:
    rule = Spread("even", np.array([0, 1]), [0, 1, 2, 3], [0, 1, 2, 3], 1)
    c = cluster([1] * 4, [-1] * 4, [4, 4], spreads=(rule,))
    nodes = [node for _, _, node in planned(c, [0, 0, 1, 1])]
    assert sorted(nodes[:2]) == sorted(nodes[2:]) == [0, 1]


def test_a_conflict_waits_for_the_other_to_leave() -> None:
    rule = Conflict("anti", np.array([0, 1]), [0], [1])
    c = cluster([1, 1], [0, 1], [4, 4], conflicts=(rule,), priority=np.array([9, 1]))
    steps = planned(c, [1, 0])
    assert steps[0] == ("evict", 1, 1)


def test_two_holders_that_wait_for_each_other_have_no_plan() -> None:
    rules = (
        Affinity("one", np.array([[0, 1]]), [0], [1]),
        Affinity("two", np.array([[0, 1]]), [1], [0]),
    )
    c = cluster([1, 1], [-1, -1], [2, 2], affinities=rules)
    with pytest.raises(NoPlanError, match="no order exists"):
        make_plan(c, Placement(np.array([0, 0])))
    report = check(c, Placement(np.array([0, 0])))
    assert report.objective is None
    assert report.violations[0].startswith("no executable plan: no order exists")


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ([Step(Action.BIND, 2, 1, "")], r"step 1 \(bind web/p2, node n1\): .* not enough cpu"),
        ([Step(Action.EVICT, 0, 1, "")], "the pod does not run there"),
        ([Step(Action.BIND, 0, 1, "")], "runs on n0 already"),
        ([Step(Action.EVICT, 3, 2, "")], "may not be disrupted: static pod"),
        ([Step(Action.BIND, 4, 2, "")], "may not be placed: gate"),
        ([Step(Action.BIND, 5, 2, "")], "keeps it from web/p3"),
        ([Step(Action.BIND, 6, 0, "")], "finds no pod for it to join"),
        ([Step(Action.BIND, 7, 2, "")], "more than 1 apart"),
        ([Step(Action.BIND, 8, 2, "")], "the node is not allowed for it"),
        ([Step(Action.BIND, 99, 2, "")], "no pod 99"),
        (
            [Step(Action.EVICT, 0, 0, ""), Step(Action.EVICT, 1, 1, "")],
            r"step 2 .* budget pdb is used up",
        ),
    ],
)
def test_the_replay_names_the_step_and_the_rule(steps: list[Step], words: str) -> None:
    c = cluster(
        [1, 2, 1, 1, 1, 1, 1, 1, 1],
        [0, 1, -1, 2, -1, -1, -1, -1, -1],
        [9, 2, 9],
        held=("", "", "", "static pod", "gate", "", "", "", ""),
        budgets=(Budget("pdb", [0, 1], 1),),
        conflicts=(Conflict("anti", np.array([0, 1, 2]), [3], [5]),),
        affinities=(Affinity("with", np.array([[0, 1, 2]]), [6], [1]),),
        spreads=(Spread("even", np.array([0, 0, 1]), [7], [3, 7], 1),),
        allowed=np.array([[True] * 3, [True, True, False]]),
        profile=np.array([0] * 8 + [1]),
    )
    with pytest.raises(PlanError, match=words):
        simulate(c, Plan(tuple(steps)))


def reachable(c: Cluster, goal: list[int]) -> bool:
    """Whether any order exists: all subsets of pods that have left and that have come."""
    pods = [pod for pod in range(c.num_pods) if goal[pod] != c.node[pod]]
    seen, stack = set(), [tuple(c.node.tolist())]
    while stack:
        node = stack.pop()
        if list(node) == goal:
            return True
        if node in seen:
            continue
        seen.add(node)
        for pod in pods:
            at = list(node)
            if node[pod] == c.node[pod] and node[pod] >= 0:
                at[pod] = -1
            elif node[pod] < 0 <= goal[pod]:
                before = replace(c, node=np.array(node), budgets=())
                try:
                    simulate(before, Plan((Step(Action.BIND, pod, goal[pod], ""),)))
                except PlanError:
                    continue
                at[pod] = goal[pod]
            else:
                continue
            stack.append(tuple(at))
    return False


@pytest.mark.parametrize("seed", range(150))
def test_a_plan_is_found_exactly_if_one_exists(seed: int) -> None:
    """Over goals that need not be good in the end: the search is complete on tiny clusters."""
    c = random_cluster(seed, pods=5, rules=("conflicts", "affinities", "spreads", "profiles"))
    rng = random.Random(seed)
    for _ in range(3):
        goal = [rng.randrange(-1, c.num_nodes) for _ in range(c.num_pods)]
        try:
            plan = make_plan(c, Placement(np.array(goal)))
        except NoPlanError:
            assert not reachable(c, goal)
        else:
            assert simulate(c, plan).tolist() == goal


@pytest.mark.parametrize("seed", range(40))
def test_dense_shuffles_of_a_good_state_have_plans(seed: int) -> None:
    rng = random.Random(seed)
    c = cluster([1 + k % 3 for k in range(24)], [k // 3 for k in range(24)], [6] * 8)
    turn = rng.sample(range(8), 8)
    goal = [turn[n] for n in c.node.tolist()]
    steps = planned(c, goal)
    assert sum(action == "evict" for action, _, _ in steps) == sum(
        a != b for a, b in zip(goal, c.node.tolist(), strict=True)
    )


def test_a_thousand_moves_on_five_thousand_nodes_take_seconds() -> None:
    nodes, pods = 5000, 50_000
    now = np.arange(pods) % nodes
    names = [f"web/p{k}" for k in range(pods)]
    c = cluster([1] * pods, now.tolist(), [10] * nodes)
    c = replace(c, pods=tuple(names), priority=np.arange(pods) % 5)
    goal = now.copy()
    goal[:1000] = np.roll(now[:1000], 10)  # full nodes in ten cycles
    start = time.perf_counter()
    report = check(c, Placement(goal))
    assert report.ok
    assert time.perf_counter() - start < 10  # takes 0.2 s: guards against a slip to quadratic
