"""Lanes: every moment of the schedule keeps the rules and the limits."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
import vms_rules
from random_vms import random_plan, small
from three_pms import cluster, plan

from cpsched.vms.instance import Group, Policy, VmCluster
from cpsched.vms.lanes import Lane, makespan, schedule
from cpsched.vms.simulate import PlanError
from cpsched.vms.solution import Migrations


def limited(in_flight: int = 8, inflow: int = 8, outflow: int | None = None, **changes: object):
    policy = Policy(in_flight=in_flight, inflow=inflow, outflow=outflow)
    return cluster(policy=policy, **changes)


def times(one: VmCluster, migrations: Migrations) -> list[tuple[int, int]]:
    return [(lane.lane, lane.start_s) for lane in schedule(one, migrations)]


def test_lanes_and_times() -> None:
    one = limited(2)
    assert one.duration.tolist() == [2, 2, 2, 1, 2]
    assert schedule(one, plan((0, 3), (1, 5), (3, 0))) == (
        Lane(0, 0, 0, 2),
        Lane(1, 1, 0, 2),
        Lane(3, 0, 2, 3),
    )
    assert makespan(schedule(one, plan((0, 3), (1, 5), (3, 0)))) == 3
    assert schedule(one, Migrations()) == ()
    assert makespan(()) == 0


def test_limits_of_arrivals_and_departures() -> None:
    moves = plan((0, 3), (3, 3), (1, 4))
    assert times(limited(), moves) == [(0, 0), (1, 0), (2, 0)]
    # The second waits for the first to arrive, the third does not wait.
    assert times(limited(inflow=1), moves) == [(0, 0), (0, 2), (1, 0)]
    assert times(limited(outflow=1), moves) == [(0, 0), (1, 0), (0, 2)]
    assert times(limited(1), moves) == [(0, 0), (0, 2), (0, 3)]


def test_a_step_waits_for_the_room_that_another_leaves() -> None:
    # c needs all of NUMA 0, which a leaves.
    assert times(limited(), plan((0, 3), (2, 0))) == [(0, 0), (0, 2)]


def test_a_step_does_not_take_the_room_that_an_earlier_one_waits_for() -> None:
    # c waits for NUMA 0; d, of 4 cores here, could go to what is free of it now, and b too.
    demand = [[4000, 256], [4000, 256], [8000, 256], [4000, 0], [2000, 512]]
    one = limited(demand=demand, capacity=[[8000, 1024]] * 3 + [[12000, 1024]] * 3)
    assert times(one, plan((0, 3), (2, 0), (1, 3))) == [(0, 0), (0, 2), (1, 0)]
    with pytest.raises(PlanError, match=r"step 3 \(VM d to PM p NUMA 0\): .* has 0 of cpu free"):
        schedule(one, plan((0, 3), (2, 0), (3, 0)))


def test_a_hop_and_the_way_on_follow_each_other() -> None:
    assert times(limited(), plan((3, 0), (3, 2))) == [(0, 0), (0, 1)]


def test_groups_hold_while_steps_overlap() -> None:
    one = limited(groups=(Group("g", "anti-affinity", "pm", [0, 2]),))
    # a comes to the PM that c leaves, where it has another NUMA node to itself.
    moves = plan((2, 4), (0, 3))
    wide = {"capacity": [[16000, 1024]] * 6}
    assert times(limited(**wide), moves) == [(0, 0), (1, 0)]
    assert times(limited(groups=one.groups, **wide), moves) == [(0, 0), (0, 2)]


def test_a_plan_that_has_no_such_order() -> None:
    with pytest.raises(PlanError, match=r"step 1 \(VM c to PM p NUMA 0\): PM p NUMA 0 has 4000"):
        schedule(cluster(), plan((2, 0)))
    with pytest.raises(PlanError, match=r"step 2 \(VM number 9 to"):
        schedule(cluster(), plan((3, 0), (9, 0)))


@pytest.mark.parametrize("seed", range(150))
def test_every_moment_keeps_rules_and_limits(seed: int) -> None:
    rng = random.Random(seed)
    one = small(rng, max_moves=None)
    migrations = random_plan(rng, one, rng.randint(4, 12))
    lanes = schedule(one, migrations)
    moves, policy = migrations.moves, one.policy
    assert [lane.vm for lane in lanes] == [move.vm for move in moves]
    pm = one.numa_pm
    for step, lane in enumerate(lanes):
        assert lane.end_s - lane.start_s == one.duration[lane.vm]
        # Nothing that ended before it began is still under way; what began with it comes first.
        before = [k for k, other in enumerate(lanes) if other.end_s <= lane.start_s]
        during = [
            k
            for k, other in enumerate(lanes)
            if other.start_s <= lane.start_s < other.end_s and k != step
        ]
        started = [k for k in during if (lanes[k].start_s, k) < (lane.start_s, step)]
        waiting = [k for k in range(step) if k not in before and k not in started]
        places = vms_rules.now(one)
        for k in sorted(before, key=lambda k: (lanes[k].end_s, k)):
            places[moves[k].vm] = [moves[k].numa]
        for k in started + waiting:
            places[moves[k].vm].append(moves[k].numa)
        assert vms_rules.may_begin(one, places, moves[step])
        together = [step, *during]
        assert len({lanes[k].lane for k in together}) == len(together) <= policy.in_flight
        arriving = [int(pm[moves[k].numa[0]]) for k in together]
        assert max(map(arriving.count, arriving)) <= policy.inflow
        leaving = [int(pm[places[moves[k].vm][0][0]]) for k in together]
        assert max(map(leaving.count, leaving)) <= (policy.outflow or len(leaving))


def test_overtaking_happens_and_pays() -> None:
    """Over many random plans steps overlap, and some overtake earlier ones."""
    overtaken = saved = 0
    for seed in range(100):
        rng = random.Random(seed)
        one = small(rng, max_moves=None, in_flight=4, inflow=1)
        lanes = schedule(one, random_plan(rng, one, 8))
        starts = [lane.start_s for lane in lanes]
        overtaken += starts != sorted(starts)
        saved += makespan(lanes) < sum(lane.end_s - lane.start_s for lane in lanes)
    assert overtaken > 10
    assert saved > 50


def test_many_lanes_do_not_change_the_end() -> None:
    for seed in range(30):
        rng = random.Random(seed)
        one = small(rng, max_moves=None)
        migrations = random_plan(rng, one, 8)
        alone = replace(one, policy=replace(one.policy, in_flight=1))
        total = sum(int(one.duration[move.vm]) for move in migrations.moves)
        assert makespan(schedule(alone, migrations)) == total
        assert makespan(schedule(one, migrations)) <= total
