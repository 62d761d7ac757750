"""The certifying engine against enumeration: patterns, bounds, and whole lexicographic optima."""

from __future__ import annotations

import itertools
import random
import time
from dataclasses import replace

import numpy as np
import pytest

from cpsched.columns.integer import Answer, decide, select
from cpsched.columns.lagrange import integer_prices
from cpsched.columns.lexicographic import Certifier, Packing, spread_out, start_columns
from cpsched.columns.master import Duals
from cpsched.columns.packing import Aim, Bins, Items, Quota, StageProblem, maximal
from cpsched.columns.pool import pool_bound
from cpsched.columns.pricing import Pricer

RUNNING = np.zeros(1, dtype=np.int64)


def random_packing(seed: int, *, quotas: bool = True, conflicts: bool = True) -> Packing:
    """Two to three bins, up to four types, two tiers, two resources; what is at home fits."""
    rng = random.Random(f"packing {seed}")
    types, bins = rng.randint(1, 4), rng.randint(1, 3)
    weight = np.array([[rng.randint(0, 6), rng.randint(1, 6)] for _ in range(types)])
    count = np.array([rng.randint(1, 3) for _ in range(types)])
    kinds = [[rng.randint(5, 11), rng.randint(5, 11)] for _ in range(rng.randint(1, 2))]
    capacity = np.array([kinds[rng.randrange(len(kinds))] for _ in range(bins)])
    conflict = np.zeros((types, types), dtype=np.uint8)
    if conflicts and rng.random() < 0.5:
        a, b = rng.randrange(types), rng.randrange(types)
        conflict[a, b] = conflict[b, a] = 1
    home = np.zeros((bins, types), dtype=np.int64)
    for i in range(types):
        for _ in range(int(count[i])):
            b = rng.randrange(bins)
            home[b, i] += 1
            held = home[b]
            clash = any(
                conflict[p, q] and (held[p] and held[q] if p != q else held[p] > 1)
                for p, q in itertools.product(range(types), repeat=2)
            )
            if clash or (held @ weight > capacity[b]).any() or rng.random() < 0.3:
                home[b, i] -= 1
    running = home.sum(axis=0)
    fits = (weight[None] <= capacity[:, None]).all(axis=2)
    allowed = fits & np.array([[rng.random() < 0.85 for _ in range(types)] for _ in range(bins)])
    limit = np.where(allowed, count, home)
    priority = np.array([rng.randint(0, 1) for _ in range(types)])
    nothing = np.zeros(types, dtype=np.int64)
    aims = [Aim((priority == p).astype(np.int64), nothing, nothing) for p in (1, 0)]
    cost = np.array([rng.randint(1, 2) for _ in range(types)])
    aims += [Aim(nothing, (priority == p) * cost, (priority == p) * cost) for p in (1, 0)]
    rules = []
    if quotas and rng.random() < 0.5:
        member = np.array([rng.randint(0, 1) for _ in range(types)])
        rules.append(Quota(member, rng.randint(0, 2)))
    single = Bins(capacity, np.ones(bins, dtype=np.int64), limit, home, conflict)
    rows = np.concatenate([capacity, limit], axis=1)
    _, first, inverse = np.unique(rows, axis=0, return_index=True, return_inverse=True)
    member_of = [np.flatnonzero(inverse.ravel() == c) for c in range(len(first))]
    merged = Bins(
        capacity[first],
        np.array([len(m) for m in member_of]),
        limit[first],
        np.zeros_like(limit[first]),
        conflict,
    )
    return Packing(
        items=Items(weight, count, running),
        quotas=rules,
        aims=aims,
        single=single,
        single_member=[np.array([b]) for b in range(bins)],
        merged=merged,
        merged_member=member_of,
        num_bins=bins,
        home=home,
    )


def patterns_of(items: Items, bins: Bins, b: int) -> list[np.ndarray]:
    """Everything one bin may hold."""
    found = []
    limit = np.minimum(bins.limit[b], items.count)
    for counts in itertools.product(*(range(int(n) + 1) for n in limit)):
        pattern = np.array(counts)
        clash = any(
            bins.conflict[p, q] and (counts[p] and counts[q] if p != q else counts[p] > 1)
            for p, q in itertools.product(range(items.number), repeat=2)
        )
        if not clash and (pattern @ items.weight <= bins.capacity[b]).all():
            found.append(pattern)
    return found


def values_of(packing: Packing, contents: np.ndarray) -> tuple[int, ...] | None:
    """Values of the aims, None if a count or a quota is exceeded."""
    total = contents.sum(axis=0)
    if (total > packing.items.count).any():
        return None
    stays = np.minimum(contents, packing.home).sum(axis=0)
    kept = np.minimum(total, packing.items.running)
    left = packing.items.running - np.minimum(stays, kept)
    if any((quota.member * left).sum() > quota.allowed for quota in packing.quotas):
        return None
    return tuple(aim.value(packing.items, total, stays) for aim in packing.aims)


def optimum(packing: Packing) -> tuple[int, ...]:
    """Lexicographic optimum by enumeration."""
    options = [patterns_of(packing.items, packing.single, b) for b in range(packing.num_bins)]
    found = (values_of(packing, np.array(choice)) for choice in itertools.product(*options))
    return max(values for values in found if values is not None)


class Keeper:
    """A host that keeps the best contents and every bound."""

    def __init__(self, packing: Packing) -> None:
        self.packing = packing
        self.halt = np.zeros(1, dtype=np.int64)
        self.contents = packing.home.copy()
        self.bounds: dict[int, int] = {}

    def best(self) -> tuple[tuple[int, ...], list[np.ndarray]]:
        values = values_of(self.packing, self.contents)
        assert values is not None
        return values, [self.contents]

    def offer(self, contents: np.ndarray) -> None:
        values = values_of(self.packing, contents)
        items, bins = self.packing.items, self.packing.single
        for b in range(self.packing.num_bins):
            assert any((row == contents[b]).all() for row in patterns_of(items, bins, b))
        if values is not None and values > self.best()[0]:
            self.contents = contents

    def prove(self, stage: int, bound: int) -> None:
        if bound < self.bounds.get(stage, 2**60):
            self.bounds = {k: b for k, b in self.bounds.items() if k < stage} | {stage: bound}


@pytest.mark.parametrize("seed", range(120))
def test_the_certified_optimum_is_that_of_enumeration(seed: int) -> None:
    packing = random_packing(seed)
    keeper = Keeper(packing)
    proven = Certifier(packing, keeper).run(time.perf_counter() + 20)
    best = optimum(packing)
    assert keeper.best()[0] == best
    assert proven
    assert [keeper.bounds[k] for k in range(len(best))] == list(best)


@pytest.mark.parametrize("seed", range(60))
def test_patterns_are_those_of_enumeration(seed: int) -> None:
    packing = random_packing(seed)
    items, bins = packing.items, packing.single
    rng = np.random.default_rng(seed)
    price = _prices(items.number, rng)
    pricer = Pricer(items, bins, RUNNING)
    for b in range(packing.num_bins):
        everything = patterns_of(items, bins, b)

        def worth(pattern: np.ndarray, b: int = b) -> int:
            at_home = np.minimum(pattern, bins.stay[b])
            return int(price.profit @ pattern + price.bonus @ at_home)

        most = max(worth(p) for p in everything)
        finds = pricer.best(b, price, -1, 10**6)
        assert finds.complete
        assert finds.ceiling == most == worth(finds.patterns[0])
        assert pricer._relaxed(b, price) >= most
        threshold = most // 2
        listed = pricer.all(b, price, threshold, 1000, 10**6)
        assert listed is not None
        good = [
            p
            for p in everything
            if worth(p) >= threshold and (maximal(bins, items, b, p) == p).all()
        ]
        assert {tuple(p) for p in listed} == {tuple(p) for p in good}
        cut = pricer.all(b, price, threshold, len(good) - 1, 10**6)
        assert cut is None


def _prices(types: int, rng: np.random.Generator):
    from cpsched.columns.lagrange import Prices

    profit = rng.integers(0, 40, types) * (rng.random(types) < 0.8)
    return Prices(1, profit.astype(np.int64), rng.integers(0, 20, types), 0)


@pytest.mark.parametrize("seed", range(60))
def test_any_prices_give_an_upper_bound(seed: int) -> None:
    packing = random_packing(seed)
    rng = np.random.default_rng(seed)
    best = optimum(packing)
    items, bins = packing.items, packing.single
    for k in range(len(best)):
        floors = best[:k]
        problem = StageProblem(items, bins, packing.quotas, packing.aims[: k + 1], floors, True)
        duals = Duals(
            placed=rng.random(items.number) * 2,
            home=rng.random(items.number),
            floors=rng.random(k) * 3,
            quotas=rng.random(len(packing.quotas)),
            bins=np.zeros(packing.num_bins),
        )
        prices = integer_prices(problem, duals)
        pricer = Pricer(items, bins, RUNNING)
        bound = prices.rest
        for b in range(packing.num_bins):
            bound += pricer.best(b, prices, -1, 10**6).ceiling
        assert bound // prices.scale >= best[k]
        assert pool_bound(items, packing.merged, packing.aims[: k + 1], floors) >= best[k]


def test_a_pool_bound_can_be_below_everything() -> None:
    items = Items(np.array([[3], [4]]), np.array([5, 5]), np.array([0, 0]))
    bins = Bins(
        np.array([[10]]),
        np.array([2]),
        np.array([[3, 2]]),
        np.zeros((1, 2), dtype=np.int64),
        np.zeros((2, 2), dtype=np.uint8),
    )
    zero = np.zeros(2, dtype=np.int64)
    first, second = Aim(np.array([0, 1]), zero, zero), Aim(np.array([1, 0]), zero, zero)
    assert pool_bound(items, bins, [first], []) == 4  # two fit in a bin
    assert pool_bound(items, bins, [first, second], [4]) == 1  # 20 - 16 leaves room for one
    both = Aim(np.array([1, 1]), zero, zero)
    assert pool_bound(items, bins, [both], []) == 6


@pytest.mark.parametrize("seed", range(30))
def test_the_integer_program_says_what_enumeration_says(seed: int) -> None:
    packing = random_packing(seed, quotas=False)
    best = optimum(packing)
    items, bins = packing.items, packing.single
    columns = [(b, p) for b in range(packing.num_bins) for p in patterns_of(items, bins, b)]
    for k in range(len(best)):
        problem = StageProblem(items, bins, [], packing.aims[: k + 1], best[:k], True)
        reached = decide(problem, best[k], columns, deadline=time.perf_counter() + 10)
        assert reached.answer is Answer.FOUND
        assert problem.reaches(columns, reached.use, best[k])
        assert (
            decide(problem, best[k] + 1, columns, deadline=time.perf_counter() + 10).answer
            is Answer.NONE
        )
        top = select(problem, 0, columns, deadline=time.perf_counter() + 10, best=True)
        assert problem.reaches(columns, top.use, best[k])


def test_a_wrong_selection_is_not_taken_for_a_solution() -> None:
    packing = random_packing(3)
    items, bins = packing.items, packing.single
    problem = StageProblem(items, bins, packing.quotas, packing.aims[:1], [], False)
    columns = start_columns(packing, bins, packing.single_member, [packing.home])
    everything = packing.aims[0].most(items)
    assert not problem.reaches(columns, [(0, 2)], 0)  # two bins of a class that has one
    assert not problem.reaches([], [], everything + 1)


def test_equal_bins_take_the_columns_that_leave_most_at_home() -> None:
    packing = random_packing(0, quotas=False, conflicts=False)
    home = np.array([[2, 0], [0, 2], [1, 1]])
    items = Items(np.array([[1], [1]]), np.array([3, 3]), np.array([3, 3]))
    bins = Bins(
        np.array([[2]]),
        np.array([3]),
        np.array([[2, 2]]),
        np.zeros((1, 2), dtype=np.int64),
        np.zeros((2, 2), dtype=np.uint8),
    )
    packing = replace(
        packing, items=items, home=home, num_bins=3, merged=bins, merged_member=[np.arange(3)]
    )
    selection = [(0, np.array([1, 1]), 1), (0, np.array([0, 2]), 1), (0, np.array([2, 0]), 1)]
    spread = spread_out(packing, bins, packing.merged_member, selection)
    assert (spread == home).all()


def test_work_stops_when_told() -> None:
    packing = random_packing(5)
    keeper = Keeper(packing)
    keeper.halt[0] = 1
    assert not Certifier(packing, keeper).run(time.perf_counter() + 60)
    keeper.halt[0] = 0
    assert not Certifier(packing, keeper).run(time.perf_counter() - 1)


@pytest.mark.parametrize("seed", range(120))
def test_bounds_under_bounds_are_a_lexicographic_bound(seed: int) -> None:
    packing = random_packing(seed)
    keeper = Keeper(packing)
    certifier = Certifier(packing, keeper)
    best = optimum(packing)
    certifier.bound()
    chain = tuple(keeper.bounds[k] for k in range(len(best)))
    assert chain >= best
    certifier.run(time.perf_counter() + 20)
    certifier.bound()
    assert tuple(keeper.bounds[k] for k in range(len(best))) == best
