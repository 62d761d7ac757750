"""Fragments before and after a plan of migrations, PM by PM, and the rate step by step.

All PMs are columns of a strip, sorted by what is lost before: that is readable for ten PMs as for
thousands. Below, the PMs that change most have a row with their name each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cpsched.plot.common import INK, ROW
from cpsched.vms.account import rate_bound
from cpsched.vms.objective import slots_at, weighted_fr

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from cpsched.arrays import IntArray
    from cpsched.plot.common import FloatArray
    from cpsched.result import Result
    from cpsched.vms.instance import VmCluster
    from cpsched.vms.policy import Fragment
    from cpsched.vms.solution import Migrations

#: Changed PMs with a row each.
_MAX_ROWS = 24
_MAX_NAME = 22
_WIDTH = 12.0
_KEPT = "#b9bfc6"
_GONE = "#f0a58f"
_CAME = "#3b7dbd"
_AXIS = "#8a9099"


def fragments(
    cluster: VmCluster,
    migrations: Migrations,
    *,
    bound: float | None = None,
    facts: Sequence[str] = (),
) -> Figure:
    """Cores in no whole slot on each PM before and after *migrations*, and the rate in between.

    bound: lowest fragment rate there can be, if known; facts: what else the title says.
    """
    from matplotlib.figure import Figure

    kinds = cluster.policy.fragments
    end = migrations.end(cluster)
    lost = [(_lost(cluster, cluster.numa, one), _lost(cluster, end, one)) for one in kinds]
    rows = _changed(lost)
    heights = [1.5] * len(kinds) + ([0.35 + 0.17 * len(rows)] if len(rows) else []) + [2.0]
    figure = Figure(figsize=(_WIDTH, sum(heights) + 0.9), layout="constrained")
    grid = figure.subplots(len(heights), 1, squeeze=False, height_ratios=heights)[:, 0]
    for axes, kind, (before, after) in zip(grid, kinds, lost, strict=False):
        _draw_strip(axes, kind, before, after)
    if len(rows):
        _draw_rows(grid[-2], cluster, kinds[0], rows, *lost[0])
    rates = _rates(cluster, migrations)
    _draw_rates(grid[-1], cluster, rates, bound)
    _draw_legend(figure)
    figure.suptitle(
        "  ·  ".join(
            [
                cluster.name,
                f"fragment rate {rates[0]:.4f} → {rates[-1]:.4f}",
                f"{len(migrations.moves)} migrations",
                *facts,
            ]
        ),
        x=0.01,
        ha="left",
        fontsize=11,
        color=INK,
        parse_math=False,
    )
    return figure


def fragments_of_result(cluster: VmCluster, result: Result[Migrations]) -> Figure:
    """Fragments before and after the plan of *result*, which must have one."""
    if result.solution is None:
        raise ValueError(f"{result.instance}: there is no solution to draw")
    bound = rate_bound(cluster, result.bound)
    return fragments(cluster, result.solution, bound=bound, facts=[result.status.value])


def _lost(cluster: VmCluster, numa: IntArray, kind: Fragment) -> FloatArray:
    """Shape (num_pms,): free cores of each active PM in no whole slot of *kind*."""
    free = (cluster.capacity - cluster.usage_of(numa))[:, 0]
    room = np.add.reduceat(np.maximum(free, 0), cluster.numa_ptr[:-1])
    slots = slots_at(cluster, free, kind)
    if not kind.double:
        slots = np.add.reduceat(slots, cluster.numa_ptr[:-1])
    return np.where(cluster.active, room - slots * kind.size, 0) / 1000


def _changed(lost: Sequence[tuple[FloatArray, FloatArray]]) -> IntArray:
    """PMs whose fragments change, most first, as many as have a row."""
    before, after = lost[0]
    change = np.abs(after - before)
    pms = np.flatnonzero(change > 0)
    order = np.lexsort((pms, -change[pms]))
    return pms[order][:_MAX_ROWS].astype(np.int32)


def _rates(cluster: VmCluster, migrations: Migrations) -> list[float]:
    """Weighted fragment rate before the plan and after each of its steps."""
    numa = cluster.numa.copy()
    found = [float(weighted_fr(cluster, numa))]
    for move in migrations.moves:
        numa[move.vm] = (*move.numa, -1)[:2]
        found.append(float(weighted_fr(cluster, numa)))
    return found


def _draw_strip(axes: Axes, kind: Fragment, before: FloatArray, after: FloatArray) -> None:
    """One column for each PM, sorted by what is lost before: what stays, comes and goes."""
    order = np.lexsort((np.arange(len(before)), -after, -before))
    before, after = before[order], after[order]
    edges = np.arange(len(before) + 1) - 0.5
    low, high = np.minimum(before, after), np.maximum(before, after)
    axes.stairs(low, edges, fill=True, color=_KEPT, linewidth=0, zorder=2)
    for top, color in (
        (np.where(after > before, high, low), _CAME),
        (np.where(before > after, high, low), _GONE),
    ):
        axes.stairs(top, edges, baseline=low, fill=True, color=color, linewidth=0, zorder=3)
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylim(0, max(1.0, 1.05 * float(high.max(initial=0))))
    axes.set_xticks([])
    axes.set_ylabel(f"cores lost, {kind.name}", fontsize=8, color=INK)
    axes.set_xlabel(
        f"all {len(before):,} PMs, sorted by what is lost before", fontsize=8, color=INK
    )
    _plain(axes)


def _draw_rows(
    axes: Axes,
    cluster: VmCluster,
    kind: Fragment,
    rows: IntArray,
    before: FloatArray,
    after: FloatArray,
) -> None:
    """The PMs that change most: a line from what is lost before to what is lost after."""
    place = np.arange(len(rows))
    old, new = before[rows], after[rows]
    color = [_GONE if less else _CAME for less in (new < old).tolist()]
    axes.hlines(place, np.minimum(old, new), np.maximum(old, new), colors=color, linewidth=3)
    axes.scatter(old, place, s=14, facecolor="white", edgecolor=INK, linewidth=0.8, zorder=3)
    axes.scatter(new, place, s=14, color=INK, zorder=4)
    axes.set_yticks(place, [_short(cluster.pms[pm]) for pm in rows.tolist()], fontsize=7)
    for label in axes.get_yticklabels():
        label.set_parse_math(False)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    most = float(max(old.max(), new.max()))
    axes.set_xlim(-0.01 * most, 1.02 * most)
    total = int((before != after).sum())
    shown = f"all {total}" if total == len(rows) else f"{len(rows)} of {total}"
    axes.set_xlabel(
        f"cores lost, {kind.name}: {shown} PMs that change, ○ before, ● after",
        fontsize=8,
        color=INK,
    )
    axes.grid(axis="x", color=ROW)
    axes.set_axisbelow(True)
    _plain(axes)


def _short(name: str) -> str:
    """The end of a long name: that is what tells PMs apart."""
    return name if len(name) <= _MAX_NAME else f"…{name[1 - _MAX_NAME :]}"


def _draw_rates(
    axes: Axes, cluster: VmCluster, rates: Sequence[float], bound: float | None
) -> None:
    """The rate after each step, with what bounds it and what is to be reached."""
    from matplotlib.ticker import MaxNLocator

    steps = np.arange(len(rates))
    axes.step(steps, rates, where="post", color=INK, linewidth=1.2, zorder=3)
    axes.scatter(steps, rates, s=8, color=INK, zorder=4)
    lines = [(bound, "no lower rate is possible")]
    if cluster.policy.goal is not None:
        lines.append((cluster.policy.goal[0] / cluster.policy.goal[1], "goal"))
    for height, words in lines:
        if height is not None:
            axes.axhline(height, color=_CAME, linewidth=0.8, linestyle="--", zorder=2)
            axes.annotate(
                f"{words}: {height:.4f}",
                (1.0, height),
                xycoords=("axes fraction", "data"),
                xytext=(-2, 2),
                textcoords="offset points",
                ha="right",
                fontsize=7,
                color=_CAME,
            )
    top = max([*rates, *(height for height, _ in lines if height is not None)])
    axes.set_ylim(0, max(0.05, 1.12 * top))
    axes.set_xlim(0, max(1, len(rates) - 1))
    axes.set_ylabel("fragment rate", fontsize=8, color=INK)
    axes.set_xlabel("migrations made", fontsize=8, color=INK)
    axes.grid(axis="y", color=ROW)
    axes.set_axisbelow(True)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    _plain(axes)


def _plain(axes: Axes) -> None:
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.tick_params(length=2, colors=_AXIS, labelsize=7)


def _draw_legend(figure: Figure) -> None:
    from matplotlib.patches import Patch

    entries = [(_KEPT, "lost before and after"), (_GONE, "only before"), (_CAME, "only after")]
    figure.legend(
        handles=[Patch(facecolor=color, label=label) for color, label in entries],
        loc="outside lower left",
        ncols=len(entries),
        fontsize=7,
        frameon=False,
        handlelength=1.0,
        columnspacing=1.4,
    )
