"""``cpsched validate``: check a schedule against its instance, without any solver."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from cpsched.cli.sources import STDIN, read_bytes, read_instances
from cpsched.errors import InputError

#: Violations printed; a wrong file can break every rule at once.
_SHOWN = 20


def register(app: typer.Typer) -> None:
    """Add the command to *app*."""
    app.command("validate")(validate)


def validate(
    instance: Annotated[str, typer.Argument(help="Shipped name or file.", show_default=False)],
    solution: Annotated[
        str,
        typer.Argument(
            help="Result file of cpsched solve, or any JSON with its operations; - for "
            "standard input.",
            show_default=False,
        ),
    ],
    input_format: Annotated[
        str | None,
        typer.Option(
            help="jsplib, taillard, fjs or json.", show_default="by content", metavar="FORMAT"
        ),
    ] = None,
) -> None:
    """Check a schedule against its instance and recompute its makespan.

    [bold]Examples:[/bold]

      cpsched validate ft06 result.json

      cpsched solve ta01 -f json | cpsched validate ta01 -

    The check uses neither the model nor a solver. Exit code: 0 valid, 1 a rule is broken or the
    stated objective is wrong, 2 a file cannot be read.
    """
    from cpsched.checking import check
    from cpsched.instances.solutions import MAX_BYTES, parse_solution

    if instance == STDIN and solution == STDIN:
        raise InputError("instance and solution cannot both be - (standard input)")
    shops = read_instances([instance], input_format)
    if len(shops) != 1:
        raise InputError(f"one instance is checked at a time, not {len(shops)}", source=instance)
    shop = shops[0]
    data, source = read_bytes(solution, MAX_BYTES)
    schedule = parse_solution(data, source, shop)
    verdict = check(shop, schedule)
    problems = list(verdict.violations)
    stated = stated_objective(data, shop.name)
    if verdict.objective is not None and stated not in (None, verdict.objective):
        problems.append(
            f"the stated objective is {stated}, the schedule's makespan is {verdict.objective}"
        )
    if not problems:
        typer.echo(f"{shop.name}: valid, makespan {verdict.objective}")
        return
    count = "1 violation" if len(problems) == 1 else f"{len(problems)} violations"
    typer.echo(f"{shop.name}: invalid, makespan {schedule.makespan}, {count}")
    for problem in problems[:_SHOWN]:
        typer.echo(f"  {problem}")
    if len(problems) > _SHOWN:
        typer.echo(f"  and {len(problems) - _SHOWN} more")
    typer.echo(f"error: {source}: {problems[0]}", err=True)
    raise typer.Exit(1)


def stated_objective(data: bytes, instance: str) -> int | None:
    """The ``objective`` that a readable solution file states for *instance*, if any."""
    records = _records(data)
    if len(records) > 1:
        records = [record for record in records if record.get("instance") == instance]
    stated = records[0].get("objective")
    return stated if isinstance(stated, int) and not isinstance(stated, bool) else None


def _records(data: bytes) -> list[Any]:
    try:
        return [json.loads(data)]
    except json.JSONDecodeError:  # more than one object: JSON lines
        return [json.loads(line) for line in data.splitlines() if line.strip()]
