"""JSPLIB, the standard format: ``jobs machines``, then one line of pairs for each job.

A pair is ``machine duration``, machines count from 0, and every job visits every machine once.
In the reentrant variant (Da Col and Teppan, Operations Research Perspectives 9, 2022, 100249)
each line ends with ``-1 -1``; a job then has one operation or more, on any machines.
Lines that start with ``#`` are comments.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

from cpsched.errors import InputError
from cpsched.instances.formats import text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cpsched.jobshop.instance import JobShop

_END = (-1, -1)


def fits(values: Sequence[int], num_machines: int) -> bool:
    """Whether a row has the shape of a job."""
    return len(values) == 2 * num_machines or _ends(values)


def _ends(values: Sequence[int]) -> bool:
    return tuple(values[-2:]) == _END


def parse(document: text.Document, name: str) -> JobShop:
    """Job shop of *document*; InputError with the line of what is wrong."""
    rows = document.rows
    num_jobs, num_machines = text.header(rows)
    jobs = text.job_rows(rows, num_jobs)
    reentrant = any(_ends(text.numbers(row)) for row in jobs)
    for row in jobs:
        _check_length(row, num_machines, reentrant=reentrant)
    values, lines, lengths = text.flatten(jobs)
    machine, duration, line = values[0::2], values[1::2], lines[0::2]
    lengths = lengths // 2
    if reentrant:
        operation = np.ones(len(machine), dtype=np.bool_)
        operation[np.cumsum(lengths) - 1] = False
        machine, duration, line = machine[operation], duration[operation], line[operation]
        lengths = lengths - 1
    text.check_machines(machine, line, 0, num_machines - 1)
    text.check_durations(duration, line)
    text.check_sum(duration, line)
    if not reentrant:
        text.check_routes(machine.reshape(num_jobs, -1), line[::num_machines], first=0)
    return text.classic(name, num_machines, lengths, machine, duration)


def _check_length(row: text.Row, num_machines: int, *, reentrant: bool) -> None:
    values = text.numbers(row)
    if not reentrant:
        if len(values) != 2 * num_machines:
            raise InputError(
                f"expected {2 * num_machines} numbers, a machine and a duration for each of "
                f"{num_machines} operations, found {len(values)}",
                line=row.line,
            )
        return
    if not _ends(values):
        raise InputError("the job must end with -1 -1, as another line does", line=row.line)
    if len(values) % 2:
        raise InputError(
            f"expected pairs of numbers before -1 -1, found {len(values) - 2} numbers",
            line=row.line,
        )
    if len(values) == 2:
        raise InputError("the job has no operation before -1 -1", line=row.line)


def dumps(instance: JobShop) -> str:
    """Text of *instance*; the reentrant variant if the standard one cannot express it."""
    text.require_classic(instance, "jsplib")
    lengths = np.diff(instance.job_ptr)
    if not lengths.all():
        raise text.cannot_express(instance, "jsplib", "a job without operations")
    head = f"{instance.num_jobs} {instance.num_machines}\n"
    pairs = np.stack((instance.machine, instance.duration), axis=1).astype(np.int64)
    if _visits_each_once(instance):
        return head + text.join(pairs.reshape(instance.num_jobs, -1))
    flat = pairs.reshape(-1).tolist()
    bounds = (2 * instance.job_ptr.astype(np.int64)).tolist()
    return head + "".join(
        " ".join(map(str, flat[start:stop])) + " -1 -1\n"
        for start, stop in itertools.pairwise(bounds)
    )


def _visits_each_once(instance: JobShop) -> bool:
    try:
        text.routes(instance, "jsplib")
    except InputError:
        return False
    return True
