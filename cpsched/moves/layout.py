"""Where everything stands in the two flat arrays of the move kernels.

As in ``cpsched.propagation.layout``, what never changes is one int64 array ``S`` and what does is
another, ``T``. A *bit* is a Boolean variable that decisions decide; its literals are k (true) and
-k - 1 (false). An *item* is a set of decisions of which one is in force (a task of
``cpsched.construct``). A *row* is a constraint over bits alone: it is enforced if its *guard*, a
sum that is never negative, is 0, and then its *activity*, another sum, lies in its domain.

Names of ``S`` hold the index at which a section of ``S`` begins; those that start with ``T_``, of
``T``. A *list* of ``S`` is as in ``Sections.add_lists``.
"""

from __future__ import annotations

# Header of S -----------------------------------------------------------------------------------
NUM_DECISIONS, NUM_ITEMS, NUM_BITS, NUM_ROWS = 0, 1, 2, 3
#: Per decision: the literal that it makes true, ``REJECTS`` if it makes all of its item false; its
#: item; 1 if root propagation has left it possible.
LITERAL, ITEM, POSSIBLE = 4, 5, 6
#: Lists per item: decisions, literals; 1 if a bit is in an item with both literals.
ITEM_DECISIONS, ITEM_LITERALS, MIXED = 7, 8, 9
#: Lists per bit: (row, coefficient in the activity, in the guard); (item, 1 if true puts one of
#: its literals in force else 0); decisions that decide it.
COLUMNS, BIT_ITEMS, BIT_DECISIONS = 10, 11, 12
#: Per bit: coefficient in the objective.
COST = 13
#: Lists per row: bits; ends of the intervals of its domain.
ROW_BITS, DOMAINS = 14, 15
#: For observations. Objective that counts as 1; number of constraint nodes; per node (row or -1,
#: weight that counts as full); lists per decision: (node, weight).
SCALE, NUM_NODES, NODES, DECISION_EDGES = 16, 17, 18, 19
#: Sections of T. Per bit: its value; the bits flipped by what is being tried or taken.
T_VALUE, T_FLIPPED = 20, 21
#: Per row: activity; guard; both before the move that is being taken; whether these are set; the
#: rows for which they are.
T_ACTIVITY, T_GUARD, T_OLD, T_TOUCHED, T_TOUCHED_LIST = 22, 23, 24, 25, 26
#: Per item: decision in force, -1 if none is; 1 if all of it waits to be looked at again; the
#: items that do.
T_CURRENT, T_STALE, T_STALE_LIST = 27, 28, 29
#: Per decision: 1 if no row forbids it; change of the objective's known part; 1 if it waits to be
#: looked at again by itself.
T_ALLOWED, T_GAIN, T_STALE_DECISION = 30, 31, 32
#: Size of a state.
STATE_SIZE = 33
#: Lists per stair, see ``sums.Stair``: weight, limit, then (row, sign, bound, divisor) of each
#: step; per bit: stairs that have a row of it; per row: other rows of its stairs.
STAIRS, BIT_STAIRS, ROW_PEERS = 34, 35, 36
#: Per row: what one change of a decision can add to its activity, or take; 0 if that is not known.
ROW_REACH = 37
#: Section of T: the decisions that wait by themselves.
T_STALE_DECISIONS = 38
HEADER = 40

#: In place of a literal.
REJECTS = 2**62

# Header of T -----------------------------------------------------------------------------------
#: Rows violated; bits on the list of flipped ones; touched rows; items that wait; what stairs add
#: to the objective; decisions that wait.
VIOLATED, FLIPPED, TOUCHED, STALE, STAIR_COST, STALE_DECISIONS = 0, 1, 2, 3, 4, 5
STATE_HEADER = 8
