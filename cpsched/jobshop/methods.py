"""Names of the methods that solve a job shop; cheap to import."""

from __future__ import annotations

from cpsched.jobshop.rules import RULES

#: Method by name, with one line on what it does.
METHODS: dict[str, str] = {
    "auto": "portfolio: dispatching rules, tabu search with path relinking, CP-SAT, bounds",
    "cpsat": "CP-SAT alone on the model with tight domains",
    "tabu": "dispatching rules, then tabu search with path relinking alone",
    **{f"rule:{rule.name}": f"dispatching rule: {rule.meaning}" for rule in RULES.values()},
}

#: Methods that can also choose among the machines of a flexible job shop.
FLEXIBLE = ("auto", "cpsat")
