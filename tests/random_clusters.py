"""Small random clusters with every kind of rule, some of which the current state breaks."""

from __future__ import annotations

import random

import numpy as np

from cpsched.pods.instance import Affinity, Budget, Cluster, Conflict, Policy, Spread

RULES = ("budgets", "conflicts", "affinities", "spreads", "held", "never", "profiles", "over")


def random_cluster(
    seed: int,
    *,
    nodes: int | None = None,
    pods: int | None = None,
    tiers: int = 3,
    rules: tuple[str, ...] = RULES,
) -> Cluster:
    """Cluster of 1 to 4 nodes and up to 9 pods (by default), with each of *rules* half the time.

    Pods come in groups of one owner with equal requests; some run, first fit, some are pending.
    """
    rng = random.Random(f"cluster {seed}")
    num_nodes = nodes or rng.randint(1, 4)
    num_pods = pods or rng.randint(1, 9)
    chosen = {rule for rule in rules if rng.random() < 0.5}
    kinds = [[rng.randint(6, 12), rng.randint(6, 12)] for _ in range(rng.randint(1, 2))]
    allocatable = np.array(
        [[*kinds[rng.randrange(len(kinds))], rng.randint(2, 5)] for _ in range(num_nodes)]
    )
    owner: list[int] = []
    request: list[list[int]] = []
    priority: list[int] = []
    owners = 0
    while len(owner) < num_pods:
        replicas = min(rng.randint(1, 3), num_pods - len(owner))
        bare = rng.random() < 0.1
        size, tier = [rng.randint(0, 7), rng.randint(1, 7), 1], rng.randint(1, tiers)
        for _ in range(replicas):
            owner.append(-1 if bare else owners)
            request.append(size)
            priority.append(tier)
        owners += not bare
    sizes = np.array(request)
    profiles = [[True] * num_nodes]
    if "profiles" in chosen:
        profiles += [[rng.random() < 0.6 for _ in range(num_nodes)] for _ in range(2)]
    free = allocatable.copy()
    if "over" in chosen:
        free[rng.randrange(num_nodes)] += 6  # runs more than it has
    node = []
    for pod in range(num_pods):
        fits = [n for n in range(num_nodes) if (sizes[pod] <= free[n]).all()]
        at = rng.choice(fits) if fits and rng.random() < 0.7 else -1
        node.append(at)
        if at >= 0:
            free[at] -= sizes[pod]

    def some(share: float = 0.4) -> list[int]:
        return [pod for pod in range(num_pods) if rng.random() < share]

    def domains() -> list[int]:
        zones = [
            min(rng.randint(-1 if rng.random() < 0.2 else 0, 1), num_nodes - 1)
            for _ in range(num_nodes)
        ]
        return list(range(num_nodes)) if rng.random() < 0.5 else zones

    conflicts = []
    for k in range(rng.randint(1, 2) if "conflicts" in chosen else 0):
        holders = some()
        targets = holders if rng.random() < 0.5 else some()
        conflicts.append(Conflict(f"conflict {k}", domains(), holders, targets))
    affinities = []
    for k in range(rng.randint(1, 2) if "affinities" in chosen else 0):
        targets = some()
        holders = rng.choice([targets, some(0.3)])
        terms = [domains() for _ in range(rng.randint(1, 2))]
        affinities.append(Affinity(f"affinity {k}", np.array(terms), holders, targets))
    spreads = []
    for k in range(rng.randint(1, 2) if "spreads" in chosen else 0):
        counted = some(0.6)
        holders = rng.choice([counted, some(0.3)])
        spreads.append(
            Spread(
                f"spread {k}", domains(), holders, counted, rng.randint(1, 2), rng.randint(1, 3)
            )
        )
    budgets = []
    left = [pod for pod in range(num_pods) if node[pod] >= 0]
    for k in range(rng.randint(1, 2) if "budgets" in chosen else 0):
        members = [pod for pod in left if rng.random() < 0.5]
        left = [pod for pod in left if pod not in members]
        budgets.append(Budget(f"budget {k}", members, rng.randint(0, 2)))
    held = [""] * num_pods
    if "held" in chosen:
        for pod in some(0.25):
            held[pod] = "mirror pod" if node[pod] >= 0 else "scheduling gate"
    return Cluster(
        name=f"random-{seed}",
        resources=("cpu", "memory", "pods"),
        nodes=tuple(f"node-{n}" for n in range(num_nodes)),
        allocatable=allocatable,
        pods=tuple(f"default/pod-{pod}" for pod in range(num_pods)),
        request=sizes,
        priority=np.array(priority),
        node=np.array(node),
        owners=tuple(f"default/ReplicaSet/rs-{k}" for k in range(owners)),
        owner=np.array(owner),
        allowed=np.array(profiles),
        profile=np.array([rng.randrange(len(profiles)) for _ in range(num_pods)]),
        held=tuple(held),
        preempts=np.array([not ("never" in chosen and rng.random() < 0.3) for _ in owner]),
        grace=np.array([rng.choice([0, 30, 30, 120]) for _ in owner]),
        budgets=tuple(budgets),
        conflicts=tuple(conflicts),
        affinities=tuple(affinities),
        spreads=tuple(spreads),
        policy=Policy(never_moves=rng.random() < 0.3),
    )
