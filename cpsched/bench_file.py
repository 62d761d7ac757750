"""Files of benchmark runs: one JSON line each, growing run by run."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from cpsched import report
from cpsched.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cpsched.bench import Run

Record = dict[str, Any]
RunKey = tuple[Any, ...]


class RunFile:
    """A file of JSON lines that grows run by run; a context manager, locked against others.

    A last line without its newline, after lines of runs, is what an interrupted write leaves
    behind: it is dropped and its run repeated.

    Raises
    ------
    InputError
        If a line is not a run (so that no other file is touched), the file cannot be written,
        or another process has it open.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._name = os.fspath(path)
        try:
            self._file = self.path.open("a+b", buffering=0)
        except OSError as error:
            raise self._unwritable(error) from error
        try:
            self._lock()
            self._file.seek(0)
            data = self._file.readall()
            self._size = data.rfind(b"\n") + 1
            self.records = _parse(data[: self._size], self._name)
            if len(data) > self._size and not self.records:
                raise InputError("not a line of a benchmark run", source=self._name, line=1)
        except OSError as error:
            self.close()
            raise self._unwritable(error) from error
        except InputError:
            self.close()
            raise
        self._known = {key_of(record): record for record in self.records}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let others have the file."""
        self._file.close()

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InputError(
                "another benchmark is writing this file; name another one", source=self._name
            ) from error
        except OSError:
            pass  # some network file systems know no locks

    def _unwritable(self, error: OSError) -> InputError:
        reason = (error.strerror or str(error)).lower()
        return InputError(f"cannot be written: {reason}", source=self._name)

    def get(self, run: Run) -> Record | None:
        """The record of *run*, if the file holds it."""
        return self._known.get(run.key)

    def append(self, record: Record) -> None:
        """Add *record* and hand it to the operating system."""
        line = report.json_line(record).encode()
        rest = memoryview(line)
        try:
            self._file.truncate(self._size)
            while rest:
                rest = rest[self._file.write(rest) :]
            os.fsync(self._file.fileno())
        except OSError as error:
            with contextlib.suppress(OSError):
                self._file.truncate(self._size)
            raise self._unwritable(error) from error
        self._size += len(line)
        self.records.append(record)
        self._known[key_of(record)] = record


def read_runs(path: str | os.PathLike[str]) -> list[Record]:
    """The runs in a file, in its order; it may be one that a benchmark is writing.

    Raises InputError if it cannot be read, holds none, or holds a line that is not a run.
    """
    name = os.fspath(path)
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise InputError(f"cannot be read: {reason}", source=name) from error
    records = _parse(data[: data.rfind(b"\n") + 1], name)
    if not records:
        raise InputError("holds no benchmark run", source=name)
    return records


def _parse(data: bytes, name: str) -> list[Record]:
    records = []
    for number, line in enumerate(data.splitlines(), start=1):
        try:
            record = json.loads(line)
            key_of(record)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError("not a line of a benchmark run", source=name, line=number) from error
        records.append(record)
    return records


def key_of(record: Mapping[str, Any]) -> RunKey:
    """The key of the run that *record* describes; KeyError or TypeError if it is none."""
    return (
        record["instance_hash"],
        record["method"],
        float(record["time_limit_s"]),
        record["workers"],
        record["seed"],
        tuple(sorted(record["versions"].items())),
        # A file of an earlier version knows no policies.
        policy_key(record.get("learned")),
    )


def policy_key(learned: Mapping[str, Any] | None) -> tuple[Any, ...]:
    """What makes two policies the same: the weights by content, not by name."""
    if learned is None:
        return ()
    return tuple(learned[key] for key in ("sha256", "samples", "temperature"))
