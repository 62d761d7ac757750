"""The rules of VM rescheduling, stated against the instance alone, without any solver.

The plan is replayed step by step; what stays is let be, rules are asked of arrivals. Then the end
is judged.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from cpsched.result import CheckReport
from cpsched.vms.objective import objective, reaches_goal, weighted_fr
from cpsched.vms.simulate import Occupancy, describe, malformed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cpsched.arrays import IntArray
    from cpsched.vms.instance import VmCluster
    from cpsched.vms.solution import Migrations

#: Sentences per broken rule; the rest is counted.
MAX_VIOLATIONS_PER_RULE = 20


def check(cluster: VmCluster, migrations: Migrations) -> CheckReport:
    """Check every rule of VM rescheduling and recompute the objective.

    The rules: each step moves one VM of the cluster to other NUMA nodes, as many as it has parts,
    of one PM; pinned VMs stay; the PM is not closed and allowed for the VM; while both sides hold
    the VM, its new NUMA nodes have room for every resource that it asks for, no VM is where one it
    conflicts with comes to, and groups are kept where a VM comes to; no VM moves more than twice
    (a hop and the way on), and no more steps are taken than the migration limit. At the end
    evacuated PMs are empty and the goal, if there is one, is reached.
    """
    found = list(_limited(_steps(cluster, migrations)))
    found += _limited(_counts(cluster, migrations))
    if not found:
        found += _end(cluster, migrations.end(cluster))
    return CheckReport(None if found else objective(cluster, migrations), tuple(found))


def _steps(cluster: VmCluster, migrations: Migrations) -> Iterator[str]:
    occupancy = Occupancy(cluster)
    for number, move in enumerate(migrations.moves, 1):
        for problem in occupancy.problems(move):
            yield f"{describe(cluster, number, move)}: {problem}"
        # The others are judged as if a step that breaks a rule had been made all the same.
        if not malformed(cluster, move):
            occupancy.begin(move)
            occupancy.finish(move)


def _counts(cluster: VmCluster, migrations: Migrations) -> Iterator[str]:
    limit = cluster.policy.max_moves
    if limit is not None and len(migrations.moves) > limit:
        yield f"the plan has {len(migrations.moves)} migrations, the limit is {limit}"
    times = Counter(move.vm for move in migrations.moves if 0 <= move.vm < cluster.num_vms)
    for vm, count in times.items():
        if count > 2:
            yield f"VM {cluster.vms[vm]} moves {count} times; twice, with a hop, is the most"


def _end(cluster: VmCluster, numa: IntArray) -> Iterator[str]:
    pm = cluster.numa_pm[numa[:, 0]]
    left = np.flatnonzero(cluster.evacuate[pm]).tolist()
    yield from _limited(
        f"VM {cluster.vms[vm]} is left on PM {cluster.pms[pm[vm]]}, which is to be evacuated"
        for vm in left
    )
    if not reaches_goal(cluster, numa):
        goal = cluster.policy.goal or (1, 1)
        yield (
            f"the fragment rate at the end is {float(weighted_fr(cluster, numa)):.4f}, "
            f"the goal is {goal[0]}/{goal[1]}"
        )


def _limited(sentences: Iterable[str]) -> Iterator[str]:
    """As many sentences as for one rule, and the number of the others."""
    hidden = 0
    for number, sentence in enumerate(sentences):
        if number < MAX_VIOLATIONS_PER_RULE:
            yield sentence
        else:
            hidden += 1
    if hidden:
        yield f"and {hidden} more sentences of that kind"
