"""Dispatching rules run to a schedule: as a method of their own, and to start CP-SAT from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cpsched.construct import Construction, Outcome, State, compile_formulation
from cpsched.construct.rollout import roll_out
from cpsched.construct.rules import RULES
from cpsched.errors import StopRequestedError
from cpsched.jobshop import dispatch
from cpsched.jobshop.arrays import Arrays
from cpsched.jobshop.bounds import lower_bound
from cpsched.jobshop.model import formulate
from cpsched.propagation import InfeasibleModelError

if TYPE_CHECKING:
    from collections.abc import Callable

    from cpsched.incumbent import Incumbent
    from cpsched.jobshop.instance import JobShop
    from cpsched.jobshop.solution import Schedule
    from cpsched.protocols import Limits

#: Classic job shops of more operations take the kernel of ``dispatch``: 100,000 operations are a
#: third of a second there and 25 through the model, which is built and propagated for it.
LARGEST = 10_000
#: Rules that ``auto`` starts a flexible job shop from, the most useful one alone first.
STARTS = ("spt", "mwkr", "mopnr")
#: Share of the time limit after which no other rule is begun.
SHARE = 0.1
#: Share of the time left that the first one may take: CP-SAT needs some, too.
PATIENCE = 0.5


def follow(
    instance: JobShop, limits: Limits, name: str, method: str, incumbent: Incumbent[Schedule]
) -> None:
    """Run rule *name* and end the solve; *method* is what the schedule is reported under.

    A classic job shop of more than ``LARGEST`` operations takes a shortcut where there is one: the
    kernel of ``dispatch`` gives the same schedule (a test holds the two equal), but for operations
    of duration 0; see there.
    """
    bound = lower_bound(instance)
    incumbent.raise_bound(bound, "bounds")
    weights = weights_of(name) if instance.num_ops > LARGEST else None

    def stop() -> bool:
        return incumbent.done

    try:
        if weights is not None and not instance.is_flexible:
            arrays = Arrays(instance)
            makespan, order = dispatch.roll_out(arrays, weights, halt=incumbent.halt)
            incumbent.offer(makespan, arrays.schedule(order), method)
        else:
            construction = _construction(instance, bound, stop)
            outcome, state = _rolled_out(construction, name, limits, incumbent, stop)
            if outcome is Outcome.RUNNING:
                return
            if outcome is Outcome.DEAD_END:
                incumbent.give_up(f"{method} has come to a dead end: {state.why()}")
                return
            solution = state.solution()
            incumbent.offer(state.formulation.objective(solution), solution, method)
    except StopRequestedError:
        return
    except InfeasibleModelError:
        incumbent.prove_infeasible("propagation")
        return
    incumbent.finish()


def start(instance: JobShop, limits: Limits, incumbent: Incumbent[Schedule]) -> None:
    """Offer the schedules of a few rules, within part of the time limit.

    The first rule may take ``PATIENCE`` of the time, the model for it included; the others are
    begun while they are cheap.
    """
    until = incumbent.elapsed + PATIENCE * incumbent.remaining

    def stop() -> bool:
        return incumbent.done or incumbent.elapsed > until

    try:
        construction = _construction(instance, incumbent.bound or 0, stop)
    except StopRequestedError:
        return
    for name in STARTS:
        if incumbent.objective is not None and incumbent.elapsed > SHARE * limits.time_limit:
            return
        outcome, state = _rolled_out(construction, name, limits, incumbent, stop)
        if outcome is Outcome.FINISHED:
            solution = state.solution()
            incumbent.offer(state.formulation.objective(solution), solution, "dispatching")


def weights_of(name: str) -> dict[str, float] | None:
    """Terms of the score of rule *name* in ``dispatch``, None if it is no such rule.

    Another name for a rule has them too. A rule that draws at random has none: the two would draw
    different numbers.
    """
    for known, terms in dispatch.WEIGHTS.items():
        if RULES[known].score is RULES[name].score and "random" not in terms:
            return terms
    return None


def _construction(instance: JobShop, bound: int, stop: Callable[[], bool]) -> Construction:
    return compile_formulation(formulate(instance, lower_bound=bound, stop=stop), stop=stop)


def _rolled_out(
    construction: Construction,
    name: str,
    limits: Limits,
    incumbent: Incumbent[Schedule],
    stop: Callable[[], bool],
) -> tuple[Outcome, State[Schedule]]:
    rule = RULES[name]
    state: State[Schedule] = State(construction, rule.frame)
    incumbent.raise_bound(state.bound(), "propagation")
    return roll_out(state, rule, np.random.default_rng(limits.seed), stop), state
