"""One episode repairs one assignment: environments that change a decision a step."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any, TypeAlias

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from cpsched.construct import Frame
from cpsched.construct.root import Root
from cpsched.envs.repair import Repair, Reward
from cpsched.envs.spaces import LegalDiscrete, observation_space
from cpsched.envs.words import Words, legal_words
from cpsched.errors import InputError
from cpsched.moves.show import show

if TYPE_CHECKING:
    import os

    from ortools.sat.python import cp_model

    from cpsched.formulation import Formulation, Values
    from cpsched.protocols import Instance

#: Arrays by name; see ``MoveEnv``.
Observation: TypeAlias = dict[str, npt.NDArray[Any]]


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

    Of VM rescheduling an episode is a plan: every VM moves once, from where it is now, and
    ``solution()`` is the steps in the order in which they were taken. A step keeps all rules,
    those of the way included; hops are not made. The reward ``fragments``, of VMs alone, is the
    published one, see ``Migrating.step``. VMs that must leave or a goal that is not reached make
    the current state no solution: then there is no episode.

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
        they run; VMs: where they are, and no other start is taken); a model or formulation has no
        such thing.
    budget
        Changes in an episode; by default as many as there are items, of VMs the migration limit.
    once
        Whether an item is changed once at most; by default so for VMs alone.
    reward
        ``drop`` or ``final``, of VMs also ``fragments``.

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
        once: bool | None = None,
        reward: Reward = "drop",
        render_mode: str | None = None,
    ) -> None:
        if render_mode is not None:
            raise InputError("the environment draws nothing: no render_mode is known")
        self.render_mode = None
        self._repair = Repair(
            instance=instance,
            model=model,
            formulation=formulation,
            start=start,
            budget=budget,
            once=once,
            reward=reward,
        )
        self.moves, self.budget = self._repair.moves, self._repair.budget
        self._words = Words(self.moves.construction)
        self._root = root = Root.of(self.moves.construction, Frame.ALL)
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
        self._repair.begin()
        self._show()
        return self._observe(), {}

    def step(self, action: Any) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Change a decision, or stop.

        Raises InputError, and changes nothing, if *action* is not legal.
        """
        number, repair = operator.index(action), self._repair
        if not 0 <= number < self._num_actions or not self._mask[number]:
            raise self._illegal(action)
        try:
            reward = repair.change(number if number < self.moves.num_decisions else None)
        except ValueError as problem:
            # No more so: see ``MoveState.apply``.
            self._show()
            raise InputError(str(problem)) from None
        self._show()
        over = repair.over
        return self._observe(), reward, over, False, repair.info() if over else {}

    def action_masks(self) -> npt.NDArray[np.bool_]:
        """Shape (num_actions,): which actions are legal now."""
        return self._mask.astype(np.bool_)

    def objective(self) -> int | float:
        """Objective of the assignment as it is now, as CP-SAT reports it; exact."""
        return self._repair.state.objective()

    def values(self) -> Values:
        """Shape (num_variables,): value of each model variable now."""
        return self._repair.state.values()

    def solution(self) -> Any:
        """What the assignment as it is now stands for: a solution of the family."""
        return self._repair.solution()

    def describe(self, action: int) -> str:
        """What an action means, now, in words."""
        if not 0 <= action < self._num_actions:
            raise InputError(f"action {action} is not one of 0..{self._num_actions - 1}")
        if action == self._num_actions - 1:
            return "stop"
        row = self._root.row
        current = int(self._repair.state.current[self.moves.item_of[action]])
        now = f", which was: {self._words.action(row, current)}" if current >= 0 else ""
        return f"{self._words.action(row, action)}{now}"

    def _show(self) -> None:
        repair, state = self._repair, self._repair.state
        show(
            state.static,
            state.row,
            repair.verdict(),
            state.extra,
            repair.first_decision,
            repair.over,
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
            "budget": np.array([self._repair.left / self.budget], np.float32),
        }

    def _illegal(self, action: Any) -> InputError:
        if self._repair.over:
            return InputError(f"action {action}: the episode is over, reset the environment")
        return InputError(f"action {action} is not legal; {legal_words(self._mask)}")
