"""What follows from a complete assignment of the decisions: the other variables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cpsched.construct import Outcome, State
from cpsched.construct import layout as at
from cpsched.construct.kernels import look_around
from cpsched.construct.root import values_of
from cpsched.propagation import Propagator
from cpsched.propagation.entry import post
from cpsched.propagation.layout import FAILED, HEADER, OBJECTIVE, PUSHES

if TYPE_CHECKING:
    from cpsched.formulation import Values
    from cpsched.moves.compile import Moves
    from cpsched.propagation.sections import Ints

#: Nodes of the search for values of what decisions leave open.
MOST_NODES = 1000

_NOTHING = np.zeros(0, np.int64)


class Settler:
    """Fixes the decisions of one formulation and has propagation do the rest.

    What propagation leaves open is filled in as at the end of a construction: the variables of the
    objective take their better end, then the others their least value, each propagated. Where that
    fails, or is not as good as propagation allows, a depth-first search goes on, ``MOST_NODES``
    nodes at most.
    """

    def __init__(self, moves: Moves) -> None:
        self.moves = moves
        construction = moves.construction
        self.row = construction.root.copy()
        self._propagator = Propagator(construction.network, row=self.row)
        # The network's own array with the decisions behind it.
        self._propagator.static = construction.static
        begin = int(construction.static[OBJECTIVE]) + 1
        count = int(construction.static[begin - 1])
        terms = construction.static[begin : begin + 2 * count].reshape(-1, 2)
        self._better, self._costs = HEADER + 2 * terms[:, 0] + (terms[:, 1] < 0), terms[:, 1]
        self._objective = terms[:, 0]
        self._nodes, self._pushes = 0, int(self.row[PUSHES])

    def settle(self, bits: Ints) -> int | None:
        """Objective, as it is minimised inside, with the bits at these values; None if none.

        None means that a constraint is violated, or that no values were found for what is open.
        """
        if not self._fix(bits):
            return None
        row, bound = self.row, self._bound()
        # Every decision has followed: looking around finds nothing left and fills in the rest.
        look_around(self.moves.construction.static, row, _NOTHING, _NOTHING, at.ALL)
        if row[at.OUTCOME] == Outcome.FINISHED and row[at.BOUND] == bound:
            return bound
        best, found = None, None
        if row[at.OUTCOME] == Outcome.FINISHED:
            best, found = int(row[at.BOUND]), row.copy()
        self._fix(bits)
        best, found = self._search(best, found)
        self._pushes = int(row[PUSHES])
        if found is not None:
            row[:] = found
        return best

    def _fix(self, bits: Ints) -> bool:
        """Begin at the root with the bits at these values; False if propagation fails."""
        row, root = self.row, self.moves.construction.root
        row[:] = root
        # Levels are told from each other by their number: the trail remembers those of before.
        row[PUSHES] = self._pushes
        slots = HEADER + 2 * self.moves.bits
        possible = (row[slots] <= bits) & (bits <= row[slots + 1])
        if not possible.all():
            # Root propagation has proven that the model has no solution with this value.
            return False
        row[slots] = row[slots + 1] = bits
        return bool(post(self.moves.construction.static, row, _NOTHING, -1, 0, 0))

    def _bound(self) -> int:
        return int(self._costs @ self.row[self._better])

    def _search(self, best: int | None, found: Ints | None) -> tuple[int | None, Ints | None]:
        """Best objective and its row, from what was found before, by halving domains."""
        row, propagator = self.row, self._propagator
        num_variables = self.moves.formulation.num_variables
        # What is to be done: bounds (variable, low, high) to post at a level.
        stack: list[tuple[int, int, int, int]] = [(0, -1, 0, 0)]
        self._nodes = 0
        while stack and self._nodes < MOST_NODES:
            self._nodes += 1
            level, variable, low, high = stack.pop()
            while propagator.level > level:
                propagator.pop()
            if variable >= 0:
                propagator.push()
                if not propagator.tighten(variable, low, high):
                    continue
            bound = self._bound()
            if best is not None and bound >= best:
                continue
            lower = row[HEADER : HEADER + 2 * num_variables : 2]
            upper = row[HEADER + 1 : HEADER + 2 * num_variables : 2]
            open_ = np.flatnonzero(lower < upper)
            if not len(open_):
                best, found = bound, row.copy()
                continue
            in_order = self._objective[np.isin(self._objective, open_)]
            v = int(in_order[0] if len(in_order) else open_[0])
            low, high = int(lower[v]), int(upper[v])
            middle = (low + high) // 2
            halves = [(v, middle + 1, high), (v, low, middle)]
            if len(in_order) and self._costs[self._objective == v][0] < 0:
                halves.reverse()
            # The better half is popped first.
            stack += [(propagator.level, *half) for half in halves]
        while propagator.level:
            propagator.pop()
        return best, found

    def values(self) -> Values:
        """Shape (num_variables,): values of all model variables after the last ``settle``."""
        return values_of(self.moves.construction, self.row).copy()

    def why(self, bits: Ints) -> str:
        """Why ``settle`` has returned None for these bits."""
        construction = self.moves.construction
        slots = HEADER + 2 * self.moves.bits
        wrong = (bits < construction.root[slots]) | (bits > construction.root[slots + 1])
        if wrong.any():
            k = int(np.flatnonzero(wrong)[0])
            variable = int(self.moves.bits[k])
            name = construction.network.names[variable]
            return (
                f"variable {variable}{f' {name!r}' if name else ''} is {int(bits[k])} in no "
                "solution of the model"
            )
        state: State[object] = State(construction)
        state.row = state.propagator.row = self.row
        if self.row[FAILED] and state.propagator.failure:
            return str(state.propagator.failure)
        return "no values were found for what the decisions leave open"
