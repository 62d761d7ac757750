"""Roll-outs of a small network over conflict sets, in one kernel; see ``score``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import types

from cpsched import draws
from cpsched.jobshop.graph import BOOL, INT, Int
from cpsched.jobshop.score_features import (
    BOUND,
    COUNT,
    DURATION,
    F8,
    F8S,
    FLOAT,
    FREE,
    I8,
    I8S,
    LOAD,
    MACHINE,
    MOST,
    NEXT,
    NUM_FEATURES,
    QUEUE,
    QUEUED,
    READY,
    VOID,
    WORK,
    Floats,
    Longs,
    describe,
    one_machine,
)
from cpsched.kernels import kernel, part

if TYPE_CHECKING:
    from cpsched.draws import Words


@part(VOID(F8S, INT, F8, INT, INT, F8S, F8))
def rate(
    table: Floats,
    size: Int,
    weights: Floats,
    width: Int,
    depth: Int,
    hidden: Floats,
    score: Floats,
) -> None:
    """Scores, shape (size,), of the features in *table*.

    Two layers, *width* and *depth* wide; the second sees the mean of the first over the set, too.
    weights: those of ``score.SHAPES``, one after the other. hidden: scratch, shape (at least size
    + 1, width).
    """
    bias = NUM_FEATURES * width
    own = bias + width
    mean = own + width * depth
    offset = mean + width * depth
    out = offset + depth
    for h in range(width):
        hidden[size, h] = 0.0
    for k in range(size):
        for h in range(width):
            value = weights[bias + h]
            for f in range(NUM_FEATURES):
                value += table[k, f] * weights[h * NUM_FEATURES + f]
            value = value if value > 0 else 0.01 * value
            hidden[k, h] = value
            hidden[size, h] += value / size
        score[k] = 0.0
    for g in range(depth):
        common = weights[offset + g]
        for h in range(width):
            common += hidden[size, h] * weights[mean + g * width + h]
        for k in range(size):
            value = common
            for h in range(width):
                value += hidden[k, h] * weights[own + g * width + h]
            score[k] += np.tanh(value) * weights[out + g]


@part(INT(F8, INT, FLOAT, types.uint64[::1]))
def draw(score: Floats, size: Int, temperature: Int, rng: Words) -> Int:
    """An index drawn with probabilities exp(score / temperature), normalised."""
    top = score[0]
    for k in range(1, size):
        top = max(top, score[k])
    total = 0.0
    for k in range(size):
        total += np.exp((score[k] - top) / temperature)
    left = draws.uniform(rng) * total
    for k in range(size - 1):
        left -= np.exp((score[k] - top) / temperature)
        if left < 0:
            return k
    return size - 1


@kernel(
    INT(I8, I8S, I8, I8, INT, F8, INT, INT, FLOAT, types.uint64[::1], I8, BOOL, F8S, I8, I8, I8)
)
def roll_out(
    job_ptr: Longs,
    ops: Longs,
    member_ptr: Longs,
    members: Longs,
    num_machines: Int,
    weights: Floats,
    width: Int,
    depth: Int,
    temperature: float,
    rng: Words,
    order: Longs,
    replay: bool,
    features: Floats,
    ptr: Longs,
    taken: Longs,
    halt: Longs,
) -> Int:
    """One schedule of a classic job shop, decision by decision; returns its makespan.

    Parameters
    ----------
    job_ptr, ops, member_ptr, members
        See ``score.Shop``.
    weights, width, depth
        See ``rate``.
    temperature
        Of the draws; 0: the highest score is taken, of equals the job first in number.
    rng
        State of the generator, shape (1,).
    order
        Shape (num_ops,): filled with the order of dispatch.
    replay
        Follow *order* instead, which must come from a roll-out in this frame.
    features, ptr, taken
        If *features* has rows, the decisions are written down: of the d-th conflict set of two or
        more, the rows ptr[d] .. ptr[d + 1], and which of them is taken; ptr[-1] is then the number
        of decisions.
    halt
        Shape (1,): anything but 0 ends the call soon, with -1.
    """
    num_jobs = len(job_ptr) - 1
    num_ops = ops.shape[1]
    jobs = np.zeros((3, num_jobs), np.int64)
    machines = np.zeros((6, num_machines), np.int64)
    scratch = np.empty((4, min(num_ops, MOST) + 1), np.int64)
    alive = np.empty(num_jobs, np.int64)
    alive_count = 0
    for j in range(num_jobs):
        jobs[NEXT, j] = job_ptr[j]
        if job_ptr[j] == job_ptr[j + 1]:
            continue
        alive[alive_count] = j
        alive_count += 1
        for i in range(job_ptr[j], job_ptr[j + 1]):
            jobs[WORK, j] += ops[DURATION, i]
            machines[LOAD, ops[MACHINE, i]] += ops[DURATION, i]
            machines[COUNT, ops[MACHINE, i]] += 1
        machines[QUEUED, ops[MACHINE, job_ptr[j]]] += 1
        machines[QUEUE, ops[MACHINE, job_ptr[j]]] += ops[DURATION, job_ptr[j]]
    for m in range(num_machines):
        machines[BOUND, m] = one_machine(
            m, 0, -1, ops, member_ptr, members, jobs, machines, scratch
        )
    table = np.zeros((num_jobs, NUM_FEATURES))
    hidden = np.empty((num_jobs + 1, width))
    score = np.empty(num_jobs)
    chosen = np.empty(num_jobs, np.int64)
    place = np.empty(num_jobs, np.int64)
    start = np.empty(num_jobs, np.int64)
    makespan = 0
    decisions = 0
    for step in range(num_ops):
        if halt[0] != 0:
            return -1
        earliest = np.int64(1) << 60
        on = 0
        for a in range(alive_count):
            j = alive[a]
            i = jobs[NEXT, j]
            m = ops[MACHINE, i]
            end = max(jobs[READY, j], machines[FREE, m]) + ops[DURATION, i]
            if end < earliest:
                earliest = end
                on = m
        size = 0
        for a in range(alive_count):
            j = alive[a]
            i = jobs[NEXT, j]
            if ops[MACHINE, i] != on:
                continue
            begin = max(jobs[READY, j], machines[FREE, on])
            # An operation of duration 0 completes no later than it starts.
            if begin >= earliest and begin + ops[DURATION, i] > earliest:
                continue
            chosen[size] = j
            place[size] = a
            start[size] = begin
            size += 1
        pick = 0
        if size > 1:
            if not replay or len(features) > 0:
                describe(
                    chosen,
                    start,
                    size,
                    on,
                    makespan,
                    step,
                    alive_count,
                    alive,
                    ops,
                    job_ptr,
                    member_ptr,
                    members,
                    jobs,
                    machines,
                    scratch,
                    table,
                )
            if replay:
                for k in range(size):
                    if jobs[NEXT, chosen[k]] == order[step]:
                        pick = k
            else:
                rate(table, size, weights, width, depth, hidden, score)
                if temperature > 0:
                    pick = draw(score, size, temperature, rng)
                else:
                    for k in range(1, size):
                        if score[k] > score[pick]:
                            pick = k
            if len(features) > 0:
                row = ptr[decisions]
                for k in range(size):
                    features[row + k] = table[k]
                taken[decisions] = pick
                decisions += 1
                ptr[decisions] = row + size
        j = chosen[pick]
        i = jobs[NEXT, j]
        duration = ops[DURATION, i]
        order[step] = i
        end = start[pick] + duration
        jobs[READY, j] = end
        jobs[WORK, j] -= duration
        machines[FREE, on] = end
        machines[LOAD, on] -= duration
        machines[COUNT, on] -= 1
        machines[QUEUED, on] -= 1
        machines[QUEUE, on] -= duration
        makespan = max(makespan, end)
        jobs[NEXT, j] += 1
        touched = on
        if jobs[NEXT, j] == job_ptr[j + 1]:
            for a in range(place[pick], alive_count - 1):
                alive[a] = alive[a + 1]
            alive_count -= 1
        else:
            touched = ops[MACHINE, i + 1]
            machines[QUEUED, touched] += 1
            machines[QUEUE, touched] += ops[DURATION, i + 1]
        # The bounds of the machines further on change, too; theirs are kept as they were.
        for m in (on, touched):
            machines[BOUND, m] = one_machine(
                m, machines[FREE, m], -1, ops, member_ptr, members, jobs, machines, scratch
            )
    if len(features) > 0:
        ptr[len(ptr) - 1] = decisions
    return makespan
