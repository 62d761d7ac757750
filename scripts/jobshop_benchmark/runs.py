"""Finished runs: one JSON line each, without the schedule, in one file per row."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Batch:
    """One start of the benchmark: when, on which machine, by which command."""

    id: str
    date: str
    machine: str
    command: str


@dataclass(frozen=True)
class Run:
    """One solver on one instance, judged.

    status: what the solver claims if the check agrees (optimal, feasible, unknown), else
    "invalid" (its schedule breaks a rule) or "no answer" (it died or had to be killed);
    objective: recomputed from the schedule, None without a valid one; bound: claimed, rounded
    up; times in seconds; process_time: of the whole process, where one was started for the run;
    peak_rss_mb: of the run alone; others_cpu: CPU seconds that other processes took meanwhile;
    trace: see ``judge.summary``; problems: what the harness found wrong.
    """

    row: str
    instance: str
    digest: str
    solver: str
    version: str
    time_limit: float
    workers: int
    seed: int
    batch: str
    status: str
    commit: str = ""
    objective: int | None = None
    bound: int | None = None
    wall_time: float | None = None
    setup: float | None = None
    process_time: float | None = None
    cpu_time: float | None = None
    others_cpu: float | None = None
    peak_rss_mb: float | None = None
    trace: dict[str, Any] = field(default_factory=dict)
    problems: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[object, ...]:
        """What makes a second run a repetition of this one."""
        return (
            self.instance,
            self.digest,
            self.solver,
            self.version,
            self.time_limit,
            self.workers,
            self.seed,
        )

    @property
    def proven(self) -> bool:
        """Whether a valid schedule was proven optimal in time."""
        return self.status == "optimal"


class Book:
    """The runs file of one row; a line is written as soon as its run is over."""

    def __init__(self, folder: Path, row: str) -> None:
        self.path = folder / f"jobshop-{row}.jsonl"
        self.batches: dict[str, Batch] = {}
        self.runs: list[Run] = []
        if self.path.exists():
            for number, line in enumerate(self.path.read_text().splitlines(), 1):
                self._take(line, number)

    def add(self, run: Run, batch: Batch) -> None:
        """Append *run*, and *batch* first if it is new here."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a") as file:
            if batch.id not in self.batches:
                file.write(_line({"kind": "batch", **asdict(batch)}))
                self.batches[batch.id] = batch
            file.write(_line({"kind": "run", **asdict(run)}))
        self.runs.append(run)

    def latest(self, workers: int) -> list[Run]:
        """Runs with *workers*, of each solver, instance and seed the one made last."""
        last = {
            (run.solver, run.instance, run.seed): run
            for run in self.runs
            if run.workers == workers
        }
        return list(last.values())

    def _take(self, line: str, number: int) -> None:
        try:
            record = json.loads(line)
            kind = record.pop("kind")
        except (ValueError, KeyError, AttributeError) as error:
            raise ValueError(f"{self.path}:{number}: not a run: {error}") from error
        if kind == "batch":
            batch = Batch(**record)
            self.batches[batch.id] = batch
        else:
            known = {field.name for field in fields(Run)}
            record["problems"] = tuple(record.get("problems", ()))
            self.runs.append(Run(**{key: record[key] for key in record if key in known}))


def _line(record: dict[str, Any]) -> str:
    """*record* without empty values, floats to the millisecond."""
    kept = {
        key: round(value, 3) if isinstance(value, float) else value
        for key, value in record.items()
        if value not in (None, (), {}, "")
    }
    return json.dumps(kept, separators=(",", ":")) + "\n"
