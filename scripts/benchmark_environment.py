"""Measure cpsched's environments beside their peers; write docs/benchmarks/environment.md."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import datetime
import os
import shlex
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

# The code that is measured is this checkout, whatever else may be installed.
sys.path.insert(1, str(Path(__file__).resolve().parents[1]))

from environment_benchmark import page
from environment_benchmark.paths import DATA, PAGE, WORKSHOP
from environment_benchmark.plan import SLICES, SMOKE, Scale, tasks
from environment_benchmark.records import Records
from environment_benchmark.runner import prepare, run
from jobshop_benchmark import machine
from jobshop_benchmark.environments import SetupError
from jobshop_benchmark.runner import BusyError, alone, duration, say
from jobshop_benchmark.runs import Batch

if TYPE_CHECKING:
    from collections.abc import Sequence

EPILOG = """\
slices:
{slices}

A measurement replaces what an earlier start measured under the same name; the rest of the page
stays as it was. Leave the machine alone meanwhile: the page says how much other processes used.
Peers get virtual environments of their own under .peers, made once from scripts/peers/*.txt;
rl4co brings torch and is left out, with the reason on the page, where it cannot be installed.

examples:
  everything, then the page:
      python scripts/benchmark_environment.py
  what that would be, and about how long it takes:
      python scripts/benchmark_environment.py --dry-run
  does the machinery work (two minutes, nothing kept in docs):
      python scripts/benchmark_environment.py --smoke
  cpsched again because its code changed (with jssenv, to which ratios are):
      python scripts/benchmark_environment.py --only ours,growth,strength,models
  the page again from what was measured:
      python scripts/benchmark_environment.py --page-only

Exit codes: 0 done, 1 something could not be measured, 2 wrong usage, 130 interrupted.
"""

_SMOKE_NOTE = """\
**A smoke run: ft06 stands for ta01, la01 for ta71, clocks are far too short; no figure here means
anything.**
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, write the page; return the exit code."""
    options = _options(arguments)
    scale = dataclasses.replace(
        SMOKE if options.smoke else Scale(),
        **{
            name: value
            for name in ("seconds", "repeats", "seed")
            if (value := getattr(options, name)) is not None
        },
    )
    data, target = options.data, options.page
    if options.smoke:
        data = WORKSHOP / "smoke"
        target = data / "environment.md"
    # Also where a shell starts it in the background and has SIGINT ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        planned = tasks(options.only, scale)
        if options.dry_run:
            for task in planned:
                print(", ".join(task.key), f"{task.expected:.0f} s", sep="\t")
            print(f"about {duration(sum(task.expected for task in planned))} in all")
            return 0
        records = Records(data)
        # A smoke run proves nothing about time, so that it need not be alone.
        company = options.smoke or options.page_only
        with contextlib.nullcontext() if company else alone():
            if options.setup:
                prepare(planned, records, None)
                return 0
            failures = 0 if options.page_only else run(planned, records, _batch(options))
        sizes = [
            f"{jobs}x{machines}" for jobs, machines in (SMOKE if options.smoke else Scale()).sizes
        ]
        page.write(target, data, sizes, _SMOKE_NOTE if options.smoke else "")
        say(f"wrote {target}")
        return 1 if failures else 0
    except KeyboardInterrupt:
        say("\ninterrupted: finished measurements are kept; --page-only writes the page from them")
        return 130
    except (SetupError, BusyError, ValueError) as error:
        say(f"error: {error}")
        return 1


def _batch(options: argparse.Namespace) -> Batch:
    now = datetime.datetime.now(datetime.UTC)
    return Batch(
        f"{now:%Y%m%d%H%M%S}-{os.getpid()}",
        f"{now:%Y-%m-%d %H:%M}Z",
        machine.describe(),
        shlex.join(["python", "scripts/benchmark_environment.py", *options.command]),
    )


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    width = max(map(len, SLICES)) + 2
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=EPILOG.format(
            slices="\n".join(f"  {name:<{width}}{what}" for name, what in SLICES.items())
        ),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    what = parser.add_argument_group("what to measure")
    what.add_argument(
        "--only",
        type=_slices,
        default=list(SLICES),
        metavar="S,S",
        help=f"of {', '.join(SLICES)} (default: all)",
    )
    what.add_argument(
        "--seconds", type=_seconds, metavar="S", help="clock of each measurement (default: 5)"
    )
    what.add_argument(
        "--repeats", type=_positive, metavar="N", help="interleaved repetitions (default: 3)"
    )
    what.add_argument(
        "--seed",
        type=int,
        metavar="N",
        help="of the random actions of the first repetition (default: 0)",
    )
    how = parser.add_argument_group("how to run")
    how.add_argument("--dry-run", action="store_true", help="print the plan and stop")
    how.add_argument("--setup", action="store_true", help="make the peers' environments and stop")
    how.add_argument("--page-only", action="store_true", help="write the page, measure nothing")
    how.add_argument("--smoke", action="store_true", help="tiny instances, 0.2 s each, kept apart")
    how.add_argument(
        "--data", type=Path, default=DATA, metavar="DIR", help="records (docs/benchmarks/data)"
    )
    how.add_argument(
        "--page", type=Path, default=PAGE, metavar="FILE", help="the page (docs/benchmarks)"
    )
    options = parser.parse_args(arguments)
    options.command = list(sys.argv[1:] if arguments is None else arguments)
    return options


def _slices(text: str) -> list[str]:
    names = text.split(",")
    for name in names:
        if name not in SLICES:
            raise argparse.ArgumentTypeError(f"unknown slice {name!r}; known: {', '.join(SLICES)}")
    return [name for name in SLICES if name in names]


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= 3600:
        raise argparse.ArgumentTypeError(f"seconds in 0..3600, not {text!r}")
    return seconds


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"a number of at least 1, not {text!r}")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
