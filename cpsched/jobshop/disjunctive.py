"""The disjunctive graph of a job shop (Roy & Sussmann 1964), for people and tests."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import networkx as nx
import numpy as np

if TYPE_CHECKING:
    from cpsched.jobshop.instance import JobShop
    from cpsched.jobshop.solution import Schedule

#: The nodes before all and after all operations.
SOURCE, SINK = "source", "sink"


def disjunctive_graph(instance: JobShop, schedule: Schedule | None = None) -> nx.DiGraph[Any]:
    """Graph of operations, ``SOURCE`` and ``SINK``.

    Nodes have ``job``, ``position`` (in the job) and ``duration``, the shortest if there is a
    choice. Arcs have ``weight``, the duration of the operation they leave, and ``kind``:

    - ``conjunctive``: from an operation to the next of its job, from the source and to the sink;
    - ``disjunctive``: either way between two operations of different jobs that may run on one
      machine; ``machines`` lists those. A solution turns one of the two off.

    Parameters
    ----------
    instance
        Classic or flexible.
    schedule
        A feasible schedule: durations are then those it takes, nodes have ``start`` and
        ``machine``, and in place of disjunctive arcs stand ``machine`` arcs from every operation
        to the next on its machine. The graph has no cycle, and its longest path is the makespan of
        the schedule with all idle time that orders do not force taken out.
    """
    graph: nx.DiGraph[Any] = nx.DiGraph(name=instance.name)
    graph.add_node(SOURCE)
    for op in range(instance.num_ops):
        job = int(instance.job[op])
        graph.add_node(
            op,
            job=job,
            position=op - int(instance.job_ptr[job]),
            duration=_duration(instance, schedule, op),
        )
        if schedule is not None:
            graph.nodes[op].update(
                machine=int(schedule.machine[op]), start=int(schedule.start[op])
            )
    graph.add_node(SINK)
    _add_jobs(graph, instance)
    if schedule is None:
        _add_pairs(graph, instance)
    else:
        _add_orders(graph, schedule)
    return graph


def _duration(instance: JobShop, schedule: Schedule | None, op: int) -> int:
    if schedule is not None:
        return int(schedule.end[op]) - int(schedule.start[op])
    return min(duration for _, duration in instance.modes(op))


def _weight(graph: nx.DiGraph[Any], node: Any) -> int:
    return int(graph.nodes[node].get("duration", 0))


def _add_jobs(graph: nx.DiGraph[Any], instance: JobShop) -> None:
    for job in range(instance.num_jobs):
        ops = range(int(instance.job_ptr[job]), int(instance.job_ptr[job + 1]))
        for before, after in itertools.pairwise((SOURCE, *ops, SINK)):
            graph.add_edge(before, after, kind="conjunctive", weight=_weight(graph, before))


def _add_pairs(graph: nx.DiGraph[Any], instance: JobShop) -> None:
    able: dict[int, list[int]] = {}
    for op in range(instance.num_ops):
        for machine, _ in instance.modes(op):
            able.setdefault(machine, []).append(op)
    for machine, ops in sorted(able.items()):
        for one, other in itertools.permutations(ops, 2):
            if instance.job[one] == instance.job[other]:
                continue
            if not graph.has_edge(one, other):
                graph.add_edge(
                    one, other, kind="disjunctive", weight=_weight(graph, one), machines=[]
                )
            graph.edges[one, other]["machines"].append(machine)


def _add_orders(graph: nx.DiGraph[Any], schedule: Schedule) -> None:
    # Operations of duration 0 may share a start; along a job their numbers grow.
    numbers = np.arange(len(schedule.start))
    order = np.lexsort((numbers, schedule.end, schedule.start, schedule.machine)).tolist()
    for before, after in itertools.pairwise(order):
        if schedule.machine[before] == schedule.machine[after] and not graph.has_edge(
            before, after
        ):
            graph.add_edge(before, after, kind="machine", weight=_weight(graph, before))
