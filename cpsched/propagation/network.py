"""A model as the kernels take it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cpsched.propagation import layout as at

if TYPE_CHECKING:
    from cpsched.propagation.sections import Ints


@dataclass(frozen=True, slots=True)
class Network:
    """A model as the kernels take it.

    static: the array ``S`` of ``layout``; initial: a state ``T`` before any propagation; sources:
    for each constraint of the model its kind, name and model variables; names: of the variables;
    intervals: interval number by index of the interval constraint; resources: for each no-overlap
    and cumulative (constraint, [(interval, demand), …]).
    """

    static: Ints
    initial: Ints
    num_variables: int
    sources: tuple[tuple[str, str, tuple[int, ...]], ...]
    names: tuple[str, ...]
    has_objective: bool
    intervals: dict[int, int]
    resources: tuple[tuple[int, tuple[tuple[int, int], ...]], ...]

    @property
    def interval_table(self) -> Ints:
        """Shape (num_intervals, ``layout.INTERVAL``): the slots of each interval."""
        begin = self.static[at.INTERVALS]
        size = at.INTERVAL * self.static[at.NUM_INTERVALS]
        return self.static[begin : begin + size].reshape(-1, at.INTERVAL)
