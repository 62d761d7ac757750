"""Benchmark the learned methods beside rules, search and exact solvers; write the results page."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

# The code that is measured is this checkout, whatever else may be installed.
sys.path.insert(1, str(Path(__file__).resolve().parents[1]))

from agents_benchmark import page
from agents_benchmark.rows import ROWS, Row
from jobshop_benchmark import machine

from cpsched import bench, solving
from cpsched.cli.interrupt import stop_on_signal
from cpsched.errors import InputError

if TYPE_CHECKING:
    import threading
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs" / "benchmarks"

EPILOG = """\
rows:
{rows}

Runs that the data file holds, under the versions at hand, are not repeated: start it again after
an interruption or in slices. One run at a time, one thread each.

examples:
  python scripts/benchmark_agents.py --only ta,dmu,la
  python scripts/benchmark_agents.py --only hybrid --first 4
  python scripts/benchmark_agents.py --page
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is missing, write the page; return the exit code."""
    command = list(sys.argv[1:] if arguments is None else arguments)
    try:
        options = _options(command)
        rows = [_row(name) for name in options.only.split(",")] if options.only else list(
            ROWS.values()
        )  # fmt: skip
        data = options.data / "agents.jsonl"
        if options.page:
            done = bench.read_runs(data) if data.exists() else []
            page.write(options.target, list(ROWS.values()), done, DOCS / "data" / PUBLISHED)
            return 0
        return _measure(rows, options, command, data)
    except (InputError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


PUBLISHED = "agents-published.csv"


def _measure(
    rows: Sequence[Row], options: argparse.Namespace, command: Sequence[str], data: Path
) -> int:
    lacking = {row.name: missing for row in rows if (missing := row.missing())}
    for name, missing in lacking.items():
        print(f"{name}: this version has no method {', '.join(missing)}", file=sys.stderr)
    if lacking and not options.available:
        print("error: nothing was run; --available runs the other methods", file=sys.stderr)
        return 1
    conditions = {
        "jobs": 1,
        "command": shlex.join(["python", "scripts/benchmark_agents.py", *command]),
        "commit": machine.commit(),
    }
    # One core: a library that takes all of them would not be comparable.
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    # A solve that is interrupted ends with what it has: such a run must not be recorded.
    with stop_on_signal() as stop, bench.RunFile(data) as file:
        for row in rows:
            able = tuple(one for one in row.methods if one not in lacking.get(row.name, ()))
            runs = row.runs(able) if able else []
            if options.first is not None:
                chosen = row.cases()[: options.first]
                runs = [run for run in runs if run.case in chosen]
            first = [case.instance for case in row.cases()[:1]]
            solving.prepare(methods=able, instances=first, inference=row.asked())
            _do(row.name, runs, file, conditions, stop)
            records = list(file.records)
            page.write(options.target, list(ROWS.values()), records, DOCS / "data" / PUBLISHED)
            if stop.is_set():
                print("interrupted: finished runs are kept", file=sys.stderr)
                return 130
    return 0


def _do(
    name: str,
    runs: Sequence[bench.Run],
    file: bench.RunFile,
    conditions: dict[str, object],
    stop: threading.Event,
) -> None:
    start, new = time.monotonic(), 0
    for number, (run, record, is_new) in enumerate(
        bench.execute(runs, file, conditions=conditions, stop=stop), start=1
    ):
        if is_new:
            new += 1
            left = (time.monotonic() - start) / new * (len(runs) - number)
            print(
                f"{name} [{number}/{len(runs)}] {run.case.instance.name} {run.method}: "
                f"{record['status']} {record['objective']}, {record['wall_time_s']:.3f} s; "
                f"about {left / 60:.1f} min left",
                flush=True,
            )


def _row(name: str) -> Row:
    if name not in ROWS:
        raise InputError(f"unknown row {name!r}; known: {', '.join(ROWS)}")
    return ROWS[name]


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    width = max(map(len, ROWS)) + 2
    rows = "\n".join(f"  {row.name:<{width}}{row.title}" for row in ROWS.values())
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=EPILOG.format(rows=rows),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--only", default="", metavar="R,R", help="rows (default: all)")
    parser.add_argument("--first", type=int, metavar="N", help="first N instances of each row")
    parser.add_argument(
        "--available", action="store_true", help="leave out methods that this version lacks"
    )
    parser.add_argument("--page", action="store_true", help="only write the page")
    parser.add_argument("--data", type=Path, default=DOCS / "data", help="folder of agents.jsonl")
    parser.add_argument("--target", type=Path, default=DOCS / "agents.md", help="the page")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
