"""The steps of a plan as rows: for tables, CSV and JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cpsched.vms.lanes import schedule

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cpsched.vms.instance import VmCluster
    from cpsched.vms.solution import Migrations


@dataclass(frozen=True, slots=True)
class Step:
    """One migration as people read it; NUMA nodes are counted on their PM, from 0."""

    vm: str
    from_pm: str
    from_numa: list[int]
    to_pm: str
    to_numa: list[int]
    lane: int
    start_s: int
    end_s: int


def steps(cluster: VmCluster, migrations: Migrations) -> list[Step]:
    """The migrations in their order, each with its lane and its time.

    Raises
    ------
    PlanError
        If the plan cannot be carried out.
    """
    numa = cluster.numa.copy()
    found = []
    for move, lane in zip(migrations.moves, schedule(cluster, migrations), strict=True):
        before = [one for one in numa[move.vm].tolist() if one >= 0]
        numa[move.vm] = (*move.numa, -1)[:2]
        source, target = int(cluster.numa_pm[before[0]]), int(cluster.numa_pm[move.numa[0]])
        found.append(
            Step(
                vm=cluster.vms[move.vm],
                from_pm=cluster.pms[source],
                from_numa=[one - int(cluster.numa_ptr[source]) for one in before],
                to_pm=cluster.pms[target],
                to_numa=[one - int(cluster.numa_ptr[target]) for one in move.numa],
                lane=lane.lane,
                start_s=lane.start_s,
                end_s=lane.end_s,
            )
        )
    return found


def csv_rows(cluster: VmCluster, migrations: Migrations) -> Iterator[tuple[Any, ...]]:
    """``(step, vm, from_pm, from_numa, to_pm, to_numa, lane, start_s, end_s)`` of every step."""
    for number, step in enumerate(steps(cluster, migrations), 1):
        yield (
            number,
            step.vm,
            step.from_pm,
            _joined(step.from_numa),
            step.to_pm,
            _joined(step.to_numa),
            step.lane,
            step.start_s,
            step.end_s,
        )


def _joined(numbers: list[int]) -> str:
    return "+".join(map(str, numbers))


def rows_of(planned: Sequence[Step]) -> list[tuple[str, ...]]:
    """Cells of each step, a header first."""
    rows: list[tuple[str, ...]] = [("step", "VM", "from", "to", "lane", "start", "end")]
    for number, step in enumerate(planned, 1):
        rows.append(
            (
                str(number),
                one_line(step.vm),
                one_line(f"{step.from_pm}:{_joined(step.from_numa)}"),
                one_line(f"{step.to_pm}:{_joined(step.to_numa)}"),
                str(step.lane),
                f"{step.start_s} s",
                f"{step.end_s} s",
            )
        )
    return rows


def aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """*rows* as lines with aligned columns; names to the left, numbers to the right."""
    width = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [
            cell.ljust(width[k]) if k in (1, 2, 3) else cell.rjust(width[k])
            for k, cell in enumerate(row)
        ]
        lines.append("  ".join(cells))
    return lines


def one_line(text: str) -> str:
    """*text* without line breaks or control characters, which would end a line."""
    return "".join(mark if mark.isprintable() else "?" for mark in text)
