"""Reads a ``CpModelProto`` into the static array of the propagation kernels.

Every constraint becomes one or more items of ``layout``; what has no item of its own is said in
terms of others: an implication is a clause, an interval with variable size or end is a linear
constraint enforced by its presence, an expression of several variables is an auxiliary variable. A
kind that cannot be said is an error, never left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from ortools.sat.python import cp_model

from cpsched.errors import InputError, StopRequestedError
from cpsched.propagation import layout as at
from cpsched.propagation.assembly import Assembly
from cpsched.propagation.collection import Affine, Collection, Term, variable_of
from cpsched.propagation.cycles import positive_cycle
from cpsched.propagation.rules import DisjunctiveRule
from cpsched.propagation.sections import flat, ints

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cpsched.propagation.network import Network

#: Sums of a linear constraint stay within this, so that no kernel overflows.
MAX_SPAN = 2**61
#: So do the demands of a cumulative within this.
MAX_DEMAND = 2**60

_KINDS = (
    "interval", "linear", "bool_or", "bool_and", "bool_xor", "exactly_one", "at_most_one",
    "no_overlap", "cumulative", "element", "lin_max", "all_diff",
    "int_prod", "int_div", "int_mod", "table", "automaton", "circuit", "routes", "inverse",
    "reservoir", "no_overlap_2d",
)  # fmt: skip
#: What says whether a kind is set. Reading another kind's field would set it, and drop what is.
_HAS = tuple((kind, f"has_{kind}") for kind in _KINDS)
#: Variables or constraints between two looks at whether to stop.
_POLL = 1024
_NO_ENFORCEMENT = ("no_overlap", "cumulative", "exactly_one", "at_most_one")

#: Upper end of a domain without one.
_NO_LIMIT = int(cp_model.INT_MAX)


class UnsupportedConstraintError(InputError):
    """A constraint, or a part of one, that the propagator does not know; the message names it."""


class InfeasibleModelError(InputError):
    """A model of which propagation alone proves that it has no solution; the message says why."""


class InvalidModelError(InputError):
    """A model that CP-SAT itself refuses."""


def constraint_kind(constraint: Any) -> str:
    """Name of the field of a ``ConstraintProto`` that is set, ``"none"`` for an empty one."""
    for kind, has in _HAS:
        if getattr(constraint, has)():
            return kind
    return "none"


def read_network(
    model: cp_model.CpModel,
    rules: DisjunctiveRule = DisjunctiveRule.NONE,
    stop: Callable[[], bool] = lambda: False,
) -> Network:
    """Network of *model* with the disjunctive *rules* on.

    stop: asked now and then (100,000 intervals take seconds); StopRequestedError once it says so.

    Raises UnsupportedConstraintError for a constraint or objective that the propagator does not
    know, InvalidModelError for a model that CP-SAT refuses.
    """
    problem = model.validate()
    if problem:
        raise InvalidModelError(f"CP-SAT refuses the model: {' '.join(problem.split())}")
    return _Reader(model.proto, rules, stop).read()


class _Reader(Collection):
    """Says every constraint of a model in items."""

    def __init__(self, proto: Any, rules: DisjunctiveRule, stop: Callable[[], bool]) -> None:
        super().__init__()
        self.proto = proto
        self.stop = stop
        self.rules = rules
        #: Model variables of the constraint that is being read, and of every interval.
        self.scope: set[int] = set()
        self.interval_scope: dict[int, set[int]] = {}
        self.exactly_ones: list[tuple[int, list[int]]] = []
        #: Pairs of variables that are equal if a literal is true.
        self.equalities: dict[int, list[tuple[int, int]]] = {}
        #: Auxiliary variable of a sum of several terms.
        self.sum_of: dict[tuple[Term, ...], int] = {}

    def read(self) -> Network:
        variables = list(self.proto.variables)
        for count, variable in enumerate(variables):
            if count % _POLL == 0 and self.stop():
                raise StopRequestedError("reading the model was stopped")
            self.new_variable(ints(variable.domain))
        num_variables = len(variables)
        constraints = list(self.proto.constraints)
        kinds = [constraint_kind(constraint) for constraint in constraints]
        sources: list[tuple[str, str, tuple[int, ...]]] = [("none", "", ())] * len(constraints)
        # Intervals first: others refer to them, wherever they stand.
        first = [index for index, kind in enumerate(kinds) if kind == "interval"]
        then = [index for index, kind in enumerate(kinds) if kind != "interval"]
        for count, index in enumerate(first + then):
            if count % _POLL == 0 and self.stop():
                raise StopRequestedError("reading the model was stopped")
            constraint, kind = constraints[index], kinds[index]
            self.scope = set()
            if kind == "none":
                self._enforcement(constraint)
            else:
                self._constraint(index, kind, constraint)
            sources[index] = (kind, constraint.name, tuple(sorted(self.scope)))
        for ref in ints(self.proto.assumptions):
            self._add_clause([ref], -1)
        self._ties()
        self._alternatives()
        self._refuse_cycles()
        return Assembly(self, self._objective(), self.rules).network(
            num_variables=num_variables,
            sources=tuple(sources),
            names=tuple(variable.name for variable in variables),
            has_objective=self.proto.has_objective(),
        )

    def _constraint(self, index: int, kind: str, constraint: Any) -> None:
        reader = getattr(self, f"_{kind}", None)
        if reader is None:
            raise self._unsupported(index, kind, constraint, "is not supported")
        if kind in _NO_ENFORCEMENT and len(constraint.enforcement_literal):
            raise self._unsupported(
                index, kind, constraint, "is not supported with enforcement literals"
            )
        reader(index, constraint)

    @staticmethod
    def _unsupported(
        index: int, kind: str, constraint: Any, what: str
    ) -> UnsupportedConstraintError:
        name = f" {constraint.name!r}" if constraint.name else ""
        return UnsupportedConstraintError(f"constraint {index}{name}: {kind} {what}")

    # Variables and expressions -------------------------------------------------------------------

    def _affine(self, expr: Any, source: int) -> Affine:
        """The expression as a x + b, by an auxiliary variable if it has several variables."""
        variables, offset = ints(expr.vars), int(expr.offset)
        if not variables:
            return self.constant(0), 1, offset
        self.scope.update(variables)
        terms = _collect(variables, ints(expr.coeffs))
        if not terms:
            return self.constant(0), 1, offset
        if len(terms) == 1:
            return (*terms[0], offset)
        terms.sort()
        key, negated = tuple(terms), tuple((v, -a) for v, a in terms)
        if negated in self.sum_of:
            return self.sum_of[negated], -1, offset
        if key not in self.sum_of:
            low, high = self.range_of(terms)
            total = self.new_variable([low, high])
            self._add_linear([], [*terms, (total, -1)], [0, 0], source)
            self.sum_of[key] = total
        return self.sum_of[key], 1, offset

    def _literals(self, field: Any) -> list[int]:
        literals = ints(field)
        if literals:
            self.scope.update(map(variable_of, literals))
        return literals

    def _enforcement(self, constraint: Any) -> list[int]:
        return self._literals(constraint.enforcement_literal)

    # Constraints --------------------------------------------------------------------------------

    def _linear(self, index: int, constraint: Any) -> None:
        linear = constraint.linear
        variables = ints(linear.vars)
        self.scope.update(variables)
        terms = _collect(variables, ints(linear.coeffs))
        enforcement, domain = self._enforcement(constraint), ints(linear.domain)
        if len(enforcement) == 1 and domain == [0, 0] and sorted(a for _, a in terms) == [-1, 1]:
            self.equalities.setdefault(enforcement[0], []).append((terms[0][0], terms[1][0]))
        self._add_linear(enforcement, terms, domain, index)

    def _add_linear(
        self, enforcement: list[int], terms: list[Term], domain: list[int], source: int
    ) -> None:
        low, high = self.range_of(terms)
        if high - low > MAX_SPAN or max(abs(low), abs(high)) > MAX_SPAN:
            raise InputError(
                f"constraint {source}: its sum may be {low} to {high}, "
                f"beyond the {MAX_SPAN} that fit"
            )
        parts = [
            (max(first, low), min(last, high))
            for first, last in zip(domain[::2], domain[1::2], strict=True)
            if first <= high and last >= low
        ]
        if not parts:
            # Never satisfied: the enforcement literals cannot all be true.
            self._add_clause([-ref - 1 for ref in enforcement], source)
            return
        lo, hi = parts[0][0], parts[-1][1]
        if len(parts) == 1 and lo == low and hi == high:
            return
        if len(terms) == 2 and len(parts) == 1 and not enforcement and (lo == low or hi == high):
            (x, a), (y, b) = terms
            if a == 1 and b == -1:
                x, a, y, b = y, b, x, a
            if a == -1 and b == 1:
                if lo > low:
                    self._add_precedence(x, lo, y, source)
                if hi < high:
                    # y - x <= hi: y - hi <= x.
                    self._add_precedence(y, -hi, x, source)
                return
        data = [len(enforcement), len(terms), lo, hi, len(parts) if len(parts) > 1 else 0]
        data += enforcement
        data += flat(terms)
        if len(parts) > 1:
            data += [len(parts), *flat(parts)]
        items = self.items
        items.add(at.K_LINEAR, data, source)
        above, below = hi < high or len(parts) > 1, lo > low or len(parts) > 1
        for v, a in terms:
            if (above and a > 0) or (below and a < 0):
                items.wake_by_lower(v)
            if (above and a < 0) or (below and a > 0):
                items.wake_by_upper(v)
        items.watch(map(variable_of, enforcement))

    def _add_precedence(self, x: int, c: int, y: int, source: int) -> None:
        """Add x + c <= y."""
        self.items.add(at.K_PRECEDENCE, (x, c, y), source)
        self.items.wake_by_lower(x)
        self.items.wake_by_upper(y)

    def _add_clause(self, literals: list[int], source: int) -> None:
        self.items.add(at.K_CLAUSE, [len(literals), *literals], source)
        for ref in literals:
            self.items.watch_false(ref)

    def _bool_or(self, index: int, constraint: Any) -> None:
        negated = [-ref - 1 for ref in self._enforcement(constraint)]
        self._add_clause(negated + self._literals(constraint.bool_or.literals), index)

    def _bool_and(self, index: int, constraint: Any) -> None:
        negated = [-ref - 1 for ref in self._enforcement(constraint)]
        for ref in self._literals(constraint.bool_and.literals):
            self._add_clause([*negated, ref], index)

    def _bool_xor(self, index: int, constraint: Any) -> None:
        enforcement = self._enforcement(constraint)
        literals = self._literals(constraint.bool_xor.literals)
        data = [len(enforcement), len(literals), *enforcement, *literals]
        self.items.add(at.K_XOR, data, index)
        self.items.watch(map(variable_of, enforcement + literals))

    def _exactly_one(self, index: int, constraint: Any) -> None:
        literals = self._literals(constraint.exactly_one.literals)
        self.exactly_ones.append((index, literals))
        self._add_at_most_one(literals, 1, index)

    def _at_most_one(self, index: int, constraint: Any) -> None:
        self._add_at_most_one(self._literals(constraint.at_most_one.literals), 0, index)

    def _add_at_most_one(self, literals: list[int], exactly: int, source: int) -> None:
        self.items.add(at.K_AT_MOST_ONE, [len(literals), exactly, *literals], source)
        for ref in literals:
            # Wakes when one becomes true; if exactly one, also when one becomes false.
            self.items.watch_true(ref)
            if exactly:
                self.items.watch_false(ref)

    def _element(self, index: int, constraint: Any) -> None:
        element = constraint.element
        # The repeated fields of older models say the same with variables alone.
        if len(element.vars):
            raise self._unsupported(
                index, "element", constraint, "in its old form is not supported"
            )
        where = self._affine(element.linear_index, index)
        target = self._affine(element.linear_target, index)
        exprs = [self._affine(expr, index) for expr in element.exprs]
        enforcement = self._enforcement(constraint)
        data = [len(enforcement), len(exprs), *where, *target, *enforcement, *flat(exprs)]
        self.items.add(at.K_ELEMENT, data, index)
        self.items.watch(map(variable_of, enforcement))
        self.items.watch(expr[0] for expr in (where, target, *exprs))

    def _lin_max(self, index: int, constraint: Any) -> None:
        target = self._affine(constraint.lin_max.target, index)
        exprs = [self._affine(expr, index) for expr in constraint.lin_max.exprs]
        enforcement = self._enforcement(constraint)
        data = [len(enforcement), len(exprs), *target, *enforcement, *flat(exprs)]
        if len(exprs) == 2 and exprs[0][:2] == (exprs[1][0], -exprs[1][1]):
            # Of x and c - x, such as an absolute value has, one is at least c / 2.
            half = -(-(exprs[0][2] + exprs[1][2]) // 2)
            self._add_linear(enforcement, [target[:2]], [half - target[2], _NO_LIMIT], index)
        self.items.add(at.K_MAX, data, index)
        self.items.watch([target[0], *map(variable_of, enforcement)])
        plain = [not enforcement and expr[1] == target[1] == 1 for expr in exprs]
        for expr, is_plain in zip(exprs, plain, strict=True):
            self.items.wake_by_upper(expr[0])
            if not is_plain:
                self.items.wake_by_lower(expr[0])
        # That the target is no less than each is a precedence: many of them rise at every step.
        for expr, is_plain in zip(exprs, plain, strict=True):
            if is_plain:
                self._add_precedence(expr[0], expr[2] - target[2], target[0], index)

    def _all_diff(self, index: int, constraint: Any) -> None:
        exprs = [self._affine(expr, index) for expr in constraint.all_diff.exprs]
        enforcement = self._enforcement(constraint)
        data = [len(enforcement), len(exprs), *enforcement, *flat(exprs)]
        self.items.add(at.K_ALL_DIFFERENT, data, index)
        self.items.watch(map(variable_of, enforcement))
        self.items.watch(expr[0] for expr in exprs)

    def _interval(self, index: int, constraint: Any) -> None:
        proto = constraint.interval
        start = self._affine(proto.start, index)
        size = self._affine(proto.size, index)
        end = self._affine(proto.end, index)
        enforcement = self._enforcement(constraint)
        presence = self._conjunction(enforcement, index)
        self.interval_scope[index] = self.scope
        self.interval_of[index] = len(self.intervals) // at.INTERVAL
        self.intervals += (*start, *size, *end, presence, -1, 0)
        offset = start[2] + size[2] - end[2]
        if offset or start[:2] != end[:2] or size[0] != self.fixed.get(0):
            terms = _collect([start[0], size[0], end[0]], [start[1], size[1], -end[1]])
            if terms or offset:
                self._add_linear(enforcement, terms, [-offset, -offset], index)
        if self.least(size) < 0:
            self._add_linear(enforcement, [size[:2]], [-size[2], _NO_LIMIT], index)

    def _conjunction(self, literals: list[int], source: int) -> int:
        """Literal that is true exactly if all of *literals* are."""
        if not literals:
            return self.constant(1)
        if len(literals) == 1:
            return literals[0]
        both = self.new_variable([0, 1])
        for ref in literals:
            self._add_clause([-both - 1, ref], source)
        self._add_clause([both, *(-ref - 1 for ref in literals)], source)
        return both

    def _members(self, field: Any) -> list[int]:
        """Numbers of the intervals that a resource lists."""
        indices = ints(field)
        self.scope.update(*(self.interval_scope[i] for i in indices))
        return [self.interval_of[i] for i in indices]

    def _no_overlap(self, index: int, constraint: Any) -> None:
        members = self._members(constraint.no_overlap.intervals)
        if len(set(members)) < len(members):
            raise self._unsupported(index, "no_overlap", constraint, "lists an interval twice")
        self.no_overlaps.append((index, members))

    def _cumulative(self, index: int, constraint: Any) -> None:
        proto = constraint.cumulative
        capacity = self._affine(proto.capacity, index)
        demands = [self._affine(demand, index) for demand in proto.demands]
        entries = list(zip(self._members(proto.intervals), demands, strict=True))
        self.cumulatives.append((index, capacity, entries))
        most = sum(self.range_of([demand[:2]])[1] + demand[2] for demand in demands)
        if most > MAX_DEMAND:
            raise InputError(
                f"constraint {index}: its demands may sum to {most}, "
                f"beyond the {MAX_DEMAND} that fit"
            )
        for demand in demands:
            if self.least(demand) < 0:
                self._add_linear([], [demand[:2]], [-demand[2], _NO_LIMIT], index)

    def _alternatives(self) -> None:
        """Optional intervals with one start of which exactly one is present."""
        if not self.exactly_ones:
            return
        table = self.intervals
        by_presence: dict[int, list[int]] = {}
        for row in range(0, len(table), at.INTERVAL):
            by_presence.setdefault(table[row + at.PRESENCE], []).append(row)
        for source, literals in self.exactly_ones:
            found = [by_presence.get(ref, []) for ref in literals]
            if len(literals) < 2 or any(len(rows) != 1 for rows in found):
                continue
            group = [rows[0] for rows in found]
            if len({tuple(table[row + at.START : row + at.START + 3]) for row in group}) > 1:
                continue
            numbers = [row // at.INTERVAL for row in group]
            self.items.add(at.K_ALTERNATIVE, [len(group), *numbers], source)
            for row in group:
                table[row + at.ALTERNATIVE] = len(self.items) - 1
                self.items.watch_false(table[row + at.PRESENCE])

    def _refuse_cycles(self) -> None:
        """Precedences that no solution satisfies fail at once."""
        items = self.items
        at_precedence = np.flatnonzero(np.array(items.kind, dtype=np.int64) == at.K_PRECEDENCE)
        begin = np.array(items.begin, dtype=np.int64)[at_precedence]
        data = np.array(items.data, dtype=np.int64)
        found = positive_cycle(data[begin[:, None] + np.arange(3)]) if len(begin) else -1
        if found >= 0:
            self._add_clause([], items.source[at_precedence[found]])

    def _ties(self) -> None:
        """Optional intervals whose start equals that of the task whose alternative they are."""
        table = self.intervals
        for row in range(0, len(table) if self.equalities else 0, at.INTERVAL):
            for pair in self.equalities.get(table[row + at.PRESENCE], []):
                if table[row + at.START] in pair and table[row + at.START + 1] == 1:
                    other = pair[1] if pair[0] == table[row + at.START] else pair[0]
                    table[row + at.TIED] = 1 + other

    def _objective(self) -> list[Term]:
        if self.proto.has_floating_point_objective():
            raise UnsupportedConstraintError("a floating-point objective is not supported")
        # Reading the objective of a model without one would give it an empty one.
        if not self.proto.has_objective():
            return []
        objective = self.proto.objective
        refs, coefficients = ints(objective.vars), ints(objective.coeffs)
        terms = _collect(
            [variable_of(ref) for ref in refs],
            [c if ref >= 0 else -c for ref, c in zip(refs, coefficients, strict=True)],
        )
        domain = ints(objective.domain)
        if domain:
            self._add_linear([], terms, domain, -1)
        low, high = self.range_of(terms)
        if max(abs(low), abs(high)) > MAX_SPAN:
            raise InputError(
                f"the objective may be {low} to {high}, beyond the {MAX_SPAN} that fit"
            )
        return terms


def _collect(variables: Sequence[int], coefficients: Sequence[int]) -> list[Term]:
    """Terms with every variable once and no zero coefficient."""
    if len(variables) == 1 and coefficients[0]:
        return [(variables[0], coefficients[0])]
    total: dict[int, int] = {}
    for v, a in zip(variables, coefficients, strict=True):
        total[v] = total.get(v, 0) + a
    return [(v, a) for v, a in total.items() if a != 0]
