"""A graph network that encodes an instance once and points at its decisions many times.

The encoder is message passing with attention (GATv2, Brody, Alon and Yahav 2022) over the
bipartite graph of decisions and constraints and the precedences among decisions, both ways. Each
step of an episode then costs a small head only: a candidate is its embedding, those of what comes
next and of its main constraint, and the few numbers of ``candidates``; candidates look at each
other once (attention) and are scored; what they say together is the value of the state.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn
from torch_geometric.nn import GATv2Conv, HeteroConv

from cpsched.agents.candidates import COMMON, CONTEXT, FEATURES
from cpsched.agents.config import require
from cpsched.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from cpsched.agents.candidates import Candidates, Map

#: Features of nodes at the root that the encoder sees, before a formulation's own columns.
NODE_FEATURES = 5
CONSTRAINT_FEATURES = 4

_EDGES = (
    ("decision", "precedes", "decision"),
    ("decision", "follows", "decision"),
    ("decision", "in", "constraint"),
    ("constraint", "has", "decision"),
)


@dataclass(frozen=True)
class GraphShape:
    """The table ``[network]``.

    width: of embeddings; heads: of attention, a divisor of width; layers: of the encoder, 0 for
    none: then only the head is left; temperature: of draws.
    """

    width: int = 48
    heads: int = 4
    layers: int = 2
    temperature: float = 1.0

    def __post_init__(self) -> None:
        require(4 <= self.width <= 512, "width must be in 4..512", self.width)
        require(self.heads >= 1, "heads must be at least 1", self.heads)
        require(self.width % self.heads == 0, "heads must divide width", self.heads)
        require(0 <= self.layers <= 16, "layers must be in 0..16", self.layers)
        require(self.temperature > 0, "temperature must be above 0", self.temperature)


@dataclass(frozen=True, eq=False)
class Memory:
    """What the encoder says of some instances, one behind the other.

    own, after, inside: shapes (decisions + 1, width) twice and (constraints + 1, width), what a
    candidate brings into the head by its decision, the following one and its constraint; the last
    row is 0, for none. decision, constraint: shape (instances,), where each instance begins.
    """

    own: torch.Tensor
    after: torch.Tensor
    inside: torch.Tensor
    decision: torch.Tensor
    constraint: torch.Tensor

    @classmethod
    def joined(cls, parts: Sequence[Memory]) -> Memory:
        """Memories, each of one instance, as one."""
        first = np.cumsum([0] + [len(one.own) - 1 for one in parts])
        second = np.cumsum([0] + [len(one.inside) - 1 for one in parts])
        device = parts[0].own.device

        def stacked(name: str) -> torch.Tensor:
            tensors = [getattr(one, name) for one in parts]
            return torch.cat([one[:-1] for one in tensors] + [tensors[0][-1:]])

        return cls(
            own=stacked("own"),
            after=stacked("after"),
            inside=stacked("inside"),
            decision=torch.tensor(first[:-1], device=device),
            constraint=torch.tensor(second[:-1], device=device),
        )


@dataclass(frozen=True, eq=False)
class Step:
    """Candidates as tensors; see ``Candidates``.

    own, after, inside: shape (rows, candidates), rows of ``Memory``, those of none where there is
    nothing; there: whether a candidate is there.
    """

    own: torch.Tensor
    after: torch.Tensor
    inside: torch.Tensor
    there: torch.Tensor
    feature: torch.Tensor
    context: torch.Tensor


class GraphNetwork(nn.Module):
    """The network.

    Parameters
    ----------
    shape
        Sizes.
    extra
        Number of columns of its own that the formulation gives each decision.
    """

    def __init__(self, shape: GraphShape, extra: int = 0) -> None:
        super().__init__()
        self.shape, self.extra = shape, extra
        width = shape.width
        self.decision = nn.Linear(NODE_FEATURES + extra, width)
        self.constraint = nn.Linear(CONSTRAINT_FEATURES, width)
        self.layers = nn.ModuleList(_Layer(width, shape.heads) for _ in range(shape.layers))
        self.own = nn.Linear(width, width, bias=False)
        self.after = nn.Linear(width, width, bias=False)
        self.inside = nn.Linear(width, width, bias=False)
        self.feature = nn.Linear(COMMON + extra, width)
        self.mix = nn.Linear(width, width)
        self.query = nn.Linear(width, 3 * width)
        self.norm = nn.LayerNorm(width)
        self.score = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, 1))
        self.value = nn.Sequential(
            nn.Linear(width + CONTEXT, width), nn.GELU(), nn.Linear(width, 1)
        )

    def encode(self, maps: Sequence[Map]) -> Memory:
        """Embeddings of instances, all in one graph."""
        device = self.decision.weight.device
        nodes, constraints, starts = [], [], ([0], [0])
        edges: dict[tuple[str, str, str], list[npt.NDArray[np.int64]]] = {e: [] for e in _EDGES}
        share = []
        for one in maps:
            first, second = starts[0][-1], starts[1][-1]
            nodes.append(_nodes(one))
            constraints.append(_constraints(one))
            starts[0].append(first + len(one.decision))
            starts[1].append(second + len(one.constraint))
            edges["decision", "precedes", "decision"].append(one.precedence + first)
            edges["decision", "follows", "decision"].append(one.precedence[::-1] + first)
            member = one.membership + np.array([[first], [second]])
            edges["decision", "in", "constraint"].append(member)
            edges["constraint", "has", "decision"].append(member[::-1])
            share.append(one.share)
        x = {
            "decision": self.decision(_tensor(np.concatenate(nodes), device)),
            "constraint": self.constraint(_tensor(np.concatenate(constraints), device)),
        }
        index = {
            key: _tensor(np.concatenate(parts, axis=1), device) for key, parts in edges.items()
        }
        weight = _tensor(np.concatenate(share), device).unsqueeze(1)
        for layer in self.layers:
            x = layer(x, index, weight)
        zero = x["decision"].new_zeros((1, self.shape.width))
        return Memory(
            own=torch.cat((self.own(x["decision"]), zero)),
            after=torch.cat((self.after(x["decision"]), zero)),
            inside=torch.cat((self.inside(x["constraint"]), zero)),
            decision=torch.tensor(starts[0][:-1], device=device),
            constraint=torch.tensor(starts[1][:-1], device=device),
        )

    def forward(self, memory: Memory, step: Step) -> tuple[torch.Tensor, torch.Tensor]:
        """Scores of the candidates, shape (rows, candidates), and values, shape (rows,).

        Padding has the score -inf.
        """
        mixed = self.feature(step.feature)
        mixed = mixed + memory.own[step.own] + memory.after[step.after]
        mixed = self.mix(nn.functional.gelu(mixed + memory.inside[step.inside]))
        mixed = mixed + self._look(mixed, step.there)
        hidden = self.norm(mixed)
        score = self.score(hidden).squeeze(-1).masked_fill(~step.there, -torch.inf)
        present = step.there.unsqueeze(-1)
        pooled = (hidden * present).sum(1) / present.sum(1).clamp(min=1)
        value = self.value(torch.cat((pooled, step.context), dim=1)).squeeze(-1)
        return score, value

    def _look(self, x: torch.Tensor, there: torch.Tensor) -> torch.Tensor:
        rows, count, width = x.shape
        heads = self.shape.heads
        query, key, value = (
            part.view(rows, count, heads, width // heads).transpose(1, 2)
            for part in self.query(x).chunk(3, dim=-1)
        )
        # A row without candidates looks at itself: its scores are -inf anyway.
        seen = there[:, None, None, :] | ~there.any(1)[:, None, None, None]
        found = nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=seen)
        return found.transpose(1, 2).reshape(rows, count, width)

    def step(
        self,
        memory: Memory,
        candidates: Candidates,
        which: npt.NDArray[np.int64],
        maps: Sequence[Map],
    ) -> Step:
        """*candidates* of rows that are on the instances *which* of *maps*, those of *memory*."""
        device = memory.own.device
        after = np.full_like(candidates.index, -1)
        inside = np.full_like(candidates.index, -1)
        for number in np.unique(which).tolist():
            rows = which == number
            index = candidates.index[rows]
            there = index >= 0
            after[rows] = np.where(there, maps[number].following[index], -1)
            inside[rows] = np.where(there, maps[number].inside[index, 0], -1)
        first, second = (
            memory.decision.cpu().numpy()[which],
            memory.constraint.cpu().numpy()[which],
        )
        none, empty = len(memory.own) - 1, len(memory.inside) - 1
        return Step(
            own=_tensor(_placed(candidates.index, first, none), device),
            after=_tensor(_placed(after, first, none), device),
            inside=_tensor(_placed(inside, second, empty), device),
            there=_tensor(candidates.index >= 0, device),
            feature=_tensor(candidates.feature, device),
            context=_tensor(candidates.context, device),
        )


class _Layer(nn.Module):
    """One round of messages: attention over each kind of edge, residual, norm, feed-forward."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.convolution = HeteroConv(
            {
                edge: GATv2Conv(
                    width,
                    width // heads,
                    heads=heads,
                    add_self_loops=False,
                    edge_dim=1 if edge[1] in ("in", "has") else None,
                )
                for edge in _EDGES
            },
            aggr="sum",
        )
        self.norm = nn.ModuleDict(
            {name: nn.LayerNorm(width) for name in ("decision", "constraint")}
        )
        self.feed = nn.ModuleDict(
            {
                name: nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, width))
                for name in ("decision", "constraint")
            }
        )

    def forward(
        self,
        x: Mapping[str, torch.Tensor],
        index: Mapping[tuple[str, str, str], torch.Tensor],
        weight: torch.Tensor,
    ) -> dict[str, torch.Tensor]:
        """Embeddings after the round."""
        used = {key: edges for key, edges in index.items() if edges.shape[1]}
        weights = {key: weight for key in used if key[1] in ("in", "has")}
        messages = self.convolution(dict(x), used, edge_attr_dict=weights) if used else {}
        found = {}
        for name, own in x.items():
            heard = own + messages[name] if name in messages else own
            heard = self.norm[name](heard)
            found[name] = heard + self.feed[name](heard)
        return found


def _nodes(one: Map) -> npt.NDArray[np.float32]:
    """Features of decisions at the root, shape (decisions, NODE_FEATURES + extra)."""
    table = one.decision
    columns = (
        table[:, 1] / one.reach,
        table[:, 3] / one.unit,
        table[:, 4] / one.reach,
        (table[:, 2] - table[:, 1]) / one.reach,
        table[:, 6],
    )
    return np.concatenate((np.stack(columns, axis=1), table[:, 8:]), axis=1)


def _constraints(one: Map) -> npt.NDArray[np.float32]:
    """Features of constraints at the root, shape (constraints, CONSTRAINT_FEATURES).

    Whether it is a resource, how many decisions it has and how much work, both beside the mean.
    """
    count = len(one.constraint)
    owner, inside = one.membership
    number = np.bincount(inside, minlength=count)
    work = np.bincount(inside, one.decision[owner, 3], minlength=count)
    columns = (
        one.constraint[:, 3],
        one.constraint[:, 1],
        number / max(1.0, float(number.mean())),
        work / (float(np.abs(work).mean()) or 1.0),
    )
    return np.stack(columns, axis=1).astype(np.float32)


def _placed(
    index: npt.NDArray[np.int64], first: npt.NDArray[np.int64], none: int
) -> npt.NDArray[np.int64]:
    return np.where(index >= 0, index + first[:, None], none)


def _tensor(array: npt.NDArray[Any], device: torch.device) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(array)).to(device)


def config_of(network: GraphNetwork) -> dict[str, Any]:
    """What ``Checkpoint.config`` says of *network*."""
    return {"features": FEATURES, "extra": network.extra, "shape": asdict(network.shape)}


def tensors_of(network: nn.Module) -> dict[str, npt.NDArray[np.float32]]:
    """The weights of *network* by name."""
    return {
        name: tensor.detach().cpu().numpy().astype(np.float32)
        for name, tensor in network.state_dict().items()
    }


def network_of(
    config: Mapping[str, Any], tensors: Mapping[str, npt.NDArray[np.float32]]
) -> GraphNetwork:
    """The network of a checkpoint; InputError, naming what differs, if it does not fit."""
    if config.get("features") != FEATURES:
        raise InputError(
            f"these weights were trained with features {config.get('features')!r}, this version "
            f"of cpsched has {FEATURES}"
        )
    try:
        network = GraphNetwork(GraphShape(**config["shape"]), int(config["extra"]))
    except (KeyError, TypeError) as error:
        raise InputError(
            f"the weights' description of the network is of no use: {error}"
        ) from None
    wanted = network.state_dict()
    for name, tensor in wanted.items():
        if name not in tensors:
            raise InputError(f"the weights lack the tensor {name}")
        if tensors[name].shape != tuple(tensor.shape):
            raise InputError(
                f"tensor {name} must have shape {tuple(tensor.shape)}, not {tensors[name].shape}"
            )
    network.load_state_dict({name: torch.from_numpy(tensors[name].copy()) for name in wanted})
    return network
