"""The kernels on the disjunctive graph against slow, obvious statements of the same things."""

from __future__ import annotations

import itertools
import threading
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_shops import job_shops, random_job_shop

from cpsched.checking import check
from cpsched.errors import StopRequestedError
from cpsched.instances import generate, library
from cpsched.jobshop import tabu
from cpsched.jobshop.arrays import Arrays
from cpsched.jobshop.bounds import lower_bound, preemptive_bound
from cpsched.jobshop.dispatch import WEIGHTS, roll_out
from cpsched.jobshop.graph import evaluate, insert_after, insert_before, link
from cpsched.jobshop.instance import JobShop
from cpsched.jobshop.relinking import distance, relink


def random_order(arrays: Arrays, seed: int) -> np.ndarray:
    return roll_out(arrays, WEIGHTS["random"], active=True, seed=seed)[1]


def sequences(arrays: Arrays, order: np.ndarray) -> list[list[int]]:
    return [[int(i) for i in order if arrays.machine[i] == m] for m in range(arrays.num_machines)]


def is_topological(arrays: Arrays, order: np.ndarray) -> bool:
    place = {int(i): k for k, i in enumerate(order)}
    n = arrays.num_ops
    return sorted(place) == list(range(n)) and all(
        arrays.jp[i] == n or place[int(arrays.jp[i])] < place[i] for i in range(n)
    )


def has_cycle(arrays: Arrays, machines: list[list[int]]) -> bool:
    """Kahn's algorithm on routes and machine sequences."""
    n = arrays.num_ops
    after: list[list[int]] = [[] for _ in range(n)]
    waiting = [0] * n
    arcs = [(i, int(arrays.js[i])) for i in range(n) if arrays.js[i] != n]
    arcs += [pair for sequence in machines for pair in itertools.pairwise(sequence)]
    for a, b in arcs:
        after[a].append(b)
        waiting[b] += 1
    free = [i for i in range(n) if waiting[i] == 0]
    seen = 0
    while free:
        seen += 1
        for b in after[free.pop()]:
            waiting[b] -= 1
            if waiting[b] == 0:
                free.append(b)
    return seen < n


class Linked:
    """An order with its machine links and positions."""

    def __init__(self, arrays: Arrays, order: np.ndarray) -> None:
        n = arrays.num_ops
        self.order = order.copy()
        self.pos, self.mp, self.ms = (np.empty(n + 1, np.uint32) for _ in range(3))
        self.ends, self.tails = (np.empty(n + 1, np.int32) for _ in range(2))
        self.work = np.zeros(2 * n + 2, np.int32)
        link(self.order, arrays.machine, self.mp, self.ms, arrays.num_machines)
        self.makespan = evaluate(
            self.order,
            self.pos,
            arrays.p,
            arrays.jp,
            arrays.js,
            self.mp,
            self.ms,
            self.ends,
            self.tails,
        )


@given(job_shops(), st.integers(0, 10**6))
def test_every_insertion_is_made_or_refused_for_a_cycle(instance: JobShop, seed: int) -> None:
    arrays = Arrays(instance)
    order = random_order(arrays, seed)
    rng = np.random.default_rng(seed)
    machines = sequences(arrays, order)
    choices = [m for m in machines if len(m) > 1]
    if not choices:
        return
    sequence = choices[rng.integers(len(choices))]
    i, j = sorted(rng.choice(len(sequence), 2, replace=False))
    u, v = sequence[i], sequence[j]
    forward = bool(rng.integers(2))
    moved = sequence[:i] + sequence[i + 1 : j + 1] + [u] + sequence[j + 1 :]
    if not forward:
        moved = [*sequence[:i], v, *sequence[i:j], *sequence[j + 1 :]]
    wanted = [moved if other is sequence else other for other in machines]
    now = Linked(arrays, order)
    step = insert_after if forward else insert_before
    links = arrays.jp if forward else arrays.js
    done = step(u, v, now.order, now.pos, links, now.mp, now.ms, now.work)
    assert done is not has_cycle(arrays, wanted)
    expected = wanted if done else machines
    assert is_topological(arrays, now.order)
    assert sequences(arrays, now.order) == expected
    fresh = Linked(arrays, now.order)
    assert (now.pos == fresh.pos).all()
    assert (now.mp == fresh.mp).all()
    assert (now.ms == fresh.ms).all()


@given(job_shops(), st.integers(0, 10**6))
def test_ends_and_tails_make_the_semi_active_schedule(instance: JobShop, seed: int) -> None:
    arrays = Arrays(instance)
    now = Linked(arrays, random_order(arrays, seed))
    schedule = arrays.schedule(now.order)
    report = check(instance, schedule)
    assert report.ok, report.violations
    assert report.objective == now.makespan == now.tails.max()
    # An order read back from the schedule gives no longer one.
    assert arrays.schedule(arrays.order(schedule)).makespan <= now.makespan


def control(**slots: int) -> np.ndarray:
    values = np.zeros(tabu.CONTROL_SLOTS, np.int64)
    defaults = {"BEST": 2**31 - 1, "LIMIT": 300, "PATIENCE": 300, "NEIGHBOURHOOD": 6, "TENURE": 3}
    for name, value in (defaults | slots).items():
        values[getattr(tabu, name)] = value
    return values


def run_tabu(
    arrays: Arrays, order: np.ndarray, slots: np.ndarray, halt: int = 0, seed: int = 1
) -> tuple[int, np.ndarray]:
    best = np.empty_like(order)
    reason = tabu.tabu_search(
        order,
        best,
        arrays.p,
        arrays.jp,
        arrays.js,
        arrays.job,
        arrays.machine,
        arrays.num_machines,
        arrays.job_last,
        np.zeros(1024, np.int32),
        np.array([seed], np.uint64),
        slots,
        np.array([halt], np.int64),
    )
    return reason, best


@given(job_shops(), st.integers(0, 10**6), st.sampled_from([5, 6, 7]))
def test_tabu_search_keeps_its_books(instance: JobShop, seed: int, neighbourhood: int) -> None:
    arrays = Arrays(instance)
    order = random_order(arrays, seed)
    before = arrays.schedule(order).makespan
    slots = control(NEIGHBOURHOOD=neighbourhood)
    reason, best = run_tabu(arrays, order, slots)
    assert is_topological(arrays, best)
    assert is_topological(arrays, order)
    assert arrays.schedule(best).makespan == slots[tabu.BEST] <= before
    assert arrays.schedule(order).makespan == slots[tabu.CURRENT]
    assert slots[tabu.BEST] >= lower_bound(instance)
    if reason == tabu.OPTIMAL:
        assert slots[tabu.CURRENT] == lower_bound(instance)


def test_tabu_search_finds_the_optimum_of_ft10() -> None:
    arrays = Arrays(library.load("ft10"))
    found = []
    for seed in (1, 2, 3):
        order = random_order(arrays, seed)
        slots = control(LIMIT=400_000, PATIENCE=400_000, TARGET=930, TENURE=4)
        run_tabu(arrays, order, slots, seed=seed)
        found.append(slots[tabu.BEST])
    assert min(found) == 930
    assert max(found) <= 960


@pytest.mark.parametrize(
    ("slots", "halt", "reason"),
    [
        ({"TARGET": 2_000}, 0, tabu.AT_TARGET),
        ({"LIMIT": 10}, 0, tabu.AT_LIMIT),
        ({"LIMIT": 10**6, "PATIENCE": 50}, 0, tabu.STAGNATED),
        ({"LIMIT": 10**9, "PATIENCE": 10**9}, 1, tabu.HALTED),
    ],
)
def test_tabu_search_says_why_it_stopped(slots: dict[str, int], halt: int, reason: int) -> None:
    arrays = Arrays(library.load("ft10"))
    order = random_order(arrays, 0)
    assert run_tabu(arrays, order, control(**slots), halt)[0] == reason


def test_the_iteration_counter_goes_on_from_call_to_call() -> None:
    arrays = Arrays(library.load("ft10"))
    order = random_order(arrays, 0)
    slots = control(LIMIT=10)
    run_tabu(arrays, order, slots)
    run_tabu(arrays, order, slots)
    assert slots[tabu.ITERATION] == 20


@given(job_shops(), st.integers(0, 10**6), st.integers(0, 30))
def test_relinking_walks_towards_the_guide(instance: JobShop, seed: int, steps: int) -> None:
    arrays = Arrays(instance)
    first, guide = random_order(arrays, seed), random_order(arrays, seed + 1)
    apart = distance(first, guide, arrays.machine, arrays.num_machines)
    pairs = [
        sum(
            (first_place[a] < first_place[b]) != (guide_place[a] < guide_place[b])
            for a, b in itertools.combinations(sequence, 2)
        )
        for first_place, guide_place in [
            ({int(i): k for k, i in enumerate(o)} for o in (first, guide))
        ]
        for sequence in sequences(arrays, first)
    ]
    assert apart == sum(pairs)
    child = first.copy()
    made = relink(
        child,
        guide,
        steps,
        arrays.jp,
        arrays.js,
        arrays.machine,
        arrays.num_machines,
        np.array([seed + 1], np.uint64),
    )
    assert made == min(steps, apart)
    assert is_topological(arrays, child)
    assert distance(child, guide, arrays.machine, arrays.num_machines) == apart - made
    assert distance(child, first, arrays.machine, arrays.num_machines) == made


@given(
    st.lists(
        st.tuples(st.integers(0, 12), st.integers(0, 6), st.integers(0, 12)),
        min_size=1,
        max_size=7,
    )
)
def test_preemptive_bound_is_jacksons_schedule(jobs: list[tuple[int, int, int]]) -> None:
    head, p, tail = (np.array(column, np.int32) for column in zip(*jobs, strict=True))
    # Unit by unit: always the released operation with the longest tail.
    left = p.copy()
    value = int(max((h + t for h, d, t in jobs if d == 0), default=0))
    now = 0
    while left.any():
        ready = [i for i in range(len(jobs)) if left[i] and head[i] <= now]
        now += 1
        if ready:
            i = max(ready, key=lambda k: tail[k])
            left[i] -= 1
            if left[i] == 0:
                value = max(value, now + int(tail[i]))
    assert preemptive_bound(head, p, tail, np.zeros(len(jobs), np.uint32), 1) == value


def test_bounds_of_the_library_are_below_the_best_known_schedules() -> None:
    met = 0
    for name in library.names():
        known = library.best_known(name)
        assert known is not None
        bound = lower_bound(library.load(name))
        assert bound <= known.upper
        met += name.startswith("ta") and bound == known.upper
    assert met == 34


def test_bound_of_a_flexible_job_shop() -> None:
    shop = JobShop.flexible("f", 2, [[[(0, 3), (1, 5)], [(1, 2)]], [[(0, 9), (1, 4)]]])
    assert lower_bound(shop) == 5


@given(job_shops(), st.sampled_from(sorted(WEIGHTS)), st.booleans())
def test_roll_outs_are_schedules_of_their_frame(
    instance: JobShop, rule: str, active: bool
) -> None:
    arrays = Arrays(instance)
    makespan, order = roll_out(arrays, WEIGHTS[rule], active=active, seed=3)
    schedule = arrays.schedule(order)
    assert check(instance, schedule).ok
    assert schedule.makespan == makespan
    if not active:
        # No machine stands still while an operation waits for it.
        start, end = schedule.start, schedule.end
        for i in range(arrays.num_ops):
            ready = 0 if arrays.jp[i] == arrays.num_ops else int(end[arrays.jp[i]])
            rivals = [
                (int(start[k]), int(end[k]))
                for k in range(arrays.num_ops)
                if arrays.machine[k] == arrays.machine[i] and k != i
            ]
            for t in range(ready, int(start[i])):
                assert any(a <= t < b for a, b in rivals), (i, t)


@pytest.mark.parametrize("active", [False, True])
def test_a_roll_out_ends_once_it_is_told_to(active: bool) -> None:
    arrays = Arrays(library.load("ta01"))
    halt = np.zeros(1, np.int64)
    assert roll_out(arrays, WEIGHTS["spt"], halt=halt)[0] == 1462
    halt[0] = 1
    with pytest.raises(StopRequestedError):
        roll_out(arrays, WEIGHTS["spt"], active=active, halt=halt)


def test_a_roll_out_looks_at_the_flag_while_it_runs() -> None:
    arrays = Arrays(generate.uniform(1000, 1000, seed=1))
    halt = np.zeros(1, np.int64)
    threading.Timer(0.1, halt.__setitem__, (0, 1)).start()
    start = time.perf_counter()
    with pytest.raises(StopRequestedError):
        roll_out(arrays, WEIGHTS["spt"], halt=halt)
    # To the end it takes seconds.
    assert time.perf_counter() - start < 1.0


@pytest.mark.parametrize(
    ("rule", "expected"), [("mwkr", 1491), ("spt", 1462), ("mopnr", 1438), ("fifo", 1486)]
)
def test_rules_on_ta01(rule: str, expected: int) -> None:
    makespan, _ = roll_out(Arrays(library.load("ta01")), WEIGHTS[rule])
    assert makespan == expected


def test_kernels_take_a_reentrant_job_shop_with_one_job() -> None:
    arrays = Arrays(random_job_shop(5, 1, 3, reentrant=True, low=1))
    reason, best = run_tabu(arrays, random_order(arrays, 0), control())
    assert reason == tabu.OPTIMAL
    assert arrays.schedule(best).makespan == arrays.p.sum()
