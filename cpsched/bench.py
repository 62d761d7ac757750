"""Benchmark runs: methods against instances, one JSON line each, resumable.

A run is known by the content of its instance, its method, limits, seed and the versions of what
it depends on; a run that the file already holds is not repeated.
"""

from __future__ import annotations

import datetime
import hashlib
import os
import platform
from collections import defaultdict
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

import numpy as np

from cpsched import families, learned, report, solving
from cpsched.bench_file import Record, RunFile, RunKey, policy_key, read_runs
from cpsched.protocols import Callback, Limits, available_cores
from cpsched.result import Status, versions

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator, Mapping, Sequence

__all__ = [
    "Case",
    "Record",
    "Row",
    "Run",
    "RunFile",
    "RunKey",
    "execute",
    "fingerprint",
    "machine",
    "measure",
    "plan",
    "read_runs",
    "run_record",
    "summarise",
]


@dataclass(frozen=True, slots=True)
class Case:
    """One instance of a benchmark.

    group: the set it belongs to, for the table; best_known: best objective in the literature.
    """

    instance: Any
    group: str = "-"
    best_known: int | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """One solve of a benchmark."""

    case: Case
    method: str
    limits: Limits
    inference: learned.Inference | None = None

    @property
    def key(self) -> RunKey:
        """What makes this run the same as one in a file."""
        limits = self.limits
        return (
            fingerprint(self.case.instance),
            self.method,
            float(limits.time_limit),
            limits.workers,
            limits.seed,
            tuple(sorted(versions().items())),
            policy_key(self.learned),
        )

    @property
    def learned(self) -> dict[str, Any] | None:
        """What is recorded of the policy that a learned method asks."""
        if not learned.is_learned(self.method):
            return None
        family = self.case.instance.family
        return learned.record(learned.settled(self.method, self.inference, family)[1])


def plan(
    cases: Sequence[Case],
    methods: Sequence[str],
    seeds: Sequence[int],
    *,
    time_limit: float,
    workers: int,
    inference: learned.Inference | None = None,
) -> list[Run]:
    """All runs, methods next to each other per instance, so that they meet equal conditions.

    Raises InputError for an unknown method, one that cannot solve an instance, or bad limits.
    """
    for method in methods:
        solving.check_method(method)
    for case in cases:
        for method in methods:
            solving.check_supported(method, case.instance)
    return [
        Run(
            case,
            method,
            Limits(time_limit, workers, seed),
            inference if learned.is_learned(method) else None,
        )
        for case in cases
        for seed in seeds
        for method in methods
    ]


def fingerprint(instance: Any) -> str:
    """SHA-256 of the data of *instance*, its name left out."""
    digest = hashlib.sha256(instance.family.encode())
    for field in fields(instance):
        value = getattr(instance, field.name)
        if field.name == "name":
            continue
        data = value.tobytes() if isinstance(value, np.ndarray) else repr(value).encode()
        digest.update(f"|{field.name}:{len(data)}|".encode())
        digest.update(data)
    return digest.hexdigest()


def execute(
    runs: Sequence[Run],
    file: RunFile | None = None,
    *,
    keep_solutions: bool = False,
    conditions: Mapping[str, Any] | None = None,
    stop: threading.Event | None = None,
    callback: Callback | None = None,
) -> Iterator[tuple[Run, Record, bool]]:
    """Do the runs that *file* does not hold; yield (run, record, whether it is new).

    conditions: see ``measure``. Ends early once *stop* is set; the run that this cuts short is
    not recorded.
    """
    for run in runs:
        known = file.get(run) if file is not None else None
        if known is not None:
            yield run, known, False
            continue
        if stop is not None and stop.is_set():
            return
        record = measure(
            run, keep_solutions=keep_solutions, conditions=conditions, stop=stop, callback=callback
        )
        if stop is not None and stop.is_set():
            return
        if file is not None:
            file.append(record)
        yield run, record, True


def measure(
    run: Run,
    *,
    keep_solutions: bool = False,
    conditions: Mapping[str, Any] | None = None,
    stop: threading.Event | None = None,
    callback: Callback | None = None,
) -> Record:
    """Do *run* in this process; its record.

    conditions: what else was the case, such as the command, for the record's key of that name;
    the machine and the start of the run are added here, where it is made.
    """
    started = datetime.datetime.now(datetime.UTC)
    result = solving.solve(
        run.case.instance,
        time_limit=run.limits.time_limit,
        workers=run.limits.workers,
        seed=run.limits.seed,
        method=run.method,
        inference=run.inference,
        stop=stop,
        callback=callback,
    )
    record = run_record(run, result, keep_solutions=keep_solutions)
    now = {"started": f"{started:%Y-%m-%dT%H:%M:%SZ}", "machine": machine()}
    return {**record, "conditions": {**now, **(conditions or {})}}


@cache
def machine() -> str:
    """CPU, cores, memory and operating system of this machine, in one line."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    cpu = next(models, platform.processor() or platform.machine())
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return f"{cpu}, {available_cores()} cores, {memory:.0f} GiB, {platform.system()}"


def run_record(run: Run, result: Any, *, keep_solutions: bool) -> Record:
    """The JSON object of one run: that of ``cpsched solve`` and what identifies the run."""
    instance = run.case.instance
    family = families.of(instance)
    measures = {} if result.solution is None else family.measures(instance, result)
    return {
        **report.record(instance, result, keep_solution=keep_solutions),
        "method": run.method,
        "set": run.case.group,
        "size": family.size(instance),
        "instance_hash": fingerprint(instance),
        "time_limit_s": run.limits.time_limit,
        "workers": run.limits.workers,
        "best_known": run.case.best_known,
        "gap_to_best": report.gap_to(result.objective, run.case.best_known),
        "measures": measures,
    }


@dataclass(frozen=True, slots=True)
class Row:
    """Means over the runs of one method on one class of instances.

    gap_to_best: mean over the runs with a solution and a best-known objective, or None;
    gap: the same of the gap to the proven bound; wall_time: mean seconds; measures: means of what
    else the family measures, over the runs that hold it.
    """

    family: str
    group: str
    size: str
    method: str
    runs: int
    found: int
    optimal: int
    gap_to_best: float | None
    gap: float | None
    wall_time: float
    measures: dict[str, float]


def summarise(done: Sequence[tuple[Run, Record]]) -> list[Row]:
    """One row per set, size and method, in the order of first appearance, and totals.

    Families come one after the other, each with totals of its own.
    """
    return [
        row
        for name in dict.fromkeys(run.case.instance.family for run, _ in done)
        for row in _rows(
            name, [(run, rec) for run, rec in done if run.case.instance.family == name]
        )
    ]


def _rows(family: str, done: Sequence[tuple[Run, Record]]) -> list[Row]:
    classes: dict[tuple[str, str], dict[str, list[Record]]] = defaultdict(
        lambda: defaultdict(list)
    )
    total: dict[str, list[Record]] = defaultdict(list)
    for run, record in done:
        size = families.get(family).size(run.case.instance)
        classes[run.case.group, size][run.method].append(record)
        total[run.method].append(record)
    rows = [
        _row(family, group, size, method, records)
        for (group, size), methods in classes.items()
        for method, records in methods.items()
    ]
    if len(classes) > 1:
        rows += [_row(family, "all", "", method, records) for method, records in total.items()]
    return rows


def _row(family: str, group: str, size: str, method: str, records: Sequence[Record]) -> Row:
    # A file of an earlier version holds no measures.
    measured = [record.get("measures", {}) for record in records]
    means = {
        name: _mean(found.get(name) for found in measured)
        for name in families.get(family).MEASURES
    }
    return Row(
        family=family,
        group=group,
        size=size,
        method=method,
        runs=len(records),
        found=sum(record["objective"] is not None for record in records),
        optimal=sum(record["status"] == Status.OPTIMAL for record in records),
        gap_to_best=_mean(record["gap_to_best"] for record in records),
        gap=_mean(record["gap"] for record in records),
        wall_time=fmean(record["wall_time_s"] for record in records),
        measures={name: mean for name, mean in means.items() if mean is not None},
    )


def _mean(values: Iterator[float | None]) -> float | None:
    found = [value for value in values if value is not None]
    return fmean(found) if found else None
