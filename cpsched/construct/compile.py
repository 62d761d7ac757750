"""Lays a formulation out for the kernels: network, decisions, tasks, nodes, root state."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import networkx as nx
import numpy as np

from cpsched.construct import layout as at
from cpsched.construct.kernels import begin
from cpsched.construct.precedence import Precedence, Tasks, precedences
from cpsched.errors import InputError, StopRequestedError
from cpsched.formulation import Assign, Decision, Formulation, Reject, Start
from cpsched.propagation import (
    DisjunctiveRule,
    InfeasibleModelError,
    Network,
    Propagator,
    read_network,
)
from cpsched.propagation import layout as net
from cpsched.propagation.entry import forget_changes
from cpsched.propagation.sections import Ints, Sections, ints

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    from cpsched.formulation import Values


@dataclass(frozen=True, eq=False)
class Construction:
    """A formulation ready to be decided step by step.

    static, root: arrays S and T of the two layouts, the latter propagated, with the decisions that
    have no predecessors eligible; network: what the propagator read; task_of: task of each
    decision; order: shape (2, num_pairs), task and a task right after it; nodes: index in the
    model of the constraint of each constraint node; edges: shape (2, num_edges), decision and
    constraint node; arcs: shape (2, num_arcs), decision and a decision of a task after it.
    """

    formulation: Formulation[Any]
    static: Values
    root: Values
    network: Network
    task_of: tuple[int, ...]
    order: npt.NDArray[np.int32]
    nodes: tuple[int, ...]
    edges: npt.NDArray[np.int32]
    arcs: npt.NDArray[np.int32]

    @property
    def num_decisions(self) -> int:
        """Number of decisions."""
        return len(self.task_of)

    @cached_property
    def precedence(self) -> nx.DiGraph[int]:
        """Graph on the tasks, an edge to those right after each."""
        graph: nx.DiGraph[int] = nx.DiGraph()
        graph.add_nodes_from(range(max(self.task_of, default=-1) + 1))
        graph.add_edges_from(self.order.T.tolist())
        return graph


def compile_formulation(
    formulation: Formulation[Any],
    rules: DisjunctiveRule = DisjunctiveRule.NONE,
    stop: Callable[[], bool] = lambda: False,
) -> Construction:
    """Construction of *formulation*, with the disjunctive *rules* on; stop: see ``read_network``.

    Raises InfeasibleModelError if root propagation proves that the model has no solution, and as
    ``read_network`` does.
    """
    return _Compiler(formulation, read_network(formulation.model, rules, stop), stop).compile()


class _Compiler:
    def __init__(
        self, formulation: Formulation[Any], network: Network, stop: Callable[[], bool]
    ) -> None:
        self.formulation = formulation
        self.stop = stop
        self.network = network
        self.decisions = formulation.decisions
        self.constraints = list(formulation.model.proto.constraints)
        self.bounds = network.initial[net.HEADER :][: 2 * network.static[net.NUM_VARS]]
        self.intervals = network.interval_table

    def compile(self) -> Construction:
        self.kind, self.reference = self._references()
        self.starts = np.flatnonzero(self.kind == at.START)
        self.size = np.zeros(len(self.decisions), np.int64)
        self.size[self.starts] = self._sizes(self.reference[self.starts])
        self.literals = self._literals()
        self.task_of = self._tasks()
        task = np.array(self.task_of, dtype=np.int64)
        self.num_tasks = max(self.task_of, default=-1) + 1
        self._poll()
        tasks = self._modes(task)
        precedence = precedences(self.network, self.constraints, tasks)
        if tasks.rejectable:
            self._reject_early(tasks, precedence)
            task = np.array(self.task_of, dtype=np.int64)
        self._poll()
        tail, tail_tasks = self._tails(precedence, task)
        due, weight = self.formulation.due, self.formulation.weight
        self._check_attributes()
        columns = np.broadcast_arrays(
            self.kind,
            self.reference,
            task,
            self.size + tail[task],
            1 + tail_tasks[task],
            at.NO_DUE if due is None else due,
            1 if weight is None else weight,
            self._costs(),
        )
        table = np.stack(columns, axis=1).astype(np.int64)
        nodes, edges = self._nodes()
        self._poll()
        static, root = self._lay_out(precedence, task, table, nodes, edges)
        if not begin(static, root, np.zeros(0, np.int64)):
            failure = Propagator(self.network).failure
            raise InfeasibleModelError(f"the model has no solution: {failure}")
        forget_changes(static, root)
        earliest = self._earliest(root)
        origin = int(earliest.min()) if len(earliest) else 0
        static[at.ORIGIN] = origin
        static[at.SCALE] = self._scale(earliest - origin, table)
        ready = static[at.T_READY]
        root[ready : ready + self.num_tasks] = origin
        static[at.WORST] = self._worst(root)
        order = np.array(
            [
                (before, after)
                for before, group in enumerate(precedence.successors)
                for after in group
            ],
            dtype=np.int64,
        ).reshape(-1, 2)
        return Construction(
            formulation=self.formulation,
            static=static,
            root=root,
            network=self.network,
            task_of=tuple(self.task_of),
            order=_read_only(order.T),
            nodes=tuple(source for source, _ in nodes),
            edges=_read_only(edges[:, :2].T),
            arcs=_read_only(self._arcs(order, task)),
        )

    def _poll(self) -> None:
        if self.stop():
            raise StopRequestedError("preparing the decisions was stopped")

    # Decisions and tasks -------------------------------------------------------------------------

    def _references(self) -> tuple[Ints, Ints]:
        """Kind of each decision, and its interval, literal or 0."""
        kind: list[int] = []
        reference: list[int] = []
        intervals = self.network.intervals
        for number, decision in enumerate(self.decisions):
            if isinstance(decision, Start):
                if decision.interval not in intervals:
                    raise InputError(
                        f"decision {number}, {decision}: constraint {decision.interval} is no "
                        "interval"
                    )
                kind.append(at.START)
                reference.append(intervals[decision.interval])
            elif isinstance(decision, Assign):
                self._check_literals(number, decision, (decision.literal,))
                kind.append(at.ASSIGN)
                reference.append(decision.literal)
            elif isinstance(decision, Reject):
                self._check_literals(number, decision, decision.literals)
                kind.append(at.REJECT)
                reference.append(0)
            else:
                raise InputError(
                    f"decision {number}, {decision!r}, is a {type(decision).__name__}: there are "
                    "Start, Assign and Reject"
                )
        return np.array(kind, dtype=np.int64), np.array(reference, dtype=np.int64)

    def _check_literals(self, number: int, decision: Decision, literals: Sequence[Any]) -> None:
        """Raise InputError unless all are references to Boolean variables of the model."""
        for ref in literals:
            if not isinstance(ref, (int, np.integer)):
                raise InputError(f"decision {number}, {decision}: {ref!r} is no literal")
            v = ref if ref >= 0 else -ref - 1
            if v >= self.network.num_variables:
                raise InputError(
                    f"decision {number}, {decision}: the model has no variable {v}, only "
                    f"{self.network.num_variables}"
                )
            lower, upper = self.bounds[2 * v : 2 * v + 2].tolist()
            if lower < 0 or upper > 1:
                raise InputError(
                    f"decision {number}, {decision}: variable {v} is not Boolean but in "
                    f"{lower}..{upper}"
                )

    def _check_attributes(self) -> None:
        """Raise InputError unless due, weight and features fit the decisions."""
        count = len(self.decisions)
        for name in ("due", "weight", "features"):
            value = getattr(self.formulation, name)
            if value is None:
                continue
            shape = np.shape(value)
            if name == "features":
                if len(shape) != 2 or shape[0] != count:
                    raise InputError(
                        f"features must have a row for each of the {count} decisions, not shape "
                        f"{shape}"
                    )
            elif shape != (count,):
                raise InputError(
                    f"{name} must have an entry for each of the {count} decisions, not shape "
                    f"{shape}"
                )
            if not np.isfinite(value).all():
                raise InputError(f"{name} must be finite")

    def _tasks(self) -> list[int]:
        """Task of each decision: alternatives of an exactly-one, and what rejects them.

        Of the intervals that one literal makes present, the first and those with the same start
        are the alternative; others, such as the second operation of an accepted order, are tasks
        of their own, that are dropped with the literal.
        """
        if not any(self.literals):
            return list(range(len(self.decisions)))
        by_literal: dict[int, list[int]] = {}
        by_presence: dict[frozenset[int], list[int]] = {}
        for d, (kind, literals) in enumerate(zip(self.kind.tolist(), self.literals, strict=True)):
            if kind == at.START and literals:
                by_presence.setdefault(frozenset(literals), []).append(d)
            if kind != at.REJECT:
                for ref in literals:
                    by_literal.setdefault(ref, []).append(d)
        # Union-find in which the root of a set is its first decision.
        parent = list(range(len(self.decisions)))

        def root(d: int) -> int:
            while parent[d] != d:
                parent[d] = parent[parent[d]]
                d = parent[d]
            return d

        def join(group: Sequence[int]) -> None:
            for d in group[1:]:
                one, other = root(group[0]), root(d)
                parent[max(one, other)] = min(one, other)

        row = self.intervals[self.reference[self.starts]]
        tied = row[:, net.TIED] > 0
        variable = np.where(tied, row[:, net.TIED] - 1, row[:, net.START])
        coefficient = np.where(tied, 1, row[:, net.START + 1])
        places = np.stack((variable, coefficient, row[:, net.START + 2]), axis=1).tolist()
        start_of = dict(zip(self.starts.tolist(), places, strict=True))

        def together(starts: Sequence[int], like: Sequence[int]) -> list[int]:
            """Those of some starts that start as the first of *like* does, or as their first."""
            for first in (*like[:1], starts[0]):
                found = [d for d in starts if start_of[d] == start_of[first]]
                if found:
                    break
            return found

        def alternatives(literals: Sequence[int]) -> list[int]:
            """One decision, or several with the same start, for each literal."""
            found: list[int] = []
            for ref in literals:
                decided = by_literal.get(ref, [])
                starts = by_presence.get(frozenset((ref,))) or [
                    d for d in decided if self.kind[d] == at.START
                ]
                if starts:
                    found += together(starts, found)
                found += [d for d in decided if self.kind[d] == at.ASSIGN]
            return found

        for d, decision in enumerate(self.decisions):
            if isinstance(decision, Reject):
                starts = by_presence.get(frozenset(decision.literals))
                join([d, *(together(starts, ()) if starts else alternatives(decision.literals))])
        claimed: set[int] = set()
        for constraint in self.constraints:
            if constraint.has_exactly_one():
                group = [
                    ref for ref in ints(constraint.exactly_one.literals) if ref not in claimed
                ]
                found = alternatives(group)
                if found:
                    claimed.update(group)
                    join(found)
        # Tasks are numbered by their first decision.
        number: dict[int, int] = {}
        return [number.setdefault(root(d), len(number)) for d in range(len(parent))]

    def _modes(self, task: Ints) -> Tasks:
        """What an order has to know of the tasks."""
        of_interval = np.full(len(self.intervals), -1)
        of_interval[self.reference[self.starts]] = task[self.starts]
        tasks = Tasks(self.num_tasks, of_interval.tolist())
        optional = [d for d in self.starts.tolist() if self.literals[d]]
        if not optional:
            return tasks
        task_of: dict[int, int] = {}
        for d in optional:
            literals = frozenset(self.literals[d])
            tasks.literals[int(self.reference[d])] = literals
            tasks.modes.setdefault(self.task_of[d], set()).add(literals)
        for d in self.starts.tolist():
            if not self.literals[d] and self.task_of[d] in tasks.modes:
                tasks.modes[self.task_of[d]].add(frozenset())
        for t, modes in tasks.modes.items():
            for literals in modes:
                if len(literals) == 1:
                    task_of.setdefault(next(iter(literals)), t)
        rejected = {self.task_of[d] for d in np.flatnonzero(self.kind == at.REJECT).tolist()}
        tasks.rejectable.update(rejected.intersection(tasks.modes))
        tasks.doubtful.update(tasks.modes)
        for constraint in self.constraints:
            if constraint.has_exactly_one() and not len(constraint.enforcement_literal):
                literals = frozenset(ints(constraint.exactly_one.literals))
                for t in {task_of.get(ref, -1) for ref in literals}:
                    if t >= 0 and all(frozenset((ref,)) in tasks.modes[t] for ref in literals):
                        tasks.doubtful.discard(t)
        tasks.doubtful.update(tasks.rejectable)
        return tasks

    def _reject_early(self, tasks: Tasks, precedence: Precedence) -> None:
        """Reject tasks that are present together in the first of them, before any has started."""
        first: dict[frozenset[frozenset[int]], int] = {}
        for t in precedence.order:
            if t in tasks.doubtful:
                first.setdefault(frozenset(tasks.modes[t]), t)
        for d in np.flatnonzero(self.kind == at.REJECT).tolist():
            t = self.task_of[d]
            if t in tasks.modes:
                self.task_of[d] = first[frozenset(tasks.modes[t])]

    def _literals(self) -> list[Sequence[int]]:
        """Literals that each decision makes true or, rejecting, false."""
        found: list[Sequence[int]] = []
        # An interval without enforcement has an auxiliary variable, fixed at 1, as its presence.
        num_variables = self.network.num_variables
        presences = self.intervals[:, net.PRESENCE].tolist()
        for decision, interval in zip(self.decisions, self.reference.tolist(), strict=True):
            if isinstance(decision, Assign):
                found.append((decision.literal,))
            elif isinstance(decision, Reject):
                found.append(decision.literals)
            elif presences[interval] < num_variables:
                found.append((presences[interval],))
            elif self.bounds[2 * presences[interval]] == 1:
                found.append(())
            else:
                found.append(ints(self.constraints[decision.interval].enforcement_literal))
        return found

    def _sizes(self, intervals: Ints) -> Ints:
        """Least size of intervals."""
        v, a, b = self.intervals[intervals, net.SIZE : net.SIZE + 3].T
        return np.maximum(0, _least(v, a, b, self.bounds))

    def _tails(self, precedence: Precedence, task: Ints) -> tuple[Ints, Ints]:
        """Longest path of least sizes after each task, and the tasks on it."""
        shortest = np.full(self.num_tasks, np.iinfo(np.int64).max)
        np.minimum.at(shortest, task, self.size)
        least = shortest.tolist()
        tail, tasks = [0] * self.num_tasks, [0] * self.num_tasks
        for before in reversed(precedence.order):
            for after in precedence.successors[before]:
                tail[before] = max(tail[before], least[after] + tail[after])
                tasks[before] = max(tasks[before], 1 + tasks[after])
        return np.array(tail, dtype=np.int64), np.array(tasks, dtype=np.int64)

    def _costs(self) -> Ints:
        """Coefficient in the objective of each decision, 0 but for assignments."""
        coefficient: dict[int, int] = {}
        for v, c in self._objective():
            coefficient[v] = c
            coefficient[-v - 1] = -c
        costs = np.zeros(len(self.decisions), np.int64)
        for d in np.flatnonzero(self.kind == at.ASSIGN).tolist():
            costs[d] = coefficient.get(int(self.reference[d]), 0)
        return costs

    def _objective(self) -> list[list[int]]:
        """(variable, coefficient) of each term of the objective."""
        begin = self.network.static[net.OBJECTIVE]
        count = self.network.static[begin]
        terms = self.network.static[begin + 1 : begin + 1 + 2 * count].reshape(-1, 2)
        return terms.tolist()

    # Constraint nodes ----------------------------------------------------------------------------

    def _nodes(self) -> tuple[list[tuple[int, int]], Ints]:
        """Nodes (constraint, weight that counts as full); edges (decision, node, weight).

        A node for every no-overlap and cumulative, weight size times demand; for every
        exactly-one, at-most-one and linear constraint over two or more literals of decisions,
        weight 1 or coefficient. The edges are sorted by decision, then by node.
        """
        by_interval: dict[int, int] = {}
        by_literal: dict[int, int] = {}
        for d, (kind, reference) in enumerate(
            zip(self.kind.tolist(), self.reference.tolist(), strict=True)
        ):
            if kind == at.START:
                by_interval[reference] = d
            elif kind == at.ASSIGN:
                by_literal.setdefault(reference, d)
        size = self.size.tolist()
        nodes: list[tuple[int, int]] = []
        edges: list[int] = []

        def add(source: int, found: list[tuple[int, int]], full: int) -> None:
            if len(found) < 2:
                return
            for d, weight in found:
                edges.extend((d, len(nodes), weight))
            nodes.append((source, max(1, full or sum(weight for _, weight in found))))

        for source, entries in self.network.resources:
            found = [
                (by_interval[number], demand * size[by_interval[number]])
                for number, demand in entries
                if number in by_interval
            ]
            add(source, found, 0)
        for source, constraint in enumerate(self.constraints if by_literal else ()):
            if constraint.has_exactly_one() or constraint.has_at_most_one():
                group = (
                    constraint.exactly_one
                    if constraint.has_exactly_one()
                    else constraint.at_most_one
                )
                found = [(by_literal[ref], 1) for ref in ints(group.literals) if ref in by_literal]
                add(source, found, 1)
            elif constraint.has_linear():
                linear = constraint.linear
                found = [
                    (by_literal[v], abs(a))
                    for v, a in zip(ints(linear.vars), ints(linear.coeffs), strict=True)
                    if v in by_literal
                ]
                domain = ints(linear.domain)
                full = domain[len(domain) - 1]
                add(source, found, full if 0 < full < 2**40 else 0)
        table = np.array(edges, dtype=np.int64).reshape(-1, 3)
        return nodes, table[np.argsort(table[:, 0], kind="stable")]

    # Layout --------------------------------------------------------------------------------------

    def _lay_out(
        self,
        precedence: Precedence,
        task: Ints,
        table: Ints,
        nodes: list[tuple[int, int]],
        edges: Ints,
    ) -> tuple[Values, Values]:
        num_decisions, num_tasks, num_nodes = len(table), self.num_tasks, len(nodes)
        number = np.arange(num_decisions, dtype=np.int64)
        followers = [sorted(group) for group in precedence.successors]
        after = np.array([task for group in followers for task in group], dtype=np.int64)
        resources = [
            (interval, resource)
            for resource, (_, entries) in enumerate(self.network.resources)
            for interval, _ in entries
        ]
        of_resource = {source for source, _ in self.network.resources}
        shown, showing = self._shown()
        counts = np.bincount(edges[:, 1], minlength=num_nodes)
        per_decision = np.bincount(edges[:, 0], minlength=num_decisions)
        static, state = Sections(self.network.static), Sections(self.network.initial)
        header = {
            at.NUM_DECISIONS: num_decisions,
            at.NUM_TASKS: num_tasks,
            at.DECISIONS: static.add(table),
            at.TASK_DECISIONS: static.add_groups(num_tasks, task, number),
            at.TASK_SUCCESSORS: static.add_lists([len(group) for group in followers], after),
            at.INTERVAL_RESOURCES: static.add_groups(
                len(self.intervals),
                [interval for interval, _ in resources],
                [resource for _, resource in resources],
            ),
            at.VARIABLE_DECISIONS: static.add_groups(len(self.bounds) // 2, shown, showing),
            at.DECISION_EDGES: static.add_lists(2 * per_decision, edges[:, 1:]),
            at.NUM_NODES: num_nodes,
            at.NODES: static.add(
                [
                    (count, full, int(source in of_resource))
                    for (source, full), count in zip(nodes, counts.tolist(), strict=True)
                ]
            ),
            at.T_STATUS: state.fill(at.WAITING, num_decisions),
            at.T_PREDECESSORS: state.add(np.bincount(after, minlength=num_tasks)),
            at.T_LEFT: state.add(np.bincount(task, minlength=num_tasks)),
            at.T_READY: state.fill(0, num_tasks),
            at.T_ELIGIBLE: state.fill(0, num_decisions),
            at.T_PLACE: state.fill(0, num_decisions),
            at.T_LEGAL: state.fill(0, num_decisions),
            at.T_NODES: state.add(np.stack((counts, np.zeros_like(counts)), axis=1)),
            at.T_DECIDED: state.fill(0, num_decisions),
            net.STATE_SIZE: len(state),
        }
        return static.array(header), state.array({net.SLOTS: len(state)})

    def _shown(self) -> tuple[Ints, Ints]:
        """Pairs of a variable and a decision that shows its bounds in an observation."""
        assigns = np.flatnonzero(self.kind == at.ASSIGN)
        row = self.intervals[self.reference[self.starts]]
        variables = [
            row[:, net.START],
            row[:, net.SIZE],
            _variable(row[:, net.PRESENCE]),
            np.where(row[:, net.TIED] > 0, row[:, net.TIED] - 1, row[:, net.START]),
            _variable(self.reference[assigns]),
        ]
        decisions = np.concatenate((np.tile(self.starts, 4), assigns))
        count = max(1, len(self.decisions))
        return np.divmod(np.unique(np.concatenate(variables) * count + decisions), count)

    def _earliest(self, root: Values) -> Ints:
        """Earliest start of each interval that is decided, at the root."""
        row = self.intervals[self.reference[self.starts]]
        bounds = root[net.HEADER :]
        v, a, b = row[:, net.START : net.START + 3].T
        tied = row[:, net.TIED]
        # An alternative starts no sooner than its task.
        of_task = np.where(tied > 0, bounds[2 * np.maximum(0, tied - 1)] + b, -at.NEVER)
        return np.maximum(_least(v, a, b, bounds), of_task)

    def _scale(self, begin: Ints, table: Ints) -> int:
        """Longest chain or largest load of a resource; without intervals, the largest cost.

        begin: earliest start of each interval that is decided, the least of them being 0.
        """
        longest = int((begin + table[self.starts, at.TAIL]).max(initial=0))
        size = np.zeros(len(self.intervals), np.int64)
        size[self.reference[self.starts]] = self.size[self.starts]
        loads = [
            int(size[[number for number, _ in entries]].sum())
            for source, entries in self.network.resources
            if self.network.sources[source][0] == "no_overlap"
        ]
        cost = 0 if longest else int(np.abs(table[:, at.COST]).max(initial=0))
        return max(1, longest, cost, *loads)

    def _worst(self, root: Values) -> int:
        """One more than the largest value of the objective under the bounds at the root."""
        at_v = net.HEADER
        return 1 + sum(
            max(c * int(root[at_v + 2 * v]), c * int(root[at_v + 2 * v + 1]))
            for v, c in self._objective()
        )

    def _arcs(self, order: Ints, task: Ints) -> Ints:
        """Shape (2, num_arcs): every decision of a task, every one of a task right after it."""
        members = np.argsort(task, kind="stable")
        count = np.bincount(task, minlength=self.num_tasks)
        first = np.cumsum(count) - count
        before, after = order.T
        products = count[before] * count[after]
        pair = np.repeat(np.arange(len(order)), products)
        within = np.arange(len(pair)) - np.repeat(np.cumsum(products) - products, products)
        one, other = np.divmod(within, count[after[pair]])
        return np.stack((members[first[before[pair]] + one], members[first[after[pair]] + other]))


def _variable(refs: Ints) -> Ints:
    return np.where(refs >= 0, refs, -refs - 1)


def _least(v: Ints, a: Ints, b: Ints, bounds: Ints) -> Ints:
    """Least values of expressions a v + b; bounds: lower and upper of each variable in turn."""
    return np.where(a > 0, a * bounds[2 * v], a * bounds[2 * v + 1]) + b


def _read_only(array: Ints) -> npt.NDArray[np.int32]:
    copy = np.ascontiguousarray(array, dtype=np.int32)
    copy.setflags(write=False)
    return copy
