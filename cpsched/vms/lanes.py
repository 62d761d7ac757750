"""When the steps of a plan run: parallel lanes, as early as is safe."""

from __future__ import annotations

import heapq
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cpsched.vms.simulate import Occupancy, PlanError, describe, malformed

if TYPE_CHECKING:
    from cpsched.vms.instance import VmCluster
    from cpsched.vms.solution import Migration, Migrations


@dataclass(frozen=True, slots=True)
class Lane:
    """When a step runs: *vm* in *lane* (from 0), from *start_s* to *end_s*, seconds."""

    vm: int
    lane: int
    start_s: int
    end_s: int


def schedule(cluster: VmCluster, migrations: Migrations) -> tuple[Lane, ...]:
    """Lane and time of every step, in the order of the plan.

    List scheduling: whenever a lane is free, the first step that may start does. It may start
    before an earlier step has finished, or even started, only if it keeps every rule while all
    earlier unfinished steps hold both their places; so these find the room that they had in the
    plan. Durations are estimates: whoever lets a step wait for all that end before it starts here
    keeps every rule however long they take. Limits are the policy's ``in_flight``, ``inflow`` and
    ``outflow``.

    Raises
    ------
    PlanError
        If the plan cannot be carried out; never for one that ``check`` accepts.
    """
    return tuple(_Schedule(cluster, migrations).run())


def makespan(lanes: tuple[Lane, ...]) -> int:
    """Seconds until the last step ends."""
    return max((lane.end_s for lane in lanes), default=0)


class _Schedule:
    def __init__(self, cluster: VmCluster, migrations: Migrations) -> None:
        self.cluster = cluster
        self.moves = migrations.moves
        self.occupancy = Occupancy(cluster)
        self.pending = list(range(len(self.moves)))
        # End and number of the steps that run.
        self.running: list[tuple[int, int]] = []
        self.idle = list(range(min(cluster.policy.in_flight, len(self.moves))))
        self.into: Counter[int] = Counter()
        self.out_of: Counter[int] = Counter()
        self.found: dict[int, Lane] = {}

    def run(self) -> list[Lane]:
        for step, move in enumerate(self.moves):
            if problem := malformed(self.cluster, move):
                raise self._error(step, problem)
        now = 0
        while self.pending:
            self._start(now)
            if not self.running:
                first = self.pending[0]
                raise self._error(first, next(self.occupancy.problems(self.moves[first])))
            now = self.running[0][0]
            while self.running and self.running[0][0] == now:
                self._finish(heapq.heappop(self.running)[1])
        return [self.found[step] for step in range(len(self.moves))]

    def _error(self, step: int, problem: str) -> PlanError:
        return PlanError(f"{describe(self.cluster, step + 1, self.moves[step])}: {problem}")

    def _start(self, now: int) -> None:
        """Start what may start *now*, earlier steps first."""
        waiting: list[int] = []
        for at, step in enumerate(self.pending):
            if not self.idle:
                later = self.pending[at:]
                break
            if self._may_start(self.moves[step]):
                self._begin(step, now)
            else:
                # Its place is kept from those behind it, until all of them have been asked.
                self.occupancy.begin(self.moves[step])
                waiting.append(step)
        else:
            later = []
        for step in waiting:
            self.occupancy.cancel(self.moves[step])
        self.pending = waiting + later

    def _may_start(self, move: Migration) -> bool:
        policy = self.cluster.policy
        leaving = self.out_of[self.occupancy.pm(move.vm)]
        if self.into[self._target(move)] >= policy.inflow:
            return False
        if policy.outflow is not None and leaving >= policy.outflow:
            return False
        return next(self.occupancy.problems(move), None) is None

    def _target(self, move: Migration) -> int:
        return int(self.cluster.numa_pm[move.numa[0]])

    def _begin(self, step: int, now: int) -> None:
        move = self.moves[step]
        self.occupancy.begin(move)
        self.into[self._target(move)] += 1
        self.out_of[self.occupancy.pm(move.vm)] += 1
        end = now + int(self.cluster.duration[move.vm])
        self.found[step] = Lane(move.vm, heapq.heappop(self.idle), now, end)
        heapq.heappush(self.running, (end, step))

    def _finish(self, step: int) -> None:
        move = self.moves[step]
        self.into[self._target(move)] -= 1
        self.out_of[self.occupancy.pm(move.vm)] -= 1
        self.occupancy.finish(move)
        heapq.heappush(self.idle, self.found[step].lane)
