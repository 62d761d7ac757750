"""Nodes as rows of bars, before on the left and after on the right, moves as lines between."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cpsched.plot.changes import Kind
from cpsched.plot.common import INK, ROW, rectangles

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from cpsched.plot.changes import Changes
    from cpsched.plot.common import FloatArray

#: Moved pods take turns; no red, green or grey, which mean something else.
HUES = ("#1f77b4", "#e08214", "#7b4ab5", "#17a2b8", "#c2569b", "#8c5a2b", "#3f51b5", "#b8a000")
PLACED = "#2e9e4f"
EVICTED = "#c62828"

#: Pods that stay: the pale end is the lowest tier.
_PALE, _DARK = 0.86, 0.58

#: Distance of the two sides, in widths of a full node.
_GAP = 0.42

#: Inches that the name of a node takes between the sides.
_LABEL = 0.08

_FADED = "#8a9099"


def color_of(changes: Changes, pod: int) -> Any:
    """Colour of *pod* by what happens to it."""
    kind = changes.kind[pod]
    if kind == Kind.MOVED:
        return HUES[(changes.numbers[pod] - 1) % len(HUES)]
    return {Kind.PLACED: PLACED, Kind.EVICTED: EVICTED}.get(kind) or tier_grey(
        changes.cluster.tiers, int(changes.cluster.priority[pod])
    )


def tier_grey(tiers: Sequence[int], priority: int) -> str:
    """Grey of pods that stay; darker for higher tiers."""
    place = 1 - tiers.index(priority) / max(1, len(tiers) - 1) if len(tiers) > 1 else 0.0
    return f"{_PALE - (_PALE - _DARK) * place:.3f}"


def draw_rows(axes: Axes, changes: Changes, nodes: Sequence[int], row_inches: float) -> None:
    """Draw *nodes*, the first on top; row_inches: height of a row on paper."""
    shown = np.array(nodes)
    resources = changes.resources
    fullest = max(
        (float(side[shown][:, resources].max()) for side in (changes.before, changes.after)),
        default=1.0,
    )
    span = max(1.0, fullest)
    offset = span + _GAP
    axes.set_xlim(-0.005, offset + span + 0.005)
    axes.set_ylim(len(nodes) - 0.45, -0.55)
    lane = 0.82 / len(resources)
    row_of = {node: row for row, node in enumerate(nodes)}
    for k, resource in enumerate(resources):
        shift = -0.41 + lane * (k + 0.5)
        real = [row_of[n] for n in nodes if changes.cluster.allocatable[n, resource] > 0]
        ys = np.array(real, dtype=np.float64) + shift
        for left in (0.0, offset):
            _bars(axes, np.full(len(ys), left), np.full(len(ys), left + 1.0), ys, lane, [ROW], 1)
        for left, side in ((0.0, changes.cluster.node), (offset, changes.placement.node)):
            _draw_pods(axes, changes, side, row_of, resource, left, shift, lane, row_inches)
    for edge in (0.0, 1.0, offset, offset + 1.0):
        axes.axvline(edge, color=_FADED, linewidth=0.6, zorder=3)
    _draw_lines(axes, changes, row_of, span, offset, _LABEL / row_inches)
    _dress(axes, changes, nodes, row_inches, lane, span, offset)


def _draw_pods(
    axes: Axes,
    changes: Changes,
    side: Any,
    row_of: dict[int, int],
    resource: int,
    left: float,
    shift: float,
    lane: float,
    row_inches: float,
) -> None:
    """Pods of one side and lane: whoever leaves on the right, whoever arrives on the left."""
    cluster, arriving = changes.cluster, left > 0
    there = np.flatnonzero(np.isin(side, np.array(list(row_of))))
    changed = changes.kind[there] != Kind.STAYS
    order = np.lexsort(
        (
            np.array([changes.numbers.get(int(pod), 0) for pod in there], dtype=np.int64),
            there,
            -cluster.priority[there],
            ~changed if arriving else changed,
            side[there],
        )
    )
    filled: dict[int, float] = {}
    bars: list[tuple[float, float, float]] = []
    colors = []
    points = min(7.0, 72 * row_inches * lane * 0.72)
    for pod in (int(pod) for pod in there[order]):
        node = int(side[pod])
        size = int(cluster.allocatable[node, resource])
        width = int(cluster.request[pod, resource]) / size if size else 0.0
        if width == 0:
            continue
        start = filled.get(node, 0.0)
        filled[node] = start + width
        y = row_of[node] + shift
        bars.append((left + start, left + start + width, y))
        colors.append(color_of(changes, pod))
        number = str(changes.numbers.get(pod, ""))
        if number and points >= 4.5 and width >= 0.022 * len(number):
            axes.text(
                left + start + width / 2,
                y,
                number,
                ha="center",
                va="center_baseline",
                fontsize=points,
                color="white",
                fontweight="bold",
                zorder=5,
            )
    if bars:
        lefts, rights, ys = np.array(bars).T
        _bars(axes, lefts, rights, ys, lane, colors, 2)


def _bars(
    axes: Axes,
    left: FloatArray,
    right: FloatArray,
    ys: FloatArray,
    lane: float,
    colors: Sequence[Any],
    zorder: int,
) -> None:
    from matplotlib.collections import PolyCollection

    corners: Any = rectangles(left, right, ys, 0.45 * lane)
    edge = "white" if zorder > 1 else "none"
    axes.add_collection(
        PolyCollection(corners, facecolors=colors, edgecolors=edge, linewidths=0.5, zorder=zorder)
    )


def _draw_lines(
    axes: Axes,
    changes: Changes,
    row_of: dict[int, int],
    span: float,
    offset: float,
    apart: float,
) -> None:
    """A line for every moved pod; an end of one where the other node is not shown.

    apart: rows between two names of such nodes; one that has no room is left out.
    """
    from matplotlib.collections import LineCollection

    now, then = changes.cluster.node, changes.placement.node
    leave, arrive = _spots(changes, now, row_of), _spots(changes, then, row_of)
    wave = np.linspace(0.0, 1.0, 40)
    smooth = wave * wave * (3 - 2 * wave)
    paths, colors = [], []
    named: dict[float, list[float]] = {span: [], offset: []}
    for pod in changes.of(Kind.MOVED):
        start, end = leave.get(pod), arrive.get(pod)
        color = color_of(changes, pod)
        if start is not None and end is not None:
            xs = span + 0.012 + wave * (offset - span - 0.024)
            paths.append(np.column_stack([xs, start + smooth * (end - start)]))
            colors.append(color)
        for here, y, reach, side in ((span, start, 0.05, then), (offset, end, -0.05, now)):
            if y is None or (start is not None and end is not None):
                continue
            paths.append(np.array([[here, y], [here + reach, y]]))
            colors.append(color)
            if any(abs(y - other) < apart for other in named[here]):
                continue
            named[here].append(y)
            axes.text(
                here + 1.2 * reach,
                y,
                changes.node_name(int(side[pod]), 13),
                ha="left" if reach > 0 else "right",
                va="center",
                fontsize=5.5,
                color=color,
                parse_math=False,
            )
    if paths:
        lines: Any = paths
        axes.add_collection(LineCollection(lines, colors=colors, linewidths=1.3, zorder=4))
    for pods, spots, x, mark, color in (
        (changes.of(Kind.PLACED), arrive, offset - 0.03, ">", PLACED),
        (changes.of(Kind.EVICTED), leave, span + 0.03, "x", EVICTED),
    ):
        ys = [spots[pod] for pod in pods if pod in spots]
        axes.scatter([x] * len(ys), ys, s=14, marker=mark, color=color, linewidths=1.4, zorder=5)


def _spots(changes: Changes, side: Any, row_of: dict[int, int]) -> dict[int, float]:
    """Height at which each changed pod's line meets its node's row."""
    of_node: dict[int, list[int]] = {}
    for pod in sorted(changes.numbers, key=changes.numbers.__getitem__):
        if int(side[pod]) in row_of:
            of_node.setdefault(int(side[pod]), []).append(pod)
    spots = {}
    for node, pods in of_node.items():
        for k, pod in enumerate(pods):
            spots[pod] = row_of[node] - 0.41 + 0.82 * (k + 0.5) / len(pods)
    return spots


def _dress(
    axes: Axes,
    changes: Changes,
    nodes: Sequence[int],
    row_inches: float,
    lane: float,
    span: float,
    offset: float,
) -> None:
    points = float(np.clip(72 * row_inches * 0.42, 5.5, 9.0))
    names = [changes.node_name(node, 26) for node in nodes]
    lanes = len(changes.resources)
    small = min(points - 1.5, 72 * row_inches * lane * 0.75)
    axes.set_yticks(range(len(nodes)), names, fontsize=points, color=INK, parse_math=False)
    axes.tick_params(axis="y", length=0, pad=42 if lanes > 1 else 6)
    if lanes > 1:
        for row in range(len(nodes)):
            for k, resource in enumerate(changes.resources):
                axes.annotate(
                    shorten(changes.cluster.resources[resource], 14),
                    (0.0, row - 0.41 + lane * (k + 0.5)),
                    xytext=(-3, 0),
                    textcoords="offset points",
                    ha="right",
                    va="center",
                    fontsize=max(4.0, small),
                    color=_FADED,
                    annotation_clip=False,
                )
    ticks = (0.0, 0.5, 1.0)
    axes.set_xticks(
        [*ticks, *(offset + tick for tick in ticks)],
        [f"{100 * tick:.0f} %" for tick in ticks * 2],
        fontsize=7,
    )
    axes.tick_params(axis="x", length=2, colors=_FADED)
    for x, text in ((0.0, "before"), (offset, "after")):
        axes.annotate(
            text,
            (x, 1.0),
            xycoords=axes.get_xaxis_transform(),
            xytext=(0, 3),
            textcoords="offset points",
            fontsize=9,
            fontweight="bold",
            color=INK,
        )
    for spine in axes.spines.values():
        spine.set_visible(False)


def shorten(name: str, length: int) -> str:
    """*name* with its middle left out if it is longer than *length* characters."""
    if len(name) <= length:
        return name
    head = (length - 1) // 2
    return f"{name[:head]}…{name[len(name) - (length - 1 - head) :]}"
