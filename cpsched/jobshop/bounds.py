"""Lower bounds on the makespan of a job shop, in milliseconds."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

import numpy as np

from cpsched.jobshop.graph import I4, INT, U4, IndexArray, Int
from cpsched.kernels import kernel

if TYPE_CHECKING:
    from cpsched.jobshop.instance import IntArray, JobShop


@kernel(INT(I4, I4, I4, U4, INT))
def preemptive_bound(
    head: IntArray, p: IntArray, tail: IntArray, machine: IndexArray, num_machines: Int
) -> Int:
    """Largest preemptive one-machine bound (Jackson 1955; Carlier 1982) over the machines.

    head, p, tail, machine: shape (num_ops,); an operation cannot start before its head, and its
    tail has to follow its end. The preemptive schedule that always runs the available
    operation with the longest tail is optimal for each machine alone: O(n log n).
    """
    by_head = np.argsort(head, kind="mergesort")
    offset = np.zeros(num_machines + 1, np.int64)
    for i in machine:
        offset[i + 1] += 1
    for m in range(num_machines):
        offset[m + 1] += offset[m]
    fill = offset[:-1].copy()
    grouped = np.empty(len(p), np.int64)
    for i in by_head:
        grouped[fill[machine[i]]] = i
        fill[machine[i]] += 1
    left = p.astype(np.int64)
    bound = np.int64(0)
    for m in range(num_machines):
        k = offset[m]
        stop = offset[m + 1]
        if k == stop:
            continue
        time = np.int64(head[grouped[k]])
        waiting = [(np.int64(0), np.int64(0))]
        waiting.pop()
        while k < stop or len(waiting) > 0:
            if len(waiting) == 0:
                time = max(time, np.int64(head[grouped[k]]))
            while k < stop and head[grouped[k]] <= time:
                heapq.heappush(waiting, (-np.int64(tail[grouped[k]]), grouped[k]))
                k += 1
            minus_tail, i = waiting[0]
            until = time + left[i]
            if k < stop and head[grouped[k]] < until:
                until = np.int64(head[grouped[k]])
            left[i] -= until - time
            time = until
            if left[i] == 0:
                heapq.heappop(waiting)
                bound = max(bound, time - minus_tail)
    return bound


def lower_bound(instance: JobShop) -> int:
    """Best of the longest job and, for a classic job shop, the preemptive one-machine bound."""
    if instance.num_ops == 0:
        return 0
    shortest = np.minimum.reduceat(instance.mode_duration, instance.mode_ptr[:-1])
    total = np.concatenate(([0], np.cumsum(shortest, dtype=np.int64)))
    begin = total[instance.job_ptr[:-1]][instance.job]
    end = total[instance.job_ptr[1:]][instance.job]
    longest_job = int((end - begin).max())
    if instance.is_flexible:
        fair_load = -(-int(shortest.sum(dtype=np.int64)) // instance.num_machines)
        return max(longest_job, fair_load)
    head = (total[:-1] - begin).astype(np.int32)
    tail = (end - total[1:]).astype(np.int32)
    machine = instance.machine.astype(np.uint32)
    duration = shortest.astype(np.int32)
    one_machine = preemptive_bound(head, duration, tail, machine, instance.num_machines)
    return max(longest_job, int(one_machine))
