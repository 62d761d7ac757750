"""What a cluster of VMs refuses, and what it derives."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from random_vms import small
from three_pms import cluster

from cpsched.errors import InputError
from cpsched.vms.instance import Fragment, Group, Inventory, Policy
from cpsched.vms.solution import Migration, Migrations


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"pms": ("p", "q", "p")}, "p occurs twice among the pms"),
        ({"vms": ("a", "b", "c", "d", "a")}, "a occurs twice among the vms"),
        ({"resources": ("memory", "cpu")}, "the first resource must be cpu"),
        ({"numa_pm": [0, 0, 1, 1, 2]}, "capacity has shape"),
        ({"numa_pm": [0, 0, 2, 2, 1, 1]}, "numa_pm must ascend"),
        ({"numa_pm": [0, 0, 0, 2, 2, 2]}, "PM q has no NUMA node"),
        ({"numa_pm": [0, 0, 1, 1, 2, 3]}, "numa_pm holds a number outside 0..2"),
        ({"capacity": [[-1, 0]] * 6}, "capacity holds the negative number -1"),
        ({"demand": [[2**61, 0]] * 5}, "the sum of demand"),
        ({"disk": [0.5] * 5}, "disk must be integers"),
        ({"numa": [[6, -1], [1, -1], [2, -1], [5, -1], [4, 5]]}, "VM a has 1 parts"),
        ({"numa": [[0, -1], [1, -1], [2, -1], [5, -1], [4, -1]]}, "VM e has 2 parts"),
        ({"numa": [[0, 1], [1, -1], [2, -1], [5, -1], [4, 5]]}, "VM a has 1 parts"),
        ({"numa": [[0, -1], [1, -1], [2, -1], [5, -1], [5, 4]]}, "must ascend"),
        ({"numa": [[0, -1], [1, -1], [2, -1], [5, -1], [3, 4]]}, "VM e is on two PMs, q and r"),
        ({"parts": [1, 1, 1, 1, 3]}, "parts holds a number outside 1..2"),
        ({"flavor": [0, 0, 0, 0, 1]}, "flavor holds a number outside 0..0"),
        ({"rack": [0, 2, -1]}, "rack holds a number outside -1..1"),
        ({"profile": [1] * 5}, "profile holds a number outside 0..0"),
        ({"allowed": [[True] * 2]}, "allowed has shape (1, 2), not (1, 3)"),
        ({"pinned": ("",) * 4}, "4 reasons in pinned for 5 VMs"),
        ({"conflicts": [[0, 5]]}, "conflicts holds a number outside 0..4"),
        ({"conflicts": [[1, 1]]}, "VM b conflicts with itself"),
        ({"groups": (Group("g", "affinity", "pm", [5]),)}, "group g: a VM index"),
        (
            {"pinned": ("", "", "licence", "", ""), "evacuate": [False, True, False]},
            "VM c is pinned (licence) on PM q, which is to be evacuated",
        ),
        (
            {"groups": (Group("g", "anti-affinity", "pm", [0, 1, 2, 3]),)},
            "anti-affinity group g has 4 VMs, a, b, c and 1 more, at most 1 on each of 3 PMs",
        ),
        (
            {"groups": (Group("g", "anti-affinity", "rack", [0, 1, 2]),), "rack": [0, 1, 1]},
            "at most 1 on each of 2 racks",
        ),
        (
            {"groups": (Group("g", "affinity", "pm", [0, 1]),), "conflicts": [[1, 0]]},
            "VMs a, b conflict and are in one affinity group, g",
        ),
        (
            {
                "groups": (
                    Group("near", "affinity", "pm", [0, 1, 2]),
                    Group("far", "anti-affinity", "pm", [1, 2]),
                )
            },
            "VMs b, c are in affinity group near and in anti-affinity group far, which lets 1",
        ),
        (
            {"policy": Policy(fragments=(Fragment(1, True),)), "numa_pm": [0, 0, 1, 2, 2, 2]},
            "1000 millicores cannot be shared evenly by the 3 NUMA nodes of PM r",
        ),
        (
            {"inventory": Inventory([[8000, 0]] * 6, [[0, 0]] * 6, [[1000, 1000]] * 6)},
            "the capacity is not (total - reserved) * ratio of the inventory",
        ),
    ],
)
def test_what_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError) as caught:
        cluster(**changes)
    assert str(caught.value).startswith("three: ") or "disk" in words
    assert words in str(caught.value)


def test_rules_that_do_not_contradict_each_other() -> None:
    near, far = (
        Group("near", "affinity", "rack", [0, 1]),
        Group("far", "anti-affinity", "pm", [0, 1]),
    )
    two = Group("two", "anti-affinity", "pm", [0, 1, 2, 3, 4], 2)
    one = cluster(groups=(near, far, two), conflicts=[[0, 1]])
    assert cluster(groups=(Group("close", "affinity", "pm", [0, 1]), two)).groups == (
        Group("close", "affinity", "pm", [1, 0]),
        two,
    )
    assert one.groups_of == ((0, 1, 2), (0, 1, 2), (2,), (2,), (2,))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"objective": "fragment"}, "unknown objective 'fragment'; did you mean fragments?"),
        ({"objective": ["goal"]}, "unknown objective"),
        ({"max_moves": -1}, "policy max_moves must be an integer in 0..2147483647, not -1"),
        ({"max_moves": True}, "policy max_moves"),
        ({"in_flight": 0}, "policy in_flight must be an integer in 1.."),
        ({"inflow": 0}, "policy inflow"),
        ({"outflow": 0}, "policy outflow"),
        ({"bandwidth": 0}, "policy bandwidth"),
        ({"overhead": -1}, "policy overhead"),
        ({"cost_unit": 1.5}, "policy cost_unit"),
        ({"fragments": ()}, "one or several slot sizes"),
        ({"fragments": (Fragment(8), Fragment(8, weight=2))}, "names one slot size twice"),
        ({"goal": (1, 2)}, "go together"),
        ({"objective": "goal"}, "go together"),
        (
            {"objective": "goal", "goal": (3, 2)},
            "numerator of the goal must be an integer in 0..2",
        ),
        ({"objective": "goal", "goal": (0, 0)}, "denominator of the goal"),
        ({"objective": "goal", "goal": 0.3}, "policy goal must be two integers"),
    ],
)
def test_policies_that_are_refused(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError) as caught:
        Policy(**arguments)
    assert words in str(caught.value)


def test_slot_sizes_and_groups_that_are_refused() -> None:
    for arguments in ((0,), (1.5,), (8, 1), (8, False, 0)):
        with pytest.raises(InputError, match="of a slot must be"):
            Fragment(*arguments)  # type: ignore[arg-type]
    for arguments in (("near", "pm", [0]), ("affinity", "host", [0])):
        with pytest.raises(InputError, match=r"group g: the (kind|scope) must be"):
            Group("g", *arguments)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="most must be at least 1"):
        Group("g", "anti-affinity", "pm", [0], 0)
    with pytest.raises(InputError, match="most belongs to anti-affinity"):
        Group("g", "affinity", "pm", [0], 2)


def test_inventories_that_are_refused() -> None:
    with pytest.raises(InputError, match="differ in shape"):
        Inventory([[1]], [[0, 0]], [[1000]])
    with pytest.raises(InputError, match="negative or too large"):
        Inventory([[1]], [[-1]], [[1000]])
    with pytest.raises(InputError, match="negative or too large"):
        Inventory([[2**60]], [[0]], [[16_000]])
    # More reserved than there is leaves nothing.
    assert Inventory([[4, 3]], [[1, 5]], [[1500, 1000]]).usable.tolist() == [[4, 0]]


def test_what_is_derived() -> None:
    one = cluster(
        evacuate=[False, True, False],
        disk=[0, 4096, 0, 0, 0],
        conflicts=[[3, 0], [1, 0], [0, 3]],
        policy=Policy(cost_unit=100, bandwidth=300, overhead=2),
    )
    assert one.closed.tolist() == [False, True, False]  # to be emptied, so nothing comes
    assert one.pm.tolist() == [0, 0, 1, 2, 2]
    assert list(one.numas_of(1)) == [2, 3]
    assert one.volume.tolist() == [256, 4352, 256, 0, 1024]
    assert one.move_cost.tolist() == [3, 44, 3, 1, 11]
    assert one.duration.tolist() == [3, 17, 3, 2, 6]
    assert one.conflicts.tolist() == [[0, 1], [0, 3]]
    assert [one.partners_of(vm).tolist() for vm in range(5)] == [[1, 3], [0], [], [0], []]
    assert one.domain("pm").tolist() == [0, 1, 2]
    assert one.domain("rack").tolist() == [0, 1, 4]  # a PM without a rack is one of its own
    bare = cluster(resources=("cpu", "disk"), disk=[7] * 5)
    assert bare.move_cost.tolist() == [1] * 5
    assert bare.volume.tolist() == [7] * 5


def test_usage_counts_every_part() -> None:
    for seed in range(20):
        one = small(random.Random(seed))
        total = (one.demand * one.parts[:, None]).sum(axis=0)
        assert np.array_equal((one.capacity - one.free).sum(axis=0), total)


def test_equality_is_by_content() -> None:
    assert small(random.Random(1)) == small(random.Random(1))
    assert hash(small(random.Random(1))) == hash(small(random.Random(1)))
    assert cluster() != cluster(disk=[1, 0, 0, 0, 0])
    assert cluster() != "three"
    with pytest.raises(ValueError, match="read-only"):
        cluster().demand[0, 0] = 1


def test_migrations() -> None:
    move = Migration(np.int64(4), [5, np.int32(4)])  # type: ignore[arg-type]
    assert (move.vm, move.numa) == (4, (4, 5))
    assert Migrations([move]) == Migrations((move,))  # type: ignore[arg-type]
    assert Migrations.now(cluster()).end(cluster()).tolist() == cluster().numa.tolist()
    end = Migrations((Migration(4, (0, 1)), Migration(0, (3,)))).end(cluster())
    assert end.tolist() == [[3, -1], [1, -1], [2, -1], [5, -1], [0, 1]]
    for numa in ((), (1, 1), (1, 2, 3), 5, ("x",)):
        with pytest.raises(InputError, match="NUMA node"):
            Migration(0, numa)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="a plan consists of migrations"):
        Migrations(((0, 1),))  # type: ignore[arg-type]
