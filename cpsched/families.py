"""The problem families and what the common layers ask of each; a family loads on first use."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol, cast

from cpsched.errors import UnknownNameError

if TYPE_CHECKING:
    import threading
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from cpsched.incumbent import Incumbent
    from cpsched.protocols import Instance, Limits
    from cpsched.result import CheckReport, Result

#: Module of each family; it follows ``Family``.
_MODULES = {
    "jobshop": "cpsched.jobshop.family",
    "pods": "cpsched.pods.family",
    "vms": "cpsched.vms.family",
    "reassignment": "cpsched.reassignment.family",
}


class Earlier(Protocol):
    """An answer to an earlier state of an instance, held against its state now.

    changes: what differs, in sentences; total: number of steps that it states.
    """

    changes: tuple[str, ...]

    @property
    def total(self) -> int:
        """Number of steps."""

    def stale(self) -> list[str]:
        """One sentence for each step that can no longer be done, and why."""

    def salvage(self) -> tuple[Any, list[str]]:
        """A feasible solution with what still applies, and what was dropped, in sentences."""


class Family(Protocol):
    """What solving, checking and reports ask of a family; a module, cheap to import.

    INSTANCE: class of the instances; METHODS: methods with one line each; CSV_COLUMNS: columns of
    the solution in CSV; OBJECTIVE: name of the objective; TABLE_COLUMNS: columns of ``cells``;
    SOLUTION: name of a solution; PLOT: ``module:function`` that draws (instance, result), and
    PICTURE what it draws, both empty if nothing is drawn; COMMANDS: by name of the format,
    ``module:function`` that writes (instance, result with a solution) as shell commands or for
    reading; NAMED: whether an instance's name says which one it is, and not only from which file
    it came; SETTINGS: names of ``with_setting``; GAP: whether (objective - bound) / objective says
    how good a solution is; MEASURES: names of ``measures``.
    """

    INSTANCE: type
    METHODS: Mapping[str, str]
    CSV_COLUMNS: tuple[str, ...]
    OBJECTIVE: str
    SOLUTION: str
    TABLE_COLUMNS: tuple[str, ...]
    PLOT: str
    PICTURE: str
    COMMANDS: Mapping[str, str]
    NAMED: bool
    SETTINGS: tuple[str, ...]
    GAP: bool
    MEASURES: tuple[str, ...]

    def obstacle(self, method: str, instance: Any) -> str:
        """What keeps *method* from solving *instance*; empty if nothing."""

    def prepare(self, methods: Collection[str], instances: Sequence[Any] | None) -> None:
        """Import every kernel that *methods* run on *instances* (None: on any)."""

    def start(
        self, instance: Any, limits: Limits, method: str, incumbent: Incumbent[Any]
    ) -> threading.Thread:
        """Start *method* on *incumbent*; returns the running thread."""

    def quick_bound(self, instance: Any) -> int | None:
        """A lower bound that costs next to nothing, if there is one."""

    def check(self, instance: Any, solution: Any) -> CheckReport:
        """Solver-free verdict."""

    def record(self, instance: Any, solution: Any, bound: int | None) -> dict[str, Any]:
        """The ``solution`` part of the JSON object."""

    def csv_rows(self, instance: Any, solution: Any) -> Iterator[tuple[Any, ...]]:
        """Rows of the CSV, without the instance's name."""

    def shape(self, instance: Any) -> str:
        """The size in words."""

    def size(self, instance: Any) -> str:
        """The size in a cell of a table."""

    def items(self, instance: Any) -> int:
        """Number of things a solution says something about."""

    def value(self, instance: Any, solution: Any) -> int:
        """The objective of a solution that may break rules."""

    def objective_text(self, instance: Any, objective: int | None) -> str:
        """An objective, or a bound, in a few characters."""

    def facts(
        self, instance: Any, result: Result[Any], best_known: int | None, found: str
    ) -> list[tuple[str, str]]:
        """Label and text of the lines between status and time; found: who found it, when."""

    def denied(self, instance: Any, solution: Any, stated: dict[str, Any]) -> list[str]:
        """What a result file says beside the solution and is not so, in sentences."""

    def with_setting(self, instance: Any, name: str, value: Any) -> Any:
        """*instance* with another value of one of ``SETTINGS``; InputError if not allowed."""

    def as_stated(self, instance: Any, stated: dict[str, Any]) -> Any:
        """*instance* under the settings that a result file says it was made with."""

    def earlier(self, instance: Any, stated: dict[str, Any]) -> Earlier | None:
        """What a result file states, if it answers an earlier state of *instance*, else None."""

    def after(self, instance: Any, result: Result[Any]) -> list[str]:
        """Lines that follow the summary, such as the steps of a plan."""

    def measures(self, instance: Any, result: Result[Any]) -> dict[str, float]:
        """What a benchmark averages beside objective and gap: a number for each of ``MEASURES``.

        The result has a solution.
        """

    def cells(self, instance: Any, result: Result[Any]) -> list[str]:
        """Cells of a table's row, one for each of ``TABLE_COLUMNS``."""


def names() -> list[str]:
    """Names of the families."""
    return list(_MODULES)


def get(name: str) -> Family:
    """The family called *name*; UnknownNameError if there is none."""
    if name not in _MODULES:
        raise UnknownNameError.of("family", name, _MODULES)
    return cast("Family", import_module(_MODULES[name]))


def of(instance: Instance) -> Family:
    """The family of *instance*."""
    return get(instance.family)


def every() -> list[Family]:
    """All families, loaded."""
    return [get(name) for name in _MODULES]


def function(reference: str) -> Any:
    """The function that ``module:name`` refers to."""
    module, _, name = reference.partition(":")
    return getattr(import_module(module), name)
