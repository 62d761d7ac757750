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
    "reassignment": "cpsched.reassignment.family",
}


class Family(Protocol):
    """What solving, checking and reports ask of a family; a module, cheap to import.

    INSTANCE: class of the instances; METHODS: methods with one line each; CSV_COLUMNS: columns of
    the solution in CSV; OBJECTIVE: name of the objective; TABLE_COLUMNS: columns of ``cells``;
    SOLUTION: name of a solution; PLOT: ``module:function`` that draws (instance, result), and
    PICTURE what it draws, both empty if nothing is drawn; COMMANDS: ``module:function`` that
    writes shell commands for (instance, solution), empty if there are none.
    """

    INSTANCE: type
    METHODS: Mapping[str, str]
    CSV_COLUMNS: tuple[str, ...]
    OBJECTIVE: str
    SOLUTION: str
    TABLE_COLUMNS: tuple[str, ...]
    PLOT: str
    PICTURE: str
    COMMANDS: str

    def obstacle(self, method: str, instance: Any) -> str:
        """What keeps *method* from solving *instance*; empty if nothing."""

    def prepare(self, methods: Collection[str], instances: Sequence[Any] | None) -> None:
        """Import every kernel that *methods* run on *instances* (None: on any)."""

    def start(
        self, instance: Any, limits: Limits, method: str, incumbent: Incumbent[Any]
    ) -> threading.Thread:
        """Start *method* on *incumbent*; returns the running thread."""

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

    def after(self, instance: Any, result: Result[Any]) -> list[str]:
        """Lines that follow the summary, such as the steps of a plan."""

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
