"""Generators of random job shops after published laws."""

from __future__ import annotations

import numpy as np

from cpsched.errors import InputError
from cpsched.instances.formats.text import MAX_JOBS, MAX_MACHINES, classic
from cpsched.jobshop.instance import MAX_HORIZON, JobShop

#: Operations that a generated instance may have: ten times 1,000 x 1,000.
MAX_OPERATIONS = 10_000_000

_MODULUS = 2**31 - 1
_MULTIPLIER = 16807


class _Lcg:
    """Lehmer's generator with Park and Miller's constants, as Taillard (1993) uses it."""

    def __init__(self, seed: int) -> None:
        self.state = seed

    def uniform(self, low: int, high: int) -> int:
        """Next integer in *low*..*high*.

        Taillard's ``low + trunc(state / modulus * (high - low + 1))`` in exact arithmetic; the
        rounding of doubles makes no difference while the range is below 100,000.
        """
        self.state = self.state * _MULTIPLIER % _MODULUS
        return low + self.state * (high - low + 1) // _MODULUS


def taillard(
    num_jobs: int,
    num_machines: int,
    time_seed: int,
    machine_seed: int,
    name: str | None = None,
) -> JobShop:
    """Job shop of Taillard's generator, bit-exact: durations U[1, 99], random permutations.

    E. Taillard, Benchmarks for basic scheduling problems, European Journal of Operational
    Research 64 (1993) 278-285. The published seeds give the instances ta01 to ta80: ta01 is
    ``taillard(15, 15, 840612802, 398197754)``.

    Parameters
    ----------
    num_jobs, num_machines
        Size, at least 1 each.
    time_seed, machine_seed
        Seeds of durations and routes, 1..2147483646.
    name
        By default made of size and seeds.
    """
    _check_size(num_jobs, num_machines)
    for seed, what in ((time_seed, "time seed"), (machine_seed, "machine seed")):
        if not 1 <= seed < _MODULUS:
            raise InputError(f"the {what} must be in 1..{_MODULUS - 1}, not {seed}")
    times = _Lcg(time_seed)
    size = num_jobs * num_machines
    duration = np.fromiter((times.uniform(1, 99) for _ in range(size)), np.int64, size)
    swaps = _Lcg(machine_seed)
    machine = np.empty((num_jobs, num_machines), dtype=np.int64)
    for job in range(num_jobs):
        route = list(range(num_machines))
        for i in range(num_machines):
            j = swaps.uniform(i, num_machines - 1)
            route[i], route[j] = route[j], route[i]
        machine[job] = route
    if name is None:
        name = f"taillard-{num_jobs}x{num_machines}-{time_seed}-{machine_seed}"
    return _permutation(name, machine, duration)


def uniform(
    num_jobs: int,
    num_machines: int,
    seed: int,
    low: int = 1,
    high: int = 1000,
    name: str | None = None,
) -> JobShop:
    """Job shop after the law of the very large sets: durations U[low, high], random permutations.

    Every job visits every machine once, in an independent uniform permutation; durations are
    independent. With 1..1000 and 10, 100 or 1,000 jobs and machines that is the law of the
    instances of Da Col and Teppan, Operations Research Perspectives 9 (2022) 100249; with 1..99
    it is Taillard's. Equal arguments give equal instances with the same version of NumPy.

    Parameters
    ----------
    num_jobs, num_machines
        Size, at least 1 each.
    seed
        Of NumPy's default generator, at least 0.
    low, high
        Range of the durations, both included.
    name
        By default made of size, range and seed.
    """
    _check_size(num_jobs, num_machines)
    if seed < 0:
        raise InputError(f"the seed must be at least 0, not {seed}")
    if not 0 <= low <= high <= MAX_HORIZON:
        raise InputError(
            f"durations must satisfy 0 <= low <= high <= {MAX_HORIZON}, not {low}..{high}"
        )
    rng = np.random.default_rng(seed)
    duration = rng.integers(low, high, size=num_jobs * num_machines, endpoint=True)
    machine = np.tile(np.arange(num_machines, dtype=np.int64), (num_jobs, 1))
    rng.permuted(machine, axis=1, out=machine)
    if name is None:
        name = f"uniform-{num_jobs}x{num_machines}-{low}-{high}-{seed}"
    return _permutation(name, machine, duration)


def two_sets(
    num_jobs: int,
    num_machines: int,
    seed: int,
    low: int = 1,
    high: int = 200,
    name: str | None = None,
) -> JobShop:
    """Job shop whose jobs visit the first half of the machines before the second half.

    The law of half of the instances of E. Demirkol, S. Mehta and R. Uzsoy, Benchmarks for shop
    scheduling problems, European Journal of Operational Research 109 (1998) 137-141, dmu41 to
    dmu80: durations U[low, high]; in each half of the machines every job has an independent
    uniform permutation. Equal arguments give equal instances with the same version of NumPy.

    Parameters
    ----------
    num_jobs, num_machines
        Size, at least 1 each; of an odd number of machines the second half has one more.
    seed
        Of NumPy's default generator, at least 0.
    low, high
        Range of the durations, both included.
    name
        By default made of size, range and seed.
    """
    if name is None:
        name = f"two-sets-{num_jobs}x{num_machines}-{low}-{high}-{seed}"
    plain = uniform(num_jobs, num_machines, seed, low, high, name)
    machine = plain.machine.reshape(num_jobs, num_machines).astype(np.int64)
    # Stable: within a half the order of the uniform permutation is kept, which is uniform, too.
    second = machine >= num_machines // 2
    machine = np.take_along_axis(machine, np.argsort(second, axis=1, kind="stable"), axis=1)
    return _permutation(name, machine, plain.duration.astype(np.int64))


def _permutation(name: str, machine: np.ndarray, duration: np.ndarray) -> JobShop:
    num_jobs, num_machines = machine.shape
    lengths = np.full(num_jobs, num_machines, dtype=np.int64)
    return classic(name, num_machines, lengths, machine.reshape(-1), duration)


def _check_size(num_jobs: int, num_machines: int) -> None:
    for value, what, most in (
        (num_jobs, "jobs", MAX_JOBS),
        (num_machines, "machines", MAX_MACHINES),
    ):
        if not 1 <= value <= most:
            raise InputError(f"the number of {what} must be in 1..{most}, not {value}")
    if num_jobs * num_machines > MAX_OPERATIONS:
        raise InputError(
            f"{num_jobs} x {num_machines} operations are more than the {MAX_OPERATIONS} allowed"
        )
