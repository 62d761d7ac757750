"""Scenarios after Christensen et al. (arXiv 2511.08373), as the default scheduler leaves them.

Law and random streams as described by the authors: ReplicaSets of 1 to 4 replicas until the pods
are enough, requests and priority uniform for each, equal nodes of the size that gives the wanted
utilisation. Pods arrive ReplicaSet by ReplicaSet.
"""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import product

import numpy as np

from cpsched.pods.instance import PENDING, Cluster
from cpsched.pods.solution import Placement

#: Utilisations, percent, at which the authors keep only scenarios that the default scheduler
#: leaves a pod pending in.
FILTERED = (90, 95)

#: Seeds tried for a cell before it has as many scenarios as were found.
MOST_TRIES = 300


@dataclass(frozen=True, order=True)
class Cell:
    """One configuration of the grid; utilisation in percent."""

    nodes: int
    pods_per_node: int
    priorities: int
    utilisation: int

    @property
    def pods(self) -> int:
        return self.nodes * self.pods_per_node

    @property
    def name(self) -> str:
        return f"{self.nodes}n-{self.pods}p-{self.priorities}t-{self.utilisation}"

    @classmethod
    def of(cls, name: str) -> Cell:
        nodes, pods, tiers, utilisation = (int(part.rstrip("npt")) for part in name.split("-"))
        return cls(nodes, pods // nodes, tiers, utilisation)


GRID = [Cell(*cell) for cell in product((4, 8, 16, 32), (4, 8), (1, 2, 4), (90, 95, 100, 105))]


def bare(cell: Cell, seed: int) -> Cluster:
    """The scenario before anything is scheduled."""
    sizes = _stream(seed, "rs-sizes")
    replicas: list[int] = []
    while sum(replicas) < cell.pods:
        replicas.append(sizes.randint(1, min(4, cell.pods - sum(replicas))))
    cpu, memory, base = (_stream(seed, label) for label in ("rs-cpu", "rs-mem", "base"))
    cpus = [cpu.randint(100, 1000) for _ in replicas]
    memories = [memory.randint(100_000_000, 1_000_000_000) for _ in replicas]
    tiers = [base.randint(1, cell.priorities) for _ in replicas]
    owner = np.repeat(np.arange(len(replicas)), replicas)
    request = np.array([[c, m, 1] for c, m in zip(cpus, memories, strict=True)])[owner]
    share = Fraction(cell.utilisation, 100)
    size = [
        max(int(request[:, r].max()), -(-_ceil(int(request[:, r].sum()) / share) // cell.nodes))
        for r in (0, 1)
    ]
    names = [f"rs-{k:02d}-p{tier}" for k, tier in enumerate(tiers, 1)]
    place = [k for count in replicas for k in range(count)]
    return Cluster(
        name=f"{cell.name}-{seed}",
        resources=("cpu", "memory", "pods"),
        nodes=tuple(f"node-{k:02d}" for k in range(1, cell.nodes + 1)),
        allocatable=np.tile([*size, 110], (cell.nodes, 1)),
        pods=tuple(f"default/{names[o]}-{k}" for o, k in zip(owner, place, strict=True)),
        request=request,
        priority=np.array(tiers)[owner],
        node=np.full(cell.pods, PENDING),
        owners=tuple(f"default/ReplicaSet/{name}" for name in names),
        owner=owner,
        allowed=np.ones((1, cell.nodes), dtype=np.bool_),
        profile=np.zeros(cell.pods, dtype=np.int32),
        held=("",) * cell.pods,
        preempts=np.ones(cell.pods, dtype=np.bool_),
        grace=np.zeros(cell.pods, dtype=np.int64),
    )


def scenario(cell: Cell, seed: int) -> Cluster:
    """The scenario as the default scheduler, without preemption, leaves it."""
    from cpsched.pods.scheduler import schedule

    cluster = bare(cell, seed)
    found = schedule(cluster, preemption=False)
    node = found.node if isinstance(found, Placement) else found
    return replace(cluster, node=np.asarray(node))


def seeds(cell: Cell, first: int, count: int, tries: int = MOST_TRIES) -> list[int]:
    """The seeds from *first* on, at utilisations below 1 those that leave a pod pending."""
    if cell.utilisation not in FILTERED:
        return list(range(first, first + count))
    found: list[int] = []
    for seed in range(first, first + tries):
        if len(found) == count:
            break
        if not scenario(cell, seed).running.all():
            found.append(seed)
    return found


def _stream(seed: int, label: str) -> random.Random:
    digest = hashlib.blake2b(seed.to_bytes(16, "big") + b"\x00" + label.encode(), digest_size=16)
    return random.Random(int.from_bytes(digest.digest(), "big"))


def _ceil(value: Fraction) -> int:
    return -(-value.numerator // value.denominator)
