"""The small learned score of job shops as a policy; needs no torch."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from cpsched.agents.score.flat import divided, joined, require_features
from cpsched.errors import InputError, StopRequestedError
from cpsched.jobshop.instance import JobShop
from cpsched.jobshop.score import FEATURES, Network, Shop, dispatch, shapes
from cpsched.jobshop.score_features import NUM_FEATURES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import numpy.typing as npt

    from cpsched.agents.weights import Checkpoint
    from cpsched.jobshop.solution import Schedule


def config_of(network: Network, temperature: float) -> dict[str, Any]:
    """What ``Checkpoint.config`` says of *network*."""
    return {
        "features": FEATURES,
        "num_features": NUM_FEATURES,
        "width": network.width,
        "depth": network.depth,
        "temperature": temperature,
    }


def tensors_of(network: Network) -> dict[str, npt.NDArray[np.float32]]:
    """The weights of *network* by name."""
    return divided(network.weights, shapes(network.width, network.depth))


def network_of(tensors: Mapping[str, npt.NDArray[np.float32]], width: int, depth: int) -> Network:
    """The network of *tensors*; InputError, naming the tensor, if one is missing or of no use."""
    return Network(joined(tensors, shapes(width, depth)), width, depth)


class ShopScore:
    """The score over conflict sets of ``cpsched.jobshop.score``.

    Every second sample runs on the reversed shop, the second one greedily.
    """

    def __init__(self, network: Network, temperature: float) -> None:
        self.network, self.temperature = network, temperature

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> Self:
        """The policy of *checkpoint*; InputError, naming what differs, if it does not fit."""
        config = checkpoint.config
        require_features(config, features=FEATURES, num_features=NUM_FEATURES)
        width, depth = int(config["width"]), int(config["depth"])
        return cls(network_of(checkpoint.tensors, width, depth), float(config["temperature"]))

    def roll(
        self,
        instance: Any,
        *,
        samples: int,
        seed: int,
        stop: Callable[[], bool],
        halt: npt.NDArray[np.int64] | None = None,
        temperature: float | None = None,
    ) -> Iterator[Schedule]:
        """See ``LearnedPolicy``."""
        if not isinstance(instance, JobShop):
            raise InputError(f"{instance.name} is no job shop")
        shop = Shop(instance)
        heat = self.temperature if temperature is None else temperature
        rng = np.random.default_rng(seed).integers(1, 2**63, size=1).astype(np.uint64)
        best = None
        for sample in count():
            if sample >= samples or stop():
                return
            backwards = sample % 2 == 1
            try:
                makespan, order = dispatch(
                    shop.reversed if backwards else shop,
                    self.network,
                    temperature=0.0 if sample < 2 else heat,
                    rng=rng,
                    halt=halt,
                )
            except StopRequestedError:
                return
            if best is None or makespan < best:
                best = makespan
                yield shop.schedule(order, backwards=backwards)
