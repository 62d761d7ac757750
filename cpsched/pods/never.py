"""Constraints of pods of ``preemptionPolicy: Never``: nothing makes way for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from ortools.sat.python import cp_model

from cpsched.pods.domains import by_domain

if TYPE_CHECKING:
    from cpsched.pods.instance import BoolArray, Conflict, IntArray, Spread
    from cpsched.pods.variables import Variables


def never(v: Variables) -> None:
    """Running pods leave for the sake of Never pods only if they have to leave anyway."""
    cluster = v.cluster
    meek = ~cluster.running & ~cluster.preempts
    if meek[v.pod].any():
        _Meek(v, meek).add()


class _Meek:
    """Pods of ``preemptionPolicy: Never`` that may come; see ``check``."""

    def __init__(self, v: Variables, meek: BoolArray) -> None:
        self.v, self.meek = v, meek
        self.now = v.cluster.allocatable - v.cluster.usage
        self.fixed = np.where(v.cluster.is_held, v.cluster.node, -1).astype(np.int32)
        self.room = v.cluster.allocatable - v.cluster.usage_of(self.fixed)
        self.excuses: dict[int, list[cp_model.IntVar] | None] = {}
        self.filled: dict[tuple[int, int, int], cp_model.IntVar | bool | None] = {}

    def add(self) -> None:
        """All constraints."""
        v, cluster = self.v, self.v.cluster
        for node, there in enumerate(v.at_node):
            kinds: dict[tuple[int, bytes], list[int]] = {}
            for pair in there:
                if self.meek[pod := v.pod[pair]]:
                    asks = (cluster.request[pod] > 0).tobytes()
                    kinds.setdefault((int(cluster.priority[pod]), asks), []).append(pair)
            for (priority, _), pairs in kinds.items():
                self._on_node(node, priority, pairs)
        rules: tuple[Conflict | Spread, ...] = (*cluster.conflicts, *cluster.spreads)
        for rule in rules:
            for mine, theirs in rule.sides:
                self._displacing(rule, mine, theirs)

    def _on_node(self, node: int, priority: int, pairs: list[int]) -> None:
        v, cluster = self.v, self.v.cluster
        asks = np.flatnonzero(cluster.request[v.pod[pairs[0]]])
        here = np.flatnonzero((cluster.node == node) & ~cluster.is_held)
        here = here[(cluster.request[here][:, asks] > 0).any(axis=1)]
        ahead = [p for p in v.at_node[node] if not v.stays[p]]
        ahead = [p for p in ahead if cluster.priority[v.pod[p]] >= priority]
        need = cluster.request[v.pod[ahead]][:, asks]
        room = self.now[node][asks]
        tight = np.flatnonzero(need.sum(axis=0) > room)
        if not len(here) or not len(tight):
            return
        free: cp_model.IntVar | None = None
        if (room >= 0).all():
            index = np.array(ahead, np.intp)
            free = v.boolean(lambda values: int((values[index] @ need <= room).all()))
            for k in tight.tolist():
                most, amounts = int(need[:, k].sum()), need[:, k].tolist()
                spare = most - int(room[k])
                v.model.add(v.total(ahead, amounts) + spare * free <= most)
        self._spares(pairs, here.tolist(), [] if free is None else [free])

    def _displacing(self, rule: Conflict | Spread, mine: IntArray, theirs: IntArray) -> None:
        cluster = self.v.cluster
        at = by_domain(self.v, rule.domain, mine[self.meek[mine]])
        runs = theirs[cluster.running[theirs] & ~cluster.is_held[theirs]]
        for domain, pairs in at.items():
            here = runs[rule.domain[cluster.node[runs]] == domain]
            self._spares(pairs, here.tolist(), [])

    def _spares(self, pairs: list[int], pods: list[int], unless: list[cp_model.IntVar]) -> None:
        """If one of *pairs* comes, each of *pods* stays or has to leave anyway."""
        v = self.v
        comes = v.any(pairs)
        for pod in pods if comes is not None else []:
            excuses = self._excuses(pod)
            if comes is None or excuses is None:
                continue
            moves = v.any(v.arrivals(pod)) if v.cluster.policy.never_moves else None
            others = [] if moves is None else [moves]
            v.model.add_bool_or([~comes, *v.literals(v.stay(pod)), *unless, *others, *excuses])

    def _excuses(self, pod: int) -> list[cp_model.IntVar] | None:
        """What makes *pod* leave its node beside Never pods; None if that is certain."""
        if pod not in self.excuses:
            self.excuses[pod] = self._reasons(pod)
        return self.excuses[pod]

    def _reasons(self, pod: int) -> list[cp_model.IntVar] | None:
        v, cluster = self.v, self.v.cluster
        node = int(cluster.node[pod])
        found: list[cp_model.IntVar] = []
        for resource in np.flatnonzero(cluster.request[pod]).tolist():
            full = self._full(node, resource, int(cluster.request[pod, resource]))
            if full is True:
                return None
            if isinstance(full, cp_model.IntVar):
                found.append(full)
        for rule in cluster.conflicts:
            where = int(rule.domain[node])
            for mine, theirs in rule.sides if where >= 0 else ():
                if pod in mine:
                    bold = [
                        pair
                        for other in theirs.tolist()
                        if other != pod and not self.meek[other]
                        for pair in v.arrivals(other)
                        if rule.domain[v.node[pair]] == where
                    ]
                    comes = v.any(bold)
                    found += [] if comes is None else [comes]
        return found

    def _full(self, node: int, resource: int, need: int) -> cp_model.IntVar | bool | None:
        """Literal: what is there beside Never pods and *need* more are too much.

        None if they never are, True if they always are.
        """
        v, cluster = self.v, self.v.cluster
        key = node, resource, need
        if key not in self.filled:
            pairs = [p for p in v.at_node[node] if not self.meek[v.pod[p]]]
            pairs = [p for p in pairs if cluster.request[v.pod[p], resource]]
            amounts = cluster.request[v.pod[pairs], resource].tolist()
            least = int(self.room[node, resource]) - need + 1
            full: cp_model.IntVar | bool | None = None
            if least <= 0:
                full = True
            elif sum(amounts) >= least:
                index, weights = np.array(pairs, np.intp), np.array(amounts, np.int64)
                full = v.boolean(lambda values: int(values[index] @ weights >= least))
                v.model.add(v.total(pairs, amounts) - least * full >= 0)
            self.filled[key] = full
        return self.filled[key]
