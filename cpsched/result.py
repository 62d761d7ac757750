"""What a solver returns: status, objective, proven bound, solution, trace, seed, versions."""

from __future__ import annotations

import enum
import platform
from dataclasses import dataclass, field
from functools import cache
from importlib import metadata
from typing import Any, Generic, TypeVar

SolutionT = TypeVar("SolutionT")


class Status(enum.StrEnum):
    """What is known at the end of a solve.

    ``optimal`` and ``infeasible`` are only given with a proof; ``feasible`` is a checked
    solution without one; ``unknown`` is neither a solution nor a proof that there is none.
    """

    OPTIMAL = "optimal"
    FEASIBLE = "feasible"
    INFEASIBLE = "infeasible"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class TracePoint:
    """The state of a solve when it last changed.

    seconds: wall time since the start of the solve; objective: best found so far or None;
    bound: best proven lower bound so far or None; source: the method that brought the change.
    """

    seconds: float
    objective: int | None
    bound: int | None
    source: str


@dataclass(frozen=True, slots=True)
class CheckReport:
    """Verdict of a family's solver-free check.

    objective: recomputed from the instance and the solution alone, None if it has no meaning
    because a rule is broken; violations: one sentence for each broken rule.
    """

    objective: int | None
    violations: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """True if no rule is broken."""
        return not self.violations


@dataclass(frozen=True, slots=True)
class Result(Generic[SolutionT]):
    """Outcome of one solve; minimisation, integer objective.

    bound: best proven lower bound on the objective, kept in every status. wall_time: seconds,
    model building included. setup_time: seconds spent before the clock started on compiling
    kernels (0 unless their cache was cold). reason: why there is no solution, if the method can
    say it. learned: the policy that was asked, see ``cpsched.learned.record``, None if none was.
    """

    instance: str
    family: str
    method: str
    status: Status
    objective: int | None
    bound: int | None
    solution: SolutionT | None
    trace: tuple[TracePoint, ...]
    wall_time: float
    seed: int
    setup_time: float = 0.0
    reason: str = ""
    learned: dict[str, Any] | None = None
    versions: dict[str, str] = field(default_factory=lambda: versions())

    @property
    def gap(self) -> float | None:
        """(objective - bound) / objective; None while one of the two is missing."""
        if self.objective is None or self.bound is None:
            return None
        if self.objective == self.bound:
            return 0.0
        return (self.objective - self.bound) / max(1, abs(self.objective))


@cache
def _versions() -> tuple[tuple[str, str], ...]:
    names = ("cpsched", "ortools", "numpy", "numba")
    found: list[tuple[str, str]] = [("python", platform.python_version())]
    for name in names:
        try:
            found.append((name, metadata.version(name)))
        except metadata.PackageNotFoundError:
            found.append((name, "not installed"))
    return tuple(found)


def versions() -> dict[str, str]:
    """Versions of Python and of the packages a result depends on, for the record."""
    return dict(_versions())
