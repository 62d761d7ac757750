"""What a solve leaves behind: the answer on stdout, files, the reason of a failure."""

from __future__ import annotations

import enum
import sys
from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING

from cpsched import families, report
from cpsched.cli.files import OutputFile, emit
from cpsched.cli.tables import print_table
from cpsched.errors import CpschedError
from cpsched.result import Status

if TYPE_CHECKING:
    from cpsched.cli.solve import Task


class Format(enum.StrEnum):
    """What is printed on stdout."""

    TEXT = "text"
    JSON = "json"
    KUBECTL = "kubectl"
    OPENSTACK = "openstack"
    PROXMOX = "proxmox"
    TABLE = "table"


def printed(entry: report.Entry, style: Format) -> str:
    """What stdout gets of *entry* in a *style* other than text; empty without a solution."""
    if style is Format.JSON:
        return report.json_line(report.record(entry.instance, entry.result))
    if entry.result.solution is None:
        return ""
    commands = families.function(families.of(entry.instance).COMMANDS[style.value])
    return str(commands(entry.instance, entry.result))


def save(task: Task, entries: Sequence[report.Entry]) -> dict[OutputFile, str]:
    """Bring the output files up to date, so that nothing is lost in a long list.

    Returns the files that could not be written and why: a solve of hours must not end without
    its result because a disk is full.
    """
    failed: dict[OutputFile, str] = {}
    for file, content in ((task.results, _results), (task.picture, _picture)):
        if file is None or (file is task.picture and entries[0].result.solution is None):
            continue
        try:
            file.write(content(file, entries))
        except CpschedError as error:
            failed[file] = " ".join(str(error).split())  # a back end may speak in paragraphs
        except MemoryError:
            failed[file] = f"{file.path}: out of memory"
    return failed


def _results(file: OutputFile, entries: Sequence[report.Entry]) -> str:
    if file.suffix == ".csv":
        rows = [report.csv_rows(entry.instance, entry.result) for entry in entries]
        return report.csv_header(entries[0].result.family) + "".join(rows)
    return "".join(report.json_line(report.record(e.instance, e.result)) for e in entries)


def _picture(file: OutputFile, entries: Sequence[report.Entry]) -> bytes:
    from cpsched import plot

    instance, result = entries[0].instance, entries[0].result
    figure = families.function(families.of(instance).PLOT)(instance, result)
    return plot.render(figure, file.suffix.removeprefix("."))


def print_text(
    task: Task,
    entries: Sequence[report.Entry],
    unsaved: Collection[OutputFile],
    *,
    interrupted: bool,
) -> None:
    """Print the account of one result, or the tables of several, and what was written."""
    files = list(_about_files(task, entries, unsaved))
    if len(entries) == 1:
        emit(report.summary(entries[0], interrupted=interrupted, files=files), None)
        return
    if entries:
        for table in report.tables(entries):
            print_table(table)
    for label, text in files:
        emit(f"  {label:<12}{text}\n", None)


def _about_files(
    task: Task, entries: Sequence[report.Entry], unsaved: Collection[OutputFile]
) -> Iterator[tuple[str, str]]:
    """Label and text of lines about what was written, or could be."""
    solved = any(entry.result.solution is not None for entry in entries)
    for label, file in (("written", task.results), ("picture", task.picture)):
        expected = file is not None and entries and (solved or file is task.results)
        if file is not None and expected and file not in unsaved:
            yield label, str(file.path)
    picture = families.of(entries[0].instance).PICTURE if len(entries) == 1 and solved else ""
    if task.picture is None and picture:
        yield "picture", f"add --plot FILE.png for a {picture}"


def explain(task: Task, entries: Sequence[report.Entry], unsaved: Sequence[str]) -> int:
    """The exit code; what went wrong on stderr, one line."""
    missing = [entry.result for entry in entries if entry.result.solution is None]
    left = len(task.instances) - len(entries)
    reasons = []
    if len(missing) == 1:
        result = missing[0]
        proven = result.status is Status.INFEASIBLE
        reasons.append(
            f"{result.instance}: " + ("no solution exists" if proven else "no solution was found")
        )
        if result.reason:
            reasons.append(result.reason)
    elif missing:
        names = ", ".join(result.instance for result in missing[:5])
        reasons.append(f"{len(missing)} instances without a solution: {names}")
    if left:
        reasons.append(f"interrupted, {left} of {len(task.instances)} instances not started")
    reasons.extend(unsaved)
    if reasons:
        print("error: " + "; ".join(reasons), file=sys.stderr)
        return 1
    return 0
