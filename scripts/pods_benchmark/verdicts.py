"""What the runs say: is there a better placement, who found it, what is proven."""

from __future__ import annotations

import statistics
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .rows import OURS, PEER

if TYPE_CHECKING:
    from collections.abc import Iterable

Run = dict[str, Any]


def unplaced(run: Run, what: str = "values") -> tuple[int, ...] | None:
    """Pods without a place, highest tier first; None without an answer."""
    values = run.get(what)
    return None if values is None else tuple(values[: run["tiers"]])


@dataclass
class Truth:
    """What all runs on one scenario know: the best vector found, the best bound."""

    before: tuple[int, ...]
    best: tuple[int, ...]
    bound: tuple[int, ...]

    @property
    def verdict(self) -> str:
        """Whether the default scheduler's placement can be improved: better, none or open."""
        if self.best < self.before:
            return "better"
        return "none" if self.bound >= self.before else "open"


def truths(runs: Iterable[Run]) -> dict[tuple[str, int], Truth]:
    """For each cell and seed."""
    known: dict[tuple[str, int], Truth] = {}
    for run in runs:
        before = unplaced(run, "before")
        if before is None:  # a run that died says nothing
            continue
        truth = known.setdefault(
            (run["cell"], run["seed"]), Truth(before, before, (0,) * len(before))
        )
        found, bound = unplaced(run), unplaced(run, "bounds")
        if found is not None:
            truth.best = min(truth.best, found)
        if bound is not None:
            truth.bound = max(truth.bound, bound)
    return known


@dataclass
class Tally:
    """Counts of one method; better: scenarios with a better placement, improved: found one."""

    runs: int = 0
    pending: int = 0
    better: int = 0
    improved: int = 0
    none: int = 0
    opened: int = 0
    no_answer: int = 0
    worse: int = 0
    optimal: int = 0
    overruns: list[float] = field(default_factory=list)
    walls: list[float] = field(default_factory=list)

    @property
    def share(self) -> float | None:
        return None if not self.better else 100 * self.improved / self.better


def tally(runs: Iterable[Run], known: dict[tuple[str, int], Truth]) -> Tally:
    """Counts over *runs*, which are of one method."""
    counts = Tally()
    for run in runs:
        counts.runs += 1
        truth = known.get((run["cell"], run["seed"]))
        found = unplaced(run)
        counts.no_answer += found is None
        counts.optimal += run["status"] == "optimal"
        if "wall" in run:
            counts.walls.append(run["wall"])
            counts.overruns.append(run["wall"] / run["time_limit"] - 1)
        if truth is None or not run["pending"]:
            continue
        counts.pending += 1
        counts.better += truth.verdict == "better"
        counts.none += truth.verdict == "none"
        counts.opened += truth.verdict == "open"
        counts.improved += found is not None and found < truth.before
        counts.worse += found is not None and found > truth.before
    return counts


def pairs(runs: Iterable[Run]) -> dict[str, int]:
    """Ours against the peer on the scenarios both have run, by placement, tier by tier."""
    by_scenario: dict[tuple[str, int], dict[str, Run]] = defaultdict(dict)
    for run in runs:
        by_scenario[run["cell"], run["seed"]][run["method"]] = run
    counts = {"better": 0, "equal": 0, "worse": 0}
    for pair in by_scenario.values():
        if not {OURS, PEER} <= pair.keys():
            continue
        # Without an answer a cluster stays as it is.
        ours, peer = (
            unplaced(pair[name]) or unplaced(pair[name], "before") for name in (OURS, PEER)
        )
        if ours is None or peer is None:
            continue
        peer = min(peer, unplaced(pair[PEER], "before") or peer)  # nobody applies a worse one
        counts["better" if ours < peer else "equal" if ours == peer else "worse"] += 1
    return counts


def proven_placement(run: Run) -> bool:
    """Whether every placement tier is proven."""
    found = unplaced(run)
    return found is not None and found == unplaced(run, "bounds")


def distance(run: Run) -> int | None:
    """Pods that the bounds would allow beyond those placed, all tiers together."""
    found, bound = unplaced(run), unplaced(run, "bounds")
    if found is None or bound is None:
        return None
    # After a tier that is open, a digit may be more than this placement has to keep to.
    return sum(max(0, mine - least) for mine, least in zip(found, bound, strict=True))


def quantile(values: list[float], share: float) -> float:
    """The smallest value that *share* of *values* do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, round(share * len(ordered) + 0.5) - 1))]


def median(values: Iterable[float]) -> float | None:
    found = list(values)
    return statistics.median(found) if found else None
