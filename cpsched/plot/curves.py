"""Step functions with bands: performance profiles and gaps over time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cpsched.plot.common import INK, FloatArray

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Okabe and Ito (2008), "Color Universal Design": told apart by the colour-blind, too; the yellow
#: left out, which is too light for a line.
COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000")
#: The next line style once the colours are used up, and so on: 28 lines that differ.
_STYLES = ("-", (0, (5, 2)), (0, (1, 1.2)), (0, (6, 1.5, 1, 1.5)))
_GRID = "#d0d7de"


@dataclass(frozen=True, slots=True)
class Curve:
    """A step function: y[i] holds from x[i] until x[i + 1]; x rises.

    low, high: the band around it, of the same length, or None.
    """

    name: str
    x: FloatArray
    y: FloatArray
    low: FloatArray | None = None
    high: FloatArray | None = None


@dataclass(frozen=True, slots=True)
class Axis:
    """How one direction is shown; percent: values are shares, shown times 100.

    linear: up to here a logarithmic axis is linear, for values that may be 0; low, high: limits,
    or None for what the curves need.
    """

    label: str
    log: bool = False
    linear: float = 0.0
    percent: bool = False
    low: float | None = None
    high: float | None = None


def steps(curves: Sequence[Curve], x: Axis, y: Axis, title: str = "") -> Figure:
    """A chart of *curves*, each in its own colour and line style, the legend beside it.

    The legend's order is that of the curves' right ends, top to bottom, so that it can be read
    across.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 3.9), layout="constrained", facecolor="white")
    axes = figure.subplots()
    handles = {}
    for number, curve in enumerate(curves):
        color = COLORS[number % len(COLORS)]
        style = _STYLES[number // len(COLORS) % len(_STYLES)]
        (handles[curve.name],) = axes.step(
            curve.x, curve.y, where="post", color=color, linestyle=style, linewidth=1.6
        )
        if len(curve.x) == 1:  # a step function of one point has no step to be seen by
            axes.plot(curve.x, curve.y, marker="o", color=color, markersize=4)
        if curve.low is not None and curve.high is not None:
            axes.fill_between(
                curve.x, curve.low, curve.high, step="post", color=color, alpha=0.15, linewidth=0
            )
    _show(axes, x, y)
    if title:
        axes.set_title(title, loc="left", fontsize=10, color=INK)
    ranked = sorted(curves, key=lambda curve: -curve.y[-1] if len(curve.y) else 0.0)
    if ranked:
        axes.legend(
            [handles[curve.name] for curve in ranked],
            [curve.name for curve in ranked],
            loc="upper left",
            bbox_to_anchor=(1.01, 1.0),
            frameon=False,
            fontsize=9,
            handlelength=2.8,
            borderaxespad=0.0,
        )
    return figure


def _show(axes: Axes, x: Axis, y: Axis) -> None:
    from matplotlib.ticker import FixedLocator, FuncFormatter

    if x.log and x.linear:
        axes.set_xscale("symlog", linthresh=x.linear)
        axes.xaxis.set_major_locator(FixedLocator(_marks(x.linear)))
    elif x.log:
        axes.set_xscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _text(value, x)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _text(value, y)))
    axes.set_xlim(x.low, x.high)
    axes.set_ylim(y.low, y.high)
    axes.set_xlabel(x.label, color=INK)
    axes.set_ylabel(y.label, color=INK)
    axes.tick_params(colors=INK, labelsize=9)
    axes.grid(visible=True, which="major", color=_GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _marks(linear: float) -> list[float]:
    """0, the end of the linear part halved, and 1, 2, 5, 10, 20, 50, … times it."""
    steps = [factor * 10**power * linear for power in range(4) for factor in (1, 2, 5)]
    return [0.0, linear / 2, *steps]


def _text(value: float, axis: Axis) -> str:
    return f"{100 * value:g} %" if axis.percent else f"{value:g}"


def ends(curve: Curve, at: float) -> Curve:
    """*curve* drawn on to *at*, where its last value still holds; the same if it reaches that."""
    if not len(curve.x) or curve.x[-1] >= at:
        return curve

    def more(values: FloatArray | None) -> FloatArray | None:
        return None if values is None else np.append(values, values[-1])

    return Curve(
        curve.name,
        np.append(curve.x, at),
        np.append(curve.y, curve.y[-1]),
        more(curve.low),
        more(curve.high),
    )
