"""Tasks over processes of this machine or over a Ray cluster, through one function.

A worker that dies takes nothing with it: its task is given to another once.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import logging
import multiprocessing
import os
import signal
import socket
import threading
import traceback
import warnings
from collections import deque
from functools import cache
from multiprocessing import connection
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from cpsched.errors import InputError
from cpsched.protocols import available_cores
from cpsched.result import versions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

TaskT = TypeVar("TaskT")
ResultT = TypeVar("ResultT")

#: The address of a Ray that is started on this machine and ends with the work.
LOCAL = "local"
#: Seconds between two looks at whether to stop.
_POLL = 0.1
#: Bytes of the embedded Ray's object store: tasks and results are small.
_STORE = 100 * 2**20
#: How often a task may be started: once, and once again if its worker died.
_STARTS = 2


def scatter(
    function: Callable[[TaskT], ResultT],
    tasks: Sequence[TaskT],
    *,
    address: str | None = None,
    jobs: int | None = None,
    cores: int = 1,
    stop: threading.Event | None = None,
    name: Callable[[TaskT], str] = str,
) -> Iterator[tuple[int, ResultT]]:
    """Call *function* on every task elsewhere; yield (index, result) in order of completion.

    Parameters
    ----------
    function
        A function at the top of a module that the workers can import.
    tasks
        What it is called with, one each; anything that can be pickled.
    address
        None: processes of this machine; ``local``: a Ray started here; else the address of a
        running one, such as ``auto``, ``host:port`` or ``ray://host:port``.
    jobs
        Most tasks at once; None: as many as there are cores for, *cores* each.
    cores
        What a task occupies.
    stop
        Ends the iteration once set; tasks in progress are broken off.
    name
        What a task is called in an error.

    Raises
    ------
    InputError
        If Ray is not installed or not there, its workers run other versions than this process,
        or a worker died twice on the same task. What *function* raises is raised here.
    """
    if address is None:
        yield from _over_processes(function, tasks, jobs, cores, stop, name)
    else:
        yield from _over_ray(function, tasks, address, jobs, cores, stop, name)


def _dead(name: str, reason: str) -> InputError:
    return InputError(
        f"{name}: its worker died twice ({reason}); a worker that is killed has often run out of "
        "memory: fewer jobs, or a larger machine"
    )


# -- processes of this machine ------------------------------------------------------------------


class _Worker:
    """A process that calls *function* on what it is sent."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        # Not forked: the parent has threads and compiled code under locks.
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, function), daemon=True)
        self.process.start()
        theirs.close()
        self.task: int | None = None

    def give(self, index: int, task: Any) -> None:
        self.task = index
        # Whoever died before it was asked is found dead where its answer is awaited.
        with contextlib.suppress(BrokenPipeError):
            self.pipe.send(task)

    def end(self) -> None:
        self.pipe.close()
        self.process.kill()
        self.process.join()


def _serve(pipe: connection.Connection, function: Callable[[Any], Any]) -> None:
    """The life of a worker process: take a task, answer (whether it went well, what came out)."""
    # Ctrl-C reaches the whole group; the parent decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    while True:
        try:
            task = pipe.recv()
        except EOFError:
            return
        try:
            answer = (True, function(task))
        except Exception as error:  # it is raised where the result is awaited
            answer = (False, error)
        try:
            pipe.send(answer)
        except BrokenPipeError:
            return
        except Exception:  # what cannot be pickled can still be said
            pipe.send((False, RuntimeError(f"not sent back: {traceback.format_exc()}")))


def _end_with_parent() -> None:
    """End this process when the one that started it is gone, however that went."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)


def _over_processes(
    function: Callable[[Any], Any],
    tasks: Sequence[Any],
    jobs: int | None,
    cores: int,
    stop: threading.Event | None,
    name: Callable[[Any], str],
) -> Iterator[tuple[int, Any]]:
    if jobs is None:
        jobs = max(1, available_cores() // cores)
    waiting = deque(range(len(tasks)))
    starts = [0] * len(tasks)
    workers: dict[Any, _Worker] = {}

    def give(worker: _Worker) -> None:
        if waiting:
            index = waiting.popleft()
            starts[index] += 1
            worker.give(index, tasks[index])

    try:
        for _ in range(min(jobs, len(tasks))):
            worker = _Worker(function)
            workers[worker.pipe] = worker
            give(worker)
        while any(worker.task is not None for worker in workers.values()):
            if stop is not None and stop.is_set():
                return
            for pipe in connection.wait(list(workers), timeout=_POLL):
                worker = workers[pipe]
                index = worker.task
                try:
                    fine, answer = worker.pipe.recv()
                except (EOFError, OSError):
                    del workers[pipe]
                    worker.process.join(timeout=1)
                    code = worker.process.exitcode
                    worker.end()
                    if index is None:
                        continue
                    if starts[index] == _STARTS:
                        raise _dead(name(tasks[index]), f"exit code {code}") from None
                    waiting.appendleft(index)
                    worker = _Worker(function)
                    workers[worker.pipe] = worker
                    give(worker)
                    continue
                worker.task = None
                give(worker)  # before the caller has the answer, and time passes
                assert index is not None, "a worker answers what it was asked"
                if not fine:
                    raise answer
                yield index, answer
    finally:
        for worker in workers.values():
            worker.end()


# -- a Ray cluster --------------------------------------------------------------------------------


@cache
def _sources() -> str:
    """Digest of the package's code: a version number does not tell two checkouts apart."""
    digest = hashlib.sha256()
    root = Path(__file__).resolve().parent
    # The links to envs, agents and instances are followed.
    folders = [Path(folder) for folder, _, _ in os.walk(root, followlinks=True)]
    for path in sorted(path for folder in folders for path in folder.glob("*.py")):
        digest.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def _identity() -> dict[str, str]:
    """What must be the same here and in a worker."""
    return {**versions(), "cpsched's code": _sources()}


def _call(function: Callable[[Any], Any], task: Any, expected: dict[str, str]) -> Any:
    """*function* on *task*, in a worker that runs what the sender runs; InputError if not."""
    found = _identity()
    other = [
        f"{key} {found.get(key, 'none')} and not {value}"
        for key, value in expected.items()
        if found.get(key) != value
    ]
    if other:
        raise InputError(
            f"the Ray worker on {socket.gethostname()} has {', '.join(other)}: install the same "
            "versions there as here"
        )
    return function(task)


def check_address(address: str) -> None:
    """Raise InputError if Ray is not installed or *address* cannot be one of a Ray."""
    if importlib.util.find_spec("ray") is None:
        raise InputError("Ray is not installed: pip install 'cpsched[ray]'")
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if address not in (LOCAL, "auto") and not (host and port.isdecimal() and int(port) < 2**16):
        raise InputError(
            f"{address!r} is no address of a Ray: local, auto, HOST:PORT or ray://HOST:PORT"
        )


@contextlib.contextmanager
def _session(address: str) -> Iterator[Any]:
    """The module ``ray``, connected; what was started or opened here is closed at the end."""
    check_address(address)
    # Ray asks before it reports home; and it warns of a default that is to change for GPUs.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    # It would start a task that runs out of memory again and again for ever.
    os.environ.setdefault("RAY_task_oom_retries", str(_STARTS - 1))
    import ray

    if ray.is_initialized():
        yield ray
        return
    options: dict[str, Any] = {"address": address}
    if address == LOCAL:
        options |= {
            "num_cpus": available_cores(),
            "include_dashboard": False,
            "object_store_memory": _STORE,
        }
    handlers = _handlers()
    try:
        with warnings.catch_warnings():
            # Its own sockets and pipes, left to the collector.
            warnings.simplefilter("ignore", ResourceWarning)
            try:
                ray.init(**options, log_to_driver=False, logging_level=logging.ERROR)
            except Exception as error:  # what it raises depends on the kind of address
                reason = str(error).strip().splitlines() or [type(error).__name__]
                raise InputError(f"no Ray at {address}: {reason[0]}") from error
        _restore(handlers)
        yield ray
    finally:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            ray.shutdown()
        _restore(handlers)


def _handlers() -> dict[int, Any]:
    """The handlers of signals that Ray replaces by its own."""
    return {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}


def _restore(handlers: dict[int, Any]) -> None:
    if threading.current_thread() is threading.main_thread():
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _room(ray: Any, cores: int) -> int:
    """How many tasks of *cores* each the nodes hold now; InputError if none holds one."""
    sizes = [int(node["Resources"].get("CPU", 0)) for node in ray.nodes() if node["Alive"]]
    room = sum(size // cores for size in sizes)
    if not room:
        raise InputError(
            f"no node of the Ray cluster has {cores} cores for a task; the largest has "
            f"{max(sizes, default=0)}"
        )
    return room


def _over_ray(
    function: Callable[[Any], Any],
    tasks: Sequence[Any],
    address: str,
    jobs: int | None,
    cores: int,
    stop: threading.Event | None,
    name: Callable[[Any], str],
) -> Iterator[tuple[int, Any]]:
    with _session(address) as ray:
        call = ray.remote(num_cpus=cores, max_retries=_STARTS - 1)(_call)
        expected = _identity()
        waiting = deque(range(len(tasks)))
        pending: dict[Any, int] = {}
        try:
            while waiting or pending:
                if stop is not None and stop.is_set():
                    return
                room = _room(ray, cores)
                # Some more than fit, so that no node waits for us.
                most = room + max(1, room // 4) if jobs is None else jobs
                while waiting and len(pending) < most:
                    index = waiting.popleft()
                    pending[call.remote(function, tasks[index], expected)] = index
                ready, _ = ray.wait(list(pending), num_returns=1, timeout=_POLL)
                for reference in ready:
                    index = pending.pop(reference)
                    yield index, _result(ray, reference, name(tasks[index]))
        finally:
            for reference in pending:
                with contextlib.suppress(Exception):  # the cluster itself may be gone
                    ray.cancel(reference, force=True)


def _result(ray: Any, reference: Any, name: str) -> Any:
    """What the task returned; what it raised is raised, a dead worker is an InputError."""
    try:
        return ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, ModuleNotFoundError):
            raise InputError(
                f"a Ray worker has no {error.cause.name}: install cpsched there as here"
            ) from None
        if isinstance(error.cause, InputError):
            raise error.cause from None
        raise
    except (
        ray.exceptions.WorkerCrashedError,
        ray.exceptions.NodeDiedError,
        ray.exceptions.OutOfMemoryError,
    ) as error:
        raise _dead(name, type(error).__name__) from None
