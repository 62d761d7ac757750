"""Train what a configuration says, in a folder of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cpsched.agents.config import parse, read
from cpsched.agents.run import BEST, Run

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping
    from pathlib import Path


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


__all__ = ["parse", "train", "train_text"]
