"""The command line: ``cpsched solve | validate | instances | generate | bench``."""

from __future__ import annotations

import sys
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

    The commands are imported here and not with the module: that takes long enough for a Ctrl-C
    to fall into it.
    """
    try:
        from cpsched.cli import commands

        commands.run(argv)
    except KeyboardInterrupt:
        print("error: interrupted", file=sys.stderr)
        sys.exit(INTERRUPTED)
