"""Draw learning curves: validation gap over training time, of one or several runs."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np

sys.path.insert(1, str(Path(__file__).resolve().parents[1]))

from cpsched.agents.weights import write_whole
from cpsched.errors import InputError
from cpsched.plot.common import FORMATS, render, require_matplotlib
from cpsched.plot.curves import Axis, Curve, steps

EPILOG = """\
example:
  python scripts/plot_training.py imitation=runs/imitation/curves.jsonl \\
      ppo=runs/ppo/curves.jsonl --output curves.svg
"""


def main(arguments: list[str] | None = None) -> int:
    """Draw; return the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", nargs="+", metavar="NAME=FILE", help="curves.jsonl of a run")
    parser.add_argument("--output", required=True, metavar="FILE.svg|png")
    parser.add_argument("--sampled", action="store_true", help="the sampled gap, not the greedy")
    parser.add_argument("--title", default="")
    options = parser.parse_args(arguments)
    try:
        require_matplotlib()
        suffix = Path(options.output).suffix.lstrip(".")
        if suffix not in FORMATS:
            raise InputError(f"must end in .{' or .'.join(FORMATS)}", source=options.output)
        key = "gap_sampled" if options.sampled else "gap"
        curves = [_curve(text, key) for text in options.runs]
        most = max(float(curve.y.max()) for curve in curves)
        figure = steps(
            curves,
            Axis("seconds of training", log=True),
            Axis("validation gap, %", low=0.0, high=min(most, 40.0) * 1.05),
            options.title,
        )
        write_whole(options.output, render(figure, suffix))
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _curve(text: str, key: str) -> Curve:
    name, equals, path = text.partition("=")
    if not equals:
        raise InputError(f"a run must be NAME=FILE, not {text}")
    try:
        lines = [json.loads(line) for line in Path(path).read_text().splitlines()]
        points = [(line["seconds"], line[key]) for line in lines if key in line]
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", source=path) from error
    except (ValueError, KeyError, TypeError) as error:
        raise InputError("holds no curves of training", source=path) from error
    if not points:
        raise InputError("holds no validation", source=path)
    x, y = np.array(points, np.float64).T
    return Curve(name, x, y)


if __name__ == "__main__":
    sys.exit(main())
