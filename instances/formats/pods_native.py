"""The native JSON format of a cluster: one object on one line, every field, exact both ways.

The keys are the fields of ``cpsched.pods.instance.Cluster``, arrays as (nested) lists of integers,
-1 for none. Three are shortened: ``allowed`` has one text of ``0`` and ``1`` per profile, one
character per node; ``held`` is an object ``{pod: reason}`` of the held pods; ``never`` lists the
indices of the pods with ``preemptionPolicy: Never``. A file of several lines holds a cluster on
each.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from cpsched.errors import InputError
from cpsched.instances.formats.entries import (
    INT32,
    INT64,
    bits,
    check_header,
    each,
    label,
    labels,
    listed,
    numbers,
    reasons,
    table,
)
from cpsched.instances.formats.native import check_keys, integer, load
from cpsched.pods.instance import Affinity, Budget, Cluster, Conflict, Policy, Spread

if TYPE_CHECKING:
    from collections.abc import Callable

SCHEMA_VERSION = 1
KEYS = (
    "schema_version",
    "family",
    "name",
    "resources",
    "nodes",
    "allocatable",
    "pods",
    "request",
    "priority",
    "node",
    "owners",
    "owner",
    "allowed",
    "profile",
    "held",
    "never",
    "grace",
    "budgets",
    "conflicts",
    "affinities",
    "spreads",
    "policy",
)
#: Objects in a text: one for each rule, and a few.
_MAX_OBJECTS = 1_000_000
_FAMILY = re.compile(r'"family"\s*:\s*"pods"')

_BUDGET = ("name", "pods", "allowed")
_CONFLICT = ("name", "domain", "holders", "targets")
_AFFINITY = ("name", "domains", "holders", "targets")
_SPREAD = ("name", "domain", "holders", "counted", "max_skew", "min_domains")


def is_native(text: str) -> bool:
    """Whether a JSON text says that it is a cluster."""
    return _FAMILY.search(text, 0, 4096) is not None


def parse(text: str) -> Cluster:
    """Cluster of *text*; InputError with the JSON path of what is wrong."""
    root = check_keys(load(text, _MAX_OBJECTS), KEYS, "$", "an instance")
    check_header(root, SCHEMA_VERSION, Cluster.family)
    names = {
        key: labels(root[key], f"$.{key}") for key in ("resources", "nodes", "pods", "owners")
    }
    pods, nodes, resources = (len(names[key]) for key in ("pods", "nodes", "resources"))
    allowed = bits(root["allowed"], nodes, "$.allowed")
    held = reasons(root["held"], names["pods"], "pod", "$.held")
    preempts = np.ones(pods, dtype=np.bool_)
    preempts[numbers(root["never"], "$.never", 0, pods - 1)] = False
    return Cluster(
        name=label(root["name"], "$.name"),
        resources=names["resources"],
        nodes=names["nodes"],
        allocatable=table(root["allocatable"], nodes, resources, "$.allocatable"),
        pods=names["pods"],
        request=table(root["request"], pods, resources, "$.request"),
        priority=each(root["priority"], pods, "$.priority", -INT64, INT64),
        node=each(root["node"], pods, "$.node", -1, nodes - 1).astype(np.int32),
        owners=names["owners"],
        owner=each(root["owner"], pods, "$.owner", -1, len(names["owners"]) - 1).astype(np.int32),
        allowed=allowed,
        profile=each(root["profile"], pods, "$.profile", 0, len(allowed) - 1).astype(np.int32),
        held=held,
        preempts=preempts,
        grace=each(root["grace"], pods, "$.grace", 0, INT64),
        budgets=_rules(root, "budgets", _BUDGET, Budget, pods, nodes),
        conflicts=_rules(root, "conflicts", _CONFLICT, Conflict, pods, nodes),
        affinities=_rules(root, "affinities", _AFFINITY, Affinity, pods, nodes),
        spreads=_rules(root, "spreads", _SPREAD, Spread, pods, nodes),
        policy=_policy(root["policy"]),
    )


def _rules(
    root: dict[str, Any],
    key: str,
    keys: tuple[str, ...],
    kind: Callable[..., Any],
    pods: int,
    nodes: int,
) -> tuple[Any, ...]:
    found = []
    for number, entry in enumerate(listed(root[key], f"$.{key}")):
        path = f"$.{key}[{number}]"
        check_keys(entry, keys, path, "a rule")
        values: dict[str, Any] = {}
        for name in keys:
            at = f"{path}.{name}"
            if name == "name":
                values[name] = label(entry[name], at)
            elif name in ("allowed", "max_skew", "min_domains"):
                values[name] = integer(entry[name], 0, INT32, at, "the value")
            elif name == "domain":
                values[name] = each(entry[name], nodes, at, -1, nodes - 1)
            elif name == "domains":
                values[name] = np.array(
                    [
                        each(row, nodes, f"{at}[{k}]", -1, nodes - 1)
                        for k, row in enumerate(listed(entry[name], at))
                    ],
                    dtype=np.int64,
                ).reshape(-1, nodes)
            else:
                values[name] = numbers(entry[name], at, 0, pods - 1)
        try:
            found.append(kind(**values))
        except InputError as error:
            raise InputError(error.reason, path=path) from None
    return tuple(found)


def _policy(value: Any) -> Policy:
    keys = tuple(entry.name for entry in fields(Policy))
    check_keys(value, keys, "$.policy", "a policy")
    try:
        return Policy(**value)
    except InputError as error:
        raise InputError(error.reason, path="$.policy") from None


def dumps(cluster: Cluster) -> str:
    """JSON text of *cluster* on one line."""
    root = {
        "schema_version": SCHEMA_VERSION,
        "family": Cluster.family,
        "name": cluster.name,
        "resources": cluster.resources,
        "nodes": cluster.nodes,
        "allocatable": cluster.allocatable.tolist(),
        "pods": cluster.pods,
        "request": cluster.request.tolist(),
        "priority": cluster.priority.tolist(),
        "node": cluster.node.tolist(),
        "owners": cluster.owners,
        "owner": cluster.owner.tolist(),
        "allowed": ["".join("01"[flag] for flag in row) for row in cluster.allowed.tolist()],
        "profile": cluster.profile.tolist(),
        "held": {
            pod: reason for pod, reason in zip(cluster.pods, cluster.held, strict=True) if reason
        },
        "never": np.flatnonzero(~cluster.preempts).tolist(),
        "grace": cluster.grace.tolist(),
        "budgets": [_plain(rule, _BUDGET) for rule in cluster.budgets],
        "conflicts": [_plain(rule, _CONFLICT) for rule in cluster.conflicts],
        "affinities": [_plain(rule, _AFFINITY) for rule in cluster.affinities],
        "spreads": [_plain(rule, _SPREAD) for rule in cluster.spreads],
        "policy": asdict(cluster.policy),
    }
    return json.dumps(root, separators=(",", ":")) + "\n"


def _plain(rule: Any, keys: tuple[str, ...]) -> dict[str, Any]:
    values = {key: getattr(rule, key) for key in keys}
    return {
        key: value.tolist() if isinstance(value, np.ndarray) else value
        for key, value in values.items()
    }
