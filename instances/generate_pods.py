"""Random scenarios of pod packing, bit-exact after the published generator."""

from __future__ import annotations

import hashlib
import random
from fractions import Fraction
from math import ceil

from cpsched.errors import InputError
from cpsched.instances.formats.scenario import (
    MAX_NODES,
    MAX_PODS,
    MAX_SEED,
    ReplicaSet,
    Scenario,
)

_REPLICAS = 4
_CPU = (100, 1000)  # millicores
_MEMORY = (100_000_000, 1_000_000_000)  # bytes


def scenario(
    nodes: int, pods_per_node: int, priorities: int, utilisation: float, seed: int
) -> Scenario:
    """Scenario of H. D. Christensen, S. Giallorenzo and J. Mauro, Priority Matters (2025).

    ReplicaSets of one to four pods, requests uniform in 100..1000 millicores and 100..1000 MB,
    priorities uniform; nodes are as large as *utilisation* makes them. Replicas, CPU, memory and
    priority come from a generator each, so that they do not depend on each other.

    Parameters
    ----------
    nodes, pods_per_node, priorities
        At least 1 each.
    utilisation
        All requests over all nodes, above 0.
    seed
        0..2^64 - 1.
    """
    for value, what, least, most in (
        (nodes, "number of nodes", 1, MAX_NODES),
        (pods_per_node, "number of pods per node", 1, MAX_PODS),
        (nodes * pods_per_node, "number of pods", 1, MAX_PODS),
        (priorities, "number of priorities", 1, 1_000_000_000),
        (seed, "seed", 0, MAX_SEED),
    ):
        if not least <= value <= most:
            raise InputError(f"the {what} must be in {least}..{most}, not {value}")
    if not 0.01 <= utilisation <= 100:
        raise InputError(f"the utilisation must be in 0.01..100, not {utilisation}")
    sizes = _stream(seed, "rs-sizes")
    replicas: list[int] = []
    left = nodes * pods_per_node
    while left:
        replicas.append(sizes.randint(1, min(_REPLICAS, left)))
        left -= replicas[-1]
    cpu, memory, base = (_stream(seed, label) for label in ("rs-cpu", "rs-mem", "base"))
    groups = []
    for number, count in enumerate(replicas, start=1):
        priority = base.randint(1, priorities)
        groups.append(
            ReplicaSet(
                name=f"rs-{number:02d}-p{priority}",
                replicas=count,
                cpu_m=cpu.randint(*_CPU),
                mem_b=memory.randint(*_MEMORY),
                priority=priority,
            )
        )
    return Scenario(
        seed=seed,
        nodes=nodes,
        node_cpu_m=_node_size([(g.replicas, g.cpu_m) for g in groups], nodes, utilisation),
        node_mem_b=_node_size([(g.replicas, g.mem_b) for g in groups], nodes, utilisation),
        priorities=priorities,
        util=utilisation,
        replicasets=tuple(groups),
    )


def _stream(seed: int, label: str) -> random.Random:
    """Generator of one kind of number: equal seeds and labels give equal streams."""
    digest = hashlib.blake2b(seed.to_bytes(16, "big"), digest_size=16)
    digest.update(b"\x00" + label.encode())
    return random.Random(int.from_bytes(digest.digest(), "big"))


def _node_size(requests: list[tuple[int, int]], nodes: int, utilisation: float) -> int:
    """Size at which all requests are *utilisation* of all nodes; no pod is larger than a node."""
    total = sum(count * amount for count, amount in requests)
    # In floating point, as the published generator divides.
    size = ceil(Fraction(ceil(total / utilisation), nodes))
    return max(size, *(amount for _, amount in requests))
