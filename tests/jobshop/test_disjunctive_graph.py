"""The disjunctive graph against schedules whose longest path is known."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from random_shops import random_job_shop

from cpsched.construct import Frame, Outcome, State
from cpsched.jobshop.disjunctive import SINK, SOURCE, disjunctive_graph
from cpsched.jobshop.instance import JobShop
from cpsched.jobshop.model import formulate
from cpsched.jobshop.solution import Schedule

FLEXIBLE = JobShop.flexible(
    "flexible", 2, [[[(0, 3), (1, 4)], [(1, 2)]], [[(0, 5), (1, 1)]], [[(1, 2)], [(0, 6)]]]
)


def random_schedule(shop: JobShop, seed: int) -> Schedule:
    rng = np.random.default_rng(seed)
    state = State(formulate(shop), Frame.ALL)
    while state.outcome is Outcome.RUNNING:
        state.apply(int(rng.choice(state.legal())))
    return state.solution()


@pytest.mark.parametrize("reentrant", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_longest_path_is_the_makespan(seed: int, reentrant: bool) -> None:
    shop = random_job_shop(seed, 5, 4, reentrant=reentrant)
    schedule = random_schedule(shop, seed)
    graph = disjunctive_graph(shop, schedule)
    assert nx.dag_longest_path_length(graph) == schedule.makespan


def test_longest_path_leaves_idle_time_out() -> None:
    schedule = random_schedule(FLEXIBLE, 0)
    late = Schedule(schedule.machine, schedule.start + 9, schedule.end + 9)
    graph = disjunctive_graph(FLEXIBLE, late)
    assert nx.dag_longest_path_length(graph) == schedule.makespan
    assert graph.nodes[0]["start"] == late.start[0]
    assert graph.nodes[0]["machine"] == late.machine[0]


def test_pairs_are_arcs_both_ways() -> None:
    shop = random_job_shop(1, 4, 3, low=1)
    graph = disjunctive_graph(shop)
    kinds = nx.get_edge_attributes(graph, "kind")
    # A pair per machine and pair of jobs, two arcs each; an arc per step of a job and its ends.
    assert sum(kind == "disjunctive" for kind in kinds.values()) == 2 * 3 * 6
    assert sum(kind == "conjunctive" for kind in kinds.values()) == 4 * 4
    for one, other, data in graph.edges(data=True):
        if data["kind"] == "disjunctive":
            assert graph.has_edge(other, one)
            assert data["machines"] == [shop.machine[one]] == [shop.machine[other]]
            assert graph.nodes[one]["job"] != graph.nodes[other]["job"]
        assert data["weight"] == (0 if one == SOURCE else shop.duration[one])


def test_flexible_pairs_share_machines() -> None:
    graph = disjunctive_graph(FLEXIBLE)
    assert graph.edges[0, 2]["machines"] == [0, 1]
    assert graph.edges[1, 3]["machines"] == [1]
    assert not graph.has_edge(1, 4)
    assert graph.edges[0, 1] == {"kind": "conjunctive", "weight": 3}
    assert graph.nodes[2] == {"job": 1, "position": 0, "duration": 1}


def test_jobs_without_operations() -> None:
    graph = disjunctive_graph(JobShop.classic("empty", 1, [[], []]))
    assert list(graph.edges) == [(SOURCE, SINK)]
