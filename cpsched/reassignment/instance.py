"""The machine reassignment instance, as the ROADEF/EURO challenge 2012 states it.

Reference: Google, "ROADEF/EURO challenge 2012: machine reassignment", problem statement, 2011.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from cpsched.errors import InputError

IntArray = npt.NDArray[np.int32]
LongArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

#: No amount, weight or cost is larger; the statement has 32-bit numbers.
MAX_AMOUNT = 2**31 - 1
#: No cost of any assignment reaches this, so that differences of costs are exact in 64 bits.
MAX_COST = 2**61
#: Resources, processes, machines, services, and entries of a table; ten times the challenge's.
MAX_RESOURCES = 100
MAX_COUNT = 500_000
MAX_TABLE = 200_000_000


def _frozen(
    values: npt.ArrayLike, what: str, shape: tuple[int, ...], most: int, dtype: type[np.generic]
) -> npt.NDArray[np.generic]:
    """Read-only copy of *values*, integers in 0..*most* of that *shape*."""
    array = np.asarray(values)
    if array.size == 0:
        array = array.reshape(shape) if 0 in shape else array
    elif array.dtype.kind not in "iub":
        raise InputError(f"{what} must be integers, not {array.dtype}")
    if array.shape != shape:
        raise InputError(f"{what} has shape {array.shape}; {shape} is needed")
    if array.size:
        wrong = (array < 0) | (array > most)
        if wrong.any():
            place = tuple(int(k) for k in np.argwhere(wrong)[0])
            where = ", ".join(map(str, place))
            raise InputError(f"{what}[{where}] is {array[place]}; 0..{most} is allowed")
    copy = np.ascontiguousarray(array.astype(dtype))
    copy.setflags(write=False)
    return copy


@dataclass(frozen=True, eq=False)
class Reassignment:
    """Processes on machines, what each move costs, and what a good use of the machines is.

    R resources, M machines, S services, P processes, B balances, D dependencies; all numbers are
    integers from 0 to 2**31 - 1, amounts in the unit of their resource. Raises InputError for a
    wrong shape or number.

    Parameters
    ----------
    name
        Name it is reported under.
    transient
        Shape (R,): whether a process that moves also uses this resource on the machine it leaves.
    load_weight
        Shape (R,): cost of a unit used beyond the safety capacity of a machine.
    neighbourhood, location
        Shape (M,): number of the neighbourhood and the location a machine is in; at most
        ``MAX_COUNT``.
    capacity, safety
        Shape (M, R): what may be used, and what is used for free.
    machine_move_cost
        Shape (M, M): cost of a process that moves from the first to the second machine.
    spread_min
        Shape (S,): least number of locations that the processes of a service are in.
    dependency
        Shape (D, 2): each process of the first service needs one of the second service in its
        neighbourhood. Sorted by the first service, which keeps equal instances equal.
    service
        Shape (P,): service of each process; two of one service never share a machine.
    requirement
        Shape (P, R): what a process uses.
    process_move_cost
        Shape (P,): cost of moving a process at all.
    balance
        Shape (B, 3): resources r1 and r2 and a target: on each machine, target times what is
        free of r1 should be free of r2; free is capacity less use.
    balance_weight
        Shape (B,): cost of a unit that lacks of r2.
    process_weight, service_weight, machine_weight
        Weights of the process move cost, of the service move cost (most processes moved of one
        service) and of the machine move cost.
    machine
        Shape (P,): machine of each process now.
    """

    name: str
    transient: BoolArray
    load_weight: LongArray
    neighbourhood: IntArray
    location: IntArray
    capacity: LongArray
    safety: LongArray
    machine_move_cost: LongArray
    spread_min: IntArray
    dependency: IntArray
    service: IntArray
    requirement: LongArray
    process_move_cost: LongArray
    balance: LongArray
    balance_weight: LongArray
    process_weight: int
    service_weight: int
    machine_weight: int
    machine: IntArray

    family: ClassVar[str] = "reassignment"

    def __post_init__(self) -> None:
        if not self.name or not self.name.isprintable():
            raise InputError(f"the name must be printable text, not {self.name!r:.60}")
        num_resources, num_machines = np.size(self.transient), np.size(self.neighbourhood)
        num_services, num_processes = np.size(self.spread_min), np.size(self.service)
        check_counts(num_resources, num_machines, num_services, num_processes)
        self._freeze_arrays(num_resources, num_machines, num_services, num_processes)
        for weight in ("process_weight", "service_weight", "machine_weight"):
            value = getattr(self, weight)
            if isinstance(value, bool) or not isinstance(value, int | np.integer):
                raise InputError(f"{weight} must be an integer, not {value!r:.60}")
            if not 0 <= value <= MAX_AMOUNT:
                raise InputError(f"{weight} is {value}; 0..{MAX_AMOUNT} is allowed")
            object.__setattr__(self, weight, int(value))
        if self.worst_cost >= MAX_COST:
            raise InputError(
                f"a cost may reach {self.worst_cost}; the numbers must be smaller, so that none "
                f"reaches {MAX_COST}"
            )

    def _freeze_arrays(self, resources: int, machines: int, services: int, processes: int) -> None:
        balances = len(np.atleast_1d(self.balance_weight))
        pairs = len(np.atleast_1d(self.dependency))
        for name, shape, most, dtype in (
            ("transient", (resources,), 1, np.bool_),
            ("load_weight", (resources,), MAX_AMOUNT, np.int64),
            ("neighbourhood", (machines,), MAX_COUNT, np.int32),
            ("location", (machines,), MAX_COUNT, np.int32),
            ("capacity", (machines, resources), MAX_AMOUNT, np.int64),
            ("safety", (machines, resources), MAX_AMOUNT, np.int64),
            ("machine_move_cost", (machines, machines), MAX_AMOUNT, np.int64),
            ("spread_min", (services,), MAX_AMOUNT, np.int32),
            ("dependency", (pairs, 2), services - 1, np.int32),
            ("service", (processes,), services - 1, np.int32),
            ("requirement", (processes, resources), MAX_AMOUNT, np.int64),
            ("process_move_cost", (processes,), MAX_AMOUNT, np.int64),
            ("balance", (balances, 3), MAX_AMOUNT, np.int64),
            ("balance_weight", (balances,), MAX_AMOUNT, np.int64),
            ("machine", (processes,), machines - 1, np.int32),
        ):
            array = _frozen(getattr(self, name), name, shape, most, dtype)
            object.__setattr__(self, name, array)
        if balances and self.balance[:, :2].max() >= resources:
            raise InputError(
                f"balance names resource {int(self.balance[:, :2].max())}; "
                f"there are {resources}, counted from 0"
            )
        order = np.argsort(self.dependency[:, 0], kind="stable")
        dependency = self.dependency[order]
        dependency.setflags(write=False)
        object.__setattr__(self, "dependency", dependency)

    @property
    def num_resources(self) -> int:
        """Number of resources."""
        return len(self.transient)

    @property
    def num_machines(self) -> int:
        """Number of machines."""
        return len(self.neighbourhood)

    @property
    def num_services(self) -> int:
        """Number of services."""
        return len(self.spread_min)

    @property
    def num_processes(self) -> int:
        """Number of processes."""
        return len(self.service)

    @cached_property
    def total_requirement(self) -> LongArray:
        """Shape (R,): what all processes use together."""
        total: LongArray = self.requirement.sum(axis=0)
        return total

    @cached_property
    def worst_cost(self) -> int:
        """What no cost exceeds, in plain integers."""
        used = [int(total) for total in self.total_requirement]
        load = sum(int(w) * total for w, total in zip(self.load_weight, used, strict=True))
        # What is free is at most the capacity and, over-used, at least minus all that is used. The
        # weight counts as 1 at least, for what is computed before it is multiplied with 0.
        reach = [
            int(total) + use for total, use in zip(self.capacity.sum(axis=0), used, strict=True)
        ]
        balance = sum(
            max(1, int(weight)) * (int(target) * reach[r1] + reach[r2])
            for (r1, r2, target), weight in zip(
                self.balance.tolist(), self.balance_weight.tolist(), strict=True
            )
        )
        dearest = int(self.machine_move_cost.max(initial=0))
        worst: int = (
            load
            + balance
            + self.process_weight * int(self.process_move_cost.sum())
            + self.service_weight * self.num_processes
            + self.machine_weight * dearest * self.num_processes
        )
        return worst

    def _key(self) -> tuple[object, ...]:
        values = (getattr(self, entry.name) for entry in fields(self))
        return tuple(
            (value.shape, value.tobytes()) if isinstance(value, np.ndarray) else value
            for value in values
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Reassignment) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())


def check_counts(resources: int, machines: int, services: int, processes: int) -> None:
    """Raise InputError for a number of things that is zero or too large to hold."""
    for what, number, least, most in (
        ("resources", resources, 1, MAX_RESOURCES),
        ("machines", machines, 1, MAX_COUNT),
        ("services", services, 1, MAX_COUNT),
        ("processes", processes, 1, MAX_COUNT),
    ):
        if not least <= number <= most:
            raise InputError(f"there are {number} {what}; {least}..{most} are allowed")
    for what, entries in (
        ("machine move costs", machines * machines),
        ("pairs of a service and a machine", services * machines),
        ("requirements", processes * resources),
    ):
        if entries > MAX_TABLE:
            raise InputError(f"there are {entries} {what}; at most {MAX_TABLE} are allowed")
