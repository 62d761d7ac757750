"""A plan for an earlier snapshot, held against what the cluster has become since."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cpsched.vms.check import check
from cpsched.vms.objective import weighted_fr
from cpsched.vms.simulate import Occupancy, place
from cpsched.vms.solution import Migration, Migrations
from cpsched.words import are, count, some

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from cpsched.vms.instance import VmCluster


@dataclass(frozen=True, slots=True)
class StatedStep:
    """A migration as a result file states it: names, which the cluster may no longer have.

    source: PM and NUMA nodes, as counted on it, where the plan found the VM; None if the file
    does not say.
    """

    vm: str
    source: tuple[str, tuple[int, ...]] | None
    target: tuple[str, tuple[int, ...]]

    @property
    def words(self) -> str:
        """The step in a few words."""
        return f"VM {self.vm} to PM {self.target[0]} NUMA {_joined(self.target[1])}"


def earlier(cluster: VmCluster, stated: Mapping[str, Any]) -> Earlier | None:
    """The plan in *stated* as one for an earlier state of *cluster*; None if it is not one.

    It is one if a VM or a PM of it is not there, if a VM is elsewhere than where the plan found
    it, or if the fragment rate from which it began is not that of now. None also if it is no plan
    at all: whoever parses it says what is wrong.
    """
    solution = stated.get("solution", stated)
    entries = solution.get("migrations") if isinstance(solution, dict) else None
    steps = _steps(entries)
    if steps is None:
        return None
    before = solution.get("fr_before")
    rate = float(before) if type(before) in (int, float) else None
    found = Earlier(cluster, steps, rate)
    return found if found.changes else None


def _steps(entries: Any) -> list[StatedStep] | None:
    """The steps of stated migrations; None if they are none."""
    if not isinstance(entries, list):
        return None
    steps = []
    for entry in entries:
        if not isinstance(entry, dict) or not isinstance(entry.get("vm"), str):
            return None
        target = _at(entry.get("to_pm"), entry.get("to_numa"))
        source = _at(entry.get("from_pm"), entry.get("from_numa"))
        if target is None:
            return None
        steps.append(StatedStep(entry["vm"], source, target))
    return steps


def _at(pm: Any, numa: Any) -> tuple[str, tuple[int, ...]] | None:
    if not isinstance(pm, str) or not isinstance(numa, list) or len(numa) not in (1, 2):
        return None
    if not all(type(one) is int and one >= 0 for one in numa):
        return None
    return pm, tuple(numa)


class Earlier:
    """An earlier plan and the cluster as it is now.

    Parameters
    ----------
    cluster
        The cluster now.
    steps
        The plan.
    rate
        Fragment rate from which the plan began; None if it is not known.

    Attributes
    ----------
    changes
        What differs between the two states, in sentences; empty if nothing is known to.
    """

    def __init__(
        self, cluster: VmCluster, steps: Sequence[StatedStep], rate: float | None
    ) -> None:
        self.cluster = cluster
        self.steps = steps
        self._vms = {name: number for number, name in enumerate(cluster.vms)}
        self._pms = {name: number for number, name in enumerate(cluster.pms)}
        self.changes = tuple(self._changes(rate))

    @property
    def total(self) -> int:
        """Number of steps in the plan."""
        return len(self.steps)

    def _changes(self, rate: float | None) -> Iterator[str]:
        vms = dict.fromkeys(step.vm for step in self.steps)
        if gone := [vm for vm in vms if vm not in self._vms]:
            yield f"{count(len(gone), 'VM')} {are(gone)} gone: {some(gone)}"
        used = dict.fromkeys(step.target[0] for step in self.steps)
        if lost := [pm for pm in used if pm not in self._pms]:
            yield f"{count(len(lost), 'PM')} {are(lost)} gone: {some(lost)}"
        elsewhere, seen = [], set(gone)
        for step in self.steps:
            if step.vm not in seen and step.source is not None:
                now = self._where(self.cluster.numa[self._vms[step.vm]].tolist())
                if now != step.source:
                    elsewhere.append(f"{step.vm} ({_place(step.source)}, now {_place(now)})")
            seen.add(step.vm)
        if elsewhere:
            names = some(elsewhere)
            yield f"{count(len(elsewhere), 'VM')} {are(elsewhere)} elsewhere: {names}"
        now_rate = float(weighted_fr(self.cluster, self.cluster.numa))
        if rate is not None and abs(rate - now_rate) > 1e-6:
            yield f"the fragment rate before the plan was {rate:.4f} and is {now_rate:.4f}"

    def _where(self, numa: Sequence[int]) -> tuple[str, tuple[int, ...]]:
        pm = int(self.cluster.numa_pm[numa[0]])
        first = int(self.cluster.numa_ptr[pm])
        return self.cluster.pms[pm], tuple(one - first for one in numa if one >= 0)

    def stale(self) -> list[str]:
        """One sentence for each step that can no longer be done, and why.

        The steps are replayed in order on the cluster as it is now; one that cannot be done is
        left out, and what follows is judged without it.
        """
        return [
            f"step {number} ({step.words}): {problem}"
            for number, (step, _, problem) in enumerate(self._replay(), 1)
            if problem
        ]

    def salvage(self) -> tuple[Migrations | None, list[str]]:
        """The steps that can still be done, as a plan; what was dropped and why.

        None instead of a plan if they do not do what is asked, such as to reach a goal.
        """
        dropped, moves = [], []
        for step, move, problem in self._replay():
            if problem or move is None:
                dropped.append(f"{step.words}: {problem}")
            else:
                moves.append(move)
        for plan in (Migrations(tuple(moves)), Migrations.now(self.cluster)):
            report = check(self.cluster, plan)
            if report.ok:
                return plan, dropped
            dropped.append(f"{count(len(plan.moves), 'migration')}: {report.violations[0]}")
        return None, dropped

    def _replay(self) -> Iterator[tuple[StatedStep, Migration | None, str]]:
        """Each step, as a migration of now if it is one, and what keeps it from being done."""
        occupancy = Occupancy(self.cluster)
        for step in self.steps:
            move, problem = self._attempt(occupancy, step)
            if move is not None and not problem:
                occupancy.begin(move)
                occupancy.finish(move)
            yield step, move, problem

    def _attempt(self, occupancy: Occupancy, step: StatedStep) -> tuple[Migration | None, str]:
        pm, numa = step.target
        if step.vm not in self._vms:
            return None, "the VM is gone"
        if pm not in self._pms:
            return None, "the PM is gone"
        vm, target = self._vms[step.vm], self._pms[pm]
        there = self.cluster.numas_of(target)
        if max(numa) >= len(there):
            return None, f"PM {pm} has {count(len(there), 'NUMA node')}"
        now = [one for one in occupancy.numa[vm].tolist() if one >= 0]
        if len(set(numa)) < len(numa):
            return None, "it names one NUMA node twice"
        if step.source is not None and self._where(now) != step.source:
            return None, f"the VM is on {place(self.cluster, now)} now"
        move = Migration(vm, tuple(there[one] for one in numa))
        return move, next(occupancy.problems(move), "")


def _place(where: tuple[str, tuple[int, ...]]) -> str:
    return f"{where[0]} NUMA {_joined(where[1])}"


def _joined(numbers: Sequence[int]) -> str:
    return "+".join(map(str, numbers))
