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
import numpy.typing as npt

from cpsched.errors import InputError
from cpsched.instances.formats.native import check_keys, describe, integer, load
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
MAX_NAME = 1024
#: Objects in a text: one for each rule, and a few.
_MAX_OBJECTS = 1_000_000
_FAMILY = re.compile(r'"family"\s*:\s*"pods"')

_BUDGET = ("name", "pods", "allowed")
_CONFLICT = ("name", "domain", "holders", "targets")
_AFFINITY = ("name", "domains", "holders", "targets")
_SPREAD = ("name", "domain", "holders", "counted", "max_skew", "min_domains")
_INT64 = 2**63 - 1
_INT32 = 2**31 - 1


def is_native(text: str) -> bool:
    """Whether a JSON text says that it is a cluster."""
    return _FAMILY.search(text, 0, 4096) is not None


def parse(text: str) -> Cluster:
    """Cluster of *text*; InputError with the JSON path of what is wrong."""
    root = check_keys(load(text, _MAX_OBJECTS), KEYS, "$", "an instance")
    version = root["schema_version"]
    if type(version) is not int or version != SCHEMA_VERSION:
        raise InputError(
            f"the version must be {SCHEMA_VERSION}, not {describe(version)}",
            path="$.schema_version",
        )
    if root["family"] != Cluster.family:
        raise InputError(
            f'the family must be "{Cluster.family}", not {describe(root["family"])}',
            path="$.family",
        )
    names = {
        key: _names(root[key], f"$.{key}") for key in ("resources", "nodes", "pods", "owners")
    }
    pods, nodes, resources = (len(names[key]) for key in ("pods", "nodes", "resources"))
    allowed = _allowed(root["allowed"], nodes)
    held, preempts = _held(root["held"], names["pods"]), np.ones(pods, dtype=np.bool_)
    preempts[_numbers(root["never"], "$.never", 0, pods - 1)] = False
    return Cluster(
        name=_text(root["name"], "$.name"),
        resources=names["resources"],
        nodes=names["nodes"],
        allocatable=_table(root["allocatable"], nodes, resources, "$.allocatable"),
        pods=names["pods"],
        request=_table(root["request"], pods, resources, "$.request"),
        priority=_each(root["priority"], pods, "$.priority", -_INT64, _INT64),
        node=_each(root["node"], pods, "$.node", -1, nodes - 1).astype(np.int32),
        owners=names["owners"],
        owner=_each(root["owner"], pods, "$.owner", -1, len(names["owners"]) - 1).astype(np.int32),
        allowed=allowed,
        profile=_each(root["profile"], pods, "$.profile", 0, len(allowed) - 1).astype(np.int32),
        held=held,
        preempts=preempts,
        grace=_each(root["grace"], pods, "$.grace", 0, _INT64),
        budgets=_rules(root, "budgets", _BUDGET, Budget, pods, nodes),
        conflicts=_rules(root, "conflicts", _CONFLICT, Conflict, pods, nodes),
        affinities=_rules(root, "affinities", _AFFINITY, Affinity, pods, nodes),
        spreads=_rules(root, "spreads", _SPREAD, Spread, pods, nodes),
        policy=_policy(root["policy"]),
    )


def _list(value: Any, path: str) -> list[Any]:
    if not isinstance(value, list):
        raise InputError(f"expected a list, not {describe(value)}", path=path)
    return value


def _text(value: Any, path: str) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= MAX_NAME or not value.isprintable():
        raise InputError(
            f"a name must be printable text of 1..{MAX_NAME} characters, not {describe(value)}",
            path=path,
        )
    return value


def _names(value: Any, path: str) -> tuple[str, ...]:
    found = tuple(_text(entry, f"{path}[{k}]") for k, entry in enumerate(_list(value, path)))
    if len(set(found)) < len(found):
        seen: set[str] = set()
        for k, name in enumerate(found):
            if name in seen:
                raise InputError(f"the name {name[:60]!a} occurs twice", path=f"{path}[{k}]")
            seen.add(name)
    return found


def _numbers(value: Any, path: str, low: int, high: int) -> npt.NDArray[np.int64]:
    entries = _list(value, path)
    # The set of types first: a list of plain integers is checked at the speed of C.
    if not set(map(type, entries)) <= {int} or (
        entries and (min(entries) < low or max(entries) > high)
    ):
        for k, entry in enumerate(entries):
            integer(entry, low, high, f"{path}[{k}]", "the value")
    return np.array(entries, dtype=np.int64)


def _each(value: Any, size: int, path: str, low: int, high: int) -> npt.NDArray[np.int64]:
    found = _numbers(value, path, low, high)
    if len(found) != size:
        raise InputError(f"{size} numbers are needed, not {len(found)}", path=path)
    return found


def _table(value: Any, rows: int, columns: int, path: str) -> npt.NDArray[np.int64]:
    entries = _list(value, path)
    if len(entries) != rows:
        raise InputError(f"{rows} lists are needed, not {len(entries)}", path=path)
    table = [_each(row, columns, f"{path}[{k}]", 0, _INT64) for k, row in enumerate(entries)]
    return np.array(table, dtype=np.int64).reshape(rows, columns)


def _allowed(value: Any, nodes: int) -> npt.NDArray[np.bool_]:
    rows = []
    for k, entry in enumerate(_list(value, "$.allowed")):
        if not isinstance(entry, str) or len(entry) != nodes or set(entry) - {"0", "1"}:
            raise InputError(
                f"expected a text of {nodes} characters 0 or 1, not {describe(entry)}",
                path=f"$.allowed[{k}]",
            )
        rows.append(np.frombuffer(entry.encode(), dtype=np.uint8) == ord("1"))
    return np.array(rows, dtype=np.bool_).reshape(len(rows), nodes)


def _held(value: Any, pods: tuple[str, ...]) -> tuple[str, ...]:
    if not isinstance(value, dict):
        raise InputError(f"expected an object, not {describe(value)}", path="$.held")
    check_keys(value, tuple(value), "$.held", "the reasons")
    known = set(pods)
    for name, reason in value.items():
        if name not in known:
            raise InputError(f"no pod is called {name[:60]!a}", path="$.held")
        if not isinstance(reason, str) or not reason:
            raise InputError(
                f"the reason of {name[:60]!a} must be text, not {describe(reason)}", path="$.held"
            )
    return tuple(value.get(name, "") for name in pods)


def _rules(
    root: dict[str, Any],
    key: str,
    keys: tuple[str, ...],
    kind: Callable[..., Any],
    pods: int,
    nodes: int,
) -> tuple[Any, ...]:
    found = []
    for number, entry in enumerate(_list(root[key], f"$.{key}")):
        path = f"$.{key}[{number}]"
        check_keys(entry, keys, path, "a rule")
        values: dict[str, Any] = {}
        for name in keys:
            at = f"{path}.{name}"
            if name == "name":
                values[name] = _text(entry[name], at)
            elif name in ("allowed", "max_skew", "min_domains"):
                values[name] = integer(entry[name], 0, _INT32, at, "the value")
            elif name == "domain":
                values[name] = _each(entry[name], nodes, at, -1, nodes - 1)
            elif name == "domains":
                values[name] = np.array(
                    [
                        _each(row, nodes, f"{at}[{k}]", -1, nodes - 1)
                        for k, row in enumerate(_list(entry[name], at))
                    ],
                    dtype=np.int64,
                ).reshape(-1, nodes)
            else:
                values[name] = _numbers(entry[name], at, 0, pods - 1)
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
