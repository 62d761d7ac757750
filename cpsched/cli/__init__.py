"""The command line: ``cpsched solve | validate | instances | generate | bench``."""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
import threading
from typing import TYPE_CHECKING

from cpsched.lazy import loader

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cpsched.cli.commands import app as app

__all__ = ["app", "main"]

#: Exit code of a command that Ctrl-C ended, as shells count it.
INTERRUPTED = 130

__getattr__, __dir__ = loader(globals(), {"app": "cpsched.cli.commands"})


def main(argv: Sequence[str] | None = None) -> None:
    """Console entry point: run *argv* (default: the process's arguments) and exit.

    Without *argv*, this process is ours: if threads are left, such as a solver that has not
    noticed yet that it is over, they are not waited for. The commands are imported here and not
    with the module: that takes long enough for a Ctrl-C to fall into it.
    """
    try:
        from cpsched.cli import commands

        commands.run(argv)
    except KeyboardInterrupt:
        print("error: interrupted", file=sys.stderr)
        sys.exit(INTERRUPTED)
    except SystemExit as end:
        if argv is None and threading.active_count() > 1 and isinstance(end.code, int):
            _leave(end.code)
        raise


def _leave(code: int) -> None:
    """End the process with *code* as the interpreter would, threads unasked."""
    atexit._run_exitfuncs()  # noqa: SLF001 - there is no public way to run them early
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):  # what can be said of that has been said
            stream.flush()
    os._exit(code)
