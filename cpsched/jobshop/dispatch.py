"""Linear dispatching rules on a classic job shop, in one kernel.

A shortcut of ``cpsched.construct.rollout``, without a model and without propagation: the local
search starts from it, and ``rule:NAME`` takes it for instances whose model alone would take many
seconds (see ``dispatching``). A test holds the schedules of the two equal; only an operation of
duration 0 comes behind the last one of its machine here, where the model lets it start together
with another.

A rule gives every candidate a score; the highest is dispatched, at its earliest start. The frame
says which operations are candidates (one per job, its next one):

- *non-delay*: those that can start earliest;
- *active* (Giffler & Thompson 1960): on the machine of the earliest possible completion, those
  that could start before it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numba import types

from cpsched.errors import StopRequestedError
from cpsched.jobshop.graph import BOOL, I4, INT, U4, U8, IndexArray, WordArray
from cpsched.jobshop.randomness import random_word
from cpsched.kernels import kernel

if TYPE_CHECKING:
    from cpsched.jobshop.arrays import Arrays
    from cpsched.jobshop.instance import IntArray

F8 = types.float64[::1]
I8 = types.int64[::1]

Halt: TypeAlias = np.ndarray[tuple[int], np.dtype[np.int64]]

#: Terms of a linear score, all of a candidate operation: its duration; the remaining work of its
#: job (this operation included); the remaining number of operations (included); the time its job
#: became ready; its earliest start; a uniform random number in [0, 1).
TERMS = ("duration", "remaining_work", "remaining_ops", "ready", "start", "random")

#: Weights of the terms by name of the rule in ``cpsched.construct.rules``.
WEIGHTS = {
    "spt": {"duration": -1.0},
    "lpt": {"duration": 1.0},
    "mwkr": {"remaining_work": 1.0},
    "lwkr": {"remaining_work": -1.0},
    "mopnr": {"remaining_ops": 1.0},
    "lopnr": {"remaining_ops": -1.0},
    "fifo": {"ready": -1.0},
    "random": {"random": 1.0},
}


@kernel(INT(I4, U4, I4, INT, F8, BOOL, U8, I4, U4, I8))
def dispatch(
    job_ptr: IntArray,
    machine: IndexArray,
    duration: IntArray,
    num_machines: int,
    weights: np.ndarray[tuple[int], np.dtype[np.float64]],
    active: bool,
    rng: WordArray,
    start: IntArray,
    order: IndexArray,
    halt: Halt,
) -> int:
    """Build one schedule of a classic job shop; returns its makespan, -1 if halted before the end.

    Parameters
    ----------
    job_ptr, machine, duration
        As in ``JobShop``.
    weights
        Shape (len(TERMS),): the score is their dot product with the terms; ties go to the lowest
        job number.
    active
        The active frame instead of the non-delay frame.
    rng
        State of the generator, shape (1,), used if the weight of ``random`` is not 0.
    start, order
        Shape (num_ops,): filled with start times and with the order of dispatch, which is a
        topological order of the schedule.
    halt
        Shape (1,): anything but 0 ends the call soon. It is looked at before every operation,
        which costs nothing beside the scan of the candidates.
    """
    num_jobs = len(job_ptr) - 1
    num_ops = len(machine)
    next_op = job_ptr[:-1].copy()
    ready = np.zeros(num_jobs, np.int32)
    free = np.zeros(num_machines, np.int32)
    work = np.zeros(num_jobs, np.int32)
    for j in range(num_jobs):
        for i in range(job_ptr[j], job_ptr[j + 1]):
            work[j] += duration[i]
    # Jobs with work left, kept dense and in order.
    alive = np.empty(num_jobs, np.int32)
    num_alive = 0
    for j in range(num_jobs):
        if job_ptr[j] < job_ptr[j + 1]:
            alive[num_alive] = j
            num_alive += 1
    makespan = 0
    for step in range(num_ops):
        if halt[0] != 0:
            return -1
        earliest = np.int64(1) << 40
        on = -1
        for a in range(num_alive):
            j = alive[a]
            i = next_op[j]
            value = max(ready[j], free[machine[i]])
            if active:
                value += duration[i]
            if value < earliest:
                earliest = value
                on = machine[i]
        best = -np.inf
        chosen = -1
        for a in range(num_alive):
            j = alive[a]
            i = next_op[j]
            begin = max(ready[j], free[machine[i]])
            if active:
                # An operation of duration 0 completes no later than it starts.
                if machine[i] != on or (begin >= earliest and begin + duration[i] > earliest):
                    continue
            elif begin != earliest:
                continue
            score = (
                weights[0] * duration[i]
                + weights[1] * work[j]
                + weights[2] * (job_ptr[j + 1] - i)
                + weights[3] * ready[j]
                + weights[4] * begin
            )
            if weights[5] != 0.0:
                score += weights[5] * (np.float64(random_word(rng) >> np.uint64(11)) / 2.0**53)
            if score > best:
                best = score
                chosen = a
        j = alive[chosen]
        i = next_op[j]
        begin = max(ready[j], free[machine[i]])
        start[i] = begin
        order[step] = i
        end = begin + duration[i]
        ready[j] = end
        free[machine[i]] = end
        makespan = max(makespan, end)
        work[j] -= duration[i]
        next_op[j] += 1
        if next_op[j] == job_ptr[j + 1]:
            for a in range(chosen, num_alive - 1):
                alive[a] = alive[a + 1]
            num_alive -= 1
    return makespan


def weights_of(terms: dict[str, float]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Weight vector, shape (len(TERMS),), of named terms; KeyError for an unknown one."""
    weights = np.zeros(len(TERMS))
    for term, weight in terms.items():
        weights[TERMS.index(term)] = weight
    return weights


def roll_out(
    arrays: Arrays,
    terms: dict[str, float],
    *,
    active: bool = False,
    seed: int = 0,
    halt: Halt | None = None,
) -> tuple[int, IndexArray]:
    """Makespan and order of dispatch, shape (num_ops,), of one roll-out of a linear score.

    active: the frame of active schedules instead of the non-delay one; seed: of the ``random``
    term; halt: see ``dispatch``.

    Raises StopRequestedError once *halt* says so: a million operations take seconds.
    """
    rng = np.random.default_rng(seed).integers(1, 2**63, size=1).astype(np.uint64)
    start = np.empty(arrays.num_ops, np.int32)
    order = np.empty(arrays.num_ops, np.uint32)
    makespan = dispatch(
        arrays.job_ptr,
        arrays.machine,
        arrays.p[:-1].copy(),
        arrays.num_machines,
        weights_of(terms),
        active,
        rng,
        start,
        order,
        np.zeros(1, np.int64) if halt is None else halt,
    )
    if makespan < 0:
        raise StopRequestedError("dispatching was stopped")
    return int(makespan), order
