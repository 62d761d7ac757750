"""The job shop as the common layers see it; see ``cpsched.families.Family``."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from cpsched.errors import InputError
from cpsched.jobshop.check import check as check
from cpsched.jobshop.instance import JobShop
from cpsched.jobshop.methods import METHODS as METHODS
from cpsched.jobshop.methods import obstacle as obstacle
from cpsched.words import count, gap_to, number, percent

if TYPE_CHECKING:
    import threading
    from collections.abc import Collection, Iterator, Sequence

    from cpsched.incumbent import Incumbent
    from cpsched.jobshop.solution import Schedule
    from cpsched.protocols import Limits
    from cpsched.result import Result

INSTANCE = JobShop
OBJECTIVE = "makespan"
SOLUTION = "schedule"
CSV_COLUMNS = ("job", "index", "machine", "start", "end")
TABLE_COLUMNS = ("makespan", "bound", "gap")
PLOT = "cpsched.plot:gantt_of_result"
PICTURE = "Gantt chart"
COMMANDS: dict[str, str] = {}
NAMED = True
SETTINGS = ()
GAP = True
MEASURES = ()

_RULE = "rule:"


def prepare(methods: Collection[str], instances: Sequence[JobShop] | None) -> None:
    """Import the kernels of *methods*; a classic job shop needs fewer for auto."""
    from cpsched.jobshop import bounds  # noqa: F401

    flexible = instances is None or any(instance.is_flexible for instance in instances)
    if any(name.startswith(_RULE) or (flexible and name == "auto") for name in methods):
        from cpsched.jobshop import dispatching  # noqa: F401
    if not all(name.startswith(_RULE) for name in methods):
        from cpsched.jobshop import portfolio  # noqa: F401


def start(
    instance: JobShop, limits: Limits, method: str, incumbent: Incumbent[Schedule]
) -> threading.Thread:
    """Start *method* on *incumbent*; returns the running thread."""
    if method.startswith(_RULE):
        from cpsched.jobshop import dispatching

        name = method.removeprefix(_RULE)
        return incumbent.run(
            partial(dispatching.follow, instance, limits, name, method, incumbent)
        )
    from cpsched.jobshop import portfolio

    return portfolio.start(instance, limits, method, incumbent)


def quick_bound(instance: JobShop) -> int:
    """The bound by counting and by single machines or tiers."""
    from cpsched.jobshop.bounds import lower_bound

    return lower_bound(instance)


def csv_rows(instance: JobShop, schedule: Schedule) -> Iterator[tuple[int, int, int, int, int]]:
    """``(job, index, machine, start, end)`` of every operation, job by job in route order."""
    job = instance.job.tolist()
    first = instance.job_ptr.tolist()
    rows = zip(
        schedule.machine.tolist(), schedule.start.tolist(), schedule.end.tolist(), strict=True
    )
    for op, (machine, begin, end) in enumerate(rows):
        yield job[op], op - first[job[op]], machine, begin, end


def record(instance: JobShop, schedule: Schedule, bound: int | None) -> dict[str, Any]:
    """``{"operations": [...]}``."""
    del bound  # a makespan says all there is to say
    return {
        "operations": [
            dict(zip(CSV_COLUMNS, row, strict=True)) for row in csv_rows(instance, schedule)
        ]
    }


def shape(instance: JobShop) -> str:
    """The size in words."""
    kind = "flexible job shop" if instance.is_flexible else "job shop"
    return (
        f"{kind}, {count(instance.num_jobs, 'job')}, {count(instance.num_machines, 'machine')}, "
        f"{count(instance.num_ops, 'operation')}"
    )


def size(instance: JobShop) -> str:
    """Jobs x machines."""
    return f"{instance.num_jobs}x{instance.num_machines}"


def items(instance: JobShop) -> int:
    """Number of operations."""
    return instance.num_ops


def value(instance: JobShop, schedule: Schedule) -> int:
    """The makespan, whether or not the schedule keeps the rules."""
    del instance
    return schedule.makespan


def objective_text(instance: JobShop, objective: int | None) -> str:
    """The number itself."""
    del instance
    return number(objective)


def facts(
    instance: JobShop, result: Result[Schedule], best_known: int | None, found: str
) -> list[tuple[str, str]]:
    """Makespan, bound and best-known makespan with their gaps."""
    del instance
    lines = []
    if result.objective is not None:
        lines.append(("makespan", f"{result.objective:<8}{found}"))
    if result.bound is not None:
        gap = "" if result.gap is None else f"gap {percent(result.gap)}"
        lines.append(("lower bound", f"{result.bound:<8}{gap}"))
    if best_known is not None:
        to_best = gap_to(result.objective, best_known)
        gap = "" if to_best is None else f"gap {percent(to_best)}"
        lines.append(("best known", f"{best_known:<8}{gap}"))
    return lines


def denied(instance: JobShop, schedule: Schedule, stated: dict[str, Any]) -> list[str]:
    """Nothing: a job shop's result says nothing beside the schedule."""
    del instance, schedule, stated
    return []


def with_setting(instance: JobShop, name: str, value: int | bool) -> JobShop:
    """InputError: a job shop has no settings."""
    raise InputError(f"{instance.name}: a job shop has no setting {name}, so not {value}")


def as_stated(instance: JobShop, stated: dict[str, Any]) -> JobShop:
    """*instance* itself: it has no settings."""
    del stated
    return instance


def earlier(instance: JobShop, stated: dict[str, Any]) -> None:
    """None: a job shop does not change while a schedule is at hand."""
    del instance, stated


def after(instance: JobShop, result: Result[Schedule]) -> list[str]:
    """Nothing: a schedule is long."""
    del instance, result
    return []


def measures(instance: JobShop, result: Result[Schedule]) -> dict[str, float]:
    """Nothing: makespan and gap say it."""
    del instance, result
    return {}


def cells(instance: JobShop, result: Result[Schedule]) -> list[str]:
    """Makespan, bound and gap."""
    del instance
    return [number(result.objective), number(result.bound), percent(result.gap)]
