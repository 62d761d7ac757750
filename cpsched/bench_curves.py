"""What a file of runs says: statistics, performance profiles, and gaps over time.

Profiles are those of Dolan and Moré (2002), "Benchmarking optimization software with performance
profiles", Mathematical Programming 91: the share of runs within a factor of the best.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass
from statistics import fmean, median
from typing import TYPE_CHECKING, Any

import numpy as np

from cpsched import families
from cpsched.plot.curves import Curve
from cpsched.result import Status
from cpsched.words import gap_to

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import numpy.typing as npt

    Record = Mapping[str, Any]
    FloatArray = npt.NDArray[np.float64]

#: Seconds below which two times are not told apart.
CLOCK = 1e-3
#: Resamples of the instances for a band, and the share of them inside it.
RESAMPLES, CONFIDENCE = 1000, 0.95
#: Fewest instances that are resampled: of fewer, a band says nothing.
_FEWEST = 5


@dataclass(frozen=True, slots=True)
class Measured:
    """The runs of one family, each under the label of its method.

    runs: per label, in order of first appearance; references: per instance (by hash) the
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
    kept = list(last.values())
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
        dict(runs),
        {**best, **known},
        frozenset(best) - frozenset(known),
        len(found) - len(kept),
    )


def _case(record: Record) -> tuple[Any, ...]:
    """What two records share that are of the same run, in whatever versions."""
    return (record["instance_hash"], *_method(record), record["seed"])


def _method(record: Record) -> tuple[Any, ...]:
    policy = record.get("policy")
    weights = policy.get("weights") if isinstance(policy, dict) else None
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
        best_after=_mean(_first(run, run["objective"]) for run in runs),
        measures={
            name: mean
            for name in families.get(data.family).MEASURES
            if (mean := _mean(run.get("measures", {}).get(name) for run in runs)) is not None
        },
    )


def _mean(values: Iterable[float | None]) -> float | None:
    found = [value for value in values if value is not None]
    return fmean(found) if found else None


def _first(run: Record, objective: float | None) -> float | None:
    """Seconds until *run* had *objective* or better; None if it never had."""
    if objective is None:
        return None
    for point in run["trace"]:
        if point["objective"] is not None and point["objective"] <= objective:
            return float(point["seconds"])
    return None


# -- curves ---------------------------------------------------------------------------------------


def quality_profiles(data: Measured) -> list[Curve]:
    """Share of a method's runs whose objective is within a share x above the best.

    The best: of all methods' runs on that instance. A run without a solution is within none.
    """
    best: dict[str, int] = {}
    for run in _all(data):
        if run["objective"] is not None:
            instance = run["instance_hash"]
            best[instance] = min(best.get(instance, run["objective"]), run["objective"])

    def excess(run: Record) -> float:
        least = best.get(run["instance_hash"])
        if run["objective"] is None or least is None:
            return float("inf")
        if run["objective"] == least:
            return 0.0
        return (run["objective"] - least) / least if least > 0 else float("inf")

    return _profiles(data, excess, start=0.0)


def time_profiles(data: Measured, target: float) -> list[Curve]:
    """Share of a method's runs that came within *target* of the reference, by time.

    Time: as a multiple of what the fastest run of any method took on that instance; ``CLOCK`` and
    less are the same. A run that never came there is within no multiple.
    """
    fastest: dict[str, float] = {}
    for run in _all(data):
        seconds = _reached(data, run, target)
        instance = run["instance_hash"]
        fastest[instance] = min(fastest.get(instance, float("inf")), seconds)

    def ratio(run: Record) -> float:
        seconds = _reached(data, run, target)
        return seconds / fastest[run["instance_hash"]] if seconds < float("inf") else seconds

    return _profiles(data, ratio, start=1.0)


def _reached(data: Measured, run: Record, target: float) -> float:
    """Seconds until *run* was within *target* of its reference; infinite if it never was."""
    reference = data.references.get(run["instance_hash"])
    if reference is None:
        return float("inf")
    # In integers where nothing is allowed above it: objectives may exceed what floats can hold.
    goal = reference if target == 0 else reference + target * abs(reference)
    seconds = _first(run, goal)
    return float("inf") if seconds is None else max(seconds, CLOCK)


def _profiles(data: Measured, value: Callable[[Record], float], start: float) -> list[Curve]:
    values = {label: np.array([value(run) for run in runs]) for label, runs in data.runs.items()}
    finite = np.concatenate([one[np.isfinite(one)] for one in values.values()])
    grid = np.unique(np.append(finite, start))
    return [
        _curve(label, grid, (own[:, None] <= grid[None, :]).astype(np.float64), data.runs[label])
        for label, own in values.items()
    ]


def anytime(data: Measured) -> list[Curve]:
    """Mean gap to the reference over time.

    A method's curve begins when each of its runs has a solution: a mean over those that were
    quick would jump up when the others come in. Runs that end without one are left out; a method
    of which none has one has no curve. A run that ends early keeps its last gap.
    """
    curves = []
    for label, runs in data.runs.items():
        found = [run for run in runs if data.gap(run) is not None]
        if not found:
            continue
        paths = [_path(data, run) for run in found]
        start = max(times[0] for times, _ in paths)
        end = max(start, *(float(run["time_limit_s"]) for run in found))
        times = np.concatenate([times for times, _ in paths])
        grid = np.unique(np.concatenate(([start, end], times[(times > start) & (times < end)])))
        steps = [values[np.searchsorted(times, grid, side="right") - 1] for times, values in paths]
        curves.append(_curve(label, grid, np.stack(steps), found))
    return curves


def _path(data: Measured, run: Record) -> tuple[FloatArray, FloatArray]:
    """Times and gaps of *run*, one where a solution was found; each at ``CLOCK`` or later."""
    reference = data.references[run["instance_hash"]]
    times: list[float] = []
    values: list[float] = []
    for point in run["trace"]:
        gap = gap_to(point["objective"], reference)
        if gap is not None and (not values or gap < values[-1]):
            times.append(max(float(point["seconds"]), CLOCK))
            values.append(gap)
    return np.array(times), np.array(values)


def reached(data: Measured, target: float) -> list[Curve]:
    """Share of a method's runs that are within *target* of the reference, over time."""
    times = {
        label: np.array([_reached(data, run, target) for run in runs])
        for label, runs in data.runs.items()
    }
    curves = []
    for label, own in times.items():
        limit = max(float(run["time_limit_s"]) for run in data.runs[label])
        grid = np.unique(np.concatenate(([CLOCK, limit], own[np.isfinite(own)])))
        values = (own[:, None] <= grid[None, :]).astype(np.float64)
        curves.append(_curve(label, grid, values, data.runs[label]))
    return curves


def _all(data: Measured) -> Iterable[Record]:
    return (run for runs in data.runs.values() for run in runs)


def band_words(data: Measured) -> str:
    """What the bands of *data*'s curves are, in a sentence."""
    seeds = {label: {run["seed"] for run in runs} for label, runs in data.runs.items()}
    several = any(len(found) > 1 for found in seeds.values())
    instances = max(len({run["instance_hash"] for run in runs}) for runs in data.runs.values())
    if several:
        return "Bands: from the least to the greatest of the means of a method's seeds."
    if instances >= _FEWEST:
        return (
            f"Bands: {CONFIDENCE:.0%} of {RESAMPLES} bootstrap resamples of the instances (one "
            "seed)."
        )
    return f"No bands: one seed, and fewer than {_FEWEST} instances."


def _curve(label: str, grid: FloatArray, values: FloatArray, runs: Sequence[Record]) -> Curve:
    """Mean of *values*, shape (runs, points of *grid*), and its band.

    With several seeds: least and greatest of the seeds' means; with one: a bootstrap over
    the instances.
    """
    mean = values.mean(axis=0)
    seeds = sorted({run["seed"] for run in runs})
    if len(seeds) > 1:
        rows = np.array([run["seed"] for run in runs])
        means = np.stack([values[rows == seed].mean(axis=0) for seed in seeds])
        return Curve(label, grid, mean, means.min(axis=0), means.max(axis=0))
    if len(runs) < _FEWEST:
        return Curve(label, grid, mean)
    # Equal files give equal bands.
    seed = int.from_bytes(hashlib.sha256(label.encode()).digest()[:4], "big")
    draws = np.random.default_rng(seed).multinomial(
        len(runs), np.full(len(runs), 1 / len(runs)), size=RESAMPLES
    )
    low, high = np.empty(len(grid)), np.empty(len(grid))
    tail = (1 - CONFIDENCE) / 2
    for first in range(0, len(grid), 512):  # a few megabytes at a time
        part = slice(first, first + 512)
        means = draws @ values[:, part] / len(runs)
        low[part], high[part] = np.quantile(means, (tail, 1 - tail), axis=0)
    return Curve(label, grid, mean, low, high)
