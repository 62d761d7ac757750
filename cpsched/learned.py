"""Methods that ask a learned policy: what they are called, and with what weights they work.

The policies themselves are in ``cpsched.agents``, which loads when one is asked for.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

from cpsched.errors import InputError

if TYPE_CHECKING:
    import threading
    from collections.abc import Collection

    from cpsched.incumbent import Incumbent
    from cpsched.protocols import Instance, Limits

#: Method by name, with one line on what it does. ``NAME:N`` is one with N samples.
METHODS = {
    "policy": "a learned policy: its greedy solution and, with samples, others that are drawn",
    "beam": "a learned policy's likeliest episodes side by side, by default 8 (graph networks)",
    "hybrid": "the policy's best solution, then auto from there",
}
#: Samples, or the width of the beam, unless said otherwise.
_SAMPLES = {"policy": 1, "beam": 8, "hybrid": 32}

#: Weights of each family that has some, unless others are named.
DEFAULT_WEIGHTS = {
    "jobshop": "jobshop-score",
    "pods": "pods-score",
    "vms": "vms-score",
}
#: The same for the method ``beam``, which needs a graph network.
BEAM_WEIGHTS = {"jobshop": "jobshop-graph", "pods": "pods-graph"}

MAX_SAMPLES = 1_000_000
_SPELLING = re.compile(r"(policy|beam|hybrid)(?::([0-9]+))?")


@dataclass(frozen=True, slots=True)
class Inference:
    """How a learned policy is asked.

    Parameters
    ----------
    samples
        Solutions in all: the greedy one and others that are drawn; of ``beam`` its width. None:
        1, for ``beam`` 8, for ``hybrid`` 32.
    weights
        Name of shipped weights, or a file; None: ``DEFAULT_WEIGHTS`` of the family.
    temperature
        Of the draws, above 0: the larger, the more even. None: what the weights say.

    Raises InputError for a value out of range.
    """

    samples: int | None = None
    weights: str | None = None
    temperature: float | None = None

    def __post_init__(self) -> None:
        if self.samples is not None and not 1 <= self.samples <= MAX_SAMPLES:
            raise InputError(f"samples must be in 1..{MAX_SAMPLES}, not {self.samples}")
        if self.temperature is not None and not 0 < self.temperature <= 1000:
            raise InputError(f"temperature must be in (0, 1000], not {self.temperature}")


def is_learned(method: str) -> bool:
    """Whether *method* asks a policy."""
    return _SPELLING.fullmatch(method) is not None


def settled(method: str, inference: Inference | None, family: str) -> tuple[str, Inference]:
    """The bare name of a learned *method*, and what is asked with nothing left open.

    Raises InputError if method and *inference* name different numbers of samples, or the family
    has no weights.
    """
    found = _SPELLING.fullmatch(method)
    if found is None:
        raise ValueError(f"{method} is no learned method")
    name, number = found.group(1), found.group(2)
    asked = inference or Inference()
    if number is not None:
        if asked.samples not in (None, int(number)):
            raise InputError(f"method {method} and {asked.samples} samples contradict each other")
        asked = replace(asked, samples=int(number))
    if asked.samples is None:
        asked = replace(asked, samples=_SAMPLES[name])
    if asked.weights is None:
        if family not in (BEAM_WEIGHTS if name == "beam" else DEFAULT_WEIGHTS):
            raise InputError(f"no weights for {name} are shipped for {family}: name a file")
        known = BEAM_WEIGHTS if name == "beam" else DEFAULT_WEIGHTS
        asked = replace(asked, weights=known[family])
    return name, asked


def obstacle(method: str, instance: Instance) -> str:
    """What keeps a learned *method* from solving *instance*; empty if nothing is known to."""
    if not _known(method, instance.family):
        return f"has no weights for {instance.name}, of the family {instance.family}"
    return ""


def prepare(method: str, inference: Inference | None, families: Collection[str] | None) -> None:
    """Import what a learned *method* runs on, kernels or torch, for *families* (None: all).

    InputError if the weights cannot be read.
    """
    import_module("cpsched.agents.methods")
    loading = import_module("cpsched.agents.inference")
    for family in DEFAULT_WEIGHTS if families is None else families:
        if not _known(method, family) and (inference is None or inference.weights is None):
            continue
        _, asked = settled(method, inference, family)
        loading.prepare(asked.weights)


def _known(method: str, family: str) -> bool:
    return family in (BEAM_WEIGHTS if method.startswith("beam") else DEFAULT_WEIGHTS)


def start(
    instance: Instance,
    limits: Limits,
    method: str,
    inference: Inference,
    incumbent: Incumbent[Any],
) -> threading.Thread:
    """Start bare *method* on *incumbent*; returns the running thread."""
    methods = import_module("cpsched.agents.methods")
    return incumbent.run(partial(methods.run, instance, limits, method, inference, incumbent))


def record(inference: Inference) -> dict[str, Any]:
    """What a result says of the policy: weights and their SHA-256, samples, temperature.

    InputError if the weights cannot be read.
    """
    weights = import_module("cpsched.agents.weights")
    return {
        "weights": inference.weights,
        "sha256": weights.digest(inference.weights),
        "samples": inference.samples,
        "temperature": inference.temperature,
    }
