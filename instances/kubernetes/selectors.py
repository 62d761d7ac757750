"""Label selectors and node selectors, and which of many labelled objects they match."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from cpsched.errors import InputError
from cpsched.instances.formats.native import describe
from cpsched.instances.kubernetes import fields

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from cpsched.pods.instance import BoolArray

_SET_OPERATORS: Final = ("In", "NotIn")
_KEY_OPERATORS: Final = ("Exists", "DoesNotExist")
_ORDER_OPERATORS: Final = ("Gt", "Lt")
_INT64 = re.compile(r"[+-]?[0-9]{1,40}")


class Requirement(NamedTuple):
    """One condition on labels: *key*, *operator*, *values*."""

    key: str
    operator: str
    values: tuple[str, ...]

    def __str__(self) -> str:
        values = ",".join(self.values)
        match self.operator:
            case "In":
                text = f"{self.key}={values}"
            case "NotIn":
                text = f"{self.key}!={values}"
            case "Exists":
                text = self.key
            case "DoesNotExist":
                text = f"!{self.key}"
            case _:
                text = f"{self.key}{'>' if self.operator == 'Gt' else '<'}{values}"
        return fields.shown(text)


#: All conditions together; the empty selector matches everything, None nothing.
Selector = tuple[Requirement, ...]


def label_selector(value: Any, path: str) -> Selector | None:
    """``LabelSelector`` of the API; None (it matches nothing) for an absent one.

    Raises
    ------
    InputError
        At its path for an unknown operator, or values that do not go with an operator.
    """
    if value is None:
        return None
    body = fields.mapping(value, path)
    pairs = fields.labels(body.get("matchLabels"), f"{path}.matchLabels")
    found = [Requirement(key, "In", (text,)) for key, text in pairs.items()]
    found += requirements(
        body.get("matchExpressions"),
        f"{path}.matchExpressions",
        (*_SET_OPERATORS, *_KEY_OPERATORS),
    )
    return tuple(sorted(found))


def node_requirements(value: Any, path: str) -> list[Requirement]:
    """``matchExpressions`` of a node selector term."""
    operators = (*_SET_OPERATORS, *_KEY_OPERATORS, *_ORDER_OPERATORS)
    return requirements(value, path, operators)


def requirements(value: Any, path: str, operators: tuple[str, ...]) -> list[Requirement]:
    """List of conditions with one of *operators* each."""
    found = []
    for at, entry in enumerate(fields.sequence(value, path)):
        where = f"{path}[{at}]"
        body = fields.mapping(entry, where)
        key = fields.string(body.get("key"), f"{where}.key")
        if not key:
            raise InputError("a condition needs a key", path=f"{where}.key")
        operator = body.get("operator")
        if not isinstance(operator, str) or operator not in operators:
            raise InputError(
                f"unknown operator {describe(operator)}; known: {', '.join(operators)}",
                path=f"{where}.operator",
            )
        values = fields.strings(body.get("values"), f"{where}.values")
        _check_values(operator, values, f"{where}.values")
        found.append(Requirement(key, operator, tuple(sorted(set(values)))))
    return found


def _check_values(operator: str, values: tuple[str, ...], path: str) -> None:
    if operator in _SET_OPERATORS and not values:
        raise InputError(f"the operator {operator} needs values", path=path)
    if operator in _KEY_OPERATORS and values:
        raise InputError(f"the operator {operator} takes no values", path=path)
    if operator in _ORDER_OPERATORS and (len(values) != 1 or integer(values[0]) is None):
        raise InputError(f"the operator {operator} needs one integer", path=path)


def integer(text: str) -> int | None:
    """*text* as the 64-bit integer it is, None if it is none."""
    if not _INT64.fullmatch(text):
        return None
    number = int(text)
    return number if -(2**63) <= number < 2**63 else None


def matches(selector: Selector | None, labels: Mapping[str, str]) -> bool:
    """Whether one object with *labels* is selected."""
    return selector is not None and all(_holds(entry, labels) for entry in selector)


def _holds(requirement: Requirement, labels: Mapping[str, str]) -> bool:
    value = labels.get(requirement.key)
    match requirement.operator:
        case "In":
            return value in requirement.values
        case "NotIn":
            return value not in requirement.values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
    number, bound = integer(value or ""), integer(requirement.values[0])
    if number is None or bound is None:
        return False
    return number > bound if requirement.operator == "Gt" else number < bound


class LabelIndex:
    """Labels of many objects, so that a condition is evaluated once for each value, not object.

    keys: those that will be asked about.
    """

    def __init__(self, labels: Iterable[Mapping[str, str]], keys: Iterable[str]) -> None:
        found: dict[str, dict[str, list[int]]] = {key: {} for key in keys}
        self.size = 0
        for at, entry in enumerate(labels):
            self.size += 1
            for key in entry.keys() & found.keys():
                found[key].setdefault(entry[key], []).append(at)
        self._members = {
            key: {value: np.array(at) for value, at in values.items()}
            for key, values in found.items()
        }

    def mask(self, selector: Selector | None) -> BoolArray:
        """Shape (size,): objects that *selector* matches."""
        result = np.full(self.size, selector is not None)
        for requirement in selector or ():
            result &= self._mask(requirement)
        return result

    def _mask(self, requirement: Requirement) -> BoolArray:
        members = self._members.get(requirement.key, {})
        if requirement.operator in ("In", "NotIn"):
            values: Iterable[str] = requirement.values
        else:
            values = [value for value in members if _holds(requirement, {requirement.key: value})]
        # Objects without the key hold what NotIn and DoesNotExist ask for.
        negative = requirement.operator in ("NotIn", "DoesNotExist")
        found = np.full(self.size, negative)
        if requirement.operator == "DoesNotExist":
            values = members
        for value in values:
            if value in members:
                found[members[value]] = not negative
        return found
