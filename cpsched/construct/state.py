"""The state of a solution under construction: the one sequential engine over a formulation."""

from __future__ import annotations

import enum
import operator
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np

from cpsched.construct import layout as at
from cpsched.construct.compile import Construction, compile_formulation
from cpsched.construct.frames import Frame as Frame
from cpsched.construct.kernels import look_around, step
from cpsched.construct.terms import NUM_TERMS, legal_terms
from cpsched.propagation import DisjunctiveRule, Propagator
from cpsched.propagation.entry import forget_changes
from cpsched.propagation.layout import PROBING

if TYPE_CHECKING:
    import numpy.typing as npt

    from cpsched.formulation import Formulation, Values

SolutionT = TypeVar("SolutionT")


FRAME_CODES = {
    Frame.ALL: at.ALL,
    Frame.ACTIVE: at.ACTIVE,
    Frame.NONDELAY: at.NONDELAY,
    Frame.WAIT: at.WAIT,
    Frame.NEXT: at.NEXT_TASK,
}


class Outcome(enum.IntEnum):
    """Where a construction stands: tasks are left, everything is fixed, or there is no way on."""

    RUNNING = at.RUNNING
    FINISHED = at.FINISHED
    DEAD_END = at.DEAD_END


class State(Generic[SolutionT]):
    """A formulation with the decisions taken so far and all that follows from them.

    Parameters
    ----------
    formulation
        What to decide, or a ``Construction`` compiled from it.
    frame
        Which decisions are legal.
    rules
        Disjunctive rules beyond pairs of intervals.
    probe
        Strike decisions whose propagation fails at once from the legal ones.

    Raises
    ------
    InputError
        If propagation proves that the model has no solution, or does not know a constraint.
    """

    def __init__(
        self,
        formulation: Formulation[SolutionT] | Construction,
        frame: Frame = Frame.ALL,
        *,
        rules: DisjunctiveRule = DisjunctiveRule.NONE,
        probe: bool = False,
    ) -> None:
        if isinstance(formulation, Construction) and rules is not DisjunctiveRule.NONE:
            raise ValueError("rules are part of a construction: compile it with them")
        self.construction = (
            formulation
            if isinstance(formulation, Construction)
            else compile_formulation(formulation, rules)
        )
        self.formulation: Formulation[SolutionT] = self.construction.formulation
        self.frame = Frame(frame)
        self.static = self.construction.static
        self.row = self.construction.root.copy()
        self.propagator = Propagator(self.construction.network, row=self.row)
        # The network's own array with the decisions behind it.
        self.propagator.static = self.static
        self._scratch = np.zeros(len(self.row) if probe else 0, np.int64)
        self.row[PROBING] = int(probe)
        self._outcomes: list[int] = []
        self._look()

    def _look(self) -> None:
        look_around(
            self.static,
            self.row,
            self.propagator.reserve(),
            self._scratch,
            FRAME_CODES[self.frame],
        )

    @property
    def num_decisions(self) -> int:
        """Number of decisions; also the one that stands for waiting."""
        return self.construction.num_decisions

    def legal(self) -> npt.NDArray[np.int64]:
        """Indices of the legal decisions, ``num_decisions`` standing for waiting; a copy."""
        begin = self.static[at.T_LEGAL]
        found = self.row[begin : begin + self.row[at.NUM_LEGAL]]
        if self.row[at.NEXT] != at.NEVER:
            return np.append(found, self.num_decisions)
        return found.copy()

    @property
    def outcome(self) -> Outcome:
        """Whether tasks are left to decide."""
        return Outcome(int(self.row[at.OUTCOME]))

    def apply(self, decision: int) -> Outcome:
        """Take a legal decision and propagate.

        Raises ValueError for a decision that is not legal, TypeError for one that is no integer.
        """
        forget_changes(self.static, self.row)
        outcome = step(
            self.static,
            self.row,
            self.propagator.reserve(),
            self._scratch,
            FRAME_CODES[self.frame],
            decision if operator.index(decision) >= 0 else self.num_decisions + 1,
        )
        if outcome < 0:
            raise ValueError(f"decision {decision} is not legal in frame {self.frame.value!r}")
        return Outcome(outcome)

    def tighten(self, variable: int, lower: int | None = None, upper: int | None = None) -> bool:
        """Post bounds that nobody decided, such as an event that has just been revealed."""
        if not self.propagator.tighten(variable, lower, upper):
            self.row[at.NUM_LEGAL] = 0
            self.row[at.OUTCOME] = at.DEAD_END
            return False
        self._look()
        return self.outcome is not Outcome.DEAD_END

    def bound(self) -> int:
        """Lower bound of the objective as it is minimised, without offset and scaling."""
        return int(self.row[at.BOUND])

    def push(self) -> None:
        """Begin a level that ``pop`` undoes."""
        self._outcomes.append(int(self.row[at.OUTCOME]))
        self.propagator.push()

    def pop(self) -> None:
        """Undo every decision since the last ``push``."""
        self.propagator.pop()
        # A failure posted from outside is on no trail.
        self.row[at.OUTCOME] = self._outcomes.pop()
        self._look()

    def values(self) -> Values:
        """Shape (num_variables,): value of every model variable; ValueError before the end."""
        if self.outcome is not Outcome.FINISHED:
            raise ValueError(f"the construction is not finished: {self.outcome.name.lower()}")
        return self.propagator.lower

    def solution(self) -> SolutionT:
        """The solution constructed; ValueError before the end."""
        return self.formulation.solution(self.values())

    def objective(self) -> int | float:
        """Objective at the end, as CP-SAT reports it; ValueError before."""
        values = self.values()
        return objective_value(self.formulation.model.proto, values)

    def why(self) -> str:
        """Why there is no way on; empty while there is."""
        if self.outcome is not Outcome.DEAD_END:
            return ""
        failure = self.propagator.failure
        return str(failure) if failure else "no eligible decision can be taken without a failure"

    def terms(self) -> npt.NDArray[np.float64]:
        """What rules score, a row per legal decision but waiting; see ``rules.TERMS``."""
        table = np.empty((int(self.row[at.NUM_LEGAL]), NUM_TERMS))
        legal_terms(self.static, self.row, table)
        return table


def objective_value(proto: Any, values: Values) -> int | float:
    """Objective of a ``CpModelProto`` in the user's sense, 0 without one, for given values."""
    if not proto.has_objective():
        return 0
    objective = proto.objective
    total = sum(
        c * int(values[v] if v >= 0 else -values[-v - 1])
        for v, c in zip(objective.vars, objective.coeffs, strict=True)
    )
    scaled = (total + objective.offset) * (objective.scaling_factor or 1.0)
    return int(scaled) if float(scaled).is_integer() else float(scaled)
