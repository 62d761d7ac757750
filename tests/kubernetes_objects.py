"""API objects for tests, as kubectl prints them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from cpsched.instances.kubernetes import parse_snapshot

if TYPE_CHECKING:
    from cpsched.pods.instance import Cluster

Json = dict[str, Any]


def node(name: str = "n1", *, spec: Json | None = None, **labels: str) -> Json:
    """Node of 4 cores, 8 GiB and 10 pods; underscores in label keys stand for slashes."""
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {k.replace("_", "/"): v for k, v in labels.items()}},
        "spec": spec or {},
        "status": {
            "allocatable": {"cpu": "4", "memory": "8Gi", "pods": "10", "nvidia.com/gpu": "2"},
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    }


def pod(
    name: str = "p1",
    *,
    on: str = "",
    requests: Json | None = None,
    namespace: str = "default",
    meta: Json | None = None,
    labels: dict[str, str] | None = None,
    status: Json | None = None,
    **spec: Any,
) -> Json:
    """Pod of the ReplicaSet web, pending or running *on* a node."""
    own: Json = {
        "name": name,
        "namespace": namespace,
        "labels": labels or {},
        "ownerReferences": [{"kind": "ReplicaSet", "name": "web", "uid": "u", "controller": True}],
        **(meta or {}),
    }
    body: Json = {
        "containers": [{"name": "main", "resources": {"requests": requests or {}}}],
        "priority": 0,
        **({"nodeName": on} if on else {}),
        **spec,
    }
    ready = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": own,
        "spec": body,
        "status": status or (ready if on else {"phase": "Pending"}),
    }


def budget(name: str = "b1", *, selector: Json | None = None, **status: int) -> Json:
    """PodDisruptionBudget that selects all of its namespace by default."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"selector": {} if selector is None else selector},
        "status": status,
    }


def encode(*items: Json) -> bytes:
    """A List of *items*."""
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items}).encode()


def read(*items: Json) -> Cluster:
    """Cluster of *items*."""
    return parse_snapshot([("cluster.json", encode(*items))], "test")
