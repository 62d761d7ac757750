"""Models for the tests of environments: families, and models as a user would bring them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from ortools.sat.python import cp_model

from cpsched.construct import assignment_decisions, formulation_of, schedule_decisions
from cpsched.jobshop.instance import JobShop
from cpsched.jobshop.model import formulate
from cpsched.pods.model import formulate as formulate_pods

if TYPE_CHECKING:
    from collections.abc import Callable

    from cpsched.formulation import Formulation


def random_flexible_job_shop(seed: int, num_jobs: int = 3, num_machines: int = 3) -> JobShop:
    """Flexible job shop; every operation can run on one to three machines."""
    rng = np.random.default_rng(seed)
    jobs = [
        [
            [
                (int(machine), int(rng.integers(1, 10)))
                for machine in rng.choice(
                    num_machines, int(rng.integers(1, num_machines + 1)), replace=False
                )
            ]
            for _ in range(int(rng.integers(1, 4)))
        ]
        for _ in range(num_jobs)
    ]
    return JobShop.flexible(f"flexible-{seed}", num_machines, jobs)


def project(seed: int, count: int = 8) -> cp_model.CpModel:
    """Resource-constrained project: precedences, two cumulative resources, makespan."""
    rng = np.random.default_rng(seed)
    model = cp_model.CpModel()
    sizes = rng.integers(0, 6, count).tolist()
    horizon = sum(sizes) + 1
    starts = [model.new_int_var(0, horizon, f"start{k}") for k in range(count)]
    intervals = [
        model.new_fixed_size_interval_var(start, size, f"activity{k}")
        for k, (start, size) in enumerate(zip(starts, sizes, strict=True))
    ]
    makespan = model.new_int_var(0, horizon, "makespan")
    for k in range(count):
        for before in rng.choice(k, min(k, 2), replace=False).tolist():
            if rng.random() < 0.5:
                model.add(starts[before] + sizes[before] <= starts[k])
        model.add(starts[k] + sizes[k] <= makespan)
    for resource in range(2):
        demands = rng.integers(0, 4, count).tolist()
        model.add_cumulative(intervals, demands, 4).with_name(f"resource{resource}")
    model.minimize(makespan)
    return model


def alternatives(seed: int) -> cp_model.CpModel:
    """Flexible job shop whose alternatives have variables of their own, tied to the task's."""
    rng = np.random.default_rng(seed)
    model = cp_model.CpModel()
    horizon = 60
    machines: list[list[cp_model.IntervalVar]] = [[] for _ in range(3)]
    ends = []
    for job in range(3):
        previous: Any = None
        for task in range(3):
            name = f"job{job}_task{task}"
            start = model.new_int_var(0, horizon, f"start_{name}")
            end = model.new_int_var(0, horizon, f"end_{name}")
            length = model.new_int_var(1, 6, f"length_{name}")
            model.new_interval_var(start, length, end, name)
            if previous is not None:
                model.add(start >= previous)
            previous = end
            chosen = []
            for machine in rng.choice(3, int(rng.integers(1, 4)), replace=False).tolist():
                here = model.new_bool_var(f"{name}_on{machine}")
                begin = model.new_int_var(0, horizon, f"start_{name}_on{machine}")
                size, until = int(rng.integers(1, 7)), model.new_int_var(0, horizon, "")
                machines[machine].append(
                    model.new_optional_interval_var(begin, size, until, here, f"{name}_{machine}")
                )
                model.add(start == begin).only_enforce_if(here)
                model.add(length == size).only_enforce_if(here)
                model.add(end == until).only_enforce_if(here)
                chosen.append(here)
            model.add_exactly_one(chosen)
        ends.append(previous)
    for intervals in machines:
        model.add_no_overlap(intervals)
    makespan = model.new_int_var(0, horizon, "makespan")
    model.add_max_equality(makespan, ends)
    model.minimize(makespan)
    return model


def optional_intervals(seed: int, count: int = 6) -> cp_model.CpModel:
    """One machine with more work than time: every job done brings its profit; maximised."""
    rng = np.random.default_rng(seed)
    model = cp_model.CpModel()
    sizes = rng.integers(1, 6, count).tolist()
    deadline = sum(sizes) // 2 + 1
    intervals, gains = [], []
    for k, size in enumerate(sizes):
        done = model.new_bool_var(f"done{k}")
        start = model.new_int_var(0, max(0, deadline - size), f"start{k}")
        intervals.append(model.new_optional_fixed_size_interval_var(start, size, done, f"job{k}"))
        gains.append(int(rng.integers(1, 9)) * done)
    model.add_no_overlap(intervals)
    model.maximize(sum(gains) + 3)
    return model


def assignment(seed: int, items: int = 6, bins: int = 3) -> cp_model.CpModel:
    """Items into bins of limited capacity at least cost; there is room for all."""
    rng = np.random.default_rng(seed)
    model = cp_model.CpModel()
    sizes = rng.integers(1, 5, items).tolist()
    capacity = -(-sum(sizes) // bins) + 4
    into = [[model.new_bool_var(f"item{i}_bin{b}") for b in range(bins)] for i in range(items)]
    for literals in into:
        model.add_exactly_one(literals)
    for b in range(bins):
        model.add(sum(sizes[i] * into[i][b] for i in range(items)) <= capacity)
    costs = rng.integers(0, 9, (items, bins)).tolist()
    model.minimize(sum(costs[i][b] * into[i][b] for i in range(items) for b in range(bins)))
    return model


def packing(seed: int, items: int = 6, bins: int = 2) -> cp_model.CpModel:
    """Items into bins at most once, capacities too small for all of them; value maximised."""
    rng = np.random.default_rng(seed)
    model = cp_model.CpModel()
    sizes = rng.integers(1, 6, items).tolist()
    capacity = max(*sizes, sum(sizes) // (bins + 1))
    into = [[model.new_bool_var(f"item{i}_bin{b}") for b in range(bins)] for i in range(items)]
    for literals in into:
        model.add_at_most_one(literals)
    for b in range(bins):
        model.add(sum(sizes[i] * into[i][b] for i in range(items)) <= capacity)
    values = rng.integers(1, 9, items).tolist()
    model.maximize(sum(values[i] * sum(into[i]) for i in range(items)))
    return model


def deadlines(seed: int = 0) -> cp_model.CpModel:
    """One machine on which half of the orders miss a deadline, which shows one or two jobs
    late."""
    rng = np.random.default_rng(seed)
    model = cp_model.CpModel()
    starts, intervals = [], []
    for k, (size, deadline) in enumerate([(1, 13), (5, 14), (4, 19), (5, 16)]):
        start = model.new_int_var(0, deadline - size, f"start{k}")
        starts.append(start)
        intervals.append(model.new_fixed_size_interval_var(start, size, f"job{k}"))
    model.add_no_overlap(intervals).with_name("machine")
    weights = rng.integers(1, 5, len(starts)).tolist()
    model.minimize(sum(w * start for w, start in zip(weights, starts, strict=True)))
    return model


def schedule(model: cp_model.CpModel) -> Formulation[Any]:
    """Formulation of a model that schedules."""
    return formulation_of(model, schedule_decisions(model.proto))


def assign(model: cp_model.CpModel) -> Formulation[Any]:
    """Formulation of a model that assigns."""
    return formulation_of(model, assignment_decisions(model.proto))


def job_shop_formulation(seed: int) -> Formulation[Any]:
    """Formulation of a random classic job shop of 3 x 3."""
    from random_shops import random_job_shop

    return formulate(random_job_shop(seed, 3, 3))


def flexible_formulation(seed: int) -> Formulation[Any]:
    """Formulation of a random flexible job shop."""
    return formulate(random_flexible_job_shop(seed))


#: Rules of pods that never lead into a dead end: whatever is placed, the rest may be left out. The
#: others may ask for more: a companion, a move that makes room, a pod that stays.
OPEN_RULES = ("conflicts", "held", "profiles", "over")


def pods_formulation(seed: int, pods: int = 7, nodes: int = 3) -> Formulation[Any]:
    """Formulation of a random cluster."""
    from random_clusters import random_cluster

    return formulate_pods(random_cluster(seed, pods=pods, nodes=nodes, rules=OPEN_RULES))


#: Formulations from a seed, by name; those of a model that assigns start with "assign".
FORMULATIONS: dict[str, Callable[[int], Formulation[Any]]] = {
    "job shop": job_shop_formulation,
    "flexible job shop": flexible_formulation,
    "project": lambda seed: schedule(project(seed)),
    "alternatives": lambda seed: schedule(alternatives(seed)),
    "optional intervals": lambda seed: schedule(optional_intervals(seed)),
    "assign exactly one": lambda seed: assign(assignment(seed)),
    "assign at most one": lambda seed: assign(packing(seed)),
    "assign pods": pods_formulation,
}
