"""What a file of runs says, on runs made up by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cpsched import bench_curves, bench_measured
from cpsched.plot.curves import Curve, ends

Trace = list[tuple[float, int]]


def run(
    method: str,
    instance: str = "a",
    trace: Trace | None = None,
    *,
    family: str = "jobshop",
    best_known: int | None = 100,
    seed: int = 0,
    limit: float = 10.0,
    status: str = "feasible",
    **more: Any,
) -> dict[str, Any]:
    """A line of a file of runs; trace: (seconds, objective)."""
    trace = [(1.0, 110)] if trace is None else trace
    return {
        "instance": instance,
        "family": family,
        "method": method,
        "status": status,
        "objective": trace[-1][1] if trace else None,
        "bound": None,
        "gap": None,
        "wall_time_s": limit,
        "seed": seed,
        "versions": {"cpsched": "0.1.0"},
        "trace": [
            {"seconds": seconds, "objective": objective, "bound": None, "source": method}
            for seconds, objective in trace
        ],
        "instance_hash": f"hash of {instance}",
        "time_limit_s": limit,
        "workers": 1,
        "best_known": best_known,
        "measures": {},
        **more,
    }


def measured(*runs: dict[str, Any]) -> bench_measured.Measured:
    (found,) = bench_measured.measured(runs)
    return found


def points(curve: Curve) -> list[tuple[float, float]]:
    return [(float(x), pytest.approx(float(y))) for x, y in zip(curve.x, curve.y, strict=True)]


def at(curve: Curve, x: float) -> float:
    return float(curve.y[np.searchsorted(curve.x, x, side="right") - 1])


def test_gap_over_time_is_a_mean_of_steps() -> None:
    data = measured(
        run("m", "a", [(1.0, 120), (4.0, 100)]),
        run("m", "b", [(2.0, 240), (3.0, 220)], best_known=200),
    )
    (curve,) = bench_curves.anytime(data)
    # It begins when both have a solution: 20 % and 20 %, then 20 and 10, then 0 and 10.
    assert points(curve) == [(2.0, 0.2), (3.0, 0.15), (4.0, 0.05), (10.0, 0.05)]


def test_a_run_without_solution_is_no_part_of_the_gap_over_time() -> None:
    data = measured(run("m", "a", [(1.0, 120)]), run("m", "b", []), run("n", "a", []))
    curves = bench_curves.anytime(data)
    assert [curve.name for curve in curves] == ["m"]
    assert points(curves[0]) == [(1.0, 0.2), (10.0, 0.2)]


def test_quality_profile_is_the_share_within_a_factor_of_the_best_found() -> None:
    data = measured(
        run("good", "a", [(1.0, 110)]),
        run("bad", "a", [(1.0, 121)]),
        run("good", "b", [(1.0, 210)], best_known=200),
        run("bad", "b", [], best_known=200),
    )
    bad, good = bench_curves.quality_profiles(data)
    assert at(good, 0.0) == 1.0
    assert at(bad, 0.09) == 0.0
    assert at(bad, 0.1) == 0.5  # 121 is 10 % above 110; the run without a solution never counts
    assert bad.y[-1] == 0.5


def test_time_profile_is_by_multiples_of_the_fastest() -> None:
    data = measured(
        run("fast", "a", [(0.5, 101)]),
        run("slow", "a", [(0.1, 150), (2.0, 100)]),
        run("fast", "b", [(1.0, 120)]),
        run("slow", "b", [(3.0, 100)]),
    )
    fast, slow = bench_curves.time_profiles(data, 0.01)
    assert at(fast, 1.0) == 0.5
    assert fast.y[-1] == 0.5  # 120 is not within 1 % of 100, ever
    assert at(slow, 1.0) == 0.5  # alone on b
    assert at(slow, 3.9) == 0.5
    assert at(slow, 4.0) == 1.0
    exact, _ = bench_curves.time_profiles(data, 0.0)
    assert exact.y[-1] == 0.0  # 101 is not 100


def test_times_below_the_clock_are_the_same() -> None:
    data = measured(run("m", "a", [(0.0, 100)]), run("n", "a", [(0.0009, 100)]))
    for curve in bench_curves.time_profiles(data, 0.0):
        assert at(curve, 1.0) == 1.0


def test_share_that_reached_the_best_over_time() -> None:
    huge = 10**30
    kind = {"family": "pods", "best_known": None}
    data = measured(
        run("m", "a", [(1.0, huge + 1), (2.0, huge)], **kind),
        run("n", "a", [(0.5, huge + 1)], **kind),
    )
    assert not data.gaps
    m, n = bench_curves.reached(data, 0.0)
    assert (at(m, 1.9), at(m, 2.0)) == (0.0, 1.0)
    assert n.y[-1] == 0.0  # one more in thirty digits is still worse


def test_reference_is_the_literatures_or_the_best_found() -> None:
    data = measured(
        run("m", "a", [(1.0, 95)]),
        run("m", "b", [(1.0, 50)], best_known=None),
        run("n", "b", [(1.0, 60)], best_known=None),
    )
    assert data.references == {"hash of a": 100, "hash of b": 50}
    assert data.by_found == {"hash of b"}
    rows = bench_measured.statistics(data)
    assert [(row.method, row.mean) for row in rows] == [
        ("m", pytest.approx(-0.025)),
        ("n", pytest.approx(0.2)),
    ]


def test_statistics_by_set_and_size_and_over_all() -> None:
    data = measured(
        run("m", "a", [(1.0, 110)], set="ta", size="100x20"),
        run("m", "b", [(1.0, 130)], set="ta", size="15x15", status="optimal"),
        run("m", "c", [(3.0, 150), (5.0, 120)], set="ta", size="15x15"),
        run("m", "d", [], set="ta", size="15x15"),
    )
    small, large, total = bench_measured.statistics(data)
    assert (small.size, large.size, total.group) == ("15x15", "100x20", "all")
    assert (small.runs, small.found, small.optimal) == (3, 2, 1)
    assert (small.mean, small.median, small.worst) == pytest.approx((0.25, 0.25, 0.3))
    assert small.best_after == pytest.approx(3.0)
    assert (total.mean, total.median, total.worst) == pytest.approx((0.2, 0.2, 0.3))


def test_a_repeated_run_replaces_the_earlier_one() -> None:
    data = measured(run("m", trace=[(1.0, 150)]), run("m", trace=[(1.0, 120)]))
    assert data.superseded == 1
    assert bench_measured.statistics(data)[0].mean == pytest.approx(0.2)


def test_labels_say_what_tells_methods_apart() -> None:
    plain = measured(run("policy"), run("cpsat"))
    assert list(plain.runs) == ["cpsat", "policy"]
    varied = measured(run("hybrid", limit=1.0), run("hybrid", limit=10.0))
    assert list(varied.runs) == ["hybrid 1 s", "hybrid 10 s"]
    threads = measured(run("cpsat"), run("cpsat", workers=2))
    assert list(threads.runs) == ["cpsat x1", "cpsat x2"]


def test_the_order_of_the_file_says_nothing() -> None:
    runs = [
        run(method, instance, [(1.0, 100 + number)])
        for number, instance in enumerate("abcdef")
        for method in ("policy:128", "policy:8", "policy")
    ]
    one, other = measured(*runs), measured(*runs[::-1])
    assert list(one.runs) == list(other.runs) == ["policy", "policy:8", "policy:128"]
    assert one.runs == other.runs


def test_band_of_seeds_is_least_to_greatest_of_their_means() -> None:
    data = measured(
        run("m", "a", [(1.0, 120)], seed=0),
        run("m", "b", [(1.0, 140)], seed=0),
        run("m", "a", [(1.0, 100)], seed=1),
        run("m", "b", [(1.0, 120)], seed=1),
    )
    (curve,) = bench_curves.anytime(data)
    assert curve.low is not None
    assert curve.high is not None
    assert (curve.low[0], curve.y[0], curve.high[0]) == pytest.approx((0.1, 0.2, 0.3))
    assert "seeds" in bench_curves.band_words(data)


def test_band_of_one_seed_resamples_the_instances() -> None:
    runs = [run("m", str(number), [(1.0, 100 + number)]) for number in range(20)]
    (curve,) = bench_curves.anytime(measured(*runs))
    assert curve.low is not None
    assert curve.high is not None
    # The mean of 0..19 % is 9.5 %, its standard error 1.29 %.
    assert curve.low[0] == pytest.approx(0.095 - 1.96 * 0.0129, abs=0.004)
    assert curve.high[0] == pytest.approx(0.095 + 1.96 * 0.0129, abs=0.004)
    (again,) = bench_curves.anytime(measured(*runs))
    assert np.array_equal(again.low, curve.low)
    (few,) = bench_curves.anytime(measured(*runs[:4]))
    assert few.low is None


def test_a_curve_drawn_on_keeps_its_last_value() -> None:
    curve = Curve("m", np.array([1.0, 2.0]), np.array([0.5, 0.2]))
    assert points(ends(curve, 5.0)) == [(1.0, 0.5), (2.0, 0.2), (5.0, 0.2)]
    assert ends(curve, 2.0) is curve
