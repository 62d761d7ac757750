"""Observations as graphs of torch-geometric: nothing padded, nothing lost."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from construction_models import assignment, optional_intervals, random_flexible_job_shop
from random_shops import random_job_shop

pytest.importorskip("torch", reason="the rl extra is not installed")
pytest.importorskip("gymnasium", reason="the rl extra is not installed")
import torch
from torch_geometric.data import Batch, HeteroData
from torch_geometric.loader import DataLoader
from torch_geometric.nn import HeteroConv, SAGEConv

from cpsched.agents.graph import hetero_data
from cpsched.envs import AssignEnv, CpVecEnv, ScheduleEnv

PRECEDES = ("decision", "precedes", "decision")
IN = ("decision", "in", "constraint")
HAS = ("constraint", "has", "decision")


def test_graph_of_one_observation() -> None:
    observation, _ = ScheduleEnv(random_job_shop(0, 3, 3)).reset()
    data = hetero_data(observation)
    data.validate()
    assert data.metadata() == (["decision", "constraint"], [PRECEDES, IN, HAS])
    assert torch.equal(data["decision"].x, torch.tensor(observation["decision"]))
    assert torch.equal(data["constraint"].x, torch.tensor(observation["constraint"]))
    assert torch.equal(data["decision"].mask, torch.tensor(observation["mask"]).bool())
    assert data[PRECEDES].edge_index.tolist() == observation["precedence"].tolist()
    assert data[IN].edge_index.tolist() == observation["membership"].tolist()
    assert data[HAS].edge_index.tolist() == observation["membership"][::-1].tolist()
    assert data[IN].edge_attr.tolist() == [[weight] for weight in observation["weight"].tolist()]
    assert torch.equal(data[HAS].edge_attr, data[IN].edge_attr)
    assert data[IN].edge_attr.shape == (9, 1)
    assert "wait" not in data


def same(one: HeteroData, other: HeteroData) -> bool:
    left, right = one.to_dict(), other.to_dict()

    def flat(tree: dict[Any, Any]) -> dict[Any, Any]:
        return {
            (key, name): value
            for key, store in tree.items()
            for name, value in (store.items() if isinstance(store, dict) else [("", store)])
        }

    first, second = flat(left), flat(right)
    return first.keys() == second.keys() and all(
        torch.equal(torch.as_tensor(value), torch.as_tensor(second[key]))
        for key, value in first.items()
    )


def test_rows_of_a_batch_lose_their_padding() -> None:
    shops = [random_job_shop(0, 3, 2), random_flexible_job_shop(0)]
    batch = CpVecEnv(shops, num_envs=2, frame="wait")
    observation, _ = batch.reset(seed=0)
    for row, index in enumerate(batch.instance_indices):
        single, _ = ScheduleEnv(shops[index], frame="wait").reset()
        assert single["decision"].shape[1] == observation["decision"].shape[2]
        assert same(hetero_data(observation, row), hetero_data(single))
    assert hetero_data(observation, 0).wait.shape == (1,)


def test_graphs_of_any_kind_go_into_one_batch() -> None:
    observations = [
        AssignEnv(model=assignment(0)).reset()[0],
        ScheduleEnv(model=optional_intervals(0)).reset()[0],
        AssignEnv(model=assignment(1, 3, 2)).reset()[0],
    ]
    graphs = [hetero_data(observation) for observation in observations]
    batch = Batch.from_data_list(graphs)
    assert batch["decision"].num_nodes == sum(len(o["decision"]) for o in observations)
    convolution = HeteroConv(
        {
            PRECEDES: SAGEConv((-1, -1), 4),
            IN: SAGEConv((-1, -1), 4),
            HAS: SAGEConv((-1, -1), 4),
        }
    )
    out = convolution(batch.x_dict, batch.edge_index_dict)
    assert out["decision"].shape == (batch["decision"].num_nodes, 4)
    loaded = next(iter(DataLoader(graphs, batch_size=3)))
    assert torch.equal(loaded["decision"].x, batch["decision"].x)


def test_graph_is_a_copy() -> None:
    batch = CpVecEnv([random_job_shop(0, 3, 2)], num_envs=2, copy=False)
    observation, _ = batch.reset(seed=0)
    data = hetero_data(observation, 0)
    kept = data["decision"].x.clone()
    batch.step(batch.sample())
    assert torch.equal(data["decision"].x, kept)
    assert not np.array_equal(observation["decision"][0], kept.numpy())
