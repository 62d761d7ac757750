"""A learned heuristic of VM rescheduling: two small networks, of leaving and of coming.

A migration is worth what its VM's leaving makes of one PM and its coming makes of another. One
network scores the leaving of each kind of VM from each place, one its coming; what leaves is
chosen by both, then where to, masked by the VM that goes. Scores are kept and only those of the
two PMs that a migration touches are made again, so that a trajectory of 50 migrations takes
milliseconds on 280 PMs.

A shortcut beside ``cpsched/TwoStageMove-v0``: no model, no propagation, VMs move between PMs only
and each at most twice. Every migration is one that ``simulate.Occupancy`` allows at its moment: a
test holds it to that.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from cpsched.errors import InputError
from cpsched.vms.greedy import evacuate
from cpsched.vms.moving import Moving
from cpsched.vms.objective import move_limit, worth
from cpsched.vms.rates import rate
from cpsched.vms.score_features import COME_FEATURES, LEAVE_FEATURES
from cpsched.vms.score_kernels import trajectory
from cpsched.vms.solution import Migration, Migrations

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cpsched.arrays import IntArray
    from cpsched.draws import Words
    from cpsched.vms.instance import VmCluster
    from cpsched.vms.score_features import Floats, Longs

#: Version of the features: another one when a number changes its meaning.
FEATURES = 1

_RUNNING = np.zeros(1, np.int64)


def shapes(width: int) -> dict[str, tuple[int, ...]]:
    """Tensors of the networks by name, in the order of the flat weights."""
    found: dict[str, tuple[int, ...]] = {}
    for name, count in (("leave", LEAVE_FEATURES), ("come", COME_FEATURES)):
        found[f"{name}.weight"] = (width, count)
        found[f"{name}.bias"] = (width,)
        found[f"{name}.out"] = (width,)
    return found


def num_weights(width: int) -> int:
    """Number of weights of both networks."""
    return sum(int(np.prod(shape)) for shape in shapes(width).values())


@dataclass(frozen=True)
class Network:
    """Weights of both networks, flat: shape (``num_weights(width)``,)."""

    weights: Floats
    width: int

    def __post_init__(self) -> None:
        wanted = num_weights(self.width)
        if self.weights.shape != (wanted,):
            raise InputError(f"the networks have {wanted} weights, not {self.weights.shape}")


class Moves:
    """A cluster in the arrays of the kernel.

    What is to be evacuated is evacuated first, by the filtering heuristic.

    Raises
    ------
    InputError
        If the objective is to empty PMs.
    NoWayError
        If an evacuation finds no way.
    """

    def __init__(self, cluster: VmCluster) -> None:
        if cluster.policy.objective == "empty":
            raise InputError(f"{cluster.name}: the learned heuristic does not empty PMs")
        self.cluster = cluster
        moving = Moving(cluster)
        evacuate(moving)
        self.before = tuple(moving.moves)
        self.limit = max(0, move_limit(cluster) - len(self.before))
        self.free_cpu = moving.free_cpu
        self.places = moving.places
        count = np.diff(cluster.numa_ptr)[cluster.numa_pm]
        slot = [
            one.size // count if one.double else np.full(cluster.num_numa, one.size)
            for one in cluster.policy.fragments[:2]
        ]
        other = slot[1] if len(slot) > 1 else np.zeros(cluster.num_numa, np.int64)
        active = cluster.active[cluster.numa_pm]
        self.numas = _table(cluster.numa_pm, slot[0], other, active)
        self.place_table = _table(*moving.places.numa.T, moving.places.pm)
        keys = np.column_stack((cluster.parts, cluster.profile, cluster.demand))
        found, kind = np.unique(keys, axis=0, return_inverse=True)
        self.kinds: Longs = np.ascontiguousarray(found[:, [0, *range(2, found.shape[1])]])
        allowed = cluster.allowed[found[:, 1]] & ~cluster.closed
        single = moving.places.numa[:, 1] < 0
        is_open = allowed[:, moving.places.pm] & ((found[:, 0] == 1)[:, None] == single)
        self.is_open: Longs = is_open.astype(np.int64)
        moved = np.zeros(cluster.num_vms, np.int64)
        np.add.at(moved, [move.vm for move in self.before], 1)
        may = np.where(cluster.is_pinned, 0, 2 - moved)
        self.vms: Longs = np.stack((kind.reshape(-1), moving.at, may)).astype(np.int64)
        self.free: Longs = np.ascontiguousarray(moving.free).astype(np.int64)
        self.fragments = _table(
            worth(cluster),
            [one.size for one in cluster.policy.fragments],
            [one.double for one in cluster.policy.fragments],
        )
        self._rules()

    def _rules(self) -> None:
        cluster = self.cluster
        partners = [cluster.partners_of(vm) for vm in range(cluster.num_vms)]
        self.partner_ptr, self.partners = _rows(partners)
        self.group_ptr, self.groups_of = _rows(cluster.groups_of)
        self.groups: Longs = np.array(
            [[one.apart, one.most] for one in cluster.groups], np.int64
        ).reshape(-1, 2)
        self.domains: Longs = np.array(
            [cluster.domain(one.scope) for one in cluster.groups], np.int64
        ).reshape(-1, cluster.num_pms)

    def run(
        self,
        network: Network,
        *,
        temperature: float = 0.0,
        rng: Words | None = None,
        halt: Longs | None = None,
    ) -> tuple[Longs, Longs]:
        """VM and place of each migration, shape (moves, 2), and the worth of slots around them.

        The worth has shape (moves + 1,): before each, and after the last.
        """
        cluster = self.cluster
        plan = np.zeros((self.limit + 1, 2), np.int64)
        value = np.zeros(self.limit + 1, np.int64)
        done = trajectory(
            self.free.copy(),
            cluster.capacity.copy(),
            self.numas,
            cluster.numa_ptr.astype(np.int64),
            self.place_table,
            self.places.ptr,
            self.kinds,
            self.is_open,
            self.vms.copy(),
            self.partner_ptr,
            self.partners,
            self.group_ptr,
            self.groups_of,
            self.groups,
            self.domains,
            self.fragments,
            network.weights,
            network.width,
            self.limit,
            temperature,
            np.ones(1, np.uint64) if rng is None else rng,
            plan,
            value,
            _RUNNING if halt is None else halt,
        )
        return plan[:done], value[: done + 1]

    def best(self, value: Longs) -> int | None:
        """How many migrations to take: the fewest of most worth, or the first to reach the goal.

        None if there is a goal that is not reached.
        """
        goal = self.cluster.policy.goal
        if goal is None:
            return int(np.argmax(value))
        for count, total in enumerate(value.tolist()):
            if rate(self.cluster, total, self.free_cpu) <= Fraction(*goal):
                return count
        return None

    def migrations(self, plan: Longs, count: int) -> Migrations:
        """The first *count* migrations, after those of the evacuation."""
        moves = list(self.before)
        for vm, place in plan[:count].tolist():
            numa = self.places.numa[place].tolist()
            moves.append(Migration(vm, tuple(one for one in numa if one >= 0)))
        return Migrations(tuple(moves))


def _table(*columns: object) -> Longs:
    return np.ascontiguousarray(np.stack([np.asarray(one) for one in columns], axis=1), np.int64)


def _rows(lists: Sequence[Sequence[int] | IntArray]) -> tuple[Longs, Longs]:
    """Compressed rows: row k has the entries ptr[k] .. ptr[k + 1]."""
    ptr = np.concatenate(([0], np.cumsum([len(one) for one in lists]))).astype(np.int64)
    flat = [np.asarray(one, np.int64) for one in lists if len(one)]
    return ptr, np.concatenate(flat) if flat else np.zeros(0, np.int64)
