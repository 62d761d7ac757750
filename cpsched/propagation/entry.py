"""The kernels that Python calls: they take arrays where the others take pointers."""

from __future__ import annotations

from cpsched.kernels import kernel, pointer
from cpsched.propagation import domains, fixpoint
from cpsched.propagation.domains import NONE, Int, Ints, clear_queues
from cpsched.propagation.layout import ARRAY, INT, OK

_at_least, _at_most = domains.at_least, domains.at_most
_propagate, _propagate_all = fixpoint.propagate, fixpoint.propagate_all
_push, _pop, _forget_changes = domains.push, domains.pop, domains.forget_changes
_objective_bound = fixpoint.objective_bound


@kernel(OK(ARRAY, ARRAY, ARRAY, INT, INT, INT))
def tighten(S: Ints, T: Ints, trail: Ints, v: Int, lower: Int, upper: Int) -> Int:
    """Post lower <= v <= upper and propagate to the fix point; False if that fails."""
    static, state, log = pointer(S), pointer(T), pointer(trail)
    if _at_least(static, state, log, v, lower, -1) and _at_most(static, state, log, v, upper, -1):
        return _propagate(static, state, log)
    clear_queues(static, state)
    return False


@kernel(OK(ARRAY, ARRAY, ARRAY))
def propagate_all(S: Ints, T: Ints, trail: Ints) -> Int:
    """Run every item, then what follows, to the fix point; False if something failed."""
    return _propagate_all(pointer(S), pointer(T), pointer(trail))


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


@kernel(INT(ARRAY, ARRAY))
def objective_bound(S: Ints, T: Ints) -> Int:
    """Least value of the objective's sum under the bounds of its variables."""
    return _objective_bound(pointer(S), pointer(T))
