"""Options that say what a repack may cost, for families that have such settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cpsched import families
from cpsched.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cpsched.protocols import Instance

_PANEL = "Pods: what a repack may cost"

#: Option of each setting.
_OPTIONS = {
    "move": "--move-cost",
    "evict": "--evict-cost",
    "grace_unit": "--grace-unit",
    "budget": "--budget-cost",
    "never_moves": "--never-moves",
}

MoveCost = Annotated[
    int | None,
    typer.Option(
        _OPTIONS["move"],
        metavar="N",
        help="Cost of moving a running pod.",
        show_default="the cluster's, 1",
        rich_help_panel=_PANEL,
    ),
]
EvictCost = Annotated[
    int | None,
    typer.Option(
        _OPTIONS["evict"],
        metavar="N",
        help="Cost of leaving a running pod without a place, in moves of it.",
        show_default="the cluster's, 2",
        rich_help_panel=_PANEL,
    ),
]
GraceUnit = Annotated[
    int | None,
    typer.Option(
        _OPTIONS["grace_unit"],
        metavar="SECONDS",
        help="Seconds of a pod's termination grace period that cost 1 more.",
        show_default="the cluster's, 60",
        rich_help_panel=_PANEL,
    ),
]
BudgetCost = Annotated[
    int | None,
    typer.Option(
        _OPTIONS["budget"],
        metavar="N",
        help="Added for a pod under a PodDisruptionBudget.",
        show_default="the cluster's, 1",
        rich_help_panel=_PANEL,
    ),
]
NeverMoves = Annotated[
    bool | None,
    typer.Option(
        f"{_OPTIONS['never_moves']}/--no-never-moves",
        help="Whether pods of preemptionPolicy Never may make other pods move.",
        show_default="the cluster's, no",
        rich_help_panel=_PANEL,
    ),
]


def adjusted(instance: Instance, settings: Mapping[str, int | bool | None]) -> Instance:
    """*instance* with those of *settings* that are not None.

    Raises InputError, naming the option, if the instance's family has no such setting or the
    value is not allowed.
    """
    family = families.of(instance)
    for name, value in settings.items():
        if value is None:
            continue
        if name not in family.SETTINGS:
            raise InputError(f"{_OPTIONS[name]} is for clusters, {instance.name} is none")
        try:
            instance = family.with_setting(instance, name, value)
        except InputError as error:
            raise InputError(f"{_OPTIONS[name]} {value}: {error.reason}") from None
    return instance
