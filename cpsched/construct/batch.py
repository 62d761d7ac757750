"""Many constructions side by side, all of them stepped by one call of a kernel.

A batch has rows, each a state with its observation, and slots, each a construction that rows can
be on: their static arrays lie one behind the other. Rows are padded to common sizes. Waiting, in
the frame that has it, is the last action of every row, however many decisions its construction
has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numba
import numpy as np
import numpy.typing as npt
from numba import prange, types
from numba.core import cgutils
from numba.extending import intrinsic

from cpsched.construct.layout import (
    NEVER,
    NEXT,
    NUM_DECISIONS,
    NUM_LEGAL,
    OUTCOME,
    RUNNING,
    T_LEGAL,
)
from cpsched.construct.observe import BYTES, CONSTRAINT_FEATURES, TABLE, step_shown
from cpsched.construct.state import FRAME_CODES, Frame
from cpsched.errors import InputError
from cpsched.kernels import kernel, part
from cpsched.propagation.domains import NONE, Int, Ints
from cpsched.propagation.layout import ARRAY, INT, WIDTH

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from cpsched.construct.root import Root, Sizes

Words = npt.NDArray[np.uint64]
ROWS = types.int64[:, ::1]
TABLES, MASKS = types.float32[:, :, ::1], types.int8[:, ::1]
FLOATS, WORDS = types.float64[::1], types.uint64[::1]

_STEP = types.float64(ARRAY, ARRAY, ARRAY, ARRAY, INT, INT, TABLE, TABLE, BYTES)


@intrinsic
def call_step(_context: Any, address: Any, arguments: Any) -> Any:
    """Call ``step_shown``, which is compiled already, at its *address*.

    Calling it by name would compile the whole propagator a second time, into the kernel that
    calls; handing it over as a function would cost 30 us a call.
    """

    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        function = context.call_conv.get_function_type(_STEP.return_type, _STEP.args)
        items = [
            context.cast(builder, item, given, wanted)
            for item, given, wanted in zip(
                cgutils.unpack_tuple(builder, values[1]),
                signature.args[1],
                _STEP.args,
                strict=True,
            )
        ]
        status, result = context.call_conv.call_function(
            builder,
            builder.inttoptr(values[0], function.as_pointer()),
            _STEP.return_type,
            _STEP.args,
            items,
        )
        with cgutils.if_unlikely(builder, status.is_error):
            context.call_conv.return_status_propagate(builder, status)
        return result

    return _STEP.return_type(address, arguments), code


def _address() -> int:
    """Where the compiled code of ``step_shown`` lies."""
    compiled: Any = step_shown
    result = compiled.overloads[compiled.signatures[0]]
    return int(result.library.get_pointer_to_function(result.fndesc.llvm_func_name))


_STEP_ADDRESS = _address()


_ROWS = (INT, ARRAY, ROWS, ARRAY, ROWS, ROWS, ARRAY, INT, TABLES, TABLES, MASKS, FLOATS, ARRAY)


@part(NONE(*_ROWS, INT))
def step_row(
    address: Int,
    statics: Ints,
    spans: Any,
    slots: Ints,
    states: Any,
    scratch: Any,
    actions: Ints,
    frame: Int,
    decision: Any,
    constraint: Any,
    mask: Any,
    rewards: Any,
    outcomes: Ints,
    row: Int,
) -> None:
    """Take the action of one row."""
    slot = slots[row]
    S = statics[spans[slot, 0] : spans[slot, 1]]
    T = states[row]
    legal = mask[row]
    waiting, last = S[NUM_DECISIONS], len(legal) - 1
    # Waiting is where the kernel of a single construction expects it, until the step is done.
    legal[waiting], legal[last] = legal[last], legal[waiting]
    action = actions[row]
    rewards[row] = call_step(  # type: ignore[call-arg]
        address,
        (
            S,
            T,
            T[:0],
            scratch[row],
            frame,
            waiting if action == last else action,
            decision[row],
            constraint[row],
            legal,
        ),
    )
    legal[waiting], legal[last] = legal[last], legal[waiting]
    outcomes[row] = T[OUTCOME]


@part(INT(ARRAY, MASKS))
def first_illegal(actions: Ints, mask: Any) -> Int:
    """First row whose action is not legal, -1 if there is none."""
    for row in range(len(actions)):
        action = actions[row]
        if action < 0 or action >= mask.shape[1] or mask[row, action] == 0:
            return row
    return -1


@kernel(INT(*_ROWS))
def step_rows(
    address: Int,
    statics: Ints,
    spans: Any,
    slots: Ints,
    states: Any,
    scratch: Any,
    actions: Ints,
    frame: Int,
    decision: Any,
    constraint: Any,
    mask: Any,
    rewards: Any,
    outcomes: Ints,
) -> Int:
    """Take the actions of all rows, one row after the other.

    Returns -1, or the first row whose action is not legal: then no row was stepped.
    """
    illegal = first_illegal(actions, mask)
    if illegal < 0:
        for row in range(len(actions)):
            step_row(
                address,
                statics,
                spans,
                slots,
                states,
                scratch,
                actions,
                frame,
                decision,
                constraint,
                mask,
                rewards,
                outcomes,
                row,
            )
    return illegal


@kernel(INT(*_ROWS), parallel=True)
def step_rows_parallel(
    address: Int,
    statics: Ints,
    spans: Any,
    slots: Ints,
    states: Any,
    scratch: Any,
    actions: Ints,
    frame: Int,
    decision: Any,
    constraint: Any,
    mask: Any,
    rewards: Any,
    outcomes: Ints,
) -> Int:
    """``step_rows`` with the rows spread over threads."""
    illegal = first_illegal(actions, mask)
    if illegal < 0:
        for row in prange(len(actions)):
            step_row(
                address,
                statics,
                spans,
                slots,
                states,
                scratch,
                actions,
                frame,
                decision,
                constraint,
                mask,
                rewards,
                outcomes,
                row,
            )
    return illegal


@kernel(NONE(ARRAY, ROWS, ARRAY, ROWS, INT, WORDS, ARRAY))
def draw_actions(
    statics: Ints,
    spans: Any,
    slots: Ints,
    states: Any,
    waiting: Int,
    words: Words,
    actions: Ints,
) -> None:
    """Draw a legal action for every row, all equally likely; 0 where none is.

    waiting: the action that waits; words: shape (rows,), states of a SplitMix64 generator each
    (Steele, Lea & Flood 2014).
    """
    for row in range(len(actions)):
        T = states[row]
        words[row] += np.uint64(0x9E3779B97F4A7C15)
        word = words[row]
        word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        word ^= word >> np.uint64(31)
        count = T[NUM_LEGAL]
        choices = count + 1 if T[NEXT] != NEVER else count
        place = np.int64(((word >> np.uint64(32)) * np.uint64(choices)) >> np.uint64(32))
        if T[OUTCOME] != RUNNING:
            actions[row] = 0
        elif place == count:
            actions[row] = waiting
        else:
            actions[row] = T[statics[spans[slots[row], 0] + T_LEGAL] + place]


class Batch:
    """Rows of states and observations.

    Parameters
    ----------
    num_rows
        Number of rows.
    roots
        What the slots hold at first, one each; all in *frame*.
    sizes
        Sizes to which every row is padded.
    frame
        Frame of all rows.
    probe
        Whether decisions that fail at once are struck; as for *roots*.

    Attributes
    ----------
    decision, constraint, precedence, membership, weight, mask
        Observations, the first axis being the row; mask: shape (num_rows, decisions + 1), the last
        action being to wait.
    rewards, outcomes
        Shape (num_rows,): of the last step.
    slots
        Shape (num_rows,): slot that each row is on.
    """

    def __init__(
        self, num_rows: int, roots: Sequence[Root], sizes: Sizes, frame: Frame, *, probe: bool
    ) -> None:
        self.sizes = sizes
        self.roots: list[Root] = list(roots)
        self.frame = FRAME_CODES[frame]
        self.probe = probe
        self.decision = np.zeros((num_rows, sizes.decisions, sizes.features), np.float32)
        self.constraint = np.zeros((num_rows, sizes.constraints, CONSTRAINT_FEATURES), np.float32)
        self.precedence = np.full((num_rows, 2, sizes.precedences), -1, np.int32)
        self.membership = np.full((num_rows, 2, sizes.memberships), -1, np.int32)
        self.weight = np.zeros((num_rows, sizes.memberships), np.float32)
        self.mask = np.zeros((num_rows, sizes.decisions + 1), np.int8)
        self.rewards = np.zeros(num_rows)
        self.outcomes = np.zeros(num_rows, np.int64)
        self.slots = np.full(num_rows, -1, np.int64)
        self.words = np.zeros(num_rows, np.uint64)
        self.states = np.zeros((num_rows, 0), np.int64)
        self.scratch = np.zeros((num_rows, 0), np.int64)
        self._capacity = [0] * len(self.roots)
        for root in self.roots:
            self.check(root)
            self._fit(root)
        self._lay_out()

    def check(self, root: Root) -> None:
        """Raise InputError if *root* is larger than the sizes of the batch."""
        if not self.sizes.hold(root.sizes):
            raise InputError(
                f"an instance needs {root.sizes}, more than the batch is padded to, {self.sizes}"
            )

    def put(self, slot: int, root: Root) -> None:
        """Have *slot* hold another construction; rows that are on it must be started again.

        Raises InputError if it is larger than the sizes of the batch.
        """
        self.check(root)
        self._fit(root)
        self.roots[slot] = root
        self.slots[self.slots == slot] = -1
        size = len(root.static)
        if size > self._capacity[slot]:
            self._lay_out()
        else:
            begin = self.spans[slot, 0]
            self.statics[begin : begin + size] = root.static

    def start(self, rows: npt.NDArray[np.int64], slot: int) -> None:
        """Begin an episode of the construction in *slot* in each of *rows*."""
        root = self.roots[slot]
        count, width = root.decision.shape
        self.states[rows, : len(root.row)] = root.row
        # The features of a decision of this batch lie that far apart.
        self.states[rows, WIDTH] = self.sizes.features
        self.decision[rows, :count, :width] = root.decision
        self.constraint[rows, : len(root.constraint)] = root.constraint
        self.mask[rows, :count] = root.mask[:count]
        self.mask[rows, -1] = root.mask[-1]
        self.outcomes[rows] = RUNNING
        others = rows[self.slots[rows] != slot]
        if not len(others):
            return
        arcs, edges = root.precedence.shape[1], root.membership.shape[1]
        self.precedence[others, :, :arcs] = root.precedence
        self.membership[others, :, :edges] = root.membership
        self.weight[others, :edges] = root.weight
        self.weight[others, edges:] = 0.0
        for array, used in (
            (self.precedence, arcs),
            (self.membership, edges),
        ):
            array[others, :, used:] = -1
        self.decision[others, count:] = 0.0
        self.decision[others, :count, width:] = 0.0
        self.constraint[others, len(root.constraint) :] = 0.0
        self.mask[others, count:-1] = 0
        self.slots[others] = slot

    def step(self, actions: Ints, *, parallel: bool) -> int:
        """Take an action in every row; -1, or the first row whose action is illegal.

        In that case no row has changed. The numba threads that a parallel step uses are the
        caller's affair.
        """
        run = step_rows_parallel if parallel else step_rows
        return int(
            run(
                _STEP_ADDRESS,
                self.statics,
                self.spans,
                self.slots,
                self.states,
                self.scratch,
                actions,
                self.frame,
                self.decision,
                self.constraint,
                self.mask,
                self.rewards,
                self.outcomes,
            )
        )

    def draw(self) -> Ints:
        """Shape (num_rows,): a random legal action for every row; 0 where the episode is over."""
        actions = np.empty(len(self.slots), np.int64)
        draw_actions(
            self.statics,
            self.spans,
            self.slots,
            self.states,
            self.mask.shape[1] - 1,
            self.words,
            actions,
        )
        return actions

    def _fit(self, root: Root) -> None:
        size, rows = len(root.row), len(self.slots)
        if size > self.states.shape[1]:
            longer = np.zeros((rows, size), np.int64)
            longer[:, : self.states.shape[1]] = self.states
            self.states = longer
            if self.probe:
                self.scratch = np.zeros((rows, size), np.int64)

    def _lay_out(self) -> None:
        """Put the static arrays one behind the other."""
        self._capacity = [
            max(capacity, len(root.static))
            for capacity, root in zip(self._capacity, self.roots, strict=True)
        ]
        ends = np.cumsum(self._capacity, dtype=np.int64)
        self.spans = np.stack((ends - self._capacity, ends), axis=1)
        self.statics = np.zeros(int(ends[-1]), np.int64)
        for begin, root in zip(self.spans[:, 0].tolist(), self.roots, strict=True):
            self.statics[begin : begin + len(root.static)] = root.static


def max_threads() -> int:
    """Most threads that a parallel step can use."""
    return int(numba.config.NUMBA_NUM_THREADS)  # type: ignore[attr-defined]
