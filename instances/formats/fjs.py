"""FJSPLIB ``.fjs``: ``jobs machines [flexibility]``, then one line for each job.

A line is the number of operations, then for each operation the number of its modes and as many
pairs ``machine duration``. Machines count from 1. The third number of the header, the mean
number of modes, may have a fraction; it is checked to be a number and not used. Lines that start
with ``#`` are comments.
"""

from __future__ import annotations

import itertools
import re
from array import array
from typing import TYPE_CHECKING

import numpy as np

from cpsched.errors import InputError
from cpsched.instances.formats import text
from cpsched.jobshop.instance import JobShop

if TYPE_CHECKING:
    from collections.abc import Sequence

_FLEXIBILITY = re.compile(r"[0-9]+(\.[0-9]*)?|\.[0-9]+")


def fits(values: Sequence[int], num_machines: int) -> bool:
    """Whether a row has the shape of a job."""
    if values[0] < 1:
        return False
    position = 1
    for _ in range(values[0]):
        if position >= len(values) or not 1 <= values[position] <= num_machines:
            return False
        position += 1 + 2 * values[position]
    return position == len(values)


def has_flexibility(document: text.Document) -> bool:
    """Whether the header has the three numbers that only this format knows."""
    tokens = document.rows[0].tokens
    return len(tokens) == 3 and _FLEXIBILITY.fullmatch(tokens[2]) is not None


def parse(document: text.Document, name: str) -> JobShop:
    """Job shop of *document*; InputError with the line of what is wrong."""
    num_jobs, num_machines = _header(document.rows[0])
    rows = text.job_rows(document.rows, num_jobs)
    job_lengths = array("q")
    mode_counts = array("q")
    pairs = array("q")
    for row in rows:
        job_lengths.append(_job(row, num_machines, mode_counts, pairs))
    counts = np.array(mode_counts, dtype=np.int64)
    flat = np.array(pairs, dtype=np.int64)
    machine, duration = flat[0::2], flat[1::2]
    op_line = np.repeat([row.line for row in rows], np.array(job_lengths, dtype=np.int64))
    mode_line = np.repeat(op_line, counts)
    text.check_machines(machine, mode_line, 1, num_machines)
    text.check_durations(duration, mode_line)
    first_mode = np.cumsum(counts) - counts
    text.check_sum(np.maximum.reduceat(duration, first_mode), op_line)
    _check_modes(np.repeat(np.arange(len(counts)), counts), machine, mode_line)
    return JobShop(
        name=name,
        num_machines=num_machines,
        job_ptr=np.concatenate(([0], np.cumsum(job_lengths))).astype(np.int32),
        mode_ptr=np.concatenate(([0], np.cumsum(counts))).astype(np.int32),
        mode_machine=(machine - 1).astype(np.int32),
        mode_duration=duration.astype(np.int32),
    )


def _header(row: text.Row) -> tuple[int, int]:
    tokens = row.tokens
    if len(tokens) not in (2, 3):
        raise InputError(
            f"expected 2 or 3 numbers, jobs, machines and their mean choice, found {len(tokens)}",
            line=row.line,
        )
    if len(tokens) == 3 and not _FLEXIBILITY.fullmatch(tokens[2]):
        raise InputError(
            f"{text.quote(tokens[2])} is not a mean number of machines, 0 or more", line=row.line
        )
    values = text.integers(" ".join(tokens[:2]))
    if values is None:
        raise text.not_integers(text.Row(row.line, None, " ".join(tokens[:2])))
    return text.shape(values, row.line)


def _job(row: text.Row, num_machines: int, mode_counts: array[int], pairs: array[int]) -> int:
    values = text.numbers(row)
    num_ops = values[0]
    if num_ops < 1:
        raise InputError(
            f"the number of operations must be at least 1, not {num_ops}", line=row.line
        )
    position = 1
    for op in range(num_ops):
        if position >= len(values):
            raise InputError(
                f"the job announces {num_ops} operations, but the line ends after {op}",
                line=row.line,
            )
        modes = values[position]
        if not 1 <= modes <= num_machines:
            raise InputError(
                f"operation {op + 1} announces {modes} machines, 1..{num_machines} are allowed",
                line=row.line,
            )
        stop = position + 1 + 2 * modes
        if stop > len(values):
            raise InputError(
                f"operation {op + 1} announces {modes} pairs of machine and duration, "
                f"but only {len(values) - position - 1} numbers follow",
                line=row.line,
            )
        mode_counts.append(modes)
        pairs.extend(values[position + 1 : stop])
        position = stop
    if position < len(values):
        raise InputError(
            f"{len(values) - position} numbers too many after the last of {num_ops} operations",
            line=row.line,
        )
    return num_ops


def _check_modes(op: text.Int64Array, machine: text.Int64Array, line: text.Int64Array) -> None:
    order = np.lexsort((machine, op))
    same = (np.diff(op[order]) == 0) & (np.diff(machine[order]) == 0)
    if same.any():
        mode = int(order[1:][same].min())
        raise InputError(
            f"machine {machine[mode]} is listed twice for one operation", line=int(line[mode])
        )


def dumps(instance: JobShop) -> str:
    """Text of *instance*, with the third number in the header."""
    if not np.diff(instance.job_ptr).all():
        raise text.cannot_express(instance, "fjs", "a job without operations")
    modes = np.diff(instance.mode_ptr).tolist()
    pairs = np.stack((instance.mode_machine + 1, instance.mode_duration), axis=1)
    flat = pairs.reshape(-1).tolist()
    mean = len(instance.mode_machine) / instance.num_ops
    lines = [f"{instance.num_jobs} {instance.num_machines} {mean:.6g}"]
    at = 0
    job_ptr = instance.job_ptr.tolist()
    for start, stop in itertools.pairwise(job_ptr):
        row = [stop - start]
        for count in modes[start:stop]:
            row.append(count)
            row.extend(flat[at : at + 2 * count])
            at += 2 * count
        lines.append(" ".join(map(str, row)))
    return "\n".join(lines) + "\n"
