"""What all pictures share: file types, colours of text and rows, rectangles."""

from __future__ import annotations

import importlib.util
import io
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from cpsched.errors import InputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FloatArray = npt.NDArray[np.float64]

#: File types, by suffix without the dot.
FORMATS = ("png", "svg")

#: Pixels per inch of a PNG: keeps 7-point labels sharp at 2,400 pixels of width at most.
_DPI = 150

INK = "#1f2328"
ROW = "#eef0f2"


def require_matplotlib() -> None:
    """Raise InputError if matplotlib is not installed."""
    if importlib.util.find_spec("matplotlib") is None:
        raise InputError(
            "a plot needs matplotlib, which is not installed: pip install 'cpsched[plot]'"
        )


def render(figure: Figure, file_format: str) -> bytes:
    """*figure* as the content of a file of one of ``FORMATS``; InputError if it is too much."""
    from matplotlib import rc_context

    _settle(figure)
    buffer = io.BytesIO()
    # Date and salt: equal charts give equal files.
    metadata: dict[str, Any] = {"Date": None} if file_format == "svg" else {}
    try:
        with rc_context({"svg.hashsalt": "cpsched"}):
            figure.savefig(buffer, format=file_format, dpi=_DPI, metadata=metadata)
    except (ValueError, OverflowError) as error:  # what the back ends raise
        raise InputError(f"the chart cannot be drawn: {error}") from error
    return buffer.getvalue()


def _settle(figure: Figure) -> None:
    """Lay *figure* out, once, to a ten-thousandth.

    The last digits of what the layout's solver finds change from run to run.
    """
    engine = figure.get_layout_engine()
    if engine is None:
        return
    engine.execute(figure)
    figure.set_layout_engine("none")
    for axes in figure.axes:
        left, bottom, width, height = axes.get_position(original=True).bounds
        axes.set_position((round(left, 4), round(bottom, 4), round(width, 4), round(height, 4)))


def rectangles(
    left: npt.ArrayLike, right: npt.ArrayLike, row: npt.ArrayLike, half: float
) -> FloatArray:
    """Corners of bars around *row*, half their height up and down: shape (len(left), 4, 2)."""
    left, right, row = (np.asarray(values, dtype=np.float64) for values in (left, right, row))
    corners = np.empty((len(left), 4, 2))
    corners[:, [0, 3], 0] = left[:, None]
    corners[:, [1, 2], 0] = right[:, None]
    corners[:, :2, 1] = (row - half)[:, None]
    corners[:, 2:, 1] = (row + half)[:, None]
    return corners
