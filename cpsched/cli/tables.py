"""Tables on stdout, never cut off."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.measure import Measurement

if TYPE_CHECKING:
    from rich.table import Table

#: Wider than any table here: what a table would like to have.
_UNLIMITED = 1000


def print_table(table: Table) -> None:
    """Print *table* as wide as it needs to be, also into a pipe or a narrow terminal.

    A terminal breaks long lines, which reads better than numbers that are cut off.
    """
    free = Console(width=_UNLIMITED)
    needed = Measurement.get(free, free.options, table).maximum
    console = Console(highlight=False, width=max(needed, Console().width))
    console.print(table)
