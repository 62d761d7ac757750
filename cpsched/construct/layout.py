"""What construct adds to the two flat arrays of ``cpsched.propagation.layout``.

A *task* is a set of decisions of which exactly one is taken: the modes of an operation, the bins
of an item. It can be decided once every task before it is.
"""

from __future__ import annotations

from cpsched.propagation.layout import CONSTRUCT

# Header of S -----------------------------------------------------------------------------------
NUM_DECISIONS, NUM_TASKS = CONSTRUCT, CONSTRUCT + 1
#: Offset in S of the decisions, ``DECISION`` slots each.
DECISIONS = CONSTRUCT + 2
#: Offsets in S of lists, NUM_TASKS + 1 (or NUM_INTERVALS + 1, NUM_VARS + 1, NUM_DECISIONS + 1)
#: indices in S between two of which the entries lie: decisions of a task; tasks after a task;
#: constraint nodes of an interval; decisions that show a variable; edges of a decision,
#: (constraint node, weight) each.
TASK_DECISIONS, TASK_SUCCESSORS = CONSTRUCT + 3, CONSTRUCT + 4
INTERVAL_RESOURCES, VARIABLE_DECISIONS, DECISION_EDGES = (
    CONSTRUCT + 5,
    CONSTRUCT + 6,
    CONSTRUCT + 7,
)
#: Constraint nodes; offset in S of (number of decisions, weight that counts as full, 1 if it is a
#: resource) of each.
NUM_NODES, NODES = CONSTRUCT + 8, CONSTRUCT + 9
#: Time, or objective, that counts as 1 in an observation.
SCALE = CONSTRUCT + 10
#: Offsets in T: status of decisions; open predecessors, decisions left and ready time of tasks;
#: eligible decisions and their place in that list; legal decisions; (open decisions, weight used)
#: of constraint nodes; whether a decision has been counted as decided by its nodes. The last two
#: belong to ``observe`` and are not undone by a pop.
T_STATUS, T_PREDECESSORS, T_LEFT, T_READY = (
    CONSTRUCT + 11,
    CONSTRUCT + 12,
    CONSTRUCT + 13,
    CONSTRUCT + 14,
)
T_ELIGIBLE, T_PLACE, T_LEGAL, T_NODES, T_DECIDED = (
    CONSTRUCT + 15,
    CONSTRUCT + 16,
    CONSTRUCT + 17,
    CONSTRUCT + 18,
    CONSTRUCT + 19,
)

#: One more than the greatest value of the objective's sum under the root's bounds: what a dead end
#: counts as.
WORST = CONSTRUCT + 20
#: Least earliest start at the root: where time begins in an observation.
ORIGIN = CONSTRUCT + 21

# Slots of one decision in S ----------------------------------------------------------------------
DECISION = 8
#: Kind; interval or literal; task; longest path of least sizes from its start to the end, and the
#: number of tasks on it; due time and weight, ``NO_DUE`` and 1 if it has none; coefficient in the
#: objective.
KIND, REFERENCE, TASK, TAIL, TAIL_TASKS, DUE, WEIGHT, COST = range(DECISION)
#: Kinds of decisions.
START, ASSIGN, REJECT = 0, 1, 2
NO_DUE = 2**62

# Header of T -----------------------------------------------------------------------------------
#: Eligible and legal decisions; decisions taken; objective bound; outcome; time now and of the
#: next event in the frame that waits, ``NEVER`` if there is none.
NUM_ELIGIBLE, NUM_LEGAL, TAKEN_COUNT, BOUND, OUTCOME, NOW, NEXT = range(32, 39)
NEVER = 2**62
#: Outcomes: undecided tasks are left; all variables are fixed; no way on.
RUNNING, FINISHED, DEAD_END = 0, 1, 2
#: Status of a decision: its task has predecessors left; may be taken; taken; no longer possible.
WAITING, ELIGIBLE, TAKEN, GONE = 0, 1, 2, 3

# Frames: which eligible decisions are legal ------------------------------------------------------
ALL, ACTIVE, NONDELAY, WAIT, NEXT_TASK = range(5)
