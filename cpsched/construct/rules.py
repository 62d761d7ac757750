"""Dispatching rules: a score per legal decision, the highest is taken (ties: the first decision).

They score what the state says of a decision, so that a rule works on every formulation on which
its terms exist. Importing this module loads no kernel.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from cpsched.construct.frames import Frame

if TYPE_CHECKING:
    from collections.abc import Callable

Scores: TypeAlias = npt.NDArray[np.float64]

#: Columns of ``State.terms()``, in the time of the model.
TERMS = ("duration", "remaining_work", "remaining_tasks", "ready", "start", "due", "weight")


@dataclass(frozen=True, slots=True)
class Terms:
    """What a rule may look at: arrays of shape (num_legal,), an entry per legal decision.

    rng: for what is drawn at random; duration: least size of the interval that the decision
    starts; remaining_work, remaining_tasks: longest chain of least sizes from there to the end,
    this one included, and the intervals on it; ready: latest end of its predecessors; start: when
    it would start; due: when it should be done, infinite if never; weight: how much its lateness
    counts.

    A decision that starts nothing has no duration, work, tasks or ready time (0), and an infinite
    start.
    """

    rng: np.random.Generator
    duration: Scores
    remaining_work: Scores
    remaining_tasks: Scores
    ready: Scores
    start: Scores
    due: Scores
    weight: Scores


@dataclass(frozen=True, slots=True)
class Rule:
    """A dispatching rule.

    name, meaning: for people; score: of every legal decision, shape (num_legal,); frame: what is
    legal; needs_due: whether it means nothing without due dates.
    """

    name: str
    meaning: str
    score: Callable[[Terms], Scores]
    frame: Frame = Frame.NONDELAY
    needs_due: bool = False


#: Look-ahead k of ``atc``, in mean durations: of the 2 to 3 in use the one for static shops.
ATC_LOOK_AHEAD = 2.0
#: What stands for 0 where a logarithm or a quotient of it is needed; times are integers.
_TINY = 1e-9


def apparent_tardiness_cost(terms: Terms) -> Scores:
    """Logarithm of the index of Vepsalainen & Morton (1987), which itself would underflow.

    The index is w / p exp(-slack / (k mean p)): weight by duration, discounted by the time that
    could pass until the last start in time; the mean is over the legal decisions.
    """
    slack = np.maximum(0.0, terms.due - terms.duration - terms.start)
    scale = ATC_LOOK_AHEAD * max(_TINY, float(terms.duration.mean()))
    weighted: Scores = np.log(np.maximum(terms.weight, _TINY)) - np.log(
        np.maximum(terms.duration, _TINY)
    )
    return weighted - slack / scale


def modified_due_date(terms: Terms) -> Scores:
    """The due date, or the earliest end if that is later (Baker & Bertrand 1982), negated."""
    return -np.maximum(terms.due, terms.start + terms.duration)


_RULES = (
    Rule("spt", "shortest processing time", lambda t: -t.duration),
    Rule("lpt", "longest processing time", lambda t: t.duration),
    Rule("mwkr", "most work remaining in the job", lambda t: t.remaining_work),
    Rule("lwkr", "least work remaining in the job", lambda t: -t.remaining_work),
    Rule("mopnr", "most operations remaining in the job", lambda t: t.remaining_tasks),
    Rule("lopnr", "fewest operations remaining in the job", lambda t: -t.remaining_tasks),
    Rule("fifo", "longest waiting: the job that became ready first", lambda t: -t.ready),
    Rule(
        "random",
        "any candidate with equal probability",
        lambda t: t.rng.random(len(t.duration)),
    ),
    Rule("edd", "earliest due date", lambda t: -t.due, needs_due=True),
    Rule("mdd", "earliest modified due date", modified_due_date, needs_due=True),
    Rule("atc", "highest apparent tardiness cost", apparent_tardiness_cost, needs_due=True),
)

#: Other names in use: the longest remaining processing time of a job, its current operation
#: included, is its work remaining.
_ALIASES = {"lrpt": "mwkr", "mor": "mopnr"}

#: Rule by name.
RULES = {rule.name: rule for rule in _RULES}
RULES.update(
    {
        alias: replace(RULES[name], name=alias, meaning=f"{RULES[name].meaning} (as {name})")
        for alias, name in _ALIASES.items()
    }
)
