"""The propagator in Python: domains of all variables, under decisions that can be undone."""

from __future__ import annotations

import itertools
import operator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cpsched.errors import InputError
from cpsched.propagation import layout as at
from cpsched.propagation.entry import (
    forget_changes,
    pop,
    post,
    push,
)
from cpsched.propagation.network import Network
from cpsched.propagation.reader import read_network
from cpsched.propagation.rules import DisjunctiveRule

if TYPE_CHECKING:
    import numpy.typing as npt
    from ortools.sat.python import cp_model

    from cpsched.formulation import Values


#: Variables that a sentence about a failure lists.
_SHOWN = 8
#: Bounds beyond this are refused: those of CP-SAT's variables are within.
_LIMIT = 2**62


@dataclass(frozen=True, slots=True)
class Failure:
    """Why no value is left.

    constraint: index in ``model.proto.constraints``, None if a bound was posted that the domain of
    the variable does not allow; kind, name: of the constraint; variables: its model variables;
    names: their names, empty where they have none.
    """

    constraint: int | None
    kind: str
    name: str
    variables: tuple[int, ...]
    names: tuple[str, ...] = ()

    def __str__(self) -> str:
        pairs = list(itertools.zip_longest(self.variables, self.names))
        shown = ", ".join(f"{v} {name!r}" if name else str(v) for v, name in pairs[:_SHOWN])
        if len(pairs) > _SHOWN:
            shown += f" and {len(pairs) - _SHOWN} more"
        if self.constraint is None:
            return f"no value is left for {self.kind} {shown}"
        name = f" {self.name!r}" if self.name else ""
        return (
            f"constraint {self.constraint}{name} ({self.kind}) cannot hold; its variables are "
            f"{shown}"
        )


class Propagator:
    """Bounds of every variable of a model, kept at the fix point of its constraints.

    Propagation is sound: no value that a solution uses is removed, and a failure means that there
    is no solution under the bounds posted. It is complete once every variable is fixed: a
    violated constraint fails. In between it keeps bounds only: of a domain with holes the values
    at both ends exist.

    Parameters
    ----------
    model
        What to propagate, or a ``Network`` read from it.
    rules
        Rules beyond pairs of intervals for every no-overlap.
    row
        State to go on from, already propagated; a new one if None.

    Raises
    ------
    UnsupportedConstraintError
        If the model has a constraint of a kind that the propagator does not know.
    InvalidModelError
        If CP-SAT refuses the model.
    """

    def __init__(
        self,
        model: cp_model.CpModel | Network,
        rules: DisjunctiveRule = DisjunctiveRule.NONE,
        *,
        row: npt.NDArray[np.int64] | None = None,
    ) -> None:
        self.network = model if isinstance(model, Network) else read_network(model, rules)
        self.static = self.network.static
        self.row = self.network.initial.copy() if row is None else row
        self._trail = np.zeros(0, np.int64)
        self._failures: list[npt.NDArray[np.int64]] = []
        if row is None:
            post(self.static, self.row, self._trail, -1, 0, 0)
        forget_changes(self.static, self.row)

    @property
    def num_variables(self) -> int:
        """Number of variables of the model."""
        return self.network.num_variables

    @property
    def lower(self) -> Values:
        """Shape (num_variables,): least value of each variable; a copy."""
        return self.row[at.HEADER : at.HEADER + 2 * self.num_variables : 2].copy()

    @property
    def upper(self) -> Values:
        """Shape (num_variables,): greatest value of each variable; a copy."""
        return self.row[at.HEADER + 1 : at.HEADER + 2 * self.num_variables : 2].copy()

    @property
    def bound(self) -> int | None:
        """Lower bound of the sum minimised, without offset and scaling; None without one."""
        if not self.network.has_objective:
            return None
        begin = int(self.static[at.OBJECTIVE]) + 1
        count = int(self.static[begin - 1])
        v, c = self.static[begin : begin + 2 * count].reshape(-1, 2).T
        ends = self.row[at.HEADER + 2 * v + (c < 0)]
        return int(c @ ends)

    @property
    def level(self) -> int:
        """Number of levels that ``pop`` can undo."""
        return int(self.row[at.LEVEL])

    @property
    def failure(self) -> Failure | None:
        """What failed, None while nothing has."""
        if not self.row[at.FAILED]:
            return None
        item, variable = int(self.row[at.FAIL_ITEM]), int(self.row[at.FAIL_VAR])
        source = int(self.static[self.static[at.ITEM_SOURCE] + item]) if item >= 0 else -1
        if source < 0:
            variables: tuple[int, ...] = ()
            if 0 <= variable < self.num_variables:
                variables = (variable,)
            kind = "variable" if item < 0 else "the objective's domain"
            return Failure(None, kind, "", variables, self._names(variables))
        kind, name, variables = self.network.sources[source]
        return Failure(source, kind, name, variables, self._names(variables))

    def _names(self, variables: tuple[int, ...]) -> tuple[str, ...]:
        return tuple(self.network.names[v] for v in variables)

    def tighten(self, variable: int, lower: int | None = None, upper: int | None = None) -> bool:
        """Post bounds on a model variable and propagate; False if that fails.

        Raises IndexError for a variable that the model does not have, TypeError for a bound that
        is no integer, RuntimeError after a failure that was not popped.
        """
        if not 0 <= variable < self.num_variables:
            raise IndexError(f"variable {variable} is not one of 0..{self.num_variables - 1}")
        if self.row[at.FAILED]:
            raise RuntimeError(f"the state has failed ({self.failure}): pop it first")
        low, high = self.row[at.HEADER + 2 * variable : at.HEADER + 2 * variable + 2].tolist()
        low = low if lower is None else operator.index(lower)
        high = high if upper is None else operator.index(upper)
        for bound in (low, high):
            if abs(bound) > _LIMIT:
                raise InputError(f"a bound of {bound} is beyond the {_LIMIT} that fit")
        return bool(
            post(
                self.static,
                self.row,
                self.reserve(),
                variable,
                low,
                high,
            )
        )

    def fix(self, variable: int, value: int) -> bool:
        """Give a model variable one value and propagate; False if that fails."""
        return self.tighten(variable, value, value)

    def push(self) -> None:
        """Begin a level that ``pop`` undoes."""
        self._failures.append(self.row[at.FAILED : at.FAIL_VAR + 1].copy())
        push(self.row, self.reserve())

    def pop(self) -> None:
        """Undo everything since the last ``push``, a failure included; IndexError without one."""
        if self.level == 0:
            raise IndexError("pop without push")
        pop(self.static, self.row, self._trail)
        self.row[at.FAILED : at.FAIL_VAR + 1] = self._failures.pop()
        forget_changes(self.static, self.row)

    def reserve(self) -> npt.NDArray[np.int64]:
        """The trail, with room for one call of a kernel."""
        size = len(self.row)
        needed = size + 2 * (int(self.row[at.TRAIL]) + size + 1)
        if len(self._trail) < needed:
            longer = np.zeros(needed + needed // 2, np.int64)
            longer[: len(self._trail)] = self._trail
            self._trail = longer
        return self._trail
