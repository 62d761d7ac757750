"""Small random clusters of VMs with every kind of rule, and random plans that keep the rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cpsched.vms.instance import Fragment, Group, Policy, VmCluster
from cpsched.vms.simulate import Occupancy
from cpsched.vms.solution import Migration, Migrations

if TYPE_CHECKING:
    import random

RULES = ("conflicts", "apart", "together", "pinned", "profiles", "closed", "inactive", "over")
SIZES = ((2000, 4096), (4000, 8192), (8000, 16384), (8000, 65536), (16000, 32768))


def small(rng: random.Random, rules: tuple[str, ...] = RULES, **policy: Any) -> VmCluster:
    """Cluster of 2 to 5 PMs and 4 to 12 VMs, with each of *rules* half of the time.

    PMs have one to three NUMA nodes; VMs are placed at random, some on two NUMA nodes. Evacuated
    PMs belong to ``closed``; ``policy`` overrides the random policy.
    """
    chosen = {rule for rule in rules if rng.random() < 0.5}
    num_pms = rng.randint(2, 5)
    count = [rng.choice([1, 2, 2, 2, 3]) for _ in range(num_pms)]
    numa_pm = np.repeat(np.arange(num_pms), count)
    capacity = np.array(
        [[rng.choice([24, 32, 44]) * 1000, rng.choice([2**16, 2**17])] for _ in numa_pm]
    )
    free = capacity.copy()
    sizes, parts, numa = [], [], []
    for _ in range(rng.randint(4, 12)):
        size = np.array(rng.choice(SIZES))
        number = rng.choice([1, 1, 2])
        fits = [
            places
            for pm in range(num_pms)
            for places in _places(np.flatnonzero(numa_pm == pm).tolist(), number)
            if all((free[one] >= size).all() for one in places)
        ]
        if fits:
            at = rng.choice(fits)
            free[list(at)] -= size
            sizes.append(size)
            parts.append(number)
            numa.append((*at, -1)[:2])
    if "over" in chosen:
        capacity[rng.randrange(len(numa_pm))] //= 4
    num_vms = len(sizes)
    pm = numa_pm[np.array(numa)[:, 0]]
    racks = ("r-0", "r-1")[: rng.randint(0, 2)]
    rack = [rng.randrange(-1, len(racks)) for _ in range(num_pms)]
    closed = [("closed" in chosen and rng.random() < 0.2) for _ in range(num_pms)]
    evacuate = [False] * num_pms
    if "closed" in chosen and rng.random() < 0.5:
        evacuate[rng.randrange(num_pms)] = True
    some = lambda share: [vm for vm in range(num_vms) if rng.random() < share]  # noqa: E731
    groups = []
    if "together" in chosen:
        groups.append(Group("together", "affinity", rng.choice(["pm", "rack"]), some(0.2)))
    near = set(groups[0].vms.tolist()) if groups else set()
    conflicts = []
    if "conflicts" in chosen:
        pairs = [rng.sample(range(num_vms), 2) for _ in range(rng.randint(1, 4))]
        conflicts = [pair for pair in pairs if not near.issuperset(pair)]
    if "apart" in chosen:
        vms = [vm for vm in some(0.4) if vm not in near]
        places = len(set(rack) - {-1}) + rack.count(-1)
        scope = rng.choice(["pm", "pm", "rack"]) if places > 1 else "pm"
        groups.append(Group("apart", "anti-affinity", scope, vms, max(1, len(vms) - 1)))
        if len(vms) <= num_pms:
            groups.append(Group("far apart", "anti-affinity", "pm", vms))
    profiles = [[True] * num_pms]
    if "profiles" in chosen:
        profiles += [[rng.random() < 0.6 for _ in range(num_pms)] for _ in range(2)]
    pinned = [
        "pinned" in chosen and rng.random() < 0.2 and not evacuate[pm[vm]] for vm in range(num_vms)
    ]
    limits: dict[str, Any] = {
        "max_moves": rng.choice([None, 2, 4, 50]),
        "objective": rng.choice(["fragments", "fragments", "empty"]),
        "fragments": rng.choice(
            [(Fragment(),), (Fragment(16, True),), (Fragment(8), Fragment(24, True, 3))]
        ),
        "in_flight": rng.randint(1, 4),
        "inflow": rng.randint(1, 2),
        "outflow": rng.choice([None, 1, 2]),
        "overhead": rng.randint(0, 3),
    }
    if any(size % number for size in (16000, 24000) for number in count):
        limits["fragments"] = (Fragment(rng.choice([16, 24])),)
    return VmCluster(
        name=f"random-{rng.randrange(10**6)}",
        resources=("cpu", "memory"),
        pms=tuple(f"pm-{p}" for p in range(num_pms)),
        numa_pm=numa_pm,
        capacity=capacity,
        racks=racks,
        rack=rack,
        closed=closed,
        evacuate=evacuate,
        active=[not ("inactive" in chosen and rng.random() < 0.3) for _ in range(num_pms)],
        vms=tuple(f"vm-{v}" for v in range(num_vms)),
        flavors=("tiny", "large"),
        flavor=[rng.randrange(2) for _ in range(num_vms)],
        parts=parts,
        demand=np.array(sizes),
        numa=numa,
        disk=[rng.choice([0, 0, 10240]) for _ in range(num_vms)],
        pinned=tuple("licence" if flag else "" for flag in pinned),
        profile=[rng.randrange(len(profiles)) for _ in range(num_vms)],
        allowed=profiles,
        groups=tuple(groups),
        conflicts=np.array(conflicts, dtype=np.int32).reshape(-1, 2),
        policy=Policy(**{**limits, **policy}),
    )


def _places(numas: list[int], number: int) -> list[tuple[int, ...]]:
    if number == 1:
        return [(one,) for one in numas]
    return [(a, b) for a in numas for b in numas if a < b]


def steps(cluster: VmCluster) -> list[Migration]:
    """Every step there could be, rules aside."""
    return [
        Migration(vm, places)
        for vm in range(cluster.num_vms)
        for pm in range(cluster.num_pms)
        for places in _places(list(cluster.numas_of(pm)), int(cluster.parts[vm]))
    ]


def random_plan(rng: random.Random, cluster: VmCluster, length: int = 6) -> Migrations:
    """A random plan of up to *length* steps that keeps the rules; no VM moves more than twice."""
    occupancy, found = Occupancy(cluster), []
    limit = cluster.policy.max_moves
    for _ in range(length if limit is None else min(length, limit)):
        moved = [move.vm for move in found]
        possible = [
            move
            for move in steps(cluster)
            if moved.count(move.vm) < 2 and not list(occupancy.problems(move))
        ]
        if not possible:
            break
        found.append(rng.choice(possible))
        occupancy.begin(found[-1])
        occupancy.finish(found[-1])
    return Migrations(tuple(found))
