"""Lays a formulation out for the move kernels: bits, items, rows, and what is deep."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cpsched.construct import Construction, compile_formulation
from cpsched.construct import layout as plan
from cpsched.errors import InputError
from cpsched.formulation import Assign, Formulation, Reject
from cpsched.moves import layout as at
from cpsched.moves.rows import read_rows
from cpsched.propagation import layout as net
from cpsched.propagation.sections import Ints, Sections

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cpsched.formulation import Decision
    from cpsched.moves.sums import Deep, Reading, Step


@dataclass(frozen=True, eq=False)
class Moves:
    """A formulation ready to be moved about in.

    static, initial: arrays S and T of ``layout``, all bits false, nothing looked at; construction:
    what propagation settles the deep part with; bits: model variable of each bit; item_of: item of
    each decision; deep_bits: for each component of the deep constraints the bits in it; two
    components have no other variable in common.
    """

    formulation: Formulation[Any]
    construction: Construction
    static: Ints
    initial: Ints
    bits: Ints
    item_of: Ints
    deep_bits: tuple[Ints, ...]

    @property
    def num_decisions(self) -> int:
        """Number of decisions."""
        return len(self.item_of)

    @property
    def num_items(self) -> int:
        """Number of items."""
        return int(self.static[at.NUM_ITEMS])


def compile_moves(formulation: Formulation[Any] | Construction) -> Moves:
    """Moves of *formulation*, or of what was compiled of it.

    Raises InputError if a decision starts an interval, if there is none, and as
    ``compile_formulation`` does.
    """
    construction = (
        formulation if isinstance(formulation, Construction) else compile_formulation(formulation)
    )
    return _Compiler(construction).compile()


class _Compiler:
    def __init__(self, construction: Construction) -> None:
        self.construction = construction
        self.formulation = construction.formulation
        self.decisions = self.formulation.decisions
        if not self.decisions:
            raise InputError("the formulation has no decision")
        self.item_of = np.array(construction.task_of, dtype=np.int64)
        self.num_items = int(self.item_of.max()) + 1
        bounds = construction.root[net.HEADER :]
        self.lower, self.upper = bounds[::2], bounds[1::2]

    def compile(self) -> Moves:
        literals = self._literals()
        variables = sorted({_variable(ref) for group in literals for ref in group})
        self.bit_of = {v: bit for bit, v in enumerate(variables)}
        num_variables = self.formulation.num_variables
        fixed = {
            v: int(self.lower[v])
            for v in np.flatnonzero(
                self.lower[:num_variables] == self.upper[:num_variables]
            ).tolist()
            if v not in self.bit_of
        }
        network = self.construction.network
        scopes = [scope for _, _, scope in network.sources]
        reading = read_rows(self.formulation.model.proto, scopes, variables, fixed)
        static, initial = self._lay_out(reading, literals)
        return Moves(
            formulation=self.formulation,
            construction=self.construction,
            static=static,
            initial=initial,
            bits=np.array(variables, dtype=np.int64),
            item_of=self.item_of,
            deep_bits=self._components(reading.deep),
        )

    def _literals(self) -> list[list[int]]:
        """Literals (of the model) of each item."""
        groups: list[dict[int, None]] = [{} for _ in range(self.num_items)]
        for number, (decision, item) in enumerate(
            zip(self.decisions, self.item_of.tolist(), strict=True)
        ):
            if isinstance(decision, Assign):
                groups[item][int(decision.literal)] = None
            elif isinstance(decision, Reject):
                groups[item].update(dict.fromkeys(map(int, decision.literals)))
            else:
                raise InputError(
                    f"decision {number}, {decision}: only decisions about literals, Assign and "
                    "Reject, can be changed one at a time"
                )
        return [list(group) for group in groups]

    def _ref(self, ref: int) -> int:
        """Literal of a bit, from one of the model."""
        return self.bit_of[ref] if ref >= 0 else -self.bit_of[-ref - 1] - 1

    def _lay_out(self, reading: Reading, literals: Sequence[Sequence[int]]) -> tuple[Ints, Ints]:
        num_decisions, num_bits, num_rows = (
            len(self.decisions),
            len(self.bit_of),
            len(reading.rows),
        )
        refs = [
            self._ref(int(decision.literal)) if isinstance(decision, Assign) else at.REJECTS
            for decision in self.decisions
        ]
        columns: list[list[int]] = [[] for _ in range(num_bits)]
        row_bits: list[list[int]] = []
        for number, row in enumerate(reading.rows):
            row_bits.append([])
            for v in {**row.activity.terms, **row.guard.terms}:
                bit = self.bit_of[v]
                columns[bit] += (number, row.activity.terms.get(v, 0), row.guard.terms.get(v, 0))
                row_bits[-1].append(bit)
        bit_items: list[list[int]] = [[] for _ in range(num_bits)]
        for item, group in enumerate(literals):
            for ref in group:
                bit_items[self.bit_of[_variable(ref)]] += (item, int(ref >= 0))
        bit_decisions: list[list[int]] = [[] for _ in range(num_bits)]
        for d, ref in enumerate(refs):
            if ref != at.REJECTS:
                bit_decisions[_variable(ref)].append(d)
        mixed = [len({_variable(ref) for ref in group}) < len(group) for group in literals]
        costs = np.zeros(num_bits, np.int64)
        for v, c in reading.costs.items():
            costs[self.bit_of[v]] = c
        nodes, edges = self._nodes(reading)
        static, state = (
            Sections(np.zeros(at.HEADER, np.int64)),
            Sections(np.zeros(at.STATE_HEADER, np.int64)),
        )
        activity = [row.activity.constant for row in reading.rows]
        guard = [row.guard.constant for row in reading.rows]
        violated = sum(
            row.guard.constant == 0 and not _inside(row.activity.constant, row.domain)
            for row in reading.rows
        )
        header = {
            at.NUM_DECISIONS: num_decisions,
            at.NUM_ITEMS: self.num_items,
            at.NUM_BITS: num_bits,
            at.NUM_ROWS: num_rows,
            at.LITERAL: static.add(refs),
            at.ITEM: static.add(self.item_of),
            at.POSSIBLE: static.add([self._possible(decision) for decision in self.decisions]),
            at.ITEM_DECISIONS: static.add_groups(
                self.num_items, self.item_of, np.arange(num_decisions)
            ),
            at.ITEM_LITERALS: _add(static, [list(map(self._ref, group)) for group in literals]),
            at.MIXED: static.add(mixed),
            at.COLUMNS: _add(static, columns),
            at.BIT_ITEMS: _add(static, bit_items),
            at.BIT_DECISIONS: _add(static, bit_decisions),
            at.COST: static.add(costs),
            at.ROW_BITS: _add(static, row_bits),
            at.DOMAINS: _add(static, [row.domain for row in reading.rows]),
            **self._stairs(static, reading),
            at.ROW_REACH: static.add(self._reach(reading, literals)),
            at.SCALE: max(
                1, int(np.abs(costs).max(initial=0)), *(stair.weight for stair in reading.stairs)
            ),
            at.NUM_NODES: len(nodes),
            at.NODES: static.add(nodes),
            at.DECISION_EDGES: _add(static, edges),
            at.T_VALUE: state.fill(0, num_bits),
            at.T_FLIPPED: state.fill(0, 2 * num_bits + 2),
            at.T_ACTIVITY: state.add(activity),
            at.T_GUARD: state.add(guard),
            at.T_OLD: state.fill(0, 2 * num_rows),
            at.T_TOUCHED: state.fill(0, num_rows),
            at.T_TOUCHED_LIST: state.fill(0, num_rows),
            at.T_CURRENT: state.fill(-1, self.num_items),
            at.T_STALE: state.fill(0, self.num_items),
            at.T_STALE_LIST: state.fill(0, self.num_items),
            at.T_ALLOWED: state.fill(0, num_decisions),
            at.T_GAIN: state.fill(0, num_decisions),
            at.T_STALE_DECISION: state.fill(0, num_decisions),
            at.T_STALE_DECISIONS: state.fill(0, num_decisions),
            at.STATE_SIZE: len(state),
        }
        cost = sum(
            stair.weight * -min(stair.limit, *(step_value(step, activity) for step in stair.steps))
            for stair in reading.stairs
            if stair.steps
        )
        return static.array(header), state.array({at.VIOLATED: violated, at.STAIR_COST: cost})

    def _reach(self, reading: Reading, literals: Sequence[Sequence[int]]) -> list[int]:
        """What one change of a decision can add to each row, or take, at most; 0 if not known.

        Of an item of which a row lets one literal be true, one is left and one chosen.
        """
        singles: set[int] = set()
        at_most_one = [
            row.activity.terms
            for row in reading.rows
            if not row.guard.terms
            and row.activity.constant == 0
            and row.domain[-1] == 1
            and set(row.activity.terms.values()) == {1}
        ]
        rows_of: dict[int, list[int]] = {}
        for number, terms in enumerate(at_most_one):
            for v in terms:
                rows_of.setdefault(v, []).append(number)
        for group in literals:
            if min(group) >= 0 and any(
                all(ref in at_most_one[number] for ref in group)
                for number in rows_of.get(group[0], ())
            ):
                singles.update(group)
        stairs = {step.row for stair in reading.stairs for step in stair.steps}
        return [
            0
            if number in stairs
            or row.guard.terms
            or not row.activity.terms
            or len(row.domain) != 2
            or not singles.issuperset(row.activity.terms)
            else max(0, *row.activity.terms.values()) - min(0, *row.activity.terms.values())
            for number, row in enumerate(reading.rows)
        ]

    def _stairs(self, static: Sections, reading: Reading) -> dict[int, int]:
        """Sections of the stairs, by place in the header."""
        of_bit: list[list[int]] = [[] for _ in self.bit_of]
        peers: list[list[int]] = [[] for _ in reading.rows]
        lists = []
        for number, stair in enumerate(reading.stairs):
            rows = [step.row for step in stair.steps]
            for v in {v for row in rows for v in reading.rows[row].activity.terms}:
                of_bit[self.bit_of[v]].append(number)
            for row in rows:
                peers[row] += [other for other in rows if other != row]
            steps = [(one.row, one.sign, one.bound, one.divisor) for one in stair.steps]
            lists.append([stair.weight, stair.limit, *(value for step in steps for value in step)])
        return {
            at.STAIRS: _add(static, lists),
            at.BIT_STAIRS: _add(static, of_bit),
            at.ROW_PEERS: _add(static, peers),
        }

    def _possible(self, decision: Decision) -> int:
        """Whether root propagation has left what *decision* makes true possible."""
        if not isinstance(decision, Assign):
            return 1
        ref = decision.literal
        return int(self.upper[ref] == 1 if ref >= 0 else self.lower[-ref - 1] == 0)

    def _nodes(self, reading: Reading) -> tuple[list[list[int]], list[list[int]]]:
        """Constraint nodes of an observation: (row or -1, full); (node, weight) by decision."""
        row_of: dict[int, int] = {}
        for number, row in enumerate(reading.rows):
            if len(row.domain) == 2 and not row.guard.terms:
                row_of[row.source] = number
        static = self.construction.static
        full = static[static[plan.NODES] :][: 3 * len(self.construction.nodes)].reshape(-1, 3)
        nodes = [
            [row_of.get(source, -1), int(full[node, 1])]
            for node, source in enumerate(self.construction.nodes)
        ]
        ptr = static[plan.DECISION_EDGES] + np.arange(len(self.decisions) + 1)
        begin = static[ptr].tolist()
        edges = [static[begin[d] : begin[d + 1]].tolist() for d in range(len(self.decisions))]
        return nodes, edges

    def _components(self, deep: Sequence[Deep]) -> tuple[Ints, ...]:
        """Bits of each component of the deep constraints."""
        parent = list(range(len(deep)))

        def root(k: int) -> int:
            while parent[k] != k:
                parent[k] = parent[parent[k]]
                k = parent[k]
            return k

        first: dict[int, int] = {}
        for k, constraint in enumerate(deep):
            for v in constraint.others:
                parent[root(k)] = root(first.setdefault(v, k))
        members: dict[int, set[int]] = {}
        for k, constraint in enumerate(deep):
            members.setdefault(root(k), set()).update(self.bit_of[v] for v in constraint.bits)
        return tuple(np.array(sorted(bits), dtype=np.int64) for bits in members.values() if bits)


def step_value(step: Step, activity: Sequence[int]) -> int:
    """Bound of a step under the activities of all rows."""
    return (step.bound + step.sign * activity[step.row]) // step.divisor


def _variable(ref: int) -> int:
    return ref if ref >= 0 else -ref - 1


def _inside(value: int, domain: Sequence[int]) -> bool:
    return any(low <= value <= high for low, high in zip(domain[::2], domain[1::2], strict=True))


def _add(sections: Sections, lists: Sequence[Sequence[int]]) -> int:
    return sections.add_lists(
        [len(entries) for entries in lists], [value for entries in lists for value in entries]
    )
