"""Which task comes before which, read off the constraints of a model."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import networkx as nx

from cpsched.propagation import layout as at
from cpsched.propagation.sections import ints

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cpsched.propagation import Network

#: Literals, all of which are true.
Literals: TypeAlias = frozenset[int]
_ALWAYS: Literals = frozenset()
#: Variables that are looked at, at most, to find the tasks behind one, and pairs of modes.
_MOST_VARIABLES, _MOST_MODES = 1000, 2000
#: Bounds beyond this say nothing.
_UNLIMITED = 2**60


@dataclass(frozen=True, slots=True)
class Precedence:
    """An acyclic order on tasks.

    successors: of each task those that come right after it; order: all tasks, each behind those
    before it.
    """

    successors: list[list[int]]
    order: list[int]


@dataclass(frozen=True, slots=True)
class Tasks:
    """What an order has to know of tasks 0..count-1.

    of_interval: task of each interval of the network, -1 for those that nobody decides; modes:
    literals of the intervals of a task, tasks whose only interval is always present may be
    missing; literals: of each interval that may be absent; doubtful: tasks that may end with
    none of their intervals present; rejectable: those of them with a decision for that.
    """

    count: int
    of_interval: list[int]
    literals: dict[int, Literals] = field(default_factory=dict)
    modes: dict[int, set[Literals]] = field(default_factory=dict)
    doubtful: set[int] = field(default_factory=set)
    rejectable: set[int] = field(default_factory=set)


def precedences(network: Network, constraints: Sequence[Any], tasks: Tasks) -> Precedence:
    """Order on *tasks* in which "after" means "starts no earlier than".

    Constraints that imply ``y >= x + c`` with c >= 0, for the start y of one task and the start or
    end x of another, put the former behind the latter, also if they do so together, by way of
    variables of no task. What is enforced by literals counts only if those hold in every mode of
    one of the two tasks. Pairs on a cycle decide no order and are left out.

    That a task comes after one that may be absent says nothing about those before the latter, once
    it is absent. So it is put behind it only if it is absent with it, or if nothing else is before
    that one, which can then be rejected at any time.
    """
    order_of = _OrderOf(network, tasks)
    if tasks.count and max(tasks.of_interval, default=-1) >= 0:
        order_of.read(constraints)
    successors = order_of.successors()
    order = _topological_order(successors)
    if len(order) < tasks.count:
        _cut_cycles(successors, set(range(tasks.count)).difference(order))
        order = _topological_order(successors)
    return Precedence(successors, order)


#: (task, offset, literals): the task starts, or ends, at a variable plus the offset, if the
#: literals are true.
_Place: TypeAlias = tuple[int, int, Literals]
#: (later, earlier, lag, literals): later >= earlier + lag for two variables, if the literals are
#: true.
_Relation: TypeAlias = tuple[int, int, int, Literals]


class _OrderOf:
    def __init__(self, network: Network, tasks: Tasks) -> None:
        num_variables = network.num_variables
        bounds = network.initial[at.HEADER :][: 2 * num_variables]
        self.lower: list[int] = bounds[::2].tolist()
        self.upper: list[int] = bounds[1::2].tolist()
        self.present: list[bool] = (network.initial[at.HEADER :: 2] == 1).tolist()
        self.table: list[list[int]] = network.interval_table.tolist()
        self.tasks = tasks
        self.starting: dict[int, list[_Place]] = {}
        self.ending: dict[int, list[_Place]] = {}
        # Variables at which a task starts that is present for sure. What is before its start is
        # before the task.
        self.started: set[int] = set()
        self.relations: list[_Relation] = []
        self.behind: dict[int, list[_Relation]] = {}
        self.reached: dict[int, list[_Place]] = {}

    def read(self, constraints: Sequence[Any]) -> None:
        """Find the places of the tasks, and the relations between variables."""
        linear, equalities = [], []
        for constraint in constraints:
            if constraint.has_linear():
                linear.append(constraint)
                if len(constraint.enforcement_literal):
                    equalities += self._equality(constraint)
        self.starting = self._places(at.START, equalities)
        self.ending = self._places(at.END, equalities)
        for constraint in linear:
            self._add_linear(constraint)
        for constraint in constraints:
            if constraint.has_lin_max():
                self._add_max(constraint)
        self._add_undecided()
        doubtful = self.tasks.doubtful
        self.started = {
            v
            for v, places in self.starting.items()
            if any(not literals and task not in doubtful for task, _, literals in places)
        }
        for relation in self.relations:
            if relation[2] >= 0 and relation[0] not in self.started:
                self.behind.setdefault(relation[0], []).append(relation)

    # Places of tasks -----------------------------------------------------------------------------

    @staticmethod
    def _equality(constraint: Any) -> list[tuple[int, int, int, Literals]]:
        """(variable, other, lag, literals): the former equals the other plus a lag; both ways.

        That is how a task with alternatives is written whose alternatives have variables of their
        own: ``start == local_start`` if the alternative is taken.
        """
        linear = constraint.linear
        coefficients, domain = ints(linear.coeffs), ints(linear.domain)
        if len(domain) != 2 or domain[0] != domain[1] or sorted(coefficients) != [-1, 1]:
            return []
        variables, lag = ints(linear.vars), domain[0]
        if coefficients[0] < 0:
            variables.reverse()
        literals = frozenset(ints(constraint.enforcement_literal))
        one, other = variables
        return [(one, other, lag, literals), (other, one, -lag, literals)]

    def _places(
        self, expr: int, equalities: Sequence[tuple[int, int, int, Literals]]
    ) -> dict[int, list[_Place]]:
        """Variables at which a start or end lies, by themselves or by enforced equalities."""
        places: dict[int, list[_Place]] = {}
        # Of tasks with several modes: those in which the task is at the variable.
        modes_at: dict[tuple[int, int, int], set[Literals]] = {}
        locals_of: dict[int, list[tuple[int, int, Literals]]] = {}
        several, literals_of = self.tasks.modes, self.tasks.literals
        num_variables = len(self.lower)
        for interval, task in enumerate(self.tasks.of_interval):
            row = self.table[interval]
            v, a, offset = row[expr : expr + 3]
            if task < 0 or a != 1 or v >= num_variables:
                continue
            if expr == at.END and v == row[at.START] and row[at.START + 1] == 1:
                # Says no more than the start.
                continue
            if task not in several:
                places.setdefault(v, []).append((task, offset, _ALWAYS))
                continue
            literals = literals_of.get(interval, _ALWAYS)
            modes_at.setdefault((v, task, offset), set()).add(literals)
            locals_of.setdefault(v, []).append((task, offset, literals))
        for local, tied, lag, literals in equalities:
            for task, offset, mode in locals_of.get(local, ()):
                if mode.issuperset(literals):
                    modes_at.setdefault((tied, task, offset + lag), set()).add(mode)
        for (v, task, offset), modes in modes_at.items():
            group = places.setdefault(v, [])
            if modes == several[task]:
                group.append((task, offset, _ALWAYS))
            else:
                group += [(task, offset, mode) for mode in sorted(modes, key=sorted)]
        return places

    # Relations between variables -----------------------------------------------------------------

    def _add_linear(self, constraint: Any) -> None:
        """Relations that a linear constraint implies, its other terms being at their bounds."""
        linear = constraint.linear
        variables, coefficients = ints(linear.vars), ints(linear.coeffs)
        if len(variables) < 2:
            return
        domain = ints(linear.domain)
        least, most = domain[0], domain[len(domain) - 1]
        literals = frozenset(ints(constraint.enforcement_literal))
        if len(variables) == 2:
            one, other = variables
            if coefficients == [-1, 1]:
                one, other = other, one
            elif coefficients != [1, -1]:
                return
            if least > -_UNLIMITED:
                self.relations.append((one, other, least, literals))
            if most < _UNLIMITED:
                self.relations.append((other, one, -most, literals))
            return
        for sign, limit in ((1, least), (-1, -most)):
            # sum of sign * a v >= limit.
            if limit < -_UNLIMITED or (len(variables) > 3 and coefficients.count(sign) != 1):
                continue
            largest = [
                max(sign * a * self.lower[v], sign * a * self.upper[v])
                for v, a in zip(variables, coefficients, strict=True)
            ]
            total = sum(largest)
            for place, a in enumerate(coefficients):
                if a != sign:
                    continue
                for k, b in enumerate(coefficients):
                    if b == -sign:
                        rest = total - largest[place] - largest[k]
                        self.relations.append(
                            (variables[place], variables[k], limit - rest, literals)
                        )

    def _add_max(self, constraint: Any) -> None:
        """The greatest of some expressions is no less than each of them; so for the least."""
        target = constraint.lin_max.target
        sign = ints(target.coeffs)
        if sign not in ([1], [-1]):
            return
        literals = frozenset(ints(constraint.enforcement_literal))
        (of_target,), offset = ints(target.vars), int(target.offset)
        for expr in constraint.lin_max.exprs:
            if ints(expr.coeffs) == sign:
                (v,), lag = ints(expr.vars), int(expr.offset) - offset
                ends = (of_target, v) if sign == [1] else (v, of_target)
                self.relations.append((*ends, lag, literals))

    def _add_undecided(self) -> None:
        """An interval that nobody decides, such as a transport, ends no earlier than it starts."""
        num_variables = len(self.lower)
        for task, row in zip(self.tasks.of_interval, self.table, strict=True):
            if task >= 0 or row[at.PRESENCE] < 0 or not self.present[row[at.PRESENCE]]:
                continue
            (v, a, b), (w, c, d) = row[at.START : at.START + 3], row[at.END : at.END + 3]
            if a == 1 == c and v != w and max(v, w) < num_variables:
                self.relations.append((w, v, b - d, _ALWAYS))

    # Order ---------------------------------------------------------------------------------------

    def _reach(self, variable: int) -> list[_Place]:
        """Tasks that have started at *variable*, by itself or by way of others.

        The offset of each is how much later than the variable it may start at most.
        """
        known = self.reached.get(variable)
        if known is not None:
            return known
        if variable in self.started and variable not in self.ending:
            return self.starting[variable]
        found: list[_Place] = []
        stack = [(variable, 0, _ALWAYS)]
        seen = {(variable, _ALWAYS)}
        while stack:
            v, lag, literals = stack.pop()
            for places in (self.starting, self.ending):
                for task, offset, others in places.get(v, ()):
                    found.append((task, offset - lag, literals | others))
            for _, earlier, more, others in self.behind.get(v, ()):
                key = (earlier, literals | others)
                if key not in seen and len(seen) < _MOST_VARIABLES:
                    seen.add(key)
                    stack.append((earlier, lag + more, key[1]))
        self.reached[variable] = found
        return found

    def _pairs(self) -> Iterator[tuple[int, int, Literals]]:
        """Pairs of tasks, the first before the second if literals are true."""
        for later, earlier, lag, literals in self.relations:
            for after, offset, others in self.starting.get(later, ()):
                for before, latest, further in self._reach(earlier):
                    if before != after and lag + offset >= latest:
                        yield before, after, literals | others | further
        # One task starts at the variable at which another ends.
        for v in self.ending.keys() & self.starting.keys() if self.ending else ():
            for after, offset, others in self.starting[v]:
                for before, latest, further in self.ending[v]:
                    if before != after and offset >= latest:
                        yield before, after, others | further

    def successors(self) -> list[list[int]]:
        """Tasks right after each task; there may be cycles."""
        doubtful = self.tasks.doubtful
        found: list[list[int]] = [[] for _ in range(self.tasks.count)]
        enforced: dict[tuple[int, int], list[Literals]] = {}
        for before, after, literals in self._pairs():
            if literals or before in doubtful:
                enforced.setdefault((before, after), []).append(literals)
            else:
                found[before].append(after)
        pending: list[tuple[int, int]] = []
        for (before, after), several in enforced.items():
            if not self._holds(before, after, several):
                continue
            if before not in doubtful or self._absent_with(before, after):
                found[before].append(after)
            else:
                pending.append((before, after))
        for before, after in self._harmless(found, pending) if pending else ():
            found[before].append(after)
        return [list(dict.fromkeys(group)) if len(group) > 1 else group for group in found]

    def _harmless(
        self, found: Sequence[Sequence[int]], pending: Sequence[tuple[int, int]]
    ) -> list[tuple[int, int]]:
        """Those of the *pending* pairs whose first task can be rejected at any time.

        That is if nothing but what is rejected with it comes before it, and if some task that is
        rejected with it, which then takes the decision, has nothing before it at all.
        """
        pairs = [(before, after) for before, group in enumerate(found) for after in group]
        pairs += pending
        behind = {after for _, after in pairs}
        stack = [t for before, t in pairs if self._presence(before) != self._presence(t)]
        late: set[int] = set()
        while stack:
            task = stack.pop()
            if task not in late:
                late.add(task)
                presence = self._presence(task)
                stack += [after for after in found[task] if self._presence(after) == presence]
        rejectable = {self._presence(task) for task in self.tasks.rejectable}
        free = {self._presence(task) for task in self.tasks.doubtful - behind} & rejectable
        return [
            (before, after)
            for before, after in pending
            if before not in late and self._presence(before) in free
        ]

    def _presence(self, task: int) -> frozenset[Literals] | int:
        """The same of tasks that are present or absent together, else the task."""
        return frozenset(self.tasks.modes[task]) if task in self.tasks.doubtful else task

    def _modes(self, task: int) -> set[Literals]:
        return self.tasks.modes.get(task, {_ALWAYS})

    def _holds(self, before: int, after: int, several: Sequence[Literals]) -> bool:
        """Whether some of *several* are true however the two tasks are done."""
        if _ALWAYS in several:
            return True

        def sure(mode: Literals) -> bool:
            return any(mode.issuperset(literals) for literals in several)

        one, other = self._modes(before), self._modes(after)
        if all(map(sure, one)) or all(map(sure, other)):
            return True
        return len(one) * len(other) <= _MOST_MODES and all(
            sure(mode | second) for mode in one for second in other
        )

    def _absent_with(self, before: int, after: int) -> bool:
        """Whether the one task is present whenever the other is."""
        modes = self._modes(before)
        return all(any(mode <= other for mode in modes) for other in self._modes(after))


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
