"""What the line-oriented formats share: rows of integers with their line numbers, range checks."""

from __future__ import annotations

import re
from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from cpsched.errors import InputError
from cpsched.jobshop.instance import MAX_HORIZON, JobShop

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Int64Array = npt.NDArray[np.int64]

#: Above these a header is taken for an error, before memory is spent on it.
MAX_JOBS = 1_000_000
MAX_MACHINES = 1_000_000

_CHUNK = 1 << 20
_PLAIN = re.compile(r"[-0-9 \t]*")
_BLANK = re.compile(r"[ \t]")
_TOKEN = re.compile(r"\S+")
_DIGITS = re.compile(r"-?[0-9]+")
_FRACTION = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")


class Row(NamedTuple):
    """A line that is neither blank nor a comment.

    values: its integers, or None if it holds anything else; text: the line, kept only then.
    """

    line: int
    values: array[int] | None
    text: str

    @property
    def tokens(self) -> list[str]:
        """The first few words or numbers, for headers."""
        if self.values is not None:
            return [str(value) for value in self.values[:8]]
        return self.text.split(None, 8)[:8]


@dataclass(frozen=True, slots=True)
class Document:
    """The rows of a text, and the line its last row is on.

    Rows far beyond those its header announces are not read: the first of them is an error.
    """

    rows: list[Row]

    @property
    def last_line(self) -> int:
        """Line of the last row."""
        return self.rows[-1].line


def decode(data: bytes) -> str:
    """Text of *data*, UTF-8 with or without byte order mark; InputError for anything else."""
    nul = data.find(0)
    if nul >= 0:
        raise InputError(
            "binary data (a NUL byte); a text file is needed", line=_line_at(data, nul)
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"byte 0x{data[error.start]:02x} is not UTF-8 text", line=_line_at(data, error.start)
        ) from None


def _line_at(data: bytes, position: int) -> int:
    before = data[:position].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return before.count(b"\n") + 1


def document(text: str) -> Document:
    """Rows of *text*; blank lines and lines that start with ``#`` are skipped."""
    rows: list[Row] = []
    limit = 8
    announced = False
    line = 0
    for line, content in enumerate(split_lines(text), start=1):
        # Of any white space: what is left has tokens.
        stripped = content.strip()
        if not stripped or stripped[0] == "#":
            continue
        values = integers(stripped)
        rows.append(Row(line, values, "" if values is not None else stripped))
        if not announced:
            first = rows[-1].tokens[0]
            announced = _DIGITS.fullmatch(first) is not None
            if announced and len(first) < 10:
                # Taillard's original: two lines a job, a title, two headings, one line too many.
                limit = 2 * min(max(int(first), 0), MAX_JOBS) + 8
        if len(rows) >= limit:
            break
    if not rows:
        raise InputError("no data: the file is empty or holds only comments", line=line or None)
    return Document(rows)


def split_lines(text: str) -> Iterator[str]:
    """Lines of *text* one by one, ended by LF, CR LF or CR."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    start = 0
    while (end := text.find("\n", start)) >= 0:
        yield text[start:end]
        start = end + 1
    if start < len(text):
        yield text[start:]


def integers(text: str) -> array[int] | None:
    """The integers of one line, or None if it holds anything else or one beyond 64 bits."""
    if not _PLAIN.fullmatch(text):
        return None
    values = array("q")
    try:
        for chunk in _chunks(text):
            values.extend(map(int, chunk.split()))
    except (ValueError, OverflowError):
        return None
    return values


def _chunks(text: str) -> Iterator[str]:
    # A line can be as long as the file: cut it, so that its words never exist all at once.
    start = 0
    while len(text) - start > _CHUNK:
        blank = _BLANK.search(text, start + _CHUNK)
        if blank is None:
            break
        yield text[start : blank.start()]
        start = blank.end()
    yield text[start:] if start else text


def quote(token: str) -> str:
    """*token* short and printable."""
    return repr(token if len(token) <= 24 else token[:20] + "...")


def not_integers(row: Row) -> InputError:
    """What keeps *row* from being a row of integers."""
    for match in _TOKEN.finditer(row.text):
        token = match.group()
        if _DIGITS.fullmatch(token):
            if len(token) < 11:
                continue
            reason = f"the number {quote(token)} is too large, {MAX_HORIZON} is the largest"
        elif _FRACTION.fullmatch(token):
            reason = f"{quote(token)} is not an integer; only integers are allowed"
        else:
            reason = f"{quote(token)} is not a number; only integers are allowed"
        return InputError(reason, line=row.line)
    return InputError("the line is not a row of integers", line=row.line)


def numbers(row: Row) -> array[int]:
    """Integers of *row*; InputError if it holds anything else."""
    if row.values is None:
        raise not_integers(row)
    return row.values


def count(value: int, what: str, most: int, line: int) -> int:
    """*value* if it is a possible number of jobs or machines."""
    if not 1 <= value <= most:
        raise InputError(f"the number of {what} must be in 1..{most}, not {value}", line=line)
    return value


def shape(values: Sequence[int], line: int) -> tuple[int, int]:
    """Jobs and machines from the first two numbers of a header."""
    return count(values[0], "jobs", MAX_JOBS, line), count(
        values[1], "machines", MAX_MACHINES, line
    )


def header(rows: list[Row]) -> tuple[int, int]:
    """Jobs and machines from a first row of just these two."""
    values = numbers(rows[0])
    if len(values) != 2:
        raise InputError(
            f"expected 2 numbers, jobs and machines, found {len(values)}", line=rows[0].line
        )
    return shape(values, rows[0].line)


def job_rows(rows: list[Row], num_jobs: int) -> list[Row]:
    """The rows after the header; InputError unless there is exactly one for each job."""
    found = len(rows) - 1
    if found < num_jobs:
        # What is on the lines that are there comes first: it may explain the missing one.
        for row in rows[1:]:
            numbers(row)
        raise InputError(
            f"line {rows[0].line} announces {num_jobs} jobs, but the file ends after {found}",
            line=rows[-1].line,
        )
    if found > num_jobs:
        raise InputError(
            f"text after the last of the {num_jobs} jobs that line {rows[0].line} announces",
            line=rows[num_jobs + 1].line,
        )
    return rows[1:]


def flatten(rows: Sequence[Row]) -> tuple[Int64Array, Int64Array, Int64Array]:
    """All numbers of *rows*, the line of each number, and how many each row has."""
    parts = [np.frombuffer(numbers(row), dtype=np.int64) for row in rows]
    lengths = np.array([len(part) for part in parts], dtype=np.int64)
    lines = np.repeat(np.array([row.line for row in rows], dtype=np.int64), lengths)
    return np.concatenate(parts), lines, lengths


def check_machines(machine: Int64Array, lines: Int64Array, first: int, last: int) -> None:
    """InputError with its line for the first machine outside *first*..*last*."""
    wrong = (machine < first) | (machine > last)
    if wrong.any():
        at = int(np.argmax(wrong))
        raise InputError(
            f"machine {machine[at]} is out of range {first}..{last}", line=int(lines[at])
        )


def check_durations(duration: Int64Array, lines: Int64Array) -> None:
    """InputError with its line for the first duration that is negative or too large."""
    wrong = (duration < 0) | (duration > MAX_HORIZON)
    if wrong.any():
        at = int(np.argmax(wrong))
        why = "is negative" if duration[at] < 0 else "is too large"
        raise InputError(
            f"duration {duration[at]} {why}; 0..{MAX_HORIZON} is allowed", line=int(lines[at])
        )


def check_sum(duration: Int64Array, lines: Int64Array) -> None:
    """InputError with the line where the sum of *duration*, one per operation, is too large."""
    total = np.cumsum(duration)
    if len(total) and total[-1] > MAX_HORIZON:
        raise InputError(
            f"the durations sum to {total[-1]}, more than the {MAX_HORIZON} that fit",
            line=int(lines[np.argmax(total > MAX_HORIZON)]),
        )


def check_routes(machine: Int64Array, lines: Int64Array, first: int) -> None:
    """InputError with its line if a job visits a machine twice; *machine* has a row for each."""
    ordered = np.sort(machine, axis=1)
    twice = (np.diff(ordered, axis=1) == 0).any(axis=1)
    if twice.any():
        job = int(np.argmax(twice))
        repeated = ordered[job][1:][np.diff(ordered[job]) == 0][0]
        raise InputError(
            f"machine {repeated} occurs twice in job {job + first}; "
            "this format allows each machine once in a job",
            line=int(lines[job]),
        )


def classic(
    name: str,
    num_machines: int,
    job_lengths: Int64Array,
    machine: Int64Array,
    duration: Int64Array,
) -> JobShop:
    """Job shop with one mode for each operation."""
    return JobShop(
        name=name,
        num_machines=num_machines,
        job_ptr=np.concatenate(([0], np.cumsum(job_lengths))).astype(np.int32),
        mode_ptr=np.arange(len(machine) + 1, dtype=np.int32),
        mode_machine=machine.astype(np.int32),
        mode_duration=duration.astype(np.int32),
    )


def routes(instance: JobShop, format_name: str) -> tuple[Int64Array, Int64Array]:
    """Machines and durations, shape (num_jobs, num_machines); InputError if some job differs."""
    lengths = np.diff(instance.job_ptr)
    require_classic(instance, format_name)
    square = (instance.num_jobs, instance.num_machines)
    if not np.all(lengths == instance.num_machines):
        raise cannot_express(instance, format_name, "a job that does not visit each machine once")
    machine = instance.machine.astype(np.int64).reshape(square)
    if not np.array_equal(np.sort(machine, axis=1), np.tile(np.arange(square[1]), (square[0], 1))):
        raise cannot_express(instance, format_name, "a job that visits a machine twice")
    return machine, instance.duration.astype(np.int64).reshape(square)


def require_classic(instance: JobShop, format_name: str) -> None:
    """InputError if *instance* is flexible."""
    if instance.is_flexible:
        raise cannot_express(instance, format_name, "an operation with a choice of machines")


def cannot_express(instance: JobShop, format_name: str, what: str) -> InputError:
    """Error for an instance that a format has no words for."""
    return InputError(
        f"{instance.name} holds {what}, which the format {format_name} cannot express; "
        "the format json can"
    )


def join(rows: Int64Array) -> str:
    """Rows of numbers as lines."""
    return "".join(" ".join(map(str, row)) + "\n" for row in rows.tolist())
