"""What a result file says beside its migrations, held against the cluster."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from cpsched.errors import InputError
from cpsched.vms.policy import Fragment, Policy

if TYPE_CHECKING:
    from cpsched.vms.instance import VmCluster
    from cpsched.vms.solution import Migrations

#: Keys of ``solution`` that follow from the cluster and the migrations.
_FOLLOWS = ("fr_before", "fr_after", "moves", "slots", "makespan_s")

#: Keys of a migration that follow from the plan.
_TIMES = ("from_pm", "from_numa", "lane", "start_s", "end_s")

_PATH = "$.solution.policy"


def as_stated(cluster: VmCluster, stated: dict[str, Any]) -> VmCluster:
    """*cluster* under the policy of a result's ``solution``; itself if that states none.

    Raises InputError with the JSON path of what is no policy.
    """
    solution = stated.get("solution")
    if not isinstance(solution, dict) or "policy" not in solution:
        return cluster
    policy = dict(_known(solution["policy"], Policy, _PATH))
    try:
        if isinstance(policy.get("fragments"), list):
            policy["fragments"] = tuple(
                Fragment(**_known(one, Fragment, f"{_PATH}.fragments[{k}]"))
                for k, one in enumerate(policy["fragments"])
            )
        if isinstance(policy.get("goal"), list):
            policy["goal"] = tuple(policy["goal"])
        return replace(cluster, policy=replace(cluster.policy, **policy))
    except InputError as error:
        raise InputError(error.reason, path=error.path or _PATH) from None


def _known(value: Any, kind: type, path: str) -> dict[str, Any]:
    """*value* if it is an object with no other keys than the fields of *kind*."""
    if not isinstance(value, dict):
        raise InputError("expected an object", path=path)
    known = [entry.name for entry in fields(kind)]
    for key in value:
        if key not in known:
            raise InputError(
                f"unknown key {key[:40]!a}; allowed are {', '.join(known)}", path=path
            )
    return value


def denied(cluster: VmCluster, migrations: Migrations, stated: dict[str, Any]) -> list[str]:
    """Statements of a result's ``solution`` that the cluster and its *migrations* deny.

    Keys that are missing state nothing. Bounds are not judged, but that none is above what is
    reached.
    """
    from cpsched.vms.account import record

    solution = stated.get("solution", stated)
    if not isinstance(solution, dict):
        return []
    truth = record(cluster, migrations, None)
    found = [
        f"the stated {key} is {solution[key]!r:.60}, the plan's is {truth[key]!r:.60}"
        for key in _FOLLOWS
        if key in solution and not _equal(solution[key], truth[key])
    ]
    bound = solution.get("fr_bound")
    if bound is not None and not (
        isinstance(bound, int | float) and bound <= truth["fr_after"] + 1e-9
    ):
        found.append(
            f"the stated fr_bound is {bound!r:.60}, and the plan ends at {truth['fr_after']:.4f}"
        )
    for number, (mine, theirs) in enumerate(
        zip(truth["migrations"], solution.get("migrations", ()), strict=False), 1
    ):
        for key in _TIMES:
            if key in theirs and theirs[key] != mine[key]:
                found.append(
                    f"step {number}: the stated {key} is {theirs[key]!r:.60}, not {mine[key]!r}"
                )
    return found


def _equal(stated: Any, truth: Any) -> bool:
    if isinstance(truth, float) and type(stated) in (int, float):
        return bool(abs(stated - truth) < 1e-9)
    return bool(stated == truth)
