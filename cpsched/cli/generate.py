"""``cpsched generate``: random instances that anyone can make again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cpsched.cli.files import OutputFile, emit
from cpsched.errors import InputError
from cpsched.instances.formats import check_format

if TYPE_CHECKING:
    from cpsched.jobshop.instance import JobShop

_commands = typer.Typer(no_args_is_help=False, rich_markup_mode="rich")

_Jobs = Annotated[int, typer.Option("--jobs", "-j", help="Number of jobs.")]
_Machines = Annotated[int, typer.Option("--machines", "-m", help="Number of machines.")]
_OutputFormat = Annotated[
    str, typer.Option(metavar="FORMAT", help="jsplib, taillard, fjs or json.")
]
_Output = Annotated[
    str | None, typer.Option("--output", "-o", metavar="FILE", show_default="stdout")
]


def register(app: typer.Typer) -> None:
    """Add the command group to *app*."""
    app.add_typer(_commands, name="generate")


@_commands.callback(invoke_without_command=True)
def group(context: typer.Context) -> None:
    """Generate random instances, the same for the same seeds on every machine.

    [bold]Examples:[/bold]

      cpsched generate taillard                                  ta01 itself

      cpsched generate taillard -j 50 -m 20 --time-seed 7 --machine-seed 8

      cpsched generate uniform -j 1000 -m 100 --seed 1 -o large.txt

      cpsched generate pods --nodes 16 --pods-per-node 4 --count 100 -o scenarios.jsonl

      cpsched generate vms --pms 280 --workload high --seed 1 -o cluster.json
    """
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@_commands.command()
def taillard(
    jobs: _Jobs = 15,
    machines: _Machines = 15,
    time_seed: Annotated[int, typer.Option(help="Seed of the durations.")] = 840612802,
    machine_seed: Annotated[int, typer.Option(help="Seed of the routes.")] = 398197754,
    output_format: _OutputFormat = "jsplib",
    output: _Output = None,
) -> None:
    """Taillard's generator (1993): every job visits every machine, durations 1 to 99.

    The default seeds and size give ta01.

    [bold]Example:[/bold] cpsched generate taillard --jobs 20 --machines 15 -o shop.txt
    """
    from cpsched.instances.generate import taillard

    target = _target(output_format, output)
    _emit(taillard(jobs, machines, time_seed, machine_seed), output_format, target)


@_commands.command()
def uniform(
    jobs: _Jobs = 100,
    machines: _Machines = 100,
    seed: Annotated[int, typer.Option("--seed", "-s")] = 0,
    low: Annotated[int, typer.Option(help="Shortest duration.")] = 1,
    high: Annotated[int, typer.Option(help="Longest duration.")] = 1000,
    output_format: _OutputFormat = "jsplib",
    output: _Output = None,
) -> None:
    """Uniform durations and routes: the law of the very large sets (Da Col and Teppan 2022).

    [bold]Example:[/bold] cpsched generate uniform --jobs 1000 --machines 1000 -o huge.txt
    """
    from cpsched.instances.generate import uniform

    target = _target(output_format, output)
    _emit(uniform(jobs, machines, seed, low, high), output_format, target)


@_commands.command()
def pods(
    nodes: Annotated[int, typer.Option("--nodes", "-n", help="Number of nodes.")] = 16,
    pods_per_node: Annotated[int, typer.Option(help="Pods per node, on average.")] = 4,
    priorities: Annotated[int, typer.Option(help="Number of priorities.")] = 2,
    utilisation: Annotated[float, typer.Option(help="All requests over all nodes.")] = 1.05,
    seed: Annotated[int, typer.Option("--seed", "-s")] = 0,
    count: Annotated[int, typer.Option(help="Scenarios: of this seed and those after it.")] = 1,
    output_format: Annotated[
        str, typer.Option(metavar="FORMAT", help="scenario, json or kubernetes.")
    ] = "scenario",
    output: _Output = None,
) -> None:
    """Scenarios of Christensen, Giallorenzo and Mauro (2025), one on each line.

    ReplicaSets of one to four equal pods, and as many equal nodes as it takes for the utilisation
    asked for. Equal seeds give the scenarios of the publication.

    [bold]Example:[/bold] cpsched generate pods --nodes 16 --pods-per-node 4 --priorities 2
    --utilisation 1.05 --seed 484806185843093489
    """
    from cpsched import instances
    from cpsched.instances.formats import scenario as compact
    from cpsched.instances.generate_pods import scenario

    target = _target(output_format, output)
    if not 1 <= count <= 1_000_000:
        raise InputError(f"--count must be in 1..1000000, not {count}")
    if count > 1 and output_format == "kubernetes":
        raise InputError("a Kubernetes snapshot holds one cluster: --count 1")
    found = [
        scenario(nodes, pods_per_node, priorities, utilisation, seed + number)
        for number in range(count)
    ]
    if output_format == "scenario":
        emit(compact.lines(found), target)
    else:
        texts = [instances.dumps(compact.to_cluster(one), output_format) for one in found]
        emit("".join(texts), target)


@_commands.command()
def vms(
    pms: Annotated[
        int, typer.Option("--pms", "-n", help="Number of PMs, 2 x 44 cores each.")
    ] = 280,
    workload: Annotated[str, typer.Option(help="high, mid or low: 88, 65 or 39 % load.")] = "high",
    load: Annotated[
        float | None, typer.Option(help="Share of all cores in use.", show_default="by workload")
    ] = None,
    conflicts: Annotated[int, typer.Option(help="Most conflict partners of a VM.")] = 0,
    memory_ratios: Annotated[
        bool, typer.Option("--memory-ratios", help="2, 4 and 8 GiB a core: memory binds too.")
    ] = False,
    seed: Annotated[int, typer.Option("--seed", "-s")] = 0,
    count: Annotated[int, typer.Option(help="Clusters: of this seed and those after it.")] = 1,
    output_format: Annotated[
        str, typer.Option(metavar="FORMAT", help="json or vmr2l (without conflicts).")
    ] = "json",
    output: _Output = None,
) -> None:
    """VMs on PMs of two NUMA nodes, calibrated to the published VMR2L data (EuroSys 2025).

    280 PMs are its medium cluster, 1176 its large one.

    [bold]Example:[/bold] cpsched generate vms --pms 280 --workload high --seed 1 -o cluster.json
    """
    from cpsched import instances
    from cpsched.instances.generate_vms import generate_vms

    target = _target(output_format, output)
    if not 1 <= count <= 10_000:
        raise InputError(f"--count must be in 1..10000, not {count}")
    if output_format == "vmr2l" and (count > 1 or conflicts):
        raise InputError("a mapping of VMR2L holds one cluster without conflicts; json holds more")
    found = (
        generate_vms(pms, workload, seed + number, conflicts, memory_ratios, load)
        for number in range(count)
    )
    emit("".join(instances.dumps(one, output_format) for one in found), target)


def _target(output_format: str, output: str | None) -> OutputFile | None:
    check_format(output_format, "output format")
    return None if output is None else OutputFile(output)


def _emit(instance: JobShop, output_format: str, target: OutputFile | None) -> None:
    from cpsched import instances

    emit(instances.dumps(instance, output_format), target)
