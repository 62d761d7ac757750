"""Which task comes before which, read off the linear constraints of a model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import networkx as nx

from cpsched.propagation import layout as at
from cpsched.propagation.sections import ints

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cpsched.propagation import Network

_NO_TASK, _SEVERAL_TASKS = -1, -2


@dataclass(frozen=True, slots=True)
class Precedence:
    """An acyclic order on tasks.

    successors: of each task those that come right after it; order: all tasks, each behind those
    before it.
    """

    successors: list[list[int]]
    order: list[int]


def precedences(
    network: Network,
    constraints: Sequence[Any],
    task_of: Sequence[int],
    literals_of: Mapping[int, set[int]],
    num_tasks: int,
) -> Precedence:
    """Order on the tasks 0..num_tasks-1 in which "after" means "starts no earlier than".

    A constraint that implies ``y >= x + c`` with c >= 0, for the start y of one task and the start
    or end x of another, puts the former behind the latter. If it is enforced, it counts
    only if by presences of intervals of the two. Pairs on a cycle decide no order and are left
    out.

    Parameters
    ----------
    network, constraints
        What was read, and the constraints of the ``CpModelProto`` it was read from.
    task_of
        Task of each interval of the network, -1 for those that nobody decides.
    literals_of
        Literals that enforce an interval of a task; tasks without any may be missing.
    num_tasks
        Number of tasks.
    """
    order_of = _OrderOf(network, task_of, literals_of)
    for constraint in constraints if max(task_of, default=-1) >= 0 else ():
        if constraint.has_linear() and len(constraint.enforcement_literal):
            order_of.tie(constraint)
    successors: list[list[int]] = [[] for _ in range(num_tasks)]
    for constraint in constraints if max(task_of, default=-1) >= 0 else ():
        if constraint.has_linear():
            for before, after in order_of.pairs(constraint):
                successors[before].append(after)
    successors = [list(dict.fromkeys(after)) if len(after) > 1 else after for after in successors]
    order = _topological_order(successors)
    if len(order) < num_tasks:
        _cut_cycles(successors, set(range(num_tasks)).difference(order))
        order = _topological_order(successors)
    return Precedence(successors, order)


class _OrderOf:
    """Knows of each variable the one task that starts, or that starts or ends, at it."""

    def __init__(
        self, network: Network, task_of: Sequence[int], literals_of: Mapping[int, set[int]]
    ) -> None:
        num_variables = network.num_variables
        bounds = network.initial[at.HEADER :][: 2 * num_variables]
        self.lower: list[int] = bounds[::2].tolist()
        self.upper: list[int] = bounds[1::2].tolist()
        self.literals_of = literals_of
        self.starting = [_NO_TASK] * num_variables
        self.touching = [_NO_TASK] * num_variables
        table = network.interval_table
        for expr, places in (
            (at.START, (self.starting, self.touching)),
            (at.END, (self.touching,)),
        ):
            variables, coefficients = table[:, expr : expr + 2].T.tolist()
            for task, v, a in zip(task_of, variables, coefficients, strict=True):
                if task >= 0 and a == 1 and v < num_variables:
                    for place in places:
                        place[v] = task if place[v] in (_NO_TASK, task) else _SEVERAL_TASKS

    def tie(self, constraint: Any) -> None:
        """Note the variables that an alternative is tied to by an equality that it enforces.

        That is how a task with alternatives is written whose alternatives have variables of their
        own: ``start == local_start`` if the alternative is taken.
        """
        linear = constraint.linear
        coefficients, domain = ints(linear.coeffs), ints(linear.domain)
        if sorted(coefficients) != [-1, 1] or domain != [0, 0]:
            return
        literals = ints(constraint.enforcement_literal)
        for places in (self.starting, self.touching):
            one, other = ints(linear.vars)
            for local, tied in ((one, other), (other, one)):
                task = places[local]
                if (
                    task >= 0
                    and places[tied] == _NO_TASK
                    and self.literals_of.get(task, set()).issuperset(literals)
                ):
                    places[tied] = task

    def pairs(self, constraint: Any) -> list[tuple[int, int]]:
        """Pairs of tasks, the first before the second, that a linear constraint orders."""
        linear = constraint.linear
        variables, coefficients = ints(linear.vars), ints(linear.coeffs)
        found: list[tuple[int, int]] = []
        for sign in (1, -1):
            # sum of sign * a v >= limit, and of these terms one is a start.
            if coefficients.count(sign) != 1:
                continue
            place = coefficients.index(sign)
            after = self.starting[variables[place]]
            if after < 0:
                continue
            domain = ints(linear.domain)
            limit = domain[0] if sign > 0 else -domain[len(domain) - 1]
            for k, a in enumerate(coefficients):
                before = self.touching[variables[k]] if a == -sign else _NO_TASK
                if before < 0 or before == after:
                    continue
                rest = 0
                if len(variables) > 2:
                    rest = sum(
                        max(sign * b * self.lower[v], sign * b * self.upper[v])
                        for m, (v, b) in enumerate(zip(variables, coefficients, strict=True))
                        if m not in (k, place)
                    )
                if limit >= rest:
                    found.append((before, after))
        literals = ints(constraint.enforcement_literal) if found else ()
        if literals:
            found = [
                pair
                for pair in found
                if set().union(*(self.literals_of.get(t, ()) for t in pair)).issuperset(literals)
            ]
        return found


def _topological_order(successors: Sequence[Sequence[int]]) -> list[int]:
    """Tasks none of whose predecessors is on a cycle, each behind them (Kahn 1962)."""
    before = [0] * len(successors)
    for group in successors:
        for after in group:
            before[after] += 1
    order = [task for task, count in enumerate(before) if count == 0]
    # The list grows while it is read.
    for task in order:
        for after in successors[task]:
            before[after] -= 1
            if before[after] == 0:
                order.append(after)
    return order


def _cut_cycles(successors: list[list[int]], tasks: set[int]) -> None:
    """Take the pairs out that lie on cycles, all of which are among *tasks*."""
    graph: nx.DiGraph[int] = nx.DiGraph()
    graph.add_edges_from((task, after) for task in tasks for after in successors[task])
    component_of: dict[int, int] = {}
    for number, component in enumerate(nx.strongly_connected_components(graph)):
        component_of.update(dict.fromkeys(component, number))
    for task in tasks:
        successors[task] = [
            after for after in successors[task] if component_of[after] != component_of[task]
        ]
