"""The format of the ROADEF/EURO challenge 2012: a model, and beside it the initial assignment.

The model, numbers only: resources (transient, load weight), machines (neighbourhood, location,
capacities, safety capacities, costs of a move to each machine), services (least spread, number of
dependencies, the services), processes (service, requirements, move cost), balances (two resources
and a target, then on a line of its own the weight), and the weights of process, service and
machine move costs. Before each kind stands its number; everything counts from 0. The assignment is
one machine for each process. ``model_X.txt`` goes with ``assignment_X.txt`` in the same folder.
"""

from __future__ import annotations

import re
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import numpy as np

from cpsched.errors import InputError
from cpsched.instances.formats import text
from cpsched.reassignment.instance import MAX_AMOUNT, MAX_RESOURCES, Reassignment, check_counts

if TYPE_CHECKING:
    from collections.abc import Iterator

#: What the names of the two files begin with.
MODEL, ASSIGNMENT = "model_", "assignment_"

#: Characters in which the head of a model, up to the number of machines, has ended.
_BEGINNING = 8_192

#: A number n, n lines of two numbers of which the first is 0 or 1, a number.
_ONE = re.compile(r"[0-9]{1,9}")
_RESOURCE = re.compile(r"[01][ \t]+[0-9]{1,10}")


def fits(content: str) -> bool:
    """Whether a text begins as a model does, and no other format."""
    rows = (line.strip() for line in text.split_lines(content[:_BEGINNING]) if line.strip())
    first = next(rows, "")
    if not _ONE.fullmatch(first) or not 1 <= int(first) <= MAX_RESOURCES:
        return False
    resources = list(islice(rows, int(first)))
    return all(map(_RESOURCE.fullmatch, resources)) and bool(_ONE.fullmatch(next(rows, "")))


def is_named(source: str) -> bool:
    """Whether a file is called as a model is."""
    path = Path(source)
    return path.name.startswith(MODEL) and path.suffix == ".txt"


def instance_name(stem: str) -> str:
    """Name of the instance in a file: X of ``model_X``."""
    return stem.removeprefix(MODEL) or stem


def companion(source: str) -> Path:
    """File with the initial assignment of the model in *source*; InputError if it has no name."""
    path = Path(source)
    if not path.name.startswith(MODEL):
        raise InputError(
            "the file with the initial assignment cannot be told from this name; a model is "
            f"called {MODEL}X.txt and goes with {ASSIGNMENT}X.txt in the same folder"
        )
    return path.with_name(ASSIGNMENT + path.name.removeprefix(MODEL))


class _Rows:
    """The lines of a text one by one, blank ones left out, with the errors of each."""

    def __init__(self, content: str) -> None:
        self._lines: Iterator[tuple[int, str]] = (
            (number, line.strip())
            for number, line in enumerate(text.split_lines(content), start=1)
            if line.strip()
        )
        self.line = 0

    def take(self, what: str, length: int | None, where: str = "") -> list[int]:
        """Numbers of the next line, *length* of them (None: any number), of *what*."""
        number, content = next(self._lines, (0, ""))
        if not number:
            raise InputError(f"the file ends before {what}{where}", line=self.line or None)
        self.line = number
        values = text.integers(content)
        if values is None:
            self.fail(f"{what}{where}: integers are needed, not {text.quote(content)}")
        if length is not None and len(values) != length:
            self.fail(f"{what}{where}: {length} numbers are needed, not {len(values)}")
        for value in values:
            if not 0 <= value <= MAX_AMOUNT:
                self.fail(f"{what}{where}: {value} is out of range; 0..{MAX_AMOUNT} is allowed")
        return values.tolist()

    def count(self, what: str) -> int:
        """The number of *what*, on a line of its own."""
        return self.take(f"the number of {what}", 1)[0]

    def index(self, value: int, number: int, what: str) -> None:
        """Fail unless *value* counts one of *number* things."""
        if value >= number:
            self.fail(f"{what} {value} does not exist; there are {number}, counted from 0")

    def end(self) -> None:
        """Fail if there is another line."""
        for number, content in self._lines:
            raise InputError(f"nothing may follow here, not {text.quote(content)}", line=number)

    def fail(self, reason: str) -> NoReturn:
        """Raise InputError at this line."""
        raise InputError(reason, line=self.line)


def parse_assignment(content: str, num_processes: int, num_machines: int) -> list[int]:
    """Machine of each process; InputError with the line of what is wrong."""
    rows = _Rows(content)
    found = rows.take("the machines of the processes", num_processes)
    for machine in found:
        rows.index(machine, num_machines, "machine")
    rows.end()
    return found


def parse_model(content: str, name: str) -> Reassignment:
    """Instance of a model with every process on machine 0; InputError with the line."""
    rows = _Rows(content)
    num_resources = _count(rows, "resources")
    resources = []
    for r in range(num_resources):
        resources.append(rows.take("resource", 2, f" {r}"))
        if resources[-1][0] > 1:
            rows.fail(f"transient is 0 or 1, not {resources[-1][0]}")
    num_machines = _count(rows, "machines")
    width = 2 + 2 * num_resources + num_machines
    machines = np.array(
        [rows.take("machine", width, f" {m}") for m in range(num_machines)], dtype=np.int64
    )
    num_services = _count(rows, "services")
    spread_min, dependency = _services(rows, num_services)
    num_processes = _count(rows, "processes")
    processes = np.zeros((num_processes, num_resources + 2), dtype=np.int64)
    for p in range(num_processes):
        processes[p] = rows.take("process", num_resources + 2, f" {p}")
        rows.index(int(processes[p, 0]), num_services, "service")
    balance, balance_weight = _balances(rows, num_resources)
    weights = rows.take("the weights of process, service and machine moves", 3)
    rows.end()
    safe_at = 2 + num_resources
    costs_at = safe_at + num_resources
    return Reassignment(
        name=name,
        transient=np.array([transient for transient, _ in resources]),
        load_weight=np.array([weight for _, weight in resources]),
        neighbourhood=machines[:, 0].astype(np.int32),
        location=machines[:, 1].astype(np.int32),
        capacity=machines[:, 2:safe_at],
        safety=machines[:, safe_at:costs_at],
        machine_move_cost=machines[:, costs_at:],
        spread_min=np.array(spread_min),
        dependency=np.array(dependency, dtype=np.int32).reshape(-1, 2),
        service=processes[:, 0].astype(np.int32),
        requirement=processes[:, 1:-1],
        process_move_cost=processes[:, -1],
        balance=np.array(balance, dtype=np.int64).reshape(-1, 3),
        balance_weight=np.array(balance_weight, dtype=np.int64),
        process_weight=weights[0],
        service_weight=weights[1],
        machine_weight=weights[2],
        machine=np.zeros(num_processes, dtype=np.int32),
    )


def _count(rows: _Rows, what: str) -> int:
    found = rows.count(what)
    counts = dict.fromkeys(("resources", "machines", "services", "processes"), 1)
    counts[what] = found
    try:
        check_counts(**counts)
    except InputError as error:
        rows.fail(error.reason)
    return found


def _services(rows: _Rows, number: int) -> tuple[list[int], list[tuple[int, int]]]:
    spread_min, dependency = [], []
    for service in range(number):
        least, *others = rows.take("service", None, f" {service}")
        if not others or len(others) != 1 + others[0]:
            rows.fail(
                f"service {service}: the least spread, the number of dependencies and as many "
                "services are needed"
            )
        for other in others[1:]:
            rows.index(other, number, "service")
            dependency.append((service, other))
        spread_min.append(least)
    return spread_min, dependency


def _balances(rows: _Rows, num_resources: int) -> tuple[list[list[int]], list[int]]:
    balance, weight = [], []
    for number in range(rows.count("balances")):
        balance.append(rows.take("balance", 3, f" {number}"))
        for resource in balance[-1][:2]:
            rows.index(resource, num_resources, "resource")
        weight.append(rows.take("the weight of balance", 1, f" {number}")[0])
    return balance, weight


def dumps_model(instance: Reassignment) -> str:
    """Text of the model of *instance*, which says nothing of where the processes are now."""
    rows: list[list[int]] = [[instance.num_resources]]
    rows += np.column_stack((instance.transient, instance.load_weight)).tolist()
    rows.append([instance.num_machines])
    rows += np.column_stack(
        (
            instance.neighbourhood,
            instance.location,
            instance.capacity,
            instance.safety,
            instance.machine_move_cost,
        )
    ).tolist()
    needs: list[list[int]] = [[] for _ in range(instance.num_services)]
    for service, other in instance.dependency.tolist():
        needs[service].append(other)
    rows.append([instance.num_services])
    rows += [
        [least, len(others), *others]
        for least, others in zip(instance.spread_min.tolist(), needs, strict=True)
    ]
    rows.append([instance.num_processes])
    rows += np.column_stack(
        (instance.service, instance.requirement, instance.process_move_cost)
    ).tolist()
    rows.append([len(instance.balance)])
    for triple, weight in zip(
        instance.balance.tolist(), instance.balance_weight.tolist(), strict=True
    ):
        rows += [triple, [weight]]
    rows.append([instance.process_weight, instance.service_weight, instance.machine_weight])
    return _lines(rows)


def dumps_assignment(instance: Reassignment) -> str:
    """Text of where the processes of *instance* are now."""
    return _lines([instance.machine.tolist()])


def texts(instance: Reassignment, path: Path) -> dict[Path, str]:
    """Text of the model, to be written to *path*, and of the assignment that goes with it."""
    return {path: dumps_model(instance), companion(str(path)): dumps_assignment(instance)}


def _lines(rows: list[list[int]]) -> str:
    return "".join(" ".join(map(str, row)) + "\n" for row in rows)
