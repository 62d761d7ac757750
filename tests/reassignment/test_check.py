from __future__ import annotations

import itertools

import numpy as np
import pytest
from random_reassignments import random_reassignment

from cpsched.errors import InputError
from cpsched.reassignment.check import check
from cpsched.reassignment.cost import cost, lower_bound
from cpsched.reassignment.instance import Reassignment
from cpsched.reassignment.solution import Assignment


def by_hand(**changes: object) -> Reassignment:
    """Two machines in two locations and neighbourhoods, three processes; resource 1 transient."""
    values: dict[str, object] = {
        "name": "by hand",
        "transient": [0, 1],
        "load_weight": [10, 100],
        "neighbourhood": [0, 1],
        "location": [0, 1],
        "capacity": [[10, 10], [10, 10]],
        "safety": [[4, 9], [5, 9]],
        "machine_move_cost": [[0, 3], [2, 0]],
        "spread_min": [1, 1],
        "dependency": np.zeros((0, 2), dtype=np.int64),
        "service": [0, 0, 1],
        "requirement": [[3, 2], [4, 3], [2, 5]],
        "process_move_cost": [7, 8, 9],
        "balance": [[0, 1, 2]],
        "balance_weight": [5],
        "process_weight": 2,
        "service_weight": 11,
        "machine_weight": 13,
        "machine": [0, 1, 0],
    }
    values |= changes
    return Reassignment(**values)  # type: ignore[arg-type]


def violations(instance: Reassignment, *machine: int) -> tuple[str, ...]:
    return check(instance, Assignment(np.array(machine))).violations


def test_cost_by_hand() -> None:
    parts = cost(by_hand(), np.array([0, 1, 1]))
    # Machine 0 uses (3, 2), machine 1 (6, 8): only resource 0 of machine 1 is over, by 1.
    assert parts.load == 10
    # Free are (7, 8) and (4, 2): 2 * 7 - 8 and 2 * 4 - 2 lack.
    assert parts.balance == 5 * (6 + 6)
    assert (parts.process_move, parts.service_move, parts.machine_move) == (18, 11, 39)
    assert check(by_hand(), Assignment(np.array([0, 1, 1]))).objective == parts.total == 138


def test_capacity_counts_transient_use_twice() -> None:
    tight = by_hand(capacity=[[10, 7], [10, 8]])
    assert violations(tight, 0, 1, 1) == ()
    # Processes 0 and 1 change places: each machine holds its own, what came and what left.
    found = violations(tight, 1, 0, 0)
    assert found[0].startswith("machine 0 uses 10 of resource 1, 2 of it by processes that left")
    free = by_hand(capacity=[[10, 7], [10, 8]], transient=[0, 0])
    assert violations(free, 1, 0, 0)[0].startswith("machine 0 uses 8 of resource 1;")


def test_two_of_a_service_on_a_machine() -> None:
    assert violations(by_hand(), 1, 1, 0) == (
        "processes 0 and 1 of service 0 are both on machine 1",
    )


def test_spread() -> None:
    spread = by_hand(service=[0, 1, 0], spread_min=[2, 1], machine=[0, 1, 1])
    assert violations(spread, 0, 1, 1) == ()
    assert "service 0 is in 1 locations; it must be in at least 2" in violations(spread, 0, 1, 0)


def test_dependency_asks_for_a_process_in_the_same_neighbourhood() -> None:
    needs = by_hand(dependency=[[1, 0]])
    assert violations(needs, 0, 1, 1) == ()
    alone = by_hand(dependency=[[1, 0]], service=[0, 1, 1])
    assert violations(alone, 0, 1, 0) == (
        "service 1 is in neighbourhood 1 without service 0, on which it depends",
    )


@pytest.mark.parametrize(
    ("machine", "reason"), [((0, 1), "3 are needed"), ((0, 1, 2), "0..1 exist")]
)
def test_wrong_numbers(machine: tuple[int, ...], reason: str) -> None:
    assert reason in violations(by_hand(), *machine)[0]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"machine": [0, 1, 2]}, r"machine\[2\] is 2; 0..1 is allowed"),
        ({"service": [0, 0, -1]}, r"service\[2\] is -1"),
        ({"capacity": [[10, 10]]}, r"capacity has shape \(1, 2\); \(2, 2\) is needed"),
        ({"load_weight": [1.5, 2]}, "load_weight must be integers"),
        ({"balance": [[0, 2, 1]]}, "balance names resource 2; there are 2"),
        ({"process_weight": -1}, "process_weight is -1"),
        ({"machine_weight": True}, "machine_weight must be an integer"),
        ({"name": "a\nb"}, "name must be printable"),
        ({"spread_min": []}, "there are 0 services"),
        ({"balance": [[0, 1, 2**31 - 1]], "balance_weight": [2**31 - 1]}, "a cost may reach"),
    ],
)
def test_invalid_instances(changes: dict[str, object], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        by_hand(**changes)


@pytest.mark.parametrize("seed", range(20))
def test_no_assignment_is_below_the_bound(seed: int) -> None:
    instance = random_reassignment(seed)
    assert check(instance, Assignment.now(instance)).ok
    found = [
        check(instance, Assignment(np.array(machine))).objective
        for machine in itertools.product(range(3), repeat=5)
    ]
    costs = [value for value in found if value is not None]
    assert lower_bound(instance) <= min(costs)
    assert max(costs) <= instance.worst_cost


def test_equality_by_content() -> None:
    assert by_hand() == by_hand()
    assert hash(by_hand()) == hash(by_hand())
    assert by_hand() != by_hand(machine=[0, 1, 1])
    assert by_hand() != by_hand(capacity=[[10, 11], [10, 10]])
