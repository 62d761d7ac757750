"""The sections on the strength of propagation and on the models of users."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from .tables import figure, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .records import Record

_STRENGTH_NOTE = """\
The least makespan h for which the model with horizon h does not fail at the root: a lower bound
on the makespan, without search, in percent of the best known one. One machine: the preemptive
bound of single machines (Jackson), for comparison. None: bounds on pairs of intervals alone.
"""

_TIME_NOTE = """\
Milliseconds for one propagation of `makespan <= h` from a loose horizon to the fix point, h
being the bound above / one less, which is refuted:
"""

_MODELS_NOTE = """\
Models of [docs/examples](../examples), in the style of OR-Tools' documentation, nothing in them
for cpsched: `gymnasium.make("cpsched/Schedule-v0", model=model)`, frame "all", random legal
actions, one core. Confirmed: finished episodes (the first ones and the best) whose values, fixed
one by one in the model, CP-SAT finds feasible with the very objective that the environment
reported.
"""


def strength(records: Sequence[Record]) -> str:
    if not records:
        return "Not measured yet.\n"
    rules = list(records[0]["rules"])
    bounds, spent = [], []
    for record in records:
        best = record["best_known"]
        bounds.append(
            (
                record["key"][1],
                record["size"],
                str(best),
                _of(record["one_machine"], best),
                *(_of(record["rules"][rule]["bound"], best) for rule in rules),
            )
        )
        spent.append(
            (
                record["key"][1],
                *(
                    f"{figure(record['rules'][rule]['holds_ms'])} / "
                    f"{figure(record['rules'][rule]['refuted_ms'])}"
                    for rule in rules
                ),
            )
        )
    shares = [
        [record["one_machine"] / record["best_known"] for record in records],
        *([r["rules"][rule]["bound"] / r["best_known"] for r in records] for rule in rules),
    ]
    bounds.append(("mean", "", "", *(f"{100 * statistics.fmean(each):.1f} %" for each in shares)))
    return "\n".join(
        (
            _STRENGTH_NOTE,
            table(("instance", "size", "best known", "one machine", *rules), bounds),
            _TIME_NOTE,
            table(("instance", *rules), spent),
        )
    )


def _of(bound: int, best: int) -> str:
    return f"{bound} ({100 * bound / best:.1f} %)"


def models(records: Sequence[Record]) -> str:
    if not records:
        return "Not measured yet.\n"
    rows = []
    ends = []
    for record in records:
        name = record["key"][1]
        optimum = figure(record["optimum"])
        if record["status"] != "optimal":
            optimum += f" ({record['status']}, bound {figure(record['bound'])})"
        rows.append(
            (
                f"[{name}](../examples/{name}.py)",
                str(record["variables"]),
                str(record["constraints"]),
                figure(record["steps_per_episode"]),
                f"{record['episodes']:,}",
                f"{record['dead_ends']:,}",
                figure(record["steps"] / record["wall_time"]),
                figure(record["mean_objective"]),
                figure(record["best_objective"]),
                optimum,
                f"{record['confirmed']} of {record['looked_at']}",
            )
        )
        if record["dead_end"]:
            ends.append(f"- a dead end of {name}: {record['dead_end']}")
    header = ("model", "variables", "constraints", "steps per episode", "episodes", "dead ends")
    header += ("steps/s", "mean objective", "best", "optimum", "confirmed")
    return "\n".join((_MODELS_NOTE, table(header, rows), *(line + "\n" for line in ends)))
