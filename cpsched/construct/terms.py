"""The kernel that fills in what dispatching rules score."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import types

from cpsched.construct.layout import (
    DECISION,
    DECISIONS,
    DUE,
    KIND,
    NO_DUE,
    NUM_LEGAL,
    REFERENCE,
    START,
    T_LEGAL,
    T_READY,
    TAIL,
    TAIL_TASKS,
    TASK,
    WEIGHT,
)
from cpsched.construct.rules import TERMS
from cpsched.kernels import kernel, pointer
from cpsched.propagation.domains import NONE, Ints, lowest
from cpsched.propagation.layout import ARRAY, INTERVAL, INTERVALS, SIZE
from cpsched.propagation.no_overlap import earliest_start

if TYPE_CHECKING:
    import numpy.typing as npt

NUM_TERMS = len(TERMS)


@kernel(NONE(ARRAY, ARRAY, types.float64[:, ::1]))
def legal_terms(S: Ints, T: Ints, table: npt.NDArray[np.float64]) -> None:
    """Fill *table*, shape (num_legal, NUM_TERMS), with ``rules.TERMS`` of the legal decisions.

    They are in the order of ``T_LEGAL``, waiting left out. A decision that starts nothing has
    zeros, an infinite start, its due time and its weight.
    """
    static, state = pointer(S), pointer(T)
    for k in range(T[NUM_LEGAL]):
        at = S[DECISIONS] + DECISION * T[S[T_LEGAL] + k]
        if S[at + KIND] == START:
            interval = S[at + REFERENCE]
            table[k, 0] = lowest(static, state, S[INTERVALS] + INTERVAL * interval + SIZE)
            table[k, 1] = S[at + TAIL]
            table[k, 2] = S[at + TAIL_TASKS]
            table[k, 3] = T[S[T_READY] + S[at + TASK]]
            table[k, 4] = earliest_start(static, state, interval)
        else:
            table[k, :4] = 0.0
            table[k, 4] = np.inf
        table[k, 5] = np.inf if S[at + DUE] == NO_DUE else S[at + DUE]
        table[k, 6] = S[at + WEIGHT]
