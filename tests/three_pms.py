"""A hand-made cluster of three PMs, and plans in few characters."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from cpsched.vms.instance import VmCluster
from cpsched.vms.solution import Migration, Migrations


def cluster(**changes: Any) -> VmCluster:
    """Three PMs of two NUMA nodes with 8 cores; VMs 0 to 3 have one part, 4 has two."""
    base = VmCluster(
        name="three",
        resources=("cpu", "memory"),
        pms=("p", "q", "r"),
        numa_pm=np.array([0, 0, 1, 1, 2, 2]),
        capacity=np.array([[8000, 1024]] * 6),
        racks=("north", "south"),
        rack=np.array([0, 1, -1]),
        closed=np.array([False] * 3),
        evacuate=np.array([False] * 3),
        active=np.array([True] * 3),
        vms=("a", "b", "c", "d", "e"),
        flavors=("f",),
        flavor=np.zeros(5, dtype=np.int32),
        parts=np.array([1, 1, 1, 1, 2]),
        demand=np.array([[4000, 256], [4000, 256], [8000, 256], [0, 0], [2000, 512]]),
        numa=np.array([[0, -1], [1, -1], [2, -1], [5, -1], [4, 5]]),
        disk=np.zeros(5, dtype=np.int64),
        pinned=("",) * 5,
        profile=np.zeros(5, dtype=np.int32),
        allowed=np.array([[True] * 3]),
    )
    return replace(base, **changes)


def plan(*moves: tuple[int, ...]) -> Migrations:
    """Steps, each a VM and its new NUMA nodes."""
    return Migrations(tuple(Migration(vm, numa) for vm, *numa in moves))
