"""CP-SAT on the pod model, one stage of the objective after the other."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from cpsched.errors import StopRequestedError
from cpsched.formulation import Assign
from cpsched.pods import objective
from cpsched.pods.interchange import canonical
from cpsched.pods.model import formulate
from cpsched.pods.offering import offer
from cpsched.pods.running import trivial_bound
from cpsched.pods.solution import Placement
from cpsched.staged import StagedSolve

if TYPE_CHECKING:
    import threading
    from collections.abc import Sequence

    from cpsched.formulation import Formulation
    from cpsched.incumbent import Incumbent
    from cpsched.pods.instance import Cluster
    from cpsched.protocols import Limits

SOURCE = "cpsat"

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

    See ``cpsched.staged``. If time is left in the end, the stages that
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
            _Solve(cluster, incumbent, workers, seed, strict_until=until).rounds()
        _Solve(cluster, incumbent, workers, seed).rounds()
    except StopRequestedError:
        return


class _Solve(StagedSolve[Placement]):
    """Rounds over placements; what no plan leads to is refused, and forbidden in the next."""

    source = SOURCE

    def __init__(
        self,
        cluster: Cluster,
        incumbent: Incumbent[Placement],
        workers: int,
        seed: int,
        *,
        strict_until: float | None = None,
    ) -> None:
        least = objective.digits(cluster, trivial_bound(cluster))
        super().__init__(incumbent, workers, seed, least, strict_until=strict_until)
        self.cluster = cluster
        self.refused: dict[Placement, None] = {}
        self.forbidden: list[Placement] = []

    def values(self, solution: Placement) -> tuple[int, ...]:
        """Values of the stages."""
        return objective.values(self.cluster, solution.node)

    def offer(self, solution: Placement) -> None:
        """Offer a placement, if it is better than the best and passes the check."""
        if offer(self.cluster, solution.node, SOURCE, self.incumbent) is False:
            self.refused[solution] = None

    def bounded(self, digits: Sequence[int]) -> None:
        """Raise the bound."""
        self.incumbent.raise_bound(objective.number(self.cluster, digits), SOURCE)

    def settle(self, solution: Placement, *, all_proven: bool) -> bool:
        """Begin again without what was refused, if the stages have ended in it."""
        if solution not in self.refused:
            return all_proven
        self.forbidden = list(self.refused)
        # What was proven may be out of reach without that placement.
        self.floor = list(self.least)
        return False

    def start(self, formulation: Formulation[Placement]) -> Placement:
        """The best placement so far, or that of now."""
        del formulation
        best = self.incumbent.solution
        node = self.cluster.node if best is None else best.node
        return Placement(canonical(self.cluster, node))

    def formulation(self) -> Formulation[Placement]:
        """The model without the placements that are forbidden."""
        formulation = formulate(
            self.cluster,
            objective="stages",
            symmetric=True,
            lasting=self.strict,
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
