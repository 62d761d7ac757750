"""``cpsched validate``: check a schedule against its instance, without any solver."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cpsched import families
from cpsched.cli.sources import FORMATS_HELP, STDIN, pick, read_bytes, read_instances
from cpsched.errors import InputError
from cpsched.instances.files import display
from cpsched.instances.formats.native import describe
from cpsched.protocols import Instance
from cpsched.result import Status
from cpsched.words import count

if TYPE_CHECKING:
    from collections.abc import Sequence

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
            help="Result file of cpsched solve, or any JSON with its operations, placements or "
            "migrations; - for standard input.",
            show_default=False,
        ),
    ],
    input_format: Annotated[
        str | None,
        typer.Option(
            help=FORMATS_HELP,
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

    The check uses neither the model nor a solver; for pods and VMs, the plan in the file is
    replayed step by step. A plan made for an earlier snapshot of the cluster is replayed on the
    one given: what has changed is said, and which steps can no longer be done. Exit code: 0
    valid, 1 a rule is broken, the file states something else (objective, bound, status, instance)
    or is for an earlier snapshot, 2 a file cannot be read.
    """
    from cpsched.checking import check
    from cpsched.instances.solutions import MAX_BYTES, parse_record, solution_of

    if instance == STDIN and solution == STDIN:
        raise InputError("instance and solution cannot both be - (standard input)")
    shop = pick(read_instances([instance], input_format), number, instance)
    data, source = read_bytes(solution, MAX_BYTES)
    record, line = parse_record(data, source, shop)
    family = families.of(shop)
    try:
        shop = family.as_stated(shop, record)
    except InputError as error:
        raise InputError(error.reason, line=line, path=error.path).at(display(source)) from None
    outdated = family.earlier(shop, record)
    if outdated is not None:
        _say_outdated(shop, record, source, outdated)
        raise typer.Exit(1)
    found = solution_of(record, line, source, shop)
    verdict = check(shop, found)
    problems = [*verdict.violations, *false_statements(record, shop, verdict.objective)]
    if verdict.ok:
        problems += family.denied(shop, found, record)
    if not problems:
        typer.echo(f"{shop.name}: valid, {family.OBJECTIVE} {verdict.objective}")
        return
    value = family.value(shop, found)
    typer.echo(
        f"{shop.name}: invalid, {family.OBJECTIVE} {value}, {count(len(problems), 'violation')}"
    )
    _list(problems)
    typer.echo(f"error: {source}: {problems[0]}", err=True)
    raise typer.Exit(1)


def _list(sentences: Sequence[str]) -> None:
    for sentence in sentences[:_SHOWN]:
        typer.echo(f"  {sentence}")
    if len(sentences) > _SHOWN:
        typer.echo(f"  and {len(sentences) - _SHOWN} more")


def _say_outdated(
    instance: Instance, record: dict[str, Any], source: str, outdated: families.Earlier
) -> None:
    """Say what has changed since *record* was made, and which of its steps have gone stale."""
    stale, total = outdated.stale(), outdated.total
    if stale:
        verdict = f"{len(stale)} of {count(total, 'step')} can no longer be done"
    elif total:
        verdict = f"but all of its steps ({total}) can still be done"
    else:
        verdict = "and it has no steps"
    typer.echo(f"{instance.name}: outdated, the result is for an earlier state; {verdict}")
    if (stated := record.get("instance", instance.name)) != instance.name:
        typer.echo(f"  it was made for {_shown(stated)}")
    _list(outdated.changes)
    _list(stale)
    first = stale[0] if stale else outdated.changes[0]
    typer.echo(f"error: {source}: {first}", err=True)


def false_statements(record: dict[str, Any], instance: Instance, value: int | None) -> list[str]:
    """What a result says that its solution denies; keys that are not there say nothing.

    value: objective of the solution, or None if it breaks a rule.
    """
    found = []
    name, family = instance.name, families.of(instance)
    truth = f"the {family.SOLUTION}'s {family.OBJECTIVE} is {value}"
    stated = record.get("instance", name)
    # Standard input gives an instance no name of its own; a snapshot has that of its file.
    if stated != name and _STDIN_NAME not in (stated, name) and family.NAMED:
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
