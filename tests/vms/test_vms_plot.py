"""The picture of fragments: what it says, and that it is the same each time."""

from __future__ import annotations

import dataclasses
import xml.etree.ElementTree as ET
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from three_pms import cluster, plan

import cpsched
from cpsched.instances.generate_vms import generate_vms
from cpsched.vms import objective
from cpsched.vms.instance import Fragment, Policy

pytest.importorskip("matplotlib", reason="the extra 'plot' is not installed")

from cpsched import plot

EIGHT = cluster(policy=Policy(fragments=(Fragment(8),)))
MOVES = plan((0, 5), (3, 3), (1, 4))


def words(figure: Any) -> str:
    said = [figure.get_suptitle()]
    for axes in figure.axes:
        said += [axes.get_xlabel(), axes.get_ylabel()]
        said += [text.get_text() for text in (*axes.texts, *axes.get_yticklabels())]
    return "\n".join(said)


def test_what_the_picture_says() -> None:
    figure = plot.fragments(EIGHT, MOVES, bound=0.1, facts=["feasible"])
    said = words(figure)
    for text in (
        "three  ·  fragment rate 0.7143 → 0.1429  ·  3 migrations  ·  feasible",
        "all 3 PMs, sorted by what is lost before",
        "cores lost, FR-8: all 2 PMs that change",
        "no lower rate is possible: 0.1000",
        "migrations made",
    ):
        assert text in said
    rates = figure.axes[-1].lines[0].get_ydata()
    assert rates[0] == float(objective.weighted_fr(EIGHT, EIGHT.numa))
    assert rates[-1] == float(objective.weighted_fr(EIGHT, MOVES.end(EIGHT)))
    assert len(rates) == 4


def test_each_slot_size_has_a_strip_and_the_goal_a_line() -> None:
    one = cluster(
        policy=Policy(fragments=(Fragment(8), Fragment(16, True)), objective="goal", goal=(1, 4))
    )
    said = words(plot.fragments(one, plan()))
    assert "cores lost, FR-8\n" in said
    assert "cores lost, FR-16 double" in said
    assert "goal: 0.2500" in said
    assert "PMs that change" not in said


def test_strips_add_up_to_what_is_lost() -> None:
    one = generate_vms(50, "high", 1)
    result = cpsched.solve(one, method="greedy", time_limit=10)
    assert result.solution is not None
    figure = plot.fragments_of_result(one, result)
    kept, came, gone = (patch.get_data() for patch in figure.axes[0].patches)
    kind = one.policy.fragments[0]
    for numa, more in ((one.numa, gone), (result.solution.end(one), came)):
        lost = objective.free_cpu(one, numa) - objective.slots(one, numa, kind) * kind.size
        total = kept.values.sum() + (more.values - kept.values).sum()
        assert total == pytest.approx(lost / 1000)
    assert np.all(np.diff(np.maximum(gone.values, kept.values)) <= 0)


def test_same_picture_each_time_and_a_result_without_a_plan() -> None:
    result = cpsched.solve(EIGHT, method="greedy", time_limit=5)
    first, second = (plot.render(plot.fragments_of_result(EIGHT, result), "svg") for _ in range(2))
    assert first == second
    ET.fromstring(first)
    assert plot.render(plot.fragments_of_result(EIGHT, result), "png").startswith(b"\x89PNG")
    with pytest.raises(ValueError, match="no solution to draw"):
        plot.fragments_of_result(EIGHT, dataclasses.replace(result, solution=None))


def test_names_keep_the_end_that_tells_them_apart_and_are_no_formulas() -> None:
    names = tuple(f"compute-{'x' * 30}-$_{k}$" for k in range(3))
    figure = plot.fragments(replace(EIGHT, pms=names), MOVES)
    said = words(figure)
    assert "-$_0$" in said
    assert "…" in said
    plot.render(figure, "svg")
