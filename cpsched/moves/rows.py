"""Reads the constraints of a model that speak of decisions alone, as sums of bits.

Clauses, at-most-ones and exclusive ors are sums in a domain, too. An auxiliary variable that an
equation defines by bits (``placed == x0 + x1``) is replaced by its definition, and its domain
becomes a row. One that only the objective presses against sums of bits, such as the number of
whole slots in what is free, is a *stair*. What is left, constraints of other kinds or over other
auxiliary variables, is *deep*: propagation settles it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cpsched.moves.stairs import Stairs
from cpsched.moves.sums import Deep, Reading, Row, Sum
from cpsched.propagation.reader import constraint_kind
from cpsched.propagation.sections import ints

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence


def read_rows(
    proto: Any, scopes: Sequence[Collection[int]], bits: Iterable[int], fixed: dict[int, int]
) -> Reading:
    """Rows of a ``CpModelProto``.

    scopes: model variables of each constraint; bits: variables that decisions decide; fixed:
    value of other variables that have only one.
    """
    return _Reader(proto, scopes, bits, fixed).read()


class _Reader:
    def __init__(
        self,
        proto: Any,
        scopes: Sequence[Collection[int]],
        bits: Iterable[int],
        fixed: dict[int, int],
    ) -> None:
        self.proto = proto
        self.scopes = scopes
        self.constraints = list(proto.constraints)
        self.kinds = [constraint_kind(constraint) for constraint in self.constraints]
        self.known = {v: Sum({v: 1}) for v in bits}
        self.known.update({v: Sum({}, value) for v, value in fixed.items()})
        self.rows: list[Row] = []
        self.deep: list[Deep] = []

    def read(self) -> Reading:
        settled = self._define()
        stairs = Stairs(self.proto, self.kinds, self.scopes, self.known, settled, len(self.rows))
        self.rows += stairs.rows
        settled |= stairs.sources
        for source, (constraint, kind) in enumerate(
            zip(self.constraints, self.kinds, strict=True)
        ):
            if source not in settled and kind != "none":
                self._constraint(source, constraint, kind)
        self._rows_of_assumptions()
        return Reading(self.rows, stairs.found, self.deep, self._objective())

    # Definitions ---------------------------------------------------------------------------------

    def _define(self) -> set[int]:
        """Know what equations define, one after the other; returns these equations."""
        unknown: dict[int, set[int]] = {}
        waiting: dict[int, list[int]] = {}
        for source, (constraint, kind) in enumerate(
            zip(self.constraints, self.kinds, strict=True)
        ):
            if kind != "linear" or len(constraint.enforcement_literal):
                continue
            domain = ints(constraint.linear.domain)
            if len(domain) != 2 or domain[0] != domain[1]:
                continue
            unknown[source] = {v for v in self.scopes[source] if v not in self.known}
            for v in unknown[source]:
                waiting.setdefault(v, []).append(source)
        defining: set[int] = set()
        ready = [source for source, open_ in unknown.items() if len(open_) == 1]
        while ready:
            source = ready.pop()
            if len(unknown[source]) != 1:
                continue
            (v,) = unknown[source]
            if not self._solve_for(source, v):
                continue
            defining.add(source)
            for other in waiting[v]:
                unknown[other].discard(v)
                if len(unknown[other]) == 1:
                    ready.append(other)
        return defining

    def _solve_for(self, source: int, v: int) -> bool:
        """Whether the equation *source* says what *v* is, as a sum with integers; then know it."""
        linear = self.constraints[source].linear
        total, own = Sum({}, -linear.domain[0]), 0
        for u, a in zip(ints(linear.vars), ints(linear.coeffs), strict=True):
            if u == v:
                own += a
            else:
                total.add(self.known[u], a)
        if abs(own) != 1:
            return False
        definition = Sum()
        definition.add(total, -own)
        if not definition.fits:
            return False
        self.known[v] = definition
        self._add(source, definition, ints(self.proto.variables[v].domain), Sum())
        return True

    # Constraints ---------------------------------------------------------------------------------

    def _constraint(self, source: int, constraint: Any, kind: str) -> None:
        known = all(v in self.known for v in self.scopes[source])
        if not known or kind not in _SUMS:
            self._leave(source)
            return
        literals = ints(constraint.enforcement_literal)
        guard = self._literals([-ref - 1 for ref in literals])
        if kind == "linear":
            activity = Sum()
            linear = constraint.linear
            for v, a in zip(ints(linear.vars), ints(linear.coeffs), strict=True):
                activity.add(self.known[v], a)
            domain = ints(linear.domain)
        else:
            literals = ints(getattr(constraint, kind).literals)
            activity = self._literals(literals)
            domain = _SUMS[kind](len(literals))
        self._add(source, activity, domain, guard)

    def _literals(self, literals: Iterable[int]) -> Sum:
        """Number of true literals."""
        total = Sum()
        for ref in literals:
            if ref >= 0:
                total.add(self.known[ref], 1)
            else:
                total.add(self.known[-ref - 1], -1)
                total.constant += 1
        return total

    def _add(self, source: int, activity: Sum, domain: Sequence[int], guard: Sum) -> None:
        if not (activity.fits and guard.fits):
            self._leave(source)
        elif activity.terms or guard.terms:
            # What no bit can change, root propagation has proven.
            self.rows.append(Row(source, activity, domain, guard))

    def _leave(self, source: int) -> None:
        self._deep(source, self.scopes[source])

    def _deep(self, source: int, scope: Iterable[int]) -> None:
        bits: set[int] = set()
        others: set[int] = set()
        for v in scope:
            if v in self.known:
                bits.update(self.known[v].terms)
            else:
                others.add(v)
        self.deep.append(Deep(source, frozenset(bits), frozenset(others)))

    def _rows_of_assumptions(self) -> None:
        for ref in ints(self.proto.assumptions):
            if (ref if ref >= 0 else -ref - 1) in self.known:
                self._add(-1, self._literals([ref]), [1, 1], Sum())

    def _objective(self) -> dict[int, int]:
        # Reading the objective of a model without one would give it an empty one.
        if not self.proto.has_objective():
            return {}
        objective = self.proto.objective
        total, scope, known = Sum(), [], True
        for ref, c in zip(ints(objective.vars), ints(objective.coeffs), strict=True):
            v = ref if ref >= 0 else -ref - 1
            scope.append(v)
            if v in self.known:
                total.add(self.known[v], c if ref >= 0 else -c)
            else:
                known = False
        if not total.fits:
            self._deep(-1, scope)
            return {}
        domain = ints(objective.domain)
        if domain:
            if known:
                self._add(-1, total, domain, Sum())
            else:
                self._deep(-1, scope)
        return total.terms


def _odd(count: int) -> list[int]:
    return [end for value in range(1, count + 1, 2) for end in (value, value)]


#: Domain of the number of true literals, by kind of constraint; a linear one has its own.
_SUMS: dict[str, Any] = {
    "linear": None,
    "bool_or": lambda count: [1, count],
    "bool_and": lambda count: [count, count],
    "bool_xor": _odd,
    "at_most_one": lambda _: [0, 1],
    "exactly_one": lambda _: [1, 1],
}
