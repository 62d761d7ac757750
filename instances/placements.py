"""Solutions of pod packing in result files, read back as placements."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cpsched.errors import InputError
from cpsched.instances.formats.native import describe, reject_duplicate
from cpsched.pods.solution import Placement

if TYPE_CHECKING:
    from cpsched.pods.instance import Cluster

#: The key by which a solution is known.
KEY = "placements"


def parse(solution: dict[str, Any], parent: str, cluster: Cluster) -> Placement:
    """Placement of *solution*, an object with the key ``placements``; other keys are ignored.

    InputError with the path of a pod or node that *cluster* does not have, or a missing pod.
    """
    path = f"{parent}.{KEY}"
    entries = solution[KEY]
    if not isinstance(entries, dict):
        raise InputError(f"the placements must be an object, not {describe(entries)}", path=path)
    reject_duplicate(entries, path)
    nodes: dict[Any, int] = {name: number for number, name in enumerate(cluster.nodes)}
    pods = {name: number for number, name in enumerate(cluster.pods)}
    found = np.full(cluster.num_pods, -2, dtype=np.int32)
    for pod, node in entries.items():
        at = f"{path}[{pod[:60]!a}]"
        if pod not in pods:
            raise InputError("the cluster has no such pod", path=at)
        if node is None:
            found[pods[pod]] = -1
        elif isinstance(node, str) and node in nodes:
            found[pods[pod]] = nodes[node]
        else:
            raise InputError(
                f"must be a node of the cluster or null, not {describe(node)}", path=at
            )
    missing = np.flatnonzero(found == -2)
    if len(missing):
        raise InputError(
            f"pod {cluster.pods[missing[0]]} is missing; {cluster.num_pods - len(missing)} of "
            f"{cluster.num_pods} pods are there",
            path=path,
        )
    return Placement(found)
