"""The openb trace of Alibaba (FGD): its nodes and pods as one cluster, read from a path.

All pods of the list at once, as if none had ended. The parts of GPUs that a node's pods request
are one pool (``gpu-milli``): which GPU of the node a pod gets is left to the node, so a placement
here may still be too tight for pods that share GPUs. No priorities in the trace: the quality of
service stands in, latency-sensitive pods first.
"""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import numpy as np

from cpsched.errors import InputError
from cpsched.pods.instance import PENDING, Cluster

if TYPE_CHECKING:
    from pathlib import Path

_QUALITY = {"LS": 2, "Guaranteed": 1, "Burstable": 1, "BE": 0}
_MIB = 2**20


def read(folder: Path) -> Cluster:
    """Nodes and the default pod list in *folder*; InputError if a file or column is missing."""
    nodes = _table(folder / "openb_node_list_all_node.csv")
    pods = _table(folder / "openb_pod_list_default.csv")
    try:
        size = [
            [int(n["cpu_milli"]), int(n["memory_mib"]) * _MIB, 1000 * int(n["gpu"]), 110]
            for n in nodes
        ]
        request = [
            [
                int(p["cpu_milli"]),
                int(p["memory_mib"]) * _MIB,
                int(p["num_gpu"]) * int(p["gpu_milli"] or 0),
                1,
            ]
            for p in pods
        ]
        models = [n["model"] for n in nodes]
        wanted = [p["gpu_spec"] or "" for p in pods]
        priority = [_QUALITY[p["qos"]] for p in pods]
        names = [f"default/{p['name']}" for p in pods]
        hosts = tuple(n["sn"] for n in nodes)
    except (KeyError, ValueError) as error:
        raise InputError(f"{folder}: not the openb trace: {error!r}") from error
    profiles = {spec: k for k, spec in enumerate(dict.fromkeys(wanted))}
    allowed = [[not spec or model in spec.split("|") for model in models] for spec in profiles]
    # Pods of one shape stand in for replicas of one owner.
    shapes: dict[tuple[object, ...], int] = {}
    owner = [
        shapes.setdefault((*sizes, spec, tier), len(shapes))
        for sizes, spec, tier in zip(request, wanted, priority, strict=True)
    ]
    count = len(pods)
    return Cluster(
        name="openb",
        resources=("cpu", "memory", "gpu-milli", "pods"),
        nodes=hosts,
        allocatable=np.array(size),
        pods=tuple(names),
        request=np.array(request),
        priority=np.array(priority),
        node=np.full(count, PENDING),
        owners=tuple(f"default/ReplicaSet/shape-{k}" for k in range(len(shapes))),
        owner=np.array(owner),
        allowed=np.array(allowed),
        profile=np.array([profiles[spec] for spec in wanted]),
        held=("",) * count,
        preempts=np.ones(count, dtype=np.bool_),
        grace=np.zeros(count, dtype=np.int64),
    )


def _table(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(newline="") as file:
            return list(csv.DictReader(file))
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
