"""The small learned score of pod packing as a policy; needs no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np

from cpsched.agents.score.flat import divided, joined, require_features
from cpsched.errors import InputError, StopRequestedError
from cpsched.pods.instance import Cluster
from cpsched.pods.objective import objective
from cpsched.pods.score import FEATURES, Network, Placing, shapes
from cpsched.pods.score_kernels import NUM_FEATURES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import numpy.typing as npt

    from cpsched.agents.weights import Checkpoint
    from cpsched.pods.solution import Placement


def config_of(network: Network, temperature: float) -> dict[str, Any]:
    """What ``Checkpoint.config`` says of *network*."""
    return {
        "features": FEATURES,
        "num_features": NUM_FEATURES,
        "width": network.width,
        "temperature": temperature,
    }


def tensors_of(network: Network) -> dict[str, npt.NDArray[np.float32]]:
    """The weights of *network* by name."""
    return divided(network.weights, shapes(network.width))


def network_of(tensors: Mapping[str, npt.NDArray[np.float32]], width: int) -> Network:
    """The network of *tensors*; InputError, naming the tensor, if one is missing or of no use."""
    return Network(joined(tensors, shapes(width)), width)


class PodScore:
    """The learned placement of ``cpsched.pods.score``."""

    def __init__(self, network: Network, temperature: float) -> None:
        self.network, self.temperature = network, temperature

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> Self:
        """The policy of *checkpoint*; InputError, naming what differs, if it does not fit."""
        config = checkpoint.config
        require_features(config, features=FEATURES, num_features=NUM_FEATURES)
        network = network_of(checkpoint.tensors, int(config["width"]))
        return cls(network, float(config["temperature"]))

    def roll(
        self,
        instance: Any,
        *,
        samples: int,
        seed: int,
        stop: Callable[[], bool],
        halt: npt.NDArray[np.int64] | None = None,
        temperature: float | None = None,
    ) -> Iterator[Placement]:
        """See ``LearnedPolicy``."""
        if not isinstance(instance, Cluster):
            raise InputError(f"{instance.name} is no cluster of pods")
        placing = Placing(instance)
        heat = self.temperature if temperature is None else temperature
        rng = np.random.default_rng(seed).integers(1, 2**63, size=1).astype(np.uint64)
        best: int | None = None
        for sample in range(samples):
            if stop():
                return
            try:
                found = placing.run(
                    self.network, temperature=heat if sample else 0.0, rng=rng, halt=halt
                )
            except StopRequestedError:
                return
            value = objective(instance, found.node)
            if best is None or value < best:
                best = value
                yield found
