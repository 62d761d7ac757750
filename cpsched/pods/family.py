"""Pod packing as the common layers see it; see ``cpsched.families.Family``."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from cpsched.pods.account import after as after
from cpsched.pods.account import cells as cells
from cpsched.pods.account import facts as facts
from cpsched.pods.account import measures as measures
from cpsched.pods.account import objective_text as objective_text
from cpsched.pods.account import record as record
from cpsched.pods.check import check as check
from cpsched.pods.earlier import earlier as earlier
from cpsched.pods.instance import Cluster, Policy
from cpsched.pods.methods import METHODS as METHODS
from cpsched.pods.methods import obstacle as obstacle
from cpsched.pods.objective import objective
from cpsched.pods.statements import as_stated as as_stated
from cpsched.pods.statements import denied as denied
from cpsched.words import count

if TYPE_CHECKING:
    import threading
    from collections.abc import Collection, Iterator, Sequence

    from cpsched.incumbent import Incumbent
    from cpsched.pods.solution import Placement
    from cpsched.protocols import Limits

INSTANCE = Cluster
OBJECTIVE = "objective"
SOLUTION = "placement"
CSV_COLUMNS = ("pod", "priority", "node_before", "node")
TABLE_COLUMNS = ("unplaced before", "unplaced", "at least", "moved", "evicted", "proven")
MEASURES = ("unplaced", "moved", "evicted", "proven %")
PLOT = "cpsched.plot:before_after_of_result"
COMMANDS = {"kubectl": "cpsched.pods.account:commands"}
NAMED = False
GAP = False  # an objective of several stages is one number only to be compared
SETTINGS = tuple(entry.name for entry in fields(Policy))
PICTURE = "picture of the nodes before and after"


def prepare(methods: Collection[str], instances: Sequence[Cluster] | None) -> None:
    """Import the kernels of *methods*."""
    del instances
    from cpsched.pods import running

    running.load(methods)


def start(
    instance: Cluster, limits: Limits, method: str, incumbent: Incumbent[Placement]
) -> threading.Thread:
    """Start *method* on *incumbent*; returns the running thread."""
    from cpsched.pods import running

    return running.start(instance, limits, method, incumbent)


def with_setting(instance: Cluster, name: str, value: Any) -> Cluster:
    """*instance* with another value of one field of its policy."""
    return replace(instance, policy=replace(instance.policy, **{name: value}))


def quick_bound(instance: Cluster) -> int:
    """What counting says."""
    from cpsched.pods.running import trivial_bound

    return trivial_bound(instance)


def csv_rows(instance: Cluster, placement: Placement) -> Iterator[tuple[str, int, str, str]]:
    """``(pod, priority, node before, node)`` of every pod, empty for none."""
    names = (*instance.nodes, "")  # -1 is the last
    for pod, priority, before, node in zip(
        instance.pods,
        instance.priority.tolist(),
        instance.node.tolist(),
        placement.node.tolist(),
        strict=True,
    ):
        yield pod, priority, names[before], names[node]


def shape(instance: Cluster) -> str:
    """The size in words."""
    pending = int((~instance.running).sum())
    return (
        f"pods on nodes, {count(instance.num_nodes, 'node')}, {count(instance.num_pods, 'pod')} "
        f"({pending} pending)"
    )


def size(instance: Cluster) -> str:
    """Pods on nodes."""
    return f"{instance.num_pods} on {instance.num_nodes}"


def items(instance: Cluster) -> int:
    """Number of pods."""
    return instance.num_pods


def value(instance: Cluster, placement: Placement) -> int:
    """The objective, whether or not the placement keeps the rules."""
    return objective(instance, placement.node)
