"""One episode constructs one solution: environments over any formulation, a decision a step."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

import gymnasium
import numpy as np
import numpy.typing as npt

from cpsched.construct import Construction, Frame, compile_formulation
from cpsched.construct import layout as at
from cpsched.construct.observe import step_shown
from cpsched.construct.root import ObjectiveScale, Root, values_of
from cpsched.envs.sources import (
    Kind,
    RewardKind,
    check_options,
    check_types,
    chosen,
    formulation_for,
    frame_of,
    only_one,
)
from cpsched.envs.spaces import LegalDiscrete, observation_space
from cpsched.envs.words import Words, legal_words
from cpsched.errors import InputError
from cpsched.propagation import DisjunctiveRule

if TYPE_CHECKING:
    import os

    from ortools.sat.python import cp_model

    from cpsched.formulation import Formulation, Values
    from cpsched.protocols import Instance

#: Arrays by name; see ``ConstructEnv``.
Observation: TypeAlias = dict[str, npt.NDArray[Any]]

Reward: TypeAlias = Literal["bound", "final"]


class ConstructEnv(gymnasium.Env[Observation, Any]):
    """A formulation decided step by step, every decision followed by propagation.

    An action is the number of a decision of the formulation; in the frame ``wait`` the last action
    is to wait for the next event. The observation is a graph:

    - ``decision``, float32, shape (decisions, 8 + extra): a node for each decision, its features
      those of ``construct.observe``, then the formulation's own;
    - ``constraint``, float32, shape (constraints, 4): a node for each constraint that binds
      several decisions;
    - ``precedence``, int32, shape (2, edges): pairs of decisions, the second no earlier than the
      first;
    - ``membership``, int32, shape (2, edges): pairs of a decision and a constraint that it is in;
    - ``weight``, float32, shape (edges,): for each membership, the share of the constraint's
      capacity that the decision uses: its coefficient over the limit, 1 in an exactly-one; of a
      cumulative, demand over capacity; of a no-overlap, least size over those of all;
    - ``mask``, int8, shape (actions,): 1 where an action is legal.

    Where there is nothing to show, one row of zeros or one edge (-1, -1), of weight 0, stands. The
    edges and their weights never change. Every array is the caller's to keep.

    An episode is terminated when everything is decided: ``info["objective"]`` is then the
    objective as CP-SAT reports it, a float, ``info["values"]`` a list of one integer for each
    variable of the model. It is terminated, too, at a *dead end*: a decision has left a constraint
    without a way out, or what the decisions left open cannot be filled in. Then info has neither,
    only ``info["dead_end"]``, which says why. A step limit never terminates: ``gymnasium.make(...,
    max_episode_steps=n)`` truncates.

    The reward ``bound`` is the drop of the lower bound that propagation proves for the sum that is
    minimised inside: without the model's offset and scaling, negated if the model maximises. Over
    an episode it sums to the first bound less the final objective; a dead end counts as one more
    than the worst value the objective's domain allows. The reward ``final`` is 0 until the end,
    then minus the same objective, minus the worst one for a dead end.

    Parameters
    ----------
    instance
        A shipped name, a file, or an instance object.
    model
        A ``CpModel``; its constraints say what there is to decide.
    formulation
        A model with its decisions. Exactly one of these three is needed.
    frame
        Which of the decisions whose predecessors are taken are legal: see ``construct.Frame``.
    reward
        ``bound`` or ``final``.
    rules
        Disjunctive rules that propagation uses beyond pairs of intervals.
    probe
        Look ahead one step: decisions whose propagation fails at once are not legal. It costs a
        copy of the state and one propagation per legal decision, every step.

    Raises
    ------
    InputError
        If the input cannot be read, is proven to have no solution, or leaves nothing to decide.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012
    kind: ClassVar[Kind] = Kind.SCHEDULE

    def __init__(
        self,
        instance: str | os.PathLike[str] | Instance | None = None,
        *,
        model: cp_model.CpModel | None = None,
        formulation: Formulation[Any] | None = None,
        frame: str | None = None,
        reward: Reward = "bound",
        rules: DisjunctiveRule = DisjunctiveRule.NONE,
        probe: bool = False,
        render_mode: str | None = None,
    ) -> None:
        if render_mode is not None:
            raise InputError("the environment draws nothing: no render_mode is known")
        source = only_one(instance=instance, model=model, formulation=formulation)
        check_types(models=[model], formulations=[formulation])
        check_options(rules, probe)
        self.render_mode = None
        self.frame = frame_of(self.kind, frame)
        self.reward = chosen(RewardKind, "reward", reward, RewardKind)
        self.construction: Construction = compile_formulation(
            formulation_for(self.kind, source), rules
        )
        self._root = Root.of(self.construction, self.frame, probe=probe)
        self._objective = ObjectiveScale(self.construction)
        self._words = Words(self.construction)
        self._final = self.reward is RewardKind.FINAL
        num_actions = self.construction.num_decisions + (self.frame is Frame.WAIT)
        row, decision = self._root.row.copy(), self._root.decision.copy()
        constraint, mask = self._root.constraint.copy(), self._root.mask.copy()
        # Everything that a step needs, in one tuple: looking up attributes would cost a tenth of
        # it.
        self._parts = (
            self._root.static,
            row,
            np.zeros(0, np.int64),
            np.zeros(len(row) if probe else 0, np.int64),
            self._root.frame_code,
            decision,
            constraint,
            mask,
            num_actions,
            self._root.precedence,
            self._root.membership,
            self._root.weight,
        )
        self._row, self._mask, self._num_actions = row, mask, num_actions
        self.action_space = LegalDiscrete(mask, num_actions)
        self.observation_space = observation_space(self._root.sizes, num_actions)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin an episode; nothing in it is random, and *options* are not used."""
        super().reset(seed=seed)
        _, row, _, _, _, decision, constraint, mask, *_ = self._parts
        root = self._root
        row[:], decision[:], constraint[:] = root.row, root.decision, root.constraint
        mask[:] = root.mask
        return self._observe(), {}

    def step(self, action: Any) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Take a decision and propagate.

        Raises InputError, and changes nothing, if *action* is not legal.
        """
        (
            static,
            row,
            trail,
            scratch,
            frame,
            decision,
            constraint,
            mask,
            num_actions,
            precedence,
            membership,
            weight,
        ) = self._parts
        reward = step_shown(
            static, row, trail, scratch, frame, operator.index(action), decision, constraint, mask
        )
        if reward != reward:  # NaN
            raise self._illegal(action)
        observation: Observation = {
            "decision": decision.copy(),
            "constraint": constraint.copy(),
            "precedence": precedence.copy(),
            "membership": membership.copy(),
            "weight": weight.copy(),
            "mask": mask[:num_actions].copy(),
        }
        if row[at.OUTCOME] == at.RUNNING:
            return observation, 0.0 if self._final else reward, False, False, {}
        return observation, self._last_reward(reward), True, False, self._info()

    def action_masks(self) -> npt.NDArray[np.bool_]:
        """Shape (num_actions,): which actions are legal now."""
        return self._mask[: self._num_actions].astype(np.bool_)

    def bound(self) -> int:
        """Lower bound of the sum that is minimised inside, under the decisions taken."""
        return int(self._row[at.BOUND])

    def domains(self) -> tuple[Values, Values]:
        """Least and greatest value of each model variable, under the decisions taken."""
        lower = values_of(self.construction, self._row)
        upper = values_of(self.construction, self._row[1:])
        return lower.copy(), upper.copy()

    def describe(self, action: int) -> str:
        """What an action means, now, in words."""
        if not 0 <= action < self._num_actions:
            raise InputError(f"action {action} is not one of 0..{self._num_actions - 1}")
        return self._words.action(self._row, action)

    def _observe(self) -> Observation:
        *_, decision, constraint, mask, num_actions, precedence, membership, weight = self._parts
        return {
            "decision": decision.copy(),
            "constraint": constraint.copy(),
            "precedence": precedence.copy(),
            "membership": membership.copy(),
            "weight": weight.copy(),
            "mask": mask[:num_actions].copy(),
        }

    def _last_reward(self, drop: float) -> float:
        if not self._final:
            return drop
        finished = self._row[at.OUTCOME] == at.FINISHED
        return -float(self._row[at.BOUND] if finished else self._objective.worst)

    def _info(self) -> dict[str, Any]:
        row = self._row
        if row[at.OUTCOME] == at.FINISHED:
            return {
                "objective": self._objective(int(row[at.BOUND])),
                "values": values_of(self.construction, row).tolist(),
            }
        return {"dead_end": self._words.dead_end(row)}

    def _illegal(self, action: Any) -> InputError:
        if self._row[at.OUTCOME] != at.RUNNING:
            return InputError(f"action {action}: the episode is over, reset the environment")
        return InputError(f"action {action} is not legal; {legal_words(self._mask)}")


class ScheduleEnv(ConstructEnv):
    """``cpsched/Schedule-v0``: which interval starts next, each as early as propagation allows.

    Frames: ``all`` (the default), ``active``, ``nondelay``, ``wait`` and ``next``. A bare model
    decides every interval that a no-overlap or cumulative holds; an optional one that is no
    alternative of others may also be rejected.
    """

    kind = Kind.SCHEDULE


class AssignEnv(ConstructEnv):
    """``cpsched/Assign-v0``: which literal of an exactly-one or at-most-one constraint is true.

    Frames: ``next`` (the default), one item after the other in the model's order, and ``all``. A
    bare model decides every exactly-one, then, of every at-most-one, what is in none before; that
    may also be rejected.
    """

    kind = Kind.ASSIGN
