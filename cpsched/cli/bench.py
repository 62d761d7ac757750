"""``cpsched bench``: compare methods over many instances."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cpsched import families, learned, report
from cpsched.cli.bench_runs import Side, execute
from cpsched.cli.files import OutputFile
from cpsched.cli.inference import Samples, Temperature, Weights, inference
from cpsched.cli.sources import best_known, expand, is_shipped, read_instances
from cpsched.cli.tables import print_table
from cpsched.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cpsched.bench import Case, Record, Row
    from cpsched.families import Family
    from cpsched.protocols import Instance


def register(app: typer.Typer) -> None:
    """Add the command to *app*."""
    app.command("bench")(bench)


def bench(
    context: typer.Context,
    sources: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SET|NAME|FILE|FOLDER...",
            help="Sets (ft, la, abz, orb, swv, yn, ta, dmu), names, files or folders.",
            show_default=False,
        ),
    ] = None,
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
        int | None,
        typer.Option(
            "--workers",
            "-w",
            help="Threads per run.",
            show_default="the cores divided by --jobs; 1 with --ray",
        ),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(
            "--jobs",
            "-j",
            metavar="N",
            help="Runs side by side, each in a process.",
            show_default="1; with --ray what it has room for",
        ),
    ] = None,
    oversubscribe: Annotated[
        bool, typer.Option("--oversubscribe", help="Allow more threads than there are cores.")
    ] = False,
    ray: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Make the runs on a Ray cluster (auto, HOST:PORT, ray://HOST:PORT), or on a Ray "
            "that is started on this machine (local).",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="FILE.jsonl", help="Where the runs go.")
    ] = "bench.jsonl",
    keep_solutions: Annotated[
        bool, typer.Option("--keep-solutions", help="Keep each schedule in the file.")
    ] = False,
    report_folder: Annotated[
        str | None,
        typer.Option(
            "--report",
            metavar="FOLDER",
            help="Write a page with tables, performance profiles and gaps over time, the pictures "
            "(PNG, SVG) and the numbers (CSV) there.",
            show_default=False,
        ),
    ] = None,
    only_report: Annotated[
        bool,
        typer.Option(
            "--only-report",
            help="Run nothing: report on all runs in --output "
            "[default folder: beside it, NAME-report].",
        ),
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
    samples: Samples = None,
    weights: Weights = None,
    temperature: Temperature = None,
) -> None:
    """Run methods over instances, one JSON line per run, and print a table of means.

    [bold]Examples:[/bold]

      cpsched bench ft la --time-limit 5

      cpsched bench ta --methods auto,cpsat --seeds 0,1,2 -t 10 -o ta.jsonl --report ta-report

      cpsched bench ta --methods auto,cpsat -t 10 --jobs 4 --workers 1

      cpsched bench ta --methods rule:mwkr,policy,policy:128 -o learned.jsonl

    The same command again goes on where it stopped: runs that the file holds (same instance,
    method, limits, seed and versions) are not repeated. Ctrl-C keeps the finished runs.
    """
    from cpsched import bench as benchmark

    if only_report:
        _only_report(context, sources, output, report_folder)
        return
    if not sources:
        raise InputError("Missing argument 'SET|NAME|FILE|FOLDER...': name what to run")
    if report_folder is not None:
        from cpsched import plot

        plot.require_matplotlib()
    side = Side(jobs, ray, oversubscribe=oversubscribe)
    workers = side.workers(workers)
    names = _split(methods, "--methods")
    # The first learned method, if there is one: then the options mean something.
    asking = next((name for name in names if learned.is_learned(name)), names[0])
    plan = benchmark.plan(
        _cases(sources, output),
        names,
        [_seed(text) for text in _split(seeds, "--seeds")],
        time_limit=time_limit,
        workers=workers,
        inference=inference(asking, samples, weights, temperature),
    )
    side.check(workers)
    OutputFile(output, suffixes=(".jsonl", ".json"), inputs=expand(sources, output))
    with benchmark.RunFile(output) as file:
        done, unsaved = execute(plan, file, side, keep_solutions=keep_solutions, quiet=quiet)
    rows = benchmark.summarise(done)
    for family in dict.fromkeys(row.family for row in rows):
        _print_table([row for row in rows if row.family == family], families.get(family))
    if report_folder is not None and done:
        _write_report([record for _, record in done], report_folder, output)
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


def _only_report(
    context: typer.Context, sources: list[str] | None, output: str, folder: str | None
) -> None:
    from cpsched import bench as benchmark

    with_it = {"output", "report_folder", "only_report", "quiet"}
    sources_of = {
        parameter.opts[0]: context.get_parameter_source(parameter.name or "")
        for parameter in context.command.params
        if parameter.name not in with_it
    }
    given = [
        option
        for option, source in sources_of.items()
        if option.startswith("-") and source is not None and source.name == "COMMANDLINE"
    ]
    if sources or given:
        raise InputError(
            f"--only-report runs nothing and takes --output and --report alone, not "
            f"{', '.join([*(sources or []), *given])}"
        )
    path = Path(output)
    target = folder or str(path.with_name(f"{path.stem}-report"))
    _write_report(benchmark.read_runs(output), target, output)


def _write_report(records: Sequence[Record], folder: str, source: str) -> None:
    from cpsched import bench_report

    page, *others = bench_report.write(records, folder, source)
    print(f"wrote {page} and {len(others)} files beside it")


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
