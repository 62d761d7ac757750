"""What a learned policy can do, and the code behind each kind of weights."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol, Self, cast, runtime_checkable

from cpsched.agents.weights import load
from cpsched.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np
    import numpy.typing as npt

    from cpsched.agents.weights import Checkpoint

#: Class behind each kind of weights and family; it follows ``LearnedPolicy``.
_CLASSES = {
    ("score", "jobshop"): "cpsched.agents.score.jobshop:ShopScore",
    ("graph", "jobshop"): "cpsched.agents.graph_policy:GraphPolicy",
    ("graph", "pods"): "cpsched.agents.graph_policy:GraphPolicy",
    ("score", "pods"): "cpsched.agents.score.pods:PodScore",
    ("score", "vms"): "cpsched.agents.score.vms:VmScore",
}


class LearnedPolicy(Protocol):
    """Weights bound to the code that rolls them out."""

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> Self:
        """The policy of *checkpoint*.

        InputError if it does not fit the code: trained on other features, or another network.
        """

    def roll(
        self,
        instance: Any,
        *,
        samples: int,
        seed: int,
        stop: Callable[[], bool],
        halt: npt.NDArray[np.int64] | None = None,
        temperature: float | None = None,
    ) -> Iterator[Any]:
        """Solutions of *instance*, as they are finished, each better than those before.

        The first is the greedy one; *samples* - 1 that are drawn follow. Equal seeds give equal
        solutions. InputError if the policy cannot handle the instance.

        Parameters
        ----------
        instance
            Of the checkpoint's family.
        samples
            How many solutions, at least 1.
        seed
            Of what is drawn.
        stop
            Looked at between steps of a few milliseconds; once it is true, no more come.
        halt
            Shape (1,): anything but 0 ends a kernel that is under way.
        temperature
            Of the draws; None: that of the checkpoint.
        """


@runtime_checkable
class BeamPolicy(Protocol):
    """A policy that beam search is known for."""

    def beam(self, instance: Any, *, width: int, stop: Callable[[], bool]) -> Iterator[Any]:
        """The solution at the end of a beam of *width*, if there is one."""


def prepare(weights: str) -> None:
    """Import what *weights*, a name or a file, run on; raises as ``load`` and ``policy_of``."""
    _class(load(weights))


def policy_of(checkpoint: Checkpoint) -> LearnedPolicy:
    """The policy that *checkpoint* holds; InputError if it does not fit."""
    return _class(checkpoint).of(checkpoint)


def _class(checkpoint: Checkpoint) -> type[LearnedPolicy]:
    key = checkpoint.kind, checkpoint.family
    if key not in _CLASSES:
        known = ", ".join(f"{kind} for {family}" for kind, family in _CLASSES)
        raise InputError(f"no policy is known for weights {key[0]} for {key[1]}; known: {known}")
    module, _, name = _CLASSES[key].partition(":")
    try:
        found = import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("cpsched"):
            raise
        raise InputError(
            f"weights of the kind {key[0]} need {error.name}: pip install cpsched[rl]"
        ) from error
    return cast("type[LearnedPolicy]", getattr(found, name))
