"""``cpsched solve``: instances in, checked schedules out."""

from __future__ import annotations

import enum
import sys
import threading
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cpsched import families, report
from cpsched.cli.files import OutputFile, emit
from cpsched.cli.interrupt import stop_on_signal
from cpsched.cli.sources import STDIN, best_known, expand, read_bytes, read_instances
from cpsched.cli.tables import print_table
from cpsched.errors import CpschedError, InputError
from cpsched.protocols import Limits, available_cores
from cpsched.result import Status

if TYPE_CHECKING:
    from rich.console import Console

    from cpsched.protocols import Instance
    from cpsched.result import Result


class Format(enum.StrEnum):
    """What is printed on stdout."""

    TEXT = "text"
    JSON = "json"
    KUBECTL = "kubectl"


def register(app: typer.Typer) -> None:
    """Add the command to *app*."""
    app.command("solve", no_args_is_help=False)(solve)


def solve(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="[NAME|FILE|FOLDER|-]...",
            help="Shipped names, instance files, folders of them, or - for standard input.",
            show_default=False,
        ),
    ],
    time_limit: Annotated[
        float, typer.Option("--time-limit", "-t", help="Seconds of wall time per instance.")
    ] = 60.0,
    workers: Annotated[
        int | None,
        typer.Option("--workers", "-w", help="Threads.", show_default="all cores"),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", "-s", help="Seed of every random choice.")] = 0,
    method: Annotated[
        str,
        typer.Option(
            "--method",
            "-m",
            help="Job shops: auto, cpsat, tabu or rule:NAME. Pods: auto, cpsat, columns, search, "
            "default-scheduler, default-preemption, first-fit-decreasing or best-fit.",
        ),
    ] = "auto",
    input_format: Annotated[
        str | None,
        typer.Option(
            help="jsplib, taillard, fjs, json, scenario, kubernetes, openb or roadef.",
            show_default="by content",
            metavar="FORMAT",
        ),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(
            "--output", "-o", metavar="FILE.json|csv", help="Write the results there as well."
        ),
    ] = None,
    output_style: Annotated[
        Format,
        typer.Option(
            "--format", "-f", help="What is printed: text, JSON lines, or kubectl commands."
        ),
    ] = Format.TEXT,
    plot: Annotated[
        str | None,
        typer.Option(
            metavar="FILE.png|svg",
            help="Draw a Gantt chart, or the nodes before and after (one instance only).",
        ),
    ] = None,
    hint: Annotated[
        str | None,
        typer.Option(metavar="SOLUTION", help="Start from this result file (-: standard input)."),
    ] = None,
    number: Annotated[
        int | None,
        typer.Option(
            "--scenario",
            metavar="N",
            help="Only the N-th instance, counted from 1.",
            show_default="all",
        ),
    ] = None,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="No progress; only the result and errors.")
    ] = False,
) -> None:
    """Find the best schedule or placement within a time limit, and prove what can be proven.

    [bold]Examples:[/bold]

      cpsched solve ft06                                    a shipped instance

      cpsched solve ta21.txt -t 30 --plot ta21.png          a file, with a Gantt chart

      cpsched solve plant/ -t 10 -o results.json            every file of a folder

      cpsched solve ta21 --hint results.json -t 60          go on from an earlier result

      cpsched generate taillard | cpsched solve - -f json   from a pipe, as JSON

      kubectl get nodes,pods,pdb,priorityclasses -A -o json > cluster.json

      cpsched solve cluster.json -t 10                      what to move so that more pods fit

      cpsched solve cluster.json -f kubectl > plan.sh       the plan as commands, to read first

      cpsched solve scenarios.jsonl --scenario 3            one of many in a file

    The files of a Kubernetes snapshot together are one cluster. Nothing here talks to a cluster.

    Ctrl-C (or SIGTERM) ends with the best found so far; a second one aborts. Every schedule and
    placement has passed the check against the instance; a placement has a plan that leads there.
    In JSON, each instance is one object on one line. Exit code: 0 if every instance has a
    solution, 1 if one has none (also: was not started, or a result could not be written), 2 for
    bad input.
    """
    task = Task.prepare(
        sources=sources,
        limits=Limits(time_limit, available_cores() if workers is None else workers, seed),
        method=method,
        input_format=input_format,
        output=output,
        plot=plot,
        hint=hint,
        number=number,
    )
    if output_style is Format.KUBECTL:
        task.require_commands()
    raise typer.Exit(run(task, output_style, quiet=quiet))


@dataclass(frozen=True, slots=True)
class Task:
    """Everything a run needs, read and checked before the first solve."""

    instances: list[Instance]
    hints: list[Any]
    limits: Limits
    method: str
    results: OutputFile | None
    picture: OutputFile | None

    @classmethod
    def prepare(
        cls,
        *,
        sources: Sequence[str],
        limits: Limits,
        method: str,
        input_format: str | None,
        output: str | None,
        plot: str | None,
        hint: str | None,
        number: int | None = None,
    ) -> Task:
        """Read all inputs and check all outputs; InputError for what cannot be used."""
        from cpsched import solving

        solving.check_method(method)
        if hint == STDIN and STDIN in sources:
            raise InputError("an instance and --hint cannot both be - (standard input)")
        sources = expand(sources, output, input_format)
        files = [source for source in sources if source != STDIN]
        results = picture = None
        if output is not None:
            results = OutputFile(output, suffixes=(".json", ".jsonl", ".csv"), inputs=files)
        if plot is not None:
            from cpsched.plot import FORMATS, require_matplotlib

            require_matplotlib()
            suffixes = [f".{name}" for name in FORMATS]
            picture = OutputFile(plot, suffixes=suffixes, option="--plot", inputs=files)
        instances = read_instances(sources, input_format)
        if number is not None:
            if not 1 <= number <= len(instances):
                raise InputError(f"--scenario must be in 1..{len(instances)}, not {number}")
            instances = [instances[number - 1]]
        if picture is not None and len(instances) > 1:
            raise InputError(f"--plot draws one instance, {len(instances)} are given")
        if picture is not None and not families.of(instances[0]).PLOT:
            raise InputError(f"--plot draws no {families.of(instances[0]).SOLUTION}")
        if results is not None:
            _reject_equal_names(instances, sources)
            if results.suffix == ".csv" and len({instance.family for instance in instances}) > 1:
                raise InputError("a CSV holds one family; write JSON", source=output)
        for instance in instances:
            solving.check_supported(method, instance)
        hints: list[Any] = [None] * len(instances)
        if hint is not None:
            from cpsched.instances.solutions import MAX_BYTES

            data, name = read_bytes(hint, MAX_BYTES)
            hints = [_read_hint(data, name, instance) for instance in instances]
        return cls(instances, hints, limits, method, results, picture)

    def require_commands(self) -> None:
        """InputError if the answer to an instance cannot be printed as commands."""
        for instance in self.instances:
            if not families.of(instance).COMMANDS:
                raise InputError(f"--format kubectl is for clusters, {instance.name} is none")


def _reject_equal_names(instances: Sequence[Instance], sources: Sequence[str]) -> None:
    """InputError if results in a file could not be told apart."""
    seen: dict[str, str] = {}
    if len(sources) != len(instances):  # several in one file, or one in several files
        sources = [f"instance {number}" for number in range(1, len(instances) + 1)]
    for instance, source in zip(instances, sources, strict=True):
        if instance.name in seen:
            raise InputError(
                f"{seen[instance.name]} and {source} are both called {instance.name}: their "
                "results in one file could not be told apart"
            )
        seen[instance.name] = source


def _read_hint(data: bytes, source: str, instance: Instance) -> Any:
    from cpsched.checking import check
    from cpsched.instances.solutions import parse_solution

    schedule = parse_solution(data, source, instance)
    verdict = check(instance, schedule)
    if not verdict.ok:
        raise InputError(
            f"the hint breaks a rule of {instance.name}: {verdict.violations[0]}", source=source
        )
    return schedule


def run(task: Task, style: Format, *, quiet: bool) -> int:
    """Solve, print, write; return the exit code."""
    from rich.console import Console

    notes = Console(stderr=True, quiet=quiet, highlight=False)
    entries: list[report.Entry] = []
    unsaved: dict[OutputFile, str] = {}
    with stop_on_signal() as stop:
        for entry in _solve_all(task, stop, notes):
            entries.append(entry)
            try:
                if style is not Format.TEXT:
                    emit(_printed(entry, style), None)
            finally:  # the reader of a pipe may go, the file is still wanted
                unsaved = _save(task, entries)
        interrupted = stop.is_set()
    if style is Format.TEXT:
        _print_text(task, entries, unsaved, interrupted=interrupted)
    return _explain(task, entries, list(unsaved.values()))


def _printed(entry: report.Entry, style: Format) -> str:
    if style is Format.JSON:
        return report.json_line(report.record(entry.instance, entry.result))
    if entry.result.solution is None:
        return ""
    commands = families.function(families.of(entry.instance).COMMANDS)
    return str(commands(entry.instance, entry.result.solution))


def _solve_all(task: Task, stop: threading.Event, notes: Console) -> Iterator[report.Entry]:
    """Results one by one, fewer than instances if *stop* is set."""
    from cpsched import solving
    from cpsched.cli.live import LiveLine, load_kernels

    setup = load_kernels(notes, [task.method], task.instances)
    limits, total = task.limits, len(task.instances)
    for position, (instance, hint) in enumerate(zip(task.instances, task.hints, strict=True)):
        if stop.is_set():
            return
        prefix = f"[{position + 1}/{total}] " if total > 1 else ""
        line = LiveLine(prefix, instance, limits.time_limit, notes, enabled=not notes.quiet)
        try:
            result: Result[Any] = solving.solve(
                instance,
                time_limit=limits.time_limit,
                workers=limits.workers,
                seed=limits.seed,
                method=task.method,
                hint=hint,
                stop=stop,
                callback=line.update,
            )
        finally:
            line.clear()
        if position == 0:
            result = replace(result, setup_time=max(result.setup_time, setup))
        family = families.of(instance)
        if total > 1:
            notes.print(
                f"{prefix}{instance.name}: {result.status.value}, {family.OBJECTIVE} "
                f"{family.objective_text(instance, result.objective)}, bound "
                f"{family.objective_text(instance, result.bound)}, "
                f"{result.wall_time:.2f} s",
                markup=False,
                soft_wrap=True,
            )
        yield report.Entry(instance, result, best_known(instance))


def _save(task: Task, entries: Sequence[report.Entry]) -> dict[OutputFile, str]:
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


def _print_text(
    task: Task,
    entries: Sequence[report.Entry],
    unsaved: Collection[OutputFile],
    *,
    interrupted: bool,
) -> None:
    if len(entries) > 1:
        for table in report.tables(entries):
            print_table(table)
    for entry in entries if len(entries) == 1 else ():
        emit(report.summary(entry, interrupted=interrupted), None)
    for label, file in (("written", task.results), ("picture", task.picture)):
        solved = any(entry.result.solution is not None for entry in entries)
        expected = file is not None and entries and (solved or file is task.results)
        if file is not None and expected and file not in unsaved:
            emit(f"  {label:<12}{file.path}\n", None)
    if task.picture is None and len(entries) == 1 and entries[0].result.solution is not None:
        picture = families.of(entries[0].instance).PICTURE
        if picture:
            emit(f"  picture     add --plot FILE.png for a {picture}\n", None)


def _explain(task: Task, entries: Sequence[report.Entry], unsaved: Sequence[str]) -> int:
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
