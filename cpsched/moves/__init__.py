"""Move: go from one complete assignment to the next, one decision changed at a time.

The names are loaded on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cpsched.lazy import loader

if TYPE_CHECKING:
    from cpsched.moves.compile import Moves as Moves
    from cpsched.moves.compile import compile_moves as compile_moves
    from cpsched.moves.state import MoveState as MoveState

_LAZY = {
    "Moves": ".compile",
    "compile_moves": ".compile",
    "MoveState": ".state",
}

__all__ = sorted(_LAZY)

__getattr__, __dir__ = loader(globals(), _LAZY)
