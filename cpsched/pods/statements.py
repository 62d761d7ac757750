"""What a result file says of a placement beside the placement itself, held against the cluster."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from cpsched.errors import InputError
from cpsched.pods.instance import Policy
from cpsched.pods.plan import Action, Plan, PlanError, Step, simulate

if TYPE_CHECKING:
    from cpsched.pods.instance import Cluster
    from cpsched.pods.solution import Placement

#: Keys of ``solution`` that follow from the cluster and the placement.
_FOLLOWS = ("moved", "evicted", "disruption")


def as_stated(cluster: Cluster, stated: dict[str, Any]) -> Cluster:
    """*cluster* under the policy of a result's ``solution``; itself if that states none.

    Raises InputError with the JSON path of what is no policy.
    """
    solution = stated.get("solution")
    if not isinstance(solution, dict) or "policy" not in solution:
        return cluster
    path, policy = "$.solution.policy", solution["policy"]
    known = [entry.name for entry in fields(Policy)]
    if not isinstance(policy, dict):
        raise InputError("the policy must be an object", path=path)
    for key in policy:
        if key not in known:
            raise InputError(
                f"unknown key {key[:40]!a}; allowed are {', '.join(known)}", path=path
            )
    try:
        return replace(cluster, policy=replace(cluster.policy, **policy))
    except InputError as error:
        raise InputError(error.reason, path=path) from None


def denied(cluster: Cluster, placement: Placement, stated: dict[str, Any]) -> list[str]:
    """Statements of a result's ``solution`` that the cluster and its *placement* deny.

    A plan is replayed step by step and must end at the placement. Keys that are missing state
    nothing; bounds are not judged, only that none is below what is reached.
    """
    from cpsched.pods.account import record

    solution = stated.get("solution", stated)
    if not isinstance(solution, dict):
        return []
    truth = record(cluster, placement, None)
    found = [
        f"the stated {key} is {solution[key]!r:.60}, the placement's is {truth[key]}"
        for key in _FOLLOWS
        if key in solution and solution[key] != truth[key]
    ]
    found += [
        f"the stated {key} differs from what the cluster and the placement say"
        for key in ("held", "budgets")
        if key in solution and solution[key] != truth[key]
    ]
    tiers = solution.get("tiers")
    if isinstance(tiers, list):
        found += _tiers(tiers, truth["tiers"])
    if "plan" in solution:
        found += _plan(cluster, placement, solution["plan"])
    return found


def _tiers(stated: list[Any], truth: list[dict[str, Any]]) -> list[str]:
    if len(stated) != len(truth):
        return [f"{len(stated)} tiers are stated, the cluster has {len(truth)}"]
    found = []
    for entry, true in zip(stated, truth, strict=True):
        for key in ("priority", "pods", "placed_before", "placed"):
            value = entry.get(key, true[key]) if isinstance(entry, dict) else None
            if value != true[key]:
                found.append(
                    f"tier {true['priority']}: the stated {key} is {value!r:.60}, not {true[key]}"
                )
    return found


def _plan(cluster: Cluster, placement: Placement, stated: Any) -> list[str]:
    """Replay of the stated plan: what is wrong with it, at most one sentence."""
    if not isinstance(stated, list):
        return ["the stated plan is no list of steps"]
    pods = {name: k for k, name in enumerate(cluster.pods)}
    nodes = {name: k for k, name in enumerate(cluster.nodes)}
    steps = []
    for number, entry in enumerate(stated, start=1):
        try:
            action = Action(entry["action"])
            pod, node = pods[entry["pod"]], nodes[entry["node"]]
        except (KeyError, TypeError, ValueError):
            return [
                f"step {number} of the stated plan is none: an action (evict or bind), a pod and "
                "a node of the cluster are needed"
            ]
        steps.append(Step(action, pod, node, ""))
    try:
        end = simulate(cluster, Plan(tuple(steps)))
    except PlanError as error:
        return [f"the stated plan cannot be carried out: {error}"]
    for pod in range(cluster.num_pods):
        if end[pod] != placement.node[pod]:
            return [f"the stated plan does not lead to the placement: {cluster.pods[pod]} differs"]
    return []
