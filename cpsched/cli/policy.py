"""Options that change what is asked of a cluster: what a repack may cost, what VMs may do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cpsched import families
from cpsched.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cpsched.protocols import Instance

_PANEL = "Pods: what a repack may cost"
_VM_PANEL = "VMs: what is asked, and what may be done"

#: Option of each setting.
_OPTIONS = {
    "move": "--move-cost",
    "evict": "--evict-cost",
    "grace_unit": "--grace-unit",
    "budget": "--budget-cost",
    "never_moves": "--never-moves",
}
_VM_OPTIONS = {
    "max_moves": "--max-moves",
    "objective": "--objective",
    "goal": "--goal",
    "fragments": "--fragment",
    "in_flight": "--in-flight",
    "inflow": "--inflow",
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

MaxMoves = Annotated[
    int | None,
    typer.Option(
        _VM_OPTIONS["max_moves"],
        metavar="N",
        help="Most migrations.",
        show_default="the cluster's, 50",
        rich_help_panel=_VM_PANEL,
    ),
]
Objective = Annotated[
    str | None,
    typer.Option(
        _VM_OPTIONS["objective"],
        metavar="NAME",
        help="fragments: the lowest fragment rate; goal: one that is low enough, with the fewest "
        "migrations; empty: as many empty PMs as possible.",
        show_default="the cluster's, fragments",
        rich_help_panel=_VM_PANEL,
    ),
]
Goal = Annotated[
    str | None,
    typer.Option(
        _VM_OPTIONS["goal"],
        metavar="RATE",
        help="Fragment rate to reach, such as 0.40, with the fewest migrations.",
        rich_help_panel=_VM_PANEL,
    ),
]
Fragment = Annotated[
    str | None,
    typer.Option(
        _VM_OPTIONS["fragments"],
        metavar="CORES[d][*WEIGHT],...",
        help="Cores of the slots that are wanted, d for those that are spread over the NUMA nodes "
        "of a PM, such as 16 or 16,64d.",
        show_default="the cluster's, 16",
        rich_help_panel=_VM_PANEL,
    ),
]
InFlight = Annotated[
    int | None,
    typer.Option(
        _VM_OPTIONS["in_flight"],
        metavar="N",
        help="Most migrations at a time.",
        show_default="the cluster's, 2",
        rich_help_panel=_VM_PANEL,
    ),
]
Inflow = Annotated[
    int | None,
    typer.Option(
        _VM_OPTIONS["inflow"],
        metavar="N",
        help="Most migrations at a time into one PM.",
        show_default="the cluster's, 1",
        rich_help_panel=_VM_PANEL,
    ),
]


def vm_settings(
    max_moves: int | None,
    objective: str | None,
    goal: str | None,
    fragments: str | None,
    in_flight: int | None,
    inflow: int | None,
) -> dict[str, Any]:
    """The options for VMs as settings, those that belong together in one.

    Raises InputError for a goal with another objective.
    """
    if goal is not None:
        if objective not in (None, "goal"):
            raise InputError(f"--goal is for --objective goal, not for {objective}")
        objective = None  # a goal sets it
    return {
        "max_moves": max_moves,
        "objective": objective,
        "goal": goal,
        "fragments": fragments,
        "in_flight": in_flight,
        "inflow": inflow,
    }


def adjusted(instance: Instance, settings: Mapping[str, Any]) -> Instance:
    """*instance* with those of *settings* that are not None.

    Raises InputError, naming the option, if the instance's family has no such setting or the
    value is not allowed.
    """
    family = families.of(instance)
    for name, value in settings.items():
        if value is None:
            continue
        option = {**_OPTIONS, **_VM_OPTIONS}[name]
        if name not in family.SETTINGS:
            whose = "pods" if name in _OPTIONS else "VMs"
            raise InputError(f"{option} is for clusters of {whose}, {instance.name} is none")
        try:
            instance = family.with_setting(instance, name, value)
        except InputError as error:
            raise InputError(f"{option} {value}: {error.reason}") from None
    return instance
