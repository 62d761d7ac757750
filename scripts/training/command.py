"""The command line of the training scripts."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

# The code that is trained is this checkout, whatever else may be installed.
sys.path.insert(1, str(Path(__file__).resolve().parents[2]))

from cpsched.agents.config import DEVICES, read
from cpsched.agents.run import Run, TrainingError
from cpsched.agents.train import train, train_seeds
from cpsched.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(
    family: str, description: str, examples: str, arguments: Sequence[str] | None = None
) -> int:
    """Train as the arguments say; return the exit code."""
    parser = argparse.ArgumentParser(
        description=description,
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("config", help="TOML file; scripts/configs has some")
    parser.add_argument(
        "folder", help="of the run; one that holds a run of this configuration is gone on with"
    )
    parser.add_argument("--time-limit", type=float, help="seconds in all, instead of the file's")
    parser.add_argument("--seed", type=int, help="instead of the file's")
    parser.add_argument(
        "--seeds",
        metavar="N,N",
        help="a run for each, side by side, in FOLDER/seed-N",
    )
    parser.add_argument(
        "--ray",
        metavar="ADDRESS",
        help="with --seeds: over a Ray cluster (auto, HOST:PORT, ray://HOST:PORT) that sees the "
        "folder, or a Ray started here (local)",
    )
    parser.add_argument("--jobs", type=int, help="with --seeds: runs at once; default: the cores")
    parser.add_argument("--device", choices=DEVICES, help="instead of the file's")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="TABLE.KEY=VALUE",
        help="another value, as TOML, such as train.rate=0.01; may be repeated",
    )
    parser.add_argument("--quiet", action="store_true", help="no progress")
    options = parser.parse_args(arguments)
    changes = {}
    for name in ("time_limit", "seed", "device"):
        value = getattr(options, name)
        if value is not None:
            changes[f"run.{name}"] = str(value)
    try:
        for text in options.set:
            key, equals, value = text.partition("=")
            if not equals:
                raise InputError(f"--set must be TABLE.KEY=VALUE, not {text}")
            changes[key.strip()] = value.strip()
        found, _ = read(options.config, changes)
        if found.run.family != family:
            raise InputError(
                f"the configuration is for {found.run.family}, not for {family}",
                source=options.config,
            )
        if options.seeds is None and (options.ray or options.jobs):
            raise InputError("--ray and --jobs go with --seeds")
        if options.seeds is not None:
            _train_all(options, changes)
            return 0
        best = _train(options, changes)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except TrainingError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(
            f"\ninterrupted: the same command goes on from {options.folder}; the best weights so "
            "far are in it",
            file=sys.stderr,
        )
        return 130
    print(best)
    return 0


def _train_all(options: argparse.Namespace, changes: dict[str, str]) -> None:
    try:
        seeds = [int(text) for text in options.seeds.split(",")]
    except ValueError:
        raise InputError(f"--seeds needs integers, not {options.seeds!r}") from None
    if len(set(seeds)) < len(seeds):
        raise InputError(f"--seeds names one twice: {options.seeds}")
    for seed, best in train_seeds(
        options.config,
        options.folder,
        seeds,
        changes=changes,
        address=options.ray,
        jobs=options.jobs,
    ):
        print(f"seed {seed}: {best}", flush=True)


def _train(options: argparse.Namespace, changes: dict[str, str]) -> Path:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True, quiet=options.quiet)
    columns = (
        TextColumn("update {task.fields[update]}"),
        BarColumn(),
        TimeRemainingColumn(),
        TextColumn("gap {task.fields[gap]} %, best {task.fields[best]} %"),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("", total=None, update=0, gap="-", best="-")

        def report(run: Run, line: dict[str, float]) -> None:
            bar.update(
                task,
                total=run.config.run.time_limit,
                completed=line["seconds"],
                update=int(line["update"]),
                gap=f"{line['gap']:.2f}" if "gap" in line else "-",
                best=f"{min(run.best, line.get('gap', run.best)):.2f}",
            )

        return train(options.config, options.folder, changes=changes, report=report)
