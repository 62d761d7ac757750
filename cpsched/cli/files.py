"""Files the command line writes: checked before any work, replaced in one step."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
import sys
from collections.abc import Sequence
from pathlib import Path

from cpsched.errors import InputError


class OutputFile:
    """A file to be written later, known to be writable now.

    Parameters
    ----------
    path
        Where to write; a symbolic link is followed.
    suffixes
        Allowed suffixes, with the dot; empty allows any.
    option
        Name of the command-line option, for errors.
    inputs
        Files that are read in the same command, which must not be overwritten.

    Raises
    ------
    InputError
        If the suffix is not allowed, or the file could not be written.
    """

    def __init__(
        self,
        path: str,
        *,
        suffixes: Sequence[str] = (),
        option: str = "--output",
        inputs: Sequence[str] = (),
    ) -> None:
        self.path = Path(path)
        self.suffix = self.path.suffix.lower()
        if suffixes and self.suffix not in suffixes:
            got = f"not {self.suffix}" if self.suffix else "it has none"
            raise InputError(
                f"{option} must end in {_either(suffixes)}, {got}", source=_shown(path)
            )
        self._target = Path(os.path.realpath(self.path))
        for other in inputs:
            if os.path.exists(other) and os.path.realpath(other) == str(self._target):
                raise InputError(f"{option} would overwrite an input file", source=_shown(path))
        self._probe(option)

    def _probe(self, option: str) -> None:
        """Make and remove an empty file beside the target: permissions alone do not tell."""
        name = _shown(str(self.path))
        try:
            if self._target.is_dir():
                raise InputError(f"{option} is a directory, not a file", source=name)
            if self._target.exists() and not self._target.is_file():
                raise InputError(f"{option} is not a regular file", source=name)
            if self._target.exists() and not os.access(self._target, os.W_OK):
                raise InputError(f"{option} is not writable", source=name)
            descriptor, temporary = self._create_temporary()
            os.close(descriptor)
            os.unlink(temporary)
        except OSError as error:
            raise InputError(f"{option} cannot be written: {_why(error)}", source=name) from error

    def _create_temporary(self) -> tuple[int, Path]:
        """Descriptor and path of a new file beside the target, under a name nobody else has.

        Unlike ``tempfile.mkstemp`` this leaves the permissions of a new file to the umask.
        """
        path = self._target.with_name(f".cpsched-{secrets.token_hex(8)}.tmp")
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666), path

    def write(self, content: bytes | str) -> None:
        """Replace the file by *content*: readers see the old file or the whole new one.

        An existing file keeps its permissions.
        """
        data = content.encode() if isinstance(content, str) else content
        temporary = None
        try:
            descriptor, temporary = self._create_temporary()
            with open(descriptor, "wb") as file:
                self._copy_mode(descriptor)
                file.write(data)
            os.replace(temporary, self._target)
        except OSError as error:
            raise InputError(
                f"could not be written: {_why(error)}", source=_shown(str(self.path))
            ) from error
        finally:
            if temporary is not None:
                with contextlib.suppress(OSError):
                    temporary.unlink(missing_ok=True)

    def _copy_mode(self, descriptor: int) -> None:
        with contextlib.suppress(FileNotFoundError):
            mode = stat.S_IMODE(self._target.stat().st_mode)
            if mode != stat.S_IMODE(os.fstat(descriptor).st_mode):
                os.fchmod(descriptor, mode)


def emit(content: str, output: OutputFile | None) -> None:
    """Write *content* to *output*, to stdout if it is None."""
    if output is None:
        sys.stdout.write(content)
        sys.stdout.flush()
    else:
        output.write(content)


def _either(suffixes: Sequence[str]) -> str:
    return " or ".join([", ".join(suffixes[:-1]), suffixes[-1]] if suffixes[1:] else suffixes)


def _why(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def _shown(path: str) -> str:
    return path or "''"
