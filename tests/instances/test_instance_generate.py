"""Generators: Taillard's is bit-exact, the uniform law has its range and its permutations."""

from __future__ import annotations

import csv
import time
from pathlib import Path

import numpy as np
import pytest

from cpsched.errors import InputError
from cpsched.instances import library
from cpsched.instances.generate import taillard, uniform

with (Path(__file__).parent / "taillard_seeds.csv").open(newline="") as file:
    SEEDS = {row["instance"]: row for row in csv.DictReader(file)}


def test_ta01_from_its_published_seeds():
    assert taillard(15, 15, 840612802, 398197754, name="ta01") == library.load("ta01")


def test_all_80_instances_from_their_published_seeds():
    assert list(SEEDS) == library.names("ta")
    for name, row in SEEDS.items():
        generated = taillard(
            int(row["jobs"]),
            int(row["machines"]),
            int(row["time_seed"]),
            int(row["machine_seed"]),
            name=name,
        )
        assert generated == library.load(name), name


def test_each_seed_has_its_part():
    ta01 = library.load("ta01")
    other = taillard(15, 15, 840612802, 398197755)
    assert np.array_equal(other.duration, ta01.duration)
    assert not np.array_equal(other.machine, ta01.machine)
    assert other.name == "taillard-15x15-840612802-398197755"


def test_uniform_follows_its_law():
    instance = uniform(200, 50, seed=7)
    assert instance == uniform(200, 50, seed=7)
    assert instance != uniform(200, 50, seed=8, name=instance.name)
    assert instance.name == "uniform-200x50-1-1000-7"
    duration = instance.duration
    assert duration.min() >= 1
    assert duration.max() <= 1000
    # Mean 500.5 and deviation 288.7; 10,000 samples put the mean within 4 x 2.9.
    assert abs(duration.mean() - 500.5) < 12
    assert abs(duration.std() - 288.7) < 8
    assert np.bincount(duration, minlength=1001)[1:].max() < 35
    routes = instance.machine.reshape(200, 50)
    assert np.array_equal(np.sort(routes), np.tile(np.arange(50), (200, 1)))
    # Machine 0 stands at any place: mean 24.5, deviation of the mean of 200 about 1.
    assert abs(np.argmin(routes, axis=1).mean() - 24.5) < 5
    assert len({tuple(row) for row in routes.tolist()}) == 200


def test_uniform_reaches_both_ends_of_its_range():
    assert set(uniform(20, 20, seed=0, low=3, high=5).duration.tolist()) == {3, 4, 5}
    assert set(uniform(2, 2, seed=0, low=0, high=0).duration.tolist()) == {0}


def test_uniform_makes_a_million_operations_quickly():
    start = time.perf_counter()
    instance = uniform(1000, 1000, seed=1)
    assert instance.num_ops == 1_000_000
    # About 0.2 s; the bound only tells a loop in Python from array operations.
    assert time.perf_counter() - start < 5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 5, 1), r"number of jobs must be in 1\.\.1000000, not 0"),
        ((5, -1, 1), r"number of machines must be in 1\.\.1000000, not -1"),
        ((100_000, 1000, 1), "100000 x 1000 operations are more than"),
        ((5, 5, -1), "seed must be at least 0"),
        ((5, 5, 1, 9, 8), "0 <= low <= high"),
        ((5, 5, 1, -1, 8), "0 <= low <= high"),
        ((5, 5, 1, 1, 2**31), "0 <= low <= high"),
        ((5, 5, 1, 2**30, 2**31 - 1), "durations sum to"),
    ],
)
def test_uniform_refuses(arguments, message):
    with pytest.raises(InputError, match=message):
        uniform(*arguments)


@pytest.mark.parametrize(
    ("seeds", "message"),
    [
        ((0, 1), r"time seed must be in 1\.\.2147483646, not 0"),
        ((1, 0), r"machine seed must be in 1\.\.2147483646, not 0"),
        ((2**31 - 1, 1), "time seed must be"),
    ],
)
def test_taillard_refuses_seeds_its_generator_does_not_have(seeds, message):
    with pytest.raises(InputError, match=message):
        taillard(3, 3, *seeds)
