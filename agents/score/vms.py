"""The small learned heuristic of VM rescheduling as a policy; needs no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np

from cpsched.agents.score.flat import divided, joined, require_features
from cpsched.errors import InputError
from cpsched.vms.greedy import NoWayError
from cpsched.vms.instance import VmCluster
from cpsched.vms.score import FEATURES, Moves, Network, shapes
from cpsched.vms.score_features import COME_FEATURES, LEAVE_FEATURES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import numpy.typing as npt

    from cpsched.agents.weights import Checkpoint
    from cpsched.vms.solution import Migrations


def config_of(network: Network, temperature: float) -> dict[str, Any]:
    """What ``Checkpoint.config`` says of *network*."""
    return {
        "features": FEATURES,
        "leave_features": LEAVE_FEATURES,
        "come_features": COME_FEATURES,
        "width": network.width,
        "temperature": temperature,
    }


def tensors_of(network: Network) -> dict[str, npt.NDArray[np.float32]]:
    """The weights of *network* by name."""
    return divided(network.weights, shapes(network.width))


def network_of(tensors: Mapping[str, npt.NDArray[np.float32]], width: int) -> Network:
    """The networks of *tensors*; InputError, naming the tensor, if one is missing or of no use."""
    return Network(joined(tensors, shapes(width)), width)


class VmScore:
    """The learned heuristic of ``cpsched.vms.score``."""

    def __init__(self, network: Network, temperature: float) -> None:
        self.network, self.temperature = network, temperature

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> Self:
        """The policy of *checkpoint*; InputError, naming what differs, if it does not fit."""
        config = checkpoint.config
        require_features(
            config,
            features=FEATURES,
            leave_features=LEAVE_FEATURES,
            come_features=COME_FEATURES,
        )
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
    ) -> Iterator[Migrations]:
        """See ``LearnedPolicy``; nothing where an evacuation or a goal is out of reach."""
        if not isinstance(instance, VmCluster):
            raise InputError(f"{instance.name} is no cluster of VMs")
        try:
            moves = Moves(instance)
        except NoWayError:
            return
        heat = self.temperature if temperature is None else temperature
        rng = np.random.default_rng(seed).integers(1, 2**63, size=1).astype(np.uint64)
        best: tuple[int, int] | None = None
        for sample in range(samples):
            if stop():
                return
            plan, worth = moves.run(
                self.network, temperature=heat if sample else 0.0, rng=rng, halt=halt
            )
            count = moves.best(worth)
            if count is None:
                continue
            # With a goal the fewest migrations, without one the most worth.
            worthy = 0 if instance.policy.goal else -int(worth[count])
            if best is None or (worthy, count) < best:
                best = worthy, count
                yield moves.migrations(plan, count)
