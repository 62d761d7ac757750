"""What the small network of ``score`` sees of a conflict set: the features of its candidates."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import types

from cpsched.jobshop.graph import INT, Int
from cpsched.kernels import part

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
