"""Scenarios after Christensen et al. (arXiv 2511.08373), as the default scheduler leaves them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

from cpsched.instances import generate_pods
from cpsched.instances.formats.scenario import empty_cluster, to_cluster

if TYPE_CHECKING:
    from cpsched.instances.formats.scenario import Scenario
    from cpsched.pods.instance import Cluster

#: Utilisations, percent, at which the authors keep only scenarios that the default scheduler
#: leaves a pod pending in.
FILTERED = (90, 95)

#: Seeds tried for a cell before it has as many scenarios as were found.
MOST_TRIES = 300


@dataclass(frozen=True, order=True)
class Cell:
    """One configuration of the grid; utilisation in percent."""

    nodes: int
    pods_per_node: int
    priorities: int
    utilisation: int

    @property
    def pods(self) -> int:
        return self.nodes * self.pods_per_node

    @property
    def name(self) -> str:
        return f"{self.nodes}n-{self.pods}p-{self.priorities}t-{self.utilisation}"

    @classmethod
    def of(cls, name: str) -> Cell:
        nodes, pods, tiers, utilisation = (int(part.rstrip("npt")) for part in name.split("-"))
        return cls(nodes, pods // nodes, tiers, utilisation)


GRID = [Cell(*cell) for cell in product((4, 8, 16, 32), (4, 8), (1, 2, 4), (90, 95, 100, 105))]


def bare(cell: Cell, seed: int) -> Cluster:
    """The scenario before anything is scheduled."""
    return empty_cluster(_law(cell, seed))


def scenario(cell: Cell, seed: int) -> Cluster:
    """The scenario as the default scheduler, without preemption, leaves it."""
    return to_cluster(_law(cell, seed))


def _law(cell: Cell, seed: int) -> Scenario:
    share = cell.utilisation / 100
    return generate_pods.scenario(cell.nodes, cell.pods_per_node, cell.priorities, share, seed)


def seeds(cell: Cell, first: int, count: int, tries: int = MOST_TRIES) -> list[int]:
    """The seeds from *first* on, at utilisations below 1 those that leave a pod pending."""
    if cell.utilisation not in FILTERED:
        return list(range(first, first + count))
    found: list[int] = []
    for seed in range(first, first + tries):
        if len(found) == count:
            break
        if not scenario(cell, seed).running.all():
            found.append(seed)
    return found
