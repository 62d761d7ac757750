"""CP-SAT on the pod model, one stage of the objective after the other."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from cpsched.cpsat import run
from cpsched.errors import StopRequestedError
from cpsched.formulation import Assign
from cpsched.incumbent import Incumbent
from cpsched.pods import objective
from cpsched.pods.interchange import canonical
from cpsched.pods.model import formulate
from cpsched.pods.offering import offer
from cpsched.pods.running import trivial_bound
from cpsched.pods.solution import Placement

if TYPE_CHECKING:
    import threading

    from cpsched.formulation import Formulation
    from cpsched.pods.instance import Cluster
    from cpsched.protocols import Limits

SOURCE = "cpsat"

#: Seconds that a stage gets at least, if there are so many.
_LEAST_SHARE = 1.0

#: Share of the time for placements that keep affinities and spreads in the end, too.
_LASTING_SHARE = 0.4

#: Pairs of pods and nodes that a model may have. Measured: building a model of 870,000 takes 6 s
#: and 0.65 GB, and CP-SAT makes copies.
MAX_PAIRS = 3_000_000


def start(
    cluster: Cluster, limits: Limits, method: str, incumbent: Incumbent[Placement]
) -> threading.Thread:
    """Start CP-SAT on *incumbent*; returns the running thread."""
    del method

    def work() -> None:
        solve_by_stages(cluster, incumbent, workers=limits.workers, seed=limits.seed)
        incumbent.finish()

    return incumbent.run(work)


def pairs(cluster: Cluster) -> int:
    """Number of pairs of a pod that may move and a node."""
    return int((~cluster.is_held).sum()) * cluster.num_nodes


def solve_by_stages(
    cluster: Cluster, incumbent: Incumbent[Placement], *, workers: int, seed: int
) -> None:
    """Minimise the stages lexicographically until all is proven or *incumbent* is done.

    Each stage is fixed to its proven value, or held to its best where time ran out, before the
    next; it may take an equal share of the time left. If time is left in the end, the stages that
    are not proven are solved again, from the best placement. The incumbent's bound is a number,
    too: the proven stages, the bound of the first that is not, and what counting says of those
    behind it.

    The model says which final states keep the rules. One that no plan leads to is not offered;
    if all stages end in such a one, it is forbidden and they begin again. Where affinities or
    spreads leave much to the plan, a part of the time first goes to a model that leaves less.

    It gives up where the model would have more than ``MAX_PAIRS`` pairs of pods and nodes.
    """
    if pairs(cluster) > MAX_PAIRS:
        incumbent.give_up(
            f"cpsat: {pairs(cluster)} pairs of pods and nodes are more than the {MAX_PAIRS} that "
            "it models"
        )
        return
    try:
        if cluster.affinities or cluster.spreads:
            until = time.perf_counter() + _LASTING_SHARE * incumbent.remaining
            _Solve(cluster, incumbent, workers, seed, lasting_until=until).rounds()
        _Solve(cluster, incumbent, workers, seed).rounds()
    except StopRequestedError:
        return


class _Solve:
    """What is known between the stages.

    lasting_until: solve the model that leaves less to the plan, to that moment of the clock; what
    it proves is not passed on.
    """

    def __init__(
        self,
        cluster: Cluster,
        incumbent: Incumbent[Placement],
        workers: int,
        seed: int,
        *,
        lasting_until: float | None = None,
    ) -> None:
        self.lasting = lasting_until is not None
        self.deadline = incumbent.deadline if lasting_until is None else lasting_until
        self.cluster, self.incumbent = cluster, incumbent
        self.workers, self.seed = workers, seed
        self.stages = objective.stages(cluster)
        self.least = objective.digits(cluster, trivial_bound(cluster))
        #: Bounds of the stages, each given that those before it have their proven values.
        self.floor = list(self.least)
        self.refused: dict[Placement, None] = {}
        self.forbidden: list[Placement] = []

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
        place = self._start()
        proven: list[int] = []
        all_proven = True
        for number in range(len(self.stages)):
            if self.over:
                return True
            view = _StageIncumbent(self, number, tuple(proven) if all_proven else None)
            value = self.values(place)[number]
            view.offer(value, place, SOURCE)
            view.raise_bound(self.floor[number], SOURCE)
            if not view.done:
                formulation.model.minimize(formulation.stages[number])
                stage = replace(formulation, objective=partial(self.value, number))
                stage.hint(place)
                run(stage, view, workers=self.workers, seed=self.seed, source=SOURCE)
            if view.objective is None or view.solution is None:
                raise ValueError(f"stage {number} lost the solution it began with")
            place, value = view.solution, view.objective
            if all_proven and view.bound is not None:
                self.floor[number] = view.bound
            if view.bound == value:
                formulation.model.add(formulation.stages[number] == value)
            else:
                formulation.model.add(formulation.stages[number] <= value)
                all_proven = False
            proven.append(value)
        if place in self.refused:
            self.forbidden = list(self.refused)
            # What was proven may be out of reach without that placement.
            self.floor = list(self.least)
            return False
        return all_proven

    def values(self, placement: Placement) -> tuple[int, ...]:
        """Values of the stages."""
        return objective.values(self.cluster, placement.node)

    def value(self, number: int, placement: Placement) -> int:
        """Value of one stage."""
        return self.values(placement)[number]

    def offer(self, placement: Placement) -> None:
        """Offer a placement of the model, if it is better than the best and passes the check."""
        if offer(self.cluster, placement.node, SOURCE, self.incumbent) is False:
            self.refused[placement] = None

    def raise_bound(self, proven: tuple[int, ...], bound: int) -> None:
        """Take a *bound* on the stage after those that are *proven*."""
        if self.lasting:
            return
        digits = (*proven, bound, *self.least[len(proven) + 1 :])
        self.incumbent.raise_bound(objective.number(self.cluster, digits), SOURCE)

    def _start(self) -> Placement:
        best = self.incumbent.solution
        node = self.cluster.node if best is None else best.node
        return Placement(canonical(self.cluster, node))

    def _formulation(self) -> Formulation[Placement]:
        formulation = formulate(
            self.cluster,
            objective="stages",
            symmetric=True,
            lasting=self.lasting,
            stop=lambda: self.incumbent.done,
        )
        model = formulation.model
        choices = [
            choice.literal for choice in formulation.decisions if isinstance(choice, Assign)
        ]
        for placement in self.forbidden:
            values = formulation.encode(placement)
            literals = [(model.get_bool_var_from_proto_index(k), values[k]) for k in choices]
            model.add_bool_or([~literal if value else literal for literal, value in literals])
        return formulation


class _StageIncumbent(Incumbent[Placement]):
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

    def offer(self, objective: int, solution: Placement, source: str) -> bool:
        """Take and pass on a placement."""
        self.solve.offer(solution)
        return super().offer(objective, solution, source)

    def raise_bound(self, bound: int, source: str) -> bool:
        """Take and pass on a bound."""
        if self.proven is not None:
            self.solve.raise_bound(self.proven, bound)
        if self.solve.lasting and self.objective is not None:
            # What the stage began with may be no state of that stricter model, and better.
            bound = min(bound, self.objective)
        return super().raise_bound(bound, source)
