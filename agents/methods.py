"""The methods ``policy``, ``beam`` and ``hybrid``: a policy, alone or before the portfolio."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cpsched import families
from cpsched.agents.inference import BeamPolicy, policy_of
from cpsched.agents.weights import load
from cpsched.checking import check
from cpsched.errors import InputError

if TYPE_CHECKING:
    from cpsched.incumbent import Incumbent
    from cpsched.learned import Inference
    from cpsched.protocols import Instance, Limits

POLICY = "policy"

#: Share of the time that ``hybrid`` leaves to the policy.
_SHARE = 0.2


def run(
    instance: Instance,
    limits: Limits,
    method: str,
    inference: Inference,
    incumbent: Incumbent[Any],
) -> None:
    """Offer what the policy finds; for ``hybrid``, go on with ``auto`` from the best of it."""
    family = families.of(instance)
    bound = family.quick_bound(instance)
    if bound is not None:
        incumbent.raise_bound(bound, "bounds")
    until = incumbent.elapsed + (_SHARE if method == "hybrid" else 1.0) * incumbent.remaining
    if inference.weights is None or inference.samples is None:
        raise ValueError("weights and samples must be settled before a policy runs")
    policy = policy_of(load(inference.weights, family=instance.family))

    def stop() -> bool:
        return incumbent.done or incumbent.elapsed > until

    if method == "beam":
        if not isinstance(policy, BeamPolicy):
            raise InputError(
                f"weights {inference.weights} are searched by samples, not by a beam; "
                "those of graph networks are"
            )
        found = policy.beam(instance, width=inference.samples, stop=stop)
    else:
        found = policy.roll(
            instance,
            samples=inference.samples,
            seed=limits.seed,
            stop=stop,
            halt=incumbent.halt,
            temperature=inference.temperature,
        )
    for solution in found:
        value = family.value(instance, solution)
        incumbent.submit(value, solution, POLICY, lambda one: check(instance, one))
        if incumbent.done:
            break
    if method == "hybrid" and not incumbent.done:
        family.start(instance, limits, "auto", incumbent).join()
    incumbent.finish()
