"""Performance profiles of the methods in a file of runs, and their gaps over time.

Profiles are those of Dolan and Moré (2002), "Benchmarking optimization software with performance
profiles", Mathematical Programming 91: the share of runs within a factor of the best.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from cpsched.bench_measured import first_within
from cpsched.plot.curves import Curve
from cpsched.words import gap_to

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import numpy.typing as npt

    from cpsched.bench_measured import Measured, Record

    FloatArray = npt.NDArray[np.float64]

#: Seconds below which two times are not told apart.
CLOCK = 1e-3
#: Resamples of the instances for a band, and the share of them inside it.
RESAMPLES, CONFIDENCE = 1000, 0.95
#: Fewest instances that are resampled: of fewer, a band says nothing.
_FEWEST = 5


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
    seconds = first_within(run, goal)
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
    for begin in range(0, len(grid), 512):  # a few megabytes at a time
        part = slice(begin, begin + 512)
        means = draws @ values[:, part] / len(runs)
        low[part], high[part] = np.quantile(means, (tail, 1 - tail), axis=0)
    return Curve(label, grid, mean, low, high)
