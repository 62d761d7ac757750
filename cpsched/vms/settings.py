"""The policy of a cluster, changed by what a user asks for in words."""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

from cpsched.errors import InputError
from cpsched.vms.policy import Fragment, Policy

if TYPE_CHECKING:
    from cpsched.vms.instance import VmCluster

#: Settings by name: the fields of ``Policy`` that may be changed. Those named last take texts:
#: ``goal`` a rate such as ``0.40`` or ``2/5``, ``fragments`` slot sizes such as ``16,64d``.
SETTINGS: Final = ("max_moves", "objective", "in_flight", "inflow", "outflow", "goal", "fragments")

_SIZE = re.compile(r"([0-9]{1,7})(d?)(?:\*([0-9]{1,7}))?")


def with_setting(cluster: VmCluster, name: str, value: Any) -> VmCluster:
    """*cluster* with another value of one of ``SETTINGS``.

    A goal makes ``goal`` the objective; another objective takes the goal away.

    Raises
    ------
    InputError
        If the value is not allowed.
    """
    changes: dict[str, Any] = {name: value}
    if name == "goal":
        changes = {"goal": goal(value), "objective": "goal"}
    elif name == "fragments":
        changes = {"fragments": fragments(value)}
    elif name == "objective" and value != "goal":
        changes["goal"] = None
    elif name == "objective" and cluster.policy.goal is None:
        raise InputError("which fragment rate is to be reached? State the goal")
    return replace(cluster, policy=replace(cluster.policy, **changes))


def goal(text: str) -> tuple[int, int]:
    """Numerator and denominator of a rate in 0..1 such as ``0.40`` or ``2/5``."""
    try:
        rate = Fraction(text)
    except (ValueError, ZeroDivisionError):
        rate = Fraction(-1)
    if not 0 <= rate <= 1 or rate.denominator >= 2**31:
        raise InputError(f"a fragment rate is a number in 0..1 such as 0.40, not {text[:40]!a}")
    return rate.numerator, rate.denominator


def fragments(text: str) -> tuple[Fragment, ...]:
    """Slot sizes such as ``16`` or ``16,64d*4``: cores, d for double, and a weight."""
    found = []
    for part in text.split(","):
        match = _SIZE.fullmatch(part.strip())
        if match is None:
            raise InputError(
                "slot sizes are cores, with d for one that is spread over the NUMA nodes of a PM "
                f"and *WEIGHT if need be, such as 16 or 16,64d*2; not {part[:40]!a}"
            )
        cores, double, weight = match.groups()
        found.append(Fragment(int(cores), bool(double), int(weight or 1)))
    return Policy(fragments=tuple(found)).fragments
