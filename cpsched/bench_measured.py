"""What a file of runs says about each method: gaps, times, shares, by set and size."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from statistics import fmean, median
from typing import TYPE_CHECKING, Any

from cpsched import families
from cpsched.result import Status
from cpsched.words import gap_to

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Measured:
    """The runs of one family, each under the label of its method.

    runs: per label, in the order of letters and numbers; references: per instance (by hash) the
    objective that gaps are to; by_found: instances whose reference is the best that these runs
    found, because the literature's is not known; superseded: earlier records of runs that are in
    the file again, left out.
    """

    family: str
    runs: dict[str, list[Record]]
    references: dict[str, int]
    by_found: frozenset[str]
    superseded: int

    @property
    def gaps(self) -> bool:
        """Whether a gap says how good a solution is."""
        return families.get(self.family).GAP

    @property
    def limit(self) -> float:
        """The longest time limit."""
        return max(float(run["time_limit_s"]) for runs in self.runs.values() for run in runs)

    def gap(self, run: Record) -> float | None:
        """Gap of a run's objective to its instance's reference."""
        return gap_to(run["objective"], self.references.get(run["instance_hash"]))


def measured(records: Iterable[Record]) -> list[Measured]:
    """The records by family, each as ``Measured``, in order of first appearance."""
    kinds: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        kinds[record["family"]].append(record)
    return [_measured(family, found) for family, found in kinds.items()]


def _measured(family: str, found: list[Record]) -> Measured:
    # The latest of each: an earlier one is of other versions.
    last = {_case(record): record for record in found}
    # Not in the file's order, which of runs side by side is that of their ends: equal runs shall
    # have equal tables, colours and bands.
    kept = sorted(last.values(), key=lambda run: [str(part) for part in _case(run)])
    known: dict[str, int] = {}
    best: dict[str, int] = {}
    for run in kept:
        instance = run["instance_hash"]
        if run.get("best_known") is not None:
            known[instance] = run["best_known"]
        if run["objective"] is not None:
            best[instance] = min(best.get(instance, run["objective"]), run["objective"])
    runs: dict[str, list[Record]] = defaultdict(list)
    for run, label in zip(kept, _labels(kept), strict=True):
        runs[label].append(run)
    return Measured(
        family,
        {label: runs[label] for label in sorted(runs, key=_natural)},
        {**best, **known},
        frozenset(best) - frozenset(known),
        len(found) - len(kept),
    )


def _natural(label: str) -> list[tuple[float, str]]:
    """Order of labels: ``policy:8`` before ``policy:128``, 1 s before 10 s."""
    parts = re.split(r"(\d+(?:\.\d+)?)", label)
    return [(float(part), "") if part[:1].isdigit() else (-1.0, part) for part in parts]


def _case(record: Record) -> tuple[Any, ...]:
    """What two records share that are of the same run, in whatever versions."""
    return (record["instance_hash"], *_method(record), record["seed"])


def _method(record: Record) -> tuple[Any, ...]:
    policy = record.get("learned")
    weights = None if policy is None else policy["weights"]
    return (record["method"], weights, float(record["time_limit_s"]), record["workers"])


def _labels(runs: Sequence[Record]) -> list[str]:
    """The method of each run, with what else tells methods of these runs apart."""
    varied = [set(column) for column in zip(*map(_method, runs), strict=True)]

    def label(run: Record) -> str:
        method, weights, limit, workers = _method(run)
        text = str(method)
        if len(varied[1]) > 1 and weights is not None:
            text += f" {weights}"
        if len(varied[2]) > 1:
            text += f" {limit:g} s"
        if len(varied[3]) > 1:
            text += f" x{workers}"
        return text

    return [label(run) for run in runs]


# -- statistics -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Statistics:
    """One method on one class of instances, over its runs.

    found, optimal: runs with a solution, with a proof; mean, median, worst: gap to the reference
    over the runs with a solution, None where gaps say nothing or there is none; bound: mean gap to
    the proven bound; seconds: mean of the runs' wall time; best_after: mean of the seconds after
    which the best was found; measures: means of what else the family measures.
    """

    group: str
    size: str
    method: str
    runs: int
    found: int
    optimal: int
    mean: float | None
    median: float | None
    worst: float | None
    bound: float | None
    seconds: float
    best_after: float | None
    measures: dict[str, float]


def statistics(data: Measured) -> list[Statistics]:
    """By set, size and method; then, if there are several sets or sizes, over all."""
    classes: dict[tuple[str, str], dict[str, list[Record]]] = {}
    for label, runs in data.runs.items():
        for run in runs:
            place = (run.get("set", "-"), run.get("size", "-"))
            classes.setdefault(place, {}).setdefault(label, []).append(run)
    rows = [
        _row(data, group, size, label, runs)
        for (group, size), methods in sorted(classes.items(), key=lambda item: _order(*item[0]))
        for label, runs in methods.items()
    ]
    if len(classes) > 1:
        rows += [_row(data, "all", "", label, runs) for label, runs in data.runs.items()]
    return rows


def _order(group: str, size: str) -> tuple[str, list[tuple[int, str]]]:
    """Sets by name, sizes by their numbers."""
    parts = "".join(one if one.isdigit() else " " for one in size).split()
    return (group, [(int(part), "") for part in parts] or [(0, size)])


def _row(data: Measured, group: str, size: str, label: str, runs: list[Record]) -> Statistics:
    gaps = [gap for gap in map(data.gap, runs) if gap is not None] if data.gaps else []
    return Statistics(
        group=group,
        size=size,
        method=label,
        runs=len(runs),
        found=sum(run["objective"] is not None for run in runs),
        optimal=sum(run["status"] == Status.OPTIMAL for run in runs),
        mean=fmean(gaps) if gaps else None,
        median=median(gaps) if gaps else None,
        worst=max(gaps, default=None),
        bound=_mean(run["gap"] for run in runs),
        seconds=fmean(run["wall_time_s"] for run in runs),
        best_after=_mean(first_within(run, run["objective"]) for run in runs),
        measures={
            name: mean
            for name in families.get(data.family).MEASURES
            if (mean := _mean(run.get("measures", {}).get(name) for run in runs)) is not None
        },
    )


def _mean(values: Iterable[float | None]) -> float | None:
    found = [value for value in values if value is not None]
    return fmean(found) if found else None


def first_within(run: Record, objective: float | None) -> float | None:
    """Seconds until *run* had *objective* or better; None if it never had."""
    if objective is None:
        return None
    for point in run["trace"]:
        if point["objective"] is not None and point["objective"] <= objective:
            return float(point["seconds"])
    return None
