"""Construct: decide a formulation step by step, propagating after every decision.

The names are loaded on first use: ``construct.rules`` is for lists of methods, too, which need no
kernel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cpsched.lazy import loader

if TYPE_CHECKING:
    from cpsched.construct.compile import Construction as Construction
    from cpsched.construct.compile import compile_formulation as compile_formulation
    from cpsched.construct.decisions import assignment_decisions as assignment_decisions
    from cpsched.construct.decisions import formulation_of as formulation_of
    from cpsched.construct.decisions import schedule_decisions as schedule_decisions
    from cpsched.construct.frames import Frame as Frame
    from cpsched.construct.state import Outcome as Outcome
    from cpsched.construct.state import State as State

_LAZY = {
    "Construction": ".compile",
    "compile_formulation": ".compile",
    "assignment_decisions": ".decisions",
    "formulation_of": ".decisions",
    "schedule_decisions": ".decisions",
    "Frame": ".frames",
    "Outcome": ".state",
    "State": ".state",
}

__all__ = sorted(_LAZY)

__getattr__, __dir__ = loader(globals(), _LAZY)
