"""One episode repairs one assignment: environments that change a decision a step."""

from __future__ import annotations

import enum
import operator
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from cpsched.construct import Frame
from cpsched.construct.root import Root
from cpsched.envs.sources import Kind, check_types, chosen, formulation_for, only_one
from cpsched.envs.spaces import LegalDiscrete, observation_space
from cpsched.envs.words import Words, legal_words
from cpsched.errors import InputError
from cpsched.instances import read
from cpsched.moves import MoveState, compile_moves
from cpsched.moves.show import show
from cpsched.pods.solution import Placement
from cpsched.protocols import Instance

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from ortools.sat.python import cp_model

    from cpsched.formulation import Formulation, Values

#: Arrays by name; see ``MoveEnv``.
Observation: TypeAlias = dict[str, npt.NDArray[Any]]

Reward: TypeAlias = Literal["drop", "final"]

#: Solution that an instance is in now, by the name of its family.
_NOW: dict[str, Callable[[Any], Any]] = {"pods": Placement.now}


class RewardKind(enum.StrEnum):
    """What an episode is rewarded with: the drop of the objective at each step, or at the end."""

    DROP = "drop"
    FINAL = "final"


class MoveEnv(gymnasium.Env[Observation, Any]):
    """``cpsched/Move-v0``: a complete assignment of which a step changes one decision.

    An action is the number of a decision of the formulation: it comes into force in its item (the
    bins of a pod, say, and that it has none) in place of the one that was. It is legal if that
    changes something and every constraint of the model holds afterwards; so every assignment on
    the way is a solution of the model. The last action stops. The observation is the graph of
    ``ConstructEnv`` with other features, and two arrays more:

    - ``decision``, float32, shape (decisions, 8 + extra): the features of ``moves.show``, then the
      formulation's own;
    - ``constraint``, float32, shape (constraints, 4): as there;
    - ``precedence``, ``membership``, ``weight``: those of ``ConstructEnv``;
    - ``mask``, int8, shape (decisions + 1,): 1 where an action is legal, to stop being the last;
    - ``item``, int32, shape (decisions,): item of each decision, by which a policy that chooses
      what to move before where to can group the mask;
    - ``budget``, float32, shape (1,): share of the changes that are left.

    An episode is terminated when the budget is used up, or by stopping. Then ``info["objective"]``
    is the objective as CP-SAT reports it with these decisions fixed, exact (an integer if it is
    one), ``info["values"]`` a list of one integer for each variable of the model.

    The reward ``drop`` is by how much the sum that is minimised inside (without the model's offset
    and scaling, negated if the model maximises) has dropped: over an episode it sums to that of
    the start less that of the end. The reward ``final`` is 0 until the end, then minus the sum.
    Rewards are floats: of an objective beyond 2^53, such as one number that stands for several
    stages, they are exact only as far as float64 goes, and the policy may want its own scale;
    ``objective()`` and ``info["objective"]`` are exact.

    Parameters
    ----------
    instance
        A shipped name, a file, or an instance object.
    model
        A ``CpModel``; its exactly-one and at-most-one constraints say what there is to decide.
    formulation
        A model with its decisions, all of them ``Assign`` or ``Reject``. Exactly one of these
        three is needed.
    start
        Where episodes begin: a solution, or a value for each variable of the model, of which only
        those of the decisions are looked at. By default, what the instance is in now (pods: where
        they run); a model or formulation has no such thing.
    budget
        Changes in an episode; by default as many as there are items.
    reward
        ``drop`` or ``final``.

    Raises
    ------
    InputError
        If the input cannot be read, offers nothing to change, or the start is missing or breaks a
        constraint.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012

    def __init__(
        self,
        instance: str | os.PathLike[str] | Instance | None = None,
        *,
        model: cp_model.CpModel | None = None,
        formulation: Formulation[Any] | None = None,
        start: Any = None,
        budget: int | None = None,
        reward: Reward = "drop",
        render_mode: str | None = None,
    ) -> None:
        if render_mode is not None:
            raise InputError("the environment draws nothing: no render_mode is known")
        source = only_one(instance=instance, model=model, formulation=formulation)
        check_types(models=[model], formulations=[formulation])
        self.render_mode = None
        self.reward = chosen(RewardKind, "reward", reward, RewardKind)
        if instance is not None and not isinstance(instance, Instance):
            source = read(instance)
        self.moves = compile_moves(formulation_for(Kind.ASSIGN, source))
        root = Root.of(self.moves.construction, Frame.ALL)
        self._first: MoveState[Any] = MoveState(
            self.moves, _now(source) if start is None else start
        )
        self.budget = _checked_budget(budget, self.moves.num_items)
        self._state, self._left, self._over = self._first.copy(), self.budget, False
        self._start = self._first.current
        self._words = Words(self.moves.construction)
        self._root = root
        self._decision, self._constraint = root.decision.copy(), root.constraint.copy()
        self._item = self.moves.item_of.astype(np.int32)
        self._num_actions = self.moves.num_decisions + 1
        self._mask = np.zeros(self._num_actions, np.int8)
        self._show()
        self.action_space = LegalDiscrete(self._mask, self._num_actions)
        space: Any = observation_space(root.sizes, self._num_actions)
        space["item"] = spaces.Box(0, self.moves.num_items - 1, self._item.shape, np.int32)
        space["budget"] = spaces.Box(0.0, 1.0, (1,), np.float32)
        self.observation_space = space

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin an episode; nothing in it is random, and *options* are not used."""
        super().reset(seed=seed)
        self._state, self._left, self._over = self._first.copy(), self.budget, False
        self._show()
        return self._observe(), {}

    def step(self, action: Any) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Change a decision, or stop.

        Raises InputError, and changes nothing, if *action* is not legal.
        """
        number, state = operator.index(action), self._state
        if not 0 <= number < self._num_actions or not self._mask[number]:
            raise self._illegal(action)
        before = state.total()
        if number < self.moves.num_decisions:
            try:
                state.apply(number)
            except ValueError as problem:
                # No more so: see ``MoveState.apply``.
                self._show()
                raise InputError(str(problem)) from None
            self._left -= 1
            self._over = self._left == 0
        else:
            self._over = True
        self._show()
        drop = float(before - state.total())
        if self.reward is RewardKind.FINAL:
            drop = -float(state.total()) if self._over else 0.0
        return self._observe(), drop, self._over, False, self._info() if self._over else {}

    def action_masks(self) -> npt.NDArray[np.bool_]:
        """Shape (num_actions,): which actions are legal now."""
        return self._mask.astype(np.bool_)

    def objective(self) -> int | float:
        """Objective of the assignment as it is now, as CP-SAT reports it; exact."""
        return self._state.objective()

    def values(self) -> Values:
        """Shape (num_variables,): value of each model variable now."""
        return self._state.values()

    def solution(self) -> Any:
        """What the assignment as it is now stands for: a solution of the family."""
        return self._state.solution()

    def describe(self, action: int) -> str:
        """What an action means, now, in words."""
        if not 0 <= action < self._num_actions:
            raise InputError(f"action {action} is not one of 0..{self._num_actions - 1}")
        if action == self._num_actions - 1:
            return "stop"
        row = self._root.row
        current = int(self._state.current[self.moves.item_of[action]])
        now = f", which was: {self._words.action(row, current)}" if current >= 0 else ""
        return f"{self._words.action(row, action)}{now}"

    def _show(self) -> None:
        state = self._state
        show(
            state.static,
            state.row,
            state.verdict,
            state.extra,
            self._start,
            self._over,
            self._decision,
            self._constraint,
            self._mask,
        )

    def _observe(self) -> Observation:
        root = self._root
        return {
            "decision": self._decision.copy(),
            "constraint": self._constraint.copy(),
            "precedence": root.precedence.copy(),
            "membership": root.membership.copy(),
            "weight": root.weight.copy(),
            "mask": self._mask.copy(),
            "item": self._item.copy(),
            "budget": np.array([self._left / self.budget], np.float32),
        }

    def _info(self) -> dict[str, Any]:
        return {"objective": self.objective(), "values": self.values().tolist()}

    def _illegal(self, action: Any) -> InputError:
        if self._over:
            return InputError(f"action {action}: the episode is over, reset the environment")
        return InputError(f"action {action} is not legal; {legal_words(self._mask)}")


def _now(source: Any) -> Any:
    """Solution that *source* is in now; InputError if it is in none."""
    now = _NOW.get(source.family) if isinstance(source, Instance) else None
    if now is None:
        what = f"{source.family} instances have" if isinstance(source, Instance) else "a model has"
        raise InputError(
            f"start= is needed, a solution or a value for each variable: {what} no current state"
        )
    return now(source)


def _checked_budget(budget: Any, num_items: int) -> int:
    if budget is None:
        return num_items
    if isinstance(budget, bool) or not isinstance(budget, int | np.integer) or budget < 1:
        raise InputError(f"budget must be an integer of at least 1, not {budget!r}")
    return int(budget)
