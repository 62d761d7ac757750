"""What actions, masks and dead ends mean, in words."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from cpsched.construct import Outcome, State
from cpsched.construct import layout as at
from cpsched.formulation import Assign, Start
from cpsched.propagation import layout as net

if TYPE_CHECKING:
    import numpy.typing as npt

    from cpsched.construct import Construction
    from cpsched.formulation import Values

#: Legal actions that an error lists.
_MOST_LISTED = 12


class Words:
    """Speaks about the states of one construction.

    Parameters
    ----------
    construction
        What is decided.
    """

    def __init__(self, construction: Construction) -> None:
        self._construction = construction

    def action(self, row: Values, action: int) -> str:
        """What an action means in the state *row*."""
        if action == self._construction.num_decisions:
            if row[at.NEXT] == at.NEVER:
                return "wait: there is no next event"
            return f"wait until {row[at.NEXT]}"
        decision = self._construction.formulation.decisions[action]
        if isinstance(decision, Start):
            name = self._construction.formulation.model.proto.constraints[decision.interval].name
            number = self._construction.network.intervals[decision.interval]
            return (
                f"start interval {decision.interval}{_quoted(name)} at {self._start(row, number)}"
            )
        if isinstance(decision, Assign):
            return f"make {self._literal(decision.literal)} true"
        return f"make {', '.join(map(self._literal, decision.literals))} false"

    def dead_end(self, row: Values) -> str:
        """Why there is no way on from the state *row*."""
        self._state.row = self._state.propagator.row = row
        if self._state.outcome is not Outcome.DEAD_END:
            raise ValueError(f"the state is {self._state.outcome.name.lower()}")
        return self._state.why()

    @cached_property
    def _state(self) -> State[object]:
        # Made at the first dead end: it propagates the root once more.
        return State(self._construction)

    def _start(self, row: Values, interval: int) -> int:
        static = self._construction.static
        slot = int(static[net.INTERVALS]) + net.INTERVAL * interval + net.START
        variable, factor, offset = static[slot : slot + 3].tolist()
        low, high = row[net.HEADER + 2 * variable : net.HEADER + 2 * variable + 2].tolist()
        earliest = int(row[static[net.T_EARLIEST] + interval])
        return max(int(min(factor * low, factor * high) + offset), earliest)

    def _literal(self, ref: int) -> str:
        variable = ref if ref >= 0 else -ref - 1
        name = self._construction.formulation.model.proto.variables[variable].name
        return f"{'' if ref >= 0 else 'not '}variable {variable}{_quoted(name)}"


def legal_words(mask: npt.NDArray[np.int8]) -> str:
    """List of the legal actions, shortened."""
    legal = np.flatnonzero(mask).tolist()
    more = f", … ({len(legal)} in all)" if len(legal) > _MOST_LISTED else ""
    return f"legal: {', '.join(map(str, legal[:_MOST_LISTED]))}{more}"


def _quoted(name: str) -> str:
    return f" {name!r}" if name else ""
