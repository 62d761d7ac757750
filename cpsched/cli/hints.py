"""Solutions to start from, read from a result file; what no longer applies is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cpsched import families
from cpsched.checking import check
from cpsched.cli.sources import read_bytes
from cpsched.errors import InputError
from cpsched.instances.solutions import MAX_BYTES, parse_record, solution_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cpsched.protocols import Instance

#: Steps of a hint whose loss is told one by one.
_DROPPED = 10


def read_hints(path: str, instances: Sequence[Instance]) -> list[tuple[Any, list[str]]]:
    """For each instance the solution in the file, and lines about what of it was dropped.

    Raises InputError if the file cannot be read, holds no solution of an instance, or one that
    breaks a rule although it is for the instance as it is.
    """
    data, name = read_bytes(path, MAX_BYTES)
    return [_read(data, name, instance) for instance in instances]


def _read(data: bytes, source: str, instance: Instance) -> tuple[Any, list[str]]:
    """The solution to start from, and what is to be said about it."""
    record, line = parse_record(data, source, instance)
    earlier = families.of(instance).earlier(instance, record)
    if earlier is not None:
        found, dropped = earlier.salvage()
        return found, _about(instance, dropped, earlier.changes)
    schedule = solution_of(record, line, source, instance)
    verdict = check(instance, schedule)
    if not verdict.ok:
        raise InputError(
            f"the hint breaks a rule of {instance.name}: {verdict.violations[0]}", source=source
        )
    return schedule, []


def _about(instance: Instance, dropped: Sequence[str], changes: Sequence[str]) -> list[str]:
    """What a hint for an earlier state of *instance* lost, in lines."""
    lines = [f"hint: made for an earlier state of {instance.name}: {'; '.join(changes)}"]
    lines += [f"hint: dropped {sentence}" for sentence in dropped[:_DROPPED]]
    if len(dropped) > _DROPPED:
        lines.append(f"hint: dropped {len(dropped) - _DROPPED} more")
    return lines
