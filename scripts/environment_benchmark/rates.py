"""The records of steps per second, looked up by subject and instance."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .subjects import BASELINE, BATCHES, INSTANCES, SINGLES, SUBJECTS, Subject
from .tables import NOTHING, figure, median

#: Cores that other processes may use before a measurement counts as disturbed.
DISTURBED = 0.1

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .records import Record


class Rates:
    """Rates, makespans and facts.

    missing: reason by virtual environment that could not be made; facts: how each package keeps
    Gymnasium's interface.
    """

    def __init__(self, records: Iterable[Record]) -> None:
        self._runs: dict[tuple[str, str], list[Record]] = {}
        self.missing: dict[str, str] = {}
        self.facts: dict[str, dict[str, str]] = {}
        for record in records:
            kind, *rest = record["key"]
            if "error" in record:
                continue
            if kind == "rate":
                self._runs.setdefault((rest[0], rest[1]), []).append(record)
            elif kind == "conformance":
                self.facts[rest[0]] = record["facts"]
            elif kind == "missing":
                self.missing[rest[0]] = record["reason"]
        for name, _ in self._runs:
            # It could be made after all.
            self.missing.pop(SUBJECTS[name].home, None)

    singles = SINGLES
    in_place = BATCHES[:1]

    def measured(self, subject: Subject) -> bool:
        """Whether there is any run of *subject*."""
        return any((subject.name, instance) in self._runs for instance in INSTANCES)

    def rates(self, subject: Subject, instance: str) -> list[float]:
        """Steps per second of every repetition."""
        return [run["steps"] / run["wall_time"] for run in self._of(subject, instance)]

    def ratio(self, subject: Subject, instance: str) -> float | None:
        """Median rate over that of the baseline."""
        own = median(self.rates(subject, instance))
        base = median(self.rates(SUBJECTS[BASELINE], instance))
        return own / base if own and base else None

    def mean_makespan(self, subject: Subject, instance: str) -> float | None:
        """Mean over all episodes that ended."""
        ended = [run for run in self._of(subject, instance) if run["episodes"]]
        episodes = sum(run["episodes"] for run in ended)
        if not episodes:
            return None
        return sum(run["mean_makespan"] * run["episodes"] for run in ended) / episodes

    def observation_sizes(self, home: str) -> str:
        """Values of one observation on the larger instance, of each subject of *home*."""
        sizes = {
            run["observation_values"]
            for subject in SUBJECTS.values()
            if subject.home == home
            for run in self._of(subject, INSTANCES[-1])
        }
        return (
            " to ".join(figure(size) for size in sorted({min(sizes), max(sizes)}))
            if sizes
            else NOTHING
        )

    def warnings(self) -> str:
        """What to know about the comparison: other batches, a busy machine; empty if nothing."""
        batches = {
            run["batch"]
            for instance in INSTANCES
            for run in self._of(SUBJECTS[BASELINE], instance)
        }
        apart: dict[str, None] = {}
        busy: dict[str, None] = {}
        for (name, _), runs in self._runs.items():
            if any(run["batch"] not in batches for run in runs):
                apart[name] = None
            if any(run.get("others", 0.0) > DISTURBED for run in runs):
                busy[name] = None
        text = ""
        if apart:
            text += f"\nNot measured in the same run as {BASELINE}: {'; '.join(apart)}.\n"
        if busy:
            text += (
                f"\n**Disturbed**: other processes used more than {DISTURBED:g} cores in a "
                f"repetition of: {'; '.join(busy)}.\n"
            )
        return text

    def _of(self, subject: Subject, instance: str) -> list[Record]:
        return self._runs.get((subject.name, instance), [])
