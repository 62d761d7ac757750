"""``solve``: any instance, any of its methods, one wall clock, a checked result."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from cpsched.errors import CheckError, InputError, MethodError, UnknownNameError
from cpsched.incumbent import Incumbent
from cpsched.jobshop.methods import FLEXIBLE, METHODS
from cpsched.protocols import Callback, Limits, available_cores
from cpsched.result import Result, Status, TracePoint

if TYPE_CHECKING:
    from collections.abc import Callable

    from cpsched.jobshop.instance import JobShop
    from cpsched.jobshop.solution import Schedule

_HEARTBEAT = 0.2
#: Loading compiled kernels from their cache takes less than this many seconds.
_CACHED_LOAD = 2.0


def methods(instance: JobShop | None = None) -> list[str]:
    """Names of the methods that can solve *instance*, or of all methods."""
    if instance is not None and instance.is_flexible:
        return list(FLEXIBLE)
    return list(METHODS)


def check_method(method: str) -> None:
    """Raise UnknownNameError, with near misses, if no method has that name."""
    if method not in METHODS:
        raise UnknownNameError.of("method", method, METHODS)


def prepare(on_compile: Callable[[], None] | None = None) -> float:
    """Load the kernels, compiling them if their cache is cold.

    on_compile: called from another thread if it takes so long that they must be compiling.
    Returns the seconds spent compiling, 0 if the cache was warm.
    """
    start = time.perf_counter()
    timer = threading.Timer(_CACHED_LOAD, on_compile or (lambda: None))
    timer.daemon = True
    timer.start()
    try:
        from cpsched.jobshop import portfolio  # noqa: F401
        from cpsched.kernels import compiled_now
    finally:
        timer.cancel()
    return time.perf_counter() - start if compiled_now() else 0.0


def solve(
    instance: JobShop,
    *,
    time_limit: float = 60.0,
    workers: int | None = None,
    seed: int = 0,
    method: str = "auto",
    hint: Schedule | None = None,
    stop: threading.Event | None = None,
    callback: Callback | None = None,
) -> Result[Schedule]:
    """Solve *instance* and return the best solution found, checked, with what is proven.

    Parameters
    ----------
    instance
        What to solve.
    time_limit
        Seconds of wall time, model building included; compiling kernels on a machine's first run
        is not, and is reported as ``Result.setup_time``.
    workers
        Threads of computation; default: the cores this process may use.
    seed
        Of every random choice.
    method
        One of ``methods(instance)``.
    hint
        A feasible solution to start from.
    stop
        Ends the solve early, with the best so far, once set. So does Ctrl-C.
    callback
        See ``Callback``.

    Raises
    ------
    InputError
        If a limit is out of range, the method is unknown (``UnknownNameError``) or not for this
        instance (``MethodError``), or the hint breaks a rule.
    CheckError
        If a method returned a solution that breaks a rule: a bug in cpsched.
    """
    from cpsched.checking import check

    check_method(method)
    if method not in methods(instance):
        raise MethodError(
            f"method {method!r} needs one machine per operation, but {instance.name} has "
            f"operations with a choice; allowed: {', '.join(methods(instance))}"
        )
    limits = Limits(time_limit, available_cores() if workers is None else workers, seed)
    setup_time = prepare()
    from cpsched.jobshop import portfolio

    incumbent: Incumbent[Schedule] = Incumbent(limits.time_limit, stop)
    if hint is not None:
        report = check(instance, hint)
        if report.objective is None or not report.ok:
            raise InputError(f"the hint is no solution of {instance.name}: {report.violations[0]}")
        incumbent.offer(report.objective, hint, "hint")
    thread = portfolio.start(instance, limits, method, incumbent)
    try:
        _watch(incumbent, thread, callback)
    except KeyboardInterrupt:
        incumbent.finish()
    thread.join()
    if incumbent.error is not None:
        raise incumbent.error
    if incumbent.solution is not None:
        report = check(instance, incumbent.solution)
        if not report.ok or report.objective != incumbent.objective:
            raise CheckError(
                f"{instance.name}: {incumbent.source} returned a wrong solution: "
                f"{report.violations or report.objective}"
            )
    return Result(
        instance=instance.name,
        family=instance.family,
        method=method,
        status=_status(incumbent),
        objective=incumbent.objective,
        bound=incumbent.bound,
        solution=incumbent.solution,
        trace=tuple(incumbent.trace),
        wall_time=incumbent.elapsed,
        seed=seed,
        setup_time=setup_time,
    )


def _watch(incumbent: Incumbent[Any], thread: threading.Thread, callback: Callback | None) -> None:
    """Report to *callback* until the solve is over."""
    seen = -1
    while thread.is_alive():
        over = incumbent.wait(_HEARTBEAT)
        if callback is not None:
            seen = len(incumbent.trace)
            bound, objective = incumbent.bound, incumbent.objective
            callback(TracePoint(incumbent.elapsed, objective, bound, incumbent.source))
        if over:
            break
    if callback is not None and seen < len(incumbent.trace):
        callback(incumbent.trace[-1])


def _status(incumbent: Incumbent[Any]) -> Status:
    if incumbent.infeasible:
        return Status.INFEASIBLE
    if incumbent.objective is None:
        return Status.UNKNOWN
    if incumbent.objective == incumbent.bound:
        return Status.OPTIMAL
    return Status.FEASIBLE
