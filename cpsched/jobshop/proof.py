"""Proof by refutation: CP-SAT asked whether a schedule shorter than the best one exists.

As a satisfiability question on the horizon "best - 1", without an objective, CP-SAT refutes far
more than when it minimises, and a "yes" is an improvement for the local search to go on from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cpsched import cpsat
from cpsched.errors import StopRequestedError
from cpsched.jobshop.model import PROOF_PARAMETERS, formulate
from cpsched.result import Status

if TYPE_CHECKING:
    from cpsched.incumbent import Incumbent
    from cpsched.jobshop.instance import JobShop
    from cpsched.jobshop.solution import Schedule
    from cpsched.protocols import Limits

#: Instances of at most so many operations are proven at length, larger ones only probed.
SMALL = 256
#: Share of the time limit that each probe of a larger instance gets, of one worker.
PROBE = 0.04
#: Building the model of more operations takes longer than a probe is worth.
LARGEST = 5_000


class Prover:
    """Decides when a refutation is due and runs it with one worker, between the steps of a search.

    A small instance gets a refutation as soon as the incumbent has not improved for a while, and
    as long as it needs unless the incumbent improves. A larger one gets two probes of a few
    percent of the time, each a refutation first and then a bisection of the gap
    that raises the bound as far as short refutations do.
    """

    def __init__(self, instance: JobShop, incumbent: Incumbent[Schedule], limits: Limits) -> None:
        self.instance = instance
        self.incumbent = incumbent
        self.limits = limits
        self._probes = [0.5, 0.1] if instance.num_ops <= LARGEST else []

    def due(self) -> bool:
        """Whether ``run`` should be called now."""
        incumbent = self.incumbent
        if incumbent.objective is None or incumbent.done:
            return False
        elapsed, limit = incumbent.elapsed, self.limits.time_limit
        if self.instance.num_ops <= SMALL:
            since = elapsed - incumbent.trace[-1].seconds
            size = self.instance.num_ops / SMALL
            return since >= max(0.02, size * min(0.1 * limit, 2.0), 0.2 * elapsed)
        return bool(self._probes) and elapsed >= self._probes[-1] * limit

    def run(self) -> None:
        """One refutation of a small instance, or one probe of a larger one."""
        incumbent = self.incumbent
        if incumbent.objective is None:
            return
        if self.instance.num_ops <= SMALL:
            self._refute(incumbent.objective - 1, incumbent.remaining)
            return
        self._probes.pop()
        until = incumbent.elapsed + PROBE * self.limits.time_limit
        step = PROBE * self.limits.time_limit / 4
        if self._refute(incumbent.objective - 1, step) is not Status.UNKNOWN:
            return
        low, high = incumbent.bound or 0, incumbent.objective - 1
        while low < high and incumbent.elapsed < until and not incumbent.done:
            middle = (low + high) // 2
            if self._refute(middle, min(step, until - incumbent.elapsed)) is Status.INFEASIBLE:
                low = middle + 1
            else:
                high = middle

    def _refute(self, horizon: int, seconds: float) -> Status:
        """Ask for a makespan of at most *horizon*; INFEASIBLE has raised the bound above it."""
        incumbent = self.incumbent
        try:
            formulation = formulate(
                self.instance,
                upper_bound=horizon,
                lower_bound=incumbent.bound or 0,
                stop=lambda: incumbent.done,
            )
        except StopRequestedError:
            return Status.UNKNOWN
        formulation.model.proto.clear_objective()
        outcome = cpsat.run(
            formulation,
            incumbent,
            workers=1,
            seed=self.limits.seed,
            time_limit=seconds,
            parameters=PROOF_PARAMETERS,
            until=lambda: incumbent.objective is not None and incumbent.objective <= horizon,
        )
        if outcome.status is Status.INFEASIBLE:
            incumbent.raise_bound(horizon + 1, "cpsat")
        return outcome.status
