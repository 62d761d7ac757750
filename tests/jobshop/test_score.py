"""The learned score: the environment's conflict sets, schedules that pass the check."""

from __future__ import annotations

import numpy as np
import pytest
from random_shops import random_job_shop

from cpsched.agents.episodes import Episodes, root_of
from cpsched.checking import check
from cpsched.errors import InputError
from cpsched.instances.generate import two_sets, uniform
from cpsched.jobshop.score import Network, Shop, decisions, dispatch, num_weights


def network(seed: int, width: int = 6, depth: int = 4) -> Network:
    weights = np.random.default_rng(seed).normal(0, 1, num_weights(width, depth))
    return Network(weights, width, depth)


@pytest.mark.parametrize("seed", range(12))
def test_conflict_sets_are_those_of_the_environment(seed: int) -> None:
    shop = (uniform if seed % 2 else two_sets)(5, 4, seed, 1, 12)
    arrays, net = Shop(shop), network(seed)
    makespan, order = dispatch(
        arrays, net, temperature=1.0 if seed % 3 else 0.0, rng=np.array([seed + 1], np.uint64)
    )
    seen = decisions(arrays, net, order)
    sizes = iter(np.diff(seen.ptr).tolist())
    episodes = Episodes([root_of(shop)], 1)
    for step, op in enumerate(order.tolist()):
        candidates = episodes.candidates()
        legal = candidates.index[0][candidates.index[0] >= 0].tolist()
        assert op in legal
        if len(legal) > 1:
            assert len(legal) == next(sizes)
        episodes.step(candidates, np.array([candidates.index[0].tolist().index(op)]))
        assert episodes.live[0] == (step + 1 < len(order))
    assert next(sizes, None) is None
    assert episodes.objective[0] == makespan


@pytest.mark.parametrize("seed", range(60))
def test_schedules_of_any_classic_shop_pass_the_check_both_ways(seed: int) -> None:
    shop = random_job_shop(seed, 1 + seed % 6, 1 + seed % 4, reentrant=seed % 2 == 0)
    arrays, net = Shop(shop), network(seed)
    rng = np.array([seed + 5], np.uint64)
    for temperature in (0.0, 1.0):
        makespan, order = dispatch(arrays, net, temperature=temperature, rng=rng)
        report = check(shop, arrays.schedule(order))
        assert report.ok, report.violations
        assert report.objective == makespan
        makespan, order = dispatch(arrays.reversed, net, temperature=temperature, rng=rng)
        report = check(shop, arrays.schedule(order, backwards=True))
        assert report.ok, report.violations
        assert (report.objective or 0) <= makespan


def test_a_shop_turned_twice_is_itself() -> None:
    shop = Shop(uniform(5, 4, 3))
    again = shop.reversed.reversed
    assert np.array_equal(again.ops, shop.ops)
    assert np.array_equal(again.members, shop.members)


def test_scale_does_not_matter() -> None:
    small = uniform(8, 6, 2, 1, 9)
    large = Shop(small)
    large.ops[2:] *= 1000
    for seed in range(5):
        net = network(seed)
        one, two = dispatch(Shop(small), net), dispatch(large, net)
        assert one[1].tolist() == two[1].tolist()
        assert 1000 * one[0] == two[0]


def test_what_is_refused() -> None:
    with pytest.raises(InputError, match="the network has 254 weights"):
        Network(np.zeros(3), 6, 4)
