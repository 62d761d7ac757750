"""A classic job shop in the writable, sentinel-closed arrays that the kernels take."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cpsched.jobshop.graph import IndexArray, evaluate, link
from cpsched.jobshop.solution import Schedule

if TYPE_CHECKING:
    from cpsched.jobshop.instance import IntArray, JobShop


class Arrays:
    """Kernel arrays of *instance*; see ``graph`` for the sentinel N = num_ops.

    p, jp, js: shape (N + 1,), duration, job predecessor, job successor; job, machine: shape
    (N,); job_ptr: shape (num_jobs + 1,); job_last: shape (num_jobs,), last operation of a job.

    Raises ValueError for a flexible job shop.
    """

    def __init__(self, instance: JobShop) -> None:
        n = instance.num_ops
        used = np.diff(instance.job_ptr) > 0
        self.instance = instance
        self.num_ops = n
        self.num_jobs = instance.num_jobs
        self.num_machines = instance.num_machines
        self.job_ptr: IntArray = instance.job_ptr.copy()
        self.job: IndexArray = instance.job.astype(np.uint32)
        self.machine: IndexArray = instance.machine.astype(np.uint32)
        self.p: IntArray = np.append(instance.duration, np.int32(0))
        self.jp: IndexArray = np.arange(-1, n).astype(np.uint32)
        self.js: IndexArray = np.arange(1, n + 2, dtype=np.uint32)
        self.job_last: IndexArray = np.full(self.num_jobs, n, dtype=np.uint32)
        self.job_last[used] = self.job_ptr[1:][used] - 1
        self.jp[self.job_ptr[:-1][used]] = n
        self.js[self.job_last[used]] = n
        self.jp[n] = self.js[n] = n

    def schedule(self, order: IndexArray) -> Schedule:
        """The semi-active schedule of a topological order, shape (N,)."""
        n = self.num_ops
        mp, ms, pos = (np.empty(n + 1, np.uint32) for _ in range(3))
        ends, tails = (np.empty(n + 1, np.int32) for _ in range(2))
        link(order, self.machine, mp, ms, self.num_machines)
        evaluate(order, pos, self.p, self.jp, self.js, mp, ms, ends, tails)
        return Schedule.from_starts(self.instance, (ends - self.p)[:n])

    def order(self, schedule: Schedule) -> IndexArray:
        """A topological order of a feasible schedule, shape (N,)."""
        # Operations of duration 0 may share a start with their successors: end, then route
        # position (operation numbers grow along a job), decide. lexsort: last key first.
        keys = (np.arange(self.num_ops), schedule.end, schedule.start)
        return np.lexsort(keys).astype(np.uint32)
