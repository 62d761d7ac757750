"""All stages, one after the other, each to its proof as far as the time reaches."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from cpsched.columns.packing import StageProblem, maximal
from cpsched.columns.pool import pool_bound
from cpsched.columns.stage import StageSolver, StageState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cpsched.columns.packing import Aim, Bins, Column, Items, LongArray, Quota


class Host(Protocol):
    """Who knows the problem behind the items: keeps the best solution, takes new ones and bounds.

    Contents have shape (bins, types), by the bins of ``Packing.single``.
    """

    halt: LongArray

    def best(self) -> tuple[tuple[int, ...], list[LongArray]]:
        """Values of all aims in the best solution, and contents: its own, then other good ones."""

    def offer(self, contents: LongArray) -> None:
        """Take a solution, if it is one and better."""

    def prove(self, stage: int, bound: int) -> None:
        """Aim *stage* is at most *bound* while all aims before have their best values, proven."""


@dataclass(frozen=True)
class Packing:
    """Items, aims and two views of the bins: every bin that is told apart, and equal ones merged.

    member: for both, the bins of each class, as indices into the rows of contents.
    """

    items: Items
    quotas: Sequence[Quota]
    aims: Sequence[Aim]
    single: Bins
    single_member: Sequence[LongArray]
    merged: Bins
    merged_member: Sequence[LongArray]
    num_bins: int
    home: LongArray

    def view(self, local: bool) -> tuple[Bins, Sequence[LongArray]]:
        """Classes and their members; *local*: it matters which item is where now."""
        if local:
            return self.single, self.single_member
        return self.merged, self.merged_member


class Certifier:
    """Works through the aims, as often as asked; what it has learned of a stage it keeps.

    A stage is known by the values of those before it, so when a better solution of an earlier,
    unproven stage turns up the later ones begin anew.
    """

    def __init__(self, packing: Packing, host: Host) -> None:
        self.packing, self.host = packing, host
        self._stages: dict[tuple[int, ...], tuple[StageSolver | None, StageState]] = {}

    def run(self, deadline: float, share: float = 0.6) -> bool:
        """Prove stage by stage until *deadline* (perf_counter); whether all are proven.

        share: most of the time left that one stage takes; the rest is for those after it.
        """
        number = len(self.packing.aims)
        k = 0
        while k < number:
            left = deadline - time.perf_counter()
            if left <= 0 or self.host.halt[0]:
                return False
            end = deadline if k + 1 == number else time.perf_counter() + share * left
            trivial = self._open(k) and k + 1 < number
            done = trivial and self._defer(k, end, share, quick=True)
            done = done or self._stage(k, end)
            done = done or (not trivial and self._defer(k, deadline, share))
            if not done:
                return False
            k += 1
        return True

    def _defer(self, k: int, deadline: float, share: float, *, quick: bool = False) -> bool:
        """Take the bound of stage k for its value and go on; whether a later stage confirms it.

        Where a stage leaves much open (everything is placed, nothing moves) its prices say
        little and its columns are arbitrary; those of a later stage are not.
        """
        reached, _ = self.host.best()
        floors: list[int] = list(reached[:k])
        number = len(self.packing.aims)
        for later in range(k + 1, number):
            floors.append(self._stages[tuple(floors)][1].bound)
            key = tuple(floors)
            if key not in self._stages:
                state = StageState(-1, self._static_bound(later, key))
                self._stages[key] = None, state
            solver, state = self._stages[key]
            most = self.packing.aims[later].most(self.packing.items)
            if state.bound == most and later + 1 < number:
                continue
            if solver is None:
                solver = self._solver(later, key)
                self._stages[key] = solver, state
            left = deadline - time.perf_counter()
            if left <= 0 or self.host.halt[0]:
                break
            self._continue(solver, state, time.perf_counter() + share * left, quick=quick)
            reached, _ = self.host.best()
            if list(reached[: k + 1]) == floors[: k + 1]:
                self._stages[tuple(floors[:k])][1].value = floors[k]
                return True
        return False

    def _open(self, k: int) -> bool:
        """Whether nothing but the trivial bound is known of stage k, and it is not reached."""
        values, _ = self.host.best()
        floors = values[:k]
        if floors not in self._stages:
            self._stages[floors] = None, StageState(values[k], self._static_bound(k, floors))
        state = self._stages[floors][1]
        state.value = max(state.value, values[k])
        self.host.prove(k, state.bound)
        most = self.packing.aims[k].most(self.packing.items)
        return not state.proven and state.bound == most

    def _stage(self, k: int, deadline: float) -> bool:
        values, _ = self.host.best()
        floors = values[:k]
        solver, state = self._stages.get(floors, (None, None))
        if state is None:
            state = StageState(values[k], self._static_bound(k, floors))
        state.value = max(state.value, values[k])
        self._stages[floors] = solver, state
        self.host.prove(k, state.bound)
        if not state.proven:
            if solver is None:
                solver = self._solver(k, floors)
                self._stages[floors] = solver, state
            self._continue(solver, state, deadline)
            self.host.prove(k, state.bound)
        return state.proven

    def _continue(
        self, solver: StageSolver, state: StageState, deadline: float, *, quick: bool = False
    ) -> None:
        bins, member = self.packing.view(solver.problem.local)
        columns = start_columns(self.packing, bins, member, self.host.best()[1])
        solver.run(state, columns, deadline, quick=quick)

    def _static_bound(self, k: int, floors: tuple[int, ...]) -> int:
        packing = self.packing
        return pool_bound(packing.items, packing.merged, packing.aims[: k + 1], floors)

    def _solver(self, k: int, floors: tuple[int, ...]) -> StageSolver:
        packing, host = self.packing, self.host
        aims = packing.aims[: k + 1]
        local = bool(packing.quotas) or any(aim.local for aim in aims)
        bins, member = packing.view(local)

        def found(selection: list[tuple[int, LongArray, int]]) -> int:
            host.offer(spread_out(packing, bins, member, selection))
            values, _ = host.best()
            return values[k] if values[:k] == floors else -1

        problem = StageProblem(packing.items, bins, packing.quotas, aims, floors, local)
        return StageSolver(problem, host.halt, found)


def start_columns(
    packing: Packing,
    bins: Bins,
    member: Sequence[LongArray],
    solutions: Sequence[LongArray],
) -> list[Column]:
    """Columns of known solutions, each filled up."""
    columns: list[Column] = []
    for contents in solutions:
        for c, rows in enumerate(member):
            distinct = np.unique(contents[rows], axis=0)
            columns += [(c, maximal(bins, packing.items, c, row)) for row in distinct]
    return columns


def spread_out(
    packing: Packing,
    bins: Bins,
    member: Sequence[LongArray],
    selection: Sequence[tuple[int, LongArray, int]],
) -> LongArray:
    """Contents of every bin from the columns chosen for each class, surplus items left out.

    Which bin of a class takes which column: the assignment with most items at home.
    """
    contents = np.zeros((packing.num_bins, packing.items.number), dtype=np.int64)
    for c, rows in enumerate(member):
        patterns = [p for cc, p, n in selection if cc == c for _ in range(n)]
        if not patterns:
            continue
        if len(rows) == 1:
            contents[rows] = patterns
        else:
            contents[rows] = _at_home(np.array(patterns), packing.home[rows])
    _trim(packing, contents)
    return contents


def _at_home(patterns: LongArray, home: LongArray) -> LongArray:
    """*patterns* (at most as many as rows of *home*) in the order that keeps most at home."""
    from ortools.graph.python import linear_sum_assignment

    bins = len(home)
    padded = np.zeros_like(home)
    padded[: len(patterns)] = patterns
    gain = np.minimum(padded[:, None, :], home[None, :, :]).sum(axis=2)
    solver = linear_sum_assignment.SimpleLinearSumAssignment()
    left, right = np.divmod(np.arange(bins * bins), bins)
    solver.add_arcs_with_cost(left, right, -gain.ravel())
    solver.solve()
    ordered = np.zeros_like(home)
    for i in range(bins):
        ordered[solver.right_mate(i)] = padded[i]
    return ordered


def _trim(packing: Packing, contents: LongArray) -> None:
    """Take out what the patterns hold beyond the count of a type: arrivals before stayers."""
    surplus = contents.sum(axis=0) - packing.items.count
    for i in np.flatnonzero(surplus > 0).tolist():
        left = int(surplus[i])
        for keep in (packing.home[:, i], np.zeros(packing.num_bins, dtype=np.int64)):
            extra = np.maximum(0, contents[:, i] - keep)
            for b in np.flatnonzero(extra).tolist():
                out = min(left, int(extra[b]))
                contents[b, i] -= out
                left -= out
