"""Dispatching rules of the job shop: a score per candidate operation, the highest is taken."""

from __future__ import annotations

from dataclasses import dataclass

#: Terms of a linear score, all of a candidate operation: its duration; the remaining work of its
#: job (this operation included); the remaining number of operations (included); the time its job
#: became ready; its earliest start; a uniform random number in [0, 1).
TERMS = ("duration", "remaining_work", "remaining_ops", "ready", "start", "random")


@dataclass(frozen=True, slots=True)
class Rule:
    """A linear score over ``TERMS`` in the non-delay frame."""

    name: str
    meaning: str
    weights: dict[str, float]


RULES = {
    rule.name: rule
    for rule in (
        Rule("spt", "shortest processing time", {"duration": -1.0}),
        Rule("lpt", "longest processing time", {"duration": 1.0}),
        Rule("mwkr", "most work remaining in the job", {"remaining_work": 1.0}),
        Rule("lwkr", "least work remaining in the job", {"remaining_work": -1.0}),
        Rule("mopnr", "most operations remaining in the job", {"remaining_ops": 1.0}),
        Rule("lopnr", "fewest operations remaining in the job", {"remaining_ops": -1.0}),
        Rule("fifo", "longest waiting: the job that became ready first", {"ready": -1.0}),
        Rule("random", "any candidate with equal probability", {"random": 1.0}),
    )
}
