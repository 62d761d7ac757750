"""The simulated scheduler against scores by hand, a slow statement of it, and recorded runs."""

from __future__ import annotations

import hashlib
import math
import random
import threading
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from random_clusters import random_cluster

from cpsched.pods import scheduler, scores
from cpsched.pods.instance import Affinity, Budget, Cluster, Conflict, Spread
from cpsched.pods.occupancy import Occupancy
from cpsched.pods.scheduler import schedule


def cluster(
    request: list[list[int]], now: list[int], allocatable: list[list[int]], **changes: Any
) -> Cluster:
    """Cpu and memory; every pod without a controller and of priority 0."""
    pods, nodes = len(request), len(allocatable)
    base = Cluster(
        name="scheduler",
        resources=("cpu", "memory"),
        nodes=tuple(f"n{k}" for k in range(nodes)),
        allocatable=np.array(allocatable),
        pods=tuple(f"web/p{k}" for k in range(pods)),
        request=np.array(request),
        priority=np.zeros(pods, dtype=int),
        node=np.array(now),
        owners=(),
        owner=np.full(pods, -1),
        allowed=np.ones((1, nodes), dtype=bool),
        profile=np.zeros(pods, dtype=int),
        held=("",) * pods,
        preempts=np.ones(pods, dtype=bool),
        grace=np.zeros(pods, dtype=int),
    )
    return replace(base, **changes)


def score(c: Cluster, node: list[int], pod: int, n: int, feasible: int) -> tuple[int, int]:
    """Scores of one node: resources, and pods of the controller, raw.

    Shares are doubles, as in the original: a balance of 90 exactly may be 89 to it.
    """
    least, shares = [], []
    for r in range(2):
        on = [q for q in range(c.num_pods) if node[q] == n]
        offer = int(c.allocatable[n, r])
        assumed = (100, 200 * 2**20)[r]
        counted = sum(int(c.request[q, r]) or assumed for q in [*on, pod])
        used = sum(int(c.request[q, r]) for q in [*on, pod])
        least.append(100 * (offer - counted) // offer if counted <= offer else 0)
        shares.append(min(used / offer, 1.0))
    total = sum(least) // 2
    if c.request[pod, :2].any():
        total += math.floor((1 - abs((shares[0] - shares[1]) / 2)) * 100)
    same = sum(1 for q in range(c.num_pods) if node[q] == n and c.owner[q] == c.owner[pod])
    return total, math.floor(same * math.log(feasible + 2) + 2 + 0.5)


def drawn(c: Cluster, node: list[int], pod: int, n: int) -> int:
    """Terms of pods that are somewhere and match *pod*, in whose domain node *n* is."""
    return sum(
        1
        for affinity in c.affinities
        if pod in affinity.targets
        for holder in affinity.holders
        for domain in affinity.domains
        if node[holder] >= 0 and domain[node[holder]] == domain[n] >= 0
    )


def slow(c: Cluster) -> list[int]:
    """The schedule, pod by pod, node by node; of rules between pods those of affinity."""
    node = c.node.tolist()
    queue = [p for p in range(c.num_pods) if node[p] < 0 and not c.held[p]]
    tied = {p for a in c.affinities for p in (*a.holders.tolist(), *a.targets.tolist())}
    while queue:
        failed = []
        for pod in sorted(queue, key=lambda p: (-c.priority[p], p)):
            at = np.flatnonzero(Occupancy(c, np.array(node)).feasible(pod)).tolist()
            if not at:
                failed.append(pod)
                continue
            scores = {n: score(c, node, pod, n, len(at)) for n in at}
            low, high = min(s[1] for s in scores.values()), max(s[1] for s in scores.values())
            draw = {n: drawn(c, node, pod, n) for n in at}
            least, most = min(draw.values()), max(draw.values())
            final = {n: s for n, (s, _) in scores.items()}
            for n in at:
                if c.owner[pod] >= 0:
                    final[n] += 2 * (100 * (high + low - scores[n][1]) // high)
                if most > least:
                    final[n] += 2 * int(100 * ((draw[n] - least) / (most - least)))
            node[pod] = min(at, key=lambda n: (-final[n], c.nodes[n]))
        queue = [p for p in failed if p in tied] if len(failed) < len(queue) else []
    return node


@pytest.mark.parametrize("seed", range(60))
def test_equal_to_a_slow_statement_of_the_scores(seed: int) -> None:
    rng = random.Random(seed)
    rules = ("held", "profiles", "over", "affinities")
    c = random_cluster(seed, nodes=5, pods=30, rules=rules)
    if seed % 2:
        c = replace(c, node=np.full(30, -1))
    scale = np.array([rng.choice([7, 100, 333]), rng.choice([10**8, 123456789]), 1])
    names = [f"node-{k}" for k in range(5)]
    rng.shuffle(names)
    allocatable = c.allocatable * [3, 3, 4] * scale
    c = replace(c, allocatable=allocatable, request=c.request * scale, nodes=tuple(names))
    assert schedule(c).node.tolist() == slow(c)


def test_required_affinity_of_those_who_run_draws_those_whom_it_names() -> None:
    # Node 0 is far emptier; pod 0 on node 1 must be near pods such as 1.
    request = [[2000, 2 * 10**10], [10, 10**7], [10, 10**7]]
    c = cluster(request, [1, -1, -1], [[4000, 4 * 10**10]] * 3)
    near = Affinity("near", [0, 1, -1], [0], [1])
    assert schedule(replace(c, affinities=(near,))).node.tolist() == [1, 1, 0]
    # A node without the label is in no domain, and who does not run draws nobody.
    far = Affinity("near", [0, -1, -1], [0], [1])
    assert schedule(replace(c, affinities=(far,))).node.tolist()[1] == 0
    asked = Affinity("near", [0, 1, -1], [2], [1])
    assert schedule(replace(c, affinities=(asked,))).node.tolist()[1:] == [0, 0]


def test_affinity_decides_in_the_random_clusters(monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison with the slow statement would say little if it never did."""
    found = [random_cluster(seed, nodes=5, pods=30, rules=("affinities",)) for seed in range(60)]
    found = [replace(c, node=np.full(30, -1), allocatable=c.allocatable * 3) for c in found]
    before = [schedule(c).node.tolist() for c in found]
    monkeypatch.setattr(scores, "_AFFINITY_WEIGHT", 0)
    after = [schedule(c).node.tolist() for c in found]
    assert sum(old != new for old, new in zip(before, after, strict=True)) >= 5


def test_the_emptier_node_the_balanced_one_the_first_by_name() -> None:
    c = cluster(
        [[100, 10**9], [900, 9 * 10**9], [200, 2 * 10**9]], [0, 1, -1], [[4000, 4 * 10**10]] * 2
    )
    assert schedule(c).node.tolist() == [0, 1, 0]
    # 10 of both on either: equal free shares in sum, unequal balance.
    c = cluster([[1000, 0], [500, 5 * 10**9], [100, 10**9]], [0, 1, -1], [[4000, 4 * 10**10]] * 2)
    assert schedule(c).node.tolist() == [0, 1, 1]
    c = cluster([[100, 10**9]], [-1], [[4000, 10**10]] * 3, nodes=("c", "a", "b"))
    assert schedule(c).node.tolist() == [1]


def test_replicas_are_spread_unless_they_have_constraints_of_their_own_or_no_selector() -> None:
    # Two replicas run on the far emptier node.
    request = [[10, 10**7], [10, 10**7], [10, 10**7], [2000, 2 * 10**10]]
    c = cluster(request, [0, 0, -1, 1], [[4000, 4 * 10**10]] * 2)
    owned = {"owners": ("web/ReplicaSet/rs",), "owner": np.array([0, 0, 0, -1])}
    assert schedule(c).node[2] == 0
    assert schedule(replace(c, **owned)).node[2] == 1
    own = (Spread("own", [0, 0], [2], [0, 1, 2], 9),)
    assert schedule(replace(c, **owned, spreads=own)).node[2] == 0
    assert schedule(replace(c, **owned | {"owners": ("web/DaemonSet/rs",)})).node[2] == 0


def test_the_count_of_replicas_is_rounded_before_it_is_normalised() -> None:
    # 1 * ln(3 + 2) + 2 = 3.6 is 4: the node of the sibling scores 50 of 100, 100 less at weight 2.
    # By resources it is 84 ahead, which 66 of 100 (rounded down to 3) would not make up for.
    request = [[10, 10**7], [10, 10**7], [3400, 34 * 10**9], [3400, 34 * 10**9]]
    c = cluster(request, [0, -1, 1, 2], [[4000, 4 * 10**10]] * 3)
    c = replace(c, owners=("web/ReplicaSet/rs",), owner=np.array([0, 0, -1, -1]))
    assert schedule(c).node[1] == 1


def test_a_pod_without_requests_counts_as_a_small_one_when_nodes_are_scored() -> None:
    c = cluster([[0, 0], [0, 0], [0, 0]], [0, -1, -1], [[1000, 10**10]] * 2)
    assert schedule(c).node.tolist() == [0, 1, 0]


def test_amounts_near_the_limit_are_scored_exactly() -> None:
    big = 2**60
    c = cluster([[1, big // 2], [1, 1]], [0, -1], [[1000, big]] * 2)
    assert schedule(c).node.tolist() == [0, 1]


def test_queue_by_priority_or_by_arrival_held_pods_not_at_all() -> None:
    c = cluster([[3, 1]] * 3, [-1] * 3, [[3, 9]], priority=np.array([1, 2, 3]))
    assert schedule(c).node.tolist() == [-1, -1, 0]
    assert schedule(c, arrival_order=True).node.tolist() == [0, -1, -1]
    assert schedule(replace(c, held=("", "", "gate"))).node.tolist() == [-1, 0, -1]


def test_a_pod_that_waits_for_another_is_tried_again() -> None:
    near = (Affinity("near", [0, 1], [0], [1]),)
    c = cluster([[1, 1]] * 2, [-1, -1], [[9, 9]] * 2, affinities=near)
    assert schedule(c).node.tolist() == [0, 0]


def test_stop_returns_what_there_is() -> None:
    stop = threading.Event()
    stop.set()
    c = cluster([[1, 1]], [-1], [[9, 9]])
    assert schedule(c, stop=stop).node.tolist() == [-1]


def preempted(c: Cluster) -> list[int]:
    return schedule(c, preemption=True).node.tolist()


def test_preemption_takes_only_what_it_must_the_least_important_first() -> None:
    # Room for 6: reprieved are the pod of priority 2, then the earlier of the equal ones.
    c = cluster(
        [[2, 1], [2, 1], [2, 1], [2, 1]],
        [0, 0, 0, -1],
        [[6, 9]],
        priority=np.array([1, 2, 1, 5]),
        # A wrong victim must not preempt its way back.
        preempts=np.array([False, False, False, True]),
    )
    assert schedule(c).node.tolist() == [0, 0, 0, -1]
    assert preempted(c) == [0, 0, -1, 0]


def test_preemption_needs_strictly_lower_priority_and_a_policy_that_lets_it() -> None:
    c = cluster([[6, 1], [6, 1]], [0, -1], [[6, 9]], priority=np.array([1, 2]))
    assert preempted(c) == [-1, 0]
    assert preempted(replace(c, priority=np.array([2, 2]))) == [0, -1]
    assert preempted(replace(c, preempts=np.array([True, False]))) == [0, -1]
    assert preempted(replace(c, held=("mirror pod", ""))) == [0, -1]


def test_the_node_lowest_highest_victim_then_lowest_sum_then_latest_start() -> None:
    # Node 0 would lose priority 3, node 1 two of 2, node 2 and 3 one of 2, node 3 the later one.
    request = [[6, 1], [3, 1], [3, 1], [6, 1], [6, 1], [6, 1]]
    c = cluster(request, [0, 1, 1, 2, 3, -1], [[6, 9]] * 4, priority=np.array([3, 2, 2, 2, 2, 9]))
    assert preempted(c) == [0, 1, 1, 2, -1, 3]
    assert preempted(replace(c, nodes=("d", "c", "b", "a"))) == [0, 1, 1, 2, -1, 3]
    # Fewer victims before lower ones, as priorities are summed shifted by 2^31.
    priority = np.array([3, -5, 2, 2, 2, 9])
    assert preempted(replace(c, priority=priority)) == [0, 1, 1, 2, -1, 3]


def test_of_equal_nodes_the_one_whose_victims_started_last() -> None:
    request = [[3, 1]] * 4 + [[6, 1]]
    c = cluster(request, [1, 0, 0, 1, -1], [[6, 9]] * 2, priority=np.array([2, 2, 2, 2, 9]))
    c = replace(c, preempts=np.array([False, False, False, False, True]))
    # Of the victims the earliest count: pod 0 on node 1, pod 1 on node 0.
    assert preempted(c) == [1, -1, -1, 1, 0]
    # Only those of the highest priority are asked: on node 0 pod 1, on node 1 pod 3.
    lower = replace(c, priority=np.array([1, 2, 1, 2, 9]))
    assert preempted(lower) == [-1, 0, 0, -1, 1]
    # Pods that are bound start after those that ran, in that order: pod 0 after pod 1.
    c = cluster([[6, 1]] * 3, [-1, 0, -1], [[6, 9]] * 2, priority=np.array([1, 1, 9]))
    found = schedule(c, preemption=True, arrival_order=True).node.tolist()
    assert found == [-1, 0, 1]


def test_candidates_are_a_tenth_of_the_nodes_that_could_take_the_pod(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # On each node a victim, a less important one on each but the first: the last would be best.
    priority = np.array([*range(40, 0, -1), 99])
    c = cluster(
        [[6, 1]] * 41,
        [*range(40), -1],
        [[6, 9]] * 40,
        nodes=tuple(f"n{k:02}" for k in range(40)),
        priority=priority,
        preempts=priority == 99,
    )
    assert preempted(c)[40] == 39
    monkeypatch.setattr(scheduler, "_LEAST_CANDIDATES", 1)
    assert preempted(c)[40] == 3
    small = np.array([[6, 9]] * 20 + [[5, 9]] * 20)
    assert preempted(replace(c, allocatable=small))[40] == 1
    allowed = np.array([[k < 10 for k in range(40)]])
    assert preempted(replace(c, allowed=allowed))[40] == 0


def test_victims_are_tried_after_all_of_their_priority_that_wait_already() -> None:
    # Pod 0 makes way for pod 1 and comes after pod 2, which takes the room on node 1.
    c = cluster(
        [[6, 1], [6, 1], [5, 1]],
        [0, -1, -1],
        [[6, 9], [6, 9]],
        priority=np.array([1, 9, 1]),
        allowed=np.array([[True, True], [True, False]]),
        profile=np.array([0, 1, 0]),
    )
    for by_arrival in (False, True):
        found = schedule(c, preemption=True, arrival_order=by_arrival).node.tolist()
        assert found == [-1, 0, 1]
    # A victim of higher priority goes first all the same, unless pods are taken as they come.
    c = replace(c, priority=np.array([2, 9, 1]), preempts=np.array([False, True, False]))
    assert preempted(c) == [1, 0, -1]
    found = schedule(c, preemption=True, arrival_order=True).node.tolist()
    assert found == [-1, 0, 1]


def test_victims_wait_and_find_another_place() -> None:
    # Pod 2 fits only beside nothing on node 0; its victim still fits on node 1.
    c = cluster(
        [[3, 1], [4, 1], [6, 1]], [0, 1, -1], [[6, 9], [7, 9]], priority=np.array([1, 5, 9])
    )
    assert preempted(c) == [1, 1, 0]


def test_preemption_never_exceeds_a_budget() -> None:
    c = cluster([[3, 1], [3, 1], [6, 1]], [0, 0, -1], [[6, 9]], priority=np.array([1, 1, 9]))
    for allowed, want in ((0, [0, 0, -1]), (1, [0, 0, -1]), (2, [-1, -1, 0])):
        assert preempted(replace(c, budgets=(Budget("b", [0, 1], allowed),))) == want
    # What waited from the start may be preempted: no running pod is disrupted.
    c = cluster([[6, 1], [6, 1]], [-1, -1], [[6, 9]], priority=np.array([1, 9]))
    c = replace(c, budgets=(Budget("b", [0], 0),))
    found = schedule(c, preemption=True, arrival_order=True).node.tolist()
    assert found == [-1, 0]


def test_pods_over_budget_are_reprieved_first() -> None:
    # Either of the two may go; the less important one is over the budget.
    c = cluster([[3, 1], [3, 1], [3, 1]], [0, 0, -1], [[6, 9]], priority=np.array([2, 1, 9]))
    assert preempted(c) == [0, -1, 0]
    assert preempted(replace(c, budgets=(Budget("b", [1], 0),))) == [-1, 0, 0]


def test_preemption_for_the_sake_of_a_rule() -> None:
    c = cluster([[1, 1]] * 3, [0, 0, -1], [[9, 9]], priority=np.array([1, 1, 9]))
    apart = (Conflict("host", [0], [1], [2]),)
    assert preempted(replace(c, conflicts=apart)) == [0, -1, 0]


@pytest.mark.parametrize("seed", range(150))
def test_every_outcome_keeps_the_filters_and_the_budgets(seed: int) -> None:
    c = random_cluster(seed, pods=12)
    for preemption in (False, True):
        node = schedule(c, preemption=preemption).node
        assert node.tolist() == schedule(c, preemption=preemption).node.tolist()
        assert (node[c.is_held] == c.node[c.is_held]).all()
        changed = c.running & (node != c.node)
        assert preemption or not changed.any()
        for budget in c.budgets:
            assert changed[budget.pods].sum() <= budget.allowed
        arrived = (node >= 0) & (node != c.node)
        over = c.allocatable - c.usage_of(node) < 0
        for pod in np.flatnonzero(arrived).tolist():
            assert c.allowed[c.profile[pod], node[pod]]
            assert not (over[node[pod]] & (c.request[pod] > 0)).any()
        if not preemption:
            now = Occupancy(c, node)
            for pod in np.flatnonzero((node < 0) & ~c.is_held).tolist():
                assert not now.feasible(pod).any()


def test_preemption_happens_in_the_random_clusters() -> None:
    """The test above would say little if it never did."""
    found = [random_cluster(seed, pods=12) for seed in range(150)]
    gone = [c.running & (schedule(c, preemption=True).node != c.node) for c in found]
    assert sum(bool(pods.any()) for pods in gone) >= 15


def scenario(seed: int, priorities: int, utilisation: float) -> Cluster:
    """16 nodes, 64 pods of the paper's generator (H. D. Christensen et al., arXiv 2511.08373)."""

    def stream(label: str) -> random.Random:
        text = seed.to_bytes(16, "big") + b"\x00" + label.encode()
        return random.Random(int.from_bytes(hashlib.blake2b(text, digest_size=16).digest(), "big"))

    sizes: list[int] = []
    rng = stream("rs-sizes")
    while sum(sizes) < 64:
        sizes.append(rng.randint(1, min(4, 64 - sum(sizes))))
    rng = stream("rs-cpu")
    cpu = [rng.randint(100, 1000) for _ in sizes]
    rng = stream("rs-mem")
    memory = [rng.randint(10**8, 10**9) for _ in sizes]
    rng = stream("base")
    tiers = [rng.randint(1, priorities) for _ in sizes]
    size = [
        max(max(each), math.ceil(math.ceil(np.dot(sizes, each) / utilisation) / 16))
        for each in (cpu, memory)
    ]
    request = np.repeat(np.array([cpu, memory]).T, sizes, axis=0)
    return replace(
        cluster(request.tolist(), [-1] * 64, [size] * 16),
        nodes=tuple(f"node-{k:02}" for k in range(16)),
        priority=np.repeat(tiers, sizes),
        owners=tuple(f"web/ReplicaSet/rs-{k}" for k in range(len(sizes))),
        owner=np.repeat(np.arange(len(sizes)), sizes),
    )


def test_recorded_run_of_the_real_scheduler_tier_by_tier() -> None:
    c = scenario(484806185843093489, 4, 1.05)
    node = schedule(c, arrival_order=True).node
    assert [int((node[c.priority == tier] >= 0).sum()) for tier in (1, 2, 3, 4)] == [5, 16, 24, 8]


#: Pods that the real scheduler, ties by lot, placed in runs at 90 % after which nothing was moved
#: (Christensen's ``comparison_per_seed.csv``, rows without an applied plan, 1 s).
RECORDED = {
    7194306251949794638: 64,  # of 100 the only one where none was left pending
    3896010399170147587: 62,
    7158228594698779781: 59,
    7376625660721489042: 59,
    1754007979673256872: 61,
    6791828356968382696: 62,
    1221345081614209477: 60,
    5435020287124189294: 58,
    1120181360350854083: 59,
    8033569224504949185: 58,
}


@pytest.mark.parametrize("seed", RECORDED)
def test_recorded_runs_of_the_real_scheduler_within_a_pod(seed: int) -> None:
    placed = int((schedule(scenario(seed, 2, 0.9), arrival_order=True).node >= 0).sum())
    assert abs(placed - RECORDED[seed]) <= 1
    assert (placed == 64) == (RECORDED[seed] == 64)
