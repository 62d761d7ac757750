"""The section on the cost of a step by size."""

from __future__ import annotations

import math
import statistics
from typing import TYPE_CHECKING

from .tables import NOTHING, figure, table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from .records import Record

_GROWTH_NOTE = """\
Random instances of the law of Taillard's (seed 1), frame "all", one core, microseconds a step,
median of the repetitions. Loop: as in the table of rates. Step: the same actions, recorded, given
to `step` of the environment. Propagation: given to the kernel that decides and propagates, on bare
arrays. Observation: what the kernel takes longer that also keeps the observation up to date.
Copy: a copy of one observation. Python: the rest of a step. The rest of the loop is choosing the
action out of the mask, and `reset`.
"""


#: What a step of the loop is made of, each from what was measured; they sum to the loop.
_PARTS: dict[str, Callable[[dict[str, float]], float]] = {
    "propagation": lambda us: us["kernel_us"],
    "observation": lambda us: max(0.0, us["shown_us"] - us["kernel_us"]),
    "copy": lambda us: us["copy_us"],
    "Python": lambda us: max(0.0, us["step_us"] - us["shown_us"] - us["copy_us"]),
    "action and reset": lambda us: max(0.0, us["loop_us"] - us["step_us"]),
}
_MEASURED = ("loop_us", "step_us", "kernel_us", "shown_us", "copy_us")


class Growth:
    """Cost of a step by size."""

    def __init__(self, records: Iterable[Record], sizes: Sequence[str]) -> None:
        self.by_size: dict[str, list[Record]] = {size: [] for size in sizes}
        for record in records:
            size = record["key"][1]
            if size in self.by_size:
                self.by_size[size].append(record)
        self.by_size = {size: found for size, found in self.by_size.items() if found}

    def slope(self, what: str = "loop") -> float | None:
        """Slope of log(time) against log(operations), least squares over the sizes."""
        points = [
            (math.log(self._median(size, "operations")), math.log(value))
            for size in self.by_size
            if (value := self._times(size)[what]) > 0
        ]
        if len(points) < 2:
            return None
        mean_x = statistics.fmean(x for x, _ in points)
        mean_y = statistics.fmean(y for _, y in points)
        up = sum((x - mean_x) * (y - mean_y) for x, y in points)
        return up / sum((x - mean_x) ** 2 for x, _ in points)

    def text(self) -> str:
        """The section."""
        if not self.by_size:
            return "Not measured yet.\n"
        columns = ["loop", "step", *_PARTS]
        rows = []
        for size in self.by_size:
            times = self._times(size)
            top = max(_PARTS, key=times.__getitem__)
            rows.append(
                (
                    size,
                    figure(self._median(size, "operations")),
                    *(figure(times[column]) for column in columns),
                    f"{top}, {100 * times[top] / times['loop']:.0f} %",
                    figure(self._median(size, "observation_bytes")),
                    f"{self._median(size, 'making_s'):.2f} s",
                )
            )
        slopes = [self.slope(column) for column in columns]
        words = [NOTHING if slope is None else f"{slope:.2f}" for slope in slopes]
        rows.append(("slope", "", *words, "", "", ""))
        header = ("size", "operations", *columns, "most of it", "observation, bytes", "made in")
        return _GROWTH_NOTE + "\n" + table(header, rows)

    def _times(self, size: str) -> dict[str, float]:
        """Microseconds of the loop, of a step, and of each part."""
        measured = {name: self._median(size, name) for name in _MEASURED}
        parts = {name: part(measured) for name, part in _PARTS.items()}
        return {"loop": measured["loop_us"], "step": measured["step_us"], **parts}

    def _median(self, size: str, what: str) -> float:
        return statistics.median(record[what] for record in self.by_size[size])
