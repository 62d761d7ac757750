"""Benchmark pod packing beside the default scheduler and plain CP-SAT; write the results page."""

from __future__ import annotations

import argparse
import datetime
import os
import queue
import shlex
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

# The code that is measured is this checkout, whatever else may be installed.
sys.path.insert(1, str(Path(__file__).resolve().parents[1]))

from jobshop_benchmark import machine
from pods_benchmark import page, whole
from pods_benchmark.book import Book, Seeds, key_of
from pods_benchmark.paths import DATA, PAGE
from pods_benchmark.rows import OURS, ROWS, WHOLE, chosen
from pods_benchmark.worker import NoAnswerError, Worker

if TYPE_CHECKING:
    from collections.abc import Sequence

EPILOG = """\
rows: {rows}

Runs that are finished are never repeated: start it again after an interruption and it goes on.
Leave the machine alone meanwhile.

examples:
  everything that is missing, then the page:
      python scripts/benchmark_pods.py --openb PATH
  a part:
      python scripts/benchmark_pods.py --only grid-1s,proof
  two seeds of each cell of the grid:
      python scripts/benchmark_pods.py --only grid --seeds 2
  the page from what there is:
      python scripts/benchmark_pods.py --page
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is missing, write the page; return the exit code."""
    command = list(sys.argv[1:] if arguments is None else arguments)
    options = _options(command)
    try:
        names = chosen(options.only)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    code = 0
    if not options.page:
        try:
            _measure(options, names, command)
        except KeyboardInterrupt:
            print("\ninterrupted: finished runs are kept", file=sys.stderr)
            code = 130
    page.write(options.target, options.data)
    print(f"wrote {options.target}", file=sys.stderr)
    return code


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=EPILOG.format(rows=", ".join([*ROWS, *WHOLE])),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--only", type=lambda text: text.split(","), help="rows, or beginnings")
    parser.add_argument("--seeds", type=int, help="seeds of each cell at most")
    parser.add_argument("--limit", type=int, help="runs to make at most")
    parser.add_argument("--workers", type=int, default=2, help="cores in all (default: 2)")
    parser.add_argument(
        "--serial", action="store_true", help="one run at a time on all cores, not one per core"
    )
    parser.add_argument("--openb", type=Path, help="folder of the openb trace")
    parser.add_argument(
        "--whole-limit", type=float, default=15.0, help="limit of snapshot and openb (15 s)"
    )
    parser.add_argument("--fresh", action="store_true", help="repeat runs of another commit")
    parser.add_argument("--page", action="store_true", help="make the page only")
    parser.add_argument("--data", type=Path, default=DATA, help=argparse.SUPPRESS)
    parser.add_argument("--target", type=Path, default=PAGE, help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def _measure(options: argparse.Namespace, names: list[str], command: list[str]) -> None:
    from cpsched.result import versions

    now = datetime.datetime.now(datetime.UTC)
    one = "one run at a time on" if options.serial else "one core a run,"
    batch = {
        "id": f"{now:%Y%m%d%H%M%S}-{os.getpid()}",
        "date": f"{now:%Y-%m-%d %H:%M}Z",
        "machine": machine.describe(),
        "commit": machine.commit(),
        "command": shlex.join(["python", "scripts/benchmark_pods.py", *_public(command)]),
        "layout": f"{one} {options.workers} cores",
        "versions": versions(),
    }
    cores = options.workers if options.serial else 1
    books = {name: Book(options.data, name) for name in names}
    jobs = _jobs(options, [n for n in names if n in ROWS], books, batch["commit"], cores)
    _make(jobs, books, batch, options)
    for name in names:
        if name in WHOLE:
            _make_whole(name, books[name], batch, options)


def _public(command: list[str]) -> list[str]:
    """*command* without paths of this machine."""
    return ["PATH" if "/" in word else word for word in command]


def _jobs(
    options: argparse.Namespace, names: list[str], books: dict[str, Book], commit: str, cores: int
) -> list[list[dict[str, Any]]]:
    """What is left, the runs of a scenario together, in alternating order of methods."""
    seeds = Seeds(options.data)
    groups: list[list[dict[str, Any]]] = []
    count = 0
    for name in names:
        row = ROWS[name]
        commits = {entry["id"]: entry["commit"] for entry in books[name].of("batch")}
        done = {
            key_of(run)
            for run in books[name].of("run")
            if not (options.fresh and run["method"] == OURS and commits[run["batch"]] != commit)
        }
        for number, (cell, seed) in enumerate(row.scenarios(seeds, options.seeds)):
            methods = row.methods if number % 2 == 0 else row.methods[::-1]
            group = [
                {
                    "row": name,
                    "cell": cell.name,
                    "seed": seed,
                    "method": method,
                    "time_limit": row.time_limit,
                    "cores": cores,
                }
                for method in methods
            ]
            group = [job for job in group if key_of(job) not in done]
            if options.limit is not None:
                group = group[: max(0, options.limit - count)]
            if group:
                groups.append(group)
                count += len(group)
    return groups


def _make(
    groups: list[list[dict[str, Any]]],
    books: dict[str, Book],
    batch: dict[str, Any],
    options: argparse.Namespace,
) -> None:
    from rich.progress import Progress, TimeElapsedColumn

    waiting: queue.SimpleQueue[list[dict[str, Any]]] = queue.SimpleQueue()
    for group in groups:
        waiting.put(group)
    stop = threading.Event()
    failures: list[BaseException] = []
    mine = sorted(os.sched_getaffinity(0))[: options.workers]
    shares = [tuple(mine)] if options.serial else [(core,) for core in mine]
    workers = [Worker(share) for share in shares]
    for name in {group[0]["row"] for group in groups}:
        books[name].begin(batch)
    with Progress(*Progress.get_default_columns(), TimeElapsedColumn()) as bar:
        task = bar.add_task("runs", total=sum(map(len, groups)))

        def work(worker: Worker) -> None:
            try:
                while not stop.is_set():
                    try:
                        group = waiting.get_nowait()
                    except queue.Empty:
                        return
                    for job in group:
                        run = {"kind": "run", **job, "batch": batch["id"]}
                        try:
                            run |= worker.make(job)
                        except NoAnswerError as error:
                            if stop.is_set():
                                return
                            run |= {"status": "no answer", "problems": [str(error)]}
                            run |= {"tiers": 0, "pending": 0}
                        books[job["row"]].add(run)
                        bar.update(task, advance=1, description=f"{job['row']} {job['cell']}")
            except BaseException as error:
                failures.append(error)
                stop.set()

        threads = [threading.Thread(target=work, args=(w,), daemon=True) for w in workers]
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                while thread.is_alive():
                    thread.join(0.2)
        finally:
            stop.set()
            for worker in workers:
                worker.close()
    if failures:
        raise failures[0]


def _make_whole(name: str, book: Book, batch: dict[str, Any], options: argparse.Namespace) -> None:
    if name == "openb" and options.openb is None:
        print("openb: give the folder of the trace with --openb", file=sys.stderr)
        return
    for method in (OURS, "best-fit"):
        job = {
            "row": name,
            "cell": name,
            "seed": 1,
            "method": method,
            "time_limit": options.whole_limit,
            "cores": options.workers,
        }
        if key_of(job) in {key_of(run) for run in book.of("run")} and not options.fresh:
            continue
        print(f"{name} {method} ...", file=sys.stderr, flush=True)
        run = {"kind": "run", **job, "batch": batch["id"]}
        try:
            if name == "openb":
                run |= whole.run_openb(options.openb, options.whole_limit, method, options.workers)
            else:
                run |= whole.run_snapshot(options.whole_limit, method, options.workers)
        except (RuntimeError, OSError, KeyError) as error:
            run |= {"status": "no answer", "problems": [str(error)]}
        book.begin(batch)
        book.add(run)
        print(f"{run['status']}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
