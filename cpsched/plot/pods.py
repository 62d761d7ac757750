"""A cluster before and after a repack: nodes as bars, whoever moves, comes, goes or waits.

Up to ``_MAX_ROWS`` nodes are drawn in full. Beyond, every node is a thin column in a strip for
each resource, and only the most changed nodes are drawn in full.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cpsched.plot.changes import Changes, Kind
from cpsched.plot.common import INK, ROW
from cpsched.plot.rows import EVICTED, HUES, PLACED, color_of, draw_rows, shorten, tier_grey

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from cpsched.pods.instance import Cluster
    from cpsched.pods.solution import Placement
    from cpsched.result import Result

_MAX_ROWS = 24
#: Changed nodes drawn in full under the strips.
_MAX_CHANGED = 16
#: Pods named in each list.
_MAX_NAMES = 12
#: Columns of names: what they hold.
_LISTS = (
    (Kind.MOVED, "moved"),
    (Kind.PLACED, "newly placed"),
    (Kind.EVICTED, "evicted"),
    (Kind.PENDING, "still pending"),
)
_WIDTH = 12.0
_STRIP = 1.05
_GONE = "#f0a58f"
_CAME = "#3b7dbd"
_KEPT = "#b9bfc6"


def before_after(cluster: Cluster, placement: Placement, *, facts: Sequence[str] = ()) -> Figure:
    """Nodes of *cluster* before and after *placement*, as bars of what is requested.

    A bar is a share of what the node has allocatable, one lane for each resource. Grey pods stay,
    darker for higher tiers; moved pods have a colour and a line each; numbers lead to the names
    below. facts: what else the title says, such as a status.
    """
    from matplotlib.figure import Figure

    changes = Changes(cluster, placement)
    every = cluster.num_nodes <= _MAX_ROWS
    nodes = list(range(cluster.num_nodes)) if every else sorted(changes.nodes[:_MAX_CHANGED])
    strips = [] if every else changes.resources
    row_inches = 0.17 * len(changes.resources) + (0.14 if len(nodes) <= 8 else 0.04)
    heights = [_STRIP] * len(strips)
    if nodes:
        heights.append(max(1.0, row_inches * len(nodes)) + 0.35)
    names = max((min(len(changes.of(kind)), _MAX_NAMES + 1) for kind, _ in _LISTS), default=0)
    heights.append(0.42 + 0.135 * max(1, names))
    figure = Figure(figsize=(_WIDTH, sum(heights) + 0.75), layout="constrained")
    grid = figure.subplots(len(heights), 1, squeeze=False, height_ratios=heights)[:, 0]
    for axes, resource in zip(grid, strips, strict=False):
        _draw_strip(axes, changes, resource)
    if strips:
        _name_nodes(grid[len(strips) - 1], cluster.num_nodes)
    if nodes:
        draw_rows(grid[len(strips)], changes, nodes, row_inches)
        _say_rest(grid[len(strips)], changes, len(nodes), every)
    _draw_lists(grid[-1], changes)
    _draw_legend(figure, changes, strips=bool(strips))
    figure.suptitle(
        "  ·  ".join([cluster.name, *_counts(changes), *facts]),
        x=0.01,
        ha="left",
        fontsize=11,
        color=INK,
        parse_math=False,
    )
    return figure


def before_after_of_result(cluster: Cluster, result: Result[Placement]) -> Figure:
    """Cluster before and after the solution of *result*, which must have one."""
    if result.solution is None:
        raise ValueError(f"{result.instance}: there is no solution to draw")
    return before_after(cluster, result.solution, facts=[result.status.value])


def _counts(changes: Changes) -> list[str]:
    cluster = changes.cluster
    now, then = int(cluster.running.sum()), int((changes.placement.node >= 0).sum())
    words = [f"{now} → {then} of {cluster.num_pods} pods placed"]
    for kind, word in ((Kind.MOVED, "moved"), (Kind.EVICTED, "evicted")):
        words.append(f"{len(changes.of(kind))} {word}")
    return words


def _draw_strip(axes: Axes, changes: Changes, resource: int) -> None:
    """One column for each node, sorted by what is used before: what stays, came and went."""
    before, after = changes.before[:, resource], changes.after[:, resource]
    order = np.lexsort((np.arange(len(before)), -before))
    before, after = before[order], after[order]
    edges = np.arange(len(before) + 1) - 0.5
    low, high = np.minimum(before, after), np.maximum(before, after)
    axes.stairs(np.ones(len(before)), edges, fill=True, color=ROW, zorder=1)
    axes.stairs(low, edges, fill=True, color=_KEPT, zorder=2)
    for top, color in (
        (np.where(after > before, high, low), _CAME),
        (np.where(before > after, high, low), _GONE),
    ):
        axes.stairs(top, edges, baseline=low, fill=True, color=color, linewidth=0, zorder=3)
    axes.axhline(1.0, color="#8a9099", linewidth=0.6, zorder=4)
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylim(0, max(1.06, 1.03 * float(high.max())))
    axes.set_yticks([0, 0.5, 1], ["0 %", "50 %", "100 %"], fontsize=7)
    axes.set_xticks([])
    axes.set_ylabel(shorten(changes.cluster.resources[resource], 18), fontsize=8)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.tick_params(length=2, colors="#8a9099")


def _name_nodes(axes: Axes, count: int) -> None:
    axes.set_xlabel(
        f"all {count:,} nodes, in each strip sorted by what is requested before",
        fontsize=8,
        color=INK,
    )


def _say_rest(axes: Axes, changes: Changes, drawn: int, every: bool) -> None:
    if not every:
        total = len(changes.nodes)
        words = (
            f"all {total} changed nodes" if drawn == total else f"{drawn} of {total} changed nodes"
        )
        axes.set_xlabel(words, fontsize=8, color=INK)


def _draw_lists(axes: Axes, changes: Changes) -> None:
    """Names of the pods that move, come, go or wait, in four columns."""
    cluster, then = changes.cluster, changes.placement.node
    axes.set_axis_off()
    lefts = (0.0, 0.40, 0.66, 0.83)
    for (kind, title), left in zip(_LISTS, lefts, strict=True):
        pods = changes.of(kind)
        _line(axes, left, 0, f"{title}: {len(pods)}", INK, bold=True)
        # "and 1 more" takes as much room as the one.
        shown = pods if len(pods) <= _MAX_NAMES + 1 else pods[:_MAX_NAMES]
        digits = max((len(str(changes.numbers.get(pod, ""))) for pod in shown), default=0)
        indent = max(0.022, 0.009 + 0.007 * digits) if digits else 0.0
        for row, pod in enumerate(shown, 1):
            number = changes.numbers.get(pod)
            pod_name = cluster.pods[pod]
            if kind is Kind.MOVED:
                old = changes.node_name(int(cluster.node[pod]), 16)
                new = changes.node_name(int(then[pod]), 16)
                words = f"{shorten(pod_name, 30)}: {old} → {new}"
            elif kind is Kind.PLACED:
                words = f"{shorten(pod_name, 24)} → {changes.node_name(int(then[pod]), 14)}"
            else:
                words = shorten(pod_name, 26)
            if number is not None:
                _line(axes, left, row, f"{number}", color_of(changes, pod), bold=True)
            _line(axes, left + indent, row, words, INK)
        if len(pods) > len(shown):
            _line(axes, left, _MAX_NAMES + 1, f"and {len(pods) - _MAX_NAMES} more", "#6b7280")


def _line(axes: Axes, x: float, row: int, text: str, color: Any, bold: bool = False) -> None:
    axes.annotate(
        text,
        (x, 1.0),
        xycoords="axes fraction",
        xytext=(0, -4 - 9.7 * row),
        textcoords="offset points",
        va="top",
        fontsize=7,
        color=color,
        fontweight="bold" if bold else "normal",
        parse_math=False,
        annotation_clip=False,
    )


def _draw_legend(figure: Figure, changes: Changes, *, strips: bool) -> None:
    from matplotlib.patches import Patch

    tiers = changes.cluster.tiers
    entries: list[tuple[Any, str]] = []
    if strips:
        entries += [(_KEPT, "before and after"), (_CAME, "only after"), (_GONE, "only before")]
    ends = [tiers[0]] if len(tiers) == 1 else [tiers[0], tiers[-1]]
    entries += [(tier_grey(tiers, tier), f"stays, priority {tier}") for tier in ends]
    if changes.of(Kind.MOVED):
        entries.append((HUES[0], "moved, a colour each"))
    if changes.of(Kind.PLACED):
        entries.append((PLACED, "newly placed"))
    if changes.of(Kind.EVICTED):
        entries.append((EVICTED, "evicted"))
    figure.legend(
        handles=[Patch(facecolor=color, label=label) for color, label in entries],
        loc="outside lower left",
        ncols=len(entries),
        fontsize=7,
        frameon=False,
        handlelength=1.0,
        columnspacing=1.4,
    )
