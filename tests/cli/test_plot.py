from __future__ import annotations

import importlib.util
import time
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from cpsched.errors import InputError
from cpsched.jobshop.instance import JobShop
from cpsched.jobshop.solution import Schedule

pytest.importorskip("matplotlib", reason="the extra 'plot' is not installed")

from cpsched import plot


def shop(num_jobs: int, num_machines: int) -> tuple[JobShop, Schedule]:
    """A job shop and a schedule that runs each job's k-th operation in a common time slot."""
    width = 10
    jobs = [
        [((job + k) % num_machines, width) for k in range(num_machines)] for job in range(num_jobs)
    ]
    instance = JobShop.classic("shop", num_machines, jobs)
    starts = [
        width * (k + num_machines * (job // num_machines))
        for job in range(num_jobs)
        for k in range(num_machines)
    ]
    return instance, Schedule.from_starts(instance, starts)


def texts(figure: object) -> list[str]:
    axes = figure.axes[0]
    return [text.get_text() for text in axes.texts]


def test_small_chart_labels_every_bar_and_names_both_marks() -> None:
    instance, schedule = shop(6, 6)
    figure = plot.gantt(instance, schedule, bound=55, status="feasible")
    labels = texts(figure)
    assert sum(label.isdigit() for label in labels) == 36
    assert "makespan 60" in labels
    assert "lower bound 55" in labels
    title = figure.axes[0].get_title(loc="left")
    for fact in ("shop", "makespan 60", "lower bound 55", "feasible"):
        assert fact in title


def test_met_bound_is_marked_once() -> None:
    instance, schedule = shop(6, 6)
    labels = texts(plot.gantt(instance, schedule, bound=60, status="optimal"))
    assert "makespan 60 = lower bound" in labels
    assert not any(label.startswith("lower bound") for label in labels)


def test_large_chart_has_thin_bars_without_labels() -> None:
    instance, schedule = shop(100, 20)
    figure = plot.gantt(instance, schedule)
    assert not any(label.isdigit() for label in texts(figure))
    assert len({tuple(color) for color in plot.job_colors(100).round(6).tolist()}) == 100


def test_bars_lie_where_the_schedule_says() -> None:
    instance, schedule = shop(3, 2)
    figure = plot.gantt(instance, schedule)
    bars = figure.axes[0].collections[1]
    boxes = [path.get_extents() for path in bars.get_paths()]
    assert [box.x0 for box in boxes] == schedule.start.tolist()
    assert [box.x1 for box in boxes] == schedule.end.tolist()
    assert [(box.y0 + box.y1) / 2 for box in boxes] == schedule.machine.tolist()


def test_neighbouring_palette_colors_differ() -> None:
    colors = plot.job_colors(10)
    distance = np.abs(colors[:, None] - colors[None]).sum(axis=2)
    assert distance[~np.eye(10, dtype=bool)].min() > 0.15


@pytest.mark.parametrize(("file_format", "head"), [("png", b"\x89PNG"), ("svg", b"<?xml")])
def test_render(file_format: str, head: bytes) -> None:
    instance, schedule = shop(3, 2)
    content = plot.render(plot.gantt(instance, schedule), file_format)
    assert content.startswith(head)
    if file_format == "svg":
        assert ET.fromstring(content).tag.endswith("svg")


def test_zero_durations_and_empty_jobs_can_be_drawn() -> None:
    instance = JobShop.classic("edge", 2, [[(0, 0), (1, 0)], [(1, 0)]])
    schedule = Schedule.from_starts(instance, [0, 0, 0])
    assert plot.render(plot.gantt(instance, schedule, bound=0), "png")


def test_a_name_is_not_read_as_a_formula() -> None:
    instance = JobShop.classic("a$\\frac$b", 1, [[(0, 1)]])
    schedule = Schedule.from_starts(instance, [0])
    assert plot.render(plot.gantt(instance, schedule), "png")


def test_a_hundred_thousand_operations_take_seconds() -> None:
    instance, schedule = shop(1000, 100)
    begin = time.perf_counter()
    plot.render(plot.gantt(instance, schedule, bound=900), "png")
    assert time.perf_counter() - begin < 30


def test_svg_of_many_bars_stays_small() -> None:
    instance, schedule = shop(300, 100)
    assert len(plot.render(plot.gantt(instance, schedule), "svg")) < 3_000_000


def test_missing_matplotlib_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "matplotlib" else find_spec(name)
    )
    with pytest.raises(InputError, match=r"pip install 'cpsched\[plot\]'"):
        plot.require_matplotlib()
