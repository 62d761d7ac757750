"""Benchmark cpsched beside CP-SAT alone, PyJobShop and job-shop-lib; write the results page."""

from __future__ import annotations

import argparse
import datetime
import math
import os
import shlex
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

# The code that is measured is this checkout, whatever else may be installed.
sys.path.insert(1, str(Path(__file__).resolve().parents[1]))

from jobshop_benchmark import machine, page
from jobshop_benchmark.environments import SetupError
from jobshop_benchmark.outcome import SOLVERS
from jobshop_benchmark.paths import DATA, PAGE, WORKSHOP
from jobshop_benchmark.plan import Task, tasks, to_do
from jobshop_benchmark.rows import PEERS, ROWS, SMOKE, Row
from jobshop_benchmark.runner import BusyError, alone, duration, make_runs, prepare, say
from jobshop_benchmark.runs import Batch, Book
from jobshop_benchmark.workers import WorkerError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

EPILOG = """\
rows:
{rows}

Runs that are finished are never repeated: start it again after an interruption, or in slices,
and it goes on where it stopped. It runs one solver at a time on --workers cores; leave the
machine alone meanwhile (the page says how much other processes used).

examples:
  everything that is missing, then the page:
      python scripts/benchmark_jobshop.py
  what that would be, and how long it takes at most:
      python scripts/benchmark_jobshop.py --dry-run
  does the machinery work (half a minute, nothing kept in docs):
      python scripts/benchmark_jobshop.py --smoke
  a slice:
      python scripts/benchmark_jobshop.py --rows dmu-60s --solvers cpsat,pyjobshop \\
          --limit-minutes 25
  cpsched again because its code changed, peers untouched:
      python scripts/benchmark_jobshop.py --rows ta-10s --solvers cpsched --fresh

Exit codes: 0 done, 1 something could not be run, 2 wrong usage, 130 interrupted.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is missing and write the page; return the exit code."""
    options = _options(arguments)
    rows, data, target = options.rows, options.data, options.page
    if options.smoke:
        rows = [SMOKE]
        data, target = WORKSHOP / "smoke", WORKSHOP / "smoke" / "jobshop.md"
    shown = [SMOKE] if options.smoke else list(ROWS.values())
    # Also where a shell starts it in the background and has SIGINT ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        if options.setup:
            with alone():
                prepare(PEERS)
            return 0
        books = {row.name: Book(data, row.name) for row in rows}
        planned = tasks(rows, options.solvers, options.peers, options.seeds, options.workers)
        left = to_do(planned, books, machine.commit() if options.fresh else None)
        if options.dry_run:
            _print_plan(rows, options.solvers, planned, left)
            return 0
        code = 0 if options.page_only else _measure(options, books, left)
        page.write(target, data, shown, options.workers)
        say(f"wrote {target}")
        return code
    except (SetupError, WorkerError, BusyError, ValueError) as error:
        say(f"error: {error}")
        return 1


def _measure(options: argparse.Namespace, books: dict[str, Book], left: list[Task]) -> int:
    now = datetime.datetime.now(datetime.UTC)
    batch = Batch(
        f"{now:%Y%m%d%H%M%S}-{os.getpid()}",
        f"{now:%Y-%m-%d %H:%M}Z",
        machine.describe(),
        shlex.join(["python", "scripts/benchmark_jobshop.py", *options.command]),
    )
    seconds = math.inf if options.limit_minutes is None else 60 * options.limit_minutes
    try:
        with alone():
            prepare(sorted({task.solver for task in left}, key=SOLVERS.index))
            total = sum(task.at_most for task in left)
            say(f"{len(left)} runs to make, at most {duration(total)}")
            make_runs(left, books, batch, seconds)
    except KeyboardInterrupt:
        say("\ninterrupted: finished runs are kept, the one in progress is dropped")
        return 130
    return 0


def _print_plan(
    rows: Sequence[Row], solvers: Sequence[str], planned: list[Task], left: list[Task]
) -> None:
    """What is done and left of each row and solver, and the longest it can take."""
    form = "{:<16}{:<14}{:>8}{:>8}{:>8}{:>12}"
    print(form.format("row", "solver", "planned", "done", "left", "at most"))
    for row in rows:
        for solver in solvers:
            mine = [task for task in planned if (task.row, task.solver) == (row, solver)]
            open_ones = [task for task in left if (task.row, task.solver) == (row, solver)]
            if mine:
                seconds = duration(sum(task.at_most for task in open_ones))
                done = len(mine) - len(open_ones)
                print(form.format(row.name, solver, len(mine), done, len(open_ones), seconds))
    total = duration(sum(task.at_most for task in left))
    print(form.format("all", "", len(planned), len(planned) - len(left), len(left), total))
    print("Less, as far as solvers prove optimality before their time is up.")


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    width = max(map(len, ROWS)) + 2
    rows = "\n".join(f"  {row.name:<{width}}{row.title}" for row in ROWS.values())
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=EPILOG.format(rows=rows),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    what = parser.add_argument_group("what to run")
    what.add_argument(
        "--rows",
        type=_names("row", list(ROWS), ROWS.__getitem__),
        default=list(ROWS.values()),
        metavar="R,R",
        help="rows of the table (default: all)",
    )
    what.add_argument(
        "--solvers",
        type=_names("solver", list(SOLVERS), str),
        default=list(SOLVERS),
        metavar="S,S",
        help=f"of {', '.join(SOLVERS)} (default: all)",
    )
    what.add_argument(
        "--peers",
        choices=("sample", "full"),
        default="sample",
        help="peers run on a sample of each row's instances, or on all (default: sample)",
    )
    what.add_argument(
        "--seeds", type=_seeds, default=[0], metavar="N,N", help="random seeds (default: 0)"
    )
    what.add_argument(
        "--workers", type=_positive, default=2, metavar="N", help="cores per solver (default: 2)"
    )
    what.add_argument(
        "--fresh",
        action="store_true",
        help="repeat runs of cpsched that were made at another commit",
    )
    how = parser.add_argument_group("how to run")
    how.add_argument(
        "--limit-minutes",
        type=float,
        metavar="M",
        help="start no run that may end later than this (default: no limit)",
    )
    how.add_argument("--dry-run", action="store_true", help="print the plan and stop")
    how.add_argument("--setup", action="store_true", help="make the peers' environments and stop")
    how.add_argument("--page-only", action="store_true", help="write the page, run nothing")
    how.add_argument("--smoke", action="store_true", help="two tiny instances, 1 s, kept apart")
    how.add_argument(
        "--data", type=Path, default=DATA, metavar="DIR", help="runs files (docs/benchmarks/data)"
    )
    how.add_argument(
        "--page", type=Path, default=PAGE, metavar="FILE", help="the page (docs/benchmarks)"
    )
    options = parser.parse_args(arguments)
    options.command = list(sys.argv[1:] if arguments is None else arguments)
    return options


def _names(
    kind: str, known: list[str], convert: Callable[[str], object]
) -> Callable[[str], list[object]]:
    def parse(text: str) -> list[object]:
        names = text.split(",")
        for name in names:
            if name not in known:
                raise argparse.ArgumentTypeError(
                    f"unknown {kind} {name!r}; known: {', '.join(known)}"
                )
        # In the table's order, once each.
        return [convert(name) for name in known if name in names]

    return parse


def _seeds(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"seeds are numbers, not {text!r}") from None


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"a number of at least 1, not {text!r}")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
