"""Solver-free verdict on any solution, by the family of its instance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cpsched import families

if TYPE_CHECKING:
    from cpsched.protocols import Instance
    from cpsched.result import CheckReport


def check(instance: Instance, solution: Any) -> CheckReport:
    """Check *solution* against the rules of its problem and recompute its objective.

    Raises
    ------
    UnknownNameError
        If no family of that name exists.
    """
    return families.of(instance).check(instance, solution)
