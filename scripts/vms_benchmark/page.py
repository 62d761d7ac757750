"""The page: one table of rows, one of methods."""

from __future__ import annotations

from statistics import mean, median
from typing import TYPE_CHECKING, Any

from pods_benchmark.book import Lines

from .rows import OURS, ROWS

if TYPE_CHECKING:
    from pathlib import Path

_HEAD = """\
# VM rescheduling: proven plans, and how fast

Clusters come from `cpsched generate vms` (calibrated to the published moments; the published
mapping files are not public), seeds from 1000 on; the engine was tuned on seeds below 100. A
run's time is wall time from the text of the cluster to the checked plan: reading, model, proof,
choice of VMs, order, check; kernels are loaded. One core a run. "Slots proven" are runs whose
first stage, the whole slots, meets the bound; "all proven" those whose fewest moves and least cost
are proven as well. The gap is that of the worth of slots to its bound, in parts of the bound.

"""


def write(target: Path, folder: Path) -> None:
    """Write the page from the runs in *folder*."""
    books = {name: Lines(folder / f"vms-{name}.jsonl") for name in ROWS}
    lines = [
        _HEAD,
        "| clusters | asked | runs | slots proven | all proven | median s | worst s | worst gap |"
        " plans valid |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, row in ROWS.items():
        runs = [run for run in latest(books[name]) if run["method"] == OURS]
        if runs:
            lines.append(f"| {row.title} | {row.asked} | {_cells(runs)} |")
    lines += [
        "",
        "## Beside other methods",
        "",
        "FR-16 before, after (medians), seconds (median). plain-cpsat has 20 million pairs of VMs "
        "and places on Large and is not begun.",
        "",
        "| clusters | method | runs | before | after | seconds | all proven |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, row in ROWS.items():
        runs = latest(books[name])
        for method in (
            (*row.methods, *row.peers) if len({run["method"] for run in runs}) > 1 else ()
        ):
            mine = [run for run in runs if run["method"] == method]
            if mine:
                lines.append(f"| {row.title} | {method} | {_method(mine)} |")
    lines += _stream(folder)
    lines += ["", "## How it was made", ""]
    books["stream"] = Lines(folder / "vms-stream.jsonl")
    batches: dict[str, tuple[dict[str, Any], list[str]]] = {}
    for name, book in books.items():
        used = {run["batch"] for run in book.of("run")}
        for batch in book.of("batch"):
            if batch["id"] in used:
                batches.setdefault(batch["id"], (batch, []))[1].append(name)
    lines += [
        f"- {batch['date']}, {', '.join(names)}: `{batch['command']}`, commit {batch['commit']}; "
        f"{batch['machine']}"
        for batch, names in sorted(batches.values(), key=lambda entry: entry[0]["date"])
    ]
    target.write_text("\n".join(lines) + "\n")


def _stream(folder: Path) -> list[str]:
    """Slots gained over no migration, when VMs arrive and leave all the time."""
    runs = Lines(folder / "vms-stream.jsonl").of("run")
    slots = {(run["seed"], run["rate"], run["mode"]): run["slots"] for run in runs}
    if not slots:
        return []
    lines = [
        "",
        "## While VMs arrive and leave",
        "",
        "Medium, MNL 50, one migration a second for 60 s; as many VMs arrive as leave. Slots more "
        "than without migrations, mean of the clusters: of one plan made at the beginning, its "
        "stale steps left out, and of a new plan every second, of which the first step is made.",
        "",
        "| arrivals a second | clusters | one plan | a new plan every second |",
        "|---|---|---|---|",
    ]
    for rate in sorted({key[1] for key in slots}):
        seeds = sorted({key[0] for key in slots if key[1] == rate})
        more = [
            mean(slots[seed, rate, mode] - slots[seed, rate, "none"] for seed in seeds)
            for mode in ("static", "re-planned")
        ]
        lines.append(f"| {rate} | {len(seeds)} | {more[0]:.1f} | {more[1]:.1f} |")
    return lines


def latest(book: Lines) -> list[dict[str, Any]]:
    """Of each seed and method the run made last."""
    return list({(run["seed"], run["method"]): run for run in book.of("run")}.values())


def _cells(runs: list[dict[str, Any]]) -> str:
    seconds = [run["seconds"] for run in runs]
    gaps = [
        (run["worth_bound"] - run["worth"]) / max(1, run["worth_bound"])
        for run in runs
        if run["worth_bound"] is not None
    ]
    gap = f"{100 * max(gaps):.2f} %" if len(gaps) == len(runs) else "no bound"
    proven = sum(run["slots_proven"] for run in runs)
    whole = sum(run["status"] == "optimal" for run in runs)
    valid = sum(run["valid"] for run in runs)
    return (
        f"{len(runs)} | {proven} | {whole} | {median(seconds):.3f} | {max(seconds):.3f} | {gap} | "
        f"{valid} of {len(runs)}"
    )


def _method(runs: list[dict[str, Any]]) -> str:
    before = median(run["fr_before"][0] for run in runs)
    after = median(run["fr"][0] for run in runs)
    seconds = median(run["seconds"] for run in runs)
    proven = sum(run["status"] == "optimal" for run in runs)
    return f"{len(runs)} | {before:.4f} | {after:.4f} | {seconds:.3f} | {proven}"
