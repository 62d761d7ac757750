"""Models for the tests of moves: random ones of every kind of constraint, and a start for each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from ortools.sat.python import cp_model

from cpsched.construct import assignment_decisions, formulation_of

if TYPE_CHECKING:
    from cpsched.formulation import Formulation


class _Draw:
    """A random model: items, and constraints over them and over variables that follow."""

    def __init__(self, rng: np.random.Generator, *, deep: bool) -> None:
        self.rng, self.model = rng, cp_model.CpModel()
        self.groups: list[list[Any]] = []
        self.bools: list[Any] = []
        self.ints: list[Any] = []
        for item in range(int(rng.integers(2, 5))):
            group = [
                self.model.new_bool_var(f"item{item}_{k}") for k in range(int(rng.integers(1, 4)))
            ]
            literals = [~x if rng.random() < 0.2 else x for x in group]
            if len(group) > 1 and rng.random() < 0.6:
                self.model.add_exactly_one(literals)
            else:
                self.model.add_at_most_one(literals)
            self.groups.append(group)
            self.bools += group
        self.decided = list(self.bools)
        parts = [self.linear, self.linear, self.clause, self.implication, self.xor, self.total]
        if deep:
            parts += [self.largest, self.reified, self.gap]
        for _ in range(int(rng.integers(1, 6))):
            parts[int(rng.integers(len(parts)))]()
        if rng.random() < 0.9:
            chosen = self.some(self.bools + self.ints, 1, 6)
            objective = sum(int(rng.integers(-5, 6)) * v for v in chosen) + int(rng.integers(9))
            if rng.random() < 0.5:
                self.model.minimize(objective)
            else:
                self.model.maximize(objective)

    def some(self, items: list[Any], low: int, high: int) -> list[Any]:
        count = min(int(self.rng.integers(low, high + 1)), len(items))
        return [items[int(i)] for i in self.rng.choice(len(items), count, replace=False)]

    def literals(self, low: int, high: int) -> list[Any]:
        return [~x if self.rng.random() < 0.4 else x for x in self.some(self.bools, low, high)]

    def sum(self, items: list[Any]) -> Any:
        return sum(int(self.rng.choice([-2, -1, 1, 1, 2, 3])) * v for v in items)

    def domain(self) -> cp_model.Domain:
        values = self.rng.choice(np.arange(-4, 9), int(self.rng.integers(5, 12)), replace=False)
        return cp_model.Domain.from_values(sorted(map(int, values)))

    def linear(self) -> None:
        total = self.sum(self.some(self.bools + self.ints, 2, 5))
        added = self.model.add_linear_expression_in_domain(total, self.domain())
        if self.rng.random() < 0.4:
            added.only_enforce_if(self.literals(1, 2))

    def clause(self) -> None:
        self.model.add_bool_or(self.literals(2, 4))

    def implication(self) -> None:
        self.model.add_bool_and(self.literals(1, 2)).only_enforce_if(self.literals(1, 2))

    def xor(self) -> None:
        self.model.add_bool_xor(self.literals(2, 4))

    def total(self) -> None:
        """A variable that an equation defines; now and then a Boolean one."""
        chosen = self.some(self.groups, 1, 1)[0]
        if self.rng.random() < 0.5:
            found = self.model.new_bool_var(f"total{len(self.bools)}")
            self.bools.append(found)
            self.model.add(found == sum(chosen))
        else:
            found = self.model.new_int_var_from_domain(self.domain(), f"total{len(self.ints)}")
            self.model.add(found + self.sum(self.some(self.bools + self.ints, 1, 3)) == 2)
            self.ints.append(found)

    def largest(self) -> None:
        found = self.model.new_int_var(-20, 20, f"largest{len(self.ints)}")
        self.model.add_max_equality(
            found, [self.sum(self.some(self.decided, 1, 3)) for _ in range(2)]
        )
        self.ints.append(found)

    def reified(self) -> None:
        found = self.model.new_bool_var(f"reified{len(self.bools)}")
        total = self.sum(self.some(self.bools + self.ints, 2, 4))
        self.model.add(total >= 1).only_enforce_if(found)
        self.model.add(total <= 0).only_enforce_if(~found)
        self.bools.append(found)

    def gap(self) -> None:
        """Twice a variable is a sum: it has a value where that is even."""
        found = self.model.new_int_var(-9, 9, f"half{len(self.ints)}")
        self.model.add(2 * found == self.sum(self.some(self.decided, 2, 3)))
        self.ints.append(found)


def random_moves(seed: int, *, deep: bool) -> tuple[cp_model.CpModel, list[int]]:
    """Model and a feasible start; all that is not decided follows from what is.

    deep: with maxima, reifications and equations with coefficients, too.
    """
    for attempt in range(1000):
        model = _Draw(np.random.default_rng([seed, attempt]), deep=deep).model
        solver = cp_model.CpSolver()
        solver.parameters.num_workers = 1
        solver.parameters.random_seed = seed
        free = model.clone()
        free.clear_objective()
        if solver.solve(free) in (cp_model.OPTIMAL, cp_model.FEASIBLE):
            return model, list(solver.response_proto.solution)
    raise ValueError(f"no model for seed {seed}")


def random_stairs(seed: int) -> tuple[cp_model.CpModel, list[int]]:
    """As ``random_moves``, with variables that only the objective presses against sums."""
    rng = np.random.default_rng([seed, 77])
    model, _ = random_moves(seed, deep=False)
    bits = [
        decision.literal for decision in assign(model).decisions if hasattr(decision, "literal")
    ]
    bools = [model.get_bool_var_from_proto_index(max(ref, -ref - 1)) for ref in bits]
    costs = [int(rng.integers(-3, 4)) * x for x in bools]
    minimise = rng.random() < 0.5
    for k in range(int(rng.integers(1, 4))):
        up = rng.random() < 0.5
        stair = model.new_int_var(-9, 9, f"stair{k}")
        for _ in range(int(rng.integers(1, 3))):
            chosen = rng.choice(
                len(bools), min(len(bools), int(rng.integers(1, 6))), replace=False
            )
            load = sum(int(rng.choice([-3, -2, 2, 5, 7])) * bools[i] for i in chosen.tolist())
            size, room = int(rng.integers(1, 5)), int(rng.integers(-4, 25))
            # Either way of writing the same bound.
            if up:
                held = size * stair + load <= room, -size * stair - load >= -room
            else:
                held = size * stair >= load - room, load - size * stair <= room
            model.add(held[int(rng.integers(2))])
        worth = int(rng.integers(1, 9)) * (1 if up else -1)
        costs.append((-worth if minimise else worth) * stair)
    (model.minimize if minimise else model.maximize)(sum(costs))
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    free = model.clone()
    free.clear_objective()
    if solver.solve(free) not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return random_stairs(seed + 1000)
    return model, list(solver.response_proto.solution)


def pods(
    seed: int, num_pods: int, num_nodes: int, resources: int = 2
) -> tuple[cp_model.CpModel, list[int]]:
    """A cluster, first fit: pods without a place cost much, moves little."""
    rng = np.random.default_rng(seed)
    model = cp_model.CpModel()
    request = rng.integers(100, 1000, (num_pods, resources))
    capacity = max(int(request.max()), int(request.sum(axis=0).max() / num_nodes))
    free = np.full((num_nodes, resources), capacity)
    on = np.full(num_pods, -1)
    for pod in range(num_pods):
        fits = np.flatnonzero((request[pod] <= free).all(axis=1))
        if len(fits):
            on[pod] = fits[0]
            free[fits[0]] -= request[pod]
    place = [
        [model.new_bool_var(f"pod{pod}_node{node}") for node in range(num_nodes)]
        for pod in range(num_pods)
    ]
    for literals in place:
        model.add_at_most_one(literals)
    for node in range(num_nodes):
        for r in range(resources):
            model.add(
                sum(int(request[pod, r]) * place[pod][node] for pod in range(num_pods)) <= capacity
            )
    moved = sum(
        place[pod][node]
        for pod in range(num_pods)
        for node in range(num_nodes)
        if on[pod] >= 0 and node != on[pod]
    )
    model.minimize(1000 * sum(1 - sum(literals) for literals in place) + moved)
    return model, [int(on[pod] == node) for pod in range(num_pods) for node in range(num_nodes)]


def fragments(seed: int, items: int, bins: int) -> tuple[cp_model.CpModel, list[int]]:
    """What is left in each bin beyond a multiple of 16 is wasted, and to be minimised."""
    rng = np.random.default_rng(seed)
    model = cp_model.CpModel()
    sizes = rng.choice([1, 2, 4, 8], items).tolist()
    on = rng.integers(bins, size=items)
    used = np.bincount(on, weights=sizes, minlength=bins).astype(int)
    place = [[model.new_bool_var(f"vm{i}_pm{b}") for b in range(bins)] for i in range(items)]
    for literals in place:
        model.add_exactly_one(literals)
    wasted = []
    for b in range(bins):
        capacity = int(used[b] + rng.integers(16, 40))
        blocks = model.new_int_var(0, capacity, f"blocks{b}")
        wasted.append(model.new_int_var(0, 15, f"wasted{b}"))
        load = sum(sizes[i] * place[i][b] for i in range(items))
        model.add(load + 16 * blocks + wasted[b] == capacity)
    model.minimize(sum(wasted))
    start = [int(on[i] == b) for i in range(items) for b in range(bins)]
    return model, start + [0] * (2 * bins)


def assign(model: cp_model.CpModel) -> Formulation[Any]:
    """Formulation of a model that assigns."""
    return formulation_of(model, assignment_decisions(model.proto))
