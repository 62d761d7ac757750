from __future__ import annotations

import dataclasses
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from random_clusters import random_cluster

from cpsched.pods.instance import Cluster
from cpsched.pods.solution import Placement
from cpsched.result import Result, Status

pytest.importorskip("matplotlib", reason="the extra 'plot' is not installed")

from cpsched import plot
from cpsched.plot.changes import Changes, Kind


def cluster(nodes: int, pods: int, pending: int = 0) -> Cluster:
    """Equal nodes of 1,000 m and 1,000 bytes; pods of 100 m and 50 bytes in a round."""
    node = np.arange(pods) % nodes
    node[pods - pending :] = -1
    return Cluster(
        name="cluster",
        resources=("cpu", "memory", "pods"),
        nodes=tuple(f"node-{n}" for n in range(nodes)),
        allocatable=np.tile([1000, 1000, 110], (nodes, 1)),
        pods=tuple(f"default/pod-{pod}" for pod in range(pods)),
        request=np.tile([100, 50, 1], (pods, 1)),
        priority=np.arange(pods) % 2,
        node=node,
        owners=(),
        owner=np.full(pods, -1),
        allowed=np.ones((1, nodes), dtype=bool),
        profile=np.zeros(pods, dtype=int),
        held=("",) * pods,
        preempts=np.ones(pods, dtype=bool),
        grace=np.zeros(pods, dtype=int),
    )


def put(instance: Cluster, **where: int) -> Placement:
    node = instance.node.copy()
    for name, at in where.items():
        node[int(name.removeprefix("p"))] = at
    return Placement(node)


def words(figure: object) -> list[str]:
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def test_every_changed_pod_is_named_with_its_number_and_nodes() -> None:
    instance = cluster(4, 10, pending=2)
    figure = plot.before_after(instance, put(instance, p0=1, p1=-1, p8=2), facts=["feasible"])
    said = words(figure)
    for text in (
        "moved: 1",
        "newly placed: 1",
        "evicted: 1",
        "still pending: 1",
        "default/pod-0: node-0 → node-1",
        "default/pod-8 → node-2",
        "default/pod-1",
        "default/pod-9",
    ):
        assert text in said
    # In both lanes of both sides and in the list: 1 moved; 2 placed and 3 evicted on one side.
    assert [said.count(number) for number in ("1", "2", "3")] == [5, 3, 3]
    title = figure.get_suptitle()
    for fact in ("cluster", "8 → 8 of 10 pods placed", "1 moved", "1 evicted", "feasible"):
        assert fact in title


def test_bars_are_shares_of_what_is_allocatable() -> None:
    instance = cluster(2, 2)
    figure = plot.before_after(instance, put(instance, p0=1))
    axes = figure.axes[0]
    boxes = [
        path.get_extents()
        for collection in axes.collections
        if collection.get_zorder() == 2
        for path in collection.get_paths()
    ]
    widths = np.array([box.width for box in boxes]).round(9)
    assert sorted(set(widths.tolist())) == [0.05, 0.1]
    assert len(boxes) == 2 * 2 * 2  # pods, lanes, sides
    before = {round(float(box.y0 + box.y1) / 2) for box in boxes if box.x1 <= 1}
    after = {round(float(box.y0 + box.y1) / 2) for box in boxes if box.x0 > 1}
    assert before == {0, 1}
    assert after == {1}  # node-0 is empty afterwards


def test_a_move_is_a_line_from_its_old_node_to_its_new_one() -> None:
    from matplotlib.collections import LineCollection

    instance = cluster(4, 4)
    axes = plot.before_after(instance, put(instance, p0=3, p2=1)).axes[0]
    (lines,) = [entry for entry in axes.collections if isinstance(entry, LineCollection)]
    ends = {tuple(np.round(path[[0, -1], 1]).astype(int)) for path in lines.get_segments()}
    assert ends == {(0, 3), (2, 1)}
    colors = lines.get_colors()
    assert not np.array_equal(colors[0], colors[1])


def test_kinds_and_shares_agree_with_the_placement() -> None:
    for seed in range(40):
        instance = random_cluster(seed)
        node = np.random.default_rng(seed).integers(-1, instance.num_nodes, instance.num_pods)
        changes = Changes(instance, Placement(node))
        for pod, kind in enumerate(changes.kind.tolist()):
            now, then = int(instance.node[pod]), int(node[pod])
            expected = {
                (True, True): Kind.STAYS if now == then else Kind.MOVED,
                (True, False): Kind.EVICTED,
                (False, True): Kind.PLACED,
                (False, False): Kind.PENDING,
            }[now >= 0, then >= 0]
            assert kind == expected
        changed = {
            int(side[pod])
            for pod in range(instance.num_pods)
            for side in (instance.node, node)
            if instance.node[pod] != node[pod] and side[pod] >= 0
        }
        assert set(changes.nodes) == changed
        assert len(changes.nodes) == len(changed)
        used = changes.after[0, 0] * instance.allocatable[0, 0]
        assert round(used) == instance.request[node == 0, 0].sum()


@pytest.mark.parametrize("nodes", [1, 24, 25, 500])
def test_every_size_renders_and_equal_charts_are_equal_files(nodes: int) -> None:
    instance = cluster(nodes, 8 * nodes, pending=2)
    placement = put(instance, p0=nodes - 1, p1=-1, **{f"p{8 * nodes - 1}": 0})
    first = plot.render(plot.before_after(instance, placement), "svg")
    for _ in range(3 if nodes < 500 else 1):
        assert first == plot.render(plot.before_after(instance, placement), "svg")
    assert ET.fromstring(first).tag.endswith("svg")
    assert len(first) < 1_500_000


def test_many_nodes_are_strips_and_only_changed_ones_are_rows() -> None:
    instance = cluster(60, 300)
    figure = plot.before_after(instance, put(instance, p0=7))
    labels = [tick.get_text() for axes in figure.axes for tick in axes.get_yticklabels()]
    assert [label for label in labels if label.startswith("node-")] == ["node-0", "node-7"]
    assert [axes.get_ylabel() for axes in figure.axes[:2]] == ["cpu", "memory"]
    assert figure.axes[2].get_xlabel() == "all 2 changed nodes"


def test_long_lists_say_how_many_more() -> None:
    instance = cluster(4, 30, pending=20)
    assert "and 8 more" in words(plot.before_after(instance, Placement.now(instance)))


def test_many_moves_out_of_the_picture_name_the_other_node() -> None:
    instance = cluster(60, 60)
    node = instance.node.copy()
    node[:40] = np.arange(1, 41)
    figure = plot.before_after(instance, Placement(node))
    drawn = {tick.get_text() for tick in figure.axes[2].get_yticklabels()}
    assert len(drawn) == 16
    outside = {text.get_text() for text in figure.axes[2].texts if "node-" in text.get_text()}
    assert outside
    assert not outside & drawn


def test_a_result_says_its_status_and_needs_a_solution() -> None:
    instance = cluster(2, 4)
    common = {"instance": "cluster", "family": "pods", "method": "m", "bound": 0, "trace": ()}
    result = Result(
        **common,
        status=Status.OPTIMAL,
        objective=0,
        solution=Placement.now(instance),
        wall_time=0.1,
        seed=0,
    )
    assert "optimal" in plot.before_after_of_result(instance, result).get_suptitle()
    empty = dataclasses.replace(result, status=Status.UNKNOWN, objective=None, solution=None)
    with pytest.raises(ValueError, match="no solution to draw"):
        plot.before_after_of_result(instance, empty)


def test_nothing_changed_and_many_nodes_can_be_drawn() -> None:
    instance = cluster(40, 40)
    assert plot.render(plot.before_after(instance, Placement.now(instance)), "png")


def test_names_are_not_read_as_formulas_and_nodes_without_a_resource_are_drawn() -> None:
    instance = cluster(3, 6)
    size = instance.allocatable.copy()
    size[0, 1] = 0
    odd = dataclasses.replace(
        instance,
        name="a$\\frac$b",
        allocatable=size,
        pods=("x/$_$", *instance.pods[1:]),
        nodes=("n$_$1", *instance.nodes[1:]),
    )
    assert plot.render(plot.before_after(odd, put(odd, p0=1)), "png")


@pytest.mark.parametrize(
    ("names", "length", "short"),
    [
        (("n1", "n2"), 5, ("n1", "n2")),
        (("pool-blue-0017", "pool-blue-0018"), 9, ("…0017", "…0018")),
        (
            ("ip-10-0-1-7.eu.internal", "ip-10-0-2-9.eu.internal"),
            13,
            ("ip-10-0-1-7…", "ip-10-0-2-9…"),
        ),
        (("ip-10-0-1-7.eu.internal", "ip-10-0-2-9.eu.internal"), 8, ("…1-7…", "…2-9…")),
        (("a" * 30 + "1", "a" * 30 + "2"), 6, ("…aaaa1", "…aaaa2")),
        (("a" * 30,), 6, ("…aaaaa",)),
    ],
)
def test_short_names_of_nodes_tell_them_apart(
    names: tuple[str, ...], length: int, short: tuple[str, ...]
) -> None:
    instance = dataclasses.replace(cluster(len(names), 2), nodes=names)
    changes = Changes(instance, Placement.now(instance))
    found = tuple(changes.node_name(node, length) for node in range(len(names)))
    assert found == short
    assert all(len(name) <= length for name in found)
