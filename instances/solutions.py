"""Solution files: results as ``docs/result-schema.md`` documents them, read back as schedules."""

from __future__ import annotations

import json
import os
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cpsched import families
from cpsched.errors import InputError
from cpsched.instances import files, machines, migrations, placements
from cpsched.instances.formats import text
from cpsched.instances.formats.native import (
    check_keys,
    describe,
    integer,
    load,
    reject_duplicate,
)
from cpsched.jobshop.solution import Schedule
from cpsched.report import SCHEMA_VERSION, csv_header, solution_record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cpsched.jobshop.instance import JobShop
    from cpsched.protocols import Instance

#: Bytes a file of results may have.
MAX_BYTES = 256 * 2**20

_KEYS = ("job", "index", "machine", "start", "end")
_LARGEST = 2**31 - 1


def read_solution(path: str | os.PathLike[str], instance: Instance) -> Any:
    """Solution of *instance* in a file; see ``parse_solution``."""
    name = os.fsdecode(path)
    if not name:
        raise InputError("no solution file given: the name is empty")
    return parse_solution(files.read_bytes(Path(name), MAX_BYTES), name, instance)


def parse_solution(data: bytes, source: str, instance: Instance) -> Any:
    """Solution of *instance* in the content of a solution file; see ``parse_result``."""
    return parse_result(data, source, instance)[1]


def parse_result(data: bytes, source: str, instance: Instance) -> tuple[dict[str, Any], Any]:
    """The JSON object for *instance* in the content of a solution file, and its solution.

    The object is ``parse_record``'s, the solution ``solution_of``'s.
    """
    record, line = parse_record(data, source, instance)
    return record, solution_of(record, line, source, instance)


def parse_record(
    data: bytes, source: str, instance: Instance
) -> tuple[dict[str, Any], int | None]:
    """The JSON object for *instance* in the content of a solution file, and its line if several.

    The content is one result (``{"solution": {"operations": [...]}, ...}``), one bare solution
    (``{"operations": [...]}``, of pods ``{"placements": {...}}``, of VMs
    ``{"migrations": [...]}``, of a machine reassignment ``{"machines": [...]}``), or results on
    one line each,
    of which the one whose ``instance`` is the name of *instance* is taken. Whether the solution
    keeps the rules of its problem, and what else the object states, is not looked at here.

    Raises
    ------
    InputError
        With the line of what is wrong: not JSON, no object, no or several results for the
        instance.
    """
    try:
        if len(data) > MAX_BYTES:
            raise files.too_large(len(data), MAX_BYTES)
        content = text.decode(data)
        if content.lstrip().startswith(csv_header(instance.family).strip()):
            raise InputError(
                "this is the CSV of a result; the JSON is needed (cpsched solve -o FILE.json)"
            )
        line, found = _select(content, instance)
        if not isinstance(found, dict):
            raise InputError(f"a result must be an object, not {describe(found)}", path="$")
        return found, line
    except InputError as error:
        raise error.at(files.display(source)) from None


def solution_of(record: dict[str, Any], line: int | None, source: str, instance: Instance) -> Any:
    """Solution of *instance* in *record*, which stands on *line* of *source*.

    Raises
    ------
    InputError
        With line and JSON path of what is wrong: no solution in it, an operation or pod missing,
        unknown or given twice, a value that is not an integer.
    """
    try:
        return _solution(record, instance)
    except InputError as error:
        shown = InputError(error.reason, line=line, path=error.path)
        raise shown.at(files.display(source)) from None


def solution_to_json(instance: Instance, solution: Any) -> dict[str, Any]:
    """What ``parse_solution`` reads, such as ``{"operations": [...]}``."""
    return solution_record(instance, solution)


def _select(content: str, instance: Instance) -> tuple[int | None, Any]:
    """The result or solution for *instance*, and its line if the file holds one on each."""
    if not content or content.isspace():
        raise InputError("the file is empty")
    first_two = list(islice(_filled_lines(content), 2))
    if not _is_lines(first_two):
        return None, _load(content, instance)
    name = instance.name
    spellings = (json.dumps(name), json.dumps(name, ensure_ascii=False))
    matches: list[tuple[int, Any]] = []
    total = 0
    for number, line in _filled_lines(content):
        total += 1
        # Only lines that name the instance are parsed: the others may be many and large.
        if any(spelling in line for spelling in spellings):
            try:
                found = _load(line, instance)
            except InputError as error:
                raise InputError(error.reason, line=number) from None
            if isinstance(found, dict) and found.get("instance") == name:
                matches.append((number, found))
    if not matches:
        raise InputError(f"none of the {total} results is for instance {name}")
    if len(matches) > 1:
        numbers = ", ".join(str(number) for number, _ in matches[:5])
        more = ", ..." if len(matches) > 5 else ""
        raise InputError(
            f"{len(matches)} results are for instance {name} (lines {numbers}{more}); keep one"
        )
    return matches[0]


def _filled_lines(content: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.split_lines(content), start=1):
        if line and not line.isspace():
            yield number, line.strip()


def _is_lines(first_two: list[tuple[int, str]]) -> bool:
    """Whether a text is one object on each line, and not one object on several lines."""
    if len(first_two) < 2:
        return False
    (_, first), (_, second) = first_two
    return first.startswith("{") and first.endswith("}") and second.startswith("{")


def _load(content: str, instance: Instance) -> Any:
    # Nothing sensible about one instance is longer; a longer text is refused unparsed.
    family = families.of(instance)
    if len(content) > 2**20 + 1024 * family.items(instance):
        raise InputError(
            f"{len(content)} characters are too many for a {family.SOLUTION} of "
            f"{instance.name}, {family.shape(instance)}"
        )
    return load(content)


def _solution(root: dict[str, Any], instance: Instance) -> Any:
    key, read = _READERS[instance.family]
    reject_duplicate(root, "$")
    if key in root:
        return read(root, "$", instance)
    if "solution" not in root:
        raise InputError(f"expected the key 'solution' or the key {key!r}", path="$")
    version = root.get("schema_version", SCHEMA_VERSION)
    if type(version) is not int or version != SCHEMA_VERSION:
        raise InputError(
            f"the version must be {SCHEMA_VERSION}, not {describe(version)}",
            path="$.schema_version",
        )
    solution = root["solution"]
    if solution is None:
        raise InputError("the result holds no solution", path="$.solution")
    if not isinstance(solution, dict):
        raise InputError(
            f"a solution must be an object, not {describe(solution)}", path="$.solution"
        )
    reject_duplicate(solution, "$.solution")
    if key not in solution:
        raise InputError(f"the key {key!r} is missing", path="$.solution")
    return read(solution, "$.solution", instance)


def _operations(solution: dict[str, Any], parent: str, instance: JobShop) -> Schedule:
    path = f"{parent}.operations"
    if set(solution) != {"operations"}:
        extra = next(key for key in solution if key != "operations")
        raise InputError(f"unknown key {extra[:40]!a}; allowed is operations", path=parent)
    entries = solution["operations"]
    if not isinstance(entries, list):
        raise InputError(f"the operations must be a list, not {describe(entries)}", path=path)
    values = np.zeros((3, instance.num_ops), dtype=np.int32)
    seen = np.zeros(instance.num_ops, dtype=np.bool_)
    first = instance.job_ptr.tolist()
    for at, entry in enumerate(entries):
        job, index, *rest = _entry(entry, f"{path}[{at}]", first)
        op = first[job] + index
        if seen[op]:
            raise InputError(
                f"job {job}, operation {index} occurs a second time", path=f"{path}[{at}]"
            )
        seen[op] = True
        values[:, op] = rest
    if not seen.all():
        op = int(np.argmin(seen))
        job = int(instance.job[op])
        raise InputError(
            f"job {job}, operation {op - first[job]} is missing; "
            f"{int(seen.sum())} of {instance.num_ops} operations are there",
            path=path,
        )
    return Schedule(machine=values[0], start=values[1], end=values[2])


def _entry(entry: Any, path: str, first: list[int]) -> list[int]:
    """``[job, index, machine, start, end]`` of one operation."""
    check_keys(entry, _KEYS, path, "an operation")
    job = integer(entry["job"], 0, len(first) - 2, f"{path}.job", "the job")
    length = first[job + 1] - first[job]
    if length == 0:
        raise InputError(f"job {job} has no operations", path=f"{path}.job")
    index = integer(entry["index"], 0, length - 1, f"{path}.index", "the index")
    return [
        job,
        index,
        *(
            integer(entry[key], -_LARGEST, _LARGEST, f"{path}.{key}", f"the {key}")
            for key in ("machine", "start", "end")
        ),
    ]


#: For each family, the key by which a solution is known, and what reads it.
_READERS: dict[str, tuple[str, Callable[[dict[str, Any], str, Any], Any]]] = {
    "jobshop": ("operations", _operations),
    "pods": (placements.KEY, placements.parse),
    "vms": (migrations.KEY, migrations.parse),
    "reassignment": (machines.KEY, machines.parse),
}
