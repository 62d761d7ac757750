"""Solver-free verdict on any solution, by the family of its instance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cpsched.errors import UnknownNameError
from cpsched.jobshop.check import check as check_job_shop

if TYPE_CHECKING:
    from cpsched.protocols import Instance
    from cpsched.result import CheckReport

_CHECKS = {"jobshop": check_job_shop}


def check(instance: Instance, solution: Any) -> CheckReport:
    """Check *solution* against the rules of its problem and recompute its objective.

    Raises
    ------
    UnknownNameError
        If no family of that name exists.
    """
    rules = _CHECKS.get(instance.family)
    if rules is None:
        raise UnknownNameError.of("family", instance.family, _CHECKS)
    # A family name promises the class of the instance and of its solution.
    return rules(instance, solution)  # type: ignore[arg-type]
