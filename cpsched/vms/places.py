"""Where a VM may be: one NUMA node, or two of one PM; numbered, PM by PM."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from cpsched.arrays import BoolArray, IntArray, LongArray
    from cpsched.vms.instance import VmCluster


class Places:
    """All places of a cluster.

    Attributes
    ----------
    numa
        Shape (num_places, 2): NUMA nodes of each place, ascending; -1 for no second.
    pm, ptr
        Shape (num_places,): PM of each place, ascending; those of PM p are ptr[p] .. ptr[p + 1].
    grid, there, count
        Shape (num_pms, most NUMA nodes of a PM): NUMA nodes of each PM, then -1; whether one is
        there; shape (num_pms,): how many.
    cover
        Shape (num_places, most NUMA nodes of a PM): 1 for the NUMA nodes of a place, in the
        columns of *grid*.
    local, is_local
        Shape (num_pms, most places of a PM): places of each PM, then 0; whether one is there.
    """

    def __init__(self, cluster: VmCluster) -> None:
        pms = np.arange(cluster.num_pms)
        self.count: LongArray = np.diff(cluster.numa_ptr).astype(np.int64)
        columns = np.arange(int(self.count.max()))
        self.there: BoolArray = columns < self.count[:, None]
        self.grid: IntArray = np.where(
            self.there, cluster.numa_ptr[:-1, None] + columns, -1
        ).astype(np.int32)
        # Columns of each place, in the order in which a PM's places are numbered.
        shapes = [(a, -1) for a in columns.tolist()]
        shapes += [(a, b) for a in columns.tolist() for b in columns.tolist() if a < b]
        first, second = np.array(shapes).T
        self.is_local: BoolArray = (first < self.count[:, None]) & (second < self.count[:, None])
        owner, shape = np.nonzero(self.is_local)
        self.pm: IntArray = owner.astype(np.int32)
        self.ptr: LongArray = np.searchsorted(self.pm, np.arange(len(pms) + 1)).astype(np.int64)
        low = self.grid[owner, first[shape]]
        high = np.where(second[shape] >= 0, self.grid[owner, second[shape]], -1)
        self.numa: IntArray = np.column_stack((low, high)).astype(np.int32)
        self.cover: LongArray = (
            (columns == first[shape][:, None]) | (columns == second[shape][:, None])
        ).astype(np.int64)
        self.local: IntArray = np.zeros(self.is_local.shape, dtype=np.int32)
        self.local[self.is_local] = np.arange(len(owner))
        self._numas = cluster.num_numa

    def find(self, numa: IntArray) -> IntArray:
        """Shape (len(numa),): number of each place of *numa*, shape (any number, 2)."""
        keys = self._keys(self.numa)
        order = np.argsort(keys)
        return order[np.searchsorted(keys[order], self._keys(numa))].astype(np.int32)

    def _keys(self, numa: IntArray) -> LongArray:
        return numa[:, 0].astype(np.int64) * (self._numas + 1) + numa[:, 1] + 1

    def of_pms(self, pms: IntArray) -> IntArray:
        """Places of *pms*, PM by PM."""
        found: IntArray = self.local[pms][self.is_local[pms]]
        return found
