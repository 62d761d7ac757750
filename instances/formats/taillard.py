"""Taillard's format: a block of durations, then a block of machines, both in route order.

Plain: ``jobs machines``, one line of durations for each job, one line of machines for each job.
Original: a title line, a line ``jobs machines time-seed machine-seed upper lower`` and the words
``Times`` and ``Machines`` before the blocks; title, seeds and words may each be left out, the
words only together. Machines count from 1 and every job visits every machine once. Lines that
start with ``#`` are comments.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cpsched.errors import InputError
from cpsched.instances.formats import text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cpsched.jobshop.instance import JobShop

_WORDS = ("times", "machines")
_TITLE = ("nb of jobs", "number of jobs")


def fits(values: Sequence[int], num_machines: int) -> bool:
    """Whether a row has the shape of a row of either block."""
    return len(values) == num_machines


def has_words(document: text.Document) -> bool:
    """Whether the text carries the title or the words of the original format."""
    return _is_title(document.rows[0]) or any(_word(row) in _WORDS for row in document.rows)


def _word(row: text.Row) -> str:
    if row.values is not None:
        return ""
    return row.text[:40].strip().rstrip(":").strip().lower()


def _is_title(row: text.Row) -> bool:
    return row.values is None and row.text[:40].strip().lower().startswith(_TITLE)


def parse(document: text.Document, name: str) -> JobShop:
    """Job shop of *document*; InputError with the line of what is wrong."""
    rows = document.rows
    titled = _is_title(rows[0])
    at = 1 if titled else 0
    if at == len(rows):
        raise InputError("the file ends after the title", line=document.last_line)
    values = text.numbers(rows[at])
    if len(values) not in (2, 6):
        raise InputError(
            "expected 2 numbers, jobs and machines, or 6, also seeds and bounds, "
            f"found {len(values)}",
            line=rows[at].line,
        )
    num_jobs, num_machines = text.shape(values, rows[at].line)
    at += 1
    labelled = at < len(rows) and _word(rows[at]) in _WORDS
    blocks: list[list[text.Row]] = []
    for word, what in zip(_WORDS, ("durations", "machines"), strict=True):
        if labelled:
            _expect_word(document, at, word)
            at += 1
        blocks.append(_block(document, at, num_jobs, num_machines, what))
        at += num_jobs
    if at < len(rows):
        if _is_title(rows[at]):
            reason = "a second instance begins here; one file holds one instance"
        else:
            reason = f"text after the last of the {num_jobs} rows of machines"
        raise InputError(reason, line=rows[at].line)
    duration, duration_line, lengths = text.flatten(blocks[0])
    machine, machine_line, _ = text.flatten(blocks[1])
    text.check_durations(duration, duration_line)
    text.check_sum(duration, duration_line)
    text.check_machines(machine, machine_line, 1, num_machines)
    text.check_routes(
        machine.reshape(num_jobs, num_machines), machine_line[::num_machines], first=1
    )
    return text.classic(name, num_machines, lengths, machine - 1, duration)


def _expect_word(document: text.Document, at: int, word: str) -> None:
    if at >= len(document.rows):
        raise InputError(
            f"the file ends before the word {word.capitalize()}", line=document.last_line
        )
    if _word(document.rows[at]) != word:
        raise InputError(
            f"expected the word {word.capitalize()} here", line=document.rows[at].line
        )


def _block(
    document: text.Document, at: int, num_jobs: int, num_machines: int, what: str
) -> list[text.Row]:
    rows = document.rows[at : at + num_jobs]
    for found, row in enumerate(rows):
        if _word(row) in _WORDS:
            raise InputError(
                f"expected {num_jobs} rows of {what}, found {found} before this word",
                line=row.line,
            )
        values = text.numbers(row)
        if len(values) != num_machines:
            raise InputError(
                f"expected {num_machines} {what} in this row, found {len(values)} numbers",
                line=row.line,
            )
    if len(rows) < num_jobs:
        raise InputError(
            f"expected {num_jobs} rows of {what}, but the file ends after {len(rows)}",
            line=document.last_line,
        )
    return rows


def dumps(instance: JobShop) -> str:
    """Text of *instance* in the plain form; InputError if a job is not a permutation."""
    machine, duration = text.routes(instance, "taillard")
    head = np.array([[instance.num_jobs, instance.num_machines]], dtype=np.int64)
    return text.join(head) + text.join(duration) + text.join(machine + 1)
