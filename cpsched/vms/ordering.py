"""In which order VMs migrate, so that every step is allowed when its turn comes.

First greedily: whoever finds room goes, those first that can be in nobody's way. If that ends with
VMs that wait for one another, orders are searched, unless there is a proof that there is none;
then a VM of the cycle hops, to a place in between, and counts twice. The last resort is a VM that
moves out of the way and back.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations, islice
from typing import TYPE_CHECKING

import numpy as np

from cpsched.errors import CpschedError
from cpsched.vms.deadlock import deadlocks, least_extra_cost
from cpsched.vms.objective import move_limit
from cpsched.vms.simulate import Occupancy
from cpsched.vms.solution import Migration, Migrations
from cpsched.vms.variables import Places

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cpsched.arrays import IntArray
    from cpsched.vms.instance import VmCluster

#: Questions whether a step is allowed that a search for one plan may ask: a quarter of a second.
MAX_QUESTIONS = 5_000

#: Sets of VMs that are tried as those that hop, for each number of additional moves.
MAX_SETS = 2_000

#: Places that are tried for one hop without a search.
_MOST_PLACES = 8


class NoPlanError(CpschedError):
    """No order was found in which the migrations to a state can be carried out.

    proven: whether there is none.
    """

    def __init__(self, reason: str, *, proven: bool) -> None:
        super().__init__(reason)
        self.proven = proven


@dataclass(frozen=True, slots=True)
class Ordered:
    """A plan, and whether no plan to the same state has fewer moves, or as many that cost less."""

    plan: Migrations
    least: bool


def make_plan(cluster: VmCluster, end: IntArray) -> Migrations:
    """Migrations, in an order in which each is allowed, that lead to *end*, shape (num_vms, 2).

    With as few hops as were found. Deterministic. Raises NoPlanError.
    """
    return ordered(cluster, end).plan


def plan_or_list(cluster: VmCluster, end: IntArray) -> Migrations:
    """``make_plan``, or where it finds none the moves in the order of VMs, against the rules."""
    try:
        return make_plan(cluster, end)
    except NoPlanError:
        return Migrations(_changes(cluster, end))


def ordered(cluster: VmCluster, end: IntArray) -> Ordered:
    """As ``make_plan``, with what is known of other plans to the same state."""
    moves = _changes(cluster, end)
    spare = move_limit(cluster) - len(moves)
    if spare < 0:
        raise NoPlanError(
            f"{len(moves)} VMs change their place, the limit is {move_limit(cluster)}", proven=True
        )
    for move in moves:
        if cluster.pinned[move.vm]:
            raise NoPlanError(
                f"VM {cluster.vms[move.vm]} is pinned: {cluster.pinned[move.vm]}", proven=True
            )
    order = _Order(cluster, moves)
    if order.greedy():
        return Ordered(order.plan(), least=True)
    stuck = sorted(order.waiting)
    sets = deadlocks(cluster, order.target)
    complete = True
    if not sets:
        order.reset()
        if order.search(frozenset()):
            return Ordered(order.plan(), least=True)
        complete = order.complete
    order.reset()
    known = order.plan() if order.greedy(spare) else None
    most = spare if known is None else len(known.moves) - len(moves)
    least = len(sets), least_extra_cost(cluster, sets, order.target)
    if known is not None and (most, _cost(known, order)) == least:
        return Ordered(known, least=True)
    for extra in range(max(1, len(sets)), most + 1):
        choices, every = order.sets(extra)
        complete &= every
        for hoppers in choices:
            if known is not None and extra == most and order.cost(hoppers) >= _cost(known, order):
                break
            if order.questions >= MAX_QUESTIONS:
                complete = False
                break
            order.reset()
            if order.search(hoppers):
                return Ordered(order.plan(), least=complete)
            complete &= order.complete
    if known is not None:
        return Ordered(known, least=complete)
    names = ", ".join(cluster.vms[vm] for vm in stuck[:5])
    more = f" and {len(stuck) - 5} more" if len(stuck) > 5 else ""
    within = "" if cluster.policy.max_moves is None else f" with {move_limit(cluster)} moves"
    tried = "no order exists" if complete else "no order was found"
    raise NoPlanError(f"{tried}{within} in which VMs {names}{more} can migrate", proven=complete)


def _changes(cluster: VmCluster, end: IntArray) -> tuple[Migration, ...]:
    """The moves of VMs that end elsewhere than they are now, by VM."""
    return tuple(
        Migration(vm, tuple(numa for numa in end[vm].tolist() if numa >= 0))
        for vm in np.flatnonzero((end != cluster.numa).any(axis=1)).tolist()
    )


def _cost(plan: Migrations, order: _Order) -> int:
    """Cost of the moves that *plan* makes beyond one for each VM that changes."""
    costs = order.cluster.move_cost
    direct = sum(int(costs[vm]) for vm in order.target)
    return sum(int(costs[move.vm]) for move in plan.moves) - direct


class _Order:
    """A plan in the making.

    target: place of each VM that changes; waiting: VMs that are not at their target yet; complete:
    whether the last search has tried everything it was asked for.
    """

    def __init__(self, cluster: VmCluster, moves: tuple[Migration, ...]) -> None:
        self.cluster = cluster
        self.target = {move.vm: move.numa for move in moves}
        self.places = Places(cluster)
        self.questions = 0
        self.complete = True
        # Rules between VMs may forbid what there is room for.
        self._free = {
            vm
            for vm in self.target
            if not cluster.groups_of[vm] and not len(cluster.partners_of(vm))
        }
        self.reset()

    def reset(self) -> None:
        """Begin again."""
        self.occupancy = Occupancy(self.cluster)
        self.waiting = dict(self.target)
        self.done: list[tuple[Migration, tuple[int, ...]]] = []
        self._wanted = np.zeros_like(self.cluster.capacity)
        for vm, numa in self.target.items():
            self._wanted[list(numa)] += self.cluster.demand[vm]

    def plan(self) -> Migrations:
        """The steps so far."""
        return Migrations(tuple(move for move, _ in self.done))

    # Without looking back ------------------------------------------------------------------------

    def greedy(self, hops: int = 0) -> bool:
        """Plan without looking back, with at most so many *hops*; whether it leads to the end."""
        while self.waiting:
            if not self._round() and not (hops and self._hop()):
                return False
            hops -= len(self.done) > 0 and self.done[-1][0].vm in self.waiting
        return True

    def _round(self) -> bool:
        """Have all go that can; whether anyone has."""
        before = len(self.done)
        queue = sorted(self.waiting, key=lambda vm: (not self._is_safe(vm), not self._helps(vm)))
        for vm in queue:
            move = Migration(vm, self.target[vm])
            if self._allowed(move):
                self._do(move)
        return len(self.done) > before

    def _is_safe(self, vm: int) -> bool:
        """Whether *vm* can go now and be in nobody's way: all who want to its place have room."""
        if vm not in self._free:
            return False
        numa = list(self.target[vm])
        wanted = self._wanted[numa]
        return bool(((wanted <= self.occupancy.free[numa]) | (wanted == 0)).all())

    def _helps(self, vm: int) -> bool:
        """Whether somebody waits for room where *vm* is."""
        return bool(self._wanted[self._now(vm), 0].any())

    def _hop(self) -> bool:
        """One hop that lets another VM go; whether there is one."""
        cluster, demand = self.cluster, self.cluster.demand
        hopped = {move.vm for move, _ in self.done}
        for vm in sorted(self.waiting, key=lambda vm: (int(cluster.move_cost[vm]), vm)):
            if vm in hopped:
                continue
            source = set(self._now(vm))
            left = self.occupancy.free - self._wanted
            fits = ((demand[vm] <= left) | (demand[vm] == 0)).all(axis=1)
            places = self.places.of(vm)[1:]
            roomy = fits[places[:, 0]] & (fits[places[:, 1]] | (places[:, 1] < 0))
            helped = [
                other for other, to in self.waiting.items() if other != vm and source & set(to)
            ]
            for place in places[roomy][:_MOST_PLACES].tolist():
                move = Migration(vm, tuple(numa for numa in place if numa >= 0))
                if not self._allowed(move):
                    continue
                self._do(move)
                if any(self._allowed(Migration(one, self.target[one])) for one in helped):
                    return True
                self._undo()
        return False

    # Looking back --------------------------------------------------------------------------------

    def sets(self, extra: int) -> tuple[list[frozenset[int]], bool]:
        """Sets of VMs that may hop for *extra* moves, and whether they are all there are.

        One that changes hops for one move, others for two. The cheapest sets come first.
        """
        cluster = self.cluster
        others = [
            vm
            for vm in np.flatnonzero(~cluster.is_pinned).tolist()
            if vm not in self.target and not cluster.closed[cluster.pm[vm]]
        ]
        found: list[frozenset[int]] = []
        every = True
        for aside in range(extra // 2 + 1):
            hops = (
                frozenset((*one, *two))
                for one in combinations(others, aside)
                for two in combinations(self.target, extra - 2 * aside)
            )
            found += list(islice(hops, MAX_SETS))
            every &= next(hops, None) is None
        # The sort is stable: equal costs go by VM.
        return sorted(found, key=self.cost), every

    def cost(self, hoppers: frozenset[int]) -> int:
        """Cost of the additional moves if these VMs hop."""
        costs = self.cluster.move_cost
        return sum(int(costs[vm]) * (1 if vm in self.target else 2) for vm in hoppers)

    def search(self, hoppers: frozenset[int]) -> bool:
        """Depth-first search over all orders in which *hoppers* may hop once; bounded."""
        for vm in hoppers - self.target.keys():
            self.target[vm] = tuple(self._now(vm))
        try:
            return self._search(hoppers)
        finally:
            self.target = {vm: to for vm, to in self.target.items() if to != self._home(vm)}

    def _search(self, hoppers: frozenset[int]) -> bool:
        seen: set[bytes] = set()
        concerned = list(self.target)
        stack = [self._choices(hoppers)]
        while True:
            move = next(stack[-1], None)
            if move is None:
                stack.pop()
                if not stack:
                    self.complete = self.questions < MAX_QUESTIONS
                    return False
                self._undo()
                continue
            self._do(move)
            if not self.waiting:
                return True
            if self.questions >= MAX_QUESTIONS:
                self.complete = False
                return False
            hopped = hoppers & {move.vm for move, _ in self.done}
            state = self.occupancy.numa[concerned].tobytes() + bytes(str(sorted(hopped)), "ascii")
            stack.append(iter(()) if state in seen else self._choices(hoppers))
            seen.add(state)

    def _choices(self, hoppers: frozenset[int]) -> Iterator[Migration]:
        """Steps that may come next: to targets, then hops."""
        begun = {move.vm for move, _ in self.done}
        waiting = sorted(self.waiting, key=lambda vm: (not self._is_safe(vm), not self._helps(vm)))
        if not hoppers - begun and waiting and self._is_safe(waiting[0]):
            move = Migration(waiting[0], self.target[waiting[0]])
            if self._allowed(move):
                # It is in nobody's way, so that no other order needs to be tried.
                yield move
                return
        for vm in waiting:
            move = Migration(vm, self.target[vm])
            if self._allowed(move):
                yield move
        for vm in sorted(hoppers - begun):
            for place in self.places.of(vm)[1:].tolist():
                move = Migration(vm, tuple(numa for numa in place if numa >= 0))
                if move.numa != self.target[vm] and self._allowed(move):
                    yield move

    # Steps ---------------------------------------------------------------------------------------

    def _home(self, vm: int) -> tuple[int, ...]:
        return tuple(numa for numa in self.cluster.numa[vm].tolist() if numa >= 0)

    def _now(self, vm: int) -> list[int]:
        return [numa for numa in self.occupancy.numa[vm].tolist() if numa >= 0]

    def _allowed(self, move: Migration) -> bool:
        """Whether *move* keeps every rule now."""
        demand = self.cluster.demand[move.vm]
        free = self.occupancy.free[list(move.numa)]
        if ((demand > free) & (demand > 0)).any():
            return False
        self.questions += 1
        return next(self.occupancy.problems(move), None) is None

    def _do(self, move: Migration) -> None:
        vm = move.vm
        self.done.append((move, tuple(self._now(vm))))
        self._go(move)

    def _undo(self) -> None:
        move, before = self.done.pop()
        self._go(Migration(move.vm, before))

    def _go(self, move: Migration) -> None:
        vm, target = move.vm, self.target[move.vm]
        demand = self.cluster.demand[vm]
        if vm in self.waiting:
            self._wanted[list(target)] -= demand
            del self.waiting[vm]
        self.occupancy.begin(move)
        self.occupancy.finish(move)
        if move.numa != target:
            self.waiting[vm] = target
            self._wanted[list(target)] += demand
