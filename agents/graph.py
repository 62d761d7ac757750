"""An observation as a graph for torch-geometric."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch_geometric.data import HeteroData

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt


def hetero_data(observation: Mapping[str, Any], index: int | None = None) -> HeteroData:
    """Graph of one observation, without padding; graphs of any sizes go into one ``Batch``.

    Node types ``decision`` (``x``; ``mask``, Boolean: what is legal) and ``constraint`` (``x``);
    edge types (decision, precedes, decision), (decision, in, constraint) and, backwards,
    (constraint, has, decision), both with ``edge_attr``, shape (edges, 1): the share of the
    constraint's capacity that the decision uses. Where an environment knows waiting, ``wait``,
    Boolean, shape (1,), says whether that is legal. The arrays of the observation are copied.

    Parameters
    ----------
    observation
        Of ``ConstructEnv``, or of a batch.
    index
        Row of the batch; None: the observation is of one environment.
    """
    arrays: dict[str, npt.NDArray[Any]] = {
        name: np.asarray(array if index is None else array[index])
        for name, array in observation.items()
    }
    decision, constraint, mask = arrays["decision"], arrays["constraint"], arrays["mask"]
    nodes = decision[:, 0] != 0
    data = HeteroData()
    data["decision"].x = torch.tensor(decision[nodes])
    data["decision"].mask = torch.tensor(mask[: len(decision)][nodes] != 0)
    data["constraint"].x = torch.tensor(constraint[constraint[:, 0] != 0])
    membership = _edges(arrays["membership"])
    data["decision", "precedes", "decision"].edge_index = _edges(arrays["precedence"])
    data["decision", "in", "constraint"].edge_index = membership
    data["constraint", "has", "decision"].edge_index = membership.flip(0)
    weight = torch.tensor(arrays["weight"][arrays["membership"][0] >= 0]).unsqueeze(1)
    data["decision", "in", "constraint"].edge_attr = weight
    data["constraint", "has", "decision"].edge_attr = weight.clone()
    if len(mask) > len(decision):
        data.wait = torch.tensor(mask[len(decision) :] != 0)
    return data


def _edges(pairs: npt.NDArray[np.int32]) -> torch.Tensor:
    return torch.tensor(pairs[:, pairs[0] >= 0].astype(np.int64))
