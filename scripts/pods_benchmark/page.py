"""The page, made from the data files alone."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from . import verdicts
from .book import Book, Seeds
from .rows import OURS, PEER, ROWS, WHOLE, Row
from .scenarios import Cell

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

Run = dict[str, Any]

_HEAD = """\
# Pod packing: cpsched beside the default scheduler and a plain CP-SAT model

Made by `python scripts/benchmark_pods.py`, which runs what is missing and writes this page from
the runs in [data](data) (`pods-*.jsonl`); not edited by hand. `--help` says more.

Scenarios follow the law of "Priority Matters" (arXiv 2511.08373); the published figures are
theirs. `plain-cpsat` is the model which that paper describes, written anew for this comparison.
"""

_METHOD = """\
- A scenario starts as the simulated default scheduler (no preemption) leaves it. At 90 and 95 %
  only seeds with a pending pod count, as in the paper; fewer than wanted where 300 seeds had no
  more.
- *Better exists*: some run of any row and method found a placement that is better tier by tier.
  *None exists*: a bound of cpsched proves it. *Open*: neither; not part of the shares.
- A run has its cores to itself, in a resident process; ours and the peer's of a scenario run one
  after the other in the same process, first one, then the other first. The clock runs around the
  whole call: instance in, checked answer out. Compiling kernels is done before.
- The peer minimises the disruption of a tier before it places the next one, as described; cpsched
  places all tiers first. With several tiers, that alone can cost the peer pods.
- Pairwise, a run without an answer counts as the cluster left as it is, and a placement of the
  peer worse than that, too: nobody would apply it.
"""


def write(path: Path, data: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text(data))


def text(data: Path) -> str:
    books = {name: Book(data, name) for name in (*ROWS, *WHOLE)}
    runs = {name: book.latest() for name, book in books.items()}
    known = verdicts.truths(run for name in ROWS for run in runs[name])
    parts = [
        _HEAD,
        "## Summary\n",
        _summary(runs, known, Seeds(data)),
        _setting(books, runs),
        _METHOD,
    ]
    for row in ROWS.values():
        parts += [f"## {row.title}\n", _row(row, runs[row.name], known)]
    parts += ["## Large inputs, whole process\n", _whole(runs)]
    return "\n".join(part.rstrip("\n") + "\n" for part in parts)


def _table(head: Sequence[str], lines: Iterable[Sequence[object]]) -> str:
    rows = [[str(cell) for cell in line] for line in lines]
    rule = ["---"] + ["---:"] * (len(head) - 1)
    return "\n".join(f"| {' | '.join(line)} |" for line in [list(head), rule, *rows]) + "\n"


def _summary(
    runs: dict[str, list[Run]], known: dict[tuple[str, int], verdicts.Truth], seeds: Seeds
) -> str:
    lines: list[tuple[str, str, str, str, str]] = []

    def add(
        what: str, published: str, bar: str, figure: str | None, met: bool | None, whole: bool
    ) -> None:
        """whole: whether all runs of the row are there."""
        verdict = "not run" if figure is None else "met" if met else "**missed**"
        if figure is not None and not whole:
            verdict += ", incomplete"
        lines.append((what, published, bar, figure or "-", verdict))

    for name, published, bar in (("grid-1s", "44 %", 99.0), ("sample-10s", "73 %", 99.5)):
        count = verdicts.tally(_of(runs[name], OURS), known)
        peer = verdicts.tally(_of(runs[name], PEER), known)
        figure = None
        if count.share is not None:
            figure = f"{count.share:.1f} % of {count.better} ({count.opened} open)"
            if peer.share is not None:
                figure += f"; plain-cpsat {peer.share:.1f} %"
        what = f"default fails and a better placement exists: improved, {name}"
        met = count.share is not None and count.share >= bar
        add(what, published, f">= {bar} %", figure, met, _complete(name, runs, seeds))
    for name, published, bar in (
        ("proof-105-10s", "5 of 100 (another disruption metric)", 97),
        ("proof-105-1s", "1 of 96", 80),
        ("proof-90-1s", "47 of 100", 90),
    ):
        mine = _of(runs[name], OURS)
        proven = sum(run["status"] == "optimal" for run in mine)
        figure = f"{proven} of {len(mine)}" if mine else None
        met = bool(mine) and 100 * proven >= bar * len(mine)
        what = f"{ROWS[name].title}: all tiers and disruption proven"
        add(what, published, f">= {bar} of 100", figure, met, _complete(name, runs, seeds))
    large = _of(runs["large-10s"], OURS)
    whole = _complete("large-10s", runs, seeds)
    dead = sum(verdicts.unplaced(run) is None for run in large)
    peer_dead = sum(verdicts.unplaced(run) is None for run in _of(runs["large-10s"], PEER))
    figure = f"{dead} of {len(large)}; plain-cpsat {peer_dead}" if large else None
    add(f"{ROWS['large-10s'].title}: no answer", "many", "0", figure, not dead, whole)
    middle = verdicts.median(d for run in large if (d := verdicts.distance(run)) is not None)
    proven = sum(verdicts.proven_placement(run) for run in large)
    figure = (
        f"{middle:g} pods; placement proven {proven} of {len(large)}"
        if large and middle is not None
        else None
    )
    met = middle is not None and middle <= 3 and not dead
    add(f"{ROWS['large-10s'].title}: from the bound, median", "-", "<= 3", figure, met, whole)
    over = [
        run["wall"] / run["time_limit"] - 1
        for n in ROWS
        for run in _of(runs[n], OURS)
        if "wall" in run
    ]
    figure = f"at most {100 * max(over):+.1f} % ({len(over)} runs)" if over else None
    met = bool(over) and max(over) <= 0.05
    everything = all(_complete(name, runs, seeds) for name in ROWS)
    add(
        "budget kept: wall time over the limit",
        "up to 2x at 1 s",
        "<= 5 %",
        figure,
        met,
        everything,
    )
    for name in WHOLE:
        ours, fit = ({run["method"]: run for run in runs[name]}.get(m) for m in (OURS, "best-fit"))
        figure, met = None, False
        if ours and fit and "placed" in ours and "placed" in fit:
            # The trace may pack completely either way.
            better = ours["placed"] > fit["placed"] or (
                name == "openb" and ours["placed"] == fit["placed"]
            )
            figure = (
                f"{ours['wall']:.1f} s, {ours['peak_mb'] / 1000:.2f} GB; placed by tier "
                f"{ours['placed']} against {fit['placed']} of best fit"
            )
            met = better and (
                name != "snapshot" or (ours["wall"] <= 30 and ours["peak_mb"] < 4000)
            )
        what, bar = {
            "snapshot": (
                "5,000 nodes, 50,000 pods, 500 pending: read, solved, checked",
                "better than best fit, 30 s, 4 GB",
            ),
            "openb": ("openb trace, all pods pending", "packs; no worse than best fit"),
        }[name]
        add(what, "-", bar, figure, met, True)
    return _table(("what", "published", "bar", "here", ""), lines)


def _of(runs: Iterable[Run], method: str) -> list[Run]:
    return [run for run in runs if run["method"] == method]


def _complete(name: str, runs: dict[str, list[Run]], seeds: Seeds) -> bool:
    """Whether all runs are there; cells that are filtered may have fewer scenarios."""
    row = ROWS[name]
    count: dict[tuple[str, str], int] = defaultdict(int)
    for run in runs[name]:
        count[run["cell"], run["method"]] += 1
    return all(
        count[cell.name, method] >= seeds.available(cell, row.first, wanted)
        for cell, wanted in row.cells
        for method in row.methods
    )


def _setting(books: dict[str, Book], runs: dict[str, list[Run]]) -> str:
    batches: dict[str, Run] = {}
    for book in books.values():
        batches.update({entry["id"]: entry for entry in book.of("batch")})
    used = {run["batch"] for mine in runs.values() for run in mine}
    batches = {key: batch for key, batch in sorted(batches.items()) if key in used}
    lines = ["## Setting\n"]
    for batch in batches.values():
        count = sum(run["batch"] == batch["id"] for mine in runs.values() for run in mine)
        versions = ", ".join(f"{name} {number}" for name, number in batch["versions"].items())
        lines.append(
            f"- {batch['date']}, {count} runs: `{batch['command']}`, commit {batch['commit']}; "
            f"{batch['machine']}; {batch['layout']}; {versions}"
        )
    if not batches:
        lines.append("- nothing was run yet")
    return "\n".join(lines) + "\n"


def _row(row: Row, runs: list[Run], known: dict[tuple[str, int], verdicts.Truth]) -> str:
    if not runs:
        return "Not run yet.\n"
    head = (
        "method", "runs", "better exists", "improved", "share", "none exists", "open",
        "no answer", "optimal", "median wall", "99 % wall", "longest",
    )  # fmt: skip
    lines = []
    for method in row.methods:
        count = verdicts.tally(_of(runs, method), known)
        if count.runs:
            walls = count.walls or [float("nan")]
            lines.append(
                (
                    method,
                    count.runs,
                    count.better,
                    count.improved,
                    "-" if count.share is None else f"{count.share:.1f} %",
                    count.none,
                    count.opened,
                    count.no_answer,
                    count.optimal,
                    f"{verdicts.median(walls):.2f} s",
                    f"{verdicts.quantile(walls, 0.99):.2f} s",
                    f"{max(walls):.2f} s",
                )
            )
    parts = [_table(head, lines)]
    wanted = sum(count for _, count in row.cells)
    have = len({(run["cell"], run["seed"]) for run in runs})
    parts.append(f"{have} scenarios; {wanted} were wanted.\n")
    if len(row.methods) > 1:
        pair = verdicts.pairs(runs)
        parts.append(
            f"Pairwise, by placement: cpsched better {pair['better']}, equal {pair['equal']}, "
            f"worse {pair['worse']}.\n"
        )
        parts.append(_by_size(row, runs, known))
    mine = _of(runs, OURS)
    proven = sum(verdicts.proven_placement(run) for run in mine)
    parts.append(f"cpsched: all placement tiers proven in {proven} of {len(mine)} runs.\n")
    over = [run["wall"] / run["time_limit"] - 1 for run in mine if "wall" in run]
    if over:
        shares = ", ".join(
            f"{label} {100 * verdicts.quantile(over, share):+.1f} %"
            for label, share in (("median", 0.5), ("90 %", 0.9), ("99 %", 0.99), ("worst", 1.0))
        )
        parts.append(f"Wall time against the limit: {shares}.\n")
    return "\n".join(parts)


def _by_size(row: Row, runs: list[Run], known: dict[tuple[str, int], verdicts.Truth]) -> str:
    """Shares improved, and pairs, for each number of nodes and pods and each utilisation."""
    lines = []
    groups: dict[tuple[int, int, int], list[Run]] = defaultdict(list)
    for run in runs:
        cell = Cell.of(run["cell"])
        groups[cell.nodes, cell.pods, cell.utilisation].append(run)
    for (nodes, pods, utilisation), group in sorted(groups.items()):
        cells: list[object] = [f"{nodes} nodes, {pods} pods, {utilisation} %"]
        for method in row.methods:
            count = verdicts.tally(_of(group, method), known)
            cells += [f"{count.improved} of {count.better}", count.optimal]
        pair = verdicts.pairs(group)
        cells.append(f"{pair['better']} / {pair['equal']} / {pair['worse']}")
        lines.append(cells)
    head = ["size"]
    for method in row.methods:
        head += [f"{method} improved", "optimal"]
    return _table([*head, "better / equal / worse"], lines)


def _whole(runs: dict[str, list[Run]]) -> str:
    parts = []
    for name in WHOLE:
        if not runs[name]:
            parts.append(f"{name}: not run yet.\n")
            continue
        lines = [
            (
                name, run["method"], f"{run['time_limit']:g} s", run["status"],
                f"{run.get('wall', float('nan')):.1f} s", f"{run.get('peak_mb', 0) / 1000:.2f} GB",
                run.get("placed_before"), run.get("placed"), run.get("moved"), run.get("evicted"),
                "; ".join(run.get("problems", ())),
            )
            for run in runs[name]
        ]  # fmt: skip
        head = ("input", "method", "limit", "status", "wall", "memory", "placed before", "placed",
                "moved", "evicted", "problems")  # fmt: skip
        parts.append(_table(head, lines))
    return "\n".join(parts)
