"""The shapes that the layers agree on: instances, limits, progress, solvers."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
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


@dataclass(frozen=True, slots=True)
class Limits:
    """What a solve may use.

    time_limit: seconds of wall time, model building included; workers: threads of computation;
    seed: of every random choice. With one worker and equal seeds the search makes the same
    choices, but where the clock cuts it is the machine's affair.

    Raises InputError for a limit that is not positive or a negative seed.
    """

    time_limit: float = 60.0
    workers: int = field(default_factory=lambda: available_cores())
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.time_limit > 0 or self.time_limit == float("inf"):
            raise InputError(
                f"time limit must be a positive number of seconds, not {self.time_limit}"
            )
        if self.workers < 1:
            raise InputError(f"workers must be at least 1, not {self.workers}")
        if not 0 <= self.seed < 2**31:
            raise InputError(f"seed must be in 0..2147483647, not {self.seed}")


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
