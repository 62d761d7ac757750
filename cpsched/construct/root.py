"""Where an episode begins: the state before the first decision, and what it looks like."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cpsched.construct import layout as at
from cpsched.construct.observe import CONSTRAINT_FEATURES, DECISION_FEATURES, show_all
from cpsched.construct.state import FRAME_CODES, Frame, Outcome, State
from cpsched.errors import InputError
from cpsched.propagation.layout import HEADER

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from cpsched.construct.compile import Construction
    from cpsched.construct.observe import Bytes, Floats
    from cpsched.formulation import Values


class NothingToDecideError(InputError):
    """An instance whose episode would be over before its first decision."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """Sizes of an observation.

    decisions, constraints: nodes; features: columns of a decision; precedences, memberships:
    edges. All are at least 1, so that every array has room for its padding.
    """

    decisions: int
    features: int
    constraints: int
    precedences: int
    memberships: int

    @classmethod
    def largest(cls, several: Sequence[Sizes]) -> Sizes:
        """The least sizes that hold all of *several*."""
        return cls(
            decisions=max(sizes.decisions for sizes in several),
            features=max(sizes.features for sizes in several),
            constraints=max(sizes.constraints for sizes in several),
            precedences=max(sizes.precedences for sizes in several),
            memberships=max(sizes.memberships for sizes in several),
        )

    def hold(self, other: Sizes) -> bool:
        """Whether *other* fits."""
        return Sizes.largest((self, other)) == self


@dataclass(frozen=True, slots=True, eq=False)
class Root:
    """A construction in a frame before the first decision, ready to be copied at every reset.

    row: the state; decision, constraint: features of the nodes; mask: shape (num_decisions + 1,),
    1 where a decision is legal, the last one standing for waiting; precedence, membership: shape
    (2, edges), padded with -1 to one edge at least; weight: shape (memberships,), share of the
    constraint's capacity that the decision of a membership uses (of a no-overlap: of its work).
    """

    construction: Construction
    frame: Frame
    row: Values
    decision: Floats
    constraint: Floats
    mask: Bytes
    precedence: npt.NDArray[np.int32]
    membership: npt.NDArray[np.int32]
    weight: Floats

    @classmethod
    def of(cls, construction: Construction, frame: Frame, *, probe: bool = False) -> Root:
        """Root of *construction*.

        Raises NothingToDecideError if propagation decides all, or whatever is decided first
        fails.
        """
        state: State[object] = State(construction, frame, probe=probe)
        if state.outcome is Outcome.FINISHED:
            raise NothingToDecideError(
                "nothing is left to decide: propagation alone fixes every decision"
            )
        if state.outcome is Outcome.DEAD_END:
            raise NothingToDecideError(f"there is no first decision: {state.why()}")
        count = construction.num_decisions
        extra = construction.formulation.features
        columns = 0 if extra is None else extra.shape[1]
        decision = np.zeros((count, DECISION_FEATURES + columns), np.float32)
        if extra is not None:
            decision[:, DECISION_FEATURES:] = extra
        constraint = np.zeros((max(1, len(construction.nodes)), CONSTRAINT_FEATURES), np.float32)
        mask = np.zeros(count + 1, np.int8)
        show_all(state.static, state.row, decision, constraint, mask)
        return cls(
            construction=construction,
            frame=frame,
            row=state.row,
            decision=decision,
            constraint=constraint,
            mask=mask,
            precedence=_padded(construction.arcs),
            membership=_padded(construction.edges),
            weight=_weights(construction),
        )

    @property
    def static(self) -> Values:
        """Static array of the kernels."""
        return self.construction.static

    @property
    def frame_code(self) -> int:
        """Number of the frame in the kernels."""
        return FRAME_CODES[self.frame]

    @property
    def sizes(self) -> Sizes:
        """Sizes of the observation."""
        return Sizes(
            decisions=len(self.decision),
            features=self.decision.shape[1],
            constraints=len(self.constraint),
            precedences=self.precedence.shape[1],
            memberships=self.membership.shape[1],
        )


class ObjectiveScale:
    """From the sum that is minimised inside to the objective that CP-SAT reports.

    Parameters
    ----------
    construction
        Whose model has the objective.
    """

    def __init__(self, construction: Construction) -> None:
        proto = construction.formulation.model.proto
        self.offset, self.factor = 0.0, 1.0
        # Reading the field of a model without an objective would give it one.
        if proto.has_objective():
            self.offset = float(proto.objective.offset)
            self.factor = float(proto.objective.scaling_factor) or 1.0
        self.worst = int(construction.static[at.WORST])

    def __call__(self, total: int) -> float:
        """Objective in the user's sense, a float as CP-SAT's."""
        # Adding 0 makes a negative zero positive.
        return (total + self.offset) * self.factor + 0.0


def values_of(construction: Construction, row: Values) -> Values:
    """View of the least values of the model's variables in a state, shape (num_variables,).

    Of ``row[1:]``: of the greatest.
    """
    return row[HEADER : HEADER + 2 * construction.formulation.num_variables : 2]


def _padded(edges: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    return edges if edges.shape[1] else np.full((2, 1), -1, np.int32)


def _weights(construction: Construction) -> Floats:
    """Weight of each membership over what counts as full, 0 for padding; see ``Root``.

    In a cumulative it is the demand over the largest capacity instead: its work says how long,
    too, which the decision shows.
    """
    static, (decisions, nodes) = construction.static, construction.edges
    if not len(nodes):
        return np.zeros(1, np.float32)
    # One list after the other, decision by decision: (node, weight) in the order of the edges.
    begin = static[static[at.DECISION_EDGES]]
    weight = static[begin + 1 : begin + 2 * len(nodes) : 2]
    full = static[static[at.NODES] + 3 * nodes.astype(np.int64) + 1]
    shares = weight / full
    proto = construction.formulation.model.proto
    reference = static[static[at.DECISIONS] + at.DECISION * decisions.astype(np.int64) + 1]
    demands = {source: dict(entries) for source, entries in construction.network.resources}
    for node, source in enumerate(construction.nodes):
        if not proto.constraints[source].has_cumulative():
            continue
        capacity = proto.constraints[source].cumulative.capacity
        largest = int(capacity.offset)
        for v, a in zip(capacity.vars, capacity.coeffs, strict=True):
            domain = list(proto.variables[v].domain)
            largest += max(a * domain[0], a * domain[len(domain) - 1])
        for edge in np.flatnonzero(nodes == node):
            shares[edge] = demands[source][int(reference[edge])] / max(1, largest)
    found: Floats = shares.astype(np.float32)
    return found
