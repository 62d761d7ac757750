"""The peer: a plain CP-SAT model as "Priority Matters" (arXiv 2511.08373) describes it.

A Boolean per pod and node that could hold the pod alone; tiers from the highest priority down,
each over all pods of at least that priority; in each tier first the number of placed pods, then
the disruption (stay 0, evict 1, move 2), each fixed before the next. Written from the description.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from ortools.sat.python import cp_model

if TYPE_CHECKING:
    from cpsched.pods.instance import Cluster, IntArray

#: Seconds kept for whatever comes after the last solve.
PAD = 0.2
#: Share of the time that is divided evenly among the tiers; the rest is first come first served.
GUARANTEED = 0.6
#: Share of a tier's time for the number of placed pods.
PLACING = 0.5


@dataclass(frozen=True)
class Answer:
    """node: (num_pods,), None without an answer; phases: (priority, phase, status) in order."""

    node: IntArray | None
    phases: tuple[tuple[int, str, str], ...]
    build: float

    @property
    def status(self) -> str:
        names = [status for _, _, status in self.phases]
        if self.node is None:
            return names[-1].lower() if names else "unknown"
        return "optimal" if all(name == "OPTIMAL" for name in names) else "feasible"


class _Model:
    """Pods that are placed, and where."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.model = model = cp_model.CpModel()
        fits = (cluster.request[:, None, :] <= cluster.allocatable[None, :, :]).all(axis=2)
        self.placed = [model.new_bool_var("") for _ in cluster.pods]
        self.at = [
            {int(node): model.new_bool_var("") for node in np.flatnonzero(fits[pod])}
            for pod in range(cluster.num_pods)
        ]
        for pod, placed in enumerate(self.placed):
            model.add(sum(self.at[pod].values()) == placed)
        for node in range(cluster.num_nodes):
            here = [pod for pod in range(cluster.num_pods) if node in self.at[pod]]
            for resource in range(len(cluster.resources)):
                model.add(
                    sum(int(cluster.request[pod, resource]) * self.at[pod][node] for pod in here)
                    <= int(cluster.allocatable[node, resource])
                )
        pending = np.flatnonzero(~cluster.running).tolist()
        if pending:  # at least one of them, as the authors ask
            model.add(sum(self.placed[pod] for pod in pending) >= 1)
        for pod in np.flatnonzero(cluster.running).tolist():
            model.add_hint(self.placed[pod], 1)
            model.add_hint(self.at[pod][int(cluster.node[pod])], 1)

    def placing(self, tier: int) -> cp_model.LinearExprT:
        members = np.flatnonzero(self.cluster.priority >= tier).tolist()
        return sum(self.placed[pod] for pod in members)

    def disruption(self, tier: int) -> cp_model.LinearExprT:
        cluster = self.cluster
        members = np.flatnonzero((cluster.priority >= tier) & cluster.running).tolist()
        return sum(
            1 + self.placed[pod] - 2 * self.at[pod][int(cluster.node[pod])] for pod in members
        )

    def take(self, solver: cp_model.CpSolver) -> IntArray:
        """The solver's placement, which is also the hint from now on."""
        node = np.full(self.cluster.num_pods, -1, dtype=np.int32)
        self.model.clear_hints()
        for pod, places in enumerate(self.at):
            for place, variable in places.items():
                value = solver.value(variable)
                self.model.add_hint(variable, value)
                if value:
                    node[pod] = place
        return node


def solve(cluster: Cluster, time_limit: float, workers: int, seed: int) -> Answer:
    """Solve stage by stage until the time is used up."""
    begin = time.perf_counter()
    end = begin + time_limit - PAD
    built = _Model(cluster)
    build = time.perf_counter() - begin
    total = time_limit - PAD
    floor, spare = GUARANTEED * total, (1 - GUARANTEED) * total
    spare -= build
    node: IntArray | None = None
    phases: list[tuple[int, str, str]] = []
    solver = cp_model.CpSolver()
    solver.parameters.num_search_workers = workers
    solver.parameters.relative_gap_limit = 0.0
    solver.parameters.random_seed = seed
    tiers = cluster.tiers
    for index, tier in enumerate(tiers):
        share = floor / (len(tiers) - index)
        started = time.perf_counter()
        cap = min(end - started, share + max(0.0, spare))
        for phase in ("place", "disrupt"):
            left = started + (PLACING * cap if phase == "place" else cap) - time.perf_counter()
            goal = built.placing(tier) if phase == "place" else built.disruption(tier)
            if isinstance(goal, int):  # no running pod: nothing to disrupt
                continue
            if phase == "place":
                built.model.maximize(goal)
            else:
                built.model.minimize(goal)
            solver.parameters.max_time_in_seconds = max(0.0, left)
            status = solver.solve(built.model)
            phases.append((tier, phase, solver.status_name(status)))
            if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
                return Answer(node, tuple(phases), build)
            node = built.take(solver)
            best = round(solver.objective_value)
            if status == cp_model.OPTIMAL:
                built.model.add(goal == best)
            elif phase == "place":
                built.model.add(goal >= best)
            else:
                built.model.add(goal <= best)
        floor -= share
        spare -= time.perf_counter() - started - share
    return Answer(node, tuple(phases), build)
