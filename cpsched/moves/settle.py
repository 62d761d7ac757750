"""What follows from a complete assignment of the decisions: the other variables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cpsched.construct import Outcome, State
from cpsched.construct import layout as at
from cpsched.construct.kernels import look_around
from cpsched.construct.root import values_of
from cpsched.propagation.entry import post
from cpsched.propagation.layout import FAILED, HEADER

if TYPE_CHECKING:
    from cpsched.formulation import Values
    from cpsched.moves.compile import Moves
    from cpsched.propagation.sections import Ints

_NOTHING = np.zeros(0, np.int64)


class Settler:
    """Fixes the decisions of one formulation and has propagation do the rest.

    What propagation leaves open is filled in as at the end of a construction: the variables of the
    objective take their better end, then the others their least value, each propagated.
    """

    def __init__(self, moves: Moves) -> None:
        self.moves = moves
        self.row = moves.construction.root.copy()

    def settle(self, bits: Ints) -> int | None:
        """Objective, as it is minimised inside, with the bits at these values; None if none.

        None means that a constraint is violated, or that filling in what is open has failed.
        """
        construction, row = self.moves.construction, self.row
        row[:] = construction.root
        slots = HEADER + 2 * self.moves.bits
        possible = (row[slots] <= bits) & (bits <= row[slots + 1])
        if not possible.all():
            # Root propagation has proven that the model has no solution with this value.
            return None
        row[slots] = row[slots + 1] = bits
        static = construction.static
        if not post(static, row, _NOTHING, -1, 0, 0):
            return None
        # Every decision has followed: looking around finds nothing left and fills in the rest.
        look_around(static, row, _NOTHING, _NOTHING, at.ALL)
        return int(row[at.BOUND]) if row[at.OUTCOME] == Outcome.FINISHED else None

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
        return "what the decisions leave open could not be filled in"
