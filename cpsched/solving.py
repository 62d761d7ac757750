"""``solve``: any instance, any of its methods, one wall clock, a checked result."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from cpsched import families, learned
from cpsched.errors import CheckError, InputError, MethodError, UnknownNameError
from cpsched.incumbent import Incumbent
from cpsched.protocols import Callback, Limits, available_cores
from cpsched.result import Result, Status, TracePoint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from cpsched.protocols import Instance

_HEARTBEAT = 0.2
#: Loading compiled kernels from their cache takes less than this many seconds.
_CACHED_LOAD = 2.0


def methods(instance: Instance | None = None) -> list[str]:
    """Names of the methods that can solve *instance*, or of all methods."""
    if instance is None:
        names = [name for family in families.every() for name in family.METHODS]
        return list(dict.fromkeys((*names, *learned.METHODS)))
    family = families.of(instance)
    known = [name for name in family.METHODS if not family.obstacle(name, instance)]
    return known + [name for name in learned.METHODS if not learned.obstacle(name, instance)]


def check_method(method: str) -> None:
    """Raise UnknownNameError, with near misses, if no method has that name."""
    known = {name for family in families.every() for name in family.METHODS} | {*learned.METHODS}
    if method not in known and not learned.is_learned(method):
        raise UnknownNameError.of("method", method, known)


def check_supported(method: str, instance: Instance) -> None:
    """Raise MethodError, with the methods that can, if *method* cannot solve *instance*.

    UnknownNameError if no method has that name.
    """
    check_method(method)
    known = methods(instance)
    if learned.is_learned(method):
        reason = learned.obstacle(method, instance)
        supported = not reason
    else:
        family = families.of(instance)
        reason = family.obstacle(method, instance) if method in family.METHODS else ""
        supported = method in known
    if not supported:
        raise MethodError(
            f"method {method} {reason or f'cannot solve {instance.name}'}; "
            f"these can: {', '.join(known)}"
        )


def prepare(
    on_compile: Callable[[], None] | None = None,
    methods: Iterable[str] | None = None,
    *,
    instances: Sequence[Instance] | None = None,
    inference: learned.Inference | None = None,
) -> float:
    """Load the kernels that *methods* (default: all) run, compiling them if their cache is cold.

    on_compile: called from another thread if it takes so long that they must be compiling;
    instances: what will be solved, default anything; some need fewer kernels. inference: how
    learned methods are asked.
    Returns the seconds spent compiling, 0 if the cache was warm.
    """
    names = None if methods is None else set(methods)
    asked = [name for name in names or () if learned.is_learned(name)]
    if names is not None and any(name.startswith("hybrid") for name in asked):
        names.add("auto")
    start = time.perf_counter()
    timer = threading.Timer(_CACHED_LOAD, on_compile or (lambda: None))
    timer.daemon = True
    timer.start()
    try:
        from cpsched.kernels import compiled_now

        for name in families.names():
            members = [one for one in instances or () if one.family == name]
            if instances is None or members:
                family = families.get(name)
                wanted = [one for one in family.METHODS if names is None or one in names]
                family.prepare(wanted, None if instances is None else members)
        if asked:
            kinds = {one.family for one in instances} if instances is not None else None
            for name in asked:
                learned.prepare(name, inference, kinds)
    finally:
        timer.cancel()
    return time.perf_counter() - start if compiled_now() else 0.0


def solve(
    instance: Instance,
    *,
    time_limit: float = 60.0,
    workers: int | None = None,
    seed: int = 0,
    method: str = "auto",
    inference: learned.Inference | None = None,
    hint: Any = None,
    stop: threading.Event | None = None,
    callback: Callback | None = None,
) -> Result[Any]:
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
        One of ``methods(instance)``; ``policy:N`` is ``policy`` with N samples.
    inference
        How the policy of a learned method is asked.
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

    known = [family.INSTANCE for family in families.every()]
    if type(instance) not in known:
        *kinds, last = (kind.__name__ for kind in known)
        raise InputError(
            f"the instance must be a {', '.join(kinds)} or {last}, such as cpsched.read(name or "
            f"path) returns, not the {type(instance).__name__} {instance!r:.60}"
        )
    check_supported(method, instance)
    limits = Limits(time_limit, available_cores() if workers is None else workers, seed)
    asked = _asked(method, inference, instance)
    setup_time = prepare(methods=[method], instances=[instance], inference=inference)
    incumbent: Incumbent[Any] = Incumbent(limits.time_limit, stop)
    if hint is not None:
        report = check(instance, hint)
        if report.objective is None or not report.ok:
            raise InputError(f"the hint is no solution of {instance.name}: {report.violations[0]}")
        incumbent.offer(report.objective, hint, "hint")
    if asked is None:
        thread = families.of(instance).start(instance, limits, method, incumbent)
    else:
        thread = learned.start(instance, limits, *asked, incumbent)
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
        learned=None if asked is None else learned.record(asked[1]),
    )


def _asked(
    method: str, inference: learned.Inference | None, instance: Instance
) -> tuple[str, learned.Inference] | None:
    # Bare name and inference of a learned method, None for another one.
    if learned.is_learned(method):
        return learned.settled(method, inference, instance.family)
    if inference is not None:
        raise InputError(f"method {method} asks no policy, so samples and weights say nothing")
    return None


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
