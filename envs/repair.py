"""What environments that change a decision a step share: episodes over one formulation."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from cpsched.allocation import uncollected
from cpsched.envs.migrations import Migrating
from cpsched.envs.sources import Kind, check_types, chosen, formulation_for, only_one
from cpsched.errors import InputError
from cpsched.instances import read
from cpsched.moves import MoveState, compile_moves
from cpsched.pods.solution import Placement
from cpsched.protocols import Instance
from cpsched.vms.model import VmFormulation
from cpsched.vms.solution import Migrations

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    import numpy.typing as npt
    from ortools.sat.python import cp_model

    from cpsched.formulation import Formulation

Reward: TypeAlias = Literal["drop", "final", "fragments"]

#: Solution that an instance is in now, by the name of its family.
_NOW: dict[str, Callable[[Any], Any]] = {"pods": Placement.now, "vms": Migrations.now}


class RewardKind(enum.StrEnum):
    """What an episode is rewarded with.

    The drop of the objective at each step, or minus the objective at the end; of VMs, the drop of
    fragments at each step.
    """

    DROP = "drop"
    FINAL = "final"
    FRAGMENTS = "fragments"


class Repair:
    """Episodes that change one decision after the other, from one start, within a budget.

    For the parameters see ``MoveEnv``.

    Attributes
    ----------
    state
        The assignment as it is now.
    left, over
        Changes that are left; whether the episode is over.
    taken
        Decisions taken, in order.
    """

    def __init__(
        self,
        *,
        instance: str | os.PathLike[str] | Instance | None,
        model: cp_model.CpModel | None,
        formulation: Formulation[Any] | None,
        start: Any,
        budget: int | None,
        once: bool | None,
        reward: Reward,
    ) -> None:
        source = only_one(instance=instance, model=model, formulation=formulation)
        check_types(models=[model], formulations=[formulation])
        if instance is not None and not isinstance(instance, Instance):
            source = read(instance)
        formulation = formulation_for(Kind.ASSIGN, source)
        self.migrating = Migrating(formulation) if isinstance(formulation, VmFormulation) else None
        known = [kind for kind in RewardKind if self.migrating or kind is not RewardKind.FRAGMENTS]
        self.reward = chosen(RewardKind, "reward", reward, known)
        if once is not None and type(once) is not bool:
            raise InputError(f"once must be True or False, not {once!r}")
        self.once = self.migrating is not None if once is None else once
        if self.migrating is not None:
            if not self.once:
                raise InputError("of VMs, every one moves once in an episode: once must be True")
            if start is not None and not _is_now(start):
                raise InputError("of VMs, an episode begins where they are now: no start is taken")
        with uncollected():
            self.moves = compile_moves(formulation)
        if start is None:
            start = _now(formulation.cluster if self.migrating else source)  # type: ignore[attr-defined]
        self._first: MoveState[Any] = MoveState(self.moves, start)
        most = None if self.migrating is None else self.migrating.limit
        self.budget = _checked_budget(budget, self.moves.num_items, most)
        self.first_decision = self._first.current
        self._blocked = np.zeros(self.moves.num_decisions, np.bool_)
        self.begin()

    def begin(self) -> None:
        """Begin an episode."""
        self.state, self.left, self.over = self._first.copy(), self.budget, False
        self.taken: list[int] = []
        self._blocked[:] = False
        if self.migrating is not None:
            self._blocked |= self.migrating.blocked
            self.migrating.begin()

    def verdict(self) -> npt.NDArray[np.int8]:
        """Shape (num_decisions,): 0 where more than the rows of the model forbids a decision."""
        found: npt.NDArray[np.int8] = np.where(self._blocked, np.int8(0), self.state.verdict)
        return found

    def mask(self) -> npt.NDArray[np.bool_]:
        """Shape (num_decisions,): decisions that may be taken now."""
        if self.over:
            return np.zeros(self.moves.num_decisions, np.bool_)
        found: npt.NDArray[np.bool_] = self.state.mask() & ~self._blocked
        return found

    def change(self, decision: int | None) -> float:
        """Take a legal decision, or with None stop; returns the reward.

        Raises ValueError, and changes nothing, if the state does not take it.
        """
        state = self.state
        before = state.total()
        fragments = 0.0
        if decision is None:
            self.over = True
        else:
            state.apply(decision)
            if self.migrating is not None:
                fragments = self.migrating.step(decision)
            self.taken.append(decision)
            self.left -= 1
            self.over = self.left == 0
            if self.once:
                self._blocked |= self.moves.item_of == self.moves.item_of[decision]
        if self.reward is RewardKind.FRAGMENTS:
            return fragments
        if self.reward is RewardKind.FINAL:
            return -float(state.total()) if self.over else 0.0
        return float(before - state.total())

    def solution(self) -> Any:
        """What the assignment stands for; of VMs the plan: the steps in the order taken."""
        if self.migrating is not None:
            return self.migrating.plan(self.taken)
        return self.state.solution()

    def info(self) -> dict[str, Any]:
        """What is said at the end."""
        return {"objective": self.state.objective(), "values": self.state.values().tolist()}


def _is_now(start: Any) -> bool:
    return isinstance(start, Migrations) and not start.moves


def _now(source: Any) -> Any:
    """Solution that *source* is in now; InputError if it is in none."""
    now = _NOW.get(source.family) if isinstance(source, Instance) else None
    if now is None:
        what = f"{source.family} instances have" if isinstance(source, Instance) else "a model has"
        raise InputError(
            f"start= is needed, a solution or a value for each variable: {what} no current state"
        )
    return now(source)


def _checked_budget(budget: Any, num_items: int, most: int | None) -> int:
    limit = num_items if most is None else min(num_items, most)
    if budget is None:
        if limit < 1:
            raise InputError("the migration limit is 0: there is nothing to change")
        return limit
    if isinstance(budget, bool) or not isinstance(budget, int | np.integer) or budget < 1:
        raise InputError(f"budget must be an integer of at least 1, not {budget!r}")
    if most is not None and budget > most:
        raise InputError(f"budget {budget} is beyond the migration limit, {most}")
    return int(budget)
