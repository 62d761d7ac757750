from __future__ import annotations

import itertools
import time

import numpy as np
import pytest
from random_reassignments import random_reassignment

from cpsched.incumbent import Incumbent
from cpsched.reassignment.check import check
from cpsched.reassignment.lns import Neighbourhoods
from cpsched.reassignment.model import formulate
from cpsched.reassignment.search import RELUCTANCES, LocalSearch
from cpsched.reassignment.solution import Assignment
from cpsched.reassignment.state import State

HALT = np.zeros(1, dtype=np.int64)


@pytest.mark.parametrize("seed", range(30))
def test_kernel_keeps_rules_and_sums(seed: int) -> None:
    """After many moves the arrays are those of the assignment, and the best keeps all rules."""
    instance = random_reassignment(
        seed, machines=8, processes=40, resources=3, tight=1.05 + 0.1 * (seed % 5)
    )
    search = LocalSearch(instance, seed, HALT)
    for hot in (1000.0, 30.0, 1.0):
        search.run(20_000, hot, hot / 10)
        state = search._state
        fresh = State.of(instance, search._problem, state.machine)
        # The order of a machine's list is free, and what was best is the search's own.
        for name in set(State._fields) - {"costs", "best", "first", "after", "before"}:
            assert np.array_equal(getattr(fresh, name), getattr(state, name)), name
        assert fresh.costs[0] == state.costs[0]
        for m in range(instance.num_machines):
            listed = []
            p = int(state.first[m])
            while p >= 0:
                listed.append(p)
                p = int(state.after[p])
            assert sorted(listed) == np.flatnonzero(state.machine == m).tolist()
        for machine, value in ((state.machine, state.costs[0]), (search.best, search.cost)):
            report = check(instance, Assignment(machine))
            assert report.ok, report.violations
            assert report.objective == value
    assert (search._state.machine != instance.machine).any() or seed % 5 == 0


def test_search_finds_what_brute_force_finds() -> None:
    """Moves need not connect all assignments of a tight instance, so a few may be out of reach."""
    reached = []
    for seed in range(15):
        instance = random_reassignment(seed, machines=3, processes=6)
        search = LocalSearch(instance, seed, HALT)
        incumbent: Incumbent[Assignment] = Incumbent(60)
        for reluctance in RELUCTANCES * 2:
            search.reluctance = reluctance
            search.round(50_000, incumbent)
        reports = [
            check(instance, Assignment(np.array(machine)))
            for machine in itertools.product(range(3), repeat=6)
        ]
        best = min(report.objective for report in reports if report.objective is not None)
        assert search.cost >= best
        assert incumbent.objective == search.cost
        reached.append(search.cost == best)
    assert sum(reached) >= 13, reached


def test_equal_seeds_give_equal_rounds() -> None:
    instance = random_reassignment(5, machines=10, processes=60)
    found = []
    for seed in (1, 1, 2):
        search = LocalSearch(instance, seed, HALT)
        search.round(30_000, Incumbent(60))
        found.append(search._state.machine.tolist())
    assert found[0] == found[1] != found[2]


def test_halt_ends_the_kernel() -> None:
    search = LocalSearch(random_reassignment(1), 0, np.ones(1, dtype=np.int64))
    begin = time.perf_counter()
    search.run(10**12, 1.0, 1.0)
    assert search.moves == 0
    assert time.perf_counter() - begin < 5


@pytest.mark.parametrize("seed", range(10))
def test_neighbourhoods_only_improve(seed: int) -> None:
    instance = random_reassignment(seed, machines=10, processes=50, tight=1.3)
    incumbent: Incumbent[Assignment] = Incumbent(60)
    start = check(instance, Assignment.now(instance)).objective
    assert start is not None
    incumbent.offer(start, Assignment.now(instance), "now")
    neighbourhoods = Neighbourhoods(instance, incumbent, seed, 1)
    for _ in range(4):
        neighbourhoods.step(5.0)
    assert incumbent.objective is not None
    assert incumbent.objective < start
    assert incumbent.solution is not None
    assert check(instance, incumbent.solution).objective == incumbent.objective
    # What CP-SAT proves of a part says nothing of the whole.
    assert incumbent.bound is None


@pytest.mark.parametrize("seed", range(10))
def test_a_part_of_the_model_is_judged_as_the_whole(seed: int) -> None:
    """Fixed to an assignment that moves only free processes, part and whole say the same."""
    from cpsched.cpsat import run

    instance = random_reassignment(seed, machines=6, processes=20, tight=1.3)
    targets = np.array([0, 2, 3], dtype=np.int32)
    free = np.flatnonzero(np.isin(instance.machine, targets)).astype(np.int32)
    part = formulate(instance, free=free, targets=targets, around=instance.machine)
    incumbent: Incumbent[Assignment] = Incumbent(60)
    outcome = run(part, incumbent, workers=1, seed=0)
    assert incumbent.solution is not None
    report = check(instance, incumbent.solution)
    assert report.objective == outcome.objective == outcome.bound
    moved = np.flatnonzero(incumbent.solution.machine != instance.machine)
    assert set(moved.tolist()) <= set(free.tolist())
