"""Names of the methods that solve a job shop; cheap to import."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cpsched.construct.rules import RULES

if TYPE_CHECKING:
    from cpsched.jobshop.instance import JobShop

#: Method by name, with one line on what it does.
METHODS: dict[str, str] = {
    "auto": "portfolio: dispatching rules, tabu search with path relinking, CP-SAT, bounds",
    "cpsat": "CP-SAT alone on the model with tight domains",
    "tabu": "dispatching rules, then tabu search with path relinking alone",
    **{f"rule:{rule.name}": f"dispatching rule: {rule.meaning}" for rule in RULES.values()},
}


def obstacle(method: str, instance: JobShop) -> str:
    """What *method*, one of ``METHODS``, needs that *instance* does not have; empty if nothing."""
    if method == "tabu" and instance.is_flexible:
        return f"needs one machine per operation, {instance.name} has operations with a choice"
    # Due dates are no part of a job shop yet.
    if method.startswith("rule:") and RULES[method.removeprefix("rule:")].needs_due:
        return f"needs due dates, {instance.name} has none"
    return ""
