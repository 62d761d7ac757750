"""The errors a caller can act on: each says what is wrong, where, and what is allowed."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class CpschedError(Exception):
    """Root of every error that cpsched raises on purpose."""


class InputError(CpschedError, ValueError):
    """Input that cannot be used: a malformed file, an impossible value, an unknown name.

    ``str(error)`` is the one line shown to a user, ``where: reason``; the command line prints it
    and exits with code 2.

    Parameters
    ----------
    reason
        What is wrong and what is allowed, without the location.
    source
        File (or ``<stdin>``) the input came from, if any.
    line
        1-based line in *source*, for line-oriented formats.
    path
        JSON path in *source* (``$.jobs[3][0]``), for JSON formats.
    """

    def __init__(
        self,
        reason: str,
        *,
        source: str | None = None,
        line: int | None = None,
        path: str | None = None,
    ) -> None:
        self.reason = reason
        self.source = source
        self.line = line
        self.path = path
        where = ":".join(str(part) for part in (source, line, path) if part is not None)
        super().__init__(f"{where}: {reason}" if where else reason)

    def at(self, source: str) -> InputError:
        """The same error located in *source*, keeping a location that is already known."""
        return type(self)(
            self.reason, source=self.source or source, line=self.line, path=self.path
        )


class UnknownNameError(InputError):
    """A name that names nothing; the message lists near misses."""

    @classmethod
    def of(cls, kind: str, name: str, known: Iterable[str]) -> UnknownNameError:
        """Error for *name*, a *kind* ("method", "instance", …) that is not among *known*."""
        names = sorted(known)
        near = difflib.get_close_matches(name.lower(), names, n=4, cutoff=0.5)
        if near:
            hint = f"did you mean {', '.join(near)}?"
        elif len(names) <= 16:
            hint = f"known: {', '.join(names)}"
        else:
            hint = f"{len(names)} names are known, none is near"
        return cls(f"unknown {kind} {name!r}; {hint}")


class MethodError(InputError):
    """A method that exists but cannot solve this kind of instance."""


class StopRequestedError(CpschedError):
    """Work that was given up half-way because somebody asked to stop."""


class CheckError(CpschedError):
    """A schedule or placement that a method returned breaks a rule of its own problem: a bug."""
