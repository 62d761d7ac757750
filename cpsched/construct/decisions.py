"""The decisions of a model that comes without a list of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cpsched.errors import InputError
from cpsched.formulation import Assign, Decision, Formulation, Reject, Start, Values

if TYPE_CHECKING:
    from ortools.sat.python import cp_model


def schedule_decisions(proto: Any) -> tuple[Decision, ...]:
    """Start of every interval that some no-overlap or cumulative holds, or of all if none does.

    An optional interval that is no alternative of others (its presence is in no exactly-one) may
    also be rejected; several with the same presence, such as the operations of an order that may
    be accepted, are rejected at once.
    """
    rejected: set[tuple[int, ...]] = set()
    used: set[int] = set()
    chosen: set[int] = set()
    intervals = []
    for index, constraint in enumerate(proto.constraints):
        if constraint.has_interval():
            intervals.append(index)
        elif constraint.has_no_overlap():
            used.update(constraint.no_overlap.intervals)
        elif constraint.has_cumulative():
            used.update(constraint.cumulative.intervals)
        elif constraint.has_exactly_one():
            chosen.update(constraint.exactly_one.literals)
    decisions: list[Decision] = []
    for index in intervals:
        if used and index not in used:
            continue
        decisions.append(Start(index))
        literals = tuple(proto.constraints[index].enforcement_literal)
        if literals and literals not in rejected and chosen.isdisjoint(literals):
            rejected.add(literals)
            decisions.append(Reject(literals))
    return tuple(decisions)


def assignment_decisions(proto: Any) -> tuple[Decision, ...]:
    """Every literal of an exactly-one; then, of an at-most-one, those that are in none before.

    An item is a group in which nothing is decided yet, so that the literals of a matrix belong to
    its rows if those are exactly-ones, whatever its columns say. A group of an at-most-one may be
    rejected.
    """
    claimed: set[int] = set()
    decisions: list[Decision] = []
    for name in ("exactly_one", "at_most_one"):
        for constraint in proto.constraints:
            if not getattr(constraint, f"has_{name}")() or len(constraint.enforcement_literal):
                continue
            group = [ref for ref in getattr(constraint, name).literals if ref not in claimed]
            if not group:
                continue
            claimed.update(group)
            decisions += [Assign(ref) for ref in group]
            if name == "at_most_one":
                decisions.append(Reject(tuple(group)))
    return tuple(decisions)


def formulation_of(
    model: cp_model.CpModel, decisions: tuple[Decision, ...]
) -> Formulation[Values]:
    """Formulation of a bare model: its solutions are the values of its variables.

    Raises InputError if *decisions* is empty.
    """
    if not decisions:
        raise InputError(
            "the model offers no decision: Schedule needs intervals, Assign exactly-one or "
            "at-most-one constraints"
        )
    variables: list[int] = []
    coefficients: list[int] = []
    if model.proto.has_objective():
        objective = model.proto.objective
        variables, coefficients = list(objective.vars), list(objective.coeffs)

    def value(values: Values) -> int:
        return int(
            sum(
                c * (values[v] if v >= 0 else -values[-v - 1])
                for v, c in zip(variables, coefficients, strict=True)
            )
        )

    return Formulation(
        model=model,
        decisions=decisions,
        stages=(),
        decode=lambda values: values,
        encode=lambda values: np.asarray(values, dtype=np.int64),
        objective=value,
    )
