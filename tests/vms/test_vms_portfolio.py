"""``auto`` on VMs against CP-SAT alone, whatever the rules of the cluster."""

from __future__ import annotations

import random

import pytest
from random_vms import small

import cpsched
from cpsched.vms.check import check

#: In two of these the first, stricter model of CP-SAT has nothing as good as what is known.
SEEDS = (*range(40), 9138, 9162)


@pytest.mark.parametrize("seed", SEEDS)
def test_auto_and_cpsat_agree(seed: int) -> None:
    cluster = small(random.Random(seed))
    auto, alone = (
        cpsched.solve(cluster, method=method, time_limit=5, workers=1)
        for method in ("auto", "cpsat")
    )
    for result in (auto, alone):
        if result.solution is not None:
            assert check(cluster, result.solution).objective == result.objective
    assert (auto.solution is None) == (alone.solution is None)
    if auto.objective is not None:
        assert max(auto.bound, alone.bound) <= min(auto.objective, alone.objective)
    if auto.status == alone.status == "optimal":
        assert auto.objective == alone.objective
