"""The kernels that Python calls: they take arrays where the others take pointers.

Few, because each is compiled with all that it can reach, about a second of it.
"""

from __future__ import annotations

from cpsched.kernels import kernel, pointer
from cpsched.propagation import domains
from cpsched.propagation.domains import NONE, Int, Ints, at_least, at_most, clear_queues
from cpsched.propagation.fixpoint import enqueue_all, propagate
from cpsched.propagation.layout import ARRAY, INT, OK

_push, _pop, _forget_changes = domains.push, domains.pop, domains.forget_changes


@kernel(OK(ARRAY, ARRAY, ARRAY, INT, INT, INT))
def post(S: Ints, T: Ints, trail: Ints, v: Int, lower: Int, upper: Int) -> Int:
    """Post lower <= v <= upper, or nothing if v is -1; propagate; False if that fails.

    With nothing posted every item runs, otherwise what the new bounds wake.
    """
    static, state, log = pointer(S), pointer(T), pointer(trail)
    if v < 0:
        enqueue_all(static, state)
    elif not (
        at_least(static, state, log, v, lower, -1) and at_most(static, state, log, v, upper, -1)
    ):
        clear_queues(static, state)
        return False
    return propagate(static, state, log)


@kernel(NONE(ARRAY, ARRAY))
def push(T: Ints, trail: Ints) -> None:
    """Begin a level."""
    _push(pointer(T), pointer(trail))


@kernel(NONE(ARRAY, ARRAY, ARRAY))
def pop(S: Ints, T: Ints, trail: Ints) -> None:
    """Undo everything since the last push, a failure included."""
    _pop(pointer(S), pointer(T), pointer(trail))


@kernel(NONE(ARRAY, ARRAY))
def forget_changes(S: Ints, T: Ints) -> None:
    """Empty the list of changed variables."""
    _forget_changes(pointer(S), pointer(T))
