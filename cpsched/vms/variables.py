"""Variables of the VM model: a Boolean for each VM and place it may have."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from ortools.sat.python import cp_model

from cpsched.errors import StopRequestedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from cpsched.arrays import BoolArray, IntArray, LongArray
    from cpsched.formulation import Values
    from cpsched.vms.instance import VmCluster
    from cpsched.vms.slots import Slots

#: Pairs of VMs and places that a model may have. Measured: a model of a million takes 9 s and 1 GB
#: to build, for an environment 35 s and 3.3 GB, and CP-SAT makes copies.
MAX_PAIRS = 3_000_000

#: Variables between two looks at whether to stop.
_POLL = 4096


def fixed_usage(cluster: VmCluster) -> LongArray:
    """Shape (num_numa, num_resources): used by pinned VMs."""
    total = np.zeros_like(cluster.capacity)
    for part in (0, 1):
        mine = cluster.is_pinned & (cluster.numa[:, part] >= 0)
        np.add.at(total, cluster.numa[mine, part], cluster.demand[mine])
    return total


class Places:
    """Places that VMs may have: NUMA nodes, and pairs of NUMA nodes of one PM."""

    def __init__(self, cluster: VmCluster) -> None:
        self.cluster = cluster
        self._room = cluster.capacity - fixed_usage(cluster)
        self._sets = {
            1: np.array([(n, -1) for n in range(cluster.num_numa)], np.int32),
            2: np.array(
                [
                    both
                    for pm in range(cluster.num_pms)
                    for both in combinations(cluster.numas_of(pm), 2)
                ],
                np.int32,
            ).reshape(-1, 2),
        }
        self._fits: dict[tuple[int, int, bytes], BoolArray] = {}

    def of(self, vm: int) -> IntArray:
        """Shape (any, 2): places of *vm*, which may move: its own first, then others, ascending.

        Others are those on PMs that accept it, with room for it beside the pinned VMs there.
        """
        cluster = self.cluster
        parts = int(cluster.parts[vm])
        places, own = self._sets[parts], cluster.numa[vm]
        key = (parts, int(cluster.profile[vm]), cluster.demand[vm].tobytes())
        if key not in self._fits:
            demand = cluster.demand[vm]
            there = ((demand <= self._room) | (demand == 0)).all(axis=1)
            there &= ~cluster.closed[cluster.numa_pm]
            there &= cluster.allowed[cluster.profile[vm]][cluster.numa_pm]
            self._fits[key] = there[places[:, 0]] & (there[places[:, 1]] | (places[:, 1] < 0))
        fits = self._fits[key] & (places != own).any(axis=1)
        return np.concatenate((own[None], places[fits]))

    def obstacle(self) -> str:
        """Why there are too many pairs for a model; empty if there are not."""
        pairs = self.count()
        if pairs <= MAX_PAIRS:
            return ""
        return f"{pairs} pairs of VMs and places are more than the {MAX_PAIRS} of a model"

    def count(self) -> int:
        """Number of pairs of a VM that may move and a place."""
        pms = np.diff(self.cluster.numa_ptr).astype(np.int64)
        sizes = np.array([0, self.cluster.num_numa, int((pms * (pms - 1) // 2).sum())])
        return int(sizes[self.cluster.parts[~self.cluster.is_pinned]].sum())


class Variables:
    """The pairs of VMs and places, then auxiliary variables that follow from them.

    vm: shape (num_pairs,), of each pair, whose variable has the same number; place: shape
    (num_pairs, 2), its NUMA nodes, the second -1 for VMs with one part; pm: shape (num_pairs,);
    stays: shape (num_pairs,), pairs of a VM and the place it has now; groups: the numbers (first,
    end) of the pairs of each VM that may move; at_numa: pairs that use each NUMA node.
    """

    def __init__(
        self,
        cluster: VmCluster,
        model: cp_model.CpModel,
        stop: Callable[[], bool],
    ) -> None:
        self.cluster, self.model = cluster, model
        self.fixed = fixed_usage(cluster)
        places = Places(cluster)
        movable = np.flatnonzero(~cluster.is_pinned)
        found = [places.of(vm) for vm in movable.tolist()]
        sizes = np.array([len(one) for one in found], np.int64)
        self.vm: IntArray = np.repeat(movable, sizes).astype(np.int32)
        self.place: IntArray = np.concatenate((*found, np.zeros((0, 2), np.int32)))
        self.pm: IntArray = cluster.numa_pm[self.place[:, 0]]
        self.stays: BoolArray = (self.place == cluster.numa[self.vm]).all(axis=1)
        ends = np.cumsum(sizes)
        self.groups = list(zip((ends - sizes).tolist(), ends.tolist(), strict=True))
        self._range = dict(zip(movable.tolist(), self.groups, strict=True))
        self.pairs: list[cp_model.IntVar] = []
        for pair in range(len(self.vm)):
            if pair % _POLL == 0 and stop():
                raise StopRequestedError
            self.pairs.append(model.new_bool_var(""))
        self.at_numa = _by_numa(self.place, cluster.num_numa)
        #: NUMA nodes and resources for which another family has said what capacity would.
        self.covered = np.zeros(cluster.capacity.shape, np.bool_)
        #: Slots that are worth something; see ``cpsched.vms.slots``.
        self.slots: list[Slots] = []
        self._derived: list[Callable[[Values], int]] = []
        self._any: dict[tuple[int, ...], cp_model.IntVar] = {}

    def of(self, vm: int) -> range:
        """Pairs of *vm*; none of a VM that is pinned."""
        return range(*self._range.get(vm, (0, 0)))

    def literals(self, pairs: Iterable[int]) -> list[cp_model.IntVar]:
        """Variables of *pairs*."""
        return [self.pairs[pair] for pair in pairs]

    def total(self, pairs: Sequence[int], weights: Sequence[int]) -> cp_model.LinearExpr:
        """Weighted sum of *pairs*."""
        return cp_model.LinearExpr.weighted_sum(self.literals(pairs), list(weights))

    def forbid(self, pairs: Iterable[int]) -> None:
        """None of *pairs*."""
        for pair in pairs:
            self.model.add_bool_and(~self.pairs[pair])

    def usage(self, numa: int, resource: int) -> tuple[list[int], list[int], int, int]:
        """Pairs that ask for *resource* of *numa*, their demands, what is left beside pinned VMs.

        The last number is what those ask for that are there now.
        """
        pairs = self.at_numa[numa]
        demand = self.cluster.demand[self.vm[pairs], resource]
        pairs, demand = pairs[demand > 0], demand[demand > 0]
        room = int(self.cluster.capacity[numa, resource] - self.fixed[numa, resource])
        staying = int(demand[self.stays[pairs]].sum())
        return pairs.tolist(), demand.tolist(), room, staying

    def integer(
        self, lower: int, upper: int, value: Callable[[Values], int], name: str = ""
    ) -> cp_model.IntVar:
        """Auxiliary integer; *value* says what it is under the values of those before it."""
        self._derived.append(value)
        if (lower, upper) == (0, 1):
            return self.model.new_bool_var(name)
        return self.model.new_int_var(lower, upper, name)

    def any(self, pairs: Iterable[int]) -> cp_model.IntVar | None:
        """Literal that is true exactly if one of *pairs* is; None if there are none."""
        key = tuple(sorted(set(pairs)))
        if len(key) <= 1:
            return self.pairs[key[0]] if key else None
        if key not in self._any:
            index = np.array(key)
            some = self.integer(0, 1, lambda values: int(values[index].any()))
            for pair in key:
                self.model.add_implication(self.pairs[pair], some)
            self.model.add_bool_or([~some, *self.literals(key)])
            self._any[key] = some
        return self._any[key]

    def values(self, numa: IntArray) -> Values:
        """Values of all variables if VMs are on *numa*, shape (num_vms, 2).

        Raises ValueError if a VM is where no pair says it, or a pinned one is not where it was.
        """
        cluster = self.cluster
        if numa.shape != (cluster.num_vms, 2):
            raise ValueError(f"the state is not one of {cluster.num_vms} VMs")
        chosen = (numa[self.vm] == self.place).all(axis=1)
        expected = cluster.numa.copy()
        expected[~cluster.is_pinned] = -2
        expected[self.vm[chosen]] = self.place[chosen]
        wrong = np.flatnonzero((expected != numa).any(axis=1))
        if len(wrong):
            vm = int(wrong[0])
            raise ValueError(
                f"VM {cluster.vms[vm]} cannot be on the NUMA nodes {numa[vm].tolist()}"
            )
        values = np.zeros(len(self.pairs) + len(self._derived), np.int64)
        values[: len(self.pairs)] = chosen
        for index, value in enumerate(self._derived, start=len(self.pairs)):
            values[index] = value(values)
        return values

    def numa(self, values: Values) -> IntArray:
        """Shape (num_vms, 2): where VMs are under the *values* of all variables."""
        numa: IntArray = self.cluster.numa.copy()
        chosen = np.flatnonzero(values[: len(self.pairs)])
        numa[self.vm[chosen]] = self.place[chosen]
        return numa


def _by_numa(place: IntArray, num_numa: int) -> list[IntArray]:
    """Pairs that use each NUMA node, ascending."""
    numa = place.T.reshape(-1)
    pair = np.tile(np.arange(len(place), dtype=np.int32), 2)
    pair, numa = pair[numa >= 0], numa[numa >= 0]
    order = np.lexsort((pair, numa))
    ends = np.searchsorted(numa[order], np.arange(1, num_numa))
    return np.split(pair[order], ends)
