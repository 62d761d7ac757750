"""``cpsched solve``: instances in, checked schedules out."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cpsched import families, learned, report
from cpsched.cli.files import OutputFile, emit
from cpsched.cli.inference import Samples, Temperature, Weights, inference
from cpsched.cli.interrupt import stop_on_signal
from cpsched.cli.outcome import Format, explain, print_text, printed, save
from cpsched.cli.policy import (
    BudgetCost,
    EvictCost,
    Fragment,
    Goal,
    GraceUnit,
    InFlight,
    Inflow,
    MaxMoves,
    MoveCost,
    NeverMoves,
    Objective,
    adjusted,
    vm_settings,
)
from cpsched.cli.sources import FORMATS_HELP, STDIN, best_known, expand, read_instances
from cpsched.errors import InputError
from cpsched.protocols import Limits, available_cores

if TYPE_CHECKING:
    from rich.console import Console

    from cpsched.learned import Inference
    from cpsched.protocols import Instance
    from cpsched.result import Result


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
            help="Job shops: auto, cpsat, tabu, rule:NAME, policy, beam or hybrid. "
            "Pods: auto, cpsat, "
            "columns, search, default-scheduler, default-preemption, first-fit-decreasing or "
            "best-fit. VMs: auto, columns, cpsat, search, greedy, best-fit-vbpp, pop or "
            "plain-cpsat. Machine reassignment: auto, cpsat or local-search.",
        ),
    ] = "auto",
    input_format: Annotated[
        str | None,
        typer.Option(
            help=FORMATS_HELP,
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
            "--format",
            "-f",
            help="What is printed: text, JSON lines; kubectl commands for pods; openstack or "
            "proxmox commands or a table for VMs.",
        ),
    ] = Format.TEXT,
    plot: Annotated[
        str | None,
        typer.Option(
            metavar="FILE.png|svg",
            help="Draw a Gantt chart, or nodes or fragments before and after (one instance only).",
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
    move_cost: MoveCost = None,
    evict_cost: EvictCost = None,
    grace_unit: GraceUnit = None,
    budget_cost: BudgetCost = None,
    never_moves: NeverMoves = None,
    max_moves: MaxMoves = None,
    objective: Objective = None,
    goal: Goal = None,
    fragment: Fragment = None,
    in_flight: InFlight = None,
    inflow: Inflow = None,
    samples: Samples = None,
    weights: Weights = None,
    temperature: Temperature = None,
) -> None:
    """Find the best schedule or placement within a time limit, and prove what can be proven.

    [bold]Examples:[/bold]

      cpsched solve ft06                                    a shipped instance

      cpsched solve ta21.txt -t 30 --plot ta21.png          a file, with a Gantt chart

      cpsched solve plant/ -t 10 -o results.json            every file of a folder

      cpsched solve ta21 --hint results.json -t 60          go on from an earlier result

      cpsched solve ta71 -m policy --samples 128            a learned rule, best of 128

      cpsched generate taillard | cpsched solve - -f json   from a pipe, as JSON

      kubectl get nodes,pods,pdb,priorityclasses -A -o json > cluster.json

      cpsched solve cluster.json -t 10                      what to move so that more pods fit

      cpsched solve cluster.json -f kubectl > plan.sh       the plan as commands, to read first

      cpsched solve now.json --hint plan.json               from a plan for an earlier snapshot

      cpsched solve openstack/ --max-moves 50 -f openstack  VMs: migrations, as commands

      cpsched solve vms.json --goal 0.40 --plot vms.svg     few migrations to a fragment rate

      cpsched solve scenarios.jsonl --scenario 3            one of many in a file

    The files of a Kubernetes, OpenStack or Proxmox snapshot together are one cluster. Nothing
    here talks to a cluster.

    Ctrl-C (or SIGTERM) ends with the best found so far; a second one aborts (exit code 130).
    Every schedule and placement has passed the check against the instance; a placement has a
    plan that leads there. In JSON, each instance is one object on one line. Exit code: 0 if every
    instance has a solution, 1 if one has none (also: was not started, or a result could not be
    written), 2 for bad input.
    """
    task = Task.prepare(
        sources=sources,
        limits=Limits(time_limit, available_cores() if workers is None else workers, seed),
        method=method,
        inference=inference(method, samples, weights, temperature),
        input_format=input_format,
        output=output,
        plot=plot,
        hint=hint,
        number=number,
        settings={
            "move": move_cost,
            "evict": evict_cost,
            "grace_unit": grace_unit,
            "budget": budget_cost,
            "never_moves": never_moves,
            **vm_settings(max_moves, objective, goal, fragment, in_flight, inflow),
        },
    )
    task.require_format(output_style)
    raise typer.Exit(run(task, output_style, quiet=quiet))


@dataclass(frozen=True, slots=True)
class Task:
    """Everything a run needs, read and checked before the first solve."""

    instances: list[Instance]
    hints: list[Any]
    limits: Limits
    method: str
    inference: Inference | None
    results: OutputFile | None
    picture: OutputFile | None
    remarks: list[str]

    @classmethod
    def prepare(
        cls,
        *,
        sources: Sequence[str],
        limits: Limits,
        method: str,
        inference: Inference | None = None,
        input_format: str | None,
        output: str | None,
        plot: str | None,
        hint: str | None,
        number: int | None = None,
        settings: Mapping[str, Any] | None = None,
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
        instances = [adjusted(instance, settings or {}) for instance in instances]
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
            if inference is not None:
                # Weights that cannot be read are found before anything is solved.
                learned.record(learned.settled(method, inference, instance.family)[1])
        hints: list[Any] = [None] * len(instances)
        remarks: list[str] = []
        if hint is not None:
            from cpsched.cli.hints import read_hints

            read = read_hints(hint, instances)
            hints = [solution for solution, _ in read]
            remarks = [line for _, lines in read for line in lines]
        return cls(instances, hints, limits, method, inference, results, picture, remarks)

    def require_format(self, style: Format) -> None:
        """InputError if the answer to an instance cannot be printed in *style*."""
        if style in (Format.TEXT, Format.JSON):
            return
        for instance in self.instances:
            if style.value not in families.of(instance).COMMANDS:
                whose = "pods" if style is Format.KUBECTL else "VMs"
                raise InputError(
                    f"--format {style.value} is for clusters of {whose}, {instance.name} is none"
                )


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


def run(task: Task, style: Format, *, quiet: bool) -> int:
    """Solve, print, write; return the exit code."""
    from rich.console import Console

    notes = Console(stderr=True, quiet=quiet, highlight=False)
    for line in task.remarks:
        notes.print(line, markup=False, soft_wrap=True)
    entries: list[report.Entry] = []
    unsaved: dict[OutputFile, str] = {}
    with stop_on_signal() as stop:
        for entry in _solve_all(task, stop, notes):
            entries.append(entry)
            try:
                if style is not Format.TEXT:
                    emit(printed(entry, style), None)
            finally:  # the reader of a pipe may go, the file is still wanted
                unsaved = save(task, entries)
        interrupted = stop.is_set()
    if style is Format.TEXT:
        print_text(task, entries, unsaved, interrupted=interrupted)
    return explain(task, entries, list(unsaved.values()))


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
                inference=task.inference,
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
