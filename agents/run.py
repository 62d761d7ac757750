"""One training run is one folder: configuration, versions, curves, the last state, the best.

The folder holds

- ``config.toml``, the configuration as it was given, and ``run.json``, what came of it: all
  values, versions, machine, device, date;
- ``curves.jsonl``, a line for each update that was logged, and ``tensorboard/``, the same;
- ``last.npz``, the state after the last update, from which a run goes on;
- ``best.safetensors``, the weights with the least gap on the validation instances.

Every file is replaced as a whole: a kill loses at most the update that is under way.
"""

from __future__ import annotations

import io
import json
import math
import os
import platform
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import numpy as np

from cpsched.agents.weights import SUFFIX, digest, save, write_whole
from cpsched.errors import CpschedError, InputError
from cpsched.protocols import available_cores
from cpsched.result import versions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import numpy.typing as npt

    from cpsched.agents.config import Config
    from cpsched.agents.weights import Checkpoint

CONFIG, RECORD, CURVES, LAST, BEST = (
    "config.toml",
    "run.json",
    "curves.jsonl",
    "last.npz",
    f"best{SUFFIX}",
)


class TrainingError(CpschedError):
    """Training that cannot go on, such as with a loss that is not a number."""


class State:
    """What a run goes on from.

    Parameters
    ----------
    arrays
        By name; bytes of other formats as uint8.
    numbers
        Whatever else, JSON.
    """

    def __init__(
        self, arrays: Mapping[str, npt.NDArray[Any]], numbers: Mapping[str, Any] | None = None
    ) -> None:
        self.arrays, self.numbers = dict(arrays), dict(numbers or {})


class Run:
    """A run, new or gone on with.

    Parameters
    ----------
    config, text
        The configuration, and the file's text.
    folder
        Made if it is not there. One that holds a run of the same configuration, time limit and
        number of updates aside, is gone on with.
    report
        Called with each logged line.

    Raises
    ------
    InputError
        If the folder holds something else, or a run of another configuration.
    """

    def __init__(
        self,
        config: Config,
        text: str,
        folder: str | os.PathLike[str],
        report: Callable[[dict[str, float]], None] = lambda line: None,
    ) -> None:
        self.config, self.folder, self.report = config, Path(folder), report
        self.update = 0
        self.best = math.inf
        self._begun = time.monotonic()
        self._before = 0.0
        self._shares: dict[str, float] = {}
        self._inner = 0.0
        self._start: str | None = None
        self._state: State | None = None
        self._open(text)

    def _open(self, text: str) -> None:
        source = str(self.folder)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            there = {path.name for path in self.folder.iterdir()}
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise InputError(f"cannot be used: {reason}", source=source) from error
        if there and RECORD not in there:
            raise InputError("the folder is not empty and holds no training run", source=source)
        if RECORD in there:
            earlier, self._start = self._earlier()
            if _essence(earlier) != _essence(json.loads(json.dumps(self.config.record()))):
                raise InputError(
                    "the folder holds a run of another configuration; name another folder",
                    source=source,
                )
        start = self.config.record()["train"].get("start")
        if start and self._start is None:
            # What it begins with, not where that lies: the file may change, or go.
            name = Path(start).parent.name if os.sep in start else start
            self._start = f"{name}, SHA-256 {digest(start)}"
        # The record comes first: a folder that has it is a run, whenever a kill comes.
        write_whole(self.folder / RECORD, (json.dumps(self._record(), indent=1) + "\n").encode())
        if CONFIG not in there:
            write_whole(self.folder / CONFIG, text.encode())
        if LAST in there:
            self._resume()

    def _earlier(self) -> tuple[dict[str, Any], str | None]:
        path = self.folder / RECORD
        try:
            record = json.loads(path.read_text())
            config: dict[str, Any] = record["config"]
            dict(config["run"])
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise InputError(f"cannot be read: {reason}", source=str(path)) from error
        except (ValueError, KeyError, TypeError):
            raise InputError("is no record of a training run", source=str(path)) from None
        return config, record.get("start")

    def _record(self) -> dict[str, Any]:
        return {
            "config": self.config.record(),
            "start": self._start,
            "versions": training_versions(),
            "machine": f"{platform.processor() or platform.machine()}, {available_cores()} cores",
            "device": self.device,
            "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%MZ"),
        }

    def _resume(self) -> None:
        try:
            whole = io.BytesIO((self.folder / LAST).read_bytes())
            with np.load(whole, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files if name != "about"}
                about = json.loads(bytes(file["about"]))
            self.update, self._before = int(about["update"]), float(about["seconds"])
            self.best = math.inf if about["best"] is None else float(about["best"])
            self._state = State(arrays, about["numbers"])
        except (OSError, ValueError, KeyError, TypeError, EOFError, BadZipFile) as error:
            raise InputError(
                f"is no state of a training run; without it the run begins anew ({error})",
                source=str(self.folder / LAST),
            ) from error
        # Lines of updates that were logged, but not saved, are of a time that did not happen.
        path = self.folder / CURVES
        lines = path.read_text().splitlines() if path.exists() else []
        kept = [line for line in lines if _update_of(line) <= self.update]
        write_whole(path, "".join(f"{line}\n" for line in kept).encode())

    @cached_property
    def device(self) -> str:
        """``cpu`` or ``cuda``; InputError if cuda is asked for and there is none."""
        wanted = self.config.run.device
        if wanted == "cpu":
            return "cpu"
        import torch

        if torch.cuda.is_available():
            return "cuda"
        if wanted == "cuda":
            raise InputError("device cuda: torch finds no GPU")
        return "cpu"

    @property
    def seconds(self) -> float:
        """Seconds of training so far, earlier parts included."""
        return self._before + time.monotonic() - self._begun

    @property
    def left(self) -> float:
        """Seconds that are left; 0 once the last update is done."""
        table = self.config.run
        if table.updates is not None and self.update >= table.updates:
            return 0.0
        return max(0.0, table.time_limit - self.seconds)

    @property
    def done(self) -> float:
        """Share of the training that is over, by updates if their number is given."""
        limits = self.config.run
        if limits.updates is not None:
            return min(1.0, self.update / limits.updates)
        return min(1.0, self.seconds / limits.time_limit)

    @property
    def is_last(self) -> bool:
        """Whether the update that is under way is the last one."""
        updates = self.config.run.updates
        return self.left <= 0 or (updates is not None and self.update + 1 >= updates)

    def resumed(self) -> State | None:
        """What the run goes on from, None at its beginning."""
        return self._state

    @contextmanager
    def share(self, name: str) -> Iterator[None]:
        """Count the time inside as one of *name*: environment, network, copy, validation.

        What is inside another share counts for the inner one only.
        """
        begin, outer = time.monotonic(), self._inner
        self._inner = 0.0
        try:
            yield
        finally:
            spent = time.monotonic() - begin
            self._shares[name] = self._shares.get(name, 0.0) + spent - self._inner
            self._inner = outer + spent

    def log(self, **numbers: float) -> None:
        """Write down *numbers* of the update that comes next, and how the time was spent.

        ``decisions``, taken since the last line, are also written per second of training,
        validation aside. TrainingError if one of them is not finite; nothing is saved then.
        """
        for name, number in numbers.items():
            if not math.isfinite(number):
                raise TrainingError(
                    f"update {self.update + 1}: {name} is {number}; the last good state is "
                    f"{self.folder / LAST}"
                )
        total = sum(self._shares.values()) or 1.0
        line = {
            "update": self.update + 1,
            "seconds": round(self.seconds, 3),
            **numbers,
            **self._pace(numbers),
            **{f"share_{name}": round(part / total, 4) for name, part in self._shares.items()},
        }
        self._shares.clear()
        self._append(line)
        for name, number in line.items():
            if name != "update":
                self._board.add_scalar(name, number, self.update + 1)
        self.report(line)

    def _pace(self, numbers: Mapping[str, float]) -> dict[str, float]:
        spent = sum(part for name, part in self._shares.items() if name != "validation")
        if "decisions" not in numbers or spent <= 0:
            return {}
        return {"decisions_per_second": round(numbers["decisions"] / spent, 1)}

    def _append(self, line: dict[str, float]) -> None:
        path = self.folder / CURVES
        try:
            with path.open("a") as file:
                file.write(json.dumps(line) + "\n")
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise InputError(f"cannot be written: {reason}", source=str(path)) from error

    @cached_property
    def _board(self) -> Any:
        from torch.utils.tensorboard import SummaryWriter

        return SummaryWriter(str(self.folder / "tensorboard"), purge_step=self.update + 1)

    def save(self, state: State) -> None:
        """The update is done: keep *state*; a kill after this loses nothing of it.

        TrainingError if it holds a number that is not finite: the state before is kept.
        """
        for name, array in state.arrays.items():
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                raise TrainingError(
                    f"update {self.update + 1}: {name} are no longer finite; the last good state "
                    f"is {self.folder / LAST}"
                )
        self.update += 1
        about = {
            "update": self.update,
            "best": None if math.isinf(self.best) else self.best,
            "seconds": self.seconds,
            "numbers": state.numbers,
        }
        buffer = io.BytesIO()
        note = np.frombuffer(json.dumps(about).encode(), np.uint8)
        np.savez(buffer, about=note, **state.arrays)  # type: ignore[arg-type]
        write_whole(self.folder / LAST, buffer.getvalue())

    def validated(self, gap: float, checkpoint: Callable[[], Checkpoint]) -> bool:
        """Keep what *checkpoint* makes if *gap* is the least so far; whether it is.

        gap: mean over the validation instances, in per cent.
        """
        if not math.isfinite(gap):
            raise TrainingError(f"update {self.update + 1}: the validation gap is {gap}")
        if gap >= self.best:
            return False
        save(checkpoint(), self.folder / BEST)
        self.best = gap
        return True

    def card(self, **more: Any) -> dict[str, Any]:
        """What the card of weights says of this run, and *more*."""
        config = self.config.record()
        if self._start is not None:
            config["train"]["start"] = self._start
        return {
            "config": config,
            "seeds": [self.config.run.seed],
            "seconds": round(self.seconds, 1),
            "updates": self.update + 1,
            "device": self.device,
            "algorithm": self.config.run.algorithm,
            "versions": training_versions(),
            "date": datetime.now(UTC).strftime("%Y-%m-%d"),
            **more,
        }

    def close(self) -> None:
        """End the logging."""
        if "_board" in self.__dict__:
            self._board.close()


def training_versions() -> dict[str, str]:
    """Versions of what training depends on."""
    from importlib import metadata

    found = versions()
    for name in ("torch", "torch-geometric", "stable-baselines3", "sb3-contrib"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def _update_of(line: str) -> float:
    """Update that a line of the curves is about, inf for one that a full disk cut short."""
    try:
        return float(json.loads(line)["update"])
    except (ValueError, KeyError, TypeError):
        return math.inf


def _essence(config: dict[str, Any]) -> dict[str, Any]:
    """What must be equal for a run to go on: all but how long, and on what device."""
    run = {
        key: value
        for key, value in config["run"].items()
        if key not in ("time_limit", "updates", "device")
    }
    return {**config, "run": run}
