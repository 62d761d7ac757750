"""Reads the constraints of a model that speak of decisions alone, as sums of bits.

Clauses, at-most-ones and exclusive ors are sums in a domain, too. An auxiliary variable that an
equation defines by bits (``placed == x0 + x1``) is replaced by its definition, and its domain
becomes a row. One that only the objective presses against sums of bits, such as the number of
whole slots in what is free, is a *stair*. What is left, constraints of other kinds or over other
auxiliary variables, is *deep*: propagation settles it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cpsched.propagation.reader import constraint_kind
from cpsched.propagation.sections import ints

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

#: Activities stay within this, so that no kernel overflows.
MAX_ACTIVITY = 2**61


@dataclass(slots=True)
class Sum:
    """A sum of model variables with their coefficients, and a constant."""

    terms: dict[int, int] = field(default_factory=dict)
    constant: int = 0

    def add(self, other: Sum, factor: int) -> None:
        """Add *factor* times *other*."""
        self.constant += factor * other.constant
        for v, a in other.terms.items():
            total = self.terms.get(v, 0) + factor * a
            if total:
                self.terms[v] = total
            else:
                self.terms.pop(v, None)

    @property
    def fits(self) -> bool:
        """Whether no value of the sum overflows."""
        return abs(self.constant) + sum(map(abs, self.terms.values())) <= MAX_ACTIVITY


@dataclass(frozen=True, slots=True)
class Row:
    """``activity`` in ``domain`` (flat intervals) if ``guard`` is 0; source: constraint, or -1."""

    source: int
    activity: Sum
    domain: Sequence[int]
    guard: Sum


@dataclass(frozen=True, slots=True)
class Step:
    """A bound of a stair: ``(bound + sign * activity of row) // divisor``; row: number in rows."""

    row: int
    sign: int
    bound: int
    divisor: int


@dataclass(frozen=True, slots=True)
class Stair:
    """A variable that the objective presses: it takes off *weight* times the least of its bounds.

    Those are *limit* and all *steps*.
    """

    weight: int
    limit: int
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Deep:
    """A constraint for propagation: bits in it, and other variables that are not fixed."""

    source: int
    bits: frozenset[int]
    others: frozenset[int]


@dataclass(frozen=True, slots=True)
class Reading:
    """rows: over bits; stairs; deep: the rest; costs: coefficient of bits in the objective."""

    rows: list[Row]
    stairs: list[Stair]
    deep: list[Deep]
    costs: dict[int, int]


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
        self.stairs: list[Stair] = []
        self.deep: list[Deep] = []

    def read(self) -> Reading:
        settled = self._define()
        settled |= self._press(settled)
        for source, (constraint, kind) in enumerate(
            zip(self.constraints, self.kinds, strict=True)
        ):
            if source not in settled and kind != "none":
                self._constraint(source, constraint, kind)
        self._rows_of_assumptions()
        return Reading(self.rows, self.stairs, self.deep, self._objective())

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

    # Stairs --------------------------------------------------------------------------------------

    def _press(self, settled: set[int]) -> set[int]:
        """Find the stairs; returns the constraints that are nothing else."""
        costs = self._unknown_costs()
        sources: dict[int, list[int]] = {v: [] for v in costs}
        for source, scope in enumerate(self.scopes):
            if source not in settled:
                for v in scope:
                    if v in sources:
                        sources[v].append(source)
        found: set[int] = set()
        for v, cost in costs.items():
            if sources[v] and self._stair(v, cost, sources[v]):
                found.update(sources[v])
        return found

    def _unknown_costs(self) -> dict[int, int]:
        """Coefficient in the objective of each variable that is not known."""
        if not self.proto.has_objective():
            return {}
        objective = self.proto.objective
        costs: dict[int, int] = {}
        for ref, c in zip(ints(objective.vars), ints(objective.coeffs), strict=True):
            v = ref if ref >= 0 else -ref - 1
            if v not in self.known:
                costs[v] = costs.get(v, 0) + (c if ref >= 0 else -c)
        return {v: c for v, c in costs.items() if c}

    def _stair(self, v: int, cost: int, sources: Sequence[int]) -> bool:
        """Whether *v*, pressed by its *cost*, is a stair over *sources*; then add it."""
        domain = ints(self.proto.variables[v].domain)
        if len(domain) != 2:
            return False
        # Turned so that the objective wants it large: z is v or -v.
        turn = 1 if cost < 0 else -1
        loosest, limit = (domain[0], domain[1]) if turn == 1 else (domain[1], -domain[0])
        rows: list[Row] = []
        steps: list[Step] = []
        for source in sources:
            read = self._step(source, v, turn, loosest, len(self.rows) + len(rows))
            if read is None:
                return False
            row, step = read
            if row.activity.terms:
                rows.append(row)
                steps.append(step)
            else:
                # What no bit can change.
                least = (step.bound + step.sign * row.activity.constant) // step.divisor
                limit = min(limit, least)
        self.rows += rows
        self.stairs.append(Stair(abs(cost), limit, tuple(steps)))
        return True

    def _step(
        self, source: int, v: int, turn: int, loosest: int, number: int
    ) -> tuple[Row, Step] | None:
        """Row of a constraint with *v* at its *loosest* value, and how it bounds *v*, if so.

        number: that the row will have.
        """
        constraint = self.constraints[source]
        if self.kinds[source] != "linear" or len(constraint.enforcement_literal):
            return None
        activity, own = Sum(), 0
        for u, a in zip(ints(constraint.linear.vars), ints(constraint.linear.coeffs), strict=True):
            if u == v:
                own += a
            elif u in self.known:
                activity.add(self.known[u], a)
            else:
                return None
        domain = ints(constraint.linear.domain)
        if own == 0 or len(domain) != 2 or not activity.fits:
            return None
        low, high = domain
        above = (own > 0) == (turn == 1)
        # Only the side that holds the variable back may be there.
        held, other = (high, -low) if above else (-low, high)
        if not abs(held) <= MAX_ACTIVITY <= other:
            return None
        shifted = [low, high - own * loosest] if above else [low - own * loosest, high]
        sign = -1 if above else 1
        return Row(source, activity, shifted, Sum()), Step(number, sign, held, abs(own))

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
