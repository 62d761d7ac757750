"""What a cluster has and no API object can say: the writer keeps it in a ConfigMap.

The ConfigMap is called ``cpsched`` and has one entry, ``snapshot``: a JSON object with the name,
the policy, the resources in their order, and the names of the rules, those of the rule on the
topology key ``cpsched/conflict-7`` in place 7 of the list ``conflicts``. Other ConfigMaps are
passed over.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Final, TypeVar

from cpsched.errors import InputError
from cpsched.instances.formats import native
from cpsched.instances.kubernetes import fields as api
from cpsched.instances.kubernetes.nodes import DOMAIN_PREFIX
from cpsched.pods.instance import Affinity, Conflict, Policy, Spread

if TYPE_CHECKING:
    from cpsched.instances.kubernetes.documents import ApiObject

CONFIG_MAP: Final = "cpsched"
ENTRY: Final = "snapshot"
KINDS: Final = ("conflict", "affinity", "spread")
_LISTS: Final = {"conflict": "conflicts", "affinity": "affinities", "spread": "spreads"}
_KEYS: Final = ("name", "policy", "resources", *_LISTS.values())

Rule = TypeVar("Rule", Conflict, Affinity, Spread)


@dataclass(frozen=True, slots=True)
class Extras:
    """Name, policy, resources, and the names of the rules by kind."""

    name: str
    policy: Policy
    resources: tuple[str, ...]
    rules: dict[str, tuple[str, ...]]

    def to_json(self) -> dict[str, Any]:
        """JSON object of the ConfigMap's entry."""
        lists = {_LISTS[kind]: list(names) for kind, names in self.rules.items()}
        return {
            "name": self.name,
            "policy": asdict(self.policy),
            "resources": list(self.resources),
            **lists,
        }

    def named(self, kind: str, rules: list[tuple[str, Rule]]) -> tuple[Rule, ...]:
        """*rules*, each with its topology key, under the names and in the order kept here."""
        names = self.rules[kind]
        known: list[tuple[int, Rule]] = []
        pattern = re.compile(rf"{re.escape(topology_key(kind, 0)[:-1])}([0-9]{{1,9}})(-0)?")
        for topology, rule in rules:
            match = pattern.fullmatch(topology)
            at = int(match.group(1)) if match else len(names)
            known.append((at, replace(rule, name=names[at]) if at < len(names) else rule))
        return tuple(rule for _, rule in sorted(known, key=lambda entry: entry[0]))


def topology_key(kind: str, number: int) -> str:
    """Label key on which the writer puts the domains of a rule."""
    return f"{DOMAIN_PREFIX}{kind}-{number}"


def is_ours(item: ApiObject) -> bool:
    """Whether a ConfigMap is the writer's."""
    meta, data = item.body.get("metadata"), item.body.get("data")
    if not isinstance(meta, dict) or not isinstance(data, dict):
        return False
    return meta.get("name") == CONFIG_MAP and ENTRY in data


def parse(item: ApiObject) -> Extras:
    """What the writer's ConfigMap holds; InputError with the path of what is wrong in it."""
    path = f"{item.path}.data.{ENTRY}"
    text = api.string(item.body["data"][ENTRY], path)
    try:
        root = native.check_keys(native.load(text, max_objects=10), _KEYS, "$", "the entry")
        policy = native.check_keys(
            root["policy"], tuple(entry.name for entry in fields(Policy)), "$.policy", "a policy"
        )
        name = api.string(root["name"], "$.name")
        if not 0 < len(name) <= native.MAX_NAME or not name.isprintable():
            raise InputError(f"not a name: {native.describe(name)}", path="$.name")
        return Extras(
            name,
            Policy(**policy),
            api.strings(root["resources"], "$.resources"),
            {kind: api.strings(root[_LISTS[kind]], f"$.{_LISTS[kind]}") for kind in KINDS},
        )
    except InputError as error:
        inside = f" (at {error.path} of the entry)" if error.path else ""
        raise InputError(f"{error.reason}{inside}", path=path) from None
