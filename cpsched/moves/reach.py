"""How far a change reaches through the constraints that propagation settles."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from cpsched.moves import layout as at

if TYPE_CHECKING:
    from cpsched.moves.compile import Moves
    from cpsched.propagation.sections import Ints


class Reach:
    """Which decisions have to do with which components of the deep constraints.

    Attributes
    ----------
    is_deep
        Shape (num_decisions,): whether the item of a decision has a bit in any component.
    """

    def __init__(self, moves: Moves) -> None:
        self.moves, S = moves, moves.static
        self._components: list[list[int]] = [[] for _ in moves.bits]
        for number, bits in enumerate(moves.deep_bits):
            for bit in bits.tolist():
                self._components[bit].append(number)
        literals = S[S[at.LITERAL] :][: moves.num_decisions]
        self._rejects = literals == at.REJECTS
        self._bit = np.where(literals >= 0, literals, -literals - 1)
        self._bit[self._rejects] = 0
        # Of each bit the items that it is in, and the value that puts its literal there in force.
        ptr = S[at.BIT_ITEMS] + np.arange(len(moves.bits) + 1)
        pairs = S[S[ptr[0]] : S[ptr[-1]]].reshape(-1, 2)
        self._item, self._value = pairs.T
        self._item_bit = np.repeat(np.arange(len(moves.bits)), np.diff(S[ptr]) // 2)
        self.is_deep = self._items(np.unique(np.concatenate(moves.deep_bits)))[moves.item_of]

    def _items(self, bits: Ints) -> npt.NDArray[np.bool_]:
        found = np.zeros(self.moves.num_items, np.bool_)
        found[self._item[np.isin(self._item_bit, bits)]] = True
        return found

    def of(self, flipped: Ints, values: Ints) -> npt.NDArray[np.bool_]:
        """Shape (num_decisions,): of which decisions the verdict may be another than before.

        flipped: the bits of a move; values: of all bits after it.
        """
        touched = np.zeros(len(values), np.bool_)
        for number in {c for bit in flipped.tolist() for c in self._components[bit]}:
            touched[self.moves.deep_bits[number]] = True
        found = touched[self._bit] & ~self._rejects
        # Whatever is put in force, what is in force now is taken back.
        in_force = values[self._item_bit] == self._value
        item = self._items(flipped)
        item[self._item[in_force & touched[self._item_bit]]] = True
        everything: npt.NDArray[np.bool_] = (found | item[self.moves.item_of]) & self.is_deep
        return everything
