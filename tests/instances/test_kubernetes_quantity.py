"""Quantities and requests: the API's own arithmetic."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kubernetes_objects import Json, node, pod, read

from cpsched.errors import InputError
from cpsched.instances.kubernetes import quantity, requests

if TYPE_CHECKING:
    from decimal import Decimal

NANO = 10**9


@pytest.mark.parametrize(
    ("text", "nano"),
    [
        ("0", 0),
        ("1", NANO),
        ("+1", NANO),
        ("1.", NANO),
        (".5", NANO // 2),
        ("0.5", NANO // 2),
        ("100m", NANO // 10),
        ("1u", 1000),
        ("1n", 1),
        ("0.1n", 1),
        ("1.5n", 2),
        ("0.0000000001", 1),
        ("1k", 1000 * NANO),
        ("1M", 10**6 * NANO),
        ("1G", 10**9 * NANO),
        ("1T", 10**12 * NANO),
        ("1P", 10**15 * NANO),
        ("1E", 10**18 * NANO),
        ("1Ki", 2**10 * NANO),
        ("1Mi", 2**20 * NANO),
        ("1.5Gi", 1610612736 * NANO),
        ("1Ti", 2**40 * NANO),
        ("1Pi", 2**50 * NANO),
        ("1Ei", 2**60 * NANO),
        ("1E3", 1000 * NANO),
        ("1e3", 1000 * NANO),
        ("12e6", 12 * 10**6 * NANO),
        ("1e+3", 1000 * NANO),
        ("1E-3", NANO // 1000),
        ("1e-400", 1),
        ("8Ei", (2**63 - 1) * NANO),
        ("1e400", (2**63 - 1) * NANO),
        ("0e400", 0),
        ("1e999999999999", (2**63 - 1) * NANO),
        ("-1e999999999999", -(2**63 - 1) * NANO),
        ("-0.5", -NANO // 2),
        (2, 2 * NANO),
        (0.25, NANO // 4),
        (1e-07, 100),
    ],
)
def test_quantity(text: Any, nano: int) -> None:
    assert quantity.parse(text, "$") == nano


@pytest.mark.parametrize(
    "text",
    [
        *("", "m", "Ki", ".", "-", "+", "1K", "1ki", "100MB", "1mi", "1 Gi", " 1", "1 ", "1\n"),
        *("0x1", "1e", "1e1.5", "1.2.3", "--1", "1,5", "1__0", "ten", "\u0661", "inf", "nan"),
        *("1" * 200, True, None, [], {}, float("inf")),
    ],
)
def test_no_quantity(text: Any) -> None:
    with pytest.raises(InputError, match=r"\$\.x: .*quantity"):
        quantity.parse(text, "$.x")


@given(st.decimals(allow_nan=False, allow_infinity=False, places=9, min_value=0, max_value=10**12))
def test_decimals_are_exact(number: Decimal) -> None:
    assert quantity.parse(f"{number:f}", "$") == int(number.scaleb(9))


@pytest.mark.parametrize(
    ("nano", "resource", "units"),
    [(1, "cpu", 1), (NANO, "cpu", 1000), (NANO + 1, "cpu", 1001), (1, "memory", 1), (0, "x", 0)],
)
def test_units_are_rounded_up(nano: int, resource: str, units: int) -> None:
    assert quantity.scaled(nano, resource) == units


def container(cpu: str = "0", **more: Any) -> Json:
    return {"name": "c", "resources": {"requests": {"cpu": cpu}}, **more}


SIDECAR = {"restartPolicy": "Always"}


@pytest.mark.parametrize(
    ("spec", "cpu"),
    [
        ({"containers": [container("1"), container("2")]}, 3),
        ({"containers": [container("1")], "initContainers": [container("3")]}, 3),
        ({"containers": [container("2")], "initContainers": [container("1")]}, 2),
        # A sidecar goes on; what starts after it runs beside it, what started before does not.
        ({"containers": [container("2")], "initContainers": [container("1", **SIDECAR)]}, 3),
        (
            {
                "containers": [container("1")],
                "initContainers": [container("1", **SIDECAR), container("4")],
            },
            5,
        ),
        (
            {
                "containers": [container("1")],
                "initContainers": [container("4"), container("1", **SIDECAR)],
            },
            4,
        ),
        (
            {
                "containers": [container("1")],
                "initContainers": [container("2", **SIDECAR), container("3", **SIDECAR)],
            },
            6,
        ),
        ({"containers": [container("1")], "overhead": {"cpu": "250m"}}, 1.25),
        ({"containers": [container("1")], "resources": {"requests": {"cpu": "5"}}}, 5),
        (
            {
                "containers": [container("1")],
                "resources": {"requests": {"cpu": "5"}},
                "overhead": {"cpu": "1"},
            },
            6,
        ),
        # Missing requests are the limits.
        ({"containers": [{"resources": {"limits": {"cpu": "2"}}}]}, 2),
        (
            {"containers": [{"resources": {"limits": {"cpu": "2"}, "requests": {"cpu": "1"}}}]},
            1,
        ),
        ({"containers": [{}], "resources": {"limits": {"cpu": "2"}}}, 2),
        ({"containers": [container("1")], "resources": {"limits": {"cpu": "2"}}}, 1),
        ({"containers": None}, 0),
    ],
)
def test_request(spec: Json, cpu: float) -> None:
    found = requests.parse(spec, {}, "$")
    assert found.get("cpu", 0) == cpu * NANO


def test_pod_level_requests_replace_only_what_they_may() -> None:
    spec = {
        "containers": [{"resources": {"requests": {"nvidia.com/gpu": "1", "memory": "1"}}}],
        "resources": {"requests": {"nvidia.com/gpu": "4", "memory": "2", "hugepages-2Mi": "3"}},
    }
    found = requests.parse(spec, {}, "$")
    assert found == {"nvidia.com/gpu": NANO, "memory": 2 * NANO, "hugepages-2Mi": 3 * NANO}


@pytest.mark.parametrize(("reason", "cpu"), [("Deferred", 4), ("Infeasible", 3)])
def test_resize_in_place_counts_the_most(reason: str, cpu: int) -> None:
    status = {
        "containerStatuses": [
            {
                "name": "c",
                "resources": {"requests": {"cpu": "2"}},
                "allocatedResources": {"cpu": "3"},
            }
        ],
        "conditions": [{"type": "PodResizePending", "status": "True", "reason": reason}],
    }
    assert requests.parse({"containers": [container("4")]}, status, "$")["cpu"] == cpu * NANO


def test_each_value_is_rounded_up_to_thousandths_the_sum_to_units() -> None:
    parts = [container("0.4m"), container("100.4m")]
    for part in parts:
        part["resources"]["requests"]["memory"] = "0.0004"
    cluster = read(node(), pod(containers=parts, overhead={"cpu": "1n"}))
    assert cluster.request[0].tolist() == [1 + 101 + 1, 1, 1]
    odd = node()
    odd["status"]["allocatable"]["cpu"] = "3.9999"
    assert read(odd, pod()).allocatable[0, 0] == 4000


def test_resources_are_those_that_somebody_requests() -> None:
    cluster = read(node(), pod(requests={"cpu": "1", "example.com/x": "2"}))
    assert cluster.resources == ("cpu", "memory", "pods", "example.com/x")
    assert np.array_equal(cluster.request, [[1000, 0, 1, 2]])
    assert np.array_equal(cluster.allocatable, [[4000, 8 * 2**30, 10, 0]])


@pytest.mark.parametrize("value", ["-1", "1X", "", None, True, []])
def test_errors_have_the_path_of_the_quantity(value: Any) -> None:
    path = r"cluster\.json:\$\.items\[1\]\.spec\.containers\[0\]\.resources\.requests"
    with pytest.raises(InputError, match=rf"^{path}\.cpu: "):
        read(node(), pod(requests={"cpu": value}))
    with pytest.raises(InputError, match=rf'^{path}\["nvidia\.com/gpu"\]: '):
        read(node(), pod(requests={"nvidia.com/gpu": value}))


HUGE = str(2**63 - 1)


def test_huge_amounts_of_what_nobody_requests_do_no_harm() -> None:
    nodes = [node("n1"), node("n2")]
    plain = read(*nodes, pod())
    for entry in nodes:
        entry["status"]["allocatable"]["example.com/fuse"] = HUGE
    assert read(*nodes, pod()) == plain
    assert read(*nodes, pod(requests={"example.com/fuse": "0"})) == plain


def test_amounts_that_add_up_to_too_much_name_who_has_the_most() -> None:
    nodes = [node("n1"), node("n2")]
    nodes[1]["status"]["allocatable"]["example.com/fuse"] = HUGE
    where = r'cluster\.json:\$\.items\[1\]\.status\.allocatable\["example\.com/fuse"\]'
    with pytest.raises(
        InputError, match=rf"^{where}: node n2: has {HUGE} of example.com/fuse, .*"
    ):
        read(*nodes, pod(requests={"example.com/fuse": "1"}))
    pods = [pod("p1", requests={"memory": "1"}), pod("p2", requests={"memory": "3E"}), pod("p3")]
    assert read(node(), *pods).request[1, 1] == 3 * 10**18
    pods[2] = pod("p3", requests={"memory": "2E"})
    where = r"cluster\.json:\$\.items\[2\]\.spec"
    reason = f"pod default/p2: requests {3 * 10**18} of memory, .* {5 * 10**18 + 1}, .*beyond"
    with pytest.raises(InputError, match=f"^{where}: {reason}"):
        read(node(), *pods)
    for value in ("1e19", "9E"):
        with pytest.raises(
            InputError, match=r"items\[1\]\.spec: pod default/p1: requests .*m of cpu"
        ):
            read(node(), pod(requests={"cpu": value}))
    # Replicas count each, though they share a request.
    pods = [pod(f"p{k}", requests={"memory": "2E"}) for k in range(3)]
    assert read(node(), *pods[:2]).num_pods == 2
    with pytest.raises(InputError, match=f"requests {2 * 10**18} of memory, .* {6 * 10**18}, "):
        read(node(), *pods)
