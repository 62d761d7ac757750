"""CP-SAT on the VM model: one stage of the objective after the other, or all in one go."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from cpsched.cpsat import run
from cpsched.errors import StopRequestedError
from cpsched.incumbent import Incumbent
from cpsched.result import Status
from cpsched.staged import StagedSolve
from cpsched.vms import objective
from cpsched.vms.check import check
from cpsched.vms.model import formulate, values_without_hops
from cpsched.vms.offering import offer
from cpsched.vms.ordering import NoPlanError, ordered
from cpsched.vms.solution import Migrations
from cpsched.vms.variables import Places

if TYPE_CHECKING:
    import threading
    from collections.abc import Sequence

    from cpsched.formulation import Formulation
    from cpsched.protocols import Limits
    from cpsched.vms.instance import VmCluster

#: Methods of this module, and under which name their finds are reported.
CPSAT, PLAIN = "cpsat", "plain-cpsat"

#: Share of the time for states that any order leads to.
_EASY_SHARE = 0.3


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

    See ``cpsched.staged``. The incumbent's bound is a number, too: the
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
        _Solve(cluster, incumbent, workers, seed, strict_until=until).round()
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


class _Solve(StagedSolve[Migrations]):
    """Rounds over final states; one to which no plan of as few moves leads is then forbidden.

    forbidden: final states that are settled; open: the least number that a plan to one of them may
    have, None if there is none. The stricter model: states that any order leads to.
    """

    source = CPSAT

    def __init__(
        self,
        cluster: VmCluster,
        incumbent: Incumbent[Migrations],
        workers: int,
        seed: int,
        *,
        strict_until: float | None = None,
    ) -> None:
        least = [0] * len(objective.stages(cluster))
        super().__init__(incumbent, workers, seed, least, strict_until=strict_until)
        self.cluster = cluster
        self.forbidden: list[Migrations] = []
        self.open: int | None = None

    def values(self, solution: Migrations) -> tuple[int, ...]:
        """Values of the stages as the model counts them."""
        return values_without_hops(self.cluster, solution)

    def offer(self, solution: Migrations) -> None:
        """Offer a state, if it is better than the best and passes the check."""
        offer(self.cluster, solution, CPSAT, self.incumbent)

    def bounded(self, digits: Sequence[int]) -> None:
        """Raise the bound, not beyond what is known and what forbidden states may come to."""
        number = objective.number(self.cluster, digits)
        limits = [one for one in (self.open, self.incumbent.objective) if one is not None]
        self.incumbent.raise_bound(min(number, *limits) if limits else number, CPSAT)

    def settle(self, solution: Migrations, *, all_proven: bool) -> bool:
        """Look for a plan to the state that the stages have ended in, and forbid it."""
        if self.strict:
            return True
        cluster = self.cluster
        number = objective.number(cluster, self.values(solution))
        best = self.incumbent.objective
        if all_proven and best is not None and number >= best:
            # No state but those that are forbidden could be better.
            self.bounded(self.values(solution))
            return True
        try:
            answer = ordered(cluster, solution.end(cluster))
        except NoPlanError as problem:
            least = None if problem.proven else number
        else:
            offer(cluster, answer.plan, CPSAT, self.incumbent)
            least = objective.objective(cluster, answer.plan) if answer.least else number
            if least == number == self.incumbent.objective:
                return all_proven
        if least is not None:
            self.open = least if self.open is None else min(self.open, least)
        self.forbidden.append(solution)
        # What was proven may be out of reach without that state, but is a bound all the same.
        self.floor = [self.floor[0], *self.least[1:]]
        return False

    def nothing_left(self) -> bool:
        """A plan to a forbidden state, if there is one, is all there is."""
        if self.strict:
            return True
        if self.open is not None:
            self.incumbent.raise_bound(self.open, CPSAT)
        else:
            self.incumbent.prove_infeasible(CPSAT)
        return True

    def start(self, formulation: Formulation[Migrations]) -> Migrations | None:
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

    def formulation(self) -> Formulation[Migrations]:
        """The model without the states that are forbidden."""
        formulation = formulate(
            self.cluster,
            objective="stages",
            bounded=True,
            easy=self.strict,
            stop=lambda: self.incumbent.done,
        )
        model = formulation.model
        count = len(formulation.decisions)
        for state in self.forbidden:
            chosen = np.flatnonzero(formulation.encode(state)[:count]).tolist()
            model.add_bool_or([~model.get_bool_var_from_proto_index(k) for k in chosen])
        return formulation
