"""CP-SAT on the VM model: one stage of the objective after the other, or all in one go."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from cpsched.cpsat import run
from cpsched.errors import StopRequestedError
from cpsched.incumbent import Incumbent
from cpsched.result import Status
from cpsched.vms import objective
from cpsched.vms.check import check
from cpsched.vms.model import formulate, values_without_hops
from cpsched.vms.offering import offer
from cpsched.vms.ordering import NoPlanError, ordered
from cpsched.vms.solution import Migrations
from cpsched.vms.variables import Places

if TYPE_CHECKING:
    import threading

    from cpsched.cpsat import CpSatOutcome
    from cpsched.formulation import Formulation
    from cpsched.protocols import Limits
    from cpsched.vms.instance import VmCluster

#: Methods of this module, and under which name their finds are reported.
CPSAT, PLAIN = "cpsat", "plain-cpsat"

#: Share of the time for states that any order leads to.
_EASY_SHARE = 0.3

#: Seconds that a stage gets at least, if there are so many.
_LEAST_SHARE = 1.0


def obstacle(cluster: VmCluster) -> str:
    """What keeps CP-SAT from solving *cluster*; empty if nothing."""
    return Places(cluster).obstacle()


def start(
    cluster: VmCluster, limits: Limits, method: str, incumbent: Incumbent[Migrations]
) -> threading.Thread:
    """Start *method*, ``cpsat`` or ``plain-cpsat``, on *incumbent*; returns the running thread."""
    solve = solve_in_one_go if method == PLAIN else solve_by_stages

    def work() -> None:
        solve(cluster, incumbent, workers=limits.workers, seed=limits.seed)
        incumbent.finish()

    return incumbent.run(work)


def solve_in_one_go(
    cluster: VmCluster, incumbent: Incumbent[Migrations], *, workers: int, seed: int
) -> None:
    """Minimise the number of all stages in a single model, as published models do.

    A Boolean for each VM and place, slots for each NUMA node, no symmetry reduced, no bound added;
    it begins with what is there now.
    A final state to which no plan is found is passed over.
    """
    if _too_large(cluster, incumbent, PLAIN):
        return
    try:
        formulation = formulate(cluster, stop=lambda: incumbent.done)
    except StopRequestedError:
        return
    offer(cluster, Migrations(), PLAIN, incumbent)
    formulation.hint(Migrations())
    view = _Checked(cluster, incumbent)
    outcome = run(formulation, view, workers=workers, seed=seed, source=PLAIN)
    if outcome.status is Status.INFEASIBLE:
        incumbent.prove_infeasible(PLAIN)


def solve_by_stages(
    cluster: VmCluster, incumbent: Incumbent[Migrations], *, workers: int, seed: int
) -> None:
    """Minimise the stages lexicographically until all is proven or *incumbent* is done.

    Each stage is fixed to its proven value, or held to its best where time ran out, before the
    next; it may take an equal share of the time left. The incumbent's bound is a number, too: the
    proven stages, the bound of the first that is not, and 0 for those behind it.

    The model says which final states keep the rules. If all stages end in one to which no plan
    leads, or only one with hops, it is forbidden and they begin again, until what is left cannot
    be better than what is known. A part of the time first goes to states that any order leads to.

    It gives up where there are more than ``variables.MAX_PAIRS`` pairs of VMs and places.
    """
    if _too_large(cluster, incumbent, CPSAT):
        return
    try:
        until = time.perf_counter() + _EASY_SHARE * incumbent.remaining
        _Solve(cluster, incumbent, workers, seed, easy_until=until).round()
        _Solve(cluster, incumbent, workers, seed).rounds()
    except StopRequestedError:
        return


def _too_large(cluster: VmCluster, incumbent: Incumbent[Migrations], method: str) -> bool:
    if reason := obstacle(cluster):
        incumbent.give_up(f"{method}: {reason}")
    return bool(reason)


class _Checked(Incumbent[Migrations]):
    """What one model finds: passed on if the check accepts it; bounds hold for all plans."""

    def __init__(self, cluster: VmCluster, whole: Incumbent[Migrations]) -> None:
        super().__init__(whole.remaining)
        self.cluster, self.whole = cluster, whole

    @property
    def done(self) -> bool:
        """Whether the solve is over."""
        return self.whole.done

    def offer(self, objective: int, solution: Migrations, source: str) -> bool:
        """Pass on a plan."""
        offer(self.cluster, solution, source, self.whole)
        return super().offer(objective, solution, source)

    def raise_bound(self, bound: int, source: str) -> bool:
        """Pass on a bound."""
        return self.whole.raise_bound(max(0, bound), source)


class _Solve:
    """What is known between the rounds.

    forbidden: final states that are settled; open: the least number that a plan to one of them may
    have, None if there is none; easy_until: look, to that moment of the clock, only at states that
    any order leads to; what that proves is not passed on.
    """

    def __init__(
        self,
        cluster: VmCluster,
        incumbent: Incumbent[Migrations],
        workers: int,
        seed: int,
        *,
        easy_until: float | None = None,
    ) -> None:
        self.easy = easy_until is not None
        self.deadline = incumbent.deadline if easy_until is None else easy_until
        self.cluster, self.incumbent = cluster, incumbent
        self.workers, self.seed = workers, seed
        self.stages = objective.stages(cluster)
        self.forbidden: list[Migrations] = []
        self.open: int | None = None
        #: Bounds of the stages, each given that those before it have their proven values.
        self.floor = [0] * len(self.stages)

    @property
    def remaining(self) -> float:
        """Seconds left."""
        return min(self.incumbent.remaining, self.deadline - time.perf_counter())

    @property
    def over(self) -> bool:
        """Whether to stop."""
        return self.incumbent.done or self.remaining <= 0

    def rounds(self) -> None:
        """Solve until all is proven or time is up."""
        while not self.over and not self.round():
            pass

    def round(self) -> bool:
        """Solve all stages; whether that settles everything, or time is up."""
        formulation = self._formulation()
        place = self._start(formulation)
        proven: list[int] = []
        all_proven = True
        for number in range(len(self.stages)):
            if self.over:
                return True
            view = _StageIncumbent(self, number, tuple(proven) if all_proven else None)
            if place is not None:
                view.offer(self.values(place)[number], place, CPSAT)
            view.raise_bound(self.floor[number], CPSAT)
            if not view.done:
                outcome = self._run(formulation, number, place, view)
                if outcome.status is Status.INFEASIBLE and view.solution is None:
                    return self._nothing_left()
            if view.objective is None or view.solution is None:
                return True
            place, value = view.solution, view.objective
            if all_proven and view.bound is not None:
                self.floor[number] = view.bound
            if view.bound == value:
                formulation.model.add(formulation.stages[number] == value)
            else:
                formulation.model.add(formulation.stages[number] <= value)
                all_proven = False
            proven.append(value)
        return place is None or self._settle(place, all_proven=all_proven)

    def values(self, migrations: Migrations) -> tuple[int, ...]:
        """Values of the stages as the model counts them."""
        return values_without_hops(self.cluster, migrations)

    def value(self, number: int, migrations: Migrations) -> int:
        """Value of one stage."""
        return self.values(migrations)[number]

    def raise_bound(self, proven: tuple[int, ...], bound: int) -> None:
        """Take a *bound* on the stage after those that are *proven*."""
        if self.easy:
            return
        digits = (*proven, bound, *[0] * (len(self.stages) - len(proven) - 1))
        number = objective.number(self.cluster, digits)
        known = self.incumbent.objective
        limits = [one for one in (self.open, known) if one is not None]
        self.incumbent.raise_bound(min(number, *limits) if limits else number, CPSAT)

    def _run(
        self,
        formulation: Formulation[Migrations],
        number: int,
        place: Migrations | None,
        view: _StageIncumbent,
    ) -> CpSatOutcome:
        formulation.model.minimize(formulation.stages[number])
        stage = replace(formulation, objective=partial(self.value, number))
        if place is not None:
            stage.hint(place)
        return run(stage, view, workers=self.workers, seed=self.seed, source=CPSAT)

    def _settle(self, place: Migrations, *, all_proven: bool) -> bool:
        """After all stages have ended in *place*; whether nothing is left to do."""
        if self.easy:
            return True
        cluster = self.cluster
        number = objective.number(cluster, self.values(place))
        best = self.incumbent.objective
        if all_proven and best is not None and number >= best:
            # No state but those that are forbidden could be better.
            self.raise_bound(self.values(place)[:-1], self.values(place)[-1])
            return True
        try:
            answer = ordered(cluster, place.end(cluster))
        except NoPlanError as problem:
            least = None if problem.proven else number
        else:
            offer(cluster, answer.plan, CPSAT, self.incumbent)
            least = objective.objective(cluster, answer.plan) if answer.least else number
            if least == number == self.incumbent.objective:
                return all_proven
        if least is not None:
            self.open = least if self.open is None else min(self.open, least)
        self.forbidden.append(place)
        # What was proven may be out of reach without that state, but is a bound all the same.
        self.floor = [self.floor[0], *[0] * (len(self.stages) - 1)]
        return False

    def _nothing_left(self) -> bool:
        if self.easy:
            return True
        if self.open is not None:
            # A plan to a forbidden state, if there is one, is all there is.
            self.incumbent.raise_bound(self.open, CPSAT)
        else:
            self.incumbent.prove_infeasible(CPSAT)
        return True

    def _start(self, formulation: Formulation[Migrations]) -> Migrations | None:
        """The best state that is known and not forbidden."""
        for place in (self.incumbent.solution, Migrations()):
            if place is None or any(self._same(place, one) for one in self.forbidden):
                continue
            try:
                formulation.encode(place)
            except ValueError:
                continue
            if check(self.cluster, place).ok:
                return place
        return None

    def _same(self, one: Migrations, other: Migrations) -> bool:
        return np.array_equal(one.end(self.cluster), other.end(self.cluster))

    def _formulation(self) -> Formulation[Migrations]:
        formulation = formulate(
            self.cluster,
            objective="stages",
            bounded=True,
            easy=self.easy,
            stop=lambda: self.incumbent.done,
        )
        model = formulation.model
        count = len(formulation.decisions)
        for state in self.forbidden:
            chosen = np.flatnonzero(formulation.encode(state)[:count]).tolist()
            model.add_bool_or([~model.get_bool_var_from_proto_index(k) for k in chosen])
        return formulation


class _StageIncumbent(Incumbent[Migrations]):
    """Best value and bound of one stage, passed on to the solve as whole numbers.

    proven: values of the stages before, None if one of them is not proven: then a bound on this
    one says nothing of the whole.
    """

    def __init__(self, solve: _Solve, number: int, proven: tuple[int, ...] | None) -> None:
        share = max(_LEAST_SHARE, solve.remaining / (len(solve.stages) - number))
        super().__init__(max(0.0, min(solve.remaining, share)))
        self.solve, self.proven = solve, proven

    @property
    def done(self) -> bool:
        """Whether the stage or the solve is over."""
        return self.solve.over or super().done

    def offer(self, objective: int, solution: Migrations, source: str) -> bool:
        """Take and pass on a state."""
        offer(self.solve.cluster, solution, source, self.solve.incumbent)
        return super().offer(objective, solution, source)

    def raise_bound(self, bound: int, source: str) -> bool:
        """Take and pass on a bound."""
        if self.proven is not None:
            self.solve.raise_bound(self.proven, bound)
        if self.solve.easy and self.objective is not None:
            # What the stage began with may be no state of that stricter model, and better.
            bound = min(bound, self.objective)
        return super().raise_bound(bound, source)
