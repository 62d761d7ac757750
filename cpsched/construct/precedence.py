"""Which task comes before which, read off the linear constraints of a model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import networkx as nx

from cpsched.propagation.sections import ints

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Precedence:
    """An acyclic order on tasks.

    successors: of each task those that come right after it; order: all tasks, each behind those
    before it.
    """

    successors: list[list[int]]
    order: list[int]


def precedences(
    constraints: Sequence[Any],
    lower: Sequence[int],
    upper: Sequence[int],
    task_of_interval: Mapping[int, int],
    num_tasks: int,
) -> Precedence:
    """Order on the tasks 0..num_tasks-1 in which "after" means "starts no earlier than".

    A constraint that implies ``y >= x + c`` with c >= 0, for the start y of one task and the start
    or end x of another, puts the former behind the latter. If it is enforced, it counts
    only if by presences of intervals of the two. Pairs on a cycle decide no order and are left
    out.

    Parameters
    ----------
    constraints
        Those of the ``CpModelProto``.
    lower, upper
        Bounds of its variables.
    task_of_interval
        Task by index of the interval constraint, for the intervals that are decisions.
    num_tasks
        Number of tasks.
    """
    starts: dict[int, set[int]] = {}
    anywhere: dict[int, set[int]] = {}
    presences: dict[int, set[int]] = {}
    for index, task in task_of_interval.items():
        constraint = constraints[index]
        literals = ints(constraint.enforcement_literal)
        if literals:
            presences.setdefault(task, set()).update(literals)
        interval = constraint.interval
        for expr, places in ((interval.start, (starts, anywhere)), (interval.end, (anywhere,))):
            variables = ints(expr.vars)
            if len(variables) == 1 and expr.coeffs[0] == 1:
                for place in places:
                    place.setdefault(variables[0], set()).add(task)
    successors: list[list[int]] = [[] for _ in range(num_tasks)]
    for constraint in constraints if starts else ():
        if not constraint.has_linear():
            continue
        for first, second in _implied(constraint.linear, lower, upper, starts, anywhere):
            literals = ints(constraint.enforcement_literal)
            known = presences.get(first, set()) | presences.get(second, set())
            if known.issuperset(literals):
                successors[first].append(second)
    successors = [list(dict.fromkeys(after)) if len(after) > 1 else after for after in successors]
    order = _topological_order(successors)
    if len(order) < num_tasks:
        _cut_cycles(successors, set(range(num_tasks)).difference(order))
        order = _topological_order(successors)
    return Precedence(successors, order)


def _implied(
    linear: Any,
    lower: Sequence[int],
    upper: Sequence[int],
    starts: Mapping[int, set[int]],
    anywhere: Mapping[int, set[int]],
) -> list[tuple[int, int]]:
    """Pairs of tasks that a linear constraint orders where it holds."""
    found: list[tuple[int, int]] = []
    variables, coefficients = ints(linear.vars), ints(linear.coeffs)
    domain = ints(linear.domain)
    for sign, limit in ((1, domain[0]), (-1, -domain[len(domain) - 1])):
        # sum of sign * a v >= limit.
        if coefficients.count(sign) != 1 or -sign not in coefficients:
            continue
        place = coefficients.index(sign)
        after = starts.get(variables[place])
        if after is None or len(after) > 1:
            continue
        (second,) = after
        for k, a in enumerate(coefficients):
            before = anywhere.get(variables[k]) if a == -sign else None
            if before is None or len(before) > 1:
                continue
            rest = 0
            if len(variables) > 2:
                rest = sum(
                    max(sign * b * lower[v], sign * b * upper[v])
                    for m, (v, b) in enumerate(zip(variables, coefficients, strict=True))
                    if m not in (k, place)
                )
            (first,) = before
            if limit >= rest and first != second:
                found.append((first, second))
    return found


def _topological_order(successors: Sequence[Sequence[int]]) -> list[int]:
    """Tasks none of whose predecessors is on a cycle, each behind them (Kahn 1962)."""
    before = [0] * len(successors)
    for after in successors:
        for task in after:
            before[task] += 1
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
