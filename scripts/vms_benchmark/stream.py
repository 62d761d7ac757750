"""VMs that arrive and leave while a plan is carried out: one plan, or a new one every second."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from cpsched.solving import solve
from cpsched.vms import objective
from cpsched.vms.simulate import Occupancy
from cpsched.vms.solution import Migration, Migrations

if TYPE_CHECKING:
    from cpsched.vms.instance import VmCluster

#: Which migrations are made: none, those of one plan, or the first of a new plan each second.
MODES = ("none", "static", "re-planned")
#: Seconds, arrivals a second (as many leave), migrations a second.
SECONDS, RATES, PER_SECOND = 60, (0.5, 2.0, 8.0), 1


@dataclass
class _State:
    """VMs that are there: what each is like (a VM of the cluster at first), and where it is."""

    names: list[str]
    like: list[int]
    numa: list[tuple[int, int]]

    def cluster(self, first: VmCluster, moves: int) -> VmCluster:
        like = np.array(self.like)
        return replace(
            first,
            vms=tuple(self.names),
            flavor=first.flavor[like],
            parts=first.parts[like],
            demand=first.demand[like],
            numa=np.array(self.numa),
            disk=first.disk[like],
            pinned=("",) * len(like),
            profile=first.profile[like],
            policy=replace(first.policy, max_moves=moves),
        )


def stream(first: VmCluster, seed: int, rate: float, mode: str) -> dict[str, Any]:
    """Slots at the end of the stream, and migrations made; all modes see the same events."""
    rng = np.random.default_rng(seed)
    state = _State(list(first.vms), list(range(first.num_vms)), list(map(tuple, first.numa)))
    budget = first.policy.max_moves or 0
    plan: list[tuple[str, Migration]] = []
    count = 0
    for second in range(SECONDS):
        for _ in range(rng.poisson(rate)):
            gone = int(rng.integers(len(state.names)))
            for column in (state.names, state.like, state.numa):
                column.pop(gone)
        for _ in range(rng.poisson(rate)):
            count += 1
            _arrive(first, state, f"new-{count}", rng)
        now = state.cluster(first, budget)
        if mode == "re-planned" or (mode == "static" and second == 0):
            found = solve(now, time_limit=1.0, workers=1).solution or Migrations()
            plan = [(now.vms[move.vm], move) for move in found.moves]
        for _ in range(PER_SECOND):
            budget -= _step(now, state, plan)
    end = state.cluster(first, 0)
    kind = first.policy.fragments[0]
    return {
        "slots": objective.slots(end, end.numa, kind),
        "moves": (first.policy.max_moves or 0) - budget,
    }


def _step(now: VmCluster, state: _State, plan: list[tuple[str, Migration]]) -> int:
    """Carry out the next step of *plan* that still can be; returns how many were."""
    while plan:
        name, move = plan.pop(0)
        if name not in state.names:
            continue
        vm = state.names.index(name)
        move = Migration(vm, move.numa)
        if next(Occupancy(now).problems(move), None) is None:
            state.numa[vm] = (*move.numa, -1)[:2]
            return 1
    return 0


def _arrive(first: VmCluster, state: _State, name: str, rng: np.random.Generator) -> None:
    """A VM like a random one comes to the fuller of two sampled PMs with room, as in the law."""
    like = int(rng.integers(first.num_vms))
    sampled = rng.permutation(first.num_pms)
    free = state.cluster(first, 0).free
    demand, options = first.demand[like], []
    for pm in sampled.tolist():
        fits = [n for n in first.numas_of(pm) if (free[n] >= demand).all()]
        if len(fits) >= first.parts[like]:
            options.append((int(free[list(first.numas_of(pm)), 0].sum()), fits))
        if len(options) == 2:
            break
    if options:
        numa = min(options)[1][: first.parts[like]]
        state.names.append(name)
        state.like.append(like)
        state.numa.append((*numa, -1)[:2])
