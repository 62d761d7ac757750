"""``cpsched instances``: the shipped instances: list, show, export."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from cpsched import report
from cpsched.cli.files import OutputFile, emit
from cpsched.cli.sources import FORMATS_HELP, expand, is_shipped, pick, read_instances
from cpsched.cli.tables import print_table
from cpsched.instances import library
from cpsched.instances.formats import check_format

if TYPE_CHECKING:
    from collections.abc import Callable

    from cpsched.jobshop.instance import JobShop
    from cpsched.pods.instance import Cluster
    from cpsched.reassignment.instance import Reassignment
    from cpsched.vms.instance import VmCluster

_Number = Annotated[
    int | None,
    typer.Option("--scenario", metavar="N", help="The N-th in the file, counted from 1."),
]

_commands = typer.Typer(no_args_is_help=False, rich_markup_mode="rich")


def register(app: typer.Typer) -> None:
    """Add the command group to *app*."""
    app.add_typer(_commands, name="instances")


@_commands.callback(invoke_without_command=True)
def group(context: typer.Context) -> None:
    """List, show and export the shipped instances.

    [bold]Examples:[/bold]

      cpsched instances list             all, with their best-known bounds

      cpsched instances list ta          one set

      cpsched instances show ta01

      cpsched instances export ta01 --output-format json --output ta01.json
    """
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@_commands.command("list")
def list_instances(
    family_set: Annotated[
        str | None,
        typer.Argument(metavar="[SET]", help="ft, la, abz, orb, swv, yn, ta or dmu."),
    ] = None,
) -> None:
    """List the shipped instances with size and best-known bounds.

    [bold]Examples:[/bold] cpsched instances list · cpsched instances list dmu
    """
    from rich.text import Text

    names = library.names(family_set)
    columns = ["name", "jobs", "machines", "operations", "lower bound", "best known", ""]
    grid = report.plain_table(columns, left={"name", ""})
    proven = 0
    for name in names:
        instance, bounds = library.load(name), library.best_known(name)
        is_proven = bounds is not None and bounds.lower == bounds.upper
        proven += is_proven
        cells = [
            name,
            str(instance.num_jobs),
            str(instance.num_machines),
            str(instance.num_ops),
            report.number(bounds.lower if bounds else None),
            report.number(bounds.upper if bounds else None),
            "optimal" if is_proven else "open",
        ]
        grid.add_row(*(Text(cell) for cell in cells))
    grid.caption = f"{len(names)} instances, {proven} with a known optimum"
    print_table(grid)


@_commands.command()
def show(
    name: Annotated[str, typer.Argument(metavar="NAME|FILE", show_default=False)],
    input_format: Annotated[
        str | None,
        typer.Option(
            help=FORMATS_HELP,
            show_default="by content",
            metavar="FORMAT",
        ),
    ] = None,
    number: _Number = None,
) -> None:
    """Show size, durations and bounds of one instance.

    [bold]Examples:[/bold] cpsched instances show ta01 · cpsched instances show my.fjs
    """
    instance = pick(read_instances([name], input_format), number, name)
    lines = [f"{instance.name}: {report.shape(instance)}"]
    lines += [f"  {label:<16}{text}" for label, text in _FACTS[instance.family](instance)]
    bounds = library.best_known(instance.name) if is_shipped(instance) else None
    if bounds is not None:
        known = (
            f"{bounds.upper} (optimal)"
            if bounds.lower == bounds.upper
            else f"{bounds.upper} (lower bound {bounds.lower})"
        )
        lines += [f"  {'best known':<16}{known}", f"  {'source':<16}{bounds.source}"]
    emit("\n".join(lines) + "\n", None)


@_commands.command()
def export(
    name: Annotated[str, typer.Argument(metavar="NAME|FILE", show_default=False)],
    output_format: Annotated[
        str | None,
        typer.Option(
            metavar="FORMAT",
            help="jsplib, taillard, fjs or json; pods: json, scenario or kubernetes; VMs: json, "
            "vmr2l, openstack or proxmox.",
            show_default="jsplib; clusters: json",
        ),
    ] = None,
    output: Annotated[
        str | None, typer.Option("--output", "-o", metavar="FILE", show_default="stdout")
    ] = None,
    input_format: Annotated[
        str | None,
        typer.Option(
            help=FORMATS_HELP,
            show_default="by content",
            metavar="FORMAT",
        ),
    ] = None,
    number: _Number = None,
) -> None:
    """Write one instance in a standard format; also converts files.

    [bold]Examples:[/bold] cpsched instances export ta01 -o ta01.txt ·
    cpsched instances export shop.txt --output-format fjs ·
    cpsched instances export cluster.json --output-format json
    """
    from cpsched import instances
    from cpsched.instances.writing import default_format

    if output_format is not None:
        check_format(output_format, "output format")
    target = None if output is None else OutputFile(output, inputs=expand([name]))
    instance = pick(read_instances([name], input_format), number, name)
    emit(instances.dumps(instance, output_format or default_format(instance)), target)


def _amounts(cluster: Cluster) -> list[tuple[str, str]]:
    """For each resource, what all pods and those that run request, of what there is."""
    total, asked = cluster.allocatable.sum(axis=0), cluster.request.sum(axis=0)
    used = cluster.usage.sum(axis=0)
    return [
        (
            resource,
            f"{total[r]} allocatable, {used[r]} used by pods that run, {asked[r]} requested",
        )
        for r, resource in enumerate(cluster.resources)
    ]


def _capacities(cluster: VmCluster) -> list[tuple[str, str]]:
    """For each resource, what VMs use of what there is; the rules there are."""
    total = cluster.capacity.sum(axis=0)
    used = cluster.usage_of(cluster.numa).sum(axis=0)
    facts = [
        (resource, f"{total[r]} usable, {used[r]} used")
        for r, resource in enumerate(cluster.resources)
    ]
    numbers = {
        "pinned VMs": int(cluster.is_pinned.sum()),
        "closed PMs": int(cluster.closed.sum()),
        "evacuated PMs": int(cluster.evacuate.sum()),
        "groups": len(cluster.groups),
        "conflicts": len(cluster.conflicts),
    }
    return facts + [(label, str(number)) for label, number in numbers.items() if number]


def _use(instance: Reassignment) -> list[tuple[str, str]]:
    """For each resource, what all processes use, of what is free of cost and of what there is."""
    safe, total = instance.safety.sum(axis=0), instance.capacity.sum(axis=0)
    return [
        (
            f"resource {r}",
            f"{used} used, {safe[r]} free of cost, {total[r]} capacity"
            + (", transient" if instance.transient[r] else ""),
        )
        for r, used in enumerate(instance.total_requirement.tolist())
    ]


def _durations(instance: JobShop) -> list[tuple[str, str]]:
    """Durations and the two trivial lower bounds: the longest job, the busiest machine."""
    durations = instance.mode_duration
    if not len(durations):
        return [("durations", "none")]
    facts = [
        (
            "durations",
            f"min {durations.min()}, mean {durations.mean():.1f}, max {durations.max()}",
        )
    ]
    shortest = np.minimum.reduceat(durations.astype(np.int64), instance.mode_ptr[:-1])
    per_job = np.bincount(instance.job, weights=shortest, minlength=instance.num_jobs)
    job = int(np.argmax(per_job))
    facts.append(("longest job", f"{int(per_job[job])} (job {job}), a lower bound"))
    # Only operations without a choice load a machine for certain.
    fixed = np.flatnonzero(np.diff(instance.mode_ptr) == 1)
    modes = instance.mode_ptr[fixed]
    load = np.bincount(
        instance.mode_machine[modes],
        weights=durations[modes].astype(np.int64),
        minlength=instance.num_machines,
    )
    machine = int(np.argmax(load))
    facts.append(("busiest machine", f"{int(load[machine])} (machine {machine}), a lower bound"))
    if instance.is_flexible:
        spread = -(-int(shortest.sum()) // instance.num_machines)
        facts.append(("spread load", f"{spread} per machine, a lower bound"))
        modes_per_op = len(durations) / instance.num_ops
        facts.append(("flexibility", f"{modes_per_op:.2f} machines per operation"))
    return facts


#: Lines of ``show`` between size and bounds, by family.
_FACTS: dict[str, Callable[[Any], list[tuple[str, str]]]] = {
    "jobshop": _durations,
    "pods": _amounts,
    "vms": _capacities,
    "reassignment": _use,
}
