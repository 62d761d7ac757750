"""Exchanges: pricing against enumeration, bounds and choices against all combinations."""

from __future__ import annotations

import itertools
import time
from functools import partial

import numpy as np
import pytest

from cpsched.columns.exchange import BinExchange, Change, Exchange, Slots
from cpsched.columns.exchange_stage import ChangePool, Stage
from cpsched.columns.pairs import PairExchange


def bins(seed: int, classes: int = 3) -> BinExchange:
    rng = np.random.default_rng(seed)
    types, resources, kinds = (int(n) for n in rng.integers(1, (4, 3, 3)))
    return BinExchange(
        weight=rng.integers(0, 5, (types, resources)),
        cost=rng.integers(1, 4, types),
        moves=rng.integers(1, 3, types),
        free=rng.integers(-2, 9, (classes, resources)),
        have=rng.integers(0, 3, (classes, types)),
        number=rng.integers(1, 3, classes),
        counts=rng.integers(0, 4, classes).clip(0, 1),
        door=rng.integers(0, 2, classes),
        accepts=rng.random((2, types)) < 0.8,
        slots=Slots(np.array([4, 6])[:kinds], np.array([1, 2])[:kinds]),
        homeless=rng.integers(0, 2, types),
        limit=int(rng.integers(1, 5)),
    )


def pairs(seed: int, classes: int = 2) -> PairExchange:
    rng = np.random.default_rng(seed)
    types, twins, resources = int(rng.integers(1, 3)), 1, int(rng.integers(1, 3))
    return PairExchange(
        weight=rng.integers(0, 4, (types, resources)),
        twin_weight=rng.integers(0, 4, (twins, resources)),
        cost=rng.integers(1, 4, types + twins),
        free=rng.integers(-1, 7, (classes, 2, resources)),
        have=rng.integers(0, 2, (classes, 2, types)),
        twins=rng.integers(0, 2, (classes, twins)),
        number=rng.integers(1, 3, classes),
        counts=rng.integers(0, 4, classes).clip(0, 1),
        door=rng.integers(0, 2, classes),
        accepts=rng.random((2, types + twins)) < 0.8,
        slots=Slots(np.array([4]), np.array([1])),
        twin_slots=Slots(np.array([3]), np.array([2])),
        homeless=rng.integers(0, 2, types + twins),
        limit=int(rng.integers(1, 5)),
    )


def room(problem: Exchange, bin_class: int) -> tuple[np.ndarray, np.ndarray]:
    """Free room (compartments, resources); and amounts of one item of each entry there."""
    if isinstance(problem, BinExchange):
        return problem.free[bin_class][None], problem.weight[:, None, :]
    assert isinstance(problem, PairExchange)
    entries = np.eye(len(problem.kind), dtype=np.int64)
    return problem.free[bin_class], np.stack([problem.amounts(entry) for entry in entries])


def holds(problem: Exchange, bin_class: int) -> np.ndarray:
    """Items of each entry in a bin."""
    if isinstance(problem, BinExchange):
        return problem.have[bin_class]
    assert isinstance(problem, PairExchange)
    return np.concatenate((problem.have[bin_class].ravel(), problem.twins[bin_class]))


def allowed(problem: Exchange, bin_class: int, most: int = 2) -> list[Change]:
    """Every change of a bin in which at most *most* of each entry come."""
    free, amount = room(problem, bin_class)
    has = np.stack([holds(problem, c) for c in range(len(problem.number))])
    # Nothing can come that is nowhere.
    total = problem.homeless + problem.by_type(problem.number @ has)
    have = has[bin_class]
    accepts = problem.accepts[problem.door[bin_class]][problem.kind]  # type: ignore[attr-defined]
    found = []
    for leave in itertools.product(*(range(n + 1) for n in have)):
        limits = np.minimum(most, total[problem.kind]) * accepts
        for come in itertools.product(*(range(limit + 1) for limit in limits)):
            gone, new = np.array(leave), np.array(come)
            need = np.tensordot(new, amount, 1)
            left = free + np.tensordot(gone, amount, 1) - need
            if not ((left < 0) & (need > 0)).any():
                found.append(problem.change(bin_class, gone, new))
    return found


def value(
    problem: Exchange, gain: int, leaving: np.ndarray, coming: np.ndarray, change: Change
) -> int:
    """What a change is worth at these prices."""
    paid = problem.by_type(change.come) @ coming - problem.by_type(change.leave) @ leaving
    return gain * change.values[0] + int(paid)


@pytest.mark.parametrize("seed", range(24))
@pytest.mark.parametrize("make", [bins, pairs])
def test_no_change_is_better_than_the_one_that_pricing_finds(make, seed: int) -> None:  # type: ignore[no-untyped-def]
    problem: Exchange = make(seed)
    rng = np.random.default_rng(seed + 1000)
    for _ in range(3):
        gain = int(rng.integers(0, 30))
        coming = rng.integers(0, 12, problem.num_types)
        leaving = coming + rng.integers(0, 9, problem.num_types)
        assert problem.price(gain, leaving, coming)
        worth = partial(value, problem, gain, leaving, coming)

        for c in range(len(problem.number)):
            best = max(map(worth, allowed(problem, c)))
            found = problem.change(c, problem.leave[c], problem.come[c])
            assert worth(found) == problem.best[c] >= best
            if (problem.come[c] <= 2).all():
                assert problem.best[c] == best


def best_of_all(problem: Exchange) -> tuple[int, ...] | None:
    """The best values of the aims over all changes of two bins, one item of each coming."""
    best = None
    for pair in itertools.product(*(allowed(problem, c, 1) for c in range(2))):
        if problem.reaches([(change, 1) for change in pair], []):
            values = tuple(int(v) for v in np.sum([change.values for change in pair], axis=0))
            best = max(best or values, values)
    return best


@pytest.mark.parametrize("seed", range(24))
@pytest.mark.parametrize("make", [bins, pairs])
def test_stages_against_every_combination(make, seed: int) -> None:  # type: ignore[no-untyped-def]
    problem: Exchange = make(seed, classes=2)
    problem.number = np.ones(2, dtype=np.int64)
    best = best_of_all(problem)
    if best is None:  # the homeless find no room
        problem.homeless = np.zeros(problem.num_types, dtype=np.int64)
        best = best_of_all(problem)
    assert best is not None
    pool, floors = ChangePool(problem), list[int]()
    for aim in range(3):
        stage = Stage(pool, floors)
        assert stage.generate(time.perf_counter() + 10)
        assert stage.bound is not None
        assert stage.bound >= best[aim], "a bound is one"
        for change in (change for c in range(2) for change in allowed(problem, c, 1)):
            pool.add(change)
        chosen = stage.choose(pool.changes, time.perf_counter() + 10)
        assert chosen is not None
        assert sum(count * change.values[aim] for change, count in chosen) == best[aim]
        floors.append(best[aim])


def test_what_comes_without_having_left_is_taken_out() -> None:
    problem = bins(6)
    problem.homeless = np.zeros(problem.num_types, dtype=np.int64)
    stage = Stage(ChangePool(problem), [])
    assert stage.generate(time.perf_counter() + 10)
    chosen = stage.choose(stage.pool.changes, time.perf_counter() + 10) or []
    net = sum((n * (c.leave - c.come) for c, n in chosen), np.zeros(problem.num_types))
    assert chosen
    assert not problem.by_type(net).any()
