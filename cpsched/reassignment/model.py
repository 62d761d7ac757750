"""Machine reassignment as a CP-SAT model: all rules and the cost, of all processes or of some."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from ortools.sat.python import cp_model

from cpsched.errors import StopRequestedError
from cpsched.formulation import Assign, Formulation
from cpsched.reassignment.cost import cost
from cpsched.reassignment.solution import Assignment

if TYPE_CHECKING:
    from collections.abc import Callable

    from cpsched.formulation import Values
    from cpsched.reassignment.instance import BoolArray, IntArray, LongArray, Reassignment


def formulate(
    instance: Reassignment,
    *,
    free: IntArray | None = None,
    targets: IntArray | None = None,
    around: IntArray | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Formulation[Assignment]:
    """Formulation of machine reassignment: one Boolean for each process and machine it may be on.

    Its decisions go process by process: one ``Assign`` for each machine.

    Parameters
    ----------
    instance
        What to solve.
    free
        Processes that may move, default all; the others stay where *around* has them.
    targets
        Machines that *free* may be on, default all; where *around* has them must be among these.
    around
        Shape (num_processes,): machine of each process, needed with *free*.
    stop
        Asked now and then: a model of a million pairs takes some seconds.

    Raises
    ------
    StopRequestedError
        Once *stop* says so.
    """
    everything = np.arange(instance.num_processes, dtype=np.int32)
    variables = _Variables(
        instance,
        everything if free is None else free,
        np.arange(instance.num_machines, dtype=np.int32) if targets is None else targets,
        instance.machine if around is None else around,
    )
    for rule in (
        variables.one_machine,
        variables.capacity,
        variables.conflict,
        variables.spread,
        variables.dependency,
        variables.load,
        variables.balance,
        variables.moves,
    ):
        if stop():
            raise StopRequestedError
        rule()
    total = cp_model.LinearExpr.sum(variables.costs) + variables.constant
    variables.model.minimize(total)
    return Formulation(
        model=variables.model,
        decisions=tuple(
            Assign(literal.index) for row in variables.on for literal in row if literal is not None
        ),
        stages=(total,),
        decode=variables.decode,
        encode=variables.encode,
        objective=lambda solution: cost(instance, solution.machine).total,
    )


class _Variables:
    """The model as it grows; one method for each rule.

    on[i][k]: whether free process i is on target k, None if it cannot be; *present* the services
    that free processes belong to. ``_auxiliary`` computes the other variables, in the order in
    which they are made, from an assignment.
    """

    def __init__(
        self, instance: Reassignment, free: IntArray, targets: IntArray, around: IntArray
    ) -> None:
        self.instance, self.free, self.targets = instance, free, targets
        self.model = cp_model.CpModel()
        self.costs: list[cp_model.LinearExprT] = []
        self.constant = 0
        self.is_free: BoolArray = np.zeros(instance.num_processes, dtype=np.bool_)
        self.is_free[free] = True
        #: Machines of all processes; those of free ones are overwritten.
        self.around: IntArray = around.astype(np.int32)
        still = ~self.is_free
        self.still: IntArray = np.flatnonzero(still).astype(np.int32)
        self.fixed_use: LongArray = np.zeros_like(instance.capacity)
        np.add.at(self.fixed_use, around[still], instance.requirement[still])
        taken = set(zip(instance.service[still].tolist(), around[still].tolist(), strict=True))
        self.on: list[list[cp_model.IntVar | None]] = [
            [
                None if (service, m) in taken else self.model.new_bool_var("")
                for m in targets.tolist()
            ]
            for service in instance.service[free].tolist()
        ]
        self.members: dict[int, list[int]] = {}
        for i, service in enumerate(instance.service[free].tolist()):
            self.members.setdefault(service, []).append(i)
        self._auxiliary: list[Callable[[IntArray], list[int]]] = []

    # --- rules -------------------------------------------------------------------------------

    def one_machine(self) -> None:
        """Every process is on exactly one machine."""
        for row in self.on:
            self.model.add_exactly_one([literal for literal in row if literal is not None])

    def capacity(self) -> None:
        """No machine holds more than its capacity, with what leaves behind transient resources."""
        instance = self.instance
        home = instance.machine[self.free]
        left = self.still[self.around[self.still] != instance.machine[self.still]]
        behind = np.zeros_like(instance.capacity)
        # Of free processes, too: at home they use what they use, away they leave it behind.
        np.add.at(behind, instance.machine[left], instance.requirement[left])
        np.add.at(behind, home, instance.requirement[self.free])
        for k, m in enumerate(self.targets.tolist()):
            for r in range(instance.num_resources):
                transient = bool(instance.transient[r])
                room = int(instance.capacity[m, r] - self.fixed_use[m, r])
                room -= int(behind[m, r]) if transient else 0
                amount = instance.requirement[self.free, r]
                if transient:
                    amount = np.where(home == m, 0, amount)
                self.model.add(self._sum(k, amount) <= room)

    def conflict(self) -> None:
        """No two processes of a service share a machine."""
        for members in self.members.values():
            for k in range(len(self.targets)):
                literals = [self.on[i][k] for i in members]
                here = [literal for literal in literals if literal is not None]
                if len(here) > 1:
                    self.model.add_at_most_one(here)

    def spread(self) -> None:
        """Every service is in enough locations."""
        instance = self.instance
        of_target = instance.location[self.targets]
        for service in np.flatnonzero(instance.spread_min > 0).tolist():
            others = self.still[instance.service[self.still] == service]
            known = set(instance.location[self.around[others]].tolist())
            needed = int(instance.spread_min[service]) - len(known)
            if needed <= 0:
                continue
            places = sorted(set(of_target.tolist()) - known)
            self.model.add(
                sum(self._has(service, place, instance.location) for place in places) >= needed
            )

    def dependency(self) -> None:
        """Every process has those it depends on in its neighbourhood."""
        instance = self.instance
        of_target = instance.neighbourhood[self.targets]
        places: dict[int, set[int]] = {}
        wanted = {s for pair in instance.dependency.tolist() for s in pair}
        for service in wanted:
            others = self.still[instance.service[self.still] == service]
            places[service] = set(instance.neighbourhood[self.around[others]].tolist())
        has: dict[tuple[int, int], cp_model.LinearExprT] = {}
        for dependent, needed in instance.dependency.tolist():
            if dependent not in self.members and needed not in self.members:
                continue
            # Where others of the dependent service stay, and wherever its free ones may come.
            for place in sorted(places[dependent] | set(of_target.tolist())):
                if place in places[needed] or dependent == needed:
                    continue
                key = (needed, place)
                if key not in has:
                    has[key] = self._has(needed, place, instance.neighbourhood)
                if place in places[dependent]:
                    self.model.add(has[key] >= 1)
                    continue
                for i in self.members.get(dependent, []):
                    self.model.add(self._here(i, place, of_target) <= has[key])

    # --- costs -------------------------------------------------------------------------------

    def load(self) -> None:
        """What is used beyond the safety capacity."""
        instance = self.instance
        for k, m in enumerate(self.targets.tolist()):
            for r in np.flatnonzero(instance.load_weight).tolist():
                amount = instance.requirement[self.free, r]
                room = int(instance.safety[m, r] - self.fixed_use[m, r])
                over = self._excess(self._sum(k, amount) - room, int(amount.sum()) - room)
                self.costs.append(int(instance.load_weight[r]) * over)
                self._auxiliary.append(partial(self._over, m, r))

    def balance(self) -> None:
        """What lacks of one resource for the use of another."""
        instance = self.instance
        for (r1, r2, target), weight in zip(
            instance.balance.tolist(), instance.balance_weight.tolist(), strict=True
        ):
            for k, m in enumerate(self.targets.tolist()):
                free1 = int(instance.capacity[m, r1] - self.fixed_use[m, r1])
                free2 = int(instance.capacity[m, r2] - self.fixed_use[m, r2])
                amount1 = instance.requirement[self.free, r1]
                amount2 = instance.requirement[self.free, r2]
                gain = amount2 - target * amount1
                lack = self._excess(
                    self._sum(k, gain) + target * free1 - free2,
                    int(np.maximum(gain, 0).sum()) + target * free1 - free2,
                )
                self.costs.append(weight * lack)
                self._auxiliary.append(partial(self._lack, m, r1, r2, target))

    def moves(self) -> None:
        """What moving costs: each process, each way, and the service that moves most."""
        instance = self.instance
        for i, p in enumerate(self.free.tolist()):
            home = int(instance.machine[p])
            for k, m in enumerate(self.targets.tolist()):
                price = instance.machine_weight * int(instance.machine_move_cost[home, m])
                if m != home:
                    price += instance.process_weight * int(instance.process_move_cost[p])
                literal = self.on[i][k]
                if price and literal is not None:
                    self.costs.append(price * literal)
        left = self.around != instance.machine
        left[self.free] = False
        fixed = np.bincount(instance.service[left], minlength=instance.num_services)
        unaffected = [int(fixed[s]) for s in range(len(fixed)) if s not in self.members]
        most = self.model.new_int_var(max(unaffected, default=0), instance.num_processes, "")
        for service, members in self.members.items():
            at_home = [
                literal
                for i in members
                for k in np.flatnonzero(self.targets == instance.machine[self.free[i]]).tolist()
                if (literal := self.on[i][k]) is not None
            ]
            self.model.add(most >= int(fixed[service]) + len(members) - sum(at_home))
        self.costs.append(instance.service_weight * most)
        self._auxiliary.append(self._most_moved)
        # Costs of what cannot change.
        self.constant += self._unchanged(left)

    # --- solutions ---------------------------------------------------------------------------

    def decode(self, values: Values) -> Assignment:
        """Assignment that the values of the model's variables stand for."""
        machine = self.around.copy()
        for i, row in enumerate(self.on):
            for k, literal in enumerate(row):
                if literal is not None and values[literal.index]:
                    machine[self.free[i]] = self.targets[k]
        return Assignment(machine)

    def encode(self, solution: Assignment) -> Values:
        """Values of all variables; ValueError if a process is where the model has no word for."""
        machine = solution.machine
        if not np.array_equal(machine[self.still], self.around[self.still]):
            raise ValueError("a process that is fixed is elsewhere")
        position = {m: k for k, m in enumerate(self.targets.tolist())}
        values: list[int] = []
        for i, row in enumerate(self.on):
            k = position.get(int(machine[self.free[i]]))
            if k is None or row[k] is None:
                raise ValueError(f"process {self.free[i]} cannot be on {machine[self.free[i]]}")
            values += [int(at == k) for at, literal in enumerate(row) if literal is not None]
        for compute in self._auxiliary:
            values += compute(machine)
        return np.array(values, dtype=np.int64)

    # --- parts -------------------------------------------------------------------------------

    def _sum(self, k: int, amount: LongArray) -> cp_model.LinearExprT:
        """Sum of *amount*, one for each free process, over those on target *k*."""
        pairs = [
            (literal, value)
            for row, value in zip(self.on, amount.tolist(), strict=True)
            if (literal := row[k]) is not None and value
        ]
        return cp_model.LinearExpr.weighted_sum(
            [literal for literal, _ in pairs], [value for _, value in pairs]
        )

    def _excess(self, of: cp_model.LinearExprT, most: int) -> cp_model.IntVar:
        """Variable that is at least *of*, which is at most *most*, and at least 0."""
        variable = self.model.new_int_var(0, max(0, most), "")
        self.model.add(variable >= of)
        return variable

    def _here(self, i: int, place: int, of_target: IntArray) -> cp_model.LinearExprT:
        """Whether free process *i* is on a target that is in *place*."""
        row = self.on[i]
        found = [row[k] for k in np.flatnonzero(of_target == place).tolist()]
        return cp_model.LinearExpr.sum([literal for literal in found if literal is not None])

    def _has(self, service: int, place: int, of_machine: IntArray) -> cp_model.IntVar:
        """Whether a free process of *service* is in *place*: true only if one is."""
        variable = self.model.new_bool_var("")
        members = self.members.get(service, [])
        of_target = of_machine[self.targets]
        self.model.add(variable <= sum(self._here(i, place, of_target) for i in members))
        processes = self.free[members] if members else np.zeros(0, dtype=np.int32)
        self._auxiliary.append(
            lambda machine: [int((of_machine[machine[processes]] == place).any())]
        )
        return variable

    def _over(self, m: int, r: int, machine: IntArray) -> list[int]:
        used = int(self.instance.requirement[machine == m, r].sum())
        return [max(0, used - int(self.instance.safety[m, r]))]

    def _lack(self, m: int, r1: int, r2: int, target: int, machine: IntArray) -> list[int]:
        used = self.instance.requirement[machine == m].sum(axis=0)
        free = (self.instance.capacity[m] - used).tolist()
        return [max(0, target * free[r1] - free[r2])]

    def _most_moved(self, machine: IntArray) -> list[int]:
        moved = self.instance.service[machine != self.instance.machine]
        return [int(np.bincount(moved, minlength=1).max())]

    def _unchanged(self, left: BoolArray) -> int:
        """Load and balance of machines that are no targets, and moves of fixed processes."""
        instance = self.instance
        rest = np.setdiff1d(np.arange(instance.num_machines), self.targets)
        used = self.fixed_use[rest]
        total = int((np.maximum(used - instance.safety[rest], 0) @ instance.load_weight).sum())
        free = instance.capacity[rest] - used
        first, second, target = instance.balance.T
        lack = np.maximum(target * free[:, first] - free[:, second], 0)
        total += int((lack @ instance.balance_weight).sum())
        total += instance.process_weight * int(instance.process_move_cost[left].sum())
        ways = instance.machine_move_cost[instance.machine[self.still], self.around[self.still]]
        return total + instance.machine_weight * int(ways.sum())
