"""The one roll-out of dispatching rules, over any formulation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cpsched.construct import Outcome
from cpsched.construct.rules import Terms
from cpsched.errors import MethodError

if TYPE_CHECKING:
    from collections.abc import Callable

    from cpsched.construct import State
    from cpsched.construct.rules import Rule

#: Decisions between two looks at whether to stop: each may take milliseconds.
_POLL = 8


def roll_out(
    state: State[Any],
    rule: Rule,
    rng: np.random.Generator,
    stop: Callable[[], bool] | None = None,
) -> Outcome:
    """Take the decisions with the highest score of *rule*, in place, to the end of *state*.

    Returns ``FINISHED``; ``DEAD_END`` if propagation has left no way on, ``state.why()`` then says
    why; or ``RUNNING`` if *stop*, asked every few decisions, said so.

    Ties go to the decision that comes first in the formulation. Rules are about starts: a decision
    that starts nothing is taken when no start is legal, and waiting when nothing else is. What is
    legal is the frame of *state*, which ``rule.frame`` only recommends.

    Raises MethodError for a rule that needs due dates on a formulation without.
    """
    if rule.needs_due and state.formulation.due is None:
        raise MethodError(f"rule {rule.name} needs due dates, the formulation has none")
    taken = 0
    while state.outcome is Outcome.RUNNING:
        if stop is not None and taken % _POLL == 0 and stop():
            break
        state.apply(_best(state, rule, rng))
        taken += 1
    return state.outcome


def _best(state: State[Any], rule: Rule, rng: np.random.Generator) -> int:
    table = state.terms()
    if len(table) == 0:
        return state.num_decisions
    # Behind these stands waiting, if it is legal.
    legal = state.legal()[: len(table)]
    terms = Terms(rng, *table.T)
    score = rule.score(terms)
    starts = np.isfinite(terms.start)
    if not starts.all() and starts.any():
        legal, score = legal[starts], score[starts]
    return int(legal[score == score.max()].min())
