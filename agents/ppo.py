"""PPO with masked actions: sb3-contrib's MaskablePPO on a graph network.

An update is one roll-out of all rows and its epochs of minibatches; a minibatch encodes each of
its instances once. The reward is the drop of the bound in parts of the root's: over an episode it
sums to the objective, so returns are not discounted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from sb3_contrib import MaskablePPO
from sb3_contrib.common.maskable.distributions import MaskableCategoricalDistribution
from sb3_contrib.common.maskable.policies import MaskableActorCriticPolicy
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor

from cpsched.agents.candidate_env import CandidateVecEnv
from cpsched.agents.candidates import Candidates
from cpsched.agents.config import require
from cpsched.agents.graph_training import Exam, begin, state_of
from cpsched.agents.networks.graph import GraphNetwork, GraphShape, Memory
from cpsched.agents.run import TrainingError
from cpsched.agents.validation import Validation

if TYPE_CHECKING:
    from collections.abc import Callable

    from gymnasium import spaces

    from cpsched.agents.data import Data
    from cpsched.agents.run import Run


@dataclass(frozen=True)
class Ppo:
    """The table ``[train]``; the names are those of stable-baselines3.

    envs: rows of episodes; steps: of each an update; batch: steps of a minibatch; epochs, rate
    (which falls to *final* of it), lam, clip, entropy, value, norm: of PPO; start: weights to
    begin with, a name or a file, empty for random ones.
    """

    envs: int = 16
    steps: int = 128
    batch: int = 512
    epochs: int = 4
    rate: float = 0.0003
    final: float = 0.1
    lam: float = 0.98
    clip: float = 0.2
    entropy: float = 0.005
    value: float = 0.5
    norm: float = 0.5
    start: str = ""

    def __post_init__(self) -> None:
        for name in ("envs", "epochs"):
            value = getattr(self, name)
            require(value >= 1, f"{name} must be at least 1", value)
        for name in ("steps", "batch"):
            value = getattr(self, name)
            require(value >= 2, f"{name} must be at least 2", value)
        # Advantages are divided by their deviation in a minibatch, which one alone has not.
        require(
            self.envs * self.steps % self.batch != 1,
            f"batch must not leave one step over of the {self.envs * self.steps} of an update",
            self.batch,
        )
        require(self.rate > 0, "rate must be above 0", self.rate)
        require(0 < self.final <= 1, "final must be in (0, 1]", self.final)
        require(0 <= self.lam <= 1, "lam must be in [0, 1]", self.lam)
        for name in ("clip", "norm"):
            value = getattr(self, name)
            require(value > 0, f"{name} must be above 0", value)
        for name in ("entropy", "value"):
            value = getattr(self, name)
            require(value >= 0, f"{name} must be at least 0", value)


TABLES = {"network": GraphShape, "train": Ppo, "validation": Validation}


class _Timed(CandidateVecEnv):
    """Counts its time as the environment's share of *run*."""

    def __init__(self, run: Run, *arguments: Any) -> None:
        self._run = run
        super().__init__(*arguments)

    def step_wait(self) -> Any:
        """See the base class."""
        with self._run.share("environment"):
            return super().step_wait()


class _Ppo(MaskablePPO):
    """Counts the time of its epochs as the learning share of *run*."""

    def __init__(self, run: Run, *arguments: Any, **named: Any) -> None:
        self._run = run
        super().__init__(*arguments, **named)

    def train(self) -> None:
        """See the base class."""
        with self._run.share("learning"):
            super().train()


class _Nothing(BaseFeaturesExtractor):
    """The graph network reads observations itself: what the base class builds sees zeros."""

    def __init__(self, observation_space: spaces.Space[Any]) -> None:
        super().__init__(observation_space, features_dim=1)

    def forward(self, observations: dict[str, torch.Tensor]) -> torch.Tensor:
        return observations["context"].new_zeros((len(observations["context"]), 1))


class GraphActorCritic(MaskableActorCriticPolicy):
    """A graph network as the policy of ``MaskablePPO``.

    env: knows the instances; run: counts the time of the network.
    """

    def __init__(
        self,
        observation_space: spaces.Space[Any],
        action_space: spaces.Discrete,
        lr_schedule: Callable[[float], float],
        *,
        network: GraphNetwork,
        env: CandidateVecEnv,
        run: Run,
        **arguments: Any,
    ) -> None:
        super().__init__(
            observation_space,
            action_space,
            lr_schedule,
            net_arch=[],
            features_extractor_class=_Nothing,
            **arguments,
        )
        self.network, self.env, self._run = network, env, run
        self._kept: dict[int, Memory] = {}
        self._joint: tuple[tuple[int, ...], Memory] | None = None
        self.optimizer = torch.optim.Adam(network.parameters(), lr=lr_schedule(1.0), eps=1e-5)

    def set_training_mode(self, mode: bool) -> None:
        """Forget what was encoded with earlier weights."""
        super().set_training_mode(mode)
        self._kept, self._joint = {}, None

    def _rated(self, observed: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        graph = observed["graph"].reshape(-1).long().cpu().numpy()
        numbers, which = np.unique(graph, return_inverse=True)
        maps = [self.env.maps[number] for number in numbers.tolist()]
        if torch.is_grad_enabled():
            memory = self.network.encode(maps)
        else:
            memory = self._remembered(tuple(numbers.tolist()))
        candidates = Candidates(
            observed["index"].long().cpu().numpy(),
            observed["feature"].cpu().numpy(),
            observed["context"].cpu().numpy(),
        )
        step = self.network.step(memory, candidates, which.reshape(-1), maps)
        score, value = self.network(memory, step)
        if not bool(torch.isfinite(value).all() and torch.isfinite(score[step.there]).all()):
            raise TrainingError(
                "what the network says is no longer finite; the last good state is kept"
            )
        # The distribution's own mask is the same; -inf times a probability of 0 is no number.
        return score.masked_fill(~step.there, -1e8), value.unsqueeze(1)

    def _remembered(self, numbers: tuple[int, ...]) -> Memory:
        """Memory of some instances, each encoded once between two changes of the weights."""
        if self._joint is not None and self._joint[0] == numbers:
            return self._joint[1]
        for number in numbers:
            if number not in self._kept:
                self._kept[number] = self.network.encode([self.env.maps[number]])
        self._kept = {number: self._kept[number] for number in numbers}
        memory = Memory.joined([self._kept[number] for number in numbers])
        self._joint = numbers, memory
        return memory

    def _distribution(self, score: torch.Tensor, masks: Any) -> MaskableCategoricalDistribution:
        found = MaskableCategoricalDistribution(score.shape[1])
        found.proba_distribution(score)
        if masks is not None:
            found.apply_masking(masks)
        return found

    def forward(
        self, obs: Any, deterministic: bool = False, action_masks: Any = None
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Actions, values, log-probabilities."""
        with self._run.share("network"):
            score, value = self._rated(obs)
        distribution = self._distribution(score, action_masks)
        actions = distribution.get_actions(deterministic=deterministic)
        return actions, value, distribution.log_prob(actions)

    def evaluate_actions(
        self, obs: Any, actions: torch.Tensor, action_masks: Any = None
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
        """Values, log-probabilities and entropy of *actions*."""
        score, value = self._rated(obs)
        distribution = self._distribution(score, action_masks)
        return value, distribution.log_prob(actions), distribution.entropy()

    def predict_values(self, obs: Any) -> torch.Tensor:
        """Values."""
        with self._run.share("network"):
            return self._rated(obs)[1]

    def get_distribution(
        self, obs: Any, action_masks: Any = None
    ) -> MaskableCategoricalDistribution:
        """Distribution over the candidates."""
        return self._distribution(self._rated(obs)[0], action_masks)


def train(run: Run) -> None:
    """Train until the time or the updates of *run* are used up."""
    table: Ppo = run.config["train"]
    data: Data = run.config["data"]
    exam = Exam(run)
    extra = exam.roots[0].decision.shape[1] - 8
    network, optimiser, generator = begin(run, table.rate, table.start, extra)
    seed = run.config.run.seed
    env = _Timed(
        run,
        lambda rng: data.draw(rng, 1, done=run.done)[0],
        table.envs,
        data.most_candidates,
        data.patterns(),
        # A run that goes on sees other instances than it has seen.
        seed + 1_000_003 * run.update,
    )
    model = _Ppo(
        run,
        GraphActorCritic,
        env,
        n_steps=table.steps,
        batch_size=table.batch,
        n_epochs=table.epochs,
        gamma=1.0,
        gae_lambda=table.lam,
        clip_range=table.clip,
        ent_coef=table.entropy,
        vf_coef=table.value,
        max_grad_norm=table.norm,
        learning_rate=lambda _: table.rate * (1 - (1 - table.final) * run.done),
        policy_kwargs={"network": network, "env": env, "run": run},
        device=run.device,
        seed=seed + run.update,
    )
    if run.resumed() is not None:
        model.policy.optimizer.load_state_dict(optimiser.state_dict())
    before = 0
    while run.left > 0:
        env.forget()
        # What is neither environment, network nor learning: copies between them, the buffer.
        with run.share("copy"):
            model.learn(table.envs * table.steps, reset_num_timesteps=False)
        if exam.due(run):
            said = model.logger.name_to_value
            numbers = {
                name.rpartition("/")[2]: float(said[name])
                for name in ("train/loss", "train/entropy_loss", "train/explained_variance")
                if name in said
            }
            exam.take(run, network, **numbers, decisions=float(model.num_timesteps - before))
            before = model.num_timesteps
        run.save(state_of(network, model.policy.optimizer, generator, references=exam.references))
