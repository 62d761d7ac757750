"""An answer to an earlier snapshot, held against what the cluster has become since."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from cpsched.pods.check import check
from cpsched.pods.simulate import Replay
from cpsched.pods.solution import Placement
from cpsched.pods.steps import Action
from cpsched.words import are, count, some

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from cpsched.pods.instance import Cluster

#: How often what breaks a rule is taken out of a hint before it is given up.
_ROUNDS = 100


@dataclass(frozen=True, slots=True)
class StatedStep:
    """A step as a result file states it: names, which the cluster may no longer have.

    owner: controller of the pod, empty if the file does not say.
    """

    action: Action
    pod: str
    node: str
    owner: str = ""

    @property
    def words(self) -> str:
        """The step in a sentence."""
        return f"{self.action} {self.pod}, node {self.node}"


def earlier(cluster: Cluster, stated: Mapping[str, Any]) -> Earlier | None:
    """The answer in *stated* as one to an earlier state of *cluster*; None if it is not one.

    It is one if it names other pods than the cluster has, or a node that is not there, or if its
    plan begins where pods do not run now. None also if it is no answer at all: whoever parses it
    says what is wrong.
    """
    solution = stated.get("solution", stated)
    placements = solution.get("placements") if isinstance(solution, dict) else None
    if type(placements) is not dict:  # also not one in which a key occurs twice
        return None
    if not all(node is None or isinstance(node, str) for node in placements.values()):
        return None
    steps = _steps(solution["plan"]) if "plan" in solution else None
    if steps is None and "plan" in solution:
        return None
    found = Earlier(cluster, placements, steps)
    return found if found.changes else None


def _steps(plan: Any) -> list[StatedStep] | None:
    """The steps of a stated plan; None if it is none."""
    if not isinstance(plan, list):
        return None
    steps = []
    for entry in plan:
        if not isinstance(entry, dict):
            return None
        action, pod, node = (entry.get(key) for key in ("action", "pod", "node"))
        owner = entry.get("owner") or ""
        if action not in list(Action) or not all(isinstance(x, str) for x in (pod, node, owner)):
            return None
        steps.append(StatedStep(Action(action), str(pod), str(node), str(owner)))
    return steps


class Earlier:
    """An earlier answer and the cluster as it is now.

    Parameters
    ----------
    cluster
        The cluster now.
    placements
        Node of each pod in the answer, None for none.
    steps
        The plan that leads there; None if the answer has none.

    Attributes
    ----------
    changes
        What differs between the two states, in sentences; empty if nothing does.
    """

    def __init__(
        self,
        cluster: Cluster,
        placements: Mapping[str, str | None],
        steps: Sequence[StatedStep] | None,
    ) -> None:
        self.cluster = cluster
        self.placements = placements
        self.plan = steps
        self._pods = {name: number for number, name in enumerate(cluster.pods)}
        self._nodes = {name: number for number, name in enumerate(cluster.nodes)}
        self.changes = tuple(self._changes())

    @property
    def total(self) -> int:
        """Number of steps in the plan."""
        return len(self.plan or ())

    def _changes(self) -> Iterator[str]:
        named = {*self.placements, *(step.pod for step in self.plan or ())}
        if new := [pod for pod in self.cluster.pods if pod not in named]:
            yield f"{count(len(new), 'pod')} came since: {some(new)}"
        if gone := [pod for pod in named if pod not in self._pods]:
            yield f"{count(len(gone), 'pod')} {are(gone)} gone: {some(sorted(gone))}"
        used = {node for node in self.placements.values() if node is not None}
        used.update(step.node for step in self.plan or ())
        if lost := sorted(used - self._nodes.keys()):
            yield f"{count(len(lost), 'node')} {are(lost)} gone: {some(lost)}"
        if self.plan is None:
            return  # a bare placement does not say where pods ran
        then = dict(self.placements)
        for step in reversed(self.plan):
            then[step.pod] = step.node if step.action is Action.EVICT else None
        now = (*self.cluster.nodes, None)  # -1 is the last
        elsewhere = [
            f"{pod} ({then[pod] or 'pending'}, now {now[node] or 'pending'})"
            for pod, node in zip(self.cluster.pods, self.cluster.node.tolist(), strict=True)
            if pod in then and then[pod] != now[node]
        ]
        if elsewhere:
            yield f"{count(len(elsewhere), 'pod')} {are(elsewhere)} elsewhere: " + some(elsewhere)

    def stale(self) -> list[str]:
        """One sentence for each step of the plan that can no longer be done, and why.

        The steps are replayed in order on the cluster as it is now; one that cannot be done is
        left out, and what follows is judged without it.
        """
        replay = self._replay(self.plan or ())
        found = []
        for number, step in enumerate(self.plan or (), start=1):
            if problem := self._attempt(replay, step):
                found.append(f"step {number} ({step.words}): {problem}")
        return found

    def _replay(self, steps: Sequence[StatedStep]) -> Replay:
        return Replay(
            self.cluster, {self._pods[step.pod] for step in steps if step.pod in self._pods}
        )

    def _attempt(self, replay: Replay, step: StatedStep) -> str:
        if step.pod not in self._pods:
            return f"the pod is gone{self._successors(step, replay)}"
        if step.node not in self._nodes:
            return "the node is gone"
        pod, node = self._pods[step.pod], self._nodes[step.node]
        at = int(replay.node[pod])
        if step.action is Action.EVICT and at != node:
            return f"the pod runs on {self.cluster.nodes[at]} now" if at >= 0 else "it is pending"
        return replay.attempt(step.action, pod, node)

    @cached_property
    def _new(self) -> dict[str, list[int]]:
        """For each owner its pods that the answer does not know, in order of arrival."""
        found: dict[str, list[int]] = {}
        for pod, owner in enumerate(self.cluster.owner.tolist()):
            if owner >= 0 and self.cluster.pods[pod] not in self.placements:
                found.setdefault(self.cluster.owners[owner], []).append(pod)
        return found

    def _successors(self, step: StatedStep, replay: Replay) -> str:
        names = (*self.cluster.nodes, "")
        new = [
            f"{self.cluster.pods[pod]} ({names[replay.node[pod]] or 'pending'})"
            for pod in self._new.get(step.owner, ())
        ]
        return f"; {step.owner} has since made {some(new)}" if new else ""

    def salvage(self) -> tuple[Placement, list[str]]:
        """What still applies, as a placement that keeps every rule now; what was dropped and why.

        Pods that the plan does not name stay where they are now. A pod that its controller made
        in place of one that is gone takes the planned node of that one.
        """
        steps, dropped = self._renamed(self._plan_or_moves())
        for _ in range(_ROUNDS):
            replay = self._replay(steps)
            wrong: dict[str, str] = {}
            for step in steps:
                if step.pod not in wrong and (problem := self._attempt(replay, step)):
                    wrong[step.pod] = problem
                    dropped.append(f"{step.words}: {problem}")
            if wrong:  # whoever leaves must come: all steps of such a pod go
                steps = [step for step in steps if step.pod not in wrong]
                continue
            report = check(self.cluster, Placement(replay.node))
            if report.ok:
                return Placement(replay.node), dropped
            running = {step.pod for step in steps if step.action is Action.EVICT}
            dropped.append(f"{count(len(running), 'move')}: {report.violations[0]}")
            steps = [step for step in steps if step.pod not in running] if running else []
        dropped.append("all else: what still applies was not found")
        return Placement.now(self.cluster), dropped

    def _plan_or_moves(self) -> list[StatedStep]:
        """The stated plan, or what a bare placement asks for: first everything leaves."""
        if self.plan is not None:
            return list(self.plan)
        names = (*self.cluster.nodes, None)
        evictions, bindings = [], []
        for pod, node in self.placements.items():
            now = names[self.cluster.node[self._pods[pod]]] if pod in self._pods else None
            if now is not None and now != node:
                evictions.append(StatedStep(Action.EVICT, pod, now))
            if node is not None and now != node:
                bindings.append(StatedStep(Action.BIND, pod, node))
        return [*evictions, *bindings]

    def _renamed(self, plan: Sequence[StatedStep]) -> tuple[list[StatedStep], list[str]]:
        """*plan* with pods that were made since in place of those that are gone."""
        steps, dropped = [], []
        taken: set[int] = set()
        for step in plan:
            if step.pod in self._pods:
                steps.append(step)
            elif step.action is Action.BIND:
                heirs = [
                    pod
                    for pod in self._new.get(step.owner, ())
                    if pod not in taken and not self.cluster.running[pod]
                ]
                if heirs:
                    taken.add(heirs[0])
                    name = self.cluster.pods[heirs[0]]
                    steps.append(StatedStep(step.action, name, step.node, step.owner))
                    dropped.append(f"{step.words}: the pod is gone; {name} takes its place")
                else:
                    dropped.append(f"{step.words}: the pod is gone")
        return steps, dropped
