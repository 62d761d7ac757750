"""``auto``: search for good placements and columns for proofs, under one clock."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from cpsched.columns.lexicographic import Certifier
from cpsched.pods.columns import PodHost
from cpsched.pods.anneal import PLACING, SETTLING, SLICE, Search

if TYPE_CHECKING:
    import threading

    from cpsched.incumbent import Incumbent
    from cpsched.pods.instance import Cluster
    from cpsched.pods.solution import Placement
    from cpsched.protocols import Limits

#: Share of the time that search alone has first, if only one thread is there; and at most.
_FIRST_SHARE, _FIRST_MOST = 0.15, 0.25
#: Annealing schedules in a row, each from the best so far, with doubled length.
_SCHEDULE = (PLACING, SETTLING)


def start(
    cluster: Cluster, limits: Limits, incumbent: Incumbent[Placement]
) -> threading.Thread:
    """Run the portfolio in a thread of its own until the incumbent is done."""

    def work() -> None:
        host = PodHost(cluster, incumbent)
        search = Search(host.pods, limits.seed, host.halt)
        first = min(_FIRST_MOST, _FIRST_SHARE * limits.time_limit)
        improve(search, host, incumbent, seconds=first)
        helper = None
        if limits.workers > 1 and not incumbent.done:
            helper = incumbent.run(lambda: improve(search, host, incumbent))
        certifier = Certifier(host.pods.packing, host)
        while not incumbent.done:
            left = incumbent.remaining
            known = incumbent.objective
            # The columns get half of what is left; then what search has found is looked at anew.
            certifier.run(time.perf_counter() + (0.5 * left if left > 0.5 else left))
            if incumbent.done:
                break
            if helper is None:
                improve(search, host, incumbent, seconds=0.5 * incumbent.remaining + 0.02)
            elif incumbent.objective == known:
                incumbent.wait(0.2)
        if helper is not None:
            helper.join()

    return incumbent.run(work)


def improve(
    search: Search, host: PodHost, incumbent: Incumbent[Placement], seconds: float | None = None
) -> None:
    """Anneal again and again, longer each time, until *seconds* are over or the solve is done."""
    end = time.perf_counter() + (incumbent.remaining if seconds is None else seconds)
    _, (contents, *_) = host.best()
    iterations = SLICE
    while not incumbent.done:
        search.start_from(contents)
        for hot, cold, disruption in _SCHEDULE:
            # In slices, so that the deadline is kept: the temperature falls from slice to slice.
            slices = max(1, iterations // SLICE)
            for k in range(slices):
                left = end - time.perf_counter()
                if left <= 0 or incumbent.done:
                    return
                at = [hot * (cold / hot) ** ((k + step) / slices) for step in (0, 1)]
                host.offer(search.run(SLICE, at[0], at[1], disruption))
        iterations *= 2
        _, (contents, *_) = host.best()
