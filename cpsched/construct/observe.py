"""Kernels that show a state as a graph: features of decisions and of constraints, kept up to date.

Nodes are the decisions and the constraints that bind several of them; the edges between them never
change. Only what a step changed is written again, so the cost of an observation is that of the
step, not of the instance. Features are on the instance's own scale (``SCALE``: its longest chain
or largest load), so that sizes compare, and time begins at its first earliest start (``ORIGIN``).

Features of a decision, ``DECISION_FEATURES`` of them (more, constant ones, may follow):

0. 1 (0 in padding);
1. (earliest start - origin) / scale; of a literal: 1 if it is true;
2. (latest start - origin) / scale; of a literal: 1 if it can be true;
3. least size / scale; of a literal: its coefficient in the objective / scale;
4. longest chain from its start to the end / scale;
5. 1 if it is decided to be done: the interval is fixed, the literal is true;
6. 1 if it is legal now;
7. 1 if it can still be done or is done.

Features of a constraint, ``CONSTRAINT_FEATURES``: 1 (0 in padding); share of its decisions that
are open; share of its capacity that is used by those done (of a resource: work done / all work); 1
if it is a resource.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import types

from cpsched.construct.kernels import advance
from cpsched.construct.layout import (
    ASSIGN,
    BOUND,
    COST,
    DEAD_END,
    DECISION,
    DECISION_EDGES,
    DECISIONS,
    KIND,
    NEVER,
    NEXT,
    NODES,
    NUM_DECISIONS,
    NUM_LEGAL,
    NUM_NODES,
    ORIGIN,
    REFERENCE,
    REJECT,
    SCALE,
    START,
    T_DECIDED,
    T_LEGAL,
    T_NODES,
    T_STATUS,
    TAIL,
    TAKEN,
    VARIABLE_DECISIONS,
    WORST,
)
from cpsched.kernels import kernel, part, pointer
from cpsched.propagation.domains import (
    NONE,
    Int,
    Ints,
    forget_changes,
    highest,
    literal,
    lowest,
)
from cpsched.propagation.layout import (
    ARRAY,
    CHANGED,
    I8,
    INT,
    INTERVAL,
    INTERVALS,
    PRESENCE,
    SIZE,
    T_CHANGED_LIST,
    WIDTH,
)
from cpsched.propagation.layout import START as START_EXPR
from cpsched.propagation.no_overlap import earliest_start

DECISION_FEATURES = 8
CONSTRAINT_FEATURES = 4

Floats = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.int8]
#: Arrays, where Python calls; pointers, where kernels call each other.
TABLE, BYTES = types.float32[:, ::1], types.int8[::1]
F4, B1 = types.CPointer(types.float32), types.CPointer(types.int8)
F8 = types.float64


@part(NONE(I8, I8, F4, INT))
def show_constraint(S: Ints, T: Ints, constraint: Floats, node: Int) -> None:
    """Write what can change of the features of constraint node *node*."""
    slot, full = S[T_NODES] + 2 * node, S[NODES] + 3 * node
    constraint[CONSTRAINT_FEATURES * node + 1] = np.float32(T[slot] / S[full])
    constraint[CONSTRAINT_FEATURES * node + 2] = np.float32(T[slot + 1] / S[full + 1])


@part(NONE(I8, I8, F4, F4, INT))
def show_decision(S: Ints, T: Ints, decision: Floats, constraint: Floats, d: Int) -> None:
    """Write what can change of the features of decision *d*, and of its constraints."""
    at = S[DECISIONS] + DECISION * d
    kind, ref = S[at + KIND], S[at + REFERENCE]
    inverse = 1.0 / S[SCALE]
    done = gone = False
    if kind == START:
        row = S[INTERVALS] + INTERVAL * ref
        start, latest = earliest_start(S, T, ref), highest(S, T, row + START_EXPR)
        presence = literal(T, S[row + PRESENCE])
        done = presence > 0 and start == latest
        gone = presence < 0
        decision[T[WIDTH] * d + 1] = np.float32((start - S[ORIGIN]) * inverse)
        decision[T[WIDTH] * d + 2] = np.float32((latest - S[ORIGIN]) * inverse)
        decision[T[WIDTH] * d + 3] = np.float32(lowest(S, T, row + SIZE) * inverse)
    elif kind == ASSIGN:
        value = literal(T, ref)
        done = value > 0
        gone = value < 0
        decision[T[WIDTH] * d + 1] = np.float32(1.0 if done else 0.0)
        decision[T[WIDTH] * d + 2] = np.float32(0.0 if gone else 1.0)
    else:
        done = T[S[T_STATUS] + d] == TAKEN
    decision[T[WIDTH] * d + 5] = np.float32(1.0 if done else 0.0)
    decision[T[WIDTH] * d + 7] = np.float32(0.0 if gone else 1.0)
    if (done or gone) and T[S[T_DECIDED] + d] == 0:
        T[S[T_DECIDED] + d] = 1
        ptr = S[DECISION_EDGES] + d
        for k in range(S[ptr], S[ptr + 1], 2):
            node = S[k]
            slot = S[T_NODES] + 2 * node
            T[slot] -= 1
            if done:
                T[slot + 1] += S[k + 1]
            show_constraint(S, T, constraint, node)


@part(NONE(I8, I8, F4, B1, INT))
def show_legal(S: Ints, T: Ints, decision: Floats, mask: Bytes, value: Int) -> None:
    """Write 1 or 0 where a decision is legal."""
    for k in range(T[NUM_LEGAL]):
        d = T[S[T_LEGAL] + k]
        mask[d] = np.int8(value)
        decision[T[WIDTH] * d + 6] = np.float32(value)
    mask[S[NUM_DECISIONS]] = np.int8(value if T[NEXT] != NEVER else 0)


@part(NONE(I8, I8, F4, F4, B1))
def show_all_at(S: Ints, T: Ints, decision: Floats, constraint: Floats, mask: Bytes) -> None:
    """Write the whole observation of a state.

    decision, constraint: shapes (at least NUM_DECISIONS, at least DECISION_FEATURES) and (at least
    NUM_NODES, CONSTRAINT_FEATURES); mask: shape (at least NUM_DECISIONS + 1,), its entry
    NUM_DECISIONS standing for waiting. Padding is left as it is.
    """
    inverse = 1.0 / S[SCALE]
    for node in range(S[NUM_NODES]):
        constraint[CONSTRAINT_FEATURES * node] = np.float32(1.0)
        constraint[CONSTRAINT_FEATURES * node + 3] = np.float32(S[S[NODES] + 3 * node + 2])
        show_constraint(S, T, constraint, node)
    for d in range(S[NUM_DECISIONS]):
        at = S[DECISIONS] + DECISION * d
        decision[T[WIDTH] * d] = np.float32(1.0)
        if S[at + KIND] != START:
            decision[T[WIDTH] * d + 3] = np.float32(S[at + COST] * inverse)
        decision[T[WIDTH] * d + 4] = np.float32(S[at + TAIL] * inverse)
        decision[T[WIDTH] * d + 6] = np.float32(0.0)
        mask[d] = np.int8(0)
        show_decision(S, T, decision, constraint, d)
    show_legal(S, T, decision, mask, 1)
    forget_changes(S, T)


@part(NONE(I8, I8, F4, F4))
def show_changes(S: Ints, T: Ints, decision: Floats, constraint: Floats) -> None:
    """Write again what the variables changed since the last time show."""
    for k in range(T[CHANGED]):
        ptr = S[VARIABLE_DECISIONS] + T[S[T_CHANGED_LIST] + k]
        for m in range(S[ptr], S[ptr + 1]):
            show_decision(S, T, decision, constraint, S[m])
    forget_changes(S, T)


@kernel(NONE(ARRAY, ARRAY, TABLE, TABLE, BYTES))
def show_all(S: Ints, T: Ints, decision: Floats, constraint: Floats, mask: Bytes) -> None:
    """``show_all_at`` on arrays."""
    T[WIDTH] = decision.shape[1]
    show_all_at(pointer(S), pointer(T), pointer(decision), pointer(constraint), pointer(mask))


@kernel(F8(ARRAY, ARRAY, ARRAY, ARRAY, INT, INT, TABLE, TABLE, BYTES))
def step_shown(
    S: Ints,
    T: Ints,
    trail: Ints,
    scratch: Ints,
    frame: Int,
    d: Int,
    decision: Floats,
    constraint: Floats,
    mask: Bytes,
) -> Int:
    """Take legal decision *d* and bring the observation up to date.

    Returns the drop of the objective's bound, which sums to the first bound less the final
    objective over an episode; a dead end counts as one more than the worst there is. NaN if *d* is
    not legal: then nothing happened.
    """
    if d < 0 or d > S[NUM_DECISIONS] or mask[d] == 0:
        return np.nan
    static, state = pointer(S), pointer(T)
    table, nodes, legal = pointer(decision), pointer(constraint), pointer(mask)
    show_legal(static, state, table, legal, 0)
    before = T[BOUND]
    outcome = advance(static, state, pointer(trail), pointer(scratch), frame, d)
    show_changes(static, state, table, nodes)
    if d < S[NUM_DECISIONS] and S[S[DECISIONS] + DECISION * d + KIND] == REJECT:
        show_decision(static, state, table, nodes, d)
    show_legal(static, state, table, legal, 1)
    return np.float64(before - (S[WORST] if outcome == DEAD_END else T[BOUND]))
