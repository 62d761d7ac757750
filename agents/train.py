"""Train what a configuration says, in a folder of its own."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cpsched import remote
from cpsched.agents.config import read
from cpsched.agents.run import BEST, Run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence


def train(
    config: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    *,
    changes: Mapping[str, str] | None = None,
    report: Callable[[Run, dict[str, float]], None] = lambda run, line: None,
) -> Path:
    """Train; returns the file of the best weights.

    A folder that holds a run of the same configuration is gone on with. Ctrl-C passes through;
    what the last whole update left can be gone on with, too.

    Parameters
    ----------
    config
        A TOML file.
    folder
        Of the run; see ``cpsched.agents.run``.
    changes
        ``table.key`` to a value as TOML, instead of what the file says.
    report
        Called with the run and each logged line.

    Raises
    ------
    InputError
        If the configuration, the folder or the device cannot be used, or nothing can be written.
    TrainingError
        If a loss or a gap is not a number: the last good state is kept.
    """
    found, text = read(config, changes)
    if changes:
        text += "".join(f"\n# changed: {key} = {value}" for key, value in changes.items()) + "\n"
    return train_text(found, text, folder, report)


def train_text(
    config: Any,
    text: str,
    folder: str | os.PathLike[str],
    report: Callable[[Run, dict[str, float]], None] = lambda run, line: None,
) -> Path:
    """``train`` with a configuration that has been read."""
    run = Run(config, text, folder, lambda line: report(run, line))
    try:
        config.module.train(run)
    finally:
        run.close()
    return run.folder / BEST


@dataclass(frozen=True)
class Seed:
    """A run with a seed of its own, as it is sent to a worker; see ``train``."""

    config: str
    folder: str
    seed: int
    changes: dict[str, str] = field(default_factory=dict)


def train_seeds(
    config: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    seeds: Sequence[int],
    *,
    changes: Mapping[str, str] | None = None,
    address: str | None = None,
    jobs: int | None = None,
) -> Iterator[tuple[int, Path]]:
    """Train once for each seed, side by side; yield (seed, best weights) as they are done.

    The run of seed k is in ``folder/seed-k``: over a Ray cluster, a folder that all its machines
    see. See ``train`` and, for address and jobs, ``cpsched.remote.scatter``.
    """
    tasks = [
        Seed(os.fspath(config), os.path.join(folder, f"seed-{seed}"), seed, dict(changes or {}))
        for seed in seeds
    ]
    for index, path in remote.scatter(
        train_seed, tasks, address=address, jobs=jobs, name=lambda task: f"seed {task.seed}"
    ):
        yield seeds[index], Path(path)


def train_seed(task: Seed) -> str:
    """Do one run; returns the file of the best weights."""
    changes = {**task.changes, "run.seed": str(task.seed)}
    return str(train(task.config, task.folder, changes=changes))
