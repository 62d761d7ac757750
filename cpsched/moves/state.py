"""The state of a repair: a complete assignment of which one decision after the other changes."""

from __future__ import annotations

import copy
import operator
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from cpsched.errors import InputError
from cpsched.moves import layout as at
from cpsched.moves.compile import Moves, compile_moves
from cpsched.moves.kernels import take
from cpsched.moves.reach import Reach
from cpsched.moves.settle import Settler

if TYPE_CHECKING:
    from cpsched.construct import Construction
    from cpsched.formulation import Formulation, Values
    from cpsched.propagation.sections import Ints

SolutionT = TypeVar("SolutionT")


class MoveState(Generic[SolutionT]):
    """A complete assignment of all decisions of a formulation, at every moment feasible.

    An action is a decision: it comes into force in its item, a set of decisions of which one is,
    in place of the one that was. It is legal if that changes something and every constraint of the
    model can be satisfied afterwards. Constraints over decisions alone are kept as sums. Others
    are settled by propagation with all decisions fixed, and by a search for what it leaves open:
    see ``Settler``.

    Parameters
    ----------
    formulation
        Whose decisions are all ``Assign`` or ``Reject``; or ``Moves`` compiled from it.
    start
        Where to begin: a solution, or values of all variables of the model, of which only those of
        decisions are looked at.

    Attributes
    ----------
    verdict
        Shape (num_decisions,): what propagation says, 1 feasible, 0 not, -1 not asked.
    extra
        Shape (num_decisions,): what each adds to the objective beyond what the kernels know.

    Raises
    ------
    InputError
        If a decision is of another kind, or the start breaks a constraint; the message says which.
    """

    def __init__(
        self, formulation: Formulation[SolutionT] | Construction | Moves, start: Any
    ) -> None:
        self.moves = formulation if isinstance(formulation, Moves) else compile_moves(formulation)
        self.formulation: Formulation[SolutionT] = self.moves.formulation
        self.static = self.moves.static
        self._settler = Settler(self.moves)
        self.row = self.moves.initial.copy()
        self._begin(start_values(self.formulation, start))

    def _begin(self, values: Values) -> None:
        S, bits = self.static, values[self.moves.bits]
        total = self._settler.settle(bits)
        if total is None:
            raise InputError(f"the start is not feasible: {self._settler.why(bits)}")
        self._total = total
        self.row[S[at.T_VALUE] :][: len(bits)] = bits
        violated = take(S, self.row, -1, 0)
        if violated:
            raise RuntimeError(f"{violated} constraints that propagation found satisfied are not")
        self.verdict = np.full(self.num_decisions, -1, np.int8)
        if self.moves.deep_bits:
            self._reach = Reach(self.moves)
            self.verdict[~self._reach.is_deep] = 1
        else:
            self.verdict[:] = 1
        self.extra = np.zeros(self.num_decisions, np.int64)
        self._ask()

    @property
    def num_decisions(self) -> int:
        """Number of decisions."""
        return self.moves.num_decisions

    @property
    def bits(self) -> Ints:
        """Values of the variables that decisions decide (``moves.bits``); a view."""
        begin = self.static[at.T_VALUE]
        return self.row[begin : begin + len(self.moves.bits)]

    @property
    def current(self) -> Ints:
        """Shape (num_items,): decision in force of each item, -1 where none is; a copy."""
        begin = self.static[at.T_CURRENT]
        return self.row[begin : begin + self.moves.num_items].copy()

    def mask(self) -> npt.NDArray[np.bool_]:
        """Shape (num_decisions,): which decisions are legal."""
        begin = self.static[at.T_ALLOWED]
        allowed: npt.NDArray[np.bool_] = self.row[begin : begin + self.num_decisions] != 0
        if self.moves.deep_bits:
            allowed &= self.verdict == 1
        return allowed

    def legal(self) -> npt.NDArray[np.int64]:
        """Indices of the legal decisions."""
        return np.flatnonzero(self.mask())

    def changes(self) -> Ints:
        """Shape (num_decisions,): change of the objective by each decision, 0 if not legal.

        As it is minimised inside: without offset and scaling, negated if the model maximises.
        """
        begin = self.static[at.T_GAIN]
        return (self.row[begin : begin + self.num_decisions] + self.extra) * self.mask()

    def apply(self, decision: int, *, last: bool = False) -> None:
        """Put a legal decision in force.

        last: none follows; then what is legal afterwards is not looked at, and not known.

        Raises ValueError for a decision that is not legal, TypeError for one that is no integer.
        """
        d = operator.index(decision)
        if not 0 <= d < self.num_decisions or not self._legal(d):
            raise ValueError(f"decision {decision} is not legal")
        if not self.moves.deep_bits:
            self._total += int(self.row[self.static[at.T_GAIN] + d])
            take(self.static, self.row, d, int(last))
            return
        # What was found when it was asked may have changed where a search was cut short.
        total = self._settler.settle(self._bits_after(d))
        if total is None:
            self.verdict[d] = 0
            raise ValueError(f"decision {decision} is not legal: no values found for the rest")
        before, self._total = self.bits.copy(), total
        take(self.static, self.row, d, int(last))
        if last:
            return
        self.verdict[self._reach.of(np.flatnonzero(before != self.bits), self.bits)] = -1
        self._ask()

    def _legal(self, d: int) -> bool:
        return bool(self.row[self.static[at.T_ALLOWED] + d]) and self.verdict[d] == 1

    def _ask(self) -> None:
        """Have propagation settle the decisions that rows allow and of which it is not known."""
        S = self.static
        allowed = self.row[S[at.T_ALLOWED] :][: self.num_decisions] != 0
        gain = self.row[S[at.T_GAIN] :][: self.num_decisions]
        for d in np.flatnonzero(allowed & (self.verdict < 0)).tolist():
            total = self._settler.settle(self._bits_after(d))
            self.verdict[d] = total is not None
            self.extra[d] = 0 if total is None else total - self._total - gain[d]

    def _bits_after(self, d: int) -> Ints:
        bits, S = self.bits.copy(), self.static
        item, wanted = self.moves.item_of[d], int(S[S[at.LITERAL] + d])
        ptr = S[at.ITEM_LITERALS] + item
        refs = S[S[ptr] : S[ptr + 1]]
        bits[np.where(refs >= 0, refs, -refs - 1)] = refs < 0
        if wanted != at.REJECTS:
            bits[wanted if wanted >= 0 else -wanted - 1] = wanted >= 0
        return bits

    def total(self) -> int:
        """Objective as it is minimised inside."""
        return self._total

    def objective(self) -> int | float:
        """Objective as CP-SAT reports it, exact: an integer if it is one."""
        proto = self.formulation.model.proto
        if not proto.has_objective():
            return 0
        return users_objective(proto.objective, self._total)

    def values(self) -> Values:
        """Shape (num_variables,): a value for each variable of the model."""
        if self._settler.settle(self.bits) != self._total:
            raise RuntimeError("propagation does not confirm the objective")
        return self._settler.values()

    def solution(self) -> SolutionT:
        """The solution that the assignment stands for."""
        return self.formulation.solution(self.values())

    def copy(self) -> MoveState[SolutionT]:
        """A state that goes its own way from here."""
        twin = copy.copy(self)
        twin.row = self.row.copy()
        twin.verdict, twin.extra = self.verdict.copy(), self.extra.copy()
        return twin


def start_values(formulation: Formulation[Any], start: Any) -> Values:
    """Values of all variables that *start*, a solution or values already, stands for.

    Raises InputError if it is neither.
    """
    count = formulation.num_variables
    if not isinstance(start, list | tuple | np.ndarray):
        try:
            start = formulation.encode(start)
        except (ValueError, TypeError, AttributeError) as problem:
            raise InputError(f"the start is no solution of the formulation: {problem}") from None
    values = np.asarray(start)
    if values.shape != (count,) or values.dtype.kind not in "iub":
        raise InputError(
            f"the start needs an integer for each of the {count} variables of the model, not an "
            f"array of shape {values.shape} and type {values.dtype}"
        )
    return values.astype(np.int64)


def users_objective(objective: Any, total: int) -> int | float:
    """Objective in the user's sense, exact if it is an integer."""
    offset, factor = float(objective.offset), float(objective.scaling_factor) or 1.0
    if offset.is_integer() and factor.is_integer():
        return (total + int(offset)) * int(factor)
    return (total + offset) * factor + 0.0
