"""One line on the terminal that follows a solve: incumbent, bound, gap, time."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.control import Control
from rich.segment import ControlType
from rich.text import Text

from cpsched import families, report
from cpsched.protocols import Instance
from cpsched.result import TracePoint

_START_OF_LINE = Control(ControlType.CARRIAGE_RETURN, (ControlType.ERASE_IN_LINE, 2))


def load_kernels(notes: Console, methods: Iterable[str], instances: Sequence[Instance]) -> float:
    """Load what *methods* run on *instances*; say so if it must compile; return the seconds."""
    from cpsched import solving

    return solving.prepare(
        on_compile=lambda: notes.print(
            "compiling the kernels: once after installation, some ten seconds"
        ),
        methods=methods,
        instances=instances,
    )


class LiveLine:
    """Redraws its line on stderr, at most ten times a second; silent off a terminal.

    It hides no cursor and starts no thread, so that a process ended at any moment leaves the
    terminal as it was.

    Parameters
    ----------
    label
        What is shown before it.
    instance
        What is being solved.
    time_limit
        Seconds, shown beside the time used.
    console
        Where to draw; nothing is drawn if it is not a terminal.
    enabled
        False for silence.
    """

    def __init__(
        self,
        label: str,
        instance: Instance,
        time_limit: float,
        console: Console,
        *,
        enabled: bool = True,
    ) -> None:
        self._label = label + instance.name
        self._instance = instance
        self._family = families.of(instance)
        self._limit = time_limit
        self._console = console
        self._enabled = enabled and console.is_terminal
        self._last = 0.0

    def update(self, point: TracePoint) -> None:
        """Show *point*."""
        now = time.perf_counter()
        if not self._enabled or now - self._last < 0.1:
            return
        self._last = now
        line = Text(self._text(point), no_wrap=True, overflow="ellipsis")
        line.truncate(max(1, self._console.width - 1), overflow="ellipsis")
        line.stylize("bold", 0, len(self._label))
        self._console.control(_START_OF_LINE)
        self._console.print(line, end="")

    def clear(self) -> None:
        """Remove the line."""
        if self._enabled and self._last:
            self._console.control(_START_OF_LINE)

    def _text(self, point: TracePoint) -> str:
        family = self._family
        gap = ""
        if family.GAP:
            share = None
            if point.objective is not None and point.bound is not None:
                share = (point.objective - point.bound) / max(1, point.objective)
            gap = f"  gap {report.percent(share)}"
        return (
            f"{self._label}  {family.OBJECTIVE} "
            f"{family.objective_text(self._instance, point.objective)}"
            f"  bound {family.objective_text(self._instance, point.bound)}"
            f"{gap}"
            f"  {point.seconds:.1f} of {self._limit:g} s"
        )
