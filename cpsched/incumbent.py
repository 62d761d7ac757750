"""The blackboard on which concurrent methods exchange incumbents and bounds during one solve."""

from __future__ import annotations

import atexit
import threading
import time
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np

from cpsched.result import TracePoint

if TYPE_CHECKING:
    from collections.abc import Callable

    from cpsched.result import CheckReport

#: Seconds that work has to end when the solve is over.
_GRACE = 0.02

#: Checks that take less, in seconds, are not planned for.
_NOTICED = 0.002
#: The last check takes so much longer than one before, at most.
_AGAIN = 1.3

SolutionT = TypeVar("SolutionT")


class Incumbent(Generic[SolutionT]):
    """Best solution and best proven lower bound of one solve; every method is thread-safe.

    The clock starts when the object is made; ``done`` is true once the deadline has passed,
    somebody asked to stop, or objective and bound have met. ``halt``, shape (1,), turns 1 when the
    solve is over and is known to be: kernels, which run without the interpreter, look at it.

    Parameters
    ----------
    time_limit
        Seconds of wall time from now.
    stop
        External request to stop (Ctrl-C, SIGTERM).
    """

    def __init__(self, time_limit: float, stop: threading.Event | None = None) -> None:
        self.start = time.perf_counter()
        self.deadline = self.start + time_limit
        #: Seconds of the limit that are kept for what follows the solve.
        self.reserved = 0.0
        self.objective: int | None = None
        self.bound: int | None = None
        self.solution: SolutionT | None = None
        self.infeasible = False
        self.reason = ""
        self.source = ""
        self.trace: list[TracePoint] = []
        self.error: BaseException | None = None
        self.halt = np.zeros(1, np.int64)
        self._closed = False
        self._external = stop
        self._finished = threading.Event()
        self._lock = threading.Lock()

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.perf_counter() - self.start

    @property
    def remaining(self) -> float:
        """Seconds until the deadline, at least 0."""
        return max(0.0, self.deadline - time.perf_counter())

    @property
    def done(self) -> bool:
        """Whether every method should return now."""
        if self._finished.is_set():
            return True
        external = self._external is not None and self._external.is_set()
        if external or time.perf_counter() >= self.deadline:
            self.finish()
        return self._finished.is_set()

    def reserve(self, seconds: float) -> None:
        """Keep so many *seconds* of the limit, if not more, for what follows: it ends earlier."""
        with self._lock:
            if seconds > self.reserved:
                self.deadline -= seconds - self.reserved
                self.reserved = seconds

    def wait(self, seconds: float) -> bool:
        """Sleep up to *seconds*, less if the solve is over; return ``done``."""
        self._finished.wait(min(seconds, self.remaining))
        return self.done

    def finish(self) -> None:
        """End the solve: nothing more can be gained."""
        self.halt[0] = 1
        self._finished.set()

    def close(self) -> None:
        """End the solve and take nothing more, whoever may still be at work."""
        self.finish()
        with self._lock:
            self._closed = True

    def give_up(self, reason: str) -> None:
        """End the solve: the method cannot go on, *reason* says why in a sentence."""
        with self._lock:
            self.reason = reason
        self.finish()

    def run(self, work: Callable[[], None]) -> threading.Thread:
        """Start *work* in a thread; what it raises ends the solve."""

        def guarded() -> None:
            try:
                work()
            except BaseException as error:
                self.fail(error)

        thread = threading.Thread(target=guarded, daemon=True)
        thread.start()
        return thread

    def in_time(self, work: Callable[[], None]) -> None:
        """Run *work* until the solve is over, and not longer whatever a solver inside it does.

        Solvers look at the clock when they like. One that overruns goes on by itself, for seconds,
        and is not listened to any more; the process waits for it at its end.
        """
        thread = self.run(work)
        while thread.is_alive() and not self.wait(0.05):
            thread.join(0)
        thread.join(_GRACE)
        if thread.is_alive():
            self.close()
            atexit.register(thread.join)

    def fail(self, error: BaseException) -> None:
        """End the solve because a method broke; ``solve`` re-raises *error*."""
        with self._lock:
            self.error = self.error or error
        self.finish()

    def offer(self, objective: int, solution: SolutionT, source: str) -> bool:
        """Take *solution* if it is better than the best so far; return whether it was."""
        with self._lock:
            if self._closed or (self.objective is not None and objective >= self.objective):
                return False
            self.objective, self.solution, self.source = objective, solution, source
            self._record(source)
            return True

    def submit(
        self,
        objective: int,
        solution: SolutionT,
        source: str,
        check: Callable[[SolutionT], CheckReport],
    ) -> bool | None:
        """Check *solution* and offer it; whether the check accepts it.

        None if the check is not asked, because the best is as good or it would end too late. What
        a check costs is kept free at the end of the solve: whoever asked for it checks once more.
        """
        begin = time.perf_counter()
        if self.objective is not None and (
            objective >= self.objective or begin + self.reserved >= self.deadline
        ):
            return None
        accepted = check(solution).ok
        seconds = time.perf_counter() - begin
        if seconds > _NOTICED:
            self.reserve(_AGAIN * seconds)
        if accepted:
            self.offer(objective, solution, source)
        return accepted

    def raise_bound(self, bound: int, source: str) -> bool:
        """Take *bound* if it is higher than the best so far; return whether it was.

        A bound above the objective cannot be: it is a bug of *source* and raises ValueError.
        """
        with self._lock:
            if self._closed or (self.bound is not None and bound <= self.bound):
                return False
            if self.objective is not None and bound > self.objective:
                raise ValueError(f"{source}: bound {bound} above objective {self.objective}")
            self.bound = bound
            self._record(source)
            return True

    def prove_infeasible(self, source: str) -> None:
        """Record a proof that no solution exists."""
        with self._lock:
            self.infeasible = True
            self._record(source)
        self.finish()

    def _record(self, source: str) -> None:
        self.trace.append(TracePoint(self.elapsed, self.objective, self.bound, source))
        if self.objective is not None and self.objective == self.bound:
            self.finish()
