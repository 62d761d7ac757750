"""Functions that worker processes import, to see what becomes of their tasks."""

from __future__ import annotations

import os
import time
from pathlib import Path

from cpsched.errors import InputError


def square(number: int) -> int:
    """Its square."""
    return number * number


def process(seconds: float) -> int:
    """The worker's process id, after *seconds*."""
    time.sleep(seconds)
    return os.getpid()


def die_once(marker: str) -> str:
    """End the worker at the first call, answer at the second."""
    if not Path(marker).exists():
        Path(marker).touch()
        os._exit(9)
    return "alive"


def die(_: object) -> None:
    """End the worker."""
    os._exit(9)


def complain(_: object) -> None:
    """Raise what a caller can act on."""
    raise InputError("this task cannot be done", source="a.txt", line=3)


def unpicklable(_: object) -> object:
    """Return what cannot be sent."""
    return lambda: None


def sleep(marker: str) -> None:
    """Say that it began, then sleep for long."""
    Path(marker).write_text(str(os.getpid()))
    time.sleep(600)
