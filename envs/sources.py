"""From what a user has (a name, a file, an instance, a model) to a formulation with decisions."""

from __future__ import annotations

import enum
import os
from typing import TYPE_CHECKING, Any

from ortools.sat.python import cp_model

from cpsched.construct import (
    Frame,
    assignment_decisions,
    formulation_of,
    schedule_decisions,
)
from cpsched.errors import InputError, UnknownNameError
from cpsched.formulation import Assign, Formulation, Start
from cpsched.instances import read
from cpsched.jobshop.model import formulate as formulate_job_shop
from cpsched.pods.model import formulate as formulate_pods
from cpsched.propagation import DisjunctiveRule
from cpsched.protocols import Instance
from cpsched.vms.model import formulate as formulate_vms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

#: Builds the formulation of an instance, by the name of its family.
_FORMULATE: dict[str, Callable[..., Formulation[Any]]] = {
    "jobshop": formulate_job_shop,
    "pods": formulate_pods,
    "vms": formulate_vms,
}


class Kind(enum.StrEnum):
    """What is decided: when intervals start, or which literals are true."""

    SCHEDULE = "schedule"
    ASSIGN = "assign"

    @property
    def frames(self) -> tuple[Frame, ...]:
        """Frames that make a difference, the default first."""
        if self is Kind.ASSIGN:
            return Frame.NEXT, Frame.ALL
        return Frame.ALL, Frame.ACTIVE, Frame.NONDELAY, Frame.WAIT, Frame.NEXT


class RewardKind(enum.StrEnum):
    """What an episode is rewarded with: the drop of the bound step by step, or the objective."""

    BOUND = "bound"
    FINAL = "final"


def chosen(kind: type[enum.StrEnum], what: str, name: str, allowed: Iterable[Any]) -> Any:
    """Member of *kind* called *name*; UnknownNameError if that is not among the *allowed*."""
    if name not in (known := list(allowed)):
        raise UnknownNameError.of(what, str(name), known)
    return kind(name)


def frame_of(kind: Kind, name: str | None) -> Frame:
    """Frame called *name*, by default the first of *kind*."""
    if name is None:
        return kind.frames[0]
    frame: Frame = chosen(Frame, f"frame of {kind.value} environments", name, kind.frames)
    return frame


def formulation_for(kind: Kind, source: object) -> Formulation[Any]:
    """Formulation of *source*: a shipped name, a file, an instance, a model or a formulation.

    A bare model gets the decisions that its constraints offer (``construct.schedule_decisions``,
    ``construct.assignment_decisions``), a formulation keeps its own.

    Raises InputError if *source* is none of these, cannot be read, or offers no decision of
    *kind*.
    """
    if isinstance(source, str | os.PathLike):
        source = read(source)
    if isinstance(source, cp_model.CpModel):
        find = assignment_decisions if kind is Kind.ASSIGN else schedule_decisions
        decisions = find(source.proto)
        if not decisions and kind is Kind.ASSIGN:
            _explain_sums(source.proto)
        return formulation_of(source, decisions)
    if isinstance(source, Formulation):
        if not source.decisions:
            raise InputError("the formulation has no decision")
        return source
    if not isinstance(source, Instance):
        raise InputError(
            "an instance (a shipped name, a file or an object), a CpModel or a Formulation is "
            f"needed, not {type(source).__name__}"
        )
    formulate = _FORMULATE.get(source.family)
    if formulate is None:
        raise UnknownNameError.of("family", source.family, _FORMULATE)
    # A family name promises the class of the instance.
    formulation: Formulation[Any] = formulate(source)
    wanted = Assign if kind is Kind.ASSIGN else Start
    if not any(isinstance(decision, wanted) for decision in formulation.decisions):
        raise InputError(f"{source.name} has nothing to {kind.value}")
    return formulation


def only_one(**sources: Any) -> Any:
    """The one of *sources* that is given; InputError if it is not exactly one."""
    given = [name for name, source in sources.items() if source is not None]
    if len(given) != 1:
        names = ", ".join(f"{name}=" for name in sources)
        found = ", ".join(f"{name}=" for name in given) if given else "none"
        raise InputError(f"exactly one of {names} is needed, got {found}")
    return sources[given[0]]


def check_types(models: Sequence[Any] | None, formulations: Sequence[Any] | None) -> None:
    """Raise InputError if a model or formulation that is given is something else."""
    for name, wanted, given in (
        ("model", cp_model.CpModel, models),
        ("formulation", Formulation, formulations),
    ):
        for source in given if isinstance(given, list | tuple) else [given]:
            if source is not None and not isinstance(source, wanted):
                found = repr(source) if isinstance(source, str) else type(source).__name__
                raise InputError(
                    f"{name} takes a {wanted.__name__}, not {found}; "
                    "names, files and instance objects go to instance"
                )


def check_options(rules: object, probe: object) -> None:
    """Raise InputError if *rules* or *probe* is of another type than it must be."""
    if not isinstance(rules, DisjunctiveRule):
        names = ", ".join(str(rule.name) for rule in (DisjunctiveRule.NONE, *DisjunctiveRule))
        raise InputError(
            f"rules must be a DisjunctiveRule ({names}, ALL, or several joined by |), "
            f"not {rules!r}"
        )
    if not isinstance(probe, bool):
        raise InputError(f"probe must be True or False, not {probe!r}")


def _explain_sums(proto: Any) -> None:
    """Raise InputError if a choice is written as a sum of Booleans, in which it is not seen."""
    for index, constraint in enumerate(proto.constraints):
        if not constraint.has_linear() or len(constraint.enforcement_literal):
            continue
        linear, domain = constraint.linear, list(constraint.linear.domain)
        if len(domain) != 2 or domain[1] != 1 or set(linear.coeffs) != {1}:
            continue
        if any(list(proto.variables[v].domain) != [0, 1] for v in linear.vars):
            continue
        method, sign = ("add_exactly_one", "==") if domain[0] == 1 else ("add_at_most_one", "<=")
        name = f" {constraint.name!r}" if constraint.name else ""
        raise InputError(
            "the model offers no decision: Assign needs exactly-one or at-most-one constraints; "
            f"constraint {index}{name} is a sum {sign} 1: write {method}"
        )
