"""Gantt chart of a job-shop schedule: one row per machine, one colour per job."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cpsched.plot.common import INK, ROW, FloatArray, rectangles

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from cpsched.jobshop.instance import JobShop
    from cpsched.jobshop.solution import Schedule
    from cpsched.result import Result

#: Up to this many jobs are told apart by a palette of distinct hues, more by a colour map.
_PALETTE_JOBS = 10

#: Bars beyond this number become one bitmap inside an SVG: half a million path nodes are
#: more than a browser wants to draw.
_MAX_VECTOR_BARS = 20_000

#: Labels beyond this number cost seconds and cannot be read anyway.
_MAX_LABELS = 1_000

_BOUND = "#b3261e"


def gantt(
    instance: JobShop,
    schedule: Schedule,
    *,
    bound: int | None = None,
    status: str | None = None,
) -> Figure:
    """Gantt chart of *schedule*.

    Few operations carry their job's number; many are thin bars whose colour runs with the job.
    Grey shows where a machine is idle. The makespan and, if given, the proven lower *bound* are
    marked.
    """
    from matplotlib.figure import Figure

    horizon = max(schedule.makespan, bound or 0, 1)
    width, height = _size(instance)
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots()
    axes.set_xlim(0, horizon * 1.005)
    axes.set_ylim(instance.num_machines - 0.5, -0.5)  # machine 0 on top
    colors = job_colors(instance.num_jobs)
    _draw_bars(axes, instance, schedule, colors, row_inches=height / instance.num_machines)
    _draw_labels(axes, instance, schedule, colors, inches_per_unit=0.88 * width / horizon)
    _draw_marks(axes, schedule.makespan, bound)
    _dress(axes, instance)
    facts = [instance.name, f"makespan {schedule.makespan}"]
    if bound is not None:
        facts.append(f"lower bound {bound}")
    if status is not None:
        facts.append(status)
    # parse_math: a name with two dollar signs is not a formula
    axes.set_title("  ·  ".join(facts), loc="left", pad=22, color=INK, parse_math=False)
    return figure


def gantt_of_result(instance: JobShop, result: Result[Schedule]) -> Figure:
    """Gantt chart of the solution of *result*, which must have one."""
    if result.solution is None:
        raise ValueError(f"{result.instance}: there is no solution to draw")
    return gantt(instance, result.solution, bound=result.bound, status=result.status.value)


def job_colors(num_jobs: int) -> FloatArray:
    """RGB of each job, shape (num_jobs, 3)."""
    from matplotlib import colormaps

    if num_jobs <= _PALETTE_JOBS:
        # Muted hues of similar weight; far apart also in lightness for colour-blind readers.
        return np.asarray(colormaps["tab10"](np.arange(num_jobs))[:, :3], dtype=np.float64)
    # The ends of the map are too dark or too pale to tell from the edges and the idle grey.
    positions = np.linspace(0.03, 0.95, num_jobs)
    return np.asarray(colormaps["viridis"](positions)[:, :3], dtype=np.float64)


def _size(instance: JobShop) -> tuple[float, float]:
    """Width and height in inches: wide enough for the busiest rows, a page at most."""
    per_machine = instance.num_ops / instance.num_machines
    width = float(np.clip(6.5 + 0.35 * per_machine, 8.0, 16.0))
    height = float(np.clip(1.6 + 0.40 * instance.num_machines, 3.2, 9.6))
    return width, height


def _draw_bars(
    axes: Axes, instance: JobShop, schedule: Schedule, colors: FloatArray, row_inches: float
) -> None:
    from matplotlib.collections import PolyCollection

    num_machines = instance.num_machines
    # Rows thinner than 0.1 inch have no room for a gap between them.
    half = 0.40 if row_inches > 0.1 else 0.5
    ends = np.full(num_machines, schedule.makespan)
    rows: Any = rectangles(np.zeros(num_machines), ends, np.arange(num_machines), half)
    axes.add_collection(PolyCollection(rows, facecolors=ROW, linewidths=0, zorder=1))
    real = schedule.end > schedule.start
    bars: Any = rectangles(schedule.start[real], schedule.end[real], schedule.machine[real], half)
    per_machine = instance.num_ops / num_machines
    edge = 0.6 if per_machine <= 15 else 0.25 if per_machine <= 150 else 0.0
    axes.add_collection(
        PolyCollection(
            bars,
            facecolors=colors[instance.job[real]],
            edgecolors="white",
            linewidths=edge,
            rasterized=len(bars) > _MAX_VECTOR_BARS,
            zorder=2,
        )
    )


def _draw_labels(
    axes: Axes,
    instance: JobShop,
    schedule: Schedule,
    colors: FloatArray,
    inches_per_unit: float,
) -> None:
    """The job's number in every bar, if most bars have room for it."""
    if instance.num_ops > _MAX_LABELS or instance.num_machines > 24:
        return
    points = 9 if instance.num_machines <= 12 else 7
    # A digit is about 0.6 em wide; one em more for air.
    digits = len(str(instance.num_jobs - 1))
    needed = (0.6 * digits + 0.5) * points / 72
    widths = (schedule.end - schedule.start) * inches_per_unit
    fits = widths >= needed
    if fits.mean() < 0.6:
        return
    luminance = colors @ np.array([0.299, 0.587, 0.114])
    for op in np.flatnonzero(fits):
        job = int(instance.job[op])
        axes.text(
            (int(schedule.start[op]) + int(schedule.end[op])) / 2,
            float(schedule.machine[op]),
            str(job),
            ha="center",
            va="center",
            fontsize=points,
            color="black" if luminance[job] > 0.5 else "white",
            clip_on=True,
            zorder=3,
        )


def _draw_marks(axes: Axes, makespan: int, bound: int | None) -> None:
    """Vertical lines at the makespan and the lower bound, named above the rows."""
    where = axes.get_xaxis_transform()

    def name(position: int, text: str, align: str, color: str) -> None:
        axes.annotate(
            text,
            (position, 1.0),
            xycoords=where,
            xytext=(0, 4),
            textcoords="offset points",
            ha=align,
            va="bottom",
            fontsize=8,
            color=color,
        )

    def line(position: int, color: str, dashes: Any) -> None:
        # The white halo keeps a line visible on bars of any colour.
        axes.axvline(position, color="white", linewidth=3.2, alpha=0.85, zorder=4)
        axes.axvline(position, color=color, linewidth=1.5, linestyle=dashes, zorder=5)

    line(makespan, INK, "solid")
    if bound is None or bound == makespan:
        suffix = "" if bound is None else " = lower bound"
        name(makespan, f"makespan {makespan}{suffix}", "right", INK)
        return
    line(bound, _BOUND, (0, (4, 2)))
    # Two names on one line need room: the left one ends at its line, the right one at its own.
    span = axes.get_xlim()[1]
    close = makespan - bound < 0.14 * span
    name(makespan, f"makespan {makespan}", "left" if close else "right", INK)
    name(bound, f"lower bound {bound}", "right", _BOUND)


def _dress(axes: Axes, instance: JobShop) -> None:
    step = 1 if instance.num_machines <= 24 else 10 if instance.num_machines <= 200 else 100
    ticks = range(0, instance.num_machines, step)
    axes.set_yticks(ticks, [str(tick) for tick in ticks])
    axes.set_ylabel("machine")
    axes.set_xlabel("time")
    axes.tick_params(axis="y", length=0 if step == 1 else 3)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    if instance.num_jobs > _PALETTE_JOBS:
        _draw_color_bar(axes, instance.num_jobs)


def _draw_color_bar(axes: Axes, num_jobs: int) -> None:
    """A thin scale from the first job to the last, in place of a legend of many entries."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import ListedColormap, Normalize

    scale = ScalarMappable(Normalize(0, num_jobs - 1), ListedColormap(job_colors(num_jobs)))
    bar = axes.figure.colorbar(scale, ax=axes, fraction=0.012, pad=0.02, aspect=40)
    bar.set_label("job")
    bar.outline.set_visible(False)
