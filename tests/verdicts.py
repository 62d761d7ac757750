"""CP-SAT's verdict on a model in which some variables are fixed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ortools.sat.python import cp_model

from cpsched.formulation import Assign, Formulation, Start

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def solve(model: cp_model.CpModel, fixed: Mapping[int, int]) -> tuple[str, float, list[int]]:
    """Status, objective and values of *model* with some variables fixed."""
    model = model.clone()
    for variable, value in fixed.items():
        domain = model.proto.variables[variable].domain
        allowed = cp_model.Domain.from_flat_intervals(list(domain))
        assert allowed.contains(value), f"variable {variable} cannot be {value}"
        domain.clear()
        domain.extend([value, value])
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.catch_sigint_signal = False
    status = solver.status_name(solver.solve(model))
    if status not in ("OPTIMAL", "FEASIBLE"):
        return status, 0.0, []
    return status, solver.objective_value, list(solver.response_proto.solution)


def decided(formulation: Formulation[Any], decision: int) -> list[int]:
    """Variables of the model that a decision fixes."""
    proto = formulation.model.proto
    taken = formulation.decisions[decision]
    if isinstance(taken, Start):
        constraint = proto.constraints[taken.interval]
        refs = [*constraint.interval.start.vars, *constraint.enforcement_literal]
    elif isinstance(taken, Assign):
        refs = [taken.literal]
    else:
        refs = list(taken.literals)
    return [ref if ref >= 0 else -ref - 1 for ref in refs]


def inner_sum(formulation: Formulation[Any], values: Iterable[int]) -> int:
    """What the model minimises inside, without offset and scaling."""
    objective = formulation.model.proto.objective
    array = list(values)
    return sum(
        c * (array[v] if v >= 0 else -array[-v - 1])
        for v, c in zip(objective.vars, objective.coeffs, strict=True)
    )
