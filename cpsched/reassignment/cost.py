"""The cost of an assignment by its five parts, straight from the problem statement; no solver."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from cpsched.reassignment.instance import IntArray, LongArray, Reassignment


@dataclass(frozen=True, slots=True)
class Cost:
    """The parts of a cost, each already weighted."""

    load: int
    balance: int
    process_move: int
    service_move: int
    machine_move: int

    @property
    def total(self) -> int:
        """The objective."""
        return self.load + self.balance + self.process_move + self.service_move + self.machine_move


def usage(instance: Reassignment, machine: IntArray) -> LongArray:
    """Shape (M, R): what the processes use on each machine."""
    used = np.zeros_like(instance.capacity)
    np.add.at(used, machine, instance.requirement)
    return used


def machine_costs(instance: Reassignment, used: LongArray) -> tuple[LongArray, LongArray]:
    """Weighted load and balance cost of each machine; *used*, shape (M, R). Shapes (M,)."""
    load = np.maximum(used - instance.safety, 0) @ instance.load_weight
    free = instance.capacity - used
    first, second, target = instance.balance.T
    lack = np.maximum(target * free[:, first] - free[:, second], 0)
    return load, lack @ instance.balance_weight


def cost(instance: Reassignment, machine: IntArray) -> Cost:
    """Cost of the processes on *machine*, shape (P,), whether or not that keeps the rules."""
    load, balance = machine_costs(instance, usage(instance, machine))
    moved = machine != instance.machine
    of_service = np.bincount(instance.service[moved], minlength=1)
    return Cost(
        load=int(load.sum()),
        balance=int(balance.sum()),
        process_move=instance.process_weight * int(instance.process_move_cost[moved].sum()),
        service_move=instance.service_weight * int(of_service.max()),
        machine_move=instance.machine_weight
        * int(instance.machine_move_cost[instance.machine, machine].sum()),
    )


def lower_bound(instance: Reassignment) -> int:
    """Cost that no assignment goes below: load and balance of all machines taken as one.

    Load, for each resource: the sum over machines of max(0, use - safety) is at least max(0, sum
    of use - sum of safety), and the sum of use is that of all requirements, whatever moves.
    Balance, for each triple: likewise, the sum of max(0, target * free1 - free2) is at least
    max(0, target * sum of free1 - sum of free2), and what is free in all never changes. Moves
    cost 0 or more.
    """
    used = instance.total_requirement
    over = np.maximum(used - instance.safety.sum(axis=0), 0)
    free = instance.capacity.sum(axis=0) - used
    first, second, target = instance.balance.T
    lack = np.maximum(target * free[first] - free[second], 0)
    return int(over @ instance.load_weight) + int(lack @ instance.balance_weight)
