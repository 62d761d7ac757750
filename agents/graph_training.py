"""What the ways to train a graph network share: settings, validation, the state that is kept."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from cpsched.agents.candidates import Candidates
from cpsched.agents.episodes import Episodes, roll, root_of
from cpsched.agents.networks.graph import (
    GraphNetwork,
    GraphShape,
    config_of,
    network_of,
    tensors_of,
)
from cpsched.agents.run import State, TrainingError
from cpsched.agents.weights import Checkpoint, load
from cpsched.errors import InputError
from cpsched.solving import solve

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cpsched.agents.candidates import Map
    from cpsched.agents.episodes import Past
    from cpsched.agents.run import Run
    from cpsched.agents.validation import Validation


class Exam:
    """Gaps, in per cent, of greedy and of the best of drawn episodes to what a solver finds.

    references: of each validation instance, the cost that the reference solve came to.
    """

    def __init__(self, run: Run) -> None:
        self.data: Any = run.config["data"]
        self.table: Validation = run.config["validation"]
        instances = self.data.held_out(self.table.instances)
        state = run.resumed()
        if state is None:
            with run.share("validation"):
                limit = self.table.seconds
                found = [solve(one, time_limit=limit, workers=1).solution for one in instances]
            if any(solution is None for solution in found):
                raise InputError(
                    f"validation.seconds is too short: the solver comes to nothing in {limit} s"
                )
            self.references = [
                self.data.cost(one, solution)
                for one, solution in zip(instances, found, strict=True)
            ]
        else:
            self.references = state.numbers["references"]
        self.instances = instances
        self.roots = [root_of(one) for one in instances]

    def due(self, run: Run) -> bool:
        """Whether the update that is under way is followed by a validation."""
        return (run.update + 1) % self.table.every == 0 or run.is_last

    def gaps(self, network: GraphNetwork, temperature: float) -> tuple[float, float]:
        """Greedy, and best of one greedy and drawn episodes."""
        network.eval()
        generator = torch.Generator().manual_seed(0)
        greedy, best = [], []
        for instance, root, reference in zip(
            self.instances, self.roots, self.references, strict=True
        ):
            episodes = Episodes([root], self.table.samples)
            with torch.inference_mode():
                memory = network.encode(episodes.maps)
            heat = np.full(self.table.samples, temperature, np.float32)
            heat[0] = 0.0
            roll(episodes, network, memory, temperature=heat, generator=generator)
            found = [episodes.solution(row) for row in range(self.table.samples)]
            cost = np.array(
                [np.inf if one is None else self.data.cost(instance, one) for one in found]
            )
            parts = 100 * (cost / reference - 1)
            greedy.append(parts[0])
            best.append(parts.min())
        network.train()
        return float(np.mean(greedy)), float(np.mean(best))

    def take(self, run: Run, network: GraphNetwork, **numbers: float) -> None:
        """Validate, log, keep the best; TrainingError if a weight is not finite."""
        require_finite(network)
        with run.share("validation"):
            gaps = self.gaps(network, network.shape.temperature)
        run.log(gap=gaps[0], gap_sampled=gaps[1], **numbers)
        run.validated(gaps[0], lambda: self.checkpoint(run, network, gaps))

    def checkpoint(self, run: Run, network: GraphNetwork, gaps: tuple[float, float]) -> Checkpoint:
        """The weights with their card."""
        card = run.card(
            title="a graph network with a pointer to the next decision",
            data="random instances, seeds below 1,000,000; validation from there on",
            results={
                "gap to auto on the validation instances, %": {
                    "greedy": round(gaps[0], 3),
                    f"best of {self.table.samples}": round(gaps[1], 3),
                }
            },
        )
        family = run.config.run.family
        return Checkpoint("graph", family, config_of(network), tensors_of(network), card)


@dataclass(frozen=True, eq=False)
class Lesson:
    """Steps of one episode to learn from.

    map: of its instance; steps: what there was to choose from; choice: what was chosen.
    """

    map: Map
    steps: tuple[Candidates, ...]
    choice: np.ndarray

    @classmethod
    def of(cls, episodes: Episodes, past: Sequence[Past], row: int) -> Lesson:
        """Lesson of one row: the steps at which it had a choice."""
        steps, choice = [], []
        for one in past:
            index = one.candidates.index[row]
            if one.live[row] and (index >= 0).sum() > 1:
                steps.append(
                    Candidates(
                        index[None],
                        one.candidates.feature[row, None],
                        one.candidates.context[row, None],
                    )
                )
                choice.append(int(one.choice[row]))
        return cls(episodes.maps[episodes.which[row]], tuple(steps), np.array(choice, np.int64))


def joined(lessons: Sequence[Lesson]) -> tuple[Candidates, np.ndarray, np.ndarray]:
    """Candidates of all steps, one below the other; the lesson of each; what was chosen."""
    steps = [step for lesson in lessons for step in lesson.steps]
    most = max(step.index.shape[1] for step in steps)
    index = np.full((len(steps), most), -1, np.int64)
    feature = np.zeros((len(steps), most, steps[0].feature.shape[2]), np.float32)
    for k, step in enumerate(steps):
        count = step.index.shape[1]
        index[k, :count], feature[k, :count] = step.index[0], step.feature[0]
    context = np.concatenate([step.context for step in steps])
    which = np.repeat(np.arange(len(lessons)), [len(lesson.steps) for lesson in lessons])
    return (
        Candidates(index, feature, context),
        which,
        np.concatenate([one.choice for one in lessons]),
    )


def imitate(
    network: GraphNetwork, optimiser: torch.optim.Optimizer, lessons: Sequence[Lesson], clip: float
) -> float:
    """One step towards what was chosen in *lessons*; returns the cross-entropy before it."""
    candidates, which, choice = joined(lessons)
    maps = [lesson.map for lesson in lessons]
    memory = network.encode(maps)
    score, _ = network(memory, network.step(memory, candidates, which, maps))
    target = torch.from_numpy(choice).to(score.device)
    loss = torch.nn.functional.cross_entropy(score, target)
    optimiser.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(network.parameters(), clip)
    optimiser.step()
    return float(loss.detach())


def begin(
    run: Run, rate: float, start: str, extra: int
) -> tuple[GraphNetwork, torch.optim.Optimizer, torch.Generator]:
    """Network, optimiser and generator of draws, at the beginning or where the run stopped.

    start: weights to begin with, empty for random ones; a run that goes on does not need them any
    more; extra: see ``GraphNetwork``.
    """
    torch.manual_seed(run.config.run.seed)
    # Tensors of a few rows gain nothing by threads, and lose much where other processes run.
    torch.set_num_threads(1)
    shape: GraphShape = run.config["network"]
    state = run.resumed()
    if start and state is None:
        found = load(start, family=run.config.run.family)
        network = network_of(found.config, found.tensors)
        for name in ("width", "heads", "layers"):
            has, wanted = getattr(network.shape, name), getattr(shape, name)
            if has != wanted:
                raise InputError(
                    f"the network to start with has {name} {has}, the configuration's "
                    f"network.{name} is {wanted}",
                    source=start,
                )
        # The temperature is no weight: the configuration's holds.
        network.shape = shape
    else:
        network = GraphNetwork(shape, extra)
    network.to(torch.device(run.device))
    optimiser = torch.optim.Adam(network.parameters(), lr=rate)
    generator = torch.Generator().manual_seed(run.config.run.seed)
    if state is not None:
        blob = io.BytesIO(state.arrays["torch"].tobytes())
        kept = torch.load(blob, weights_only=True, map_location=run.device)
        network.load_state_dict(kept["network"])
        optimiser.load_state_dict(kept["optimiser"])
        generator.set_state(kept["generator"].cpu())
    return network, optimiser, generator


def require_finite(network: GraphNetwork) -> None:
    """TrainingError, naming the weights, if one is not finite.

    Such a network still decides, by whatever comes first, so gaps do not show it.
    """
    for name, tensor in network.state_dict().items():
        if not bool(torch.isfinite(tensor).all()):
            raise TrainingError(
                f"the weights {name} are no longer finite; the last good state is kept"
            )


def state_of(
    network: GraphNetwork,
    optimiser: torch.optim.Optimizer,
    generator: torch.Generator,
    **numbers: Any,
) -> State:
    """What a run goes on from; TrainingError if a weight is no longer finite."""
    require_finite(network)
    blob = io.BytesIO()
    torch.save(
        {
            "network": network.state_dict(),
            "optimiser": optimiser.state_dict(),
            "generator": generator.get_state(),
        },
        blob,
    )
    return State({"torch": np.frombuffer(blob.getvalue(), np.uint8)}, numbers)
