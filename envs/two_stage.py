"""Changing a decision in two stages: first what to move, then where to."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from cpsched.envs.repair import Repair, Reward
from cpsched.envs.spaces import LegalDiscrete
from cpsched.envs.words import legal_words
from cpsched.errors import InputError
from cpsched.moves import layout as at
from cpsched.moves.show_items import ITEM_FEATURES, OPTION_FEATURES, show_items, show_options

if TYPE_CHECKING:
    import os

    from ortools.sat.python import cp_model

    from cpsched.envs.move import Observation
    from cpsched.formulation import Formulation, Values
    from cpsched.protocols import Instance

_LARGEST = np.finfo(np.float32).max

#: Features, of both tables, that are shares or truth values.
_SHARES = (0, 1, 2, 3, 6, 7, 8), (0, 1, 2, 5, 6, 7, 8)


class TwoStageMoveEnv(gymnasium.Env["Observation", Any]):
    """``cpsched/TwoStageMove-v0``: the moves of ``MoveEnv``, each chosen in two steps.

    In the first, an action is the number of an item (a VM, say): it is legal if one of its
    decisions is. The action after the last item stops. In the second, an action is the number of a
    decision among those of the item (of a VM, where to). What is observed grows with items and
    with the decisions of one of them, not with all decisions:

    - ``item``, float32, shape (items, 9 + extra): features of ``moves.show_items``, then what the
      formulation says of the decision in force;
    - ``option``, float32, shape (most decisions of an item, 9 + extra): of the decisions of the
      item that was chosen, 0 in the first stage and in padding;
    - ``mask``, int8, shape (actions,): 1 where an action is legal in this stage;
    - ``stage``, int8, shape (1,): 0 before an item is chosen, 1 after;
    - ``chosen``, int32, shape (1,): the item, -1 in the first stage;
    - ``budget``, float32, shape (1,): share of the changes that are left.

    Choosing an item is rewarded with 0. Episodes, rewards, ``info`` and parameters are those of
    ``MoveEnv``.
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
        items, S = self.moves.num_items, self.moves.static
        self._ptr = S[S[at.ITEM_DECISIONS] : S[at.ITEM_DECISIONS] + items + 1].copy()
        self._most = int(np.diff(self._ptr).max())
        features = self.moves.formulation.features
        self._extra = (
            np.zeros((self.moves.num_decisions, 0), np.float32) if features is None else features
        )
        self._item = np.zeros((items, ITEM_FEATURES), np.float32)
        self._option = np.zeros((self._most, OPTION_FEATURES), np.float32)
        self._num_actions = max(items + 1, self._most)
        self._mask = np.zeros(self._num_actions, np.int8)
        self._chosen = -1
        self._show()
        self.action_space = LegalDiscrete(self._mask, self._num_actions)
        self.observation_space = self._space()

    def _space(self) -> spaces.Space[Any]:
        boxes: dict[str, spaces.Space[Any]] = {}
        for (name, rows), shares in zip(
            (("item", len(self._item)), ("option", self._most)), _SHARES, strict=True
        ):
            high = np.full((rows, ITEM_FEATURES + self._extra.shape[1]), _LARGEST, np.float32)
            low = -high
            high[:, shares], low[:, shares] = 1.0, 0.0
            boxes[name] = spaces.Box(low, high, dtype=np.float32)
        boxes["mask"] = spaces.MultiBinary(self._num_actions)
        boxes["stage"] = spaces.MultiBinary(1)
        boxes["chosen"] = spaces.Box(-1, len(self._item) - 1, (1,), np.int32)
        boxes["budget"] = spaces.Box(0.0, 1.0, (1,), np.float32)
        return spaces.Dict(boxes)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin an episode; nothing in it is random, and *options* are not used."""
        super().reset(seed=seed)
        self._repair.begin()
        self._chosen = -1
        self._show()
        return self._observe(), {}

    def step(self, action: Any) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Choose an item, or stop; then a decision of the item.

        Raises InputError, and changes nothing, if *action* is not legal.
        """
        number, repair = operator.index(action), self._repair
        if not 0 <= number < self._num_actions or not self._mask[number]:
            raise self._illegal(action)
        if self._chosen < 0 and number < self.moves.num_items:
            self._chosen = number
            self._show()
            return self._observe(), 0.0, False, False, {}
        decision = None if self._chosen < 0 else self.decision(self._chosen, number)
        try:
            reward = repair.change(decision)
        except ValueError as problem:
            # No more so: see ``MoveState.apply``. The item may have no other decision.
            self._chosen = -1
            self._show()
            raise InputError(str(problem)) from None
        self._chosen = -1
        self._show()
        over = repair.over
        return self._observe(), reward, over, False, repair.info() if over else {}

    def decision(self, item: int, option: int) -> int:
        """Number, in the formulation, of a decision of an item."""
        return int(self.moves.static[self._ptr[item] + option])

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

    def _show(self) -> None:
        repair, state = self._repair, self._repair.state
        verdict = repair.verdict()
        self._mask[:] = 0
        self._option[:] = 0
        if self._chosen < 0:
            show_items(
                state.static,
                state.row,
                verdict,
                state.extra,
                repair.first_decision,
                repair.over,
                self._most,
                self._item,
                self._mask,
            )
            self._mask[self.moves.num_items] = not repair.over
            return
        self._item[:, 7] = 0.0
        self._item[self._chosen, 7] = 1.0
        show_options(
            state.static,
            state.row,
            verdict,
            state.extra,
            int(repair.first_decision[self._chosen]),
            self._chosen,
            self._option,
            self._mask,
        )

    def _observe(self) -> Observation:
        repair = self._repair
        current = repair.state.current
        extra = np.where((current >= 0)[:, None], self._extra[current], np.float32(0))
        of_option = np.zeros((self._most, self._extra.shape[1]), np.float32)
        if self._chosen >= 0:
            begin, end = self._ptr[self._chosen], self._ptr[self._chosen + 1]
            of_option[: end - begin] = self._extra[self.moves.static[begin:end]]
        return {
            "item": np.concatenate((self._item, extra), axis=1),
            "option": np.concatenate((self._option, of_option), axis=1),
            "mask": self._mask.copy(),
            "stage": np.array([self._chosen >= 0], np.int8),
            "chosen": np.array([self._chosen], np.int32),
            "budget": np.array([repair.left / self.budget], np.float32),
        }

    def _illegal(self, action: Any) -> InputError:
        if self._repair.over:
            return InputError(f"action {action}: the episode is over, reset the environment")
        what = "an item" if self._chosen < 0 else f"a decision of item {self._chosen}"
        return InputError(f"action {action} is not legal for {what}; {legal_words(self._mask)}")
