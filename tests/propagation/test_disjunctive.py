"""The rules of a machine against all permutations, and against their definitions over all sets."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from ortools.sat.python import cp_model

from cpsched.propagation.disjunctive import (
    DETECTABLE_PRECEDENCES,
    EDGE_FINDING,
    NOT_FIRST_NOT_LAST,
    filter_disjunctive,
)

ALL = DETECTABLE_PRECEDENCES | NOT_FIRST_NOT_LAST | EDGE_FINDING
ONE_EACH = (DETECTABLE_PRECEDENCES, NOT_FIRST_NOT_LAST, EDGE_FINDING)
INFINITE = 2**62

Windows = tuple[np.ndarray, np.ndarray, np.ndarray]


def filtered(rules: int, est, lct, p) -> tuple[int, list[int], list[int]]:
    before = [np.array(x, np.int64) for x in (est, lct, p)]
    after = [x.copy() for x in before]
    changes = filter_disjunctive(rules, *after)
    np.testing.assert_array_equal(after[2], before[2])
    differing = int((after[0] != before[0]).sum() + (after[1] != before[1]).sum())
    assert differing == max(changes, 0)
    return changes, after[0].tolist(), after[1].tolist()


def to_fix_point(rules: int, est, lct, p) -> tuple[list[int], list[int]] | None:
    changes = 1
    while changes > 0:
        changes, est, lct = filtered(rules, est, lct, p)
    return None if changes < 0 else (est, lct)


def random_windows(rng: np.random.Generator, least: int, most: int) -> Windows:
    """Windows in which about a quarter of the cases have no schedule."""
    n = int(rng.integers(2, most + 1))
    p = rng.integers(least, 6, n)
    horizon = rng.integers(5, 20)
    est = rng.integers(-3, horizon, n)
    return est, est + p + rng.integers(0, horizon, n), p


def by_permutations(est, lct, p) -> tuple[list[int], list[int]] | None:
    """Earliest start and latest end of every interval over all schedules; None if there is none.

    Intervals of size 0 fit: in a sequence, they lie at the ends of others.
    """
    n = len(est)
    est, lct, p = (np.asarray(x).tolist() for x in (est, lct, p))
    first, last = [INFINITE] * n, [-INFINITE] * n
    for sequence in itertools.permutations(range(n)):
        time, starts = -INFINITE, [0] * n
        for i in sequence:
            starts[i] = time = max(time, est[i])
            time += p[i]
            if time > lct[i]:
                break
        else:
            first = [min(pair) for pair in zip(first, starts, strict=True)]
            time = INFINITE
            for i in reversed(sequence):
                time = min(time, lct[i])
                last[i] = max(last[i], time)
                time -= p[i]
    return None if first[0] == INFINITE else (first, last)


def end_of(intervals, est, p) -> int:
    """ect of a set: its subsets of greatest start suffice."""
    return max(est[i] + sum(p[j] for j in intervals if est[j] >= est[i]) for i in intervals)


def by_definition(rules: int, est, lct, p) -> tuple[list[int], list[int]] | None:
    """The rules over all sets of intervals, repeated until nothing changes; None if overloaded."""
    n = len(est)
    est, lct, p = (np.asarray(x).tolist() for x in (est, lct, p))
    sets = [s for k in range(1, n + 1) for s in itertools.combinations(range(n), k)]
    while True:
        before = est, lct
        if any(end_of(s, est, p) > max(lct[j] for j in s) for s in sets):
            return None
        for _ in range(2):
            new_est, new_lct = list(est), list(lct)
            for s, i in itertools.product(sets, range(n)):
                if i in s:
                    continue
                end = end_of(s, est, p)
                if rules & DETECTABLE_PRECEDENCES and all(
                    est[i] + p[i] > lct[j] - p[j] for j in s
                ):
                    new_est[i] = max(new_est[i], end)
                if rules & EDGE_FINDING and end_of((*s, i), est, p) > max(lct[j] for j in s):
                    new_est[i] = max(new_est[i], end)
                if rules & NOT_FIRST_NOT_LAST and end > lct[i] - p[i]:
                    new_lct[i] = min(new_lct[i], max(lct[j] - p[j] for j in s))
            est, lct = [-x for x in new_lct], [-x for x in new_est]
        if (est, lct) == before:
            return est, lct


@pytest.mark.parametrize("rules", range(ALL + 1))
@pytest.mark.parametrize("least", [0, 1])
def test_no_start_of_a_schedule_is_removed(rules: int, least: int) -> None:
    rng = np.random.default_rng([rules, least])
    failures = infeasible = pruned = 0
    for _ in range(400):
        est, lct, p = random_windows(rng, least, 5)
        schedules = by_permutations(est, lct, p)
        changes, new_est, new_lct = filtered(rules, est, lct, p)
        infeasible += schedules is None
        failures += changes < 0
        pruned += changes > 0
        if schedules is None:
            continue
        assert changes >= 0, (est, lct, p)
        first, last = schedules
        assert all(a <= b for a, b in zip(new_est, first, strict=True)), (est, lct, p)
        assert all(a >= b for a, b in zip(new_lct, last, strict=True)), (est, lct, p)
    if rules:
        assert pruned > 50
        assert failures > 0.9 * infeasible > 20


@pytest.mark.parametrize("rules", [*ONE_EACH, ALL])
def test_fix_point_is_that_of_the_definitions(rules: int) -> None:
    rng = np.random.default_rng(rules)
    for _ in range(150):
        windows = random_windows(rng, 1, 5)
        assert to_fix_point(rules, *windows) == by_definition(rules, *windows), windows


@pytest.mark.parametrize("n", [33, 70])
def test_long_sequences(n: int) -> None:
    """A fixed schedule, shuffled: windows around it keep it, and it keeps itself."""
    rng = np.random.default_rng(n)
    for _ in range(20):
        p = rng.integers(1, 100, n)
        order = rng.permutation(n)
        start = np.empty(n, np.int64)
        start[order] = np.cumsum(p[order]) - p[order]
        for slack in (0, 1, 50, 1000):
            est = start - rng.integers(0, slack + 1, n)
            lct = start + p + rng.integers(0, slack + 1, n)
            fixed = to_fix_point(ALL, est, lct, p)
            assert fixed is not None
            assert (np.array(fixed[0]) <= start).all()
            assert (np.array(fixed[1]) >= start + p).all()
            assert slack > 0 or fixed == (est.tolist(), lct.tolist())


@pytest.mark.parametrize(
    ("rule", "est", "lct", "p", "new_est", "new_lct"),
    [
        # C cannot end before A or B must start, hence both are before it. Alone neither delays it,
        # so that not-first sees nothing; all three would fit before 9.
        pytest.param(
            DETECTABLE_PRECEDENCES,
            [0, 0, 3],
            [9, 9, 30],
            [2, 2, 5],
            [0, 0, 4],
            [9, 9, 30],
            id="detectable precedences",
        ),
        # A and B take 2..7 at best, C must start by 6: not last, so before A (3..5) or B (2..6).
        pytest.param(
            NOT_FIRST_NOT_LAST,
            [3, 2, 1],
            [8, 8, 7],
            [3, 2, 1],
            [3, 2, 1],
            [8, 8, 6],
            id="not last",
        ),
        pytest.param(
            NOT_FIRST_NOT_LAST,
            [0, 0, 1],
            [5, 6, 7],
            [3, 2, 1],
            [0, 0, 2],
            [5, 6, 7],
            id="not first",
        ),
        # A, B and C fill 9 of 0..10; D with size 2 does not fit among them, so it is after all.
        # It could precede any one or two of them.
        pytest.param(
            EDGE_FINDING,
            [0, 0, 0, 3],
            [10, 10, 10, 30],
            [3, 3, 3, 2],
            [0, 0, 0, 9],
            [10, 10, 10, 30],
            id="edge finding",
        ),
    ],
)
def test_only_this_rule_prunes(rule, est, lct, p, new_est, new_lct) -> None:
    assert filtered(rule, est, lct, p) == (1, new_est, new_lct)
    for other in set(ONE_EACH) - {rule}:
        assert filtered(other, est, lct, p) == (0, est, lct)
    assert filtered(ALL, est, lct, p)[0] >= 1


@pytest.mark.parametrize("rules", range(1, ALL + 1))
def test_fixed_intervals_fail_if_and_only_if_they_overlap(rules: int) -> None:
    rng = np.random.default_rng(rules)
    counts = [0, 0]
    for _ in range(300):
        n = int(rng.integers(1, 6))
        p = rng.integers(1, 4, n)
        start = rng.integers(0, 14, n)
        overlap = any(
            start[i] < start[j] + p[j] and start[j] < start[i] + p[i]
            for i, j in itertools.combinations(range(n), 2)
        )
        counts[overlap] += 1
        assert filtered(rules, start, start + p, p)[0] == (-1 if overlap else 0)
    assert min(counts) > 50


def test_overload() -> None:
    windows = [0, 1, 2], [7, 7, 7], [3, 2, 3]
    assert filtered(0, *windows) == (0, *windows[:2])
    for rules in range(1, ALL + 1):
        assert filtered(rules, *windows)[0] == -1


@pytest.mark.parametrize("rules", range(ALL + 1))
def test_window_shorter_than_the_interval(rules: int) -> None:
    assert filtered(rules, [0, 20], [3, 30], [4, 1])[0] == -1
    assert filtered(rules, [5], [4], [0])[0] == -1
    assert filtered(rules, [5], [5], [0])[0] == 0
    assert filtered(rules, [], [], [])[0] == 0


@pytest.mark.parametrize("at", range(5))
def test_size_0(at: int) -> None:
    """CP-SAT: at an end of another interval, not inside it. The rules leave size 0 out."""
    model = cp_model.CpModel()
    model.add_no_overlap(
        [model.new_fixed_size_interval_var(s, p, "") for s, p in ((1, 2), (at, 0), (at, 0))]
    )
    feasible = cp_model.CpSolver().solve(model) == cp_model.OPTIMAL
    assert feasible == (at != 2)
    assert filtered(ALL, [1, at, at], [3, at, at], [2, 0, 0])[0] == 0


def test_infinite_bounds() -> None:
    free = [-INFINITE] * 3, [INFINITE] * 3
    assert filtered(ALL, *free, [1, 2, 3]) == (0, *free)
    assert filtered(ALL, [-INFINITE, 0, 0], [INFINITE, 9, 9], [2, 5, 4]) == (
        0,
        [-INFINITE, 0, 0],
        [INFINITE, 9, 9],
    )
    # The first does not fit before its end, so it is after; sizes as large as the bounds.
    assert filtered(ALL, [3, 0, 0], [INFINITE, 9, 9], [2, 5, 4]) == (
        1,
        [9, 0, 0],
        [INFINITE, 9, 9],
    )
    late = [INFINITE - 2, INFINITE - 2], [INFINITE, INFINITE], [2, 1]
    assert filtered(ALL, *late)[0] == -1
    early = [-INFINITE, -INFINITE], [3 - INFINITE, 3 - INFINITE], [2, 1]
    assert filtered(ALL, *early)[0] == 0
    assert filtered(ALL, [0, 0], [INFINITE, INFINITE], [INFINITE, INFINITE])[0] >= 0
