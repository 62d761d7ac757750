"""The timetable against all start vectors, and against a statement of it moment by moment."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from ortools.sat.python import cp_model

from cpsched.propagation.timetable import filter_timetable

INFINITE = 2**62
SHIFT, SPAN = 4, 24


def filtered(est, lst, p, demand, present, capacity) -> tuple[int, list[int], list[int], int]:
    est, lst, p, demand = (np.array(x, np.int64) for x in (est, lst, p, demand))
    before = est.copy(), lst.copy()
    peak = np.full(1, -7)
    present = np.array(present, np.uint8)
    changes = filter_timetable(est, lst, p, demand, present, capacity, peak)
    if changes >= 0:
        assert changes == (est != before[0]).sum() + (lst != before[1]).sum()
    return changes, est.tolist(), lst.tolist(), int(peak[0])


def random_case(rng: np.random.Generator, width: int):
    n = int(rng.integers(1, 6))
    est = rng.integers(-2, 8, n)
    lst = est + rng.integers(0, width + 1, n)
    p, demand = rng.integers(0, 6, n), rng.integers(0, 4, n)
    present = (rng.random(n) < 0.7).astype(np.uint8)
    return est, lst, p, demand, present, int(rng.integers(1, 5))


def starts_that_fit(est, lst, p, demand, capacity) -> np.ndarray:
    """All vectors of starts within the windows and the capacity, shape (number, n)."""
    n = len(est)
    if n == 0:
        return np.zeros((1, 0), np.int64)
    ranges = [range(a, b + 1) for a, b in zip(est, lst, strict=True)]
    starts = np.array(list(itertools.product(*ranges)), np.int64).reshape(-1, n)
    level = np.zeros((len(starts), SPAN), np.int64)
    moment = np.arange(SPAN) - SHIFT
    for i in range(n):
        begin = starts[:, i, None]
        level += demand[i] * ((begin <= moment) & (moment < begin + p[i]))
    return starts[(level <= capacity).all(1)]


def by_moments(est, lst, p, demand, present, capacity):
    """Windows, and the level of the profile, from the levels at every moment."""
    moment = np.arange(SPAN) - SHIFT
    parts = [
        (demand[i] if present[i] else 0) * ((lst[i] <= moment) & (moment < est[i] + p[i]))
        for i in range(len(est))
    ]
    profile = sum(parts)
    new_est, new_lst = est.tolist(), lst.tolist()
    for i in range(len(est)):
        free = [
            s
            for s in range(est[i], lst[i] + 1)
            if p[i] == 0
            or demand[i] == 0
            or (
                demand[i] <= capacity
                and (
                    (profile - parts[i])[s + SHIFT : s + p[i] + SHIFT] + demand[i] <= capacity
                ).all()
            )
        ]
        new_est[i] = min(free, default=None)
        new_lst[i] = max(free, default=None)
    return new_est, new_lst, int(profile.max())


def test_no_start_of_a_schedule_is_removed() -> None:
    rng = np.random.default_rng(1)
    failures = infeasible = pruned = emptied = 0
    for _ in range(2000):
        est, lst, p, demand, present, capacity = case = random_case(rng, 3)
        sure = np.flatnonzero(present)
        fits = starts_that_fit(est[sure], lst[sure], p[sure], demand[sure], capacity)
        changes, new_est, new_lst, _ = filtered(*case)
        infeasible += len(fits) == 0
        if changes < 0:
            assert len(fits) == 0, case
            failures += 1
            continue
        pruned += changes > 0
        for i in range(len(est)):
            which = sure if present[i] else np.append(sure, i)
            fits = starts_that_fit(est[which], lst[which], p[which], demand[which], capacity)
            mine = fits[:, which == i]
            emptied += new_est[i] > new_lst[i]
            assert ((new_est[i] <= mine) & (mine <= new_lst[i])).all(), case
    assert infeasible > failures > 200
    assert pruned > 200
    assert emptied > 100


def test_windows_and_peak_are_those_of_the_moments() -> None:
    rng = np.random.default_rng(2)
    for _ in range(2000):
        est, _, p, demand, present, capacity = case = random_case(rng, 5)
        changes, new_est, new_lst, peak = filtered(*case)
        want_est, want_lst, level = by_moments(*case)
        needed = max((demand * present)[p > 0], default=0)
        assert peak == max(level, needed), case
        stuck = any(w is None for w, sure in zip(want_est, present, strict=True) if sure)
        assert (changes == -1) == (peak > capacity or stuck), case
        if changes >= 0:
            for i in range(len(est)):
                if want_est[i] is None:
                    assert new_est[i] > new_lst[i], case
                else:
                    assert (new_est[i], new_lst[i]) == (want_est[i], want_lst[i]), case


def test_fixed_intervals_fail_if_and_only_if_they_exceed_the_capacity() -> None:
    rng = np.random.default_rng(3)
    counts = [0, 0]
    for _ in range(1000):
        est, lst, p, demand, present, capacity = random_case(rng, 0)
        present[:] = 1
        fits = len(starts_that_fit(est, lst, p, demand, capacity)) == 1
        counts[fits] += 1
        assert filtered(est, lst, p, demand, present, capacity)[0] == (0 if fits else -1)
    assert min(counts) > 100


def test_pushed_past_a_full_stretch_both_ways() -> None:
    # A takes 2 of 3 in 4..8, B 2 of 3 in 10..12; C with 2 and size 3 fits before 4 and after 12.
    est, lst = [4, 10, 2], [4, 10, 11]
    assert filtered(est, lst, [4, 2, 3], [2, 2, 2], [1, 1, 1], 3) == (-1, *[est, lst], 2)
    assert filtered(est, [4, 10, 14], [4, 2, 3], [2, 2, 2], [1, 1, 1], 3) == (
        1,
        [4, 10, 12],
        [4, 10, 14],
        2,
    )
    assert filtered([4, 10, 1], lst, [4, 2, 3], [2, 2, 2], [1, 1, 1], 3) == (
        1,
        [4, 10, 1],
        [4, 10, 1],
        2,
    )
    # Size 2 fits between.
    assert filtered([4, 10, 3], lst, [4, 2, 2], [2, 2, 2], [1, 1, 1], 3) == (
        2,
        [4, 10, 8],
        [4, 10, 8],
        2,
    )


def test_optional_intervals_have_no_part_in_the_profile() -> None:
    fixed = [0, 0], [0, 0], [3, 3], [2, 2]
    assert filtered(*fixed, [1, 1], 3)[0] == -1
    assert filtered(*fixed, [0, 0], 3) == (0, [0, 0], [0, 0], 0)
    changes, est, lst, peak = filtered(*fixed, [1, 0], 3)
    assert (changes, peak) == (1, 2)
    assert est[0] == lst[0] == 0
    assert est[1] > lst[1]
    # Too tall for an empty resource.
    changes, est, lst, peak = filtered([0], [9], [1], [5], [0], 3)
    assert (changes, peak) == (1, 0)
    assert est[0] > lst[0]


def test_peak_counts_a_demand_without_compulsory_part() -> None:
    assert filtered([0], [9], [1], [5], [1], 7) == (0, [0], [9], 5)
    assert filtered([0], [9], [1], [5], [1], 4)[0] == -1


def test_empty_window() -> None:
    assert filtered([3], [2], [1], [1], [1], 5)[0] == -1
    assert filtered([3], [2], [0], [0], [1], 5)[0] == -1
    assert filtered([3], [2], [1], [1], [0], 5)[:3] == (0, [3], [2])
    assert filtered([], [], [], [], [], 0)[0] == 0


@pytest.mark.parametrize(
    ("size", "demand", "capacity"),
    [(0, 3, 1), (0, 1, 1), (3, 0, 1), (3, 1, 1), (3, 1, 2), (0, 3, 0), (0, 0, -1)],
)
def test_size_0_and_demand_0_as_in_cp_sat(size: int, demand: int, capacity: int) -> None:
    intervals = (0, 9, min(1, max(capacity, 0))), (4, size, demand)
    model = cp_model.CpModel()
    model.add_cumulative(
        [model.new_fixed_size_interval_var(start, p, "") for start, p, _ in intervals],
        [d for *_, d in intervals],
        model.new_constant(capacity),
    )
    feasible = cp_model.CpSolver().solve(model) == cp_model.OPTIMAL
    starts, sizes, demands = zip(*intervals, strict=True)
    changes = filtered(starts, starts, sizes, demands, [1, 1], capacity)[0]
    assert changes == (0 if feasible else -1)


def test_infinite_bounds() -> None:
    free = [-INFINITE] * 2, [INFINITE] * 2
    assert filtered(*free, [3, 4], [1, 1], [1, 1], 1) == (0, *free, 1)
    assert filtered(*free, [INFINITE] * 2, [1, 1], [1, 1], INFINITE) == (0, *free, 1)
    huge = 2**58
    assert filtered([0, 0], [0, 5], [3, 3], [huge, huge], [1, 1], huge + 1)[1:] == (
        [0, 3],
        [0, 5],
        huge,
    )
    assert filtered([-INFINITE, INFINITE], [-INFINITE, INFINITE], [5, 5], [1, 1], [1, 1], 1) == (
        0,
        [-INFINITE, INFINITE],
        [-INFINITE, INFINITE],
        1,
    )
