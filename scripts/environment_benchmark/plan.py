"""What is measured in one start, in which order, and about how long it takes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from jobshop_benchmark.rows import OURS
from jobshop_benchmark.shops import shop

from .paths import DRIVERS, EXAMPLES, MEASUREMENTS
from .subjects import BASELINE, BATCHES, PEERS, SINGLES, SUBJECTS, Subject

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

#: What ``--only`` takes, and what it measures.
SLICES = {
    "peers": "steps per second of the published environments",
    "ours": "steps per second of cpsched, and of jssenv, to which its ratios are",
    "growth": "the cost of a step as the instance grows, and what it is made of",
    "strength": "the makespan that propagation refutes at the root, by disjunctive rule",
    "models": "random episodes on the models of docs/examples, confirmed by CP-SAT",
}

#: Seconds that a process may take beyond its clock: imports, kernels from nothing, reading.
_START = 300.0

#: Seconds that it usually takes, for the estimate.
_USUAL_START = 4.0

#: Jobs and machines of the growing instances.
SIZES = ((15, 15), (50, 20), (100, 20), (200, 50))
STRENGTH_ON = ("ft10", "la21", "la22", "la23", "la24", "la25", "ta01", "ta11", "ta21")
MODELS = ("project_scheduling", "flexible_job_shop", "single_machine_tardiness")


@dataclass(frozen=True)
class Scale:
    """How much is measured."""

    seconds: float = 5.0
    repeats: int = 3
    seed: int = 0
    instances: dict[str, str] = field(default_factory=dict)
    sizes: tuple[tuple[int, int], ...] = SIZES
    strength_on: tuple[str, ...] = STRENGTH_ON
    propagations: int = 200
    solve_seconds: float = 60.0


#: Does the machinery work: ft06 for ta01 and la01 for ta71, other small ones, a clock of 0.2 s.
SMOKE = Scale(
    seconds=0.2,
    repeats=1,
    instances={"ta01": "ft06", "ta71": "la01"},
    sizes=((5, 5), (10, 5), (10, 10)),
    strength_on=("ft06", "la01"),
    propagations=5,
    solve_seconds=10.0,
)


@dataclass(frozen=True)
class Task:
    """One process: *script* with *request*, whose answer goes to *part* under *key*."""

    part: str
    key: tuple[str, ...]
    home: str
    script: Path
    request: dict[str, Any]
    cores: int
    seconds: float
    optional: bool = False

    @property
    def limit(self) -> float:
        """Seconds after which it is given up."""
        return 10 * self.seconds + _START

    @property
    def expected(self) -> float:
        """Seconds that it usually takes."""
        return self.seconds + _USUAL_START


def tasks(slices: Iterable[str], scale: Scale) -> list[Task]:
    """Everything that *slices* need, those that are compared close to each other in time."""
    wanted = set(slices)
    subjects = _subjects(wanted)
    found = [*_conformance(subjects, scale), *_rates(subjects, scale)]
    if "growth" in wanted:
        found += _growth(scale)
    if "strength" in wanted:
        found += _strength(scale)
    if "models" in wanted:
        found += _models(scale)
    return found


def _subjects(wanted: set[str]) -> list[Subject]:
    chosen: list[Subject] = []
    if "peers" in wanted:
        chosen += PEERS
    elif "ours" in wanted:
        chosen.append(SUBJECTS[BASELINE])
    if "ours" in wanted:
        chosen += [*SINGLES, *BATCHES]
    return chosen


def _rates(subjects: list[Subject], scale: Scale) -> Iterator[Task]:
    """Every repetition goes through all subjects, beginning with another one each time."""
    for repeat in range(scale.repeats):
        for instance in ("ta01", "ta71"):
            first = repeat * len(subjects) // max(1, scale.repeats)
            for subject in subjects[first:] + subjects[:first]:
                if instance in subject.instances:
                    yield _roll(subject, instance, repeat, scale)


def _roll(subject: Subject, instance: str, repeat: int, scale: Scale) -> Task:
    request = {
        "task": "roll",
        "variant": subject.variant,
        "instance": str(shop(scale.instances.get(instance, instance)).path),
        "seconds": scale.seconds,
        "seed": scale.seed + repeat,
        "num_envs": subject.num_envs,
    }
    return Task(
        "rates",
        ("rate", subject.name, instance),
        subject.home,
        DRIVERS / subject.driver,
        request,
        subject.cores,
        # The warm-up is part of it.
        scale.seconds + min(1.0, scale.seconds),
        subject.optional,
    )


def _conformance(subjects: list[Subject], scale: Scale) -> Iterator[Task]:
    """How each package keeps Gymnasium's interface, tried with its first subject."""
    seen: set[str] = set()
    for subject in subjects:
        if subject.home in seen:
            continue
        seen.add(subject.home)
        roll = _roll(subject, "ta01", 0, scale)
        yield Task(
            "rates",
            ("conformance", subject.home),
            subject.home,
            roll.script,
            {**roll.request, "task": "conform"},
            1,
            1.0,
            subject.optional,
        )


def _growth(scale: Scale) -> Iterator[Task]:
    for repeat in range(scale.repeats):
        for jobs, machines in scale.sizes:
            yield Task(
                "growth",
                ("growth", f"{jobs}x{machines}"),
                OURS,
                MEASUREMENTS / "measure_growth.py",
                {
                    "jobs": jobs,
                    "machines": machines,
                    "seconds": scale.seconds,
                    "seed": scale.seed + repeat,
                },
                1,
                5 * scale.seconds,
            )


def _strength(scale: Scale) -> Iterator[Task]:
    for name in scale.strength_on:
        yield Task(
            "strength",
            ("strength", name),
            OURS,
            MEASUREMENTS / "measure_strength.py",
            {"instance": name, "repeats": scale.propagations},
            1,
            5.0,
        )


def _models(scale: Scale) -> Iterator[Task]:
    for name in MODELS:
        yield Task(
            "models",
            ("model", name),
            OURS,
            MEASUREMENTS / "measure_models.py",
            {
                "model": str(EXAMPLES / f"{name}.py"),
                "seconds": scale.seconds,
                "seed": scale.seed,
                "confirm": 20,
                "solve_seconds": scale.solve_seconds,
            },
            1,
            scale.seconds + 5.0,
        )
