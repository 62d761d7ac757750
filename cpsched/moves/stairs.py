"""Finds stairs: variables that nothing but the objective presses against sums of bits.

Such a variable is in linear constraints alone, each with one side, that which holds it back from
where the objective wants it, and with no other unknown variable: ``16 * slots + used <= capacity``
with slots maximised. Under given bits it has its best value, the least of the bounds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cpsched.moves.sums import MAX_ACTIVITY, Row, Stair, Step, Sum
from cpsched.propagation.sections import ints

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence


class Stairs:
    """The stairs of a model.

    Parameters
    ----------
    proto, kinds, scopes
        Model, kind and variables of each constraint.
    known
        Variables that are sums of bits.
    settled
        Constraints that are something else already.
    num_rows
        Rows that there are; those of stairs follow.

    Attributes
    ----------
    rows, found
        Rows of the stairs, with the variable at its loosest value, and the stairs.
    sources
        Constraints that are nothing but stairs.
    """

    def __init__(
        self,
        proto: Any,
        kinds: Sequence[str],
        scopes: Sequence[Collection[int]],
        known: Mapping[int, Sum],
        settled: Collection[int],
        num_rows: int,
    ) -> None:
        self.proto, self.kinds, self.known = proto, kinds, known
        self.num_rows = num_rows
        self.rows: list[Row] = []
        self.found: list[Stair] = []
        self.sources: set[int] = set()
        costs = self._unknown_costs()
        sources: dict[int, list[int]] = {v: [] for v in costs}
        for source, scope in enumerate(scopes) if costs else ():
            if source not in settled:
                for v in scope:
                    if v in sources:
                        sources[v].append(source)
        for v, cost in costs.items():
            if sources[v] and self._stair(v, cost, sources[v]):
                self.sources.update(sources[v])

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
            read = self._step(source, v, turn, loosest, self.num_rows + len(self.rows) + len(rows))
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
        self.found.append(Stair(abs(cost), limit, tuple(steps)))
        return True

    def _step(
        self, source: int, v: int, turn: int, loosest: int, number: int
    ) -> tuple[Row, Step] | None:
        """Row of a constraint with *v* at its *loosest* value, and how it bounds *v*, if so.

        number: that the row will have.
        """
        constraint = self.proto.constraints[source]
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
