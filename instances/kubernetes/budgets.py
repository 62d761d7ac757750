"""PodDisruptionBudgets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cpsched.instances.kubernetes import fields, selectors

if TYPE_CHECKING:
    from cpsched.instances.kubernetes.documents import ApiObject
    from cpsched.instances.kubernetes.pods import Pod

#: Annotation in which the writer keeps a name that is none of Kubernetes.
NAME = "cpsched/name"


@dataclass(frozen=True, slots=True)
class DisruptionBudget:
    """A budget as the Eviction API sees it.

    allowed: disruptions that it allows now. spares_unready: whether unready pods go for free.
    """

    namespace: str
    name: str
    selector: selectors.Selector | None
    allowed: int
    spares_unready: bool

    def counts(self, pod: Pod) -> bool:
        """Whether the eviction of a selected pod that ``is_asked`` uses this budget up."""
        return pod.ready or not self.spares_unready


def is_asked(pod: Pod) -> bool:
    """Whether the Eviction API asks budgets at all before it evicts a pod from its node."""
    return pod.phase != "Pending" and not pod.terminating


def parse(item: ApiObject) -> DisruptionBudget:
    """Budget of an API object.

    Without a status, or with a status of an older state of the budget, nothing is allowed: that is
    what the Eviction API does then.
    """
    body, path = item.body, item.path
    meta = fields.mapping(body.get("metadata"), f"{path}.metadata")
    spec = fields.mapping(body.get("spec"), f"{path}.spec")
    status = fields.mapping(body.get("status"), f"{path}.status")
    name = fields.name(meta.get("name"), f"{path}.metadata.name")
    namespace = fields.namespace(meta.get("namespace"), f"{path}.metadata.namespace")
    annotations = fields.labels(meta.get("annotations"), f"{path}.metadata.annotations")
    counts = {
        key: fields.integer(status[key], 0, 2**31 - 1, f"{path}.status.{key}")
        for key in ("disruptionsAllowed", "currentHealthy", "desiredHealthy")
        if status.get(key) is not None
    }
    seen = _generation(status.get("observedGeneration"), f"{path}.status.observedGeneration")
    stale = seen < _generation(meta.get("generation"), f"{path}.metadata.generation")
    policy = fields.choice(
        spec.get("unhealthyPodEvictionPolicy"),
        ("IfHealthyBudget", "AlwaysAllow"),
        "IfHealthyBudget",
        f"{path}.spec.unhealthyPodEvictionPolicy",
    )
    healthy = counts.get("currentHealthy", 0) >= counts.get("desiredHealthy", 0) > 0
    selector = selectors.label_selector(spec.get("selector"), f"{path}.spec.selector")
    if selector == () and body.get("apiVersion") == "policy/v1beta1":
        selector = None  # it selected nothing then
    return DisruptionBudget(
        namespace=namespace,
        name=annotations.get(NAME, f"{namespace}/{name}"),
        selector=selector,
        allowed=0 if stale else counts.get("disruptionsAllowed", 0),
        spares_unready=policy == "AlwaysAllow" or healthy,
    )


def _generation(value: Any, path: str) -> int:
    return 0 if value is None else fields.integer(value, 0, 2**63 - 1, path)
