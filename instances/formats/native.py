"""The native JSON format: every job shop that cpsched knows, classic, reentrant or flexible.

One object with exactly these keys::

    {"schema_version": 1, "family": "jobshop", "name": "two by two", "machines": 2, "jobs": [
    [[0,3],[1,2]],
    [[1,4],[[0,2],[1,5]]]
    ]}

A job is a list of operations in route order; an operation is one mode ``[machine,duration]`` or
a list of modes to choose from. Machines count from 0.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from itertools import chain, pairwise
from typing import Any

import numpy as np

from cpsched.errors import InputError
from cpsched.instances.formats.text import MAX_JOBS, MAX_MACHINES
from cpsched.jobshop.instance import MAX_HORIZON, JobShop

SCHEMA_VERSION = 1
KEYS = ("schema_version", "family", "name", "machines", "jobs")
MAX_NAME = 255

_DEEP = 100
#: Strings (passed over whole) and brackets.
_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]')


class RepeatedKey(dict[str, Any]):
    """A JSON object in which a key occurred twice; duplicate: that key."""

    def __init__(self, pairs: list[tuple[str, Any]], duplicate: str) -> None:
        super().__init__(pairs)
        self.duplicate = duplicate


def load(text: str, max_objects: int | None = None) -> Any:
    """JSON value of *text*.

    Raises
    ------
    InputError
        With its line for anything that is not JSON; for more objects (of which each costs a
        hundred times its two characters of text) than *max_objects*.
    """
    objects = 0

    def hook(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal objects
        objects += 1
        if max_objects is not None and objects > max_objects:
            raise InputError(f"more than {max_objects} objects; one is needed")
        found = dict(pairs)
        if len(found) == len(pairs):
            return found
        times = Counter(key for key, _ in pairs)
        return RepeatedKey(pairs, next(key for key, count in times.items() if count > 1))

    try:
        return json.loads(text, object_pairs_hook=hook)
    except json.JSONDecodeError as error:
        raise InputError(f"not JSON: {error.msg}", line=error.lineno) from None
    except RecursionError:
        raise InputError("not usable JSON: nested too deep", line=_deep_line(text)) from None
    except InputError:
        raise
    except ValueError:
        # Python refuses to convert integers of thousands of digits.
        raise InputError(
            "not usable JSON: an integer has too many digits", line=_long_integer_line(text)
        ) from None


def _deep_line(text: str) -> int | None:
    """Line on which a text is nested deeper than anything that is read here."""
    depth = 0
    for match in _BRACKETS.finditer(text):
        token = match.group()
        if token in "[{":
            depth += 1
        elif token in "]}":
            depth -= 1
        if depth > _DEEP:
            return text.count("\n", 0, match.start()) + 1
    return None


def _long_integer_line(text: str) -> int | None:
    limit = sys.get_int_max_str_digits()
    match = re.search(rf"(?<![\w.])[0-9]{{{limit + 1},}}(?![0-9.eE])", text)
    return None if match is None else text.count("\n", 0, match.start()) + 1


def describe(value: Any) -> str:
    """*value* in a few words, for an error."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, str):
        return f"the text {value[:20]!a}" + ("..." if len(value) > 20 else "")
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    return f"the number {_number(value)}"


def integer(value: Any, low: int, high: int, path: str, what: str) -> int:
    """*value* if it is an integer in *low*..*high*; InputError at *path* otherwise."""
    if type(value) is not int or not low <= value <= high:
        raise InputError(
            f"{what} must be an integer in {low}..{high}, not {describe(value)}", path=path
        )
    return value


def _number(value: float) -> str:
    digits = str(value)
    return digits if len(digits) <= 24 else f"of {len(digits)} digits"


def check_keys(value: Any, allowed: tuple[str, ...], path: str, what: str) -> dict[str, Any]:
    """*value* if it is an object with exactly the keys *allowed*."""
    if not isinstance(value, dict):
        raise InputError(f"{what} must be an object, not {describe(value)}", path=path)
    reject_duplicate(value, path)
    for key in value:
        if key not in allowed:
            raise InputError(
                f"unknown key {key[:40]!a}; allowed are {', '.join(allowed)}", path=path
            )
    for key in allowed:
        if key not in value:
            raise InputError(f"the key {key!r} is missing", path=path)
    return value


def reject_duplicate(value: dict[str, Any], path: str) -> None:
    """InputError if a key of *value* occurred twice."""
    if isinstance(value, RepeatedKey):
        raise InputError(f"the key {value.duplicate[:40]!a} occurs twice", path=path)


def parse(text: str) -> JobShop:
    """Job shop of *text*; InputError with the JSON path of what is wrong."""
    root = check_keys(load(text, max_objects=1000), KEYS, "$", "an instance")
    version = root["schema_version"]
    if type(version) is not int or version != SCHEMA_VERSION:
        raise InputError(
            f"the version must be {SCHEMA_VERSION}, not {describe(version)}",
            path="$.schema_version",
        )
    if root["family"] != JobShop.family:
        raise InputError(
            f'the family must be "{JobShop.family}", not {describe(root["family"])}',
            path="$.family",
        )
    name = root["name"]
    if not isinstance(name, str) or not _is_name(name):
        raise InputError(
            f"the name must be printable text of 1..{MAX_NAME} characters, not {describe(name)}",
            path="$.name",
        )
    num_machines = integer(
        root["machines"], 1, MAX_MACHINES, "$.machines", "the number of machines"
    )
    return _jobs(root["jobs"], name, num_machines)


def _is_name(name: str) -> bool:
    return 0 < len(name) <= MAX_NAME and name.isprintable() and not name.isspace()


def _jobs(jobs: Any, name: str, num_machines: int) -> JobShop:
    if not isinstance(jobs, list):
        raise InputError(f"the jobs must be a list, not {describe(jobs)}", path="$.jobs")
    if not 1 <= len(jobs) <= MAX_JOBS:
        raise InputError(
            f"the number of jobs must be in 1..{MAX_JOBS}, not {len(jobs)}", path="$.jobs"
        )
    lengths: list[int] = []
    mode_counts: list[int] = []
    pairs: list[int] = []
    for index, job in enumerate(jobs):
        if not isinstance(job, list):
            raise InputError(
                f"a job must be a list of operations, not {describe(job)}", path=f"$.jobs[{index}]"
            )
        lengths.append(len(job))
        flat = _plain(job, num_machines)
        if flat is not None:
            mode_counts.extend([1] * len(job))
            pairs.extend(flat)
            continue
        for op, operation in enumerate(job):
            path = f"$.jobs[{index}][{op}]"
            modes = _modes(operation, num_machines, path)
            mode_counts.append(len(modes))
            pairs.extend(chain.from_iterable(modes))
    modes_array = np.array(pairs, dtype=np.int32).reshape(-1, 2)
    _check_sum(modes_array[:, 1], lengths, mode_counts)
    return JobShop(
        name=name,
        num_machines=num_machines,
        job_ptr=np.cumsum([0, *lengths]).astype(np.int32),
        mode_ptr=np.cumsum([0, *mode_counts]).astype(np.int32),
        mode_machine=modes_array[:, 0],
        mode_duration=modes_array[:, 1],
    )


def _check_sum(duration: np.ndarray, lengths: list[int], mode_counts: list[int]) -> None:
    """InputError with the path of the operation at which the durations sum to too much."""
    if not mode_counts:
        return
    first_mode = np.cumsum([0, *mode_counts[:-1]])
    total = np.cumsum(np.maximum.reduceat(duration, first_mode), dtype=np.int64)
    if total[-1] > MAX_HORIZON:
        op = int(np.argmax(total > MAX_HORIZON))
        last = np.cumsum(lengths)
        job = int(np.searchsorted(last, op, side="right"))
        index = op - int(last[job]) + lengths[job]
        raise InputError(
            f"the durations sum to {total[-1]}, more than the {MAX_HORIZON} that fit",
            path=f"$.jobs[{job}][{index}]",
        )


def _plain(job: list[Any], num_machines: int) -> list[int] | None:
    """All numbers of a job of plain modes that are all right; None sends it the slow way."""
    if set(map(type, job)) != {list} or set(map(len, job)) != {2}:
        return None
    flat = list(chain.from_iterable(job))
    if set(map(type, flat)) != {int}:
        return None
    if min(flat) < 0 or max(flat[0::2]) >= num_machines or max(flat[1::2]) > MAX_HORIZON:
        return None
    return flat


def _modes(operation: Any, num_machines: int, path: str) -> list[list[int]]:
    if not isinstance(operation, list) or not operation:
        raise InputError(
            "an operation must be [machine, duration] or a list of these, "
            f"not {describe(operation)}",
            path=path,
        )
    if not isinstance(operation[0], list):
        return [_mode(operation, num_machines, path)]
    modes = [_mode(mode, num_machines, f"{path}[{at}]") for at, mode in enumerate(operation)]
    seen: set[int] = set()
    for at, (machine, _) in enumerate(modes):
        if machine in seen:
            raise InputError(
                f"machine {machine} is listed twice for one operation", path=f"{path}[{at}]"
            )
        seen.add(machine)
    return modes


def _mode(mode: Any, num_machines: int, path: str) -> list[int]:
    if not isinstance(mode, list) or len(mode) != 2:
        raise InputError(f"expected [machine, duration], not {describe(mode)}", path=path)
    return [
        integer(mode[0], 0, num_machines - 1, f"{path}[0]", "the machine"),
        integer(mode[1], 0, MAX_HORIZON, f"{path}[1]", "the duration"),
    ]


def dumps(instance: JobShop) -> str:
    """JSON text of *instance*, one job on each line."""
    if not _is_name(instance.name):
        raise InputError(
            f"the name must be printable text of 1..{MAX_NAME} characters, "
            f"not {describe(instance.name)}"
        )
    head = json.dumps(
        {
            "schema_version": SCHEMA_VERSION,
            "family": JobShop.family,
            "name": instance.name,
            "machines": instance.num_machines,
        }
    )
    pairs = np.stack((instance.mode_machine, instance.mode_duration), axis=1).tolist()
    mode_ptr = instance.mode_ptr.tolist()
    operations = [
        pairs[start] if stop == start + 1 else pairs[start:stop]
        for start, stop in pairwise(mode_ptr)
    ]
    job_ptr = instance.job_ptr.tolist()
    jobs = ",\n".join(
        json.dumps(operations[start:stop], separators=(",", ":"))
        for start, stop in pairwise(job_ptr)
    )
    return f'{head[:-1]}, "jobs": [\n{jobs}\n]}}\n'
