"""Many environments in one flat batch, stepped together: the vector form of ``ConstructEnv``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from cpsched.construct import Construction, Frame
from cpsched.construct import layout as at
from cpsched.construct.batch import Batch
from cpsched.construct.root import ObjectiveScale, Sizes, values_of
from cpsched.envs.construct import Observation, Reward
from cpsched.envs.sources import (
    Kind,
    RewardKind,
    check_options,
    check_types,
    chosen,
    frame_of,
    only_one,
)
from cpsched.envs.spaces import LegalMultiDiscrete, observation_space
from cpsched.envs.supply import Generated, Supply, pool_of, root_maker
from cpsched.envs.threads import Threads
from cpsched.envs.words import Words, legal_words
from cpsched.errors import InputError
from cpsched.propagation import DisjunctiveRule

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Bools = npt.NDArray[np.bool_]
Actions = npt.NDArray[np.int64]


class CpVecEnv(VectorEnv[Observation, Actions, npt.NDArray[Any]]):
    """A batch of ``ConstructEnv``, on instances of any sizes.

    Actions, observations, rewards and the ends of episodes are those of the single environments,
    padded to the largest: with decisions and constraints whose first feature is 0, edges (-1, -1)
    and illegal actions. In the frame ``wait`` the last action of the padded batch is to wait, for
    every row.

    An episode that ends is followed by the next instance in the same step (Gymnasium's same-step
    autoreset): the observation is the first of the new episode, ``infos["final_obs"]`` holds the
    last one of the old, ``infos["final_info"]`` its ``objective`` (float64, NaN where a row has
    none) and ``values``, or ``dead_end`` (arrays of objects, None where a row has none).
    ``_objective`` and so on say which rows have one; a key that no row has is missing.

    Instances of a pool come in seeded random order, each once before any comes again; a generator
    makes a new one for every episode. What it makes without a solution, or with nothing left to
    decide, is drawn again, up to 100 times.

    Parameters
    ----------
    instances
        Shipped names, files or instance objects; also models and formulations.
    models, formulations
        The same for ``CpModel`` and ``Formulation`` objects alone.
    generator
        Called with a numpy random generator; returns any of these. Exactly one of these four is
        needed.
    num_envs
        Number of environments.
    decisions
        ``schedule`` or ``assign``: what the decisions of bare models are.
    frame, reward, rules, probe
        As for ``ConstructEnv``.
    copy
        Whether observations are the caller's to keep. If not, they are the batch's own arrays,
        which the next step overwrites.
    autoreset
        Whether an episode that ends is followed by the next. If not, reset the rows that ended:
        ``reset(options={"reset_mask": terminated | truncated})``.
    max_episode_steps
        Steps after which an episode is truncated, if ever.
    num_threads
        Threads that share a step's rows; by default one or all, whichever turns out to be faster.
        Results do not depend on it.
    sizes
        What to pad to, if more than the first instances need: for a generator whose later ones are
        larger.

    Raises
    ------
    InputError
        If an instance cannot be read, has no solution or leaves nothing to decide. If ``step``
        says so of a generated one, it has taken the actions and the rows that ended stay so, with
        no legal action, until ``reset(options={"reset_mask": ...})`` gives them new instances.
    """

    metadata: dict[str, Any] = {"render_modes": [], "autoreset_mode": AutoresetMode.SAME_STEP}  # noqa: RUF012

    def __init__(
        self,
        instances: Sequence[Any] | None = None,
        *,
        models: Sequence[Any] | None = None,
        formulations: Sequence[Any] | None = None,
        generator: Callable[[np.random.Generator], Any] | None = None,
        num_envs: int,
        decisions: Literal["schedule", "assign"] = "schedule",
        frame: str | None = None,
        reward: Reward = "bound",
        rules: DisjunctiveRule = DisjunctiveRule.NONE,
        probe: bool = False,
        copy: bool = True,
        autoreset: bool = True,
        max_episode_steps: int | None = None,
        num_threads: int | None = None,
        sizes: Sizes | None = None,
        render_mode: str | None = None,
    ) -> None:
        source = only_one(
            instances=instances, models=models, formulations=formulations, generator=generator
        )
        check_types(models, formulations)
        check_options(rules, probe)
        if render_mode is not None:
            raise InputError("the environment draws nothing: no render_mode is known")
        if num_envs < 1:
            raise InputError(f"num_envs must be at least 1, not {num_envs}")
        if max_episode_steps is not None and max_episode_steps < 1:
            raise InputError(f"max_episode_steps must be at least 1, not {max_episode_steps}")
        kind: Kind = chosen(Kind, "decisions", decisions, Kind)
        self.num_envs = num_envs
        self.copy = copy
        self.frame = frame_of(kind, frame)
        self.reward = chosen(RewardKind, "reward", reward, RewardKind)
        self._threads = Threads(num_threads, num_envs)
        self.max_episode_steps = max_episode_steps
        mode = AutoresetMode.SAME_STEP if autoreset else AutoresetMode.DISABLED
        self.metadata = {**self.metadata, "autoreset_mode": mode}
        self.autoreset = autoreset
        self._generated = generator is not None
        make = root_maker(kind, self.frame, rules, probe=probe)
        self._supply: Supply = (
            Generated(generator, num_envs, make) if generator else pool_of(source, make)
        )
        roots = self._supply.roots
        self._batch = Batch(
            num_envs,
            roots,
            Sizes.largest([root.sizes for root in roots] + ([sizes] if sizes else [])),
            self.frame,
            probe=probe,
        )
        self._notes = [_Notes(root.construction) for root in roots]
        self._elapsed = np.zeros(num_envs, np.int64)
        batch = self._batch
        # Without waiting, nobody needs its column.
        self._num_actions = batch.sizes.decisions + (self.frame is Frame.WAIT)
        self.single_observation_space = observation_space(batch.sizes, self._num_actions)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.single_action_space = spaces.Discrete(self._num_actions)
        self.action_space = LegalMultiDiscrete(batch.mask, self._num_actions)

    @property
    def sizes(self) -> Sizes:
        """Sizes that observations are padded to."""
        return self._batch.sizes

    @property
    def num_threads(self) -> int:
        """Threads that steps use now."""
        return self._threads.most if self._threads.parallel else 1

    @property
    def constructions(self) -> list[Construction]:
        """Construction that each row is working on."""
        self._check_begun()
        return [self._batch.roots[slot].construction for slot in self._batch.slots]

    @property
    def instance_indices(self) -> Actions:
        """Shape (num_envs,): place of each row's instance among those given, or of its slot."""
        return self._batch.slots.copy()

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin an episode in every row, or in those of ``options["reset_mask"]``.

        A seed decides which instances come in which order, what a generator makes and what
        ``sample`` draws.
        """
        super().reset(seed=seed)
        if seed is not None or not self._batch.words.any():
            self._supply.restart()
            self._batch.words[:] = self.np_random.integers(2**63, size=self.num_envs)
        self._start(self._rows_of(options))
        return self._observe(), {}

    def step(
        self, actions: npt.ArrayLike
    ) -> tuple[Observation, npt.NDArray[np.float64], Bools, Bools, dict[str, Any]]:
        """Take an action in every row.

        Raises InputError, and changes no row, if an action is not legal.
        """
        chosen_actions = np.ascontiguousarray(actions)
        if chosen_actions.dtype != np.int64:
            if chosen_actions.dtype.kind not in "iu":
                raise InputError(f"actions must be integers, not {chosen_actions.dtype}")
            chosen_actions = chosen_actions.astype(np.int64)
        if chosen_actions.shape != (self.num_envs,):
            raise InputError(
                f"{self.num_envs} actions are needed, not an array of shape {chosen_actions.shape}"
            )
        batch = self._batch
        illegal = self._threads.step(batch, chosen_actions)
        if illegal >= 0:
            raise self._illegal(illegal, int(chosen_actions[illegal]))
        rewards = batch.rewards.copy()
        terminated = batch.outcomes != at.RUNNING
        if self.max_episode_steps is None:
            truncated = np.zeros(self.num_envs, np.bool_)
            ended = terminated
        else:
            self._elapsed += 1
            truncated = self._elapsed >= self.max_episode_steps
            ended = terminated | truncated
        if self.reward is RewardKind.FINAL:
            rewards[:] = 0.0
        infos: dict[str, Any] = {}
        if ended.any():
            infos = self._end(terminated, ended, rewards)
        return self._observe(), rewards, terminated, truncated, infos

    def action_masks(self) -> Bools:
        """Shape (num_envs, num_actions): which actions are legal now."""
        return self._mask().astype(np.bool_)

    def sample(self) -> Actions:
        """Shape (num_envs,): random legal actions, all equally likely; 0 where none is."""
        self._check_begun()
        return self._batch.draw()

    def describe(self, row: int, action: int) -> str:
        """What an action of a row means, now, in words."""
        self._check_begun()
        batch = self._batch
        construction = batch.roots[batch.slots[row]].construction
        if self.frame is Frame.WAIT and action == batch.sizes.decisions:
            action = construction.num_decisions
        elif not 0 <= action < construction.num_decisions:
            raise InputError(f"row {row} has no action {action}")
        return Words(construction).action(batch.states[row], action)

    def _rows_of(self, options: dict[str, Any] | None) -> Actions:
        if options is None or "reset_mask" not in options:
            return np.arange(self.num_envs)
        mask = options["reset_mask"]
        if (
            not isinstance(mask, np.ndarray)
            or mask.dtype != np.bool_
            or mask.shape != (self.num_envs,)
        ):
            raise InputError(f"reset_mask must be an array of {self.num_envs} Booleans")
        if not self._batch.words.any() or (self._batch.slots[~mask] < 0).any():
            raise InputError("the first reset must be of all rows")
        return np.flatnonzero(mask)

    def _start(self, rows: Actions) -> None:
        """Give *rows* their next instances."""
        batch, rng = self._batch, self.np_random
        slots = np.array(self._supply.slots(batch, rows.tolist(), rng), dtype=np.int64)
        self._elapsed[rows] = 0
        if self._generated:
            for slot in slots.tolist():
                self._notes[slot] = _Notes(batch.roots[slot].construction)
        for slot in np.unique(slots).tolist():
            batch.start(rows[slots == slot], slot)

    def _observe(self) -> Observation:
        arrays = self._arrays()
        if not self.copy:
            return arrays
        return {name: array.copy() for name, array in arrays.items()}

    def _arrays(self) -> Observation:
        batch = self._batch
        return {
            "decision": batch.decision,
            "constraint": batch.constraint,
            "precedence": batch.precedence,
            "membership": batch.membership,
            "weight": batch.weight,
            "mask": self._mask(),
        }

    def _mask(self) -> npt.NDArray[np.int8]:
        return self._batch.mask[:, : self._num_actions]

    def _end(
        self, terminated: Bools, ended: Bools, rewards: npt.NDArray[np.float64]
    ) -> dict[str, Any]:
        """Say what became of the rows that ended, and begin their next episodes."""
        final_info = self._outcomes(np.flatnonzero(terminated), rewards)
        if not self.autoreset:
            return final_info
        rows = np.flatnonzero(ended)
        final_obs = np.full(self.num_envs, None, dtype=object)
        last = {name: array[rows] for name, array in self._arrays().items()}
        for k, row in enumerate(rows.tolist()):
            final_obs[row] = {name: array[k] for name, array in last.items()}
        self._start(rows)
        return {
            "final_obs": final_obs,
            "_final_obs": ended.copy(),
            "final_info": final_info,
            "_final_info": ended.copy(),
        }

    def _outcomes(self, rows: Actions, rewards: npt.NDArray[np.float64]) -> dict[str, Any]:
        """Infos of *rows*, which are terminated; sets rewards that only the end brings."""
        found: dict[str, Any] = {}
        batch = self._batch
        for row in rows.tolist():
            notes, state = self._notes[batch.slots[row]], batch.states[row]
            finished = batch.outcomes[row] == at.FINISHED
            total = int(state[at.BOUND]) if finished else notes.objective.worst
            if self.reward is RewardKind.FINAL:
                rewards[row] = -float(total)
            if finished:
                self._tell(found, row, "objective", notes.objective(total))
                values = values_of(notes.construction, state).tolist()
                self._tell(found, row, "values", values)
            else:
                self._tell(found, row, "dead_end", notes.words.dead_end(state))
        return found

    def _tell(self, found: dict[str, Any], row: int, key: str, value: Any) -> None:
        if key not in found:
            found[key] = (
                np.full(self.num_envs, np.nan)
                if isinstance(value, float)
                else np.full(self.num_envs, None, dtype=object)
            )
            found[f"_{key}"] = np.zeros(self.num_envs, np.bool_)
        found[key][row] = value
        found[f"_{key}"][row] = True

    def _check_begun(self) -> None:
        if (self._batch.slots < 0).any():
            raise InputError("reset the environments first: no episode has begun")

    def _illegal(self, row: int, action: int) -> InputError:
        if self._batch.slots[row] < 0:
            return InputError("reset the environments before the first step")
        if self._batch.outcomes[row] != at.RUNNING:
            return InputError(f"row {row}: the episode is over, reset it")
        return InputError(
            f"row {row}: action {action} is not legal; {legal_words(self._mask()[row])}"
        )


class _Notes:
    """What is said at the end of an episode of one construction."""

    def __init__(self, construction: Construction) -> None:
        self.construction = construction
        self.objective = ObjectiveScale(construction)
        self.words = Words(construction)


def schedule_batch(num_envs: int, instance: Any = None, **arguments: Any) -> CpVecEnv:
    """``gymnasium.make_vec("cpsched/Schedule-v0", num_envs, …)``."""
    return _make(num_envs, "schedule", instance, arguments)


def assign_batch(num_envs: int, instance: Any = None, **arguments: Any) -> CpVecEnv:
    """``gymnasium.make_vec("cpsched/Assign-v0", num_envs, …)``."""
    return _make(num_envs, "assign", instance, arguments)


def _make(num_envs: int, decisions: Any, instance: Any, arguments: dict[str, Any]) -> CpVecEnv:
    """A ``CpVecEnv`` that also takes the arguments of the single environment."""
    for one, several in (("model", "models"), ("formulation", "formulations")):
        if one in arguments:
            arguments[several] = [arguments.pop(one)]
    if instance is not None:
        arguments["instances"] = [instance]
    return CpVecEnv(num_envs=num_envs, decisions=decisions, **arguments)
