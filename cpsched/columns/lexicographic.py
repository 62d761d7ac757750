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


#: Bins of one class that are matched to columns; the matching is quadratic.
_MOST_MATCHED = 200


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
        """Aim *stage* is at most *bound* while all aims before are at their bounds."""


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
        self._states: dict[tuple[int, ...], StageState] = {}
        self._solvers: dict[tuple[int, ...], StageSolver] = {}

    def run(self, deadline: float, share: float = 0.6) -> bool:
        """Prove stage by stage until *deadline* (perf_counter); whether all are proven.

        share: most of the time left that one stage takes; the rest is for those after it.
        """
        for k in range(len(self.packing.aims)):
            left = deadline - time.perf_counter()
            if left <= 0 or self.host.halt[0]:
                return False
            last = k + 1 == len(self.packing.aims)
            end = deadline if last else time.perf_counter() + share * left
            if not self._stage(k, end, share):
                return False
        return True

    def bound(self) -> None:
        """Tell the host the bound of every stage, each under the bounds of those before it.

        Lexicographically nothing is better: who reaches the bounds before a stage is held to its
        own, and who does not is worse already.
        """
        floors: list[int] = []
        for k in range(len(self.packing.aims)):
            key = tuple(floors)
            if key not in self._states:
                self._states[key] = StageState(-1, self._static_bound(k, key))
            # A bound below 0 says that the bounds before it cannot all be reached.
            floors.append(max(0, self._states[key].bound))
            self.host.prove(k, floors[-1])

    def _stage(self, k: int, deadline: float, share: float) -> bool:
        """Prove stage k, the earlier ones being proven; whether that succeeded."""
        state = self._state(k)
        if state.proven:
            return True
        last = k + 1 == len(self.packing.aims)
        values, solutions = self.host.best()
        solver = self._solver(k, values[:k])
        solver.relax(state, self._columns(solver, solutions), deadline)
        self.host.prove(k, state.bound)
        trivial = state.bound == self.packing.aims[k].most(self.packing.items)
        if trivial and not last:
            self._defer(k, deadline, share, quick=True)
        state = self._state(k)
        solver.run(state, self._columns(solver, self.host.best()[1]), deadline)
        self.host.prove(k, state.bound)
        if not state.proven and not trivial and not last:
            self._defer(k, deadline, share)
        return self._state(k).proven

    def _state(self, k: int) -> StageState:
        """What is known of stage k at the best values of the stages before it."""
        values, _ = self.host.best()
        floors = values[:k]
        if floors not in self._states:
            self._states[floors] = StageState(values[k], self._static_bound(k, floors))
        state = self._states[floors]
        state.value = max(state.value, values[k])
        self.host.prove(k, state.bound)
        return state

    def _defer(self, k: int, deadline: float, share: float, *, quick: bool = False) -> None:
        """Take the bound of stage k for its value and go on: a later stage may confirm it.

        Where a stage leaves much open (everything is placed, nothing moves) its prices say
        little and its columns are arbitrary; those of a later stage are not.
        """
        aims, items = self.packing.aims, self.packing.items
        if self._state(k).proven:
            return
        reached, _ = self.host.best()
        floors: list[int] = list(reached[:k])
        for later in range(k + 1, len(aims)):
            floors.append(self._states[tuple(floors)].bound)
            key = tuple(floors)
            if key not in self._states:
                self._states[key] = StageState(-1, self._static_bound(later, key))
            state = self._states[key]
            if state.bound == aims[later].most(items) and later + 1 < len(aims):
                continue
            left = deadline - time.perf_counter()
            if left <= 0 or self.host.halt[0]:
                return
            solver = self._solver(later, key)
            columns = self._columns(solver, self.host.best()[1])
            solver.run(state, columns, time.perf_counter() + share * left, quick=quick)
            reached, _ = self.host.best()
            if list(reached[: k + 1]) == floors[: k + 1]:
                return

    def _columns(self, solver: StageSolver, solutions: Sequence[LongArray]) -> list[Column]:
        bins, member = self.packing.view(solver.problem.local)
        return start_columns(self.packing, bins, member, solutions)

    def _static_bound(self, k: int, floors: tuple[int, ...]) -> int:
        packing = self.packing
        return pool_bound(packing.items, packing.merged, packing.aims[: k + 1], floors)

    def _solver(self, k: int, floors: tuple[int, ...]) -> StageSolver:
        if floors not in self._solvers:
            self._solvers[floors] = self._new_solver(k, floors)
        return self._solvers[floors]

    def _new_solver(self, k: int, floors: tuple[int, ...]) -> StageSolver:
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
    if bins > _MOST_MATCHED or not home.any():
        return padded
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
