"""Priority classes, for pods whose own priority is not filled in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from cpsched.errors import InputError
from cpsched.instances.kubernetes import fields

if TYPE_CHECKING:
    from cpsched.instances.kubernetes.documents import ApiObject

_LIMIT = 2**31


class PriorityClass(NamedTuple):
    """Value and preemption policy of a class."""

    value: int
    preempts: bool
    is_default: bool


#: Classes that every cluster has.
_SYSTEM: Final = {
    "system-cluster-critical": PriorityClass(2_000_000_000, True, False),
    "system-node-critical": PriorityClass(2_000_001_000, True, False),
}


def preempts(value: Any, path: str) -> bool:
    """Whether a preemption policy is not Never."""
    allowed = ("PreemptLowerPriority", "Never")
    return fields.choice(value, allowed, "PreemptLowerPriority", path) != "Never"


def number(value: Any, path: str) -> int:
    """A priority."""
    return fields.integer(value, -_LIMIT, _LIMIT - 1, path)


class PriorityClasses:
    """The classes of a snapshot."""

    def __init__(self) -> None:
        self._classes = dict(_SYSTEM)
        self._read: set[str] = set()

    def add(self, item: ApiObject) -> None:
        """Take a PriorityClass; InputError if its name was there before."""
        meta = fields.mapping(item.body.get("metadata"), f"{item.path}.metadata")
        name = fields.name(meta.get("name"), f"{item.path}.metadata.name")
        if name in self._read:
            raise InputError(
                f"priority class {name} occurs twice", path=f"{item.path}.metadata.name"
            )
        self._read.add(name)
        value = item.body.get("value")
        self._classes[name] = PriorityClass(
            0 if value is None else number(value, f"{item.path}.value"),
            preempts(item.body.get("preemptionPolicy"), f"{item.path}.preemptionPolicy"),
            fields.flag(item.body.get("globalDefault"), f"{item.path}.globalDefault"),
        )

    def of(self, spec: dict[str, Any], path: str) -> tuple[int, bool]:
        """Priority of a pod with *spec*, and whether it may preempt.

        Raises
        ------
        InputError
            If it has no priority and names a class that is not in the snapshot.
        """
        name = fields.string(spec.get("priorityClassName"), f"{path}.priorityClassName")
        found = self._classes.get(name) if name else self._default()
        policy = spec.get("preemptionPolicy")
        may_preempt = (
            found.preempts
            if policy is None and found is not None
            else preempts(policy, f"{path}.preemptionPolicy")
        )
        if spec.get("priority") is not None:
            return number(spec["priority"], f"{path}.priority"), may_preempt
        if name and found is None:
            raise InputError(
                f"priority class {fields.shown(name)} is not in the snapshot, and the pod has no "
                "priority",
                path=f"{path}.priorityClassName",
            )
        return (found.value if found is not None else 0), may_preempt

    def _default(self) -> PriorityClass | None:
        """Of several default classes the lowest is meant."""
        defaults = [entry for entry in self._classes.values() if entry.is_default]
        return min(defaults) if defaults else None
