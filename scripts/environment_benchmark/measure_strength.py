"""How far the propagation at the root reaches: the least makespan that it does not refute.

For a horizon h the model of the instance is made with that upper bound and read into a propagator;
the least h without a failure is a lower bound on the makespan (a destructive bound), found by
bisection between the bound at a loose horizon and the best known makespan. With it, the time of
one propagation to the fix point: a propagator at a loose horizon is told ``makespan <= h`` and
undone.

A request is ``{"instance": name, "repeats": n}``.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from typing import TYPE_CHECKING, Any

from cpsched.instances import library
from cpsched.jobshop.bounds import lower_bound
from cpsched.jobshop.model import formulate
from cpsched.propagation import DisjunctiveRule, Propagator, read_network
from cpsched.result import versions

if TYPE_CHECKING:
    from cpsched.jobshop.instance import JobShop

RULES = {
    "none": DisjunctiveRule.NONE,
    "detectable precedences": DisjunctiveRule.DETECTABLE_PRECEDENCES,
    "not-first/not-last": DisjunctiveRule.NOT_FIRST_NOT_LAST,
    "edge finding": DisjunctiveRule.EDGE_FINDING,
    "all": DisjunctiveRule.ALL,
}


def main() -> None:
    """Answer the request on the command line."""
    request = json.loads(sys.argv[1])
    instance = library.load(request["instance"])
    known = library.best_known(request["instance"])
    # Compiles, or loads, every kernel before the clock.
    for rules in RULES.values():
        _refutes(library.load("ft06"), 50, rules)
    answer = {
        "versions": versions(),
        "operations": instance.num_ops,
        "size": f"{instance.num_jobs}x{instance.num_machines}",
        "best_known": known.upper,
        "one_machine": lower_bound(instance),
        "rules": {
            name: _strength(instance, known.upper, rules, request["repeats"])
            for name, rules in RULES.items()
        },
    }
    print(json.dumps(answer))


def _strength(
    instance: JobShop, best_known: int, rules: DisjunctiveRule, repeats: int
) -> dict[str, Any]:
    if _refutes(instance, best_known, rules):
        raise SystemExit(f"{rules} refutes {instance.name} at {best_known}: unsound")
    formulation = formulate(instance)
    network = read_network(formulation.model, rules)
    propagator = Propagator(network)
    makespan = formulation.stages[0].index
    low, high = int(propagator.lower[makespan]), best_known
    while low < high:
        middle = (low + high) // 2
        if _refutes(instance, middle, rules):
            low = middle + 1
        else:
            high = middle
    return {
        "bound": low,
        "holds_ms": _milliseconds(propagator, makespan, low, repeats),
        "refuted_ms": _milliseconds(propagator, makespan, low - 1, repeats),
    }


def _refutes(instance: JobShop, horizon: int, rules: DisjunctiveRule) -> bool:
    model = formulate(instance, upper_bound=horizon).model
    return Propagator(model, rules).failure is not None


def _milliseconds(propagator: Propagator, makespan: int, horizon: int, repeats: int) -> float:
    """Median time of propagating ``makespan <= horizon``."""
    times = []
    for _ in range(repeats):
        propagator.push()
        begin = time.perf_counter()
        propagator.tighten(makespan, upper=horizon)
        times.append(time.perf_counter() - begin)
        propagator.pop()
    return 1000 * statistics.median(times)


if __name__ == "__main__":
    main()
