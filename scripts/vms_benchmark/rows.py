"""Rows of the page: which clusters, which limits, which methods."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from cpsched.instances.generate_vms import generate_vms
from cpsched.vms.instance import Fragment, VmCluster

#: Reporting seeds begin here; the engine was tuned on seeds below 100.
FIRST_SEED = 1000

OURS = "auto"
BASELINES = ("greedy", "best-fit-vbpp", "pop")
PEER = "plain-cpsat"

_MIXED = (Fragment(16), Fragment(64, double=True))


@dataclass(frozen=True)
class Row:
    """count clusters of *made*, solved within *time_limit* seconds each, with *policy*."""

    name: str
    title: str
    asked: str
    made: dict[str, Any]
    policy: dict[str, Any]
    count: int = 20
    time_limit: float = 5.0
    methods: tuple[str, ...] = (OURS,)
    peers: tuple[str, ...] = field(default=())

    def cluster(self, seed: int) -> VmCluster:
        """The cluster of a seed."""
        cluster = generate_vms(**self.made, seed=seed)
        return replace(cluster, policy=replace(cluster.policy, **self.policy))


def _row(name: str, title: str, asked: str, pms: int, moves: int, **more: Any) -> Row:
    made = {"pms": pms, "workload": "high", **more.pop("made", {})}
    policy = {"max_moves": moves, **more.pop("policy", {})}
    return Row(name, title, asked, made, policy, **more)


_ALL = (OURS, *BASELINES)
_MEMORY = {"memory_ratios": True}

ROWS = {
    row.name: row
    for row in (
        _row("medium", "Medium (280 PMs), MNL 50", "proven, <= 0.3 s", 280, 50, methods=_ALL,
             peers=(PEER,)),
        _row("large", "Large (1,176 PMs), MNL 50", "proven, <= 0.5 s", 1176, 50, methods=_ALL),
        _row("huge", "5,000 PMs, MNL 500", "proven, <= 2 s", 5000, 500),
        _row("mixed-medium", "Medium, FR-16 + FR-64, MNL 50", "within 1 % in 5 s", 280, 50,
             policy={"fragments": _MIXED}),
        _row("mixed-large", "Large, FR-16 + FR-64, MNL 50", "within 1 % in 5 s", 1176, 50,
             policy={"fragments": _MIXED}),
        _row("memory-medium", "Medium, memory binding, MNL 50", "proven or <= 1 % in 5 s", 280, 50,
             made=_MEMORY),
        _row("memory-large", "Large, memory binding, MNL 50", "stated", 1176, 50, made=_MEMORY),
        _row("conflicts-5", "Medium, memory binding, 5 conflicts a VM", "proven or <= 1 % in 5 s",
             280, 50, made={**_MEMORY, "conflicts": 5}),
        _row("conflicts-50", "Medium, memory binding, 50 conflicts a VM",
             "proven or <= 1 % in 5 s", 280, 50, made={**_MEMORY, "conflicts": 50}),
        _row("full", "Medium, 97 % full, MNL 50", "proven or <= 1 % in 5 s", 280, 50,
             made={"load": 0.97}),
        _row("saturated", "Medium, MNL 500", "proven or <= 1 % in 5 s", 280, 500),
        _row("full-saturated", "Medium, 95 % full, memory binding, 5 conflicts a VM, MNL 500",
             "proven or <= 1 % in 5 s", 280, 500,
             made={**_MEMORY, "conflicts": 5, "load": 0.95}),
        _row("large-all", "Large, 95 % full, memory binding, 5 conflicts a VM, MNL 500", "stated",
             1176, 500, made={**_MEMORY, "conflicts": 5, "load": 0.95}),
    )
}  # fmt: skip
