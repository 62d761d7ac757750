"""``cpsched bench``: compare methods over many instances."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from cpsched import families, learned, report
from cpsched.cli.files import OutputFile
from cpsched.cli.inference import Samples, Temperature, Threshold, Weights, inference
from cpsched.cli.interrupt import stop_on_signal
from cpsched.cli.sources import best_known, expand, is_shipped, read_instances
from cpsched.cli.tables import print_table
from cpsched.errors import InputError
from cpsched.protocols import available_cores

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cpsched.bench import Case, Record, Row, Run, RunFile
    from cpsched.families import Family
    from cpsched.protocols import Instance


def register(app: typer.Typer) -> None:
    """Add the command to *app*."""
    app.command("bench")(bench)


def bench(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SET|NAME|FILE|FOLDER...",
            help="Sets (ft, la, abz, orb, swv, yn, ta, dmu), names, files or folders.",
            show_default=False,
        ),
    ],
    methods: Annotated[
        str, typer.Option(help="Methods, separated by commas.", metavar="METHOD,...")
    ] = "auto",
    time_limit: Annotated[
        float, typer.Option("--time-limit", "-t", help="Seconds of wall time per run.")
    ] = 10.0,
    seeds: Annotated[
        str, typer.Option(help="Seeds, separated by commas.", metavar="SEED,...")
    ] = "0",
    workers: Annotated[
        int | None, typer.Option("--workers", "-w", help="Threads.", show_default="all cores")
    ] = None,
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="FILE.jsonl", help="Where the runs go.")
    ] = "bench.jsonl",
    keep_solutions: Annotated[
        bool, typer.Option("--keep-solutions", help="Keep each schedule in the file.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
    samples: Samples = None,
    weights: Weights = None,
    temperature: Temperature = None,
    threshold: Threshold = None,
) -> None:
    """Run methods over instances, one JSON line per run, and print a table of means.

    [bold]Examples:[/bold]

      cpsched bench ft la --time-limit 5

      cpsched bench ta --methods auto,cpsat --seeds 0,1,2 -t 10 -o ta.jsonl

      cpsched bench ta --methods rule:mwkr,policy,policy:128 -o learned.jsonl

    The same command again goes on where it stopped: runs that the file holds (same instance,
    method, limits, seed and versions) are not repeated. Ctrl-C keeps the finished runs.
    """
    from cpsched import bench as benchmark

    names = _split(methods, "--methods")
    # The first learned method, if there is one: then the options mean something.
    asking = next((name for name in names if learned.is_learned(name)), names[0])
    plan = benchmark.plan(
        _cases(sources, output),
        names,
        [_seed(text) for text in _split(seeds, "--seeds")],
        time_limit=time_limit,
        workers=available_cores() if workers is None else workers,
        inference=inference(asking, samples, weights, temperature, threshold),
    )
    OutputFile(output, suffixes=(".jsonl", ".json"), inputs=expand(sources, output))
    with benchmark.RunFile(output) as file:
        done, unsaved = _execute(plan, file, keep_solutions=keep_solutions, quiet=quiet)
    rows = benchmark.summarise(done)
    for family in dict.fromkeys(row.family for row in rows):
        _print_table([row for row in rows if row.family == family], families.get(family))
    if unsaved:
        print(f"error: {unsaved}; {len(done)} of {len(plan)} runs are done", file=sys.stderr)
        raise typer.Exit(1)
    if len(done) < len(plan):
        print(
            f"error: interrupted, {len(done)} of {len(plan)} runs are done; the same command "
            "goes on from there",
            file=sys.stderr,
        )
        raise typer.Exit(1)
    if not any(record["objective"] is not None for _, record in done):
        print("error: no run found a solution", file=sys.stderr)
        raise typer.Exit(1)


def _cases(sources: Sequence[str], output: str) -> list[Case]:
    from cpsched.bench import Case
    from cpsched.instances import library

    sets = library.sets()
    set_of = {name: group for group, names in sets.items() for name in names}
    shops: list[Instance] = []
    for source in sources:
        if source in sets:
            shops.extend(library.load(name) for name in sets[source])
        else:
            shops.extend(read_instances(expand([source], output)))
    return [
        Case(shop, set_of[shop.name] if is_shipped(shop) else "-", best_known(shop))
        for shop in shops
    ]


def _split(text: str, option: str) -> list[str]:
    parts = [part.strip() for part in text.split(",")]
    if not all(parts):
        raise InputError(f"{option} needs names separated by commas, not {text!r}")
    if len(set(parts)) < len(parts):
        raise InputError(f"{option} names one twice: {text!r}")
    return parts


def _seed(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise InputError(f"--seeds needs integers, not {text!r}") from error


def _execute(
    plan: Sequence[Run], file: RunFile, *, keep_solutions: bool, quiet: bool
) -> tuple[list[tuple[Run, Record]], str]:
    """The runs that are in the file now, and why it took no more of them, if that is so."""
    from rich.console import Console

    from cpsched import bench as benchmark
    from cpsched.cli.live import load_kernels

    notes = Console(stderr=True, quiet=quiet, highlight=False)
    done: list[tuple[Run, Record]] = []
    with stop_on_signal() as stop:
        instances = [run.case.instance for run in plan]
        load_kernels(notes, {run.method for run in plan}, instances)
        runs = benchmark.execute(plan, file, keep_solutions=keep_solutions, stop=stop)
        while True:
            try:
                run, record, is_new = next(runs)
            except StopIteration:
                return done, ""
            except InputError as error:  # all else was checked: the file cannot be written
                return done, str(error)
            done.append((run, record))
            if is_new:
                family = families.of(run.case.instance)
                objective = family.objective_text(run.case.instance, record["objective"])
                best = report.percent(record["gap_to_best"])
                gap = f"gap to best {best}, " if family.GAP else ""
                notes.print(
                    f"[{len(done)}/{len(plan)}] {record['instance']} {run.method} "
                    f"seed {run.limits.seed}: {record['status']}, "
                    f"{family.OBJECTIVE} {objective}, {gap}{record['wall_time_s']:.2f} s",
                    markup=False,
                    soft_wrap=True,
                )


def _print_table(rows: Sequence[Row], family: Family) -> None:
    """Print *rows*, all of *family*."""
    from rich.text import Text

    gaps = ("gap to best", "gap") if family.GAP else ()
    shown = (*gaps, *family.MEASURES, "seconds")
    columns = ["set", "size", "method", "runs", "found", "optimal", *shown]
    grid = report.plain_table(columns, left={"set", "size", "method"})
    for row in rows:
        cells = [
            row.group,
            row.size,
            row.method,
            str(row.runs),
            str(row.found),
            str(row.optimal),
            *([report.percent(row.gap_to_best), report.percent(row.gap)] if gaps else []),
            *(
                f"{row.measures[name]:.1f}" if name in row.measures else "-"
                for name in family.MEASURES
            ),
            f"{row.wall_time:.2f}",
        ]
        grid.add_row(*(Text(cell) for cell in cells))
    grid.caption = "means over runs"
    if gaps:
        grid.caption += "; gap to best: to the best known objective, gap: to the bound"
    print_table(grid)
