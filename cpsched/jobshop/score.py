"""A learned dispatching rule for classic job shops: a small network over the conflict set.

The frame is that of active schedules (Giffler & Thompson 1960): on the machine of the earliest
possible completion, the operations that could start before it. Every candidate is described by
numbers that see beyond the set: bounds on the makespan if it goes first (Jackson's preemptive
schedule on its machine), what it pushes, how loaded the machines are on its job's way. The
network scores them; the highest is dispatched, or one is drawn.

A shortcut beside the environment ``cpsched/Schedule-v0`` with the frame ``active``: no model, no
propagation, some thousand times as fast. A test holds the two to the same conflict sets and
schedules; only an operation of duration 0 is treated as in ``dispatch``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from cpsched.errors import InputError, StopRequestedError
from cpsched.jobshop.score_features import MACHINE, NUM_FEATURES
from cpsched.jobshop.score_kernels import roll_out

if TYPE_CHECKING:
    from cpsched.draws import Words
    from cpsched.jobshop.instance import JobShop
    from cpsched.jobshop.score_features import Floats, Longs
    from cpsched.jobshop.solution import Schedule

#: Version of the features: another one when a number changes its meaning.
FEATURES = 1

_NONE = np.zeros((0, NUM_FEATURES))
_RUNNING = np.zeros(1, np.int64)


def shapes(width: int, depth: int) -> dict[str, tuple[int, ...]]:
    """Tensors of the network by name, in the order of the flat weights."""
    return {
        "first.weight": (width, NUM_FEATURES),
        "first.bias": (width,),
        "second.weight": (depth, width),
        "second.mean": (depth, width),
        "second.bias": (depth,),
        "out.weight": (depth,),
    }


@dataclass(frozen=True)
class Network:
    """Weights of the network, flat.

    weights: float64, shape (``num_weights(width, depth)``,).
    """

    weights: Floats
    width: int
    depth: int

    def __post_init__(self) -> None:
        wanted = num_weights(self.width, self.depth)
        if self.weights.shape != (wanted,):
            raise InputError(f"the network has {wanted} weights, not {self.weights.shape}")


def num_weights(width: int, depth: int) -> int:
    """Number of weights of a network."""
    return sum(int(np.prod(shape)) for shape in shapes(width, depth).values())


class Shop:
    """A classic job shop in the arrays of the kernel.

    job_ptr: shape (num_jobs + 1,); ops: shape (5, num_ops), see ``score_features``; member_ptr,
    members: operations by machine.

    Raises InputError for a flexible job shop.
    """

    def __init__(self, instance: JobShop) -> None:
        if instance.is_flexible:
            raise InputError(f"{instance.name}: the learned score needs one machine per operation")
        self.instance = instance
        self.num_machines = instance.num_machines
        self.job_ptr: Longs = instance.job_ptr.astype(np.int64)
        duration = instance.duration.astype(np.int64)
        total = np.concatenate(([0], np.cumsum(duration)))
        job = instance.job.astype(np.int64)
        begin, end = total[self.job_ptr[:-1]][job], total[self.job_ptr[1:]][job]
        machine = instance.machine.astype(np.int64)
        self.ops: Longs = np.stack((job, machine, duration, total[:-1] - begin, end - total[1:]))
        self._group()

    def _group(self) -> None:
        machine = self.ops[MACHINE]
        self.members: Longs = np.argsort(machine, kind="stable").astype(np.int64)
        self.member_ptr: Longs = np.searchsorted(
            machine[self.members], np.arange(self.num_machines + 1)
        ).astype(np.int64)

    @property
    def num_ops(self) -> int:
        """Number of operations."""
        return int(self.ops.shape[1])

    @cached_property
    def reversed(self) -> Shop:
        """The shop seen from the end: every job backwards. Its schedules mirror those of this."""
        found = object.__new__(Shop)
        found.instance, found.num_machines = self.instance, self.num_machines
        found.job_ptr = self.job_ptr
        # Operation k of a job from the front is number -1 - k from the back.
        self._mirror: Longs = (
            self.job_ptr[:-1][self.ops[0]] + self.job_ptr[1:][self.ops[0]] - 1
        ) - np.arange(self.num_ops)
        found.ops = np.ascontiguousarray(self.ops[:, self._mirror][[0, 1, 2, 4, 3]])
        found._group()
        return found

    def schedule(self, order: Longs, *, backwards: bool = False) -> Schedule:
        """The semi-active schedule of an order of dispatch, shape (num_ops,).

        backwards: the order is one of ``reversed``.
        """
        from cpsched.jobshop.arrays import Arrays

        if backwards:
            order = self._mirror[order][::-1]
        return Arrays(self.instance).schedule(order.astype(np.uint32))


@dataclass(frozen=True)
class Decisions:
    """Conflict sets of one roll-out, those of a single operation left out.

    features: shape (rows, NUM_FEATURES); set d has the rows ptr[d] .. ptr[d + 1], of which the
    one numbered taken[d] within the set was dispatched.
    """

    features: Floats
    ptr: Longs
    taken: Longs


def dispatch(
    shop: Shop,
    network: Network,
    *,
    temperature: float = 0.0,
    rng: Words | None = None,
    halt: Longs | None = None,
) -> tuple[int, Longs]:
    """Makespan and order of dispatch, shape (num_ops,), of one roll-out.

    temperature: of the draws, 0 for the highest score; rng: state of the generator, shape (1,),
    needed for draws; halt: see ``roll_out``.

    Raises StopRequestedError once *halt* says so.
    """
    order = np.empty(shop.num_ops, np.int64)
    makespan = _run(shop, network, temperature, rng, order, halt=halt)
    if makespan < 0:
        raise StopRequestedError("dispatching was stopped")
    return makespan, order


def decisions(shop: Shop, network: Network, order: Longs) -> Decisions:
    """What there was to decide on the way along *order*, a roll-out of *shop*."""
    features = np.empty((shop.num_ops * len(shop.job_ptr), NUM_FEATURES))
    ptr = np.zeros(shop.num_ops + 2, np.int64)
    taken = np.zeros(shop.num_ops + 1, np.int64)
    _run(shop, network, 0.0, None, order, replay=True, written=(features, ptr, taken))
    count = int(ptr[-1])
    return Decisions(features[: ptr[count]].copy(), ptr[: count + 1].copy(), taken[:count].copy())


def _run(
    shop: Shop,
    network: Network,
    temperature: float,
    rng: Words | None,
    order: Longs,
    *,
    halt: Longs | None = None,
    replay: bool = False,
    written: tuple[Floats, Longs, Longs] = (_NONE, _RUNNING, _RUNNING),
) -> int:
    return int(
        roll_out(
            shop.job_ptr,
            shop.ops,
            shop.member_ptr,
            shop.members,
            shop.num_machines,
            network.weights,
            network.width,
            network.depth,
            temperature,
            np.ones(1, np.uint64) if rng is None else rng,
            order,
            replay,
            *written,
            _RUNNING if halt is None else halt,
        )
    )
