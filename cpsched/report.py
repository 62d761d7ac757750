"""Results as text, JSON and CSV; ``docs/result-schema.md`` documents the last two."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cpsched import families
from cpsched.result import Result, Status
from cpsched.words import gap_to as gap_to
from cpsched.words import number as number
from cpsched.words import percent as percent

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.table import Table

#: Version of the JSON object; rises when a key changes its meaning or goes away.
SCHEMA_VERSION = 1

#: What every file of results begins with.
RECORD_HEAD = f'{{"schema_version": {SCHEMA_VERSION}, "instance": '


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


def solution_record(instance: Any, solution: Any, bound: int | None = None) -> dict[str, Any]:
    """The ``solution`` part of the JSON object; bound: the best proven one, of the objective."""
    return families.of(instance).record(instance, solution, bound)


def record(instance: Any, result: Result[Any], *, keep_solution: bool = True) -> dict[str, Any]:
    """The JSON object of one result, keys in the documented order."""
    solution = None
    if keep_solution and result.solution is not None:
        solution = solution_record(instance, result.solution, result.bound)
    return {
        "schema_version": SCHEMA_VERSION,
        "instance": result.instance,
        "family": result.family,
        "method": result.method,
        "status": result.status.value,
        "objective": result.objective,
        "bound": result.bound,
        "gap": result.gap if families.get(result.family).GAP else None,
        "wall_time_s": round(result.wall_time, 6),
        "setup_time_s": round(result.setup_time, 6),
        "seed": result.seed,
        "learned": result.learned,
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


def csv_rows(instance: Any, result: Result[Any]) -> str:
    """CSV rows of one result, without the header; none if it has no solution."""
    if result.solution is None:
        return ""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    rows = families.of(instance).csv_rows(instance, result.solution)
    writer.writerows((result.instance, *row) for row in rows)
    return buffer.getvalue()


def csv_header(family: str) -> str:
    """The first line of a CSV file of *family*."""
    return ",".join(("instance", *families.get(family).CSV_COLUMNS)) + "\n"


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


def shape(instance: Any) -> str:
    """The size in words."""
    return families.of(instance).shape(instance)


def summary(
    entry: Entry, *, interrupted: bool = False, files: Iterable[tuple[str, str]] = ()
) -> str:
    """A short readable account of one result, newline at the end.

    files: label and text of lines about files, to stand above what follows the summary.
    """
    result, family = entry.result, families.of(entry.instance)
    lines = [f"{result.instance}: {family.shape(entry.instance)}"]

    def say(label: str, text: str) -> None:
        lines.append(f"  {label:<12}{text}".rstrip())

    say("status", verdict(result, interrupted=interrupted))
    for label, text in family.facts(entry.instance, result, entry.best_known, _finder(result)):
        say(label, text)
    setup = f", after {result.setup_time:.1f} s of set-up" if result.setup_time >= 0.05 else ""
    say("time", f"{result.wall_time:.2f} s{setup}")
    say("method", f"{result.method}, seed {result.seed}")
    for label, text in files:
        say(label, text)
    lines += family.after(entry.instance, result)
    return "\n".join(lines) + "\n"


def tables(entries: Sequence[Entry]) -> list[Table]:
    """One table for each family, one row per result."""
    kinds = dict.fromkeys(entry.result.family for entry in entries)
    return [table([entry for entry in entries if entry.result.family == kind]) for kind in kinds]


def table(entries: Sequence[Entry]) -> Table:
    """One row per result, for several instances of one family."""
    from rich.text import Text

    family = families.of(entries[0].instance)
    with_best = any(entry.best_known is not None for entry in entries)
    columns = ["instance", "size", "status", *family.TABLE_COLUMNS]
    if with_best:
        columns += ["best known", "gap to best"]
    grid = plain_table([*columns, "seconds"], left={"instance", "size", "status"})
    for entry in entries:
        result, instance = entry.result, entry.instance
        best = [number(entry.best_known), percent(entry.gap_to_best)] if with_best else []
        cells = [
            result.instance,
            family.size(instance),
            result.status.value,
            *family.cells(instance, result),
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
