"""The rules of pod packing, stated against the instance alone, without any solver.

What stays is let be: rules are asked of *arrivals*, pods placed on a node where they do not run
now. After the final state, the way there is judged: a plan that executes it must exist.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from cpsched.pods.objective import objective
from cpsched.pods.plan import NoPlanError, PlanError, make_plan, simulate
from cpsched.result import CheckReport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cpsched.pods.instance import Affinity, BoolArray, Cluster, Conflict, IntArray, Spread
    from cpsched.pods.solution import Placement

#: Sentences per broken rule; the rest is counted.
MAX_VIOLATIONS_PER_RULE = 20


def check(cluster: Cluster, placement: Placement) -> CheckReport:
    """Check every rule of pod packing and recompute the objective.

    The rules: one entry for each pod, a node or -1; held pods stay, or stay pending; arrivals
    come to nodes their profile allows; a node with an arrival that requests a resource is not
    beyond its allocatable amount of it; no arrival shares a domain with a pod it conflicts with;
    arriving holders of an affinity may have found a target; a domain to which a holder of a
    spread comes may have been within the skew then; no disruption budget is exceeded; no running
    pod makes way for one of ``preemptionPolicy: Never``; and there is a plan: an order of
    evictions and bindings, each pod evicted and bound once at most, that never breaks a rule on
    the way and ends in *placement*.
    """
    node = placement.node
    if node.shape != (cluster.num_pods,):
        sentence = f"the placement has shape {node.shape}, not {(cluster.num_pods,)}"
        return CheckReport(None, (f"{sentence}: one entry per pod",))
    outside = np.flatnonzero((node < -1) | (node >= cluster.num_nodes))
    found = tuple(
        _report(
            outside,
            lambda pod: (
                f"pod {cluster.pods[pod]} is on node number {node[pod]}, "
                f"not in -1..{cluster.num_nodes - 1}"
            ),
        )
    )
    if not found:
        found = tuple(_Rules(cluster, node).violations())
    if not found:
        found = tuple(_way_there(cluster, placement))
    return CheckReport(None if found else objective(cluster, node), found)


def _way_there(cluster: Cluster, placement: Placement) -> Iterator[str]:
    try:
        end = simulate(cluster, make_plan(cluster, placement))
    except NoPlanError as error:
        yield f"no executable plan: {error}"
    except PlanError as error:
        yield f"the plan breaks a rule on the way: {error}"
    else:
        yield from _report(
            np.flatnonzero(end != placement.node),
            lambda pod: f"the plan leaves pod {cluster.pods[pod]} elsewhere",
        )


class _Rules:
    """The rules over one final state; node: shape (num_pods,), valid indices or -1."""

    def __init__(self, cluster: Cluster, node: IntArray) -> None:
        self.cluster = cluster
        self.node = node
        self.placed: BoolArray = node >= 0
        self.arrived: BoolArray = self.placed & (node != cluster.node)
        self.moved: BoolArray = self.arrived & cluster.running
        # Pending pods of policy Never that get a place.
        self.meek: BoolArray = self.arrived & ~cluster.running & ~cluster.preempts

    def violations(self) -> Iterator[str]:
        """One sentence per violation, rule by rule."""
        cluster = self.cluster
        yield from self._held()
        yield from self._allowed()
        yield from self._capacity()
        yield from _limited(s for rule in cluster.conflicts for s in self._conflict(rule))
        yield from _limited(s for rule in cluster.affinities for s in self._affinity(rule))
        yield from _limited(s for rule in cluster.spreads for s in self._spread(rule))
        yield from self._budgets()
        if self.meek.any():
            yield from self._never()

    def _held(self) -> Iterator[str]:
        def say(pod: int) -> str:
            verb = "leave its node" if self.cluster.running[pod] else "be placed"
            return f"pod {self.cluster.pods[pod]} may not {verb}: {self.cluster.held[pod]}"

        return _report(
            np.flatnonzero(self.cluster.is_held & (self.node != self.cluster.node)), say
        )

    def _allowed(self) -> Iterator[str]:
        pods = np.flatnonzero(self.arrived)
        allowed = self.cluster.allowed[self.cluster.profile[pods], self.node[pods]]
        return _report(pods[~allowed], lambda pod: f"{self._at(pod)}, which is not allowed for it")

    def _capacity(self) -> Iterator[str]:
        cluster = self.cluster
        asked = np.zeros(cluster.allocatable.shape, dtype=np.bool_)
        pods = np.flatnonzero(self.arrived)
        np.logical_or.at(asked, self.node[pods], cluster.request[pods] > 0)
        total = cluster.usage_of(self.node)
        where, what = np.nonzero(asked & (total > cluster.allocatable))

        def say(index: int) -> str:
            n, r = where[index], what[index]
            return (
                f"node {cluster.nodes[n]} would run {total[n, r]} of {cluster.resources[r]}, "
                f"it has {cluster.allocatable[n, r]}"
            )

        return _report(np.arange(len(where)), say)

    def _conflict(self, rule: Conflict) -> Iterator[str]:
        wrong: list[IntArray] = []
        for mine, theirs in ((rule.holders, rule.targets), (rule.targets, rule.holders)):
            pods = self._known(mine[self.arrived[mine]], rule.domain)
            if not len(pods):
                continue
            others = self._known(theirs[self.placed[theirs]], rule.domain)
            count = np.bincount(rule.domain[self.node[others]], minlength=self.cluster.num_nodes)
            wrong.append(pods[count[rule.domain[self.node[pods]]] - np.isin(pods, theirs) > 0])
        if wrong:
            yield from _report(
                np.unique(np.concatenate(wrong)),
                lambda pod: f"{self._at(pod)}, where a pod is that {rule.name} keeps it from",
            )

    def _affinity(self, rule: Affinity) -> Iterator[str]:
        """In each topology a target stays, comes by itself, runs there at first, or starts.

        A pod comes once. What ran in its domain when the plan began may have left since; only a
        holder that is a target itself starts a group, while no target has any of the labels.
        """
        pods = rule.holders[self.arrived[rule.holders]]
        if not len(pods):
            return
        came = rule.targets[self.arrived[rule.targets]]
        came = self.node[came[~np.isin(came, rule.holders)]]
        ran = rule.targets[self.cluster.running[rule.targets]]
        stay = self.node[ran[~self.arrived[ran] & self.placed[ran]]]
        starts = not (rule.domains[:, stay] >= 0).any()
        anchors = np.concatenate((came, self.cluster.node[ran]))
        lonely = np.zeros(len(pods), dtype=np.bool_)
        for domain in rule.domains:
            at = domain[self.node[pods]]
            alone = (at >= 0) & ~np.isin(at, domain[anchors])
            together = len(np.unique(at[alone])) == 1 and np.isin(pods[alone], rule.targets).any()
            lonely |= at < 0
            if not (starts and together):
                lonely |= alone
        yield from _report(
            pods[lonely],
            lambda pod: f"{self._at(pod)}, where {rule.name} finds no pod for it to join",
        )

    def _spread(self, rule: Spread) -> Iterator[str]:
        """Within the skew when its last holder came: others may have come to there since.

        Elsewhere may have been then all that ran there at first and all that came.
        """
        pods = rule.holders[self.arrived[rule.holders]]
        if not len(pods):
            return
        domains = np.unique(rule.domain[rule.domain >= 0])
        size = self.cluster.num_nodes

        def domain_of(node: IntArray) -> IntArray:
            return np.where(node >= 0, rule.domain[node], -1).astype(np.int32)

        first, last = (
            domain_of(self.cluster.node[rule.counted]),
            domain_of(self.node[rule.counted]),
        )
        there = (last >= 0) & (~self.arrived[rule.counted] | np.isin(rule.counted, rule.holders))
        count = np.bincount(last[there], minlength=size)
        ever = np.bincount(last[last >= 0], minlength=size)
        ever += np.bincount(first[(first >= 0) & (first != last)], minlength=size)
        enough = len(domains) and len(domains) >= rule.min_domains
        least = int(ever[domains].min()) if enough else 0
        at = rule.domain[self.node[pods]]
        yield from _report(
            pods[at < 0],
            lambda pod: f"{self._at(pod)}, which is outside every domain of {rule.name}",
        )
        yield from _report(
            pods[(at >= 0) & (count[at] - least > rule.max_skew)],
            lambda pod: (
                f"{self._at(pod)}, where {rule.name} counts {count[rule.domain[self.node[pod]]]} "
                f"against {least} elsewhere: more than {rule.max_skew} apart"
            ),
        )

    def _budgets(self) -> Iterator[str]:
        budgets = self.cluster.budgets
        disrupted = self.cluster.running & (self.node != self.cluster.node)
        used = [int(disrupted[budget.pods].sum()) for budget in budgets]
        over = [k for k, budget in enumerate(budgets) if used[k] > budget.allowed]
        return _report(
            np.array(over, dtype=np.intp),
            lambda k: (
                f"budget {budgets[k].name} allows {budgets[k].allowed} disruptions, not {used[k]}"
            ),
        )

    def _never(self) -> Iterator[str]:
        """A running pod leaves for the sake of Never pods only if it has to leave anyway.

        It has to if what else is on its node in the end leaves no room for it, or a pod comes
        that it conflicts with. Never pods take room that is free now before less important pods.
        """
        cluster = self.cluster
        gone = cluster.running & (self.node != cluster.node)
        if cluster.policy.never_moves:
            gone &= ~self.placed
        others = cluster.usage_of(np.where(self.meek, -1, self.node).astype(np.int32))
        room = cluster.allocatable - others
        now = cluster.allocatable - cluster.usage
        left = np.flatnonzero(gone)
        need = cluster.request[left]
        short = (need > 0) & (need > room[cluster.node[left]])
        forced: BoolArray = np.asarray(short.any(axis=1))
        bold = self.arrived & ~self.meek
        for rule in cluster.conflicts:
            for mine, theirs in rule.sides:
                comes = theirs[bold[theirs]]
                at = rule.domain[self.node[comes]]
                for k in np.flatnonzero(np.isin(left, mine)).tolist():
                    where = rule.domain[cluster.node[left[k]]]
                    forced[k] |= where >= 0 and ((at == where) & (comes != left[k])).any()
        spared = left[~forced]
        wrong: dict[int, int] = {}
        for pod in np.flatnonzero(self.meek).tolist():
            node = int(self.node[pod])
            there = (
                self.arrived & (self.node == node) & (cluster.priority >= cluster.priority[pod])
            )
            asks = cluster.request[pod] > 0
            if (cluster.request[there].sum(axis=0) > now[node])[asks].any():
                displaced = spared[cluster.node[spared] == node]
                displaced = displaced[(cluster.request[displaced][:, asks] > 0).any(axis=1)]
                wrong.update((int(one), pod) for one in displaced[:1])
        rules: tuple[Conflict | Spread, ...] = (*cluster.conflicts, *cluster.spreads)
        for tie in rules:
            for mine, theirs in tie.sides:
                for pod in self._known(mine[self.meek[mine]], tie.domain).tolist():
                    displaced = np.intersect1d(spared, theirs)
                    met = tie.domain[cluster.node[displaced]] == tie.domain[self.node[pod]]
                    wrong.update((int(one), pod) for one in displaced[met][:1])
        yield from _report(
            np.array(sorted(wrong), dtype=np.intp),
            lambda pod: (
                f"pod {cluster.pods[pod]} leaves node {cluster.nodes[cluster.node[pod]]} for "
                f"{cluster.pods[wrong[pod]]}, which may displace none: preemptionPolicy is Never"
            ),
        )

    def _known(self, pods: IntArray, domain: IntArray) -> IntArray:
        """Those of the placed *pods* whose node is in a domain."""
        return pods[domain[self.node[pods]] >= 0]

    def _at(self, pod: int) -> str:
        return f"pod {self.cluster.pods[pod]} comes to node {self.cluster.nodes[self.node[pod]]}"


def _report(where: npt.NDArray[np.integer], say: Callable[[int], str]) -> Iterator[str]:
    shown = where[:MAX_VIOLATIONS_PER_RULE].tolist()
    for index in shown[:-1]:
        yield say(index)
    if shown:
        hidden = len(where) - len(shown)
        yield say(shown[-1]) + (f", and {hidden} more like it" if hidden else "")


def _limited(sentences: Iterator[str]) -> Iterator[str]:
    """As many sentences as for one rule, where there are many rules of a kind."""
    found = list(sentences)
    yield from found[:MAX_VIOLATIONS_PER_RULE]
    if len(found) > MAX_VIOLATIONS_PER_RULE:
        yield f"and {len(found) - MAX_VIOLATIONS_PER_RULE} more sentences of that kind"
