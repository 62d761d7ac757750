"""A large cluster as ``kubectl get -o json`` would print it, from a seed.

Four classes of nodes in three zones, one of them tainted for GPUs; Deployments with replicas,
some with a selector, host anti-affinity, zone spread or a budget; two DaemonSets. Running pods are
spread over the nodes, least requested first; many pending ones are larger than what is left of
any node.

    python -m pods_benchmark.snapshot snapshot.json --nodes 5000 --pods 50000 --pending 500
"""

from __future__ import annotations

import argparse
import json
import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

_GIB = 2**30
#: Share of the nodes, name, cores, GiB, GPUs, tainted.
_CLASSES = (
    (0.60, "general-16", 16, 64, 0),
    (0.25, "general-32", 32, 128, 0),
    (0.10, "memory-64", 64, 512, 0),
    (0.05, "gpu-32", 32, 256, 8),
)
_ZONES = ("zone-a", "zone-b", "zone-c")
_HOST, _ZONE, _CLASS = "kubernetes.io/hostname", "topology.kubernetes.io/zone", "node-class"
_WHEN = "2026-01-01T00:00:00Z"
#: Name, priority.
_TIERS = (("batch", 0), ("service", 1000), ("critical", 100_000))


@dataclass
class _Owner:
    """A Deployment's ReplicaSet; milli: of a core; memory in MiB."""

    name: str
    milli: int
    memory: int
    tier: int
    gpu: int = 0
    selector: str = ""
    apart: bool = False
    spread: bool = False
    nodes: list[int] = field(default_factory=list)


def build(nodes: int, pods: int, pending: int, seed: int, fill: float = 0.93) -> dict[str, Any]:
    """The ``List``; fill: requested share of all cores before the pending pods."""
    rng = random.Random(seed)
    kinds = rng.choices(range(4), [share for share, *_ in _CLASSES], k=nodes)
    size = np.array([[1000 * _CLASSES[k][2] - 200, 1024 * _CLASSES[k][3] - 1024] for k in kinds])
    size = np.column_stack([size, [_CLASSES[k][4] for k in kinds], [110] * nodes]).astype(float)
    free = size.copy()
    zone = np.array([rng.randrange(len(_ZONES)) for _ in range(nodes)])
    daemons = [_Owner("logs", 100, 200, 2), _Owner("net", 150, 128, 2)]
    for owner in daemons:
        owner.nodes = list(range(nodes))
        free -= [owner.milli, owner.memory, 0, 1]
    running = pods - pending - 2 * nodes
    mean = fill * size[:, 0].sum() / max(1, running)
    owners: list[_Owner] = []
    left = running
    while left > 0:
        replicas = min(left, rng.choice((1, 2, 3, 3, 5, 8, 12, 20, 40)))
        owner = _random_owner(rng, len(owners), mean)
        for _ in range(replicas):
            node = _best(owner, free, size, zone, kinds)
            if node < 0:
                break
            owner.nodes.append(node)
            free[node] -= [owner.milli, owner.memory, owner.gpu, 1]
        placed = len(owner.nodes)
        if placed:
            owners.append(owner)
            left -= placed
        else:
            mean *= 0.98  # nothing of that size fits any more
    waiting = _pending(rng, free, kinds, pending, len(owners))
    return _document(kinds, zone, daemons, owners, waiting, rng)


def _random_owner(rng: random.Random, number: int, mean: float) -> _Owner:
    milli = max(50, round(rng.choice((0.2, 0.5, 0.8, 1.0, 1.5, 2.0)) * mean / 50) * 50)
    owner = _Owner(
        f"app-{number:05d}",
        milli,
        round(milli * rng.choice((1.0, 2.0, 3.5)) / 64) * 64 + 64,
        rng.choices((0, 1, 2), (3, 6, 1))[0],
    )
    owner.apart, owner.spread = rng.random() < 0.15, rng.random() < 0.10
    if rng.random() < 0.08:
        owner.gpu, owner.selector = 1, "gpu-32"
    elif rng.random() < 0.2:
        owner.selector = rng.choice(("general-16", "general-32", "memory-64"))
    return owner


def _best(owner: _Owner, free: Any, size: Any, zone: Any, kinds: list[int]) -> int:
    need = np.array([owner.milli, owner.memory, owner.gpu, 1.0])
    ok = (free >= need).all(axis=1)
    names = np.array([entry[1] for entry in _CLASSES])[kinds]
    ok &= (names == owner.selector) if owner.selector else (names != "gpu-32")
    if owner.apart:
        ok[owner.nodes] = False
    if owner.spread:
        count = np.bincount(zone[owner.nodes], minlength=len(_ZONES))
        ok &= count[zone] == count.min()
    if not ok.any():
        return -1
    score = (free[:, 0] / size[:, 0] + free[:, 1] / size[:, 1]) * ok - (~ok)
    return int(np.argmax(score))


def _pending(
    rng: random.Random, free: Any, kinds: list[int], count: int, number: int
) -> list[tuple[_Owner, int]]:
    """Owners and replicas that wait: from half to twice of the largest gap of ordinary nodes."""
    ordinary = np.array([_CLASSES[k][4] == 0 for k in kinds])
    gap = float(np.quantile(free[ordinary, 0], 0.98))
    waiting: list[tuple[_Owner, int]] = []
    while count:
        replicas = min(count, rng.choice((1, 2, 3, 5, 8)))
        milli = max(100, round(gap * rng.uniform(0.3, 1.6) / 50) * 50)
        owner = _Owner(f"new-{number + len(waiting):05d}", milli, milli, rng.choice((0, 1, 1, 2)))
        owner.apart = rng.random() < 0.15
        waiting.append((owner, replicas))
        count -= replicas
    return waiting


def _document(
    kinds: list[int],
    zone: Any,
    daemons: list[_Owner],
    owners: list[_Owner],
    waiting: list[tuple[_Owner, int]],
    rng: random.Random,
) -> dict[str, Any]:
    items: list[dict[str, Any]] = [
        {
            "apiVersion": "scheduling.k8s.io/v1",
            "kind": "PriorityClass",
            "metadata": {"name": name},
            "value": value,
        }
        for name, value in _TIERS
    ]
    names = [f"node-{k:05d}" for k in range(len(kinds))]
    items += [_node(names[k], kind, _ZONES[zone[k]]) for k, kind in enumerate(kinds)]
    for owner in daemons:
        items += [_pod(owner, k, names[k], "DaemonSet") for k in owner.nodes]
    for owner in owners:
        items += [_pod(owner, k, names[n], "ReplicaSet") for k, n in enumerate(owner.nodes)]
        if len(owner.nodes) > 1 and rng.random() < 0.3:
            items.append(_budget(owner, rng.choice((0, 1, 1, max(1, len(owner.nodes) // 4)))))
    for owner, replicas in waiting:
        items += [_pod(owner, k, None, "ReplicaSet") for k in range(replicas)]
    return {"apiVersion": "v1", "kind": "List", "metadata": {}, "items": items}


def _node(name: str, kind: int, zone: str) -> dict[str, Any]:
    _, label, cores, memory, gpus = _CLASSES[kind]
    amount = {
        "cpu": f"{1000 * cores - 200}m",
        "memory": f"{1024 * memory - 1024}Mi",
        "pods": "110",
    }
    spec: dict[str, Any] = {}
    if gpus:
        amount["nvidia.com/gpu"] = str(gpus)
        spec["taints"] = [{"key": "nvidia.com/gpu", "value": "true", "effect": "NoSchedule"}]
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {_HOST: name, _ZONE: zone, _CLASS: label}},
        "spec": spec,
        "status": {
            "allocatable": amount,
            "capacity": amount | {"cpu": str(cores), "memory": f"{memory}Gi"},
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    }


def _pod(owner: _Owner, number: int, node: str | None, kind: str) -> dict[str, Any]:
    labels = {"app": owner.name}
    match = {"matchLabels": labels}
    requests = {"cpu": f"{owner.milli}m", "memory": f"{owner.memory}Mi"}
    if owner.gpu:
        requests["nvidia.com/gpu"] = str(owner.gpu)
    spec: dict[str, Any] = {
        "containers": [{"name": "main", "image": "app", "resources": {"requests": requests}}],
        "priorityClassName": _TIERS[owner.tier][0],
        "priority": _TIERS[owner.tier][1],
        "terminationGracePeriodSeconds": 30,
        "schedulerName": "default-scheduler",
    }
    if owner.selector:
        spec["nodeSelector"] = {_CLASS: owner.selector}
    if owner.gpu:
        spec["tolerations"] = [{"key": "nvidia.com/gpu", "operator": "Exists"}]
    if kind == "DaemonSet":
        spec["tolerations"] = [{"operator": "Exists"}]
    if owner.apart:
        term = {"labelSelector": match, "topologyKey": _HOST}
        spec["affinity"] = {
            "podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}
        }
    if owner.spread:
        spec["topologySpreadConstraints"] = [
            {
                "maxSkew": 1,
                "topologyKey": _ZONE,
                "whenUnsatisfiable": "DoNotSchedule",
                "labelSelector": match,
            }
        ]
    status: dict[str, Any] = {"phase": "Pending"}
    if node is not None:
        spec["nodeName"] = node
        status = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"{owner.name}-{number:05d}",
            "namespace": "default",
            "uid": f"{owner.name}-{number:05d}",
            "labels": labels,
            "creationTimestamp": _WHEN,
            "ownerReferences": [
                {
                    "apiVersion": "apps/v1",
                    "kind": kind,
                    "name": owner.name,
                    "uid": owner.name,
                    "controller": True,
                }
            ],
        },
        "spec": spec,
        "status": status,
    }


def _budget(owner: _Owner, allowed: int) -> dict[str, Any]:
    healthy = len(owner.nodes)
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": owner.name, "namespace": "default"},
        "spec": {"selector": {"matchLabels": {"app": owner.name}}, "maxUnavailable": allowed},
        "status": {
            "disruptionsAllowed": allowed,
            "currentHealthy": healthy,
            "desiredHealthy": healthy - allowed,
            "expectedPods": healthy,
        },
    }


def write(path: Path, nodes: int, pods: int, pending: int, seed: int) -> None:
    path.write_text(json.dumps(build(nodes, pods, pending, seed), separators=(",", ":")))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Write a large snapshot.")
    parser.add_argument("path", type=Path)
    for name, default in (("nodes", 5000), ("pods", 50_000), ("pending", 500), ("seed", 1)):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    write(options.path, options.nodes, options.pods, options.pending, options.seed)
