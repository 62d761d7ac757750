"""Benchmark machine reassignment on set A of the ROADEF/EURO challenge; write the results page."""

from __future__ import annotations

import argparse
import datetime
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

# The code that is measured is this checkout, whatever else may be installed.
sys.path.insert(1, str(Path(__file__).resolve().parents[1]))

from jobshop_benchmark import machine

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "benchmarks" / "reassignment.md"
DATA = ROOT / "docs" / "benchmarks" / "data" / "reassignment.jsonl"

#: Best costs of the qualification phase of the challenge, as later papers list them.
REFERENCE = {
    "a1_1": 44_306_501,
    "a1_2": 777_532_896,
    "a1_3": 583_005_717,
    "a1_4": 252_728_589,
    "a1_5": 727_578_309,
    "a2_1": 198,
    "a2_2": 816_523_983,
    "a2_3": 1_306_868_761,
    "a2_4": 1_681_353_943,
    "a2_5": 336_170_182,
}

HEAD = """\
# Machine reassignment: set A of the ROADEF/EURO challenge 2012

Made by `python scripts/benchmark_reassignment.py --data PATH`, which adds its runs to
[data](data/reassignment.jsonl) and writes this page from the last run of each instance; not edited
by hand.

Each run is a process of its own, `cpsched solve model_X.txt --workers 1`: one core. *Reference* is
the best cost of the qualification phase of the challenge (300 s) as later papers list it; it is no
optimum, and later work went below it on many instances. *Bound* is proven. *Within 1 %* is against
the reference. For a2_1, whose least costs are a few hundred moved processes, one per cent is two
of them.

"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, write the page; return the exit code."""
    command = list(sys.argv[1:] if arguments is None else arguments)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="folder with model_*.txt and assignment_*.txt")
    parser.add_argument("--time", type=float, default=300.0, help="seconds for each instance")
    parser.add_argument("--only", default="", help="instances, separated by commas; default all")
    parser.add_argument("--method", default="auto")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--note", default="", help="what the page should say of these runs")
    parser.add_argument("--page", action="store_true", help="only write the page")
    options = parser.parse_args(command)
    names = options.only.split(",") if options.only else list(REFERENCE)
    unknown = [name for name in names if name not in REFERENCE]
    if unknown:
        print(f"error: unknown {unknown[0]}; known: {', '.join(REFERENCE)}", file=sys.stderr)
        return 2
    if not options.page:
        if options.data is None or not (options.data / "model_a1_1.txt").is_file():
            print("error: --data must be a folder with model_a1_1.txt", file=sys.stderr)
            return 2
        for name in names:
            row = measure(name, options, command)
            with DATA.open("a") as file:
                file.write(json.dumps(row) + "\n")
            print(f"{name}: {row['status']} {row['objective']}, {row['seconds']:.1f} s")
            write_page()
    write_page()
    return 0


def measure(name: str, options: argparse.Namespace, command: Sequence[str]) -> dict[str, Any]:
    """Solve one instance in a process of its own."""
    words = ["solve", str(options.data / f"model_{name}.txt"), "--format", "json"]
    words += ["--method", options.method, "--time-limit", str(options.time)]
    words += ["--workers", "1", "--seed", str(options.seed)]
    done = subprocess.run(
        [sys.executable, "-m", "cpsched", *words], cwd=ROOT, capture_output=True, text=True
    )
    if done.returncode != 0:
        raise RuntimeError(f"{name}: {done.stderr}")
    result = json.loads(done.stdout)
    shown = ["PATH" if word == str(options.data) else word for word in command]
    return {
        "instance": name,
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%MZ"),
        "command": f"python scripts/benchmark_reassignment.py {' '.join(shown)}",
        "machine": machine.describe(),
        "commit": machine.commit(),
        "note": options.note,
        "method": result["method"],
        "seed": result["seed"],
        "limit": options.time,
        "status": result["status"],
        "objective": result["objective"],
        "bound": result["bound"],
        "seconds": result["wall_time_s"],
        "trace": [
            [point["seconds"], point["objective"], point["source"]]
            for point in result["trace"]
            if point["objective"] is not None
        ],
    }


def write_page() -> None:
    """The page from the last run of each instance."""
    last = {}
    if DATA.exists():
        for line in DATA.read_text().splitlines():
            row = json.loads(line)
            last[row["instance"]] = row
    rows = [last[name] for name in REFERENCE if name in last]
    lines = [
        "| instance | cost | reference | over it | within 1 % | bound | status "
        "| limit, s | wall, s | within 1 % of own end after, s |",
        "| --- | ---: | ---: | ---: | --- | ---: | --- | ---: | ---: | ---: |",
    ]
    for row in rows:
        reference, cost = REFERENCE[row["instance"]], row["objective"]
        over = cost / reference - 1
        near = next(at for at, value, _ in row["trace"] if value <= 1.01 * cost)
        lines.append(
            f"| {row['instance']} | {cost:,} | {reference:,} | {100 * over:+.3f} % "
            f"| {'yes' if over <= 0.01 else '**no**'} | {row['bound']:,} | {row['status']} "
            f"| {row['limit']:g} | {row['seconds']:.1f} | {near:.1f} |"
        )
    lines += ["", "## Setting", ""]
    settings: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for row in rows:
        key = tuple(row[name] for name in ("command", "commit", "machine", "note"))
        settings.setdefault(key, []).append(row)
    for (command, commit, where, note), group in settings.items():
        names = ", ".join(row["instance"] for row in group)
        dates = sorted(row["date"] for row in group)
        lines.append(
            f"- {dates[0]} to {dates[-1]}: `{command}` ({names}), commit {commit}; {where}"
            f"{'; ' if note else ''}{note}"
        )
    PAGE.write_text(HEAD + "\n".join(lines) + "\n")


if __name__ == "__main__":
    sys.exit(main())
