"""Random clusters of VMs, calibrated to the published moments of the VMR2L data.

Of those data (EuroSys 2025, doi 10.1145/3689031.3717476) only means, deviations, shares and a few
distributions are public. The shares of the sizes solve the moments exactly. Filling and churning
with a best fit of two sampled PMs, and on a PM the first NUMA node that fits, then gives the load,
the number of VMs, the PMs above 80 % and the fragment rate that are reported for 280 PMs under
high load; with three sampled PMs the rate is too low. ``scripts/calibrate_vms.py`` compares.
"""

from __future__ import annotations

import random
from itertools import combinations
from typing import TYPE_CHECKING, Final

import numpy as np

from cpsched.errors import InputError, UnknownNameError
from cpsched.vms.instance import VmCluster

if TYPE_CHECKING:
    from cpsched.arrays import IntArray, LongArray

#: Share of all cores that VMs have, by workload; each the integral of a published distribution.
WORKLOADS: Final = {"high": 0.88, "mid": 0.65, "low": 0.39}

NUMA_CORES: Final = 44
NUMA_MEMORY: Final = 184_388  # MiB
MAX_PMS: Final = 20_000

#: Size in cores, share of the arrivals; from 32 cores on, half on each NUMA node of a PM.
_SIZES: Final = (
    ("large", 2, 0.1205),
    ("xlarge", 4, 0.5093),
    ("2xlarge", 8, 0.1988),
    ("4xlarge", 16, 0.0541),
    ("8xlarge", 32, 0.0355),
    ("16xlarge", 64, 0.0818),
)
_DOUBLE: Final = 32
#: Type of a VM, its memory in MiB a core, share of the arrivals; by default, the first alone.
_RATIOS: Final = (("ecs.c1", 2048, 0.5), ("ecs.g1", 4096, 0.3), ("ecs.r1", 8192, 0.2))
_SAMPLE: Final = 2
#: Steps of the calibration, and the PMs they are meant for.
_CHURN: Final = (4000, 280)
_PATIENCE: Final = 5000


def generate_vms(
    pms: int = 280,
    workload: str = "high",
    seed: int = 0,
    conflicts: int = 0,
    memory_ratios: bool = False,
    load: float | None = None,
) -> VmCluster:
    """Cluster of PMs with 2 x 44 cores, filled and churned by arrivals and departures.

    VMs arrive until *load* is reached, each on the fuller of two sampled PMs with room for it;
    then a random one leaves and others arrive in its place, 4,000 times for 280 PMs.

    Parameters
    ----------
    pms
        1..20,000.
    workload
        high, mid or low, for a *load* of 0.88, 0.65 or 0.39.
    seed
        0..2^64 - 1; equal seeds give equal clusters.
    conflicts
        Most conflict partners of a VM: VMs are divided into sets of one more, of which no two are
        on one PM.
    memory_ratios
        Three types with 2, 4 and 8 GiB a core instead of the first alone: memory binds too.
    load
        Share of all cores in use, above 0 and up to 0.99; in place of the workload's.

    Raises
    ------
    InputError
        For what is out of range, or a load that arrivals of these sizes do not reach.
    """
    if workload not in WORKLOADS:
        raise UnknownNameError.of("workload", workload, WORKLOADS)
    share = WORKLOADS[workload] if load is None else load
    for value, what, least, most in (
        (pms, "number of PMs", 1, MAX_PMS),
        (seed, "seed", 0, 2**64 - 1),
        (conflicts, "number of conflicts of a VM", 0, pms - 1),
    ):
        if not least <= value <= most:
            raise InputError(f"the {what} must be in {least}..{most}, not {value}")
    if not 0 < share <= 0.99:
        raise InputError(f"the load must be above 0 and at most 0.99, not {share}")
    rng = random.Random(f"vms {seed}")
    room = _Room(rng, pms, memory_ratios)
    target = int(share * 2 * NUMA_CORES * pms)
    room.fill(target)
    for _ in range(_CHURN[0] * pms // _CHURN[1]):
        room.leave()
        room.fill(target)
    kinds = _flavors(memory_ratios)
    flavor = np.array(room.kind, dtype=np.int32)
    numa = np.array(room.place, dtype=np.int32).reshape(-1, 2)
    parts = np.where(numa[:, 1] < 0, 1, 2).astype(np.int32)
    amounts = np.array([[kind.cores * 1000, kind.memory] for kind in kinds], dtype=np.int64)
    vms = len(flavor)
    return VmCluster(
        name=f"vms-{pms}-{workload if load is None else load}-{seed}",
        resources=("cpu", "memory"),
        pms=tuple(f"pm-{number:05d}" for number in range(pms)),
        numa_pm=np.repeat(np.arange(pms, dtype=np.int32), 2),
        capacity=np.tile(np.array([NUMA_CORES * 1000, NUMA_MEMORY], dtype=np.int64), (2 * pms, 1)),
        racks=(),
        rack=np.full(pms, -1, dtype=np.int32),
        closed=np.zeros(pms, dtype=np.bool_),
        evacuate=np.zeros(pms, dtype=np.bool_),
        active=np.ones(pms, dtype=np.bool_),
        vms=tuple(f"vm-{number:06d}" for number in range(vms)),
        flavors=tuple(kind.name for kind in kinds),
        flavor=flavor,
        parts=parts,
        demand=amounts[flavor],
        numa=numa,
        disk=np.zeros(vms, dtype=np.int64),
        pinned=("",) * vms,
        profile=np.zeros(vms, dtype=np.int32),
        allowed=np.ones((1, pms), dtype=np.bool_),
        conflicts=_conflicts(rng, numa[:, 0] // 2, conflicts),
    )


class _Kind:
    """A flavor; cores and memory (MiB) of each of its parts, share of the arrivals."""

    def __init__(self, name: str, cores: int, memory: int, share: float) -> None:
        self.double = cores >= _DOUBLE
        parts = 2 if self.double else 1
        self.name = name
        self.cores = cores // parts
        self.memory = memory * self.cores
        self.total = cores
        self.share = share


def _flavors(memory_ratios: bool) -> list[_Kind]:
    ratios = _RATIOS if memory_ratios else ((*_RATIOS[0][:2], 1.0),)
    return [
        _Kind(f"{family}.{size}", cores, memory, share * part)
        for family, memory, part in ratios
        for size, cores, share in _SIZES
    ]


class _Room:
    """What is free on each NUMA node, and where VMs are."""

    def __init__(self, rng: random.Random, pms: int, memory_ratios: bool) -> None:
        self.rng = rng
        self.kinds = _flavors(memory_ratios)
        self.shares = np.cumsum([kind.share for kind in self.kinds])
        self.cores: LongArray = np.full((pms, 2), NUMA_CORES, dtype=np.int64)
        self.memory: LongArray = np.full((pms, 2), NUMA_MEMORY, dtype=np.int64)
        self.used = 0
        self.kind: list[int] = []
        self.place: list[tuple[int, int]] = []

    def fill(self, target: int) -> None:
        """VMs arrive until *target* cores are in use; those without a place are turned away."""
        refused = 0
        while self.used < target:
            draw = self.rng.random() * float(self.shares[-1])
            number = min(int(np.searchsorted(self.shares, draw)), len(self.kinds) - 1)
            place = self._place(self.kinds[number])
            if place is not None:
                refused = 0
                self.kind.append(number)
                self.place.append(place)
                self._take(self.kinds[number], place, 1)
            elif (refused := refused + 1) == _PATIENCE:
                raise InputError(
                    f"the load cannot be reached: {self.used} of {target} cores are in use and "
                    f"{refused} VMs in a row found no place"
                )

    def leave(self) -> None:
        """A random VM leaves."""
        at = int(self.rng.random() * len(self.kind))
        self._take(self.kinds[self.kind[at]], self.place[at], -1)
        self.kind[at], self.place[at] = self.kind[-1], self.place[-1]
        self.kind.pop()
        self.place.pop()

    def _take(self, kind: _Kind, place: tuple[int, int], sign: int) -> None:
        for numa in place:
            if numa >= 0:
                self.cores[numa // 2, numa % 2] -= sign * kind.cores
                self.memory[numa // 2, numa % 2] -= sign * kind.memory
        self.used += sign * kind.total

    def _place(self, kind: _Kind) -> tuple[int, int] | None:
        """The first NUMA node that fits, or both, on the fuller of two random PMs with room."""
        fits = (self.cores >= kind.cores) & (self.memory >= kind.memory)
        pms = np.flatnonzero(fits.all(axis=1) if kind.double else fits.any(axis=1))
        if not len(pms):
            return None
        count = min(_SAMPLE, len(pms))
        sample: list[int] = []
        while len(sample) < count:
            pm = int(pms[int(self.rng.random() * len(pms))])
            if pm not in sample:
                sample.append(pm)
        pm = min(sample, key=lambda pm: int(self.cores[pm].sum()))
        if kind.double:
            return 2 * pm, 2 * pm + 1
        return 2 * pm + int(np.argmax(fits[pm])), -1


def _conflicts(rng: random.Random, pm: IntArray, partners: int) -> IntArray:
    """Pairs of VMs within sets of *partners* + 1, no two of a set on one PM; pm: of each VM."""
    order = list(range(len(pm)))
    rng.shuffle(order)
    pairs: list[tuple[int, int]] = []
    open_sets: list[tuple[list[int], set[int]]] = []
    for vm in order if partners else ():
        host = int(pm[vm])
        members, hosts = next((one for one in open_sets if host not in one[1]), ([], set()))
        if not members:
            open_sets.append((members, hosts))
        members.append(vm)
        hosts.add(host)
        if len(members) > partners:
            pairs += combinations(members, 2)
            open_sets = [one for one in open_sets if one[0] is not members]
    for members, _ in open_sets:
        pairs += combinations(members, 2)
    return np.array(pairs, dtype=np.int32).reshape(-1, 2)
