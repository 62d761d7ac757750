"""Pairs and pods of the model by topology domain."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cpsched.pods.instance import IntArray
    from cpsched.pods.variables import Variables


def by_domain(v: Variables, domain: IntArray, pods: IntArray) -> dict[int, list[int]]:
    """Pairs of *pods* by domain, without those in none."""
    found = split(domain, v, (pair for pod in pods.tolist() for pair in v.of_pod[pod]))
    found.pop(-1, None)
    return found


def split(domain: IntArray, v: Variables, pairs: Iterable[int]) -> dict[int, list[int]]:
    """*pairs* by domain."""
    found: dict[int, list[int]] = {}
    for pair in pairs:
        found.setdefault(int(domain[v.node[pair]]), []).append(pair)
    return found


def held_in(v: Variables, domain: IntArray) -> dict[int, set[int]]:
    """Running pods that may not be moved, by domain."""
    found: dict[int, set[int]] = {}
    for pod in np.flatnonzero(v.cluster.is_held & v.cluster.running).tolist():
        found.setdefault(int(domain[v.cluster.node[pod]]), set()).add(pod)
    return found
