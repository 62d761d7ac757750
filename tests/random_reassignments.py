"""Small random machine reassignments whose initial assignment keeps all rules."""

from __future__ import annotations

import numpy as np

from cpsched.reassignment.instance import Reassignment


def random_reassignment(
    seed: int, *, machines: int = 3, processes: int = 5, resources: int = 2, tight: float = 1.2
) -> Reassignment:
    """Instance with every kind of rule and cost; *tight*: capacity over what is used at first.

    The rules are made to fit the initial assignment: services have no two processes on a machine
    there, spreads are at most what they are there, and dependencies hold there.
    """
    rng = np.random.default_rng(seed)
    machine = rng.integers(machines, size=processes)
    service = np.zeros(processes, dtype=np.int64)
    members: list[set[int]] = []
    for p in range(processes):
        open_to = [s for s, used in enumerate(members) if machine[p] not in used]
        if open_to and rng.random() < 0.6:
            service[p] = rng.choice(open_to)
        else:
            service[p] = len(members)
            members.append(set())
        members[service[p]].add(int(machine[p]))
    services = len(members)
    neighbourhood = rng.integers(2, size=machines)
    location = rng.integers(max(1, machines - 1), size=machines)
    spread = [len({int(location[m]) for m in used}) for used in members]
    near = [{int(neighbourhood[m]) for m in used} for used in members]
    pairs = [
        (s, t)
        for s in range(services)
        for t in range(services)
        if near[s] <= near[t] and rng.random() < 0.3
    ]
    requirement = rng.integers(0, 10, size=(processes, resources))
    used = np.zeros((machines, resources), dtype=np.int64)
    np.add.at(used, machine, requirement)
    capacity = np.ceil(tight * used).astype(np.int64) + rng.integers(0, 8, size=used.shape)
    balances = int(rng.integers(0, 3))
    return Reassignment(
        name=f"random-{seed}",
        transient=rng.random(resources) < 0.5,
        load_weight=rng.integers(0, 4, size=resources),
        neighbourhood=neighbourhood,
        location=location,
        capacity=capacity,
        safety=(capacity * rng.random(capacity.shape)).astype(np.int64),
        machine_move_cost=rng.integers(0, 3, size=(machines, machines)),
        spread_min=np.array([rng.integers(0, most + 1) for most in spread]),
        dependency=np.array(pairs, dtype=np.int64).reshape(-1, 2),
        service=service,
        requirement=requirement,
        process_move_cost=rng.integers(0, 3, size=processes),
        balance=np.column_stack(
            (
                rng.integers(resources, size=balances),
                rng.integers(resources, size=balances),
                rng.integers(0, 3, size=balances),
            )
        ),
        balance_weight=rng.integers(0, 3, size=balances),
        process_weight=int(rng.integers(3)),
        service_weight=int(rng.integers(3)),
        machine_weight=int(rng.integers(3)),
        machine=machine,
    )
