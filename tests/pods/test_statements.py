"""What a result says beside its placement is replayed and compared."""

from __future__ import annotations

import copy

import pytest
from random_clusters import random_cluster

import cpsched
from cpsched.pods.account import record
from cpsched.pods.statements import denied


def answered():
    """A cluster, a placement with moves, and what its result says."""
    for seed in range(200):
        cluster = random_cluster(seed, nodes=3, pods=8)
        result = cpsched.solve(cluster, time_limit=5, workers=1)
        stated = record(cluster, result.solution, result.bound)
        if len(stated["plan"]) >= 3 and stated["moved"]:
            return cluster, result.solution, stated
    raise AssertionError("no cluster of these needs a plan")


CLUSTER, PLACEMENT, STATED = answered()


def test_a_true_result_is_not_denied() -> None:
    assert denied(CLUSTER, PLACEMENT, {"solution": STATED}) == []
    assert denied(CLUSTER, PLACEMENT, STATED) == []
    assert denied(CLUSTER, PLACEMENT, {"solution": {}}) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda s: s.update(moved=17), "stated moved is 17"),
        (lambda s: s.update(disruption=99), "stated disruption is 99"),
        (lambda s: s["tiers"][0].update(placed=-3), "stated placed is -3"),
        (lambda s: s.update(tiers=[]), "0 tiers are stated"),
        (lambda s: s.update(plan=[]), "does not lead to the placement"),
        (lambda s: s.update(plan="x"), "no list of steps"),
        (lambda s: s.update(plan=[{"action": "explode"}]), "step 1 of the stated plan is none"),
        (lambda s: s["plan"].reverse(), "stated plan"),
        (lambda s: s["plan"].append(s["plan"][0]), "cannot be carried out"),
    ],
)
def test_a_false_one_is(change, said) -> None:
    stated = copy.deepcopy(STATED)
    change(stated)
    problems = denied(CLUSTER, PLACEMENT, {"solution": stated})
    assert problems
    assert said in problems[0]
