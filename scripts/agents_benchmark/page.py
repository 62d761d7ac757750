"""The page: every number from the file of runs and from the published makespans."""

from __future__ import annotations

import csv
import json
from statistics import fmean, median
from typing import TYPE_CHECKING, Any

from cpsched import families
from cpsched.bench import fingerprint
from cpsched.instances import library
from cpsched.learned import is_learned, settled
from cpsched.pods.instance import Cluster
from cpsched.pods.objective import digits
from cpsched.words import gap_to, percent

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from cpsched.bench import Record, Run

    from .rows import Goal, Row

HEAD = """\
# Agents: learned methods beside rules, search and exact solvers

Made by `python scripts/benchmark_agents.py`, which adds its runs to [data](data/agents.jsonl) and
writes this page; not edited by hand. One thread a run. Training instances are generated, none of
these; seeds of pods and VMs start at 2,000,000. A run is counted under the newest versions that
made it.

*gap*: (makespan - best known) / best known, mean over the instances, the best known being those of
`cpsched instances list`. *Published* rows are the authors' makespans, held against the same best
known values: [data](data/agents-published.csv), from the workbook of Corsini et al.,
"Self-labeling the job shop scheduling problem" (NeurIPS 2024; repository
AndreaCorsini1/SelfLabelingJobShop at 2168f85, `output/Results.xlsx`). SPN is their pointer
network, L2D that of Zhang et al. (2020) as they ran it; times are on their machines and not
compared. *Decisions a second*: decisions of a solution times samples over the wall time, loading
of weights included.

"""


_Pair = tuple[str, float]


def write(path: Path, rows: Sequence[Row], records: Sequence[Record], published: Path) -> None:
    """Write the page of *rows* from *records* to *path*."""
    last = {_key(record): record for record in records}
    table = _published(published)
    lines = [_status(rows, last), ""]
    for row in rows:
        lines += [f"## {row.title}", "", *_row(row, last, table), ""]
    lines += ["## Training", "", *_training(published.parent / "training"), ""]
    lines += ["## Setting", "", *_setting(records)]
    path.write_text(HEAD + "\n".join(lines).rstrip() + "\n")


#: Learning curves by file in data/training, and how they were made.
_CURVES = {
    "jobshop-score": "job shop, small score, evolution, two cores",
    "jobshop-imitation": "job shop, graph network, imitation, one core",
    "jobshop-self-labelling": "job shop, graph network, self-labelling, one core",
    "jobshop-ppo": "job shop, graph network, PPO, one core",
    "jobshop-graph": "job shop, graph network that is shipped: self-labelling, from the one above",
    "pods-score": "pods, small score, evolution, two cores",
    "pods-imitation": "pods, graph network, imitation, one core",
    "pods-graph": "pods, graph network: self-labelling, from the one above",
    "vms-score": "VMs, small score, evolution, two cores",
}


def _training(folder: Path) -> list[str]:
    """Learning curves: gaps on the validation instances, never those of the rows above."""
    heads = ["run", "seconds", "updates", "first gap", "gap at 600 s", "best gap", "best sampled"]
    lines = [
        "Gap on the validation instances in per cent: of job shops to tabu search or `auto` for "
        "half a second, of VMs the fragment rate over that of `auto`, of pods a weighted share of "
        "pods without a place over that of `auto`. *At 600 s*: the least until then. The first "
        "four curves of the job shop are what each way of training brings for equal time, though "
        "not on equal cores: two or three of these runs shared two cores, and evolution had both.",
        "",
        _line(heads),
        _line(["---", *["--:"] * (len(heads) - 1)]),
    ]
    for name, title in _CURVES.items():
        path = folder / f"{name}.jsonl"
        if not path.exists():
            continue
        curve = [json.loads(line) for line in path.read_text().splitlines()]
        early = [line["gap"] for line in curve if line["seconds"] <= 620]
        cells = [
            f"[{title}](data/training/{path.name})",
            f"{curve[-1]['seconds']:.0f}",
            f"{curve[-1]['update']:.0f}",
            f"{curve[0]['gap']:.2f}",
            f"{min(early):.2f}" if early else "-",
            f"{min(line['gap'] for line in curve):.2f}",
            f"{min(line['gap_sampled'] for line in curve):.2f}",
        ]
        lines.append(_line(cells))
    lines += ["", "![Learning curves of job shops](../images/training-jobshop.svg)"]
    lines += ["", "![Learning curves of pods and VMs](../images/training-placement.svg)"]
    return lines


def _key(record: Record) -> tuple[Any, ...]:
    return (
        record["instance_hash"],
        record["method"],
        float(record["time_limit_s"]),
        record["workers"],
        record["seed"],
        (record.get("learned") or {}).get("weights"),
    )


def _found(run: Run, last: dict[tuple[Any, ...], Record]) -> Record | None:
    limits = run.limits
    key = (fingerprint(run.case.instance), run.method, float(limits.time_limit), limits.workers)
    weights = None
    if is_learned(run.method):
        family = run.case.instance.family
        weights = settled(run.method, run.inference, family)[1].weights
    return last.get((*key, limits.seed, weights))


def _status(rows: Sequence[Row], last: dict[tuple[Any, ...], Record]) -> str:
    parts = []
    for row in rows:
        runs = row.runs()
        done = sum(_found(run, last) is not None for run in runs)
        if done < len(runs):
            parts.append(f"{row.name} {done} of {len(runs)}")
    return f"Runs that are missing: {', '.join(parts)}." if parts else "All runs are there."


def _row(
    row: Row, last: dict[tuple[Any, ...], Record], published: dict[str, dict[str, int]]
) -> list[str]:
    done = [(run, record) for run in row.runs() if (record := _found(run, last)) is not None]
    if not done:
        return ["Not run yet."]
    family = families.of(done[0][0].case.instance)
    lines = _shops(row, done, published) if family.GAP else _placements(row, done)
    if row.note:
        lines += ["", row.note]
    return lines


def _label(row: Row, run: Run) -> str:
    limit = f", {run.limits.time_limit:g} s" if len(row.limits) > 1 else ""
    return f"{run.method}{limit}"


def _by_label(row: Row, done: Sequence[tuple[Run, Record]]) -> dict[str, list[tuple[Run, Record]]]:
    grouped: dict[str, list[tuple[Run, Record]]] = {}
    order = [f"{method}" for method in row.methods]
    for run, record in sorted(
        done, key=lambda one: (one[0].limits.time_limit, order.index(one[0].method))
    ):
        grouped.setdefault(_label(row, run), []).append((run, record))
    return grouped


def _shops(
    row: Row, done: Sequence[tuple[Run, Record]], published: dict[str, dict[str, int]]
) -> list[str]:
    size = families.get("jobshop").size
    cases = row.cases()
    sizes = list(dict.fromkeys(size(case.instance) for case in cases))
    heads = ["method", *sizes, "all", "median", "worst", "ms", "decisions/s", "instances"]
    lines = [_line(heads), _line(["---", *["--:"] * (len(heads) - 1)])]
    for label, runs in _by_label(row, done).items():
        gaps: dict[str, list[float]] = {}
        for run, record in runs:
            gap = gap_to(record["objective"], run.case.best_known)
            if gap is not None:
                gaps.setdefault(size(run.case.instance), []).append(gap)
        every = [gap for found in gaps.values() for gap in found]
        cells = [_mean(gaps.get(one, [])) for one in sizes]
        seconds = fmean(record["wall_time_s"] for _, record in runs)
        middle = percent(median(every) if every else None, 1)
        worst = percent(max(every, default=None), 1)
        numbers = [f"**{_mean(every)}**", middle, worst, f"{1000 * seconds:.1f}", _rate(runs)]
        lines.append(_line([label, *cells, *numbers, str(len(runs))]))
    for method in row.published:
        known = published.get(method, {})
        held = {
            case.instance.name: gap_to(known[case.instance.name], case.best_known)
            for case in cases
            if case.instance.name in known
        }
        groups = [
            [held[case.instance.name] for case in cases
             if size(case.instance) == one and case.instance.name in held]
            for one in sizes
        ]  # fmt: skip
        every = [gap for group in groups for gap in group if gap is not None]
        if every:
            means = [_mean([gap for gap in group if gap is not None]) for group in groups]
            lines.append(
                _line(
                    [f"*published: {method}*", *means, _mean(every), percent(median(every), 1),
                     percent(max(every), 1), "", "", str(len(every))]
                )
            )  # fmt: skip
    if row.goals:
        lines += ["", *(_verdict(row, goal, done) for goal in row.goals)]
    return lines


def _verdict(row: Row, goal: Goal, done: Sequence[tuple[Run, Record]]) -> str:
    mine = [(run, record) for run, record in done if run.method == goal.method]
    gaps = [gap_to(record["objective"], run.case.best_known) for run, record in mine]
    every = [gap for gap in gaps if gap is not None]
    head = f"- {goal.method}: must {percent(goal.must, 1)}, goal {percent(goal.goal, 1)}"
    if len(every) < len(row.cases()):
        return f"{head}; open, {len(every)} of {len(row.cases())} instances are run"
    mean = fmean(every)
    reached = (
        "goal met" if mean <= goal.goal else "must met" if mean <= goal.must else "**missed**"
    )
    return f"{head}; {percent(mean)}: {reached}"


def _rate(runs: Sequence[tuple[Run, Record]]) -> str:
    """Decisions a second of a policy; empty for other methods."""
    name, _, samples = runs[0][0].method.partition(":")
    if name != "policy":
        return ""
    items = sum(families.of(run.case.instance).items(run.case.instance) for run, _ in runs)
    seconds = sum(record["wall_time_s"] for _, record in runs)
    return f"{items * int(samples or 1) / seconds:,.0f}"


def _placements(row: Row, done: Sequence[tuple[Run, Record]]) -> list[str]:
    family = families.of(done[0][0].case.instance)
    base = {_pair(run, record): record for run, record in done if run.method == row.against}
    versus = ["better", "same", "worse", "over it"]
    heads = ["method", *family.MEASURES, "proven optimal", *versus, "ms", "decisions/s", "runs"]
    lines = [_line(heads), _line(["---", *["--:"] * (len(heads) - 1)])]
    for label, runs in _by_label(row, done).items():
        measures = [
            [record["measures"][name] for _, record in runs if name in record["measures"]]
            for name in family.MEASURES
        ]
        optimal = sum(record["status"] == "optimal" for _, record in runs) / len(runs)
        pairs = [
            (record["objective"], base[_pair(run, record)]["objective"])
            for run, record in runs
            if run.method != row.against and _pair(run, record) in base
        ]
        pairs = [(_rank(mine), _rank(other)) for mine, other in pairs]
        counts = [
            sum(mine < other for mine, other in pairs),
            sum(mine == other for mine, other in pairs),
            sum(mine > other for mine, other in pairs),
        ]
        seconds = fmean(record["wall_time_s"] for _, record in runs)
        lines.append(
            _line(
                [label, *(f"{fmean(found):.2f}" if found else "-" for found in measures),
                 percent(optimal, 0),
                 *([percent(one / len(pairs), 0) for one in counts] if pairs else ["", "", ""]),
                 _over(row, runs, base),
                 f"{1000 * seconds:.1f}", _rate(runs), str(len(runs))]
            )
        )  # fmt: skip
    lines += [
        "",
        f"better, same, worse: than {row.against} on the same instance within the same limit, all "
        f"stages of the objective compared in order; over it: {row.measure} over that of "
        f"{row.against}, both summed over the instances, less one.",
    ]
    if family.INSTANCE is Cluster:
        lines += ["", *_tiers(row, done)]
    return lines


def _rank(objective: int | None) -> tuple[bool, int]:
    """Of an objective; having none is worst."""
    return objective is None, objective or 0


def _tiers(row: Row, done: Sequence[tuple[Run, Record]]) -> list[str]:
    """Mean number of pods without a place in each priority, by number of priorities."""
    found: dict[tuple[int, str], list[list[int]]] = {}
    for label, runs in _by_label(row, done).items():
        for run, record in runs:
            cluster = run.case.instance
            count = len(cluster.tiers)
            values = digits(cluster, record["objective"])[:count]
            found.setdefault((count, label), []).append(list(values))
    most = max(count for count, _ in found)
    heads = [
        "priorities",
        "method",
        *(f"unplaced, {_RANKS[rank]}" for rank in range(most)),
        "runs",
    ]
    lines = [_line(heads), _line(["--:", "---", *["--:"] * (most + 1)])]
    for (count, label), each in sorted(found.items(), key=lambda one: one[0][0]):
        means = [f"{fmean(column):.3f}" for column in zip(*each, strict=True)]
        lines.append(_line([str(count), label, *means, *[""] * (most - count), str(len(each))]))
    return lines


#: Priorities, the most important first; the grid has four at most.
_RANKS = ("highest", "second", "third", "fourth")


def _over(row: Row, runs: Sequence[tuple[Run, Record]], base: dict[_Pair, Record]) -> str:
    """How far the measure of *runs* is above that of the method they are compared with."""
    pairs = [
        (record["measures"][row.measure], base[_pair(run, record)]["measures"][row.measure])
        for run, record in runs
        if run.method != row.against and _pair(run, record) in base
    ]
    other = sum(theirs for _, theirs in pairs)
    return f"{100 * (sum(mine for mine, _ in pairs) / other - 1):+.2f} %" if other else "-"


def _pair(run: Run, record: Record) -> _Pair:
    return (record["instance_hash"], run.limits.time_limit)


def _published(path: Path) -> dict[str, dict[str, int]]:
    """Makespans by method and instance; ValueError for an instance that is not shipped."""
    table: dict[str, dict[str, int]] = {}
    names = set(library.names())
    with path.open(encoding="utf-8") as file:
        for line in csv.DictReader(file):
            if line["instance"] not in names:
                raise ValueError(f"{path.name}: unknown instance {line['instance']}")
            table.setdefault(line["method"], {})[line["instance"]] = int(line["makespan"])
    return table


def _setting(records: Sequence[Record]) -> list[str]:
    groups: dict[tuple[str, ...], list[str]] = {}
    for record in records:
        conditions = record["conditions"]
        key = (
            conditions["command"],
            conditions["commit"],
            conditions["machine"],
            ", ".join(f"{name} {version}" for name, version in record["versions"].items()),
        )
        groups.setdefault(key, []).append(conditions["started"])
    return [
        f"- {min(times)} to {max(times)}: `{command}`, {len(times)} runs, commit {commit}; "
        f"{machine}; {versions}"
        for (command, commit, machine, versions), times in groups.items()
    ] or ["No run yet."]


def _mean(values: Iterable[float]) -> str:
    found = list(values)
    return percent(fmean(found), 1) if found else "-"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
