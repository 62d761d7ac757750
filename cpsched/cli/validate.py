"""``cpsched validate``: check a schedule against its instance, without any solver."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from cpsched import families
from cpsched.cli.sources import STDIN, pick, read_bytes, read_instances
from cpsched.errors import InputError
from cpsched.instances.formats.native import describe
from cpsched.protocols import Instance
from cpsched.result import Status

#: Violations printed; a wrong file can break every rule at once.
_SHOWN = 20

#: Name of an instance that came from standard input.
_STDIN_NAME = "stdin"


def register(app: typer.Typer) -> None:
    """Add the command to *app*."""
    app.command("validate")(validate)


def validate(
    instance: Annotated[str, typer.Argument(help="Shipped name or file.", show_default=False)],
    solution: Annotated[
        str,
        typer.Argument(
            help="Result file of cpsched solve, or any JSON with its operations or placements; "
            "- for standard input.",
            show_default=False,
        ),
    ],
    input_format: Annotated[
        str | None,
        typer.Option(
            help="jsplib, taillard, fjs, json, scenario, kubernetes, openb or roadef.",
            show_default="by content",
            metavar="FORMAT",
        ),
    ] = None,
    number: Annotated[
        int | None,
        typer.Option("--scenario", metavar="N", help="The N-th in the file, counted from 1."),
    ] = None,
) -> None:
    """Check a schedule or placement against its instance and recompute its objective.

    [bold]Examples:[/bold]

      cpsched validate ft06 result.json

      cpsched solve ta01 -f json | cpsched validate ta01 -

      cpsched validate cluster.json plan.json

    The check uses neither the model nor a solver; for pods, the plan in the file is replayed step
    by step. Exit code: 0 valid, 1 a rule is broken or the
    file states something else (objective, bound, status, instance), 2 a file cannot be read.
    """
    from cpsched.checking import check
    from cpsched.instances.solutions import MAX_BYTES, parse_result

    if instance == STDIN and solution == STDIN:
        raise InputError("instance and solution cannot both be - (standard input)")
    shop = pick(read_instances([instance], input_format), number, instance)
    data, source = read_bytes(solution, MAX_BYTES)
    record, found = parse_result(data, source, shop)
    verdict = check(shop, found)
    family = families.of(shop)
    problems = [*verdict.violations, *false_statements(record, shop, verdict.objective)]
    if verdict.ok:
        problems += family.denied(shop, found, record)
    if not problems:
        typer.echo(f"{shop.name}: valid, {family.OBJECTIVE} {verdict.objective}")
        return
    count = "1 violation" if len(problems) == 1 else f"{len(problems)} violations"
    value = family.value(shop, found)
    typer.echo(f"{shop.name}: invalid, {family.OBJECTIVE} {value}, {count}")
    for problem in problems[:_SHOWN]:
        typer.echo(f"  {problem}")
    if len(problems) > _SHOWN:
        typer.echo(f"  and {len(problems) - _SHOWN} more")
    typer.echo(f"error: {source}: {problems[0]}", err=True)
    raise typer.Exit(1)


def false_statements(record: dict[str, Any], instance: Instance, value: int | None) -> list[str]:
    """What a result says that its solution denies; keys that are not there say nothing.

    value: objective of the solution, or None if it breaks a rule.
    """
    found = []
    name, family = instance.name, families.of(instance)
    truth = f"the {family.SOLUTION}'s {family.OBJECTIVE} is {value}"
    stated = record.get("instance", name)
    # Standard input gives an instance no name of its own.
    if stated != name and _STDIN_NAME not in (stated, name):
        found.append(f"the result is for instance {_shown(stated)}, not {name}")
    if value is None:
        return found
    objective = record.get("objective", value)
    if not _is_number(objective) or objective != value:
        found.append(f"the stated objective is {_shown(objective)}, {truth}")
    bound, status = record.get("bound"), record.get("status")
    if bound is not None and not _is_number(bound):
        found.append(f"the stated bound is {_shown(bound)}, not a number")
    elif bound is not None and bound > value:
        found.append(f"the stated bound is {bound}, {truth}")
    elif status == Status.OPTIMAL and "bound" in record and bound != value:
        found.append(
            f"the status is optimal, but the stated bound is {_shown(bound)}, not {value}"
        )
    if status in (Status.INFEASIBLE, Status.UNKNOWN):
        found.append(f"the status is {status}, but there is a {family.SOLUTION}")
    return found


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _shown(value: Any) -> str:
    return describe(value) if isinstance(value, list | dict) else json.dumps(value)[:60]
