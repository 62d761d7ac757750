"""The ``cpsched`` command: its subcommands, and errors as one line with an exit code."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from cpsched.cli import INTERRUPTED, bench, generate, instances, solve, validate
from cpsched.errors import CpschedError, InputError

#: Exit codes: 0 solved, 1 nothing found (or an invalid schedule, or a result that could not be
#: written), 2 bad input or usage.
FAILED, BAD_INPUT = 1, 2

#: How writing to stdout fails; files raise InputError.
_WRITE_ERRORS = (errno.EPIPE, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF)

#: What typer raises for wrong usage; it exports only the leaf of the hierarchy.
_USAGE_ERROR: Any = typer.BadParameter.__mro__[1]


class OneLineErrors(TyperGroup):
    """Command group that ends every user's mistake with one line on stderr and code 2."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Run the command line and exit; arguments as in typer."""
        try:
            code = super().main(args, prog_name, complete_var, False, windows_expand_args, **extra)
            sys.stdout.flush()  # a full disk shows here, not after the last line of this program
        except _USAGE_ERROR as error:
            usage = f" (see {error.ctx.command_path} --help)" if error.ctx else ""
            code = fail(error.format_message() + usage, BAD_INPUT)
        except InputError as error:
            code = fail(str(error), BAD_INPUT)
        except CpschedError as error:
            code = fail(str(error), FAILED)
        except MemoryError:
            code = fail("out of memory", FAILED)
        except typer.Abort:
            code = fail("interrupted", INTERRUPTED)
        except OSError as error:
            if error.errno not in _WRITE_ERRORS or error.filename is not None:
                raise
            code = FAILED
            if error.errno != errno.EPIPE:  # a reader that has seen enough is no error
                fail(f"standard output cannot be written: {str(error.strerror).lower()}", code)
            _discard_output()
        if standalone_mode:
            sys.exit(code if isinstance(code, int) else 0)
        return code


def fail(reason: str, code: int) -> int:
    """Print *reason* as one line on stderr and return *code*."""
    line = " ".join(part.strip() for part in reason.splitlines() if part.strip())
    print(f"error: {line}", file=sys.stderr)
    return code


def _discard_output() -> None:
    """Send what stdout still holds to nowhere: Python would complain once more at its end."""
    try:
        descriptor = sys.stdout.fileno()
    except (OSError, ValueError):  # not a real file
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)


app = typer.Typer(
    cls=OneLineErrors,
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
solve.register(app)
validate.register(app)
instances.register(app)
generate.register(app)
bench.register(app)


def _print_version(wanted: bool) -> None:
    if wanted:
        from cpsched.result import versions

        found = versions()
        others = ", ".join(f"{name} {found[name]}" for name in found if name != "cpsched")
        typer.echo(f"cpsched {found['cpsched']} ({others})")
        raise typer.Exit


@app.callback()
def cpsched(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print versions and exit."
        ),
    ] = False,
) -> None:
    """Schedule job shops, pack pods, reschedule VMs: from a file to a proven answer.

    [bold]Start here:[/bold]

      cpsched solve ft06                         a shipped job shop

      cpsched solve ta21.txt --time-limit 30     your own file

      cpsched solve cluster.json -t 10           a snapshot of a Kubernetes cluster (kubectl)

      cpsched solve cloud/ --max-moves 50        a snapshot of OpenStack or Proxmox

      cpsched instances list                     what is shipped

    Exit codes: 0 solved, 1 no solution exists, none was found or it could not be written,
    2 bad input or usage.
    """
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def run(argv: Sequence[str] | None = None) -> None:
    """Run *argv* (default: the process's arguments) and exit."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by whoever started this process
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
        elif hasattr(stream, "reconfigure"):
            # A file name need not be printable in the terminal's encoding.
            stream.reconfigure(errors="backslashreplace")
    app(args=argv, prog_name="cpsched")
