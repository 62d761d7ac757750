"""``solve``: any instance, any of its methods, one wall clock, a checked result."""

from __future__ import annotations

import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from cpsched.errors import CheckError, InputError, MethodError, UnknownNameError
from cpsched.incumbent import Incumbent
from cpsched.jobshop.instance import JobShop
from cpsched.jobshop.methods import METHODS, obstacle
from cpsched.protocols import Callback, Limits, available_cores
from cpsched.result import Result, Status, TracePoint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from cpsched.jobshop.solution import Schedule

_HEARTBEAT = 0.2
#: Loading compiled kernels from their cache takes less than this many seconds.
_CACHED_LOAD = 2.0
_RULE = "rule:"


def methods(instance: JobShop | None = None) -> list[str]:
    """Names of the methods that can solve *instance*, or of all methods."""
    return [name for name in METHODS if instance is None or not obstacle(name, instance)]


def check_method(method: str) -> None:
    """Raise UnknownNameError, with near misses, if no method has that name."""
    if method not in METHODS:
        raise UnknownNameError.of("method", method, METHODS)


def check_supported(method: str, instance: JobShop) -> None:
    """Raise MethodError, with the methods that can, if *method* cannot solve *instance*.

    UnknownNameError if no method has that name.
    """
    check_method(method)
    known = methods(instance)
    if method not in known:
        reason = obstacle(method, instance) or f"cannot solve {instance.name}"
        raise MethodError(f"method {method} {reason}; these can: {', '.join(known)}")


def prepare(
    on_compile: Callable[[], None] | None = None,
    methods: Iterable[str] | None = None,
    *,
    flexible: bool = True,
) -> float:
    """Load the kernels that *methods* (default: all) run, compiling them if their cache is cold.

    on_compile: called from another thread if it takes so long that they must be compiling;
    flexible: False if every instance is a classic job shop, for which auto needs fewer.
    Returns the seconds spent compiling, 0 if the cache was warm.
    """
    names = list(METHODS if methods is None else methods)
    start = time.perf_counter()
    timer = threading.Timer(_CACHED_LOAD, on_compile or (lambda: None))
    timer.daemon = True
    timer.start()
    try:
        from cpsched.jobshop import bounds  # noqa: F401
        from cpsched.kernels import compiled_now

        if any(name.startswith(_RULE) or (flexible and name == "auto") for name in names):
            from cpsched.jobshop import dispatching  # noqa: F401
        if not all(name.startswith(_RULE) for name in names):
            from cpsched.jobshop import portfolio  # noqa: F401
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
        If *instance* is no instance, a limit is no number or out of range, the method is unknown
        (``UnknownNameError``) or not for this instance (``MethodError``), or the hint breaks a
        rule.
    CheckError
        If a method returned a solution that breaks a rule: a bug in cpsched.
    """
    from cpsched.checking import check

    if not isinstance(instance, JobShop):
        raise InputError(
            "the instance must be a JobShop, such as cpsched.read(name or path) returns, "
            f"not the {type(instance).__name__} {instance!r:.60}"
        )
    check_supported(method, instance)
    limits = Limits(time_limit, available_cores() if workers is None else workers, seed)
    setup_time = prepare(methods=[method], flexible=instance.is_flexible)
    incumbent: Incumbent[Schedule] = Incumbent(limits.time_limit, stop)
    if hint is not None:
        report = check(instance, hint)
        if report.objective is None or not report.ok:
            raise InputError(f"the hint is no solution of {instance.name}: {report.violations[0]}")
        incumbent.offer(report.objective, hint, "hint")
    thread = _start(instance, limits, method, incumbent)
    try:
        _watch(incumbent, thread, callback)
    except KeyboardInterrupt:
        pass
    finally:
        # Whatever a callback raises, no thread goes on searching behind the caller's back.
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
        reason=incumbent.reason,
    )


def _start(
    instance: JobShop, limits: Limits, method: str, incumbent: Incumbent[Schedule]
) -> threading.Thread:
    if method.startswith(_RULE):
        from cpsched.jobshop import dispatching

        name = method.removeprefix(_RULE)
        return incumbent.run(
            partial(dispatching.follow, instance, limits, name, method, incumbent)
        )
    from cpsched.jobshop import portfolio

    return portfolio.start(instance, limits, method, incumbent)


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
