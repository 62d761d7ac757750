"""The kernel that shows a move state as the graph that ``construct.observe`` shows.

Features of a decision, as many as there:

0. 1 (0 in padding);
1. 1 if it is in force now;
2. 1 if it was in force at the start;
3. change of the objective if it is taken / scale, 0 if it is not legal;
4. the same on a logarithmic scale, sign(change) log(1 + abs(change)) / log(1 + scale): of a
   lexicographic objective, digits that the other does not show;
5. 1 if another decision of its item is in force than at the start;
6. 1 if it is legal now;
7. 1 if root propagation has left it possible.

The scale is the largest coefficient of a decision in the objective. Features of a constraint: 1 (0
in padding); share of its limit that is left, at most 1 (0 if it is not a sum of decisions with one
limit); share of its limit that decisions in force use; 1 if the first of these is known.
"""

from __future__ import annotations

import numpy as np

from cpsched.construct.observe import BYTES, TABLE, Bytes, Floats
from cpsched.kernels import kernel
from cpsched.moves.layout import (
    DECISION_EDGES,
    DOMAINS,
    ITEM,
    LITERAL,
    NODES,
    NUM_DECISIONS,
    NUM_NODES,
    POSSIBLE,
    REJECTS,
    SCALE,
    T_ACTIVITY,
    T_ALLOWED,
    T_CURRENT,
    T_GAIN,
    T_VALUE,
)
from cpsched.propagation.domains import NONE, Int, Ints
from cpsched.propagation.layout import ARRAY, INT


@kernel(NONE(ARRAY, ARRAY, BYTES, ARRAY, ARRAY, INT, TABLE, TABLE, BYTES))
def show(
    S: Ints,
    T: Ints,
    verdict: Bytes,
    extra: Ints,
    start: Ints,
    over: Int,
    decision: Floats,
    constraint: Floats,
    mask: Bytes,
) -> None:
    """Write the observation of a state.

    verdict, extra: of ``MoveState``, per decision; start: decision in force at the start, per
    item; over: 1 if nothing is legal any more; decision, constraint: the features; mask: shape
    (num_decisions + 1,), the last action, to stop, being legal until the end.
    """
    inverse, logarithm = 1.0 / S[SCALE], 1.0 / np.log1p(np.float64(S[SCALE]))
    for node in range(S[NUM_NODES]):
        row, full = S[S[NODES] + 2 * node], S[S[NODES] + 2 * node + 1]
        left = 0.0
        if row >= 0:
            high = S[S[S[DOMAINS] + row] + 1]
            left = min(1.0, max(0.0, (np.float64(high) - T[S[T_ACTIVITY] + row]) / full))
        constraint[node, 0] = np.float32(1.0)
        constraint[node, 1] = np.float32(left)
        constraint[node, 2] = np.float32(0.0)
        constraint[node, 3] = np.float32(1.0 if row >= 0 else 0.0)
    for d in range(S[NUM_DECISIONS]):
        item, ref = S[S[ITEM] + d], S[S[LITERAL] + d]
        current = T[S[T_CURRENT] + item]
        legal = over == 0 and T[S[T_ALLOWED] + d] != 0 and verdict[d] == 1
        change = np.float64(T[S[T_GAIN] + d] + extra[d]) if legal else 0.0
        decision[d, 0] = np.float32(1.0)
        decision[d, 1] = np.float32(1.0 if current == d else 0.0)
        decision[d, 2] = np.float32(1.0 if start[item] == d else 0.0)
        decision[d, 3] = np.float32(change * inverse)
        decision[d, 4] = np.float32(np.sign(change) * np.log1p(abs(change)) * logarithm)
        decision[d, 5] = np.float32(1.0 if current != start[item] else 0.0)
        decision[d, 6] = np.float32(1.0 if legal else 0.0)
        decision[d, 7] = np.float32(S[S[POSSIBLE] + d])
        mask[d] = np.int8(1 if legal else 0)
        if ref == REJECTS:
            continue
        value = T[S[T_VALUE] + ref] if ref >= 0 else 1 - T[S[T_VALUE] - ref - 1]
        if value == 1:
            ptr = S[DECISION_EDGES] + d
            for k in range(S[ptr], S[ptr + 1], 2):
                full = S[S[NODES] + 2 * S[k] + 1]
                constraint[S[k], 2] += np.float32(np.float64(S[k + 1]) / full)
    mask[S[NUM_DECISIONS]] = np.int8(1 - over)
