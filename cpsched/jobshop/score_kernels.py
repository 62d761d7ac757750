"""Roll-outs of a small network over conflict sets, in one kernel; see ``score``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from numba import types

from cpsched import draws
from cpsched.jobshop.graph import BOOL, INT, Int
from cpsched.kernels import kernel, part

if TYPE_CHECKING:
    from cpsched.draws import Words

Longs = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

I8 = types.int64[::1]
I8S = types.int64[:, ::1]
F8 = types.float64[::1]
F8S = types.float64[:, ::1]
FLOAT = types.float64
VOID = types.void

#: Rows of the table of operations: job, machine, duration, work of the job before and after it.
JOB, MACHINE, DURATION, BEFORE, AFTER = range(5)
#: Rows of the table of jobs: next operation, when it is ready, work left.
NEXT, READY, WORK = range(3)
#: Rows of the table of machines: when it is free; of what is left for it, work, number and bound
#: on the makespan; of jobs whose next operation is on it, number and work of that operation.
FREE, LOAD, COUNT, BOUND, QUEUED, QUEUE = range(6)
#: Rows of the scratch table of a bound.
HEADS, ORDER, TAILS, LEFT = range(4)

NUM_FEATURES = 32

#: Operations on a machine beyond which its bound is the work alone: the exact one costs their
#: square.
MOST = 256


@part(INT(INT, INT, INT, I8S, I8, I8, I8S, I8S, I8S))
def one_machine(
    m: Int,
    begin: Int,
    skip: Int,
    ops: Longs,
    member_ptr: Longs,
    members: Longs,
    jobs: Longs,
    machines: Longs,
    scratch: Longs,
) -> Int:
    """Bound on the makespan by what machine *m* has left but *skip*, none before *begin*.

    Jackson's preemptive schedule (Carlier 1982): always the available operation with the longest
    tail. 0 if nothing is left.
    """
    if machines[COUNT, m] > MOST:
        work = machines[LOAD, m] - (ops[DURATION, skip] if skip >= 0 else 0)
        return begin + work
    n = 0
    for k in range(member_ptr[m], member_ptr[m + 1]):
        i = members[k]
        j = ops[JOB, i]
        following = jobs[NEXT, j]
        if i < following or i == skip:
            continue
        head = max(jobs[READY, j] + ops[BEFORE, i] - ops[BEFORE, following], begin)
        at = n - 1
        while at >= 0 and scratch[HEADS, at] > head:
            scratch[HEADS, at + 1] = scratch[HEADS, at]
            scratch[ORDER, at + 1] = scratch[ORDER, at]
            at -= 1
        scratch[HEADS, at + 1] = head
        scratch[ORDER, at + 1] = i
        n += 1
    if n == 0:
        return 0
    k = 0
    size = 0
    bound = 0
    time = scratch[HEADS, 0]
    while k < n or size > 0:
        if size == 0:
            time = max(time, scratch[HEADS, k])
        while k < n and scratch[HEADS, k] <= time:
            i = scratch[ORDER, k]
            tail = ops[AFTER, i]
            at = size - 1
            while at >= 0 and scratch[TAILS, at] > tail:
                scratch[TAILS, at + 1] = scratch[TAILS, at]
                scratch[LEFT, at + 1] = scratch[LEFT, at]
                at -= 1
            scratch[TAILS, at + 1] = tail
            scratch[LEFT, at + 1] = ops[DURATION, i]
            size += 1
            k += 1
        until = time + scratch[LEFT, size - 1]
        if k < n:
            until = min(until, scratch[HEADS, k])
        scratch[LEFT, size - 1] -= until - time
        time = until
        if scratch[LEFT, size - 1] == 0:
            size -= 1
            bound = max(bound, time + scratch[TAILS, size])
    return bound


@part(VOID(I8, I8, INT, INT, INT, INT, INT, I8, I8S, I8, I8, I8, I8S, I8S, I8S, F8S))
def describe(
    chosen: Longs,
    start: Longs,
    size: Int,
    on: Int,
    makespan: Int,
    step: Int,
    alive_count: Int,
    alive: Longs,
    ops: Longs,
    job_ptr: Longs,
    member_ptr: Longs,
    members: Longs,
    jobs: Longs,
    machines: Longs,
    scratch: Longs,
    table: Floats,
) -> None:
    """Write the features of the conflict set, shape (size, NUM_FEATURES), into *table*.

    chosen, start: shape (size,), jobs of the set and earliest starts of their next operations;
    alive: jobs that are not finished. Times are in mean durations of an operation, or in parts of
    what the bound on the makespan leaves; what is left of a job, in half its longest route.
    """
    num_machines = machines.shape[1]
    num_ops = ops.shape[1]
    first = start[0]
    for k in range(1, size):
        first = min(first, start[k])
    bound = makespan
    soon = 0.0
    mean_work = 0.0
    longest = 0
    for a in range(alive_count):
        j = alive[a]
        i = jobs[NEXT, j]
        bound = max(bound, jobs[READY, j] + jobs[WORK, j])
        mean_work += jobs[WORK, j]
        if ops[MACHINE, i] != on and i + 1 < job_ptr[j + 1] and ops[MACHINE, i + 1] == on:
            soon += ops[DURATION, i + 1]
    mean_work /= alive_count
    for j in range(len(job_ptr) - 1):
        longest = max(longest, job_ptr[j + 1] - job_ptr[j])
    mean_load = 0.0
    total = 0.0
    for m in range(num_machines):
        bound = max(bound, machines[BOUND, m])
        mean_load += machines[LOAD, m]
    mean_load /= num_machines
    for i in range(num_ops):
        total += ops[DURATION, i]
    time = num_ops / max(1.0, total)
    route = 2.0 * time / longest
    load = 1.0 / max(1.0, mean_load)
    span = 1.0 / max(1.0, np.float64(bound - first))
    # The two jobs of the set that would end last.
    last = -1
    second = -1
    for k in range(size):
        end = start[k] + jobs[WORK, chosen[k]]
        if end > last:
            second = last
            last = end
        elif end > second:
            second = end
    mean_bound = 0.0
    least = 1e18
    mean_duration = 0.0
    mean_left = 0.0
    for k in range(size):
        j = chosen[k]
        i = jobs[NEXT, j]
        duration = ops[DURATION, i]
        work = jobs[WORK, j]
        end = start[k] + duration
        x = table[k]
        x[0] = duration * time
        x[1] = (work - duration) * route
        x[2] = (start[k] - first) * time
        x[3] = (job_ptr[j + 1] - i) / longest
        x[4] = (bound - start[k] - work) * span
        x[5] = (work - mean_work) * route
        for f in range(6, 14):
            x[f] = 0.0
        x[18] = x[19] = x[26] = x[27] = 0.0
        if i + 1 < job_ptr[j + 1]:
            m = ops[MACHINE, i + 1]
            wait = machines[FREE, m] - end
            x[6] = 0.3 * time * max(0, wait)
            x[7] = (machines[LOAD, m] - mean_load) * load
            x[8] = 0.3 * time * machines[QUEUE, m]
            x[9] = 0.3 * machines[QUEUED, m] * num_machines / alive_count
            x[10] = 0.3 * time * max(0, -wait)
            x[11] = ops[DURATION, i + 1] * time
            x[12] = (bound - machines[BOUND, m]) * span
            x[27] = machines[COUNT, m] / alive_count
            for after in range(i + 1, job_ptr[j + 1]):
                excess = (machines[LOAD, ops[MACHINE, after]] - mean_load) * load
                x[26] += ops[DURATION, after] * excess * route
        else:
            x[12] = x[13] = 1.0
        if i + 2 < job_ptr[j + 1]:
            x[18] = (machines[LOAD, ops[MACHINE, i + 2]] - mean_load) * load
            x[19] = ops[DURATION, i + 2] * time
        push = 0.0
        worst = 0
        for other in range(size):
            if other != k:
                push += max(0, end - start[other])
                worst = max(worst, max(end, start[other]) + jobs[WORK, chosen[other]])
        x[14] = push * time / size
        x[15] = (worst - bound) * span if size > 1 else 0.0
        then = one_machine(on, end, i, ops, member_ptr, members, jobs, machines, scratch)
        x[16] = (then - bound) * span
        x[17] = (max(then, start[k] + work) - bound) * span
        x[28] = 0.3 * soon * time
        x[29] = (start[k] + work - (second if start[k] + work == last else last)) * span
        x[30] = machines[COUNT, on] / alive_count
        x[31] = 0.2 * size
        x[24] = step / num_ops
        x[25] = (machines[LOAD, on] - mean_load) * load
        mean_bound += x[16] / size
        least = min(least, x[17])
        mean_duration += x[0] / size
        mean_left += x[1] / size
    for k in range(size):
        x = table[k]
        x[20] = x[16] - mean_bound
        x[21] = x[17] - least
        x[22] = x[0] - mean_duration
        x[23] = x[1] - mean_left


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
