"""What is asked of a rescheduling: the objective, the limits, what a migration costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from cpsched.errors import InputError, UnknownNameError

#: Objectives with one line each.
OBJECTIVES: Final = {
    "fragments": "most whole slots within the migration limit",
    "goal": "a fragment rate that is low enough with the fewest migrations",
    "empty": "most empty PMs",
}

_LARGEST = 2**31 - 1


def _number(value: object, what: str, low: int, high: int = _LARGEST) -> None:
    if type(value) is not int or not low <= value <= high:
        raise InputError(f"{what} must be an integer in {low}..{high}, not {value!r}")


@dataclass(frozen=True, slots=True)
class Fragment:
    """What free cpu is worth: whole slots of *cores* cores.

    double False: a NUMA node with f free millicores has ``f // (1000 * cores)`` slots. double
    True: a PM with n NUMA nodes has as many slots as the poorest of them has shares of
    ``1000 * cores / n`` millicores (a VM that is spread over all of them). What is free beyond
    whole slots is a fragment. weight: of this slot against others; a slot is worth weight * cores.

    Raises InputError for cores outside 1..1,000,000 or a weight outside 1..1,000,000.
    """

    cores: int = 16
    double: bool = False
    weight: int = 1

    def __post_init__(self) -> None:
        _number(self.cores, "cores of a slot", 1, 10**6)
        _number(self.weight, "weight of a slot", 1, 10**6)
        if type(self.double) is not bool:
            raise InputError(f"double of a slot must be true or false, not {self.double!r}")

    @property
    def size(self) -> int:
        """Millicores of a slot."""
        return 1000 * self.cores

    @property
    def name(self) -> str:
        """``FR-16`` and the like, as in the literature."""
        return f"FR-{self.cores}" + (" double" if self.double else "")


@dataclass(frozen=True, slots=True)
class Policy:
    """Objective and limits of a rescheduling.

    Parameters
    ----------
    max_moves
        Migration number limit (MNL), hops counted; None for none.
    objective
        One of ``OBJECTIVES``; ties go to fewer migrations, then to their lower cost.
    fragments
        The slots that free cpu is worth, weighted.
    goal
        Numerator and denominator of the fragment rate to reach, for the objective ``goal``.
    in_flight, inflow, outflow
        Most migrations at a time: of all, into one PM, out of one PM (None: any number).
    bandwidth, overhead
        MiB a second of one migration; seconds that each takes besides.
    cost_unit
        MiB of memory and local disk for one unit of migration cost.

    Raises
    ------
    InputError
        For a value out of range, a goal without its objective or the other way round.
    """

    max_moves: int | None = 50
    objective: str = "fragments"
    fragments: tuple[Fragment, ...] = (Fragment(),)
    goal: tuple[int, int] | None = None
    in_flight: int = 2
    inflow: int = 1
    outflow: int | None = None
    bandwidth: int = 1250
    overhead: int = 1
    cost_unit: int = 4096

    def __post_init__(self) -> None:
        if type(self.objective) is not str or self.objective not in OBJECTIVES:
            raise UnknownNameError.of("objective", str(self.objective), OBJECTIVES)
        if self.max_moves is not None:
            _number(self.max_moves, "policy max_moves", 0)
        if self.outflow is not None:
            _number(self.outflow, "policy outflow", 1)
        for name in ("in_flight", "inflow", "bandwidth", "cost_unit"):
            _number(getattr(self, name), f"policy {name}", 1)
        _number(self.overhead, "policy overhead", 0)
        if not self.fragments or not all(type(one) is Fragment for one in self.fragments):
            raise InputError("policy fragments must be one or several slot sizes")
        kinds = [(one.cores, one.double) for one in self.fragments]
        if len(set(kinds)) < len(kinds):
            raise InputError("policy fragments names one slot size twice")
        if (self.goal is None) is (self.objective == "goal"):
            raise InputError(
                "a goal of the fragment rate and the objective 'goal' go together: "
                f"objective {self.objective!r}, goal {self.goal!r}"
            )
        if self.goal is not None:
            if type(self.goal) is not tuple or len(self.goal) != 2:
                raise InputError(f"policy goal must be two integers, not {self.goal!r}")
            _number(self.goal[1], "denominator of the goal", 1)
            _number(self.goal[0], "numerator of the goal", 0, self.goal[1])
