"""The page: summary, setting, one section per row; Markdown, made from the runs alone."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from .environments import version_of
from .judge import MARKS
from .outcome import Outcome
from .rows import OURS, PEERS, ROWS, TUNED_ON, Row
from .runs import Book
from .shops import set_of
from .verdicts import overrun_ratio, percent, verdicts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from .runs import Run

_INTRO = """\
# Job shop: cpsched beside its peers

Made by `python scripts/benchmark_jobshop.py`, which runs what is missing and writes this page
from the runs in [data](data); not edited by hand. `--help` and `--dry-run` say more.

Gap = 100 x (makespan / best known - 1), best known from the shipped list (`cpsched instances
list`), in percent; means are over all instances and seeds alike.
"""

_METHOD = """\
- Every solver gets the same cores (`--workers`) and the same wall time, model building from the
  parsed instance included, and runs alone: never two at a time. The solvers of one command
  below take turns on each instance, a different one first each time; cpsched and its peers often
  ran in different commands on the same machine, hours or days apart.
- Each solver is a warm process in its own environment (imports, kernels and one throw-away solve
  are done before). The clock runs around the whole solve call, until the schedule is read out.
- CP-SAT alone gets its limit less the time of building the model. PyJobShop and job-shop-lib
  build theirs inside their own `solve`; that part is *not* taken off their limit, so they get
  a little more than cpsched: the wall time in the tables is what they took.
- Every schedule is checked against the instance (`cpsched.checking.check`) and its makespan
  recomputed; a claim of optimality counts if its bound meets it and contradicts nothing known.
- A run without an answer after twice its limit and 30 s is killed and counts as *no answer*.
  Runs without a schedule have no gap: means leave them out and say how many they are.
"""


def write(path: Path, data: Path, rows: Sequence[Row], workers: int) -> None:
    """Write the page for *rows* from the runs in *data* that used *workers*."""
    books = {row.name: Book(data, row.name) for row in rows}
    outcomes = {row.name: Outcome(row, books[row.name].latest(workers)) for row in rows}
    parts = [_INTRO]
    if set(outcomes) >= set(ROWS):
        parts += ["## Summary\n", _summary(outcomes)]
    parts += ["## Setting\n", _setting(books, outcomes, workers), _METHOD]
    for outcome in outcomes.values():
        parts += [f"## {outcome.row.title}\n", *_section(outcome)]
    parts += ["## Budget\n", _budget(outcomes)]
    problems = _problems(outcomes)
    if problems:
        parts += ["## Found wrong by the harness\n", problems]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(parts))


def _summary(outcomes: Mapping[str, Outcome]) -> str:
    return _table(
        ("what", "reference", "bar", "here", ""),
        [
            (line.what, line.reference, line.bar, line.here, line.word)
            for line in verdicts(outcomes)
        ],
        left=5,
    )


def _setting(books: Mapping[str, Book], outcomes: Mapping[str, Outcome], workers: int) -> str:
    runs = [run for outcome in outcomes.values() for run in outcome.runs]
    used = {run.batch for run in runs}
    batches = {
        batch.id: batch
        for book in books.values()
        for batch in book.batches.values()
        if batch.id in used
    }
    dates = sorted({batch.date[:10] for batch in batches.values()})
    lines = [f"- {len(runs)} runs, {workers} workers each"]
    if dates:
        lines[0] += f", {dates[0]}" + (f" to {dates[-1]}" if len(dates) > 1 else "")
    lines += [f"- machine: {text}" for text in sorted({s.machine for s in batches.values()})]
    lines += [f"- command: `{text}`" for text in sorted({s.command for s in batches.values()})]
    for solver in (OURS, *PEERS):
        theirs = [run for run in runs if run.solver == solver]
        versions = sorted({run.version for run in theirs}) or [version_of(solver)]
        text = f"- {solver} {', '.join(versions)}: {len(theirs)} runs"
        commits = sorted({run.commit for run in theirs if run.commit})
        if commits:
            text += f", commit {', '.join(commits)}"
        lines.append(text + _seeds(theirs))
    sets = sorted(
        {set_of(name) for outcome in outcomes.values() for name in outcome.row.instances}
    )
    rest = [name for name in sets if name not in TUNED_ON]
    lines.append(
        f"- parameters were chosen on {' and '.join(TUNED_ON)}; not on {', '.join(rest)}, but "
        "for how the search grows beyond 1,000 operations, which was chosen on other instances "
        "of the uniform law (seeds 1 to 3)"
    )
    lines += _disturbance(runs)
    return "\n".join(lines) + "\n"


def _seeds(runs: Sequence[Run]) -> str:
    seeds = sorted({run.seed for run in runs})
    return f", seeds {', '.join(map(str, seeds))}" if seeds else ""


def _disturbance(runs: Sequence[Run]) -> list[str]:
    shares = [
        run.others_cpu / run.wall_time
        for run in runs
        if run.others_cpu is not None and run.wall_time is not None and run.wall_time >= 0.5
    ]
    if not shares:
        return []
    disturbed = sum(share > 0.1 for share in shares)
    return [
        f"- other processes used {statistics.fmean(shares):.2f} cores on average while a solver "
        f"ran, more than a tenth of a core in {disturbed} of {len(shares)} runs"
    ]


def _section(outcome: Outcome) -> list[str]:
    row = outcome.row
    parts = []
    if row.reference != "-":
        parts.append(f"Reference: {row.reference}.\n")
    if row.note:
        parts.append(f"{row.note}\n")
    if not outcome.runs:
        return [*parts, "Not run yet.\n"]
    if outcome.missing:
        parts.append(f"**Incomplete**: {outcome.missing} runs of cpsched are still to be made.\n")
    parts.append(_by_solver(outcome))
    if row.name == "small-proof":
        parts.append(_proofs_by_class(outcome))
    elif row.name.startswith("large-"):
        parts.append(_by_run(outcome))
    else:
        parts.append(_gaps_by_class(outcome))
    if any(run.trace and row.name.startswith("large-") for run in outcome.of(OURS)):
        parts.append(_progress(outcome))
    return parts


def _by_solver(outcome: Outcome) -> str:
    """One line per solver; ours again on the instances all have, if those are fewer."""
    shared = outcome.shared
    groups = [(OURS, outcome.of(OURS))]
    if outcome.peers and len(shared) < len({run.instance for run in outcome.of(OURS)}):
        groups.append((f"{OURS}, on {len(shared)}", outcome.of(OURS, shared)))
    groups += [(solver, outcome.of(solver)) for solver in outcome.peers]
    header = ["solver", "instances", "runs", "mean gap", "median", "worst", "proven optimal"]
    header += ["no schedule", "mean time", "longest", "cores used"]
    lines = []
    for name, runs in groups:
        if not runs:
            continue
        gaps = outcome.gaps(runs)
        times = [run.wall_time for run in runs if run.wall_time is not None]
        cpu = sum(run.cpu_time or 0.0 for run in runs)
        lines.append(
            (
                name,
                str(len({run.instance for run in runs})),
                str(len(runs)),
                percent(gaps.mean),
                percent(gaps.median),
                percent(gaps.worst),
                str(sum(run.proven for run in runs)),
                str(sum(run.objective is None for run in runs)),
                f"{statistics.fmean(times):.2f} s" if times else "-",
                f"{max(times):.2f} s" if times else "-",
                f"{cpu / sum(times):.2f}" if sum(times) else "-",
            )
        )
    return _table(header, lines)


def _gaps_by_class(outcome: Outcome) -> str:
    """Mean gaps by class: ours on all, then every solver on what all have run on."""
    shared = outcome.shared
    side_by_side = outcome.solvers if outcome.peers else []
    header = ["class", f"{OURS}, all"]
    header += [f"{solver}, {len(shared)} instances" for solver in side_by_side]
    lines = []
    for name, instances in outcome.classes(outcome.row.instances).items():
        common = [instance for instance in instances if instance in shared]
        cells = [_gap_cell(outcome, OURS, instances)]
        cells += [_gap_cell(outcome, solver, common) for solver in side_by_side]
        lines.append((name, *cells))
    return "Mean gap by class:\n\n" + _table(tuple(header), lines)


def _gap_cell(outcome: Outcome, solver: str, instances: Iterable[str]) -> str:
    gaps = outcome.gaps(outcome.of(solver, instances))
    if not gaps.missing:
        return percent(gaps.mean)
    return f"{percent(gaps.mean)} ({gaps.missing} of {gaps.missing + len(gaps.values)} none)"


def _proofs_by_class(outcome: Outcome) -> str:
    lines = []
    for name, instances in outcome.classes(outcome.row.instances).items():
        cells = []
        for solver in outcome.solvers:
            runs = outcome.of(solver, instances)
            cells.append(f"{sum(run.proven for run in runs)} of {len(runs)}" if runs else "-")
        lines.append((name, *cells))
    text = "Proven optimal, runs by class:\n\n" + _table(("class", *outcome.solvers), lines)
    for solver in outcome.solvers:
        open_ones = sorted({run.instance for run in outcome.of(solver) if not run.proven})
        text += f"\nNot proven by {solver}: {', '.join(open_ones) or 'none'}.\n"
    return text


def _by_run(outcome: Outcome) -> str:
    lines = []
    for instance in outcome.row.instances:
        for solver in outcome.solvers:
            for run in outcome.of(solver, [instance]):
                lines.append(
                    (
                        instance,
                        solver,
                        str(run.seed),
                        run.status,
                        str(run.objective or "-"),
                        str(run.bound or "-"),
                        percent(outcome.gaps([run]).mean),
                        "-" if run.wall_time is None else f"{run.wall_time:.2f} s",
                        "-" if run.process_time is None else f"{run.process_time:.2f} s",
                        "-" if run.peak_rss_mb is None else f"{run.peak_rss_mb / 1000:.2f} GB",
                    )
                )
    header = ["instance", "solver", "seed", "status", "makespan", "own bound", "gap"]
    header += ["wall time", "whole process", "peak memory"]
    return _table(header, lines, left=2)


def _progress(outcome: Outcome) -> str:
    marks = [f"at {mark * outcome.row.time_limit:g} s" for mark in MARKS]
    lines = [
        (
            run.instance,
            str(run.seed),
            f"{run.trace['first']:.2f} s",
            *(str(value or "-") for value in run.trace["at"]),
            str(run.trace["improvements"]),
            f"{run.trace['last']:.2f} s",
        )
        for run in outcome.of(OURS)
        if run.trace
    ]
    header = ("instance", "seed", "first schedule", *marks, "improvements", "last one")
    return f"Progress of {OURS}, seconds since the start of the solve:\n\n" + _table(header, lines)


def _budget(outcomes: Mapping[str, Outcome]) -> str:
    """Overrun of every solver by limit; the bar is for ours."""
    lines = []
    limits = sorted({outcome.row.time_limit for outcome in outcomes.values()})
    for limit in limits:
        for solver in (OURS, *PEERS):
            timed = [
                run
                for outcome in outcomes.values()
                for run in outcome.of(solver)
                if run.time_limit == limit and run.wall_time is not None
            ]
            if timed:
                worst = max(timed, key=overrun_ratio)
                over = (worst.wall_time or 0.0) - limit
                late = sum(overrun_ratio(run) > 1 for run in timed)
                line = (f"{limit:g} s", solver, str(len(timed)), f"{over:+.3f} s")
                lines.append((*line, f"{overrun_ratio(worst):.3f}", worst.instance, str(late)))
    if not lines:
        return "Not run yet.\n"
    header = ("limit", "solver", "runs", "longest, over the limit", "of limit x 1.05 + 0.3 s")
    return _table((*header, "on", "late"), lines)


def _problems(outcomes: Mapping[str, Outcome]) -> str:
    lines = [
        f"- {run.solver} {run.version}, {run.instance}, {run.time_limit:g} s, seed {run.seed}: "
        f"{run.status}; {problem}"
        for outcome in outcomes.values()
        for run in outcome.runs
        for problem in run.problems
    ]
    return "\n".join(lines) + "\n" if lines else ""


def _table(header: Sequence[str], lines: Iterable[Sequence[str]], left: int = 1) -> str:
    """Markdown table, the first *left* columns left-aligned."""
    rule = ["---" if column < left else "---:" for column in range(len(header))]
    rows = [header, rule, *lines]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows) + "\n"
