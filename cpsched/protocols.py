"""The shapes that the layers agree on: instances, limits, progress, solvers."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from cpsched.errors import InputError
from cpsched.result import Result, TracePoint

if TYPE_CHECKING:
    import threading


@runtime_checkable
class Instance(Protocol):
    """Frozen data of one problem; knows no solver."""

    @property
    def name(self) -> str:
        """Name it is reported under."""

    @property
    def family(self) -> str:
        """Name of the problem family, such as ``jobshop``."""


#: Most threads: beyond the cores none gains anything, and a process does not get 20,000.
MAX_WORKERS = 1024
_MAX_SEED = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Limits:
    """What a solve may use.

    time_limit: seconds of wall time, model building included; workers: threads of computation;
    seed: of every random choice.

    What equal seeds promise: a rule gives the same schedule. With one worker cpsat takes the same
    steps, and tabu the same from the same start; where the clock cuts them off is the machine's
    affair. But the clock also decides from how many dispatching rules auto and tabu start, and
    when auto turns to a proof and for how long: with the same seed auto may take other steps and
    end with another schedule. So may everything that shares its finds among several workers.

    Raises InputError for what is no number or out of range: a time limit that is not positive and
    finite, workers outside 1..1024, a seed outside 0..2147483647.
    """

    time_limit: float = 60.0
    workers: int = field(default_factory=lambda: available_cores())
    seed: int = 0

    def __post_init__(self) -> None:
        seconds = self.time_limit
        if not isinstance(seconds, Real) or not 0 < seconds < float("inf"):
            raise InputError(f"time limit must be a positive number of seconds, not {seconds!r}")
        for name, value, low, high in (
            ("workers", self.workers, 1, MAX_WORKERS),
            ("seed", self.seed, 0, _MAX_SEED),
        ):
            if not isinstance(value, Integral) or not low <= value <= high:
                raise InputError(f"{name} must be an integer in {low}..{high}, not {value!r}")


def available_cores() -> int:
    """Cores this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


#: Called in the caller's thread whenever the incumbent or the bound changed, and about five
#: times a second otherwise.
Callback = Callable[[TracePoint], None]


class Solver(Protocol):
    """``(instance, limits) -> Result``: CP-SAT, a rule, local search: interchangeable.

    hint: a solution to start from; stop: ends the solve early with the best so far once set;
    callback: see ``Callback``.
    """

    def __call__(
        self,
        instance: Any,
        limits: Limits,
        *,
        hint: Any | None = None,
        stop: threading.Event | None = None,
        callback: Callback | None = None,
    ) -> Result[Any]:
        """Solve *instance* within *limits*."""
