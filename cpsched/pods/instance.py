"""The pod-packing instance: nodes, pods with their requests, rules, and where pods run now."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from cpsched.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

IntArray = npt.NDArray[np.int32]
LongArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

#: Sums of requests and of allocatable amounts stay below this.
MAX_AMOUNT = 2**62

#: A grace period costs no more than one of so many seconds.
MAX_GRACE = 10**6

#: Most that a policy asks: of costs of many millions, integer programs lose sight of single units.
MAX_PRICE = 10**4

#: A pod that runs nowhere.
PENDING = -1


def _ints(
    values: npt.ArrayLike, what: str, dtype: type[np.signedinteger[Any]]
) -> npt.NDArray[Any]:
    """Read-only copy of *values* as *dtype*; InputError instead of a wrapped or rounded number."""
    array = np.asarray(values)
    if array.size and array.dtype.kind not in "iu":
        raise InputError(f"{what} must be integers")
    limits = np.iinfo(dtype)
    if array.size and (array.max() > limits.max or array.min() < limits.min):
        raise InputError(f"{what} holds a number beyond {limits.min}..{limits.max}")
    copy = array.astype(dtype)
    copy.setflags(write=False)
    return copy


def _indices(values: npt.ArrayLike, what: str) -> IntArray:
    """Sorted, distinct, read-only pod indices."""
    array: IntArray = np.unique(_ints(values, what, np.int32)).astype(np.int32)
    array.setflags(write=False)
    return array


@dataclass(frozen=True, eq=False)
class _Arrays:
    """Equality and hash by content, arrays included."""

    def _key(self) -> tuple[object, ...]:
        values = (getattr(self, entry.name) for entry in fields(self))
        return tuple(
            (value.shape, value.tobytes()) if isinstance(value, np.ndarray) else value
            for value in values
        )

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())


@dataclass(frozen=True, slots=True)
class Policy:
    """What a repack may cost; always after placement.

    A move of a pod costs ``move + grace_period // grace_unit + budget * (covered by a PDB)``, in
    whole units; leaving a running pod without a place costs ``evict`` times as much. never_moves:
    whether pods of ``preemptionPolicy: Never`` may make other pods move (evict, they never may).

    Raises InputError unless move >= 1, evict >= 2, grace_unit >= 1 (seconds) and budget >= 0.
    """

    move: int = 1
    evict: int = 2
    grace_unit: int = 60
    budget: int = 1
    never_moves: bool = False

    def __post_init__(self) -> None:
        for name, least in (("move", 1), ("evict", 2), ("grace_unit", 1), ("budget", 0)):
            value = getattr(self, name)
            if type(value) is not int or not least <= value <= MAX_PRICE:
                raise InputError(f"policy {name} must be an integer in {least}..{MAX_PRICE}")
        if type(self.never_moves) is not bool:
            raise InputError("policy never_moves must be true or false")


@dataclass(frozen=True, eq=False)
class Budget(_Arrays):
    """A PodDisruptionBudget: at most *allowed* of *pods* (indices) may be moved or evicted."""

    name: str
    pods: IntArray
    allowed: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "pods", _indices(self.pods, f"pods of budget {self.name}"))
        if self.allowed < 0:
            raise InputError(f"budget {self.name}: {self.allowed} disruptions allowed is negative")


@dataclass(frozen=True, eq=False)
class Conflict(_Arrays):
    """Required pod anti-affinity, or a host port: who may not share a domain with whom.

    domain: shape (num_nodes,), domain of each node, -1 where the node has no such topology label
    (the rule does not apply there). No two different pods, one of *holders* and one of *targets*
    (indices), in one domain. It is symmetric: neither may come to where the other is. Pairs that
    share a domain already and both stay are let be.
    """

    name: str
    domain: IntArray
    holders: IntArray
    targets: IntArray

    def __post_init__(self) -> None:
        object.__setattr__(self, "domain", _ints(self.domain, f"domains of {self.name}", np.int32))
        for side in ("holders", "targets"):
            object.__setattr__(self, side, _indices(getattr(self, side), f"{side} of {self.name}"))

    @property
    def sides(self) -> tuple[tuple[IntArray, IntArray], ...]:
        """Pairs of who may be refused and for whose sake."""
        return (self.holders, self.targets), (self.targets, self.holders)


@dataclass(frozen=True, eq=False)
class Affinity(_Arrays):
    """Required pod affinity: a holder comes only to where a target is, in every topology.

    domains: shape (terms, num_nodes), for each term the domain of each node, -1 where the node
    lacks the label: no holder may come there. targets: pods that match all terms of the holders.
    A holder that is a target itself may come first, while no target runs on a node with any of
    the labels. Holders that
    stay are not asked (it is required during scheduling, ignored during execution).
    """

    name: str
    domains: IntArray
    holders: IntArray
    targets: IntArray

    def __post_init__(self) -> None:
        object.__setattr__(
            self,
            "domains",
            np.atleast_2d(_ints(self.domains, f"domains of {self.name}", np.int32)),
        )
        for side in ("holders", "targets"):
            object.__setattr__(self, side, _indices(getattr(self, side), f"{side} of {self.name}"))


@dataclass(frozen=True, eq=False)
class Spread(_Arrays):
    """Topology spread constraint with ``DoNotSchedule``.

    domain: shape (num_nodes,), domain of each node, -1 where the label is missing or the node is
    not eligible (inclusion policies): no holder may come there and its pods do not count. In a
    domain to which a holder comes, the number of *counted* pods less the least number in any
    domain (0 if there are fewer than *min_domains*) is at most *max_skew* afterwards.
    """

    name: str
    domain: IntArray
    holders: IntArray
    counted: IntArray
    max_skew: int
    min_domains: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "domain", _ints(self.domain, f"domains of {self.name}", np.int32))
        for side in ("holders", "counted"):
            object.__setattr__(self, side, _indices(getattr(self, side), f"{side} of {self.name}"))
        if self.max_skew < 1 or self.min_domains < 1:
            raise InputError(f"spread {self.name}: max_skew and min_domains must be at least 1")

    @property
    def sides(self) -> tuple[tuple[IntArray, IntArray], ...]:
        """Pairs of who may be refused and for whose sake."""
        return ((self.holders, self.counted),)


@dataclass(frozen=True, eq=False)
class Cluster(_Arrays):
    """A cluster: what nodes offer, what pods request, where pods are, what holds them.

    Parameters
    ----------
    name
        Name for reports.
    resources
        Names; the unit of ``cpu`` is the millicore, of ``memory`` and ``ephemeral-storage`` the
        byte, of ``pods`` and of all others the piece.
    nodes, pods
        Names, pods as ``namespace/name``; pods in order of arrival (creation, then name).
    allocatable
        Shape (num_nodes, num_resources).
    request
        Shape (num_pods, num_resources).
    priority
        Shape (num_pods,): higher is more important.
    node
        Shape (num_pods,): node a pod runs on, -1 for a pending pod.
    owners, owner
        Names of controllers, and shape (num_pods,): index of a pod's, -1 for none.
    allowed, profile
        Shape (num_profiles, num_nodes): where pods of a profile may come, by node selector,
        affinity, taints, cordons and readiness; shape (num_pods,): profile of each pod.
    held
        For each pod the reason why it may not be moved (running) or not be placed (pending),
        empty if it may.
    preempts
        Shape (num_pods,): False for ``preemptionPolicy: Never``.
    grace
        Shape (num_pods,): termination grace period, seconds.
    budgets, conflicts, affinities, spreads
        The rules that tie pods to each other.
    policy
        What moves and evictions cost.

    A node may run more than it has: then it accepts nothing that requests that resource until it
    has room, but what runs there may stay. A pod stays on a node that is not *allowed* for it.

    Raises
    ------
    InputError
        If sizes do not fit together, a name occurs twice, an index is out of range, an amount is
        negative, or a sum of amounts would reach ``MAX_AMOUNT``.
    """

    family: ClassVar[str] = "pods"

    name: str
    resources: tuple[str, ...]
    nodes: tuple[str, ...]
    allocatable: LongArray
    pods: tuple[str, ...]
    request: LongArray
    priority: LongArray
    node: IntArray
    owners: tuple[str, ...]
    owner: IntArray
    allowed: BoolArray
    profile: IntArray
    held: tuple[str, ...]
    preempts: BoolArray
    grace: LongArray
    budgets: tuple[Budget, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    affinities: tuple[Affinity, ...] = ()
    spreads: tuple[Spread, ...] = ()
    policy: Policy = field(default_factory=Policy)

    def __post_init__(self) -> None:
        for entry, dtype in (
            ("allocatable", np.int64),
            ("request", np.int64),
            ("priority", np.int64),
            ("grace", np.int64),
            ("node", np.int32),
            ("owner", np.int32),
            ("profile", np.int32),
        ):
            object.__setattr__(self, entry, _ints(getattr(self, entry), entry, dtype))
        for entry in ("allowed", "preempts"):
            flags = np.array(getattr(self, entry), dtype=np.bool_)
            flags.setflags(write=False)
            object.__setattr__(self, entry, flags)
        for problem in self._problems():
            raise InputError(f"{self.name}: {problem}")

    def _problems(self) -> Iterator[str]:
        """What is wrong, most basic first; the first is raised."""
        if not self.nodes:
            yield "a cluster needs at least one node"
        for kind in ("resources", "nodes", "pods", "owners"):
            names = getattr(self, kind)
            if len(set(names)) != len(names):
                twice = next(name for name in names if names.count(name) > 1)
                yield f"{twice} occurs twice among the {kind}"
        pods, nodes, resources = len(self.pods), len(self.nodes), len(self.resources)
        if self.allowed.ndim != 2:
            yield f"allowed has shape {self.allowed.shape}, not (profiles, nodes)"
        for entry, shape in (
            ("allocatable", (nodes, resources)),
            ("request", (pods, resources)),
            ("allowed", (len(self.allowed), nodes)),
            *((name, (pods,)) for name in ("priority", "node", "owner", "profile", "grace")),
            ("preempts", (pods,)),
        ):
            if getattr(self, entry).shape != shape:
                yield f"{entry} has shape {getattr(self, entry).shape}, not {shape}"
        if len(self.held) != pods:
            yield f"{len(self.held)} reasons in held for {pods} pods"
        for entry in ("allocatable", "request", "grace"):
            array = getattr(self, entry)
            if array.size and array.min() < 0:
                yield f"{entry} holds the negative number {array.min()}"
        for entry in ("allocatable", "request"):
            array = getattr(self, entry)
            # Sums of int64 may wrap; those of doubles are off by less than this margin.
            if array.size and array.sum(axis=0, dtype=np.float64).max() >= MAX_AMOUNT // 2:
                yield from self._too_much(entry)
        for entry, low, high in (
            ("node", PENDING, nodes),
            ("owner", -1, len(self.owners)),
            ("profile", 0, len(self.allowed)),
        ):
            array = getattr(self, entry)
            if array.size and (array.min() < low or array.max() >= high):
                yield f"{entry} holds an index outside {low}..{high - 1}"
        yield from self._rule_problems()

    def _too_much(self, entry: str) -> Iterator[str]:
        array: LongArray = getattr(self, entry)
        whose = self.nodes if entry == "allocatable" else self.pods
        for column, resource in enumerate(self.resources):
            total, most = sum(array[:, column].tolist()), int(np.argmax(array[:, column]))
            if total >= MAX_AMOUNT:
                yield (
                    f"{entry} of {resource} adds up to {total}, beyond the 2^62 that fit; the "
                    f"most, {array[most, column]}, is that of {whose[most]}"
                )

    def _rule_problems(self) -> Iterator[str]:
        pods, nodes = len(self.pods), len(self.nodes)
        members: list[tuple[str, IntArray]] = [(rule.name, rule.pods) for rule in self.budgets]
        shapes: list[tuple[str, IntArray]] = []
        for conflict in self.conflicts:
            members += [(conflict.name, conflict.holders), (conflict.name, conflict.targets)]
            shapes.append((conflict.name, conflict.domain))
        for affinity in self.affinities:
            members += [(affinity.name, affinity.holders), (affinity.name, affinity.targets)]
            shapes += [(affinity.name, domain) for domain in affinity.domains]
        for spread in self.spreads:
            members += [(spread.name, spread.holders), (spread.name, spread.counted)]
            shapes.append((spread.name, spread.domain))
        for name, indices in members:
            if len(indices) and (indices[0] < 0 or indices[-1] >= pods):
                yield f"{name}: a pod index is outside 0..{pods - 1}"
        for name, domain in shapes:
            if domain.shape != (nodes,) or domain.min() < -1 or domain.max() >= nodes:
                yield f"{name}: one domain in -1..{nodes - 1} is needed for each node"
        count = np.zeros(pods, np.int64)
        for budget in self.budgets:
            count[budget.pods] += 1
        for pod in np.flatnonzero(count > 1).tolist():
            if not self.held[pod]:
                yield f"pod {self.pods[pod]} is under several budgets and must be held"

    @property
    def num_nodes(self) -> int:
        """Number of nodes."""
        return len(self.nodes)

    @property
    def num_pods(self) -> int:
        """Number of pods."""
        return len(self.pods)

    @cached_property
    def running(self) -> BoolArray:
        """Shape (num_pods,): pods that run on a node now."""
        return self.node >= 0

    @cached_property
    def is_held(self) -> BoolArray:
        """Shape (num_pods,): pods that may not be moved, or not be placed."""
        return np.array([bool(reason) for reason in self.held], dtype=np.bool_)

    @cached_property
    def usage(self) -> LongArray:
        """Shape (num_nodes, num_resources): requested by what runs on each node now."""
        return self.usage_of(self.node)

    def usage_of(self, node: IntArray) -> LongArray:
        """Shape (num_nodes, num_resources): requested on each node if pods are on *node*."""
        total = np.zeros_like(self.allocatable)
        there = np.flatnonzero(node >= 0)
        np.add.at(total, node[there], self.request[there])
        return total

    @cached_property
    def tiers(self) -> tuple[int, ...]:
        """Distinct priorities, highest first."""
        return tuple(sorted(set(self.priority.tolist()), reverse=True))

    @cached_property
    def covered(self) -> BoolArray:
        """Shape (num_pods,): pods under a disruption budget."""
        flags = np.zeros(self.num_pods, dtype=np.bool_)
        for budget in self.budgets:
            flags[budget.pods] = True
        return flags

    @cached_property
    def move_cost(self) -> LongArray:
        """Shape (num_pods,): cost of moving each pod; see ``Policy``."""
        policy = self.policy
        grace = np.minimum(self.grace, MAX_GRACE) // policy.grace_unit
        cost = policy.move + grace + policy.budget * self.covered
        return np.asarray(cost, dtype=np.int64)

    @cached_property
    def evict_cost(self) -> LongArray:
        """Shape (num_pods,): cost of leaving each running pod without a place."""
        return self.policy.evict * self.move_cost
