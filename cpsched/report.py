"""Results as text, JSON and CSV; ``docs/result-schema.md`` documents the last two."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cpsched.result import Result, Status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from rich.table import Table

    from cpsched.jobshop.instance import JobShop
    from cpsched.jobshop.solution import Schedule

#: Version of the JSON object; rises when a key changes its meaning or goes away.
SCHEMA_VERSION = 1

#: What every file of results begins with.
RECORD_HEAD = f'{{"schema_version": {SCHEMA_VERSION}, "instance": '

CSV_COLUMNS = ("instance", "job", "index", "machine", "start", "end")


@dataclass(frozen=True, slots=True)
class Entry:
    """One instance and its result; best_known: the best objective in the literature, or None."""

    instance: Any
    result: Result[Any]
    best_known: int | None = None

    @property
    def gap_to_best(self) -> float | None:
        """(objective - best known) / best known; negative if better; None if one is missing."""
        return gap_to(self.result.objective, self.best_known)


def gap_to(objective: int | None, reference: int | None) -> float | None:
    """(objective - reference) / reference; None if one is missing or the reference is 0."""
    if objective is None or not reference:
        return None
    return (objective - reference) / reference


def operations(instance: JobShop, schedule: Schedule) -> Iterator[tuple[int, int, int, int, int]]:
    """``(job, index, machine, start, end)`` of every operation, job by job in route order."""
    job = instance.job.tolist()
    first = instance.job_ptr.tolist()
    rows = zip(
        schedule.machine.tolist(), schedule.start.tolist(), schedule.end.tolist(), strict=True
    )
    for op, (machine, start, end) in enumerate(rows):
        yield job[op], op - first[job[op]], machine, start, end


def _schedule_record(instance: JobShop, schedule: Schedule) -> dict[str, Any]:
    names = CSV_COLUMNS[1:]
    return {
        "operations": [
            dict(zip(names, row, strict=True)) for row in operations(instance, schedule)
        ]
    }


#: How each family's solution looks in JSON.
_SOLUTION_RECORDS: dict[str, Callable[[Any, Any], dict[str, Any]]] = {"jobshop": _schedule_record}


def solution_record(instance: Any, solution: Any) -> dict[str, Any]:
    """The ``solution`` part of the JSON object."""
    return _SOLUTION_RECORDS[instance.family](instance, solution)


def record(instance: Any, result: Result[Any], *, keep_solution: bool = True) -> dict[str, Any]:
    """The JSON object of one result, keys in the documented order."""
    solution = None
    if keep_solution and result.solution is not None:
        solution = solution_record(instance, result.solution)
    return {
        "schema_version": SCHEMA_VERSION,
        "instance": result.instance,
        "family": result.family,
        "method": result.method,
        "status": result.status.value,
        "objective": result.objective,
        "bound": result.bound,
        "gap": result.gap,
        "wall_time_s": round(result.wall_time, 6),
        "setup_time_s": round(result.setup_time, 6),
        "seed": result.seed,
        "versions": dict(result.versions),
        "trace": [
            {
                "seconds": round(point.seconds, 6),
                "objective": point.objective,
                "bound": point.bound,
                "source": point.source,
            }
            for point in result.trace
        ],
        "solution": solution,
    }


def json_line(record: dict[str, Any]) -> str:
    """*record* on one line, newline included, ASCII only."""
    return json.dumps(record, separators=(", ", ": "), allow_nan=False) + "\n"


def csv_rows(instance: JobShop, result: Result[Schedule]) -> str:
    """CSV rows of one result, without the header; none if it has no solution."""
    if result.solution is None:
        return ""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerows((result.instance, *row) for row in operations(instance, result.solution))
    return buffer.getvalue()


def csv_header() -> str:
    """The first line of a CSV file."""
    return ",".join(CSV_COLUMNS) + "\n"


def percent(gap: float | None, digits: int = 2) -> str:
    """*gap* as a percentage, ``-`` if it is None."""
    return "-" if gap is None else f"{100 * gap:.{digits}f} %"


def number(value: int | None) -> str:
    """*value*, ``-`` if it is None."""
    return "-" if value is None else str(value)


def verdict(result: Result[Any], *, interrupted: bool = False) -> str:
    """What is known at the end and by what means, in a few words."""
    when = "until it was interrupted" if interrupted else "within the limits"
    if result.status is Status.OPTIMAL:
        return f"optimal, proven by {_prover(result)}"
    if result.status is Status.FEASIBLE:
        return f"feasible, the best found {when}; optimality is not proven"
    if result.status is Status.INFEASIBLE:
        return f"infeasible: no solution exists, proven by {_prover(result)}"
    return f"unknown: no solution was found {when}"


def _prover(result: Result[Any]) -> str:
    """The method that brought the last bound (or the proof that there is no solution)."""
    previous: int | None = None
    source, seconds = result.method, result.wall_time
    for point in result.trace:
        if point.bound != previous or result.status is Status.INFEASIBLE:
            previous, source, seconds = point.bound, point.source, point.seconds
    return f"{source} after {seconds:.2f} s"


def _finder(result: Result[Any]) -> str:
    for point in result.trace:
        if point.objective == result.objective:
            return f"found by {point.source} after {point.seconds:.2f} s"
    return ""


def shape(instance: JobShop) -> str:
    """The size in words."""
    kind = "flexible job shop" if instance.is_flexible else "job shop"
    return (
        f"{kind}, {_count(instance.num_jobs, 'job')}, {_count(instance.num_machines, 'machine')}, "
        f"{_count(instance.num_ops, 'operation')}"
    )


def _count(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def summary(entry: Entry, *, interrupted: bool = False) -> str:
    """A short readable account of one result, newline at the end."""
    result = entry.result
    lines = [f"{result.instance}: {shape(entry.instance)}"]

    def say(label: str, text: str) -> None:
        lines.append(f"  {label:<12}{text}".rstrip())

    say("status", verdict(result, interrupted=interrupted))
    if result.objective is not None:
        say("makespan", f"{result.objective:<8}{_finder(result)}")
    if result.bound is not None:
        gap = "" if result.gap is None else f"gap {percent(result.gap)}"
        say("lower bound", f"{result.bound:<8}{gap}")
    if entry.best_known is not None:
        gap = "" if entry.gap_to_best is None else f"gap {percent(entry.gap_to_best)}"
        say("best known", f"{entry.best_known:<8}{gap}")
    setup = f", after {result.setup_time:.1f} s of set-up" if result.setup_time >= 0.05 else ""
    say("time", f"{result.wall_time:.2f} s{setup}")
    say("method", f"{result.method}, seed {result.seed}")
    return "\n".join(lines) + "\n"


def table(entries: Sequence[Entry]) -> Table:
    """One row per result, for several instances."""
    from rich.text import Text

    with_best = any(entry.best_known is not None for entry in entries)
    columns = ["instance", "size", "status", "makespan", "bound", "gap"]
    if with_best:
        columns += ["best known", "gap to best"]
    grid = plain_table([*columns, "seconds"], left={"instance", "size", "status"})
    for entry in entries:
        result, instance = entry.result, entry.instance
        best = [number(entry.best_known), percent(entry.gap_to_best)] if with_best else []
        cells = [
            result.instance,
            f"{instance.num_jobs}x{instance.num_machines}",
            result.status.value,
            number(result.objective),
            number(result.bound),
            percent(result.gap),
            *best,
            f"{result.wall_time:.2f}",
        ]
        grid.add_row(*(Text(cell) for cell in cells))  # Text: names are not markup
    optimal = sum(entry.result.status is Status.OPTIMAL for entry in entries)
    found = sum(entry.result.objective is not None for entry in entries)
    caption = f"{len(entries)} instances, {found} with a solution, {optimal} proven optimal"
    gaps = [entry.gap_to_best for entry in entries if entry.gap_to_best is not None]
    if gaps:
        caption += f", mean gap to best known {percent(sum(gaps) / len(gaps))}"
    grid.caption = caption
    return grid


def plain_table(columns: Iterable[str], left: set[str]) -> Table:
    """An empty table in the common look; columns not in *left* are right-aligned."""
    from rich import box
    from rich.table import Table

    grid = Table(box=box.SIMPLE_HEAD, caption_justify="left", caption_style="", pad_edge=False)
    for column in columns:
        grid.add_column(column, justify="left" if column in left else "right", no_wrap=True)
    return grid
