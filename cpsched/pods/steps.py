"""The vocabulary of a plan: steps in order, and why there may be none."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from cpsched.errors import CpschedError


class PlanError(CpschedError):
    """A plan whose step breaks a rule; the message names the step and the rule."""


class NoPlanError(PlanError):
    """A placement that no order of evictions and bindings was found to reach."""


class Action(enum.StrEnum):
    """What a step does: a running pod leaves its node, or a pod starts on one."""

    EVICT = "evict"
    BIND = "bind"


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a plan; pods and nodes are indices into the cluster.

    node: the node the pod leaves (evict) or starts on (bind); source: for a bind, the node the
    pod ran on before, None for a pending pod; reason: why, for a reader; cost: ``move_cost`` or
    ``evict_cost`` of the pod on its eviction, 0 for a bind.
    """

    action: Action
    pod: int
    node: int
    reason: str
    cost: int = 0
    source: int | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """Steps in the order of execution: each is allowed when the ones before it are done."""

    steps: tuple[Step, ...]

    @property
    def cost(self) -> int:
        """Sum of the costs of all steps, in units of ``Policy``."""
        return sum(step.cost for step in self.steps)
