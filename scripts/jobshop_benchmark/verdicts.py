"""The bars: what was asked, what is here, met or missed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .rows import OURS, ROWS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .outcome import Outcome
    from .runs import Run

#: Solves may end this much after their limit: a factor and seconds.
OVERRUN_FACTOR, OVERRUN_SECONDS = 1.05, 0.3

_HALF = "gap to the lower bound at most half the best peer's"


@dataclass(frozen=True)
class Verdict:
    """One line of the summary; met is None while nothing can be said."""

    what: str
    reference: str
    bar: str
    here: str
    met: bool | None
    remark: str = ""

    @property
    def word(self) -> str:
        """One of met, **missed**, incomplete, not run, and a remark."""
        word = {True: "met", False: "**missed**", None: "not run"}[self.met]
        if self.met is None and self.here != "-":
            word = "incomplete"
        return f"{word}{self.remark}"


def verdicts(outcomes: Mapping[str, Outcome]) -> list[Verdict]:
    """All bars, in the order they were asked in."""
    return [
        _mean_gap(outcomes["ta-1s"], 1.0),
        _mean_gap(outcomes["ta-10s"], 0.5, 0.35),
        _mean_gap(outcomes["ta-60s"], 0.4, 0.25),
        _mean_gap(outcomes["dmu-60s"], 2.0),
        _against_peers(outcomes["dmu-60s"], "at most a third of the best peer's", 1 / 3),
        _ta_proof(outcomes["ta-10s"]),
        *_small_proof(outcomes["small-proof"]),
        _against_peers(outcomes["large-100x100"], _HALF, 1 / 2),
        *_largest(outcomes["large-1000x100"]),
        _budget([run for outcome in outcomes.values() for run in outcome.of(OURS)]),
    ]


def percent(value: float | None) -> str:
    """*value*, already in percent, with two digits."""
    return "-" if value is None else f"{value:.2f} %"


def overrun_ratio(run: Run) -> float:
    """Wall time over what is allowed: 1 is just in time."""
    allowed = run.time_limit * OVERRUN_FACTOR + OVERRUN_SECONDS
    return (run.wall_time or 0.0) / allowed


def _partial(outcome: Outcome) -> str:
    done = len(outcome.of(OURS))
    return f" ({done} of {done + outcome.missing} runs)" if outcome.missing else ""


def _judge(outcome: Outcome, met: bool) -> bool | None:
    """*met*, if all runs are there."""
    return None if outcome.missing else met


def _mean_gap(outcome: Outcome, bar: float, goal: float | None = None) -> Verdict:
    gaps = outcome.gaps(outcome.of(OURS))
    mean = gaps.mean
    text = f"mean gap <= {bar} %" + (f", goal {goal} %" if goal else "")
    if mean is None:
        return Verdict(outcome.row.title, outcome.row.reference, text, "-", None)
    met = _judge(outcome, mean <= bar and not gaps.missing)
    remark = ""
    if met and goal:
        remark = ", goal met" if mean <= goal else ", goal missed"
    here = percent(mean) + _partial(outcome)
    return Verdict(outcome.row.title, outcome.row.reference, text, here, met, remark)


def _against_peers(outcome: Outcome, bar: str, share: float) -> Verdict:
    """Mean gap over all instances at most *share* of the best peer's.

    In a peer's favour, an instance it has not run on counts with gap 0, so that its mean is "at
    least" that, and a run without a schedule is left out. Ours without one is a miss.
    """
    title, reference = outcome.row.title, outcome.row.reference
    ours = outcome.gaps(outcome.of(OURS))
    if ours.mean is None or not outcome.peers:
        return Verdict(title, reference, bar, "-", None)
    met = not ours.missing
    floors = []
    for solver in outcome.peers:
        runs = outcome.of(solver)
        gaps = outcome.gaps(runs)
        left = len(outcome.row.instances) - len({run.instance for run in runs})
        if gaps.mean is not None:
            floors.append((sum(gaps.values) / (len(gaps.values) + left), solver, left))
    here = percent(ours.mean)
    if floors:
        floor, name, left = min(floors)
        met = met and ours.mean <= share * floor
        here += f" against {'at least ' if left else ''}{percent(floor)} ({name}"
        here += f", gap 0 assumed on the {left} it was not run on)" if left else ")"
        if floor:
            here += f", {'at most ' if left else ''}{ours.mean / floor:.2f} of it"
    else:
        here += ", no peer found a schedule"
    return Verdict(title, reference, bar, here + _partial(outcome), _judge(outcome, met))


def _ta_proof(outcome: Outcome) -> Verdict:
    last = [name for name in outcome.row.instances if "ta51" <= name <= "ta80"]
    bar = f">= 28 of {len(last)}"
    title, reference = "ta51-80 proven optimal in 10 s", "published, 600 s: CP-SAT none of ta71-80"
    proven = outcome.proven(OURS, last)
    if proven is None:
        return Verdict(title, reference, bar, "-", None)
    peers = []
    for solver in outcome.peers:
        theirs = {run.instance for run in outcome.of(solver, last)}
        peers.append(f"{solver} {outcome.proven(solver, theirs)} of {len(theirs)}")
    here = f"{proven} of {len(last)}" + (f" ({', '.join(peers)})" if peers else "")
    return Verdict(title, reference, bar, here, _judge(outcome, proven >= 28))


def _small_proof(outcome: Outcome) -> list[Verdict]:
    title, names = "ft, la, abz5, abz6, orb proven optimal in 60 s", outcome.row.instances
    bars = (">= 90 %", "no fewer than the best peer")
    proven = outcome.proven(OURS, names)
    if proven is None:
        return [Verdict(title, "-", bar, "-", None) for bar in bars]
    share = proven / len(names)
    here = f"{proven} of {len(names)} ({100 * share:.0f} %){_partial(outcome)}"
    first = Verdict(title, "-", bars[0], here, _judge(outcome, share >= 0.9))
    counts = {}
    for solver in outcome.peers:
        runs = outcome.of(solver)
        # In its favour, what a peer was not run on counts as proven.
        left = len(names) - len({run.instance for run in runs})
        counts[solver] = (outcome.proven(solver, names) or 0) + left, left
    if not counts:
        return [first, Verdict(title, "-", bars[1], "-", None)]
    best = max(counts, key=lambda solver: counts[solver])
    most, left = counts[best]
    here = f"{proven} against {'at most ' if left else ''}{most} ({best}"
    here += f", the {left} it was not run on assumed proven)" if left else ")"
    return [first, Verdict(title, "-", bars[1], here, _judge(outcome, proven >= most))]


def _largest(outcome: Outcome) -> list[Verdict]:
    title, reference = outcome.row.title, outcome.row.reference
    runs = outcome.of(OURS)
    besides = max((_besides(run) for run in runs), default=0.0)
    aside = f" into the solve; starting, reading and writing took {besides:.1f} s more"
    bars: list[tuple[str, Callable[[Run], float], Callable[[float], bool], str]] = [
        ("first schedule <= 5 s", _first_schedule, lambda value: value <= 5, "{:.1f} s" + aside),
        (
            "improving until 60 s (a better schedule in the last quarter) or optimal before",
            lambda run: float(run.trace.get("last", 0.0)),
            lambda value: value >= 0.75 * outcome.row.time_limit,
            "last improvement at {:.1f} s",
        ),
        ("under 4 GB", lambda run: (run.peak_rss_mb or 0) / 1000, lambda v: v < 4, "{:.2f} GB"),
    ]
    lines = []
    for bar, value_of, good, form in bars:
        if not runs:
            lines.append(Verdict(title, reference, bar, "-", None))
            continue
        values = [value_of(run) for run in runs]
        worst = min(values) if "last" in form else max(values)
        met = all(good(value) and run.trace for value, run in zip(values, runs, strict=True))
        here = form.format(worst)
        if "last" in form and all(run.proven for run in runs):
            # Nothing is left to improve.
            met = True
            here += f", proven optimal after {max(run.wall_time or 0 for run in runs):.1f} s"
        lines.append(Verdict(title, reference, bar, here, _judge(outcome, met)))
    return lines


def _first_schedule(run: Run) -> float:
    """Seconds from the start of the solve to its first schedule."""
    return float(run.trace.get("first", run.time_limit))


def _besides(run: Run) -> float:
    """Seconds the process took besides the solve: starting, reading and writing."""
    return max(0.0, (run.process_time or 0.0) - (run.wall_time or 0.0))


def _budget(runs: list[Run]) -> Verdict:
    title, bar = "budget kept, all runs of cpsched", "wall time <= limit + 5 % + 0.3 s"
    timed = [run for run in runs if run.wall_time is not None]
    if not timed:
        return Verdict(title, "-", bar, "-", None)
    worst = max(timed, key=overrun_ratio)
    over = max(run.wall_time - run.time_limit for run in timed if run.wall_time is not None)
    silent = sum(run.wall_time is None for run in runs)
    here = (
        f"{len(timed)} runs: at most {over:+.2f} s; tightest {worst.wall_time:.2f} s of "
        f"{worst.time_limit:g} s ({worst.instance}), {overrun_ratio(worst):.3f} of what is allowed"
    )
    late = sum(overrun_ratio(run) > 1 for run in timed)
    if late or silent:
        here += f"; {late} late, {silent} without an answer"
    unstarted = any(name for name in ROWS if not any(run.row == name for run in runs))
    met = False if late or silent else (None if unstarted else True)
    return Verdict(title, "-", bar, here, met)
