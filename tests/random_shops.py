"""Random job shops, small enough to reason about."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from cpsched.jobshop.instance import JobShop


def random_job_shop(
    seed: int, num_jobs: int, num_machines: int, *, reentrant: bool = False, low: int = 0
) -> JobShop:
    """Classic job shop with durations low..20; a reentrant one repeats machines at random."""
    rng = np.random.default_rng(seed)
    jobs = []
    for _ in range(num_jobs):
        if reentrant:
            route = rng.integers(0, num_machines, int(rng.integers(1, num_machines + 3)))
        else:
            route = rng.permutation(num_machines)
        jobs.append([(int(m), int(rng.integers(low, 21))) for m in route])
    return JobShop.classic(f"random-{seed}", num_machines, jobs)


def job_shops(max_jobs: int = 6, max_machines: int = 5) -> st.SearchStrategy[JobShop]:
    """Classic and reentrant job shops, zero durations included."""
    return st.builds(
        random_job_shop,
        st.integers(0, 10**6),
        st.integers(1, max_jobs),
        st.integers(1, max_machines),
        reentrant=st.booleans(),
    )
