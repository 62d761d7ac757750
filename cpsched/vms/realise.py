"""From changes of classes to migrations of single VMs, in an order that keeps every rule.

Which NUMA node of a class, which VM of a type, and who goes where is free: it is chosen such that
conflicts and groups hold for whoever comes, whatever of the others has happened by then. Where
room appears only when others have left, an order is looked for by replay.
"""

from __future__ import annotations

import random
from collections import defaultdict
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from cpsched.vms.simulate import Occupancy
from cpsched.vms.solution import Migration, Migrations

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cpsched.columns.exchange import Change
    from cpsched.vms.exchange import VmExchange
    from cpsched.vms.instance import VmCluster

#: NUMA nodes of one PM.
_Place: TypeAlias = tuple[int, ...]

#: Migrations that are tried to be taken back for one that finds no place.
_SWAPS = 200


def realise(
    exchange: VmExchange, chosen: Sequence[tuple[Change, int]], seed: int
) -> tuple[Migrations, bool]:
    """Migrations that make the *chosen* changes, and whether all of them found a place.

    Seed 0 takes NUMA nodes and VMs in their order, others at random.
    """
    in_any_order = all(exchange.problem.fits_first(change) for change, _ in chosen)
    plan = _Plan(exchange, seed, room=in_any_order)
    plan.spread(chosen)
    complete = plan.match()
    moves = list(plan.moves.values())
    if not in_any_order:
        ordered = _order(exchange.cluster, moves)
        complete &= len(ordered) == len(moves)
        moves = ordered
    return Migrations(tuple(moves)), complete


class _Plan:
    """Who leaves where, who comes where; all migrations have begun and none is finished.

    moves: of each VM.
    """

    def __init__(self, exchange: VmExchange, seed: int, *, room: bool) -> None:
        self.exchange, self.cluster = exchange, exchange.cluster
        self.random = random.Random(seed)
        self.shuffles = seed != 0
        self.room = room
        self.now = Occupancy(exchange.cluster)
        self.leaving: dict[int, list[tuple[_Place, int]]] = defaultdict(list)
        self.places: dict[int, list[_Place]] = defaultdict(list)
        self.moves: dict[int, Migration] = {}

    def spread(self, chosen: Sequence[tuple[Change, int]]) -> None:
        """Assign changes to NUMA nodes of their classes."""
        exchange, kinds = self.exchange, self.exchange.problem.kind.tolist()
        for vm in exchange.homeless.tolist():
            place = tuple(self.cluster.numa[vm, : self.cluster.parts[vm]].tolist())
            self.leaving[int(exchange.kind[vm])].append((place, 1))
        bins: dict[int, list[int]] = {}
        for change, count in chosen:
            if change.bin_class not in bins:
                bins[change.bin_class] = exchange.member[change.bin_class].tolist()
                if self.shuffles:
                    self.random.shuffle(bins[change.bin_class])
            for _ in range(count):
                member = bins[change.bin_class].pop()
                for entry in np.flatnonzero(change.leave).tolist():
                    place = exchange.place(member, entry)
                    self.leaving[kinds[entry]].append((place, int(change.leave[entry])))
                for entry in np.flatnonzero(change.come).tolist():
                    place = exchange.place(member, entry)
                    self.places[kinds[entry]] += [place] * int(change.come[entry])

    def match(self) -> bool:
        """Send those that leave to the places of their type; whether each found one."""
        wanted = {place for sources in self.leaving.values() for place, _ in sources}
        candidates = self._candidates(wanted)
        complete = True
        for kind, sources in self.leaving.items():
            places = self.places[kind]
            if self.shuffles:
                self.random.shuffle(places)
                self.random.shuffle(sources)
            for place, count in sources:
                left = count
                for vm in candidates[place, kind]:
                    if left and (self._send(vm, places) or self._swap(vm, kind, places)):
                        left -= 1
                complete &= left == 0
        return complete

    def _candidates(self, wanted: set[_Place]) -> dict[tuple[_Place, int], list[int]]:
        """VMs of each place and type, those with the fewest conflicts first."""
        exchange, cluster = self.exchange, self.cluster
        found: dict[tuple[_Place, int], list[int]] = defaultdict(list)
        vms = np.flatnonzero(exchange.kind >= 0)
        vms = vms[np.isin(cluster.numa[vms, 0], [place[0] for place in wanted])]
        for vm, numa in zip(vms.tolist(), cluster.numa[vms].tolist(), strict=True):
            place = tuple(numa[: cluster.parts[vm]])
            if place in wanted:
                found[place, int(exchange.kind[vm])].append(vm)
        for vms_here in found.values():
            if self.shuffles:
                self.random.shuffle(vms_here)
            else:
                vms_here.sort(key=self._ties)
        return found

    def _ties(self, vm: int) -> tuple[int, int]:
        return len(self.cluster.groups_of[vm]), len(self.cluster.partners_of(vm))

    def _begins(self, move: Migration) -> bool:
        if next(self.now.problems(move, room=self.room), None) is not None:
            return False
        self.now.begin(move)
        self.moves[move.vm] = move
        return True

    def _send(self, vm: int, places: list[_Place]) -> bool:
        """Send *vm* to the first place that takes it."""
        tried: set[_Place] = set()
        for k, place in enumerate(places):
            if place not in tried and self._begins(Migration(vm, place)):
                places.pop(k)
                return True
            tried.add(place)
        return False

    def _swap(self, vm: int, kind: int, places: list[_Place]) -> bool:
        """Take back a migration of the type whose place *vm* can have, if it finds another one."""
        mine = [other for other in self.moves.values() if self.exchange.kind[other.vm] == kind]
        for other in mine[:_SWAPS] if places else []:
            self.now.cancel(other)
            del self.moves[other.vm]
            move = Migration(vm, other.numa)
            if self._begins(move):
                if self._send(other.vm, places):
                    return True
                self.now.cancel(move)
                del self.moves[vm]
            self.now.begin(other)
            self.moves[other.vm] = other
        return False


def _order(cluster: VmCluster, moves: Sequence[Migration]) -> list[Migration]:
    """As many of *moves* as can be done one after the other, in such an order."""
    now = Occupancy(cluster)
    waiting, ordered = list(moves), []
    while True:
        later = []
        for move in waiting:
            if next(now.problems(move), None) is None:
                now.begin(move)
                now.finish(move)
                ordered.append(move)
            else:
                later.append(move)
        if len(later) == len(waiting):
            return ordered
        waiting = later
