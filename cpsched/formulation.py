"""The formulation of a problem: a CP-SAT model plus what an agent may choose in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Self, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt
from ortools.sat.python import cp_model

if TYPE_CHECKING:
    from collections.abc import Callable

SolutionT = TypeVar("SolutionT")

#: One value for each variable of a model, by variable index.
Values: TypeAlias = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Start:
    """Start an interval now: it is present, at the earliest start its domain has left.

    interval: index of the interval constraint in ``model.proto.constraints``; for an optional
    interval the decision also chooses it among its alternatives.
    """

    interval: int


@dataclass(frozen=True, slots=True)
class Assign:
    """Make a literal true: put an item into a bin.

    literal: reference as in the protobuf, v for a Boolean variable and -v - 1 for its negation.
    """

    literal: int


@dataclass(frozen=True, slots=True)
class Reject:
    """Make all of some literals false: leave an item out.

    literals: those of ``Assign`` decisions, or presences of optional intervals.
    """

    literals: tuple[int, ...]


#: What an agent may choose, in the vocabulary of the model.
Decision: TypeAlias = Start | Assign | Reject


@dataclass(frozen=True)
class Formulation(Generic[SolutionT]):
    """A CP-SAT model, written once, of which every method is a reader.

    Parameters
    ----------
    model
        Constraints, and the first of the *stages* as the objective to minimise.
    decisions
        All choices of a sequential agent; taking some of them, the rest follows.
    stages
        Integer expressions to minimise lexicographically.
    decode
        Solution from the values of all variables.
    encode
        Values of all variables from a solution, rules unchecked; ValueError if the model has no
        values to say it with.
    objective
        Value of the first stage in a solution. It may be below the value that the expression
        took in the model, where nothing presses an auxiliary variable down.
    due, weight
        Shape (num_decisions,), for rules: when what a decision starts should be done, and how much
        its lateness counts; None where the problem has no such thing.
    features
        Shape (num_decisions, any): what a family knows of its decisions beyond the model, for
        learned policies; about 0 to 1.
    """

    model: cp_model.CpModel
    decisions: tuple[Decision, ...]
    stages: tuple[cp_model.LinearExprT, ...]
    decode: Callable[[Values], SolutionT]
    encode: Callable[[SolutionT], Values]
    objective: Callable[[SolutionT], int]
    due: Values | None = None
    weight: Values | None = None
    features: npt.NDArray[np.float32] | None = None

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Copies of what reads it, such as environments, share it: a model has no deep copy."""
        return self

    @property
    def num_variables(self) -> int:
        """Number of variables of the model."""
        return len(self.model.proto.variables)

    def solution(self, values: npt.ArrayLike) -> SolutionT:
        """Solution that *values*, one per model variable, stand for."""
        array = np.asarray(values, dtype=np.int64)
        if array.shape != (self.num_variables,):
            raise ValueError(f"{self.num_variables} values needed, got shape {array.shape}")
        return self.decode(array)

    def hint(self, solution: SolutionT) -> None:
        """Make *solution* the hint of the model, in place of any earlier one.

        Every variable gets a value: CP-SAT takes a complete hint as its first solution without
        a search.
        """
        values = self.encode(solution)
        self.model.proto.clear_solution_hint()
        # Two bulk writes; add_hint would cost 5 us per variable.
        self.model.proto.solution_hint.vars.extend(range(len(values)))
        self.model.proto.solution_hint.values.extend(values.tolist())

    def fixed(self, solution: SolutionT) -> cp_model.CpModel:
        """Copy of the model in which every variable has its value in *solution*.

        It has a solution exactly if *solution* satisfies every constraint of the model.
        """
        model = self.model.clone()
        for variable, value in zip(
            model.proto.variables, self.encode(solution).tolist(), strict=True
        ):
            domain = cp_model.Domain.from_flat_intervals(list(variable.domain))
            if not domain.contains(value):
                # An empty domain would make the model invalid; a false clause, infeasible.
                model.add_bool_or([])
                continue
            variable.domain.clear()
            variable.domain.extend([value, value])
        return model
