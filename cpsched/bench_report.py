"""The report of a file of runs: a Markdown page, pictures, and the numbers as CSV.

Every number is computed from the file's lines.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cpsched import bench_curves, bench_measured, families, plot
from cpsched.bench_curves import CLOCK
from cpsched.errors import InputError
from cpsched.plot.curves import Axis, ends, steps
from cpsched.words import count, percent, some

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from cpsched.bench_measured import Measured, Statistics
    from cpsched.plot.curves import Curve

#: Gap to the reference that the profile over times asks for, where gaps say something.
TARGET = 0.01
#: Name of the page in its folder.
PAGE = "README.md"
#: A profile of qualities is shown to at most this far above the best.
_FAR = 0.5
#: Up to here its axis is linear, further on logarithmic: good methods differ by little.
_NEAR = 0.01


def write(records: Sequence[Mapping[str, Any]], folder: str, source: str) -> list[Path]:
    """Write the report of *records*, read from *source*, into *folder*; the files, page first.

    Files of those names are replaced. Raises InputError if one cannot be written or matplotlib is
    missing.
    """
    plot.require_matplotlib()
    files: dict[str, bytes] = {}
    page = [f"# Benchmark: {Path(source).name}", "", *_conditions(records, source)]
    for data in bench_measured.measured(records):
        page += _family(data, files)
    files = {PAGE: ("\n".join(page).rstrip() + "\n").encode(), **files}
    target = Path(folder)
    try:
        target.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (target / name).write_bytes(content)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise InputError(f"the report cannot be written: {reason}", source=folder) from error
    return [target / name for name in files]


def _conditions(records: Sequence[Mapping[str, Any]], source: str) -> list[str]:
    """Where, when and how the runs were made."""
    kept: list[Mapping[str, Any]] = [record.get("conditions", {}) for record in records]

    def each(key: str) -> list[str]:
        return list(dict.fromkeys(str(one[key]) for one in kept if one.get(key) is not None))

    started = sorted(each("started"))
    when = "at a time that is not recorded"
    if started:
        when = f"from {started[0]} to {started[-1]}"
    installed = dict.fromkeys(
        ", ".join(f"{name} {version}" for name, version in record["versions"].items())
        for record in records
    )
    limits = sorted({float(record["time_limit_s"]) for record in records})
    threads = sorted({int(record["workers"]) for record in records})
    lines = [
        f"{count(len(records), 'run')} in `{Path(source).name}`, started {when}.",
        "",
        f"- machine: {'; '.join(each('machine')) or 'not recorded'}",
        f"- versions: {'; '.join(installed)}",
        f"- time limit: {', '.join(f'{limit:g}' for limit in limits)} s of wall time a run; "
        f"threads a run: {', '.join(map(str, threads))}; runs side by side: "
        f"{', '.join(each('jobs')) or 'not recorded'}"
        + "".join(f"; on a Ray ({address})" for address in each("ray")),
        f"- seeds: {', '.join(map(str, sorted({record['seed'] for record in records})))}",
    ]
    commands = each("command")
    if commands:
        lines += ["- made by:", "", *(f"      {command}" for command in commands)]
    missing = sum(not one for one in kept)
    if missing and missing < len(records):
        lines.append(f"- of {count(missing, 'run')} machine, start and command are not recorded")
    return [*lines, ""]


def _family(data: Measured, files: dict[str, bytes]) -> list[str]:
    """The page's part on one family; its pictures and tables go into *files*."""
    name = data.family
    rows = bench_measured.statistics(data)
    files[f"{name}-table.csv"] = _csv(*_table(data, rows, exact=True))
    lines = [f"## {name}", "", *_markdown(*_table(data, rows, exact=False)), ""]
    lines += [_notes(data), "", f"Numbers: [{name}-table.csv]({name}-table.csv)", ""]
    target = TARGET if data.gaps else 0.0
    if data.gaps:
        lines += _quality(data, files)
    lines += _times(data, target, files)
    lines += _anytime(data, files) if data.gaps else _reached(data, files)
    return lines


def _notes(data: Measured) -> str:
    text = "Means over runs."
    if data.gaps:
        text += (
            " gap: (objective - reference) / reference, of the runs with a solution; reference: "
            "the best objective in the literature; to bound: (objective - bound) / objective."
        )
    if data.by_found:
        text += (
            f" Reference of {count(len(data.by_found), 'instance')}: the best that these runs "
            "found (none is known)."
        )
    text += " seconds: wall time of a run; best after: until its best solution was found."
    sets = {label: {run["instance_hash"] for run in runs} for label, runs in data.runs.items()}
    whole = set().union(*sets.values())
    partial = [label for label, one in sets.items() if one != whole]
    if partial:
        text += (
            f" **Not run on every instance: {some(partial)}; what is over all instances does not "
            "compare them.**"
        )
    if data.superseded:
        text += (
            f" {count(data.superseded, 'earlier run')}, repeated under other versions, left out."
        )
    return text


def _table(
    data: Measured, rows: Sequence[Statistics], *, exact: bool
) -> tuple[list[str], list[list[str]]]:
    """Heads and cells; exact: shares as numbers with all their digits and not as percentages."""
    measures = families.get(data.family).MEASURES
    gaps = ["gap mean", "gap median", "gap worst", "to bound"] if data.gaps else []
    heads = ["set", "size", "method", "runs", "found", "optimal", *gaps, *measures]

    def share(value: float | None) -> str:
        if exact:
            return "" if value is None else repr(round(value, 9))
        return percent(value)

    def plain(value: float | None, digits: int) -> str:
        if exact:
            return "" if value is None else repr(round(value, 9))
        return "-" if value is None else f"{value:.{digits}f}"

    cells = []
    for row in rows:
        values = [row.mean, row.median, row.worst, row.bound] if data.gaps else []
        cells.append(
            [
                row.group,
                row.size,
                row.method,
                str(row.runs),
                str(row.found),
                str(row.optimal) if exact else percent(row.optimal / row.runs, 0),
                *map(share, values),
                *(plain(row.measures.get(name), 1) for name in measures),
                plain(row.seconds, 3),
                plain(row.best_after, 3),
            ]
        )
    return [*heads, "seconds", "best after"], cells


def _quality(data: Measured, files: dict[str, bytes]) -> list[str]:
    curves = bench_curves.quality_profiles(data)
    last = max(float(curve.x[-1]) for curve in curves)
    high = min(max(1.05 * last, 0.01), _FAR)
    _draw(
        files,
        f"{data.family}-quality",
        curves,
        Axis(
            "above the best of the methods", log=True, linear=_NEAR, percent=True, low=0, high=high
        ),
        Axis("share of runs", percent=True, low=0.0, high=1.02),
    )
    return _picture(
        data,
        "quality",
        "Performance profile: quality",
        "Share of a method's runs whose objective is at most x above the best that any method "
        "found on that instance (Dolan and Moré 2002, the factor less one). At the left edge: how "
        "often it is the best; further right: how far behind it is when it is not. A run without "
        "a solution counts as never. " + bench_curves.band_words(data),
    )


def _times(data: Measured, target: float, files: dict[str, bytes]) -> list[str]:
    curves = bench_curves.time_profiles(data, target)
    high = max(10.0, 1.1 * max(float(curve.x[-1]) for curve in curves))
    _draw(
        files,
        f"{data.family}-times",
        curves,
        Axis("multiple of the fastest's time", log=True, low=1.0, high=high),
        Axis("share of runs", percent=True, low=0.0, high=1.02),
    )
    return _picture(
        data,
        "times",
        "Performance profile: time",
        f"Share of a method's runs that came to {_goal(target)} within x times what the fastest "
        f"run of any method took on that instance (times up to {1000 * CLOCK:g} ms are the same). "
        "At the left edge: how often it is the fastest; at the right: how often it comes there at "
        "all. " + bench_curves.band_words(data),
    )


def _anytime(data: Measured, files: dict[str, bytes]) -> list[str]:
    curves = bench_curves.anytime(data)
    silent = [label for label in data.runs if label not in {curve.name for curve in curves}]
    without = sum(run["objective"] is None for runs in data.runs.values() for run in runs)
    text = (
        "Mean gap to the reference of the solution at hand, by seconds since the start. A curve "
        "begins where each of its method's runs has a first solution: before that, nothing is "
        "counted. A run that has ended keeps its last gap."
    )
    if without:
        text += f" {count(without, 'run')} without a solution left out."
    if silent:
        text += f" No curve: {some(silent)}."
    if not curves:
        return ["### Gap over time", "", text, ""]
    first = min(float(curve.x[0]) for curve in curves)
    _draw(
        files,
        f"{data.family}-anytime",
        curves,
        Axis("seconds", log=True, low=first, high=max(data.limit, 2 * first)),
        Axis("mean gap to the reference", percent=True, low=_floor(curves)),
    )
    return _picture(data, "anytime", "Gap over time", f"{text} {bench_curves.band_words(data)}")


def _floor(curves: Sequence[Curve]) -> float | None:
    """0 unless something is better than the literature."""
    least = min(float(curve.y.min()) for curve in curves)
    return 0.0 if least >= 0 else None


def _reached(data: Measured, files: dict[str, bytes]) -> list[str]:
    curves = bench_curves.reached(data, 0.0)
    _draw(
        files,
        f"{data.family}-anytime",
        curves,
        Axis("seconds", log=True, low=CLOCK, high=data.limit),
        Axis("share of runs", percent=True, low=0.0, high=1.02),
    )
    return _picture(
        data,
        "anytime",
        "Best found over time",
        "Share of a method's runs that have come to the reference, by seconds since the start. "
        "(Objectives of this family are only to be compared: a mean of gaps would say nothing.) "
        + bench_curves.band_words(data),
    )


def _goal(target: float) -> str:
    return f"{percent(target, 0)} of the reference" if target else "the reference"


def _draw(files: dict[str, bytes], name: str, curves: Sequence[Curve], x: Axis, y: Axis) -> None:
    """Picture and numbers of *curves*, under *name*; lines go on to the right edge."""
    at = x.high if x.high is not None else 0.0
    wide = [curve if x.label == "seconds" else ends(curve, at) for curve in curves]
    figure = steps(wide, x, y)
    for kind in plot.FORMATS:
        files[f"{name}.{kind}"] = plot.render(figure, kind)
    cells = (
        [curve.name, *(repr(round(float(value), 9)) for value in values)]
        for curve in curves
        for values in (
            zip(curve.x, curve.y, strict=True)
            if curve.low is None or curve.high is None
            else zip(curve.x, curve.y, curve.low, curve.high, strict=True)
        )
    )
    files[f"{name}.csv"] = _csv(["method", "x", "y", "low", "high"], cells)


def _picture(data: Measured, kind: str, title: str, text: str) -> list[str]:
    name = f"{data.family}-{kind}"
    return [
        f"### {title}",
        "",
        f"![{title}]({name}.png)",
        "",
        text,
        "",
        f"Also as [SVG]({name}.svg); numbers: [{name}.csv]({name}.csv)",
        "",
    ]


def _markdown(heads: Sequence[str], cells: Iterable[Sequence[str]]) -> list[str]:
    left = {"set", "size", "method"}
    rule = ["---" if head in left else "--:" for head in heads]
    rows = [heads, rule, *cells]
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]


def _csv(heads: Sequence[str], cells: Iterable[Sequence[str]]) -> bytes:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(heads)
    writer.writerows([*row, *[""] * (len(heads) - len(row))] for row in cells)
    return buffer.getvalue().encode()
