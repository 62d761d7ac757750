"""What every family's formulation promises: model, check and brute force say the same.

A family joins by one entry in ``FAMILIES``.
"""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from every_plan import best_plan
from hypothesis import given, settings
from hypothesis import strategies as st
from ortools.sat.python import cp_model
from random_clusters import random_cluster
from random_reassignments import random_reassignment
from random_vms import small, steps

from cpsched.checking import check
from cpsched.jobshop.instance import JobShop
from cpsched.jobshop.model import formulate
from cpsched.jobshop.solution import Schedule
from cpsched.pods.model import formulate as formulate_pods
from cpsched.pods.solution import Placement
from cpsched.reassignment.model import formulate as formulate_reassignment
from cpsched.reassignment.solution import Assignment
from cpsched.vms.check import check as check_vms
from cpsched.vms.model import formulate as formulate_vms
from cpsched.vms.solution import Migrations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cpsched.formulation import Formulation
    from cpsched.pods.instance import Cluster
    from cpsched.reassignment.instance import Reassignment
    from cpsched.result import CheckReport
    from cpsched.vms.instance import VmCluster


@dataclass(frozen=True)
class Family:
    """What the contract needs to know about a family.

    tiny: instances small enough for brute force; formulate: their formulation, with room for
    solutions that are not optimal; solutions: correct ones of an instance; changed: a solution
    with one value changed; every: all solutions among which an optimal one must be; check: the
    family's own.
    """

    name: str
    tiny: st.SearchStrategy[Any]
    formulate: Callable[[Any], Formulation[Any]]
    solutions: Callable[[Any], st.SearchStrategy[Any]]
    changed: Callable[[Any, Any], st.SearchStrategy[Any]]
    every: Callable[[Any], Iterator[Any]]
    check: Callable[[Any, Any], CheckReport] = check


def sequential(shop: JobShop, modes: tuple[int, ...], jobs: tuple[int, ...]) -> Schedule:
    """Schedule that starts the next operation of each job in turn as early as it can."""
    machine, start, end = (np.zeros(shop.num_ops, dtype=np.int64) for _ in range(3))
    next_op = shop.job_ptr[:-1].tolist()
    job_free, machine_free = [0] * shop.num_jobs, [0] * shop.num_machines
    for job in jobs:
        op = next_op[job]
        next_op[job] += 1
        machine[op], duration = shop.modes(op)[modes[op]]
        start[op] = max(job_free[job], machine_free[machine[op]])
        end[op] = job_free[job] = machine_free[machine[op]] = start[op] + duration
    return Schedule(machine, start, end)


@st.composite
def job_shops(draw: st.DrawFn, *, choices: int) -> JobShop:
    """Job shop of at most 6 operations, of at most *choices* modes each."""
    num_machines = draw(st.integers(1, 3))
    op = st.lists(
        st.integers(0, num_machines - 1),
        min_size=1,
        max_size=min(choices, num_machines),
        unique=True,
    ).flatmap(
        lambda machines: st.tuples(
            *(st.tuples(st.just(machine), st.integers(0, 6)) for machine in machines)
        )
    )
    jobs = draw(st.lists(st.lists(op, max_size=3), min_size=1, max_size=3))
    while sum(map(len, jobs)) > 6:
        max(jobs, key=len).pop()
    return JobShop.flexible("tiny", num_machines, jobs)


def all_modes(shop: JobShop) -> list[range]:
    """Numbers of the modes of each operation."""
    return [range(len(shop.modes(op))) for op in range(shop.num_ops)]


def semi_active_schedules(shop: JobShop) -> Iterator[Schedule]:
    """Every choice of modes with every order of dispatching: a best schedule is among them."""
    orders = sorted(set(itertools.permutations(shop.job.tolist())))
    for modes in itertools.product(*all_modes(shop)):
        for order in orders:
            yield sequential(shop, modes, order)


@st.composite
def correct_schedules(draw: st.DrawFn, shop: JobShop) -> Schedule:
    """Schedule in some order, with an idle time in front of it."""
    modes = tuple(draw(st.sampled_from(numbers)) for numbers in all_modes(shop))
    order = tuple(draw(st.permutations(shop.job.tolist())))
    schedule = sequential(shop, modes, order)
    delay = draw(st.integers(0, 3))
    return Schedule(schedule.machine, schedule.start + delay, schedule.end + delay)


@st.composite
def changed_schedules(draw: st.DrawFn, shop: JobShop, schedule: Schedule) -> Schedule:
    """Schedule with another start, with or without its end, another end or another machine."""
    fields = {name: getattr(schedule, name).copy() for name in ("machine", "start", "end")}
    if shop.num_ops:
        op = draw(st.integers(0, shop.num_ops - 1))
        shift = draw(st.integers(-8, 8))
        for name in draw(st.sampled_from([("start", "end"), ("start",), ("end",), ("machine",)])):
            fields[name][op] += shift
    return Schedule(**fields)


def roomy(shop: JobShop) -> Formulation[Schedule]:
    """Formulation whose horizon allows the idle times of the schedules above."""
    return formulate(shop, upper_bound=shop.horizon + 20)


def clusters() -> st.SearchStrategy[Cluster]:
    """Clusters of at most 4 pods, with the rules that ask nothing of the way there."""
    rules = ("conflicts", "held", "profiles", "over", "never")
    return st.integers(0, 10**6).map(
        lambda seed: random_cluster(seed, pods=1 + seed % 4, rules=rules)
    )


def all_placements(cluster: Cluster) -> Iterator[Placement]:
    """Every placement that the check accepts."""
    for node in itertools.product(range(-1, cluster.num_nodes), repeat=cluster.num_pods):
        placement = Placement(np.array(node))
        if check(cluster, placement).ok:
            yield placement


def correct_placements(cluster: Cluster) -> st.SearchStrategy[Placement]:
    """One of those."""
    return st.sampled_from(list(all_placements(cluster)))


@st.composite
def changed_placements(draw: st.DrawFn, cluster: Cluster, placement: Placement) -> Placement:
    """Placement with another node, or none, for one pod."""
    node = placement.node.copy()
    node[draw(st.integers(0, cluster.num_pods - 1))] = draw(st.integers(-1, cluster.num_nodes - 1))
    return Placement(node)


def vm_clusters() -> st.SearchStrategy[VmCluster]:
    """Clusters of VMs with one move left: the model says nothing of orders.

    Some plan passes the check, and no VM may move to a place that shares a NUMA node with its own,
    which a step needs twice.
    """

    def possible(cluster: VmCluster) -> bool:
        twice = (cluster.parts == 2) & (np.diff(cluster.numa_ptr)[cluster.pm] > 2)
        return not twice.any() and best_plan(cluster, 1)[0] is not None

    return (
        st.integers(0, 10**6)
        .map(lambda seed: small(random.Random(seed), max_moves=1))
        .filter(possible)
    )


def all_migrations(cluster: VmCluster) -> Iterator[Migrations]:
    """Every plan of one move that the check accepts."""
    for plan in (Migrations(), *(Migrations((move,)) for move in steps(cluster))):
        if check_vms(cluster, plan).ok:
            yield plan


def correct_migrations(cluster: VmCluster) -> st.SearchStrategy[Migrations]:
    """One of those."""
    return st.sampled_from(list(all_migrations(cluster)))


@st.composite
def changed_migrations(draw: st.DrawFn, cluster: VmCluster, plan: Migrations) -> Migrations:
    """Plan with one step more, or another one, of a VM that goes elsewhere, rules aside."""
    kept = draw(st.sampled_from([plan.moves, ()]))
    moved = {move.vm for move in kept}
    possible = [
        move
        for move in steps(cluster)
        if move.vm not in moved and (*move.numa, -1)[:2] != tuple(cluster.numa[move.vm].tolist())
    ]
    return Migrations((*kept, draw(st.sampled_from(possible)))) if possible else plan


def reassignments() -> st.SearchStrategy[Reassignment]:
    """Reassignments of at most 5 processes to 3 machines."""
    return st.integers(0, 10**6).map(
        lambda seed: random_reassignment(seed, processes=1 + seed % 5)
    )


def all_assignments(instance: Reassignment) -> Iterator[Assignment]:
    """Every assignment that the check accepts."""
    for machine in itertools.product(range(instance.num_machines), repeat=instance.num_processes):
        assignment = Assignment(np.array(machine))
        if check(instance, assignment).ok:
            yield assignment


def correct_assignments(instance: Reassignment) -> st.SearchStrategy[Assignment]:
    """One of those."""
    return st.sampled_from(list(all_assignments(instance)))


@st.composite
def changed_assignments(
    draw: st.DrawFn, instance: Reassignment, assignment: Assignment
) -> Assignment:
    """Assignment with another machine for one process."""
    machine = assignment.machine.copy()
    process = draw(st.integers(0, instance.num_processes - 1))
    machine[process] = draw(st.integers(0, instance.num_machines - 1))
    return Assignment(machine)


FAMILIES = [
    Family(
        name="job shop",
        tiny=job_shops(choices=1),
        formulate=roomy,
        solutions=correct_schedules,
        changed=changed_schedules,
        every=semi_active_schedules,
    ),
    Family(
        name="flexible job shop",
        tiny=job_shops(choices=2),
        formulate=roomy,
        solutions=correct_schedules,
        changed=changed_schedules,
        every=semi_active_schedules,
    ),
    Family(
        name="pods",
        tiny=clusters(),
        formulate=formulate_pods,
        solutions=correct_placements,
        changed=changed_placements,
        every=all_placements,
    ),
    Family(
        name="vms",
        tiny=vm_clusters(),
        formulate=formulate_vms,
        solutions=correct_migrations,
        changed=changed_migrations,
        every=all_migrations,
        check=check_vms,
    ),
    Family(
        name="reassignment",
        tiny=reassignments(),
        formulate=formulate_reassignment,
        solutions=correct_assignments,
        changed=changed_assignments,
        every=all_assignments,
    ),
]

every_family = pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)


def solve(model: cp_model.CpModel) -> tuple[str, int]:
    """Status and objective of a model small enough to be solved to the end."""
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.catch_sigint_signal = False
    solver.solve(model)
    return solver.response_proto.status.name, round(solver.objective_value)


def accepted(formulation: Formulation[Any], solution: Any) -> tuple[str, int]:
    """Status and objective of the model in which everything is fixed to *solution*."""
    try:
        model = formulation.fixed(solution)
    except ValueError:
        return "INFEASIBLE", 0
    return solve(model)


@every_family
@given(data=st.data())
def test_correct_solution_has_one_objective(family: Family, data: st.DataObject) -> None:
    instance = data.draw(family.tiny)
    solution = data.draw(family.solutions(instance))
    formulation = family.formulate(instance)
    report = family.check(instance, solution)
    assert report.ok, report.violations
    assert accepted(formulation, solution) == ("OPTIMAL", report.objective)
    assert formulation.objective(solution) == report.objective
    assert formulation.solution(formulation.encode(solution)) == solution


@every_family
@settings(max_examples=300)
@given(data=st.data())
def test_model_and_check_refuse_the_same_changes(family: Family, data: st.DataObject) -> None:
    instance = data.draw(family.tiny)
    solution = data.draw(family.changed(instance, data.draw(family.solutions(instance))))
    report = family.check(instance, solution)
    status, objective = accepted(family.formulate(instance), solution)
    assert status == ("OPTIMAL" if report.ok else "INFEASIBLE"), report.violations
    if report.ok:
        assert objective == report.objective


@every_family
@settings(max_examples=60)
@given(data=st.data())
def test_optimum_is_that_of_brute_force(family: Family, data: st.DataObject) -> None:
    instance = data.draw(family.tiny)
    reports = [family.check(instance, solution) for solution in family.every(instance)]
    assert all(report.ok for report in reports)
    best = min(report.objective for report in reports if report.objective is not None)
    assert solve(family.formulate(instance).model) == ("OPTIMAL", best)


@every_family
@settings(max_examples=60)
@given(data=st.data())
def test_hint_says_the_solution_whole(family: Family, data: st.DataObject) -> None:
    instance = data.draw(family.tiny)
    solution = data.draw(family.solutions(instance))
    formulation = family.formulate(instance)
    formulation.hint(solution)
    hint = formulation.model.proto.solution_hint
    assert list(hint.vars) == list(range(formulation.num_variables))
    assert formulation.solution(list(hint.values)) == solution
