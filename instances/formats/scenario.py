"""Compact scenarios of pod packing: identical nodes and ReplicaSets in order of arrival.

One object on each line::

    {"seed": 7, "nodes": 4, "node_cpu_m": 1900, "node_mem_b": 2000000000, "priorities": 2,
     "util": 1.05, "replicasets": [{"name": "rs-01-p2", "replicas": 3, "cpu_m": 427,
     "mem_b": 343966759, "priority": 2}, ...]}

CPU in millicores, memory in bytes. A scenario says nothing about where pods are: they are where
the simulated default scheduler puts them in order of arrival, some nowhere. It is the format of
H. D. Christensen, S. Giallorenzo and J. Mauro, Priority Matters (arXiv 2511.08373), whose
generator ``cpsched.instances.generate_pods`` follows.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from cpsched.errors import InputError
from cpsched.instances.formats.native import check_keys, describe, integer, load
from cpsched.pods.instance import Cluster

if TYPE_CHECKING:
    from collections.abc import Sequence

KEYS = ("seed", "nodes", "node_cpu_m", "node_mem_b", "priorities", "util", "replicasets")
MAX_NODES = 100_000
MAX_PODS = 1_000_000
MAX_SEED = 2**64 - 1

_RESOURCES = ("cpu", "memory")
_MOST = 2**53
_GRACE = 30  # the default of Kubernetes, seconds
_PRIORITY = 1_000_000_000
_NAME = re.compile(r"n\d+-p\d+-k(\d+)-u(\d+(?:\.\d+)?)-(\d+)")
_RS_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,251}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class ReplicaSet:
    """Identical pods of one controller; requests in millicores and bytes."""

    name: str
    replicas: int
    cpu_m: int
    mem_b: int
    priority: int


@dataclass(frozen=True, slots=True)
class Scenario:
    """A scenario as its line has it; util: requested over allocatable, as it was asked for."""

    seed: int
    nodes: int
    node_cpu_m: int
    node_mem_b: int
    priorities: int
    util: float
    replicasets: tuple[ReplicaSet, ...]

    @property
    def name(self) -> str:
        """Made of sizes and seed: it tells scenarios of one file apart."""
        pods = sum(group.replicas for group in self.replicasets)
        percent = f"{round(100 * self.util, 6):g}"
        return f"n{self.nodes}-p{pods}-k{self.priorities}-u{percent}-{self.seed}"


def parse(text: str, path: str = "$") -> Cluster:
    """Cluster of one line; InputError with the JSON path of what is wrong."""
    return to_cluster(_scenario(load(text, max_objects=MAX_PODS), path))


def dumps(cluster: Cluster) -> str:
    """The line of *cluster*; InputError if it is more than a scenario can say."""
    scenario = from_cluster(cluster)
    return json.dumps({**asdict(scenario), "replicasets": _groups(scenario)}) + "\n"


def _groups(scenario: Scenario) -> list[dict[str, Any]]:
    return [asdict(group) for group in scenario.replicasets]


def _scenario(root: Any, path: str) -> Scenario:
    check_keys(root, KEYS, path, "a scenario")
    nodes = integer(root["nodes"], 1, MAX_NODES, f"{path}.nodes", "the number of nodes")
    size = [
        integer(root[key], 0, _MOST, f"{path}.{key}", f"the {what} of a node")
        for key, what in (("node_cpu_m", "CPU"), ("node_mem_b", "memory"))
    ]
    util = root["util"]
    if type(util) not in (int, float) or not 0 < util <= 100:
        raise InputError(
            f"the utilisation must be a number in 0..100, not {describe(util)}",
            path=f"{path}.util",
        )
    entries = root["replicasets"]
    if not isinstance(entries, list):
        raise InputError(
            f"the replicasets must be a list, not {describe(entries)}", path=f"{path}.replicasets"
        )
    groups: list[ReplicaSet] = []
    seen: set[str] = set()
    left = MAX_PODS
    for number, entry in enumerate(entries):
        group = _group(entry, left, f"{path}.replicasets[{number}]")
        if group.name in seen:
            raise InputError(
                f"the name {group.name} occurs twice", path=f"{path}.replicasets[{number}].name"
            )
        seen.add(group.name)
        left -= group.replicas
        groups.append(group)
    return Scenario(
        seed=integer(root["seed"], 0, MAX_SEED, f"{path}.seed", "the seed"),
        nodes=nodes,
        node_cpu_m=size[0],
        node_mem_b=size[1],
        priorities=integer(
            root["priorities"], 1, _PRIORITY, f"{path}.priorities", "the number of priorities"
        ),
        util=util,
        replicasets=tuple(groups),
    )


def _group(entry: Any, left: int, path: str) -> ReplicaSet:
    keys = ("name", "replicas", "cpu_m", "mem_b", "priority")
    check_keys(entry, keys, path, "a ReplicaSet")
    name = entry["name"]
    if not isinstance(name, str) or not _RS_NAME.fullmatch(name):
        raise InputError(
            f"the name must be lower-case letters, digits and hyphens, not {describe(name)}",
            path=f"{path}.name",
        )
    return ReplicaSet(
        name=name,
        replicas=integer(entry["replicas"], 0, left, f"{path}.replicas", "the replicas"),
        cpu_m=integer(entry["cpu_m"], 0, _MOST, f"{path}.cpu_m", "the CPU"),
        mem_b=integer(entry["mem_b"], 0, _MOST, f"{path}.mem_b", "the memory"),
        priority=integer(
            entry["priority"], -_PRIORITY, _PRIORITY, f"{path}.priority", "the priority"
        ),
    )


def empty_cluster(scenario: Scenario) -> Cluster:
    """The cluster of *scenario* before any pod is placed."""
    groups = scenario.replicasets
    replicas = [group.replicas for group in groups]
    total = sum(replicas)
    width = max(2, len(str(scenario.nodes)))
    request = np.array([[g.cpu_m, g.mem_b] for g in groups], dtype=np.int64).reshape(-1, 2)
    return Cluster(
        name=scenario.name,
        resources=_RESOURCES,
        nodes=tuple(f"node-{n:0{width}}" for n in range(1, scenario.nodes + 1)),
        allocatable=np.tile(
            np.array([scenario.node_cpu_m, scenario.node_mem_b], dtype=np.int64),
            (scenario.nodes, 1),
        ),
        pods=tuple(
            f"default/{group.name}-{k}" for group in groups for k in range(1, group.replicas + 1)
        ),
        request=np.repeat(request, replicas, axis=0),
        priority=np.repeat(np.array([g.priority for g in groups], dtype=np.int64), replicas),
        node=np.full(total, -1, dtype=np.int32),
        owners=tuple(f"default/ReplicaSet/{group.name}" for group in groups),
        owner=np.repeat(np.arange(len(groups), dtype=np.int32), replicas),
        allowed=np.ones((1, scenario.nodes), dtype=np.bool_),
        profile=np.zeros(total, dtype=np.int32),
        held=("",) * total,
        preempts=np.ones(total, dtype=np.bool_),
        grace=np.full(total, _GRACE, dtype=np.int64),
    )


def to_cluster(scenario: Scenario) -> Cluster:
    """The cluster of *scenario* after the default scheduler has seen every pod."""
    from cpsched.pods.scheduler import schedule

    cluster = empty_cluster(scenario)
    placement = schedule(cluster, arrival_order=True)
    return replace(cluster, node=placement.node)


def from_cluster(cluster: Cluster) -> Scenario:
    """The scenario that *cluster* comes from; InputError if it is none's."""
    found = _NAME.fullmatch(cluster.name)
    problem = ""
    if found is None:
        problem = "its name does not hold the seed"
    elif cluster.resources != _RESOURCES:
        problem = f"it has the resources {', '.join(cluster.resources)}"
    elif (cluster.allocatable != cluster.allocatable[0]).any():
        problem = "its nodes differ"
    elif (cluster.owner < 0).any():
        problem = "it has pods without an owner"
    if found is None or problem:
        raise InputError(f"{cluster.name} is no scenario: {problem}")
    groups = []
    for number, owner in enumerate(cluster.owners):
        members = np.flatnonzero(cluster.owner == number)
        first = int(members[0]) if len(members) else -1
        cpu, memory = cluster.request[first].tolist() if len(members) else (0, 0)
        priority = int(cluster.priority[first]) if len(members) else 1
        name = owner.rpartition("/")[2]
        groups.append(ReplicaSet(name, len(members), cpu, memory, priority))
    cpu, memory = cluster.allocatable[0].tolist()
    scenario = Scenario(
        seed=int(found[3]),
        nodes=cluster.num_nodes,
        node_cpu_m=cpu,
        node_mem_b=memory,
        priorities=int(found[1]),
        util=float(found[2]) / 100,
        replicasets=tuple(groups),
    )
    if to_cluster(scenario) != cluster:
        raise InputError(
            f"{cluster.name} is no scenario: pods, rules or placements are not those that the "
            "default scheduler arrives at"
        )
    return scenario


def is_scenario(line: str) -> bool:
    """Whether *line* is meant to be a scenario."""
    return '"replicasets"' in line and not re.search(r'"family"\s*:', line[:4096])


def lines(scenarios: Sequence[Scenario]) -> str:
    """Text of *scenarios*, one on each line."""
    return "".join(
        json.dumps({**asdict(one), "replicasets": _groups(one)}) + "\n" for one in scenarios
    )
