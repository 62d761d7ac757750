"""Benchmark VM rescheduling beside the published baselines and plain CP-SAT; write the page."""

from __future__ import annotations

import argparse
import datetime
import os
import shlex
import sys
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

# The code that is measured is this checkout, whatever else may be installed.
sys.path.insert(1, str(Path(__file__).resolve().parents[1]))

from jobshop_benchmark import machine
from pods_benchmark.book import Lines
from vms_benchmark import page
from vms_benchmark.rows import FIRST_SEED, ROWS
from vms_benchmark.run import run
from vms_benchmark.stream import MODES, RATES, stream

from cpsched import families
from cpsched.instances.formats import vms_native
from cpsched.result import versions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.progress import Progress

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "benchmarks"
#: The peer models every pair of VM and NUMA node: it gets fewer clusters.
PEER_SEEDS = 3
#: The row of arrivals and departures, and its clusters: each is planned 60 times for each rate.
STREAM, STREAM_SEEDS = "stream", 5

EPILOG = f"""\
rows: {", ".join((*ROWS, "stream"))}

Every cluster is written to text; a run's time is that from the text to the checked plan, kernels
loaded. Runs that are finished are never repeated. Leave the machine alone meanwhile.

examples:
  everything that is missing, then the page:
      python scripts/benchmark_vms.py
  a part:
      python scripts/benchmark_vms.py --only medium,large --seeds 5
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is missing, write the page; return the exit code."""
    command = list(sys.argv[1:] if arguments is None else arguments)
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", type=lambda text: text.split(","), help="rows")
    parser.add_argument("--seeds", type=int, help="clusters of each row at most")
    parser.add_argument("--page", action="store_true", help="make the page only")
    parser.add_argument("--fresh", action="store_true", help="repeat runs of another commit")
    options = parser.parse_args(command)
    names = [*ROWS, STREAM] if options.only is None else options.only
    unknown = [name for name in names if name not in (*ROWS, STREAM)]
    if unknown:
        print(f"error: no row {unknown[0]}; rows: {', '.join((*ROWS, STREAM))}", file=sys.stderr)
        return 2
    code = 0
    if not options.page:
        try:
            _measure(names, options, command)
        except KeyboardInterrupt:
            print("\ninterrupted: finished runs are kept", file=sys.stderr)
            code = 130
    page.write(FOLDER / "vms.md", FOLDER / "data")
    return code


def _measure(names: list[str], options: argparse.Namespace, command: list[str]) -> None:
    from rich.progress import Progress, TimeElapsedColumn

    family = families.get("vms")
    family.prepare(list(family.METHODS), None)
    now = datetime.datetime.now(datetime.UTC)
    batch = {
        "kind": "batch",
        "id": f"{now:%Y%m%d%H%M%S}-{os.getpid()}",
        "date": f"{now:%Y-%m-%d %H:%M}Z",
        "machine": machine.describe(),
        "commit": machine.commit(),
        "command": shlex.join(["python", "scripts/benchmark_vms.py", *command]),
        "versions": versions(),
    }
    columns = (*Progress.get_default_columns(), TimeElapsedColumn())
    with Progress(*columns) as bar:
        if STREAM in names:
            _stream(bar, batch, options)
        for name in names:
            if name == STREAM:
                continue
            row = ROWS[name]
            book = Lines(FOLDER / "data" / f"vms-{name}.jsonl")
            commits = {entry["id"]: entry["commit"] for entry in book.of("batch")}
            done = {
                (entry["seed"], entry["method"])
                for entry in book.of("run")
                if not (options.fresh and commits[entry["batch"]] != batch["commit"])
            }
            seeds = range(FIRST_SEED, FIRST_SEED + min(row.count, options.seeds or row.count))
            task = bar.add_task(name, total=len(seeds))
            begun = False
            for number, seed in enumerate(seeds):
                methods = [*row.methods, *(row.peers if number < PEER_SEEDS else ())]
                left = [method for method in methods if (seed, method) not in done]
                if left:
                    text = vms_native.dumps(row.cluster(seed))
                for method in left:
                    if not begun:
                        book.add(batch)
                        begun = True
                    book.add({**run(row, seed, method, text), "batch": batch["id"]})
                bar.update(task, advance=1)


def _stream(bar: Progress, batch: dict[str, Any], options: argparse.Namespace) -> None:
    book = Lines(FOLDER / "data" / f"vms-{STREAM}.jsonl")
    row = ROWS["medium"]
    seeds = range(FIRST_SEED, FIRST_SEED + min(STREAM_SEEDS, options.seeds or STREAM_SEEDS))
    done = {(run["seed"], run["rate"], run["mode"]) for run in book.of("run")}
    jobs = [job for job in product(seeds, RATES, MODES) if options.fresh or job not in done]
    if jobs:
        book.add(batch)
    for seed, rate, mode in bar.track(jobs, description=STREAM):
        found = stream(row.cluster(seed), seed, rate, mode)
        entry = {"kind": "run", "seed": seed, "rate": rate, "mode": mode, **found}
        book.add({**entry, "batch": batch["id"]})


if __name__ == "__main__":
    sys.exit(main())
