"""Machine reassignment as the common layers see it; see ``cpsched.families.Family``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cpsched.errors import InputError
from cpsched.reassignment.check import check as check
from cpsched.reassignment.cost import cost
from cpsched.reassignment.instance import Reassignment
from cpsched.reassignment.methods import METHODS as METHODS
from cpsched.reassignment.methods import obstacle as obstacle
from cpsched.words import count, gap_to, number, percent

if TYPE_CHECKING:
    import threading
    from collections.abc import Collection, Iterator, Sequence

    from cpsched.incumbent import Incumbent
    from cpsched.protocols import Limits
    from cpsched.reassignment.solution import Assignment
    from cpsched.result import Result

INSTANCE = Reassignment
OBJECTIVE = "cost"
SOLUTION = "assignment"
CSV_COLUMNS = ("process", "service", "machine_before", "machine")
TABLE_COLUMNS = ("cost before", "cost", "bound", "gap", "moved")
#: Nothing is drawn, and there are no commands: the challenge's machines have no names.
PLOT = ""
PICTURE = ""
COMMANDS: dict[str, str] = {}
NAMED = True
SETTINGS = ()
GAP = True
MEASURES = ("moved",)

_PARTS = ("load", "balance", "process_move", "service_move", "machine_move")


def prepare(methods: Collection[str], instances: Sequence[Reassignment] | None) -> None:
    """Import the kernel of *methods*."""
    del instances
    if methods:
        from cpsched.reassignment import portfolio  # noqa: F401


def start(
    instance: Reassignment, limits: Limits, method: str, incumbent: Incumbent[Assignment]
) -> threading.Thread:
    """Start *method* on *incumbent*; returns the running thread."""
    from cpsched.reassignment import portfolio

    return portfolio.start(instance, limits, method, incumbent)


def quick_bound(instance: Reassignment) -> int:
    """What counting says."""
    from cpsched.reassignment.cost import lower_bound

    return lower_bound(instance)


def csv_rows(
    instance: Reassignment, assignment: Assignment
) -> Iterator[tuple[int, int, int, int]]:
    """``(process, service, machine before, machine)`` of every process."""
    rows = zip(
        instance.service.tolist(),
        instance.machine.tolist(),
        assignment.machine.tolist(),
        strict=True,
    )
    for process, (service, before, machine) in enumerate(rows):
        yield process, service, before, machine


def record(instance: Reassignment, assignment: Assignment, bound: int | None) -> dict[str, Any]:
    """The machine of each process, and the parts of the cost."""
    del bound  # of the whole cost, which the result says
    parts = cost(instance, assignment.machine)
    return {
        "machines": assignment.machine.tolist(),
        "moved": _moved(instance, assignment),
        "cost_before": cost(instance, instance.machine).total,
        "cost": {part: getattr(parts, part) for part in _PARTS},
    }


def _moved(instance: Reassignment, assignment: Assignment) -> int:
    return int((assignment.machine != instance.machine).sum())


def shape(instance: Reassignment) -> str:
    """The size in words."""
    return (
        f"machine reassignment, {count(instance.num_machines, 'machine')}, "
        f"{instance.num_processes} process"
        f"{'es' if instance.num_processes != 1 else ''}, "
        f"{count(instance.num_services, 'service')}, {count(instance.num_resources, 'resource')}"
    )


def size(instance: Reassignment) -> str:
    """Processes on machines."""
    return f"{instance.num_processes} on {instance.num_machines}"


def items(instance: Reassignment) -> int:
    """Number of processes."""
    return instance.num_processes


def value(instance: Reassignment, assignment: Assignment) -> int:
    """The cost, whether or not the assignment keeps the rules."""
    return cost(instance, assignment.machine).total


def objective_text(instance: Reassignment, objective: int | None) -> str:
    """The number itself."""
    del instance
    return number(objective)


def facts(
    instance: Reassignment, result: Result[Assignment], best_known: int | None, found: str
) -> list[tuple[str, str]]:
    """The cost now and after, its parts, the bound, and what moves."""
    lines = []
    if result.objective is not None and result.solution is not None:
        lines.append(("cost", f"{result.objective}  {found}"))
        before = cost(instance, instance.machine)
        parts = cost(instance, result.solution.machine)
        lines.append(("before", str(before.total)))
        lines.append(
            (
                "parts",
                ", ".join(f"{part.replace('_', ' ')} {getattr(parts, part)}" for part in _PARTS),
            )
        )
        moved = _moved(instance, result.solution)
        lines.append(("moved", f"{moved} of {instance.num_processes} processes"))
    if result.bound is not None:
        gap = "" if result.gap is None else f"  gap {percent(result.gap)}"
        lines.append(("lower bound", f"{result.bound}{gap}"))
    if best_known is not None:
        to_best = gap_to(result.objective, best_known)
        lines.append(
            ("best known", f"{best_known}" + ("" if to_best is None else f"  {percent(to_best)}"))
        )
    if result.reason:
        lines.append(("note", result.reason))
    return lines


def denied(instance: Reassignment, assignment: Assignment, stated: dict[str, Any]) -> list[str]:
    """What a result states of the parts of its cost that is not so."""
    solution = stated.get("solution")
    if not isinstance(solution, dict):
        return []
    truth = record(instance, assignment, None)
    return [
        f"the stated {key} is {solution[key]!r:.60}, not {truth[key]!r:.200}"
        for key in ("moved", "cost_before", "cost")
        if key in solution and solution[key] != truth[key]
    ]


def with_setting(instance: Reassignment, name: str, value: int | bool) -> Reassignment:
    """InputError: a machine reassignment has no settings."""
    raise InputError(
        f"{instance.name}: a machine reassignment has no setting {name}, so not {value}"
    )


def as_stated(instance: Reassignment, stated: dict[str, Any]) -> Reassignment:
    """*instance* itself: it has no settings."""
    del stated
    return instance


def earlier(instance: Reassignment, stated: dict[str, Any]) -> None:
    """None: a result does not say where the processes were, so nothing tells an earlier state."""
    del instance, stated


def measures(instance: Reassignment, result: Result[Assignment]) -> dict[str, float]:
    """Processes that move."""
    if result.solution is None:
        raise ValueError(f"{result.instance}: there is no assignment to measure")
    return {"moved": _moved(instance, result.solution)}


def after(instance: Reassignment, result: Result[Assignment]) -> list[str]:
    """Nothing: an assignment is long."""
    del instance, result
    return []


def cells(instance: Reassignment, result: Result[Assignment]) -> list[str]:
    """Cost now, after, bound, gap, processes that move."""
    moved = "-" if result.solution is None else str(_moved(instance, result.solution))
    return [
        number(cost(instance, instance.machine).total),
        number(result.objective),
        number(result.bound),
        percent(result.gap),
        moved,
    ]
