"""Where everything stands in the two flat arrays that the propagation kernels read and write.

A model is one static array ``S`` and a state of it one row ``T``, both int64. Kernels take these
two and a trail: few arguments keep a call from Python cheap, one row can be copied, restored or
put beside others in a batch, and models of any size share the same compiled code.

Both arrays start with a header of ``HEADER`` slots, which the names below number; names of ``S``
that say "offset" hold the index in ``S`` or ``T`` at which a section begins.

Variables are those of the ``CpModelProto``, then auxiliary ones. The bounds of variable v are
``T[HEADER + 2 v]`` and ``T[HEADER + 2 v + 1]``. Literals are CP-SAT's: v for a Boolean variable,
-v - 1 for its negation. An affine expression ``a x + b`` takes three slots (x, a, b).

An *item* is what the queue holds: a constraint of some kind, or a *member*, one interval's part in
a no-overlap. Items from ``NUM_CHEAP`` on go to the second queue, which is served when the first is
empty.
"""

from __future__ import annotations

from numba import types

HEADER = 64

# Header of S -----------------------------------------------------------------------------------
#: Variables, auxiliary ones included; those of the model alone.
NUM_VARS, NUM_MODEL_VARS = 0, 1
#: Items, and how many of them go to the first queue.
NUM_ITEMS, NUM_CHEAP = 2, 3
NUM_INTERVALS = 4
#: Offsets in S, per item: kind, index of its data in S, constraint of the model or -1.
ITEM_KIND, ITEM_DATA, ITEM_SOURCE = 5, 6, 7
#: Offsets in S of the watchers of lower and upper bounds: NUM_VARS + 1 indices in S each, between
#: two of which the items lie that run when that bound of the variable moves.
LOWER_WATCH, UPPER_WATCH = 8, 9
#: Offset in S of the intervals, ``INTERVAL`` slots each.
INTERVALS = 10
#: Offset in S of the objective: number of terms, then (variable, coefficient) each.
OBJECTIVE = 11
#: Disjunctive rules that are on.
RULES = 12
#: Size of a state.
STATE_SIZE = 13
#: Offsets in T: earliest start of optional intervals; queued flags of items; the two queues; list
#: of changed variables; flags of changed variables.
T_EARLIEST, T_QUEUED, T_QUEUE, T_QUEUE2, T_CHANGED_LIST, T_CHANGED_FLAG = 14, 15, 16, 17, 18, 19
#: Size of the longest no-overlap or cumulative.
MAX_MEMBERS = 20
#: The rest belongs to ``cpsched.construct.layout``.
CONSTRUCT = 32

# Slots of one interval in S -------------------------------------------------------------------
INTERVAL = 12
START, SIZE, END, PRESENCE, ALTERNATIVE = 0, 3, 6, 9, 10
#: 1 + the variable that the variable of its start equals if it is present, 0 if there is none.
TIED = 11

# Slots of one member of a no-overlap in S: its interval; the variable of its start, -1 unless the
# start is that variable plus an offset; the offset; its size, -1 unless constant.
MEMBER = 4

# Header of T -----------------------------------------------------------------------------------
#: 0 or 1: whether propagation failed; the item (-1: a bound posted from outside) and variable of
#: it.
FAILED, FAIL_ITEM, FAIL_VAR = 0, 1, 2
#: First and number of the items in the two queues.
HEAD, COUNT, HEAD2, COUNT2 = 3, 4, 5, 6
#: Number of variables changed since somebody last looked.
CHANGED = 7
#: Depth of ``push``; entries on the trail; number of the level, which no other had; pushes so far.
LEVEL, TRAIL, MAGIC, PUSHES = 8, 9, 10, 11

#: Number of slots of this state; for ``construct``: 1 if decisions are probed; columns of the
#: decisions' features.
SLOTS, PROBING, WIDTH = 12, 13, 14

# Kinds of items ---------------------------------------------------------------------------------
#: x + c <= y: x, c, y.
K_PRECEDENCE = 0
#: One interval in one no-overlap: no-overlap item's data index; position; variable of its start if
#: it is that plus an offset, present for sure and of constant size, else -1; the offset; offset in
#: T of the sorted fixed intervals.
K_MEMBER = 1
#: lo <= sum a x <= hi: enforcement literals, terms, lo, hi, domain intervals (0 if one); then the
#: literals, the terms (x, a), the domain.
K_LINEAR = 2
#: At least one literal: number, literals.
K_CLAUSE = 3
#: At most one literal: number, 1 if exactly one, literals.
K_AT_MOST_ONE = 4
#: An odd number of literals: enforcement literals, number, enforcement, literals.
K_XOR = 5
#: target == exprs[index]: enforcement literals, number, index, target, enforcement, exprs.
K_ELEMENT = 6
#: target == max(exprs): enforcement literals, number, target, enforcement, exprs.
K_MAX = 7
#: All different: enforcement literals, number, enforcement, exprs.
K_ALL_DIFFERENT = 8
#: Exactly one of some optional intervals with the same start: number, intervals.
K_ALTERNATIVE = 9
#: No two intervals overlap, rules over sets of them: number, offset in T of the sorted fixed
#: intervals (their number, then start and end of each), offset in T of the members' flags, first
#: member in S.
K_NO_OVERLAP = 10
#: Capacity, number of intervals; then interval and demand of each (1 + 3 slots).
K_CUMULATIVE = 11

#: Flags of members of a no-overlap in T: free, among the fixed ones, absent.
FREE, FIXED, ABSENT = 0, 1, 2

#: Arrays, where Python calls a kernel; pointers to them, where kernels call each other.
ARRAY = types.int64[::1]
I8 = types.CPointer(types.int64)
INT = types.int64
OK = types.boolean
