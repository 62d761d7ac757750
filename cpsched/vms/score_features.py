"""What the small networks of ``score`` see of a VM that leaves or comes: features, and worth."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from numba import types

from cpsched.kernels import part

Longs = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
#: A number inside a kernel: its width is in the signature, beyond what mypy can follow.
Int: TypeAlias = Any

INT, FLOAT, VOID = types.int64, types.float64, types.void
I8, I8S = types.int64[::1], types.int64[:, ::1]
F8, F8S = types.float64[::1], types.float64[:, ::1]

#: Columns of the table of places: NUMA nodes (-1 for no second), PM.
FIRST, SECOND, PM = range(3)
#: Columns of the table of NUMA nodes: PM, millicores of a slot there by the first fragment and by
#: the second (0 if there is none), whether its PM is active.
NUMA_PM, SLOT, OTHER, ACTIVE = range(4)
#: Columns of the table of fragments: worth, millicores, whether double.
WORTH, SIZE, DOUBLE = range(3)
#: Columns of the table of kinds of VMs: parts, then the demand per part of each resource.
PARTS, DEMAND = range(2)
#: Rows of the table of VMs: kind, place, moves that it may still make.
KIND, PLACE, MAY = range(3)
#: Columns of the table of groups: whether apart, most VMs in a domain.
APART, MOST = range(2)

#: Classes of the size of a VM's part, relative to a slot.
CLASSES = 5
LEAVE_FEATURES, COME_FEATURES = 25, 22

NEVER = -1e18


@part(INT(INT, I8S, I8S, I8, I8S))
def worth_of(pm: Int, free: Longs, numas: Longs, numa_ptr: Longs, fragments: Longs) -> Int:
    """Worth of the slots on *pm*."""
    first, end = numa_ptr[pm], numa_ptr[pm + 1]
    if numas[first, ACTIVE] == 0:
        return 0
    found = 0
    for k in range(len(fragments)):
        if fragments[k, DOUBLE] != 0:
            share = fragments[k, SIZE] // (end - first)
            least = np.int64(1) << 60
            for n in range(first, end):
                least = min(least, max(0, free[n, 0]) // share)
            found += fragments[k, WORTH] * least
        else:
            for n in range(first, end):
                found += fragments[k, WORTH] * (max(0, free[n, 0]) // fragments[k, SIZE])
    return found


@part(INT(INT, INT))
def size_class(size: Int, slot: Int) -> Int:
    """Class of a VM's part of *size* millicores: up to an eighth of a slot, a quarter, ..."""
    found = 0
    limit = slot // 8
    while found < CLASSES - 1 and size > limit:
        limit *= 2
        found += 1
    return found


@part(VOID(INT, INT, INT, INT, INT, I8S, I8S, I8S, I8S, I8S, I8S, F8))
def describe(
    n: Int,
    kind: Int,
    two: Int,
    change: Int,
    sign: Int,
    free: Longs,
    capacity: Longs,
    numas: Longs,
    kinds: Longs,
    inside: Longs,
    counts: Longs,
    x: Floats,
) -> None:
    """Features of a part of a VM of *kind* that leaves (sign 1) or comes to (-1) NUMA node *n*.

    two: whether the VM has two parts; change: of the worth of its PM's slots, by all parts;
    inside: shape (kinds, NUMA nodes), parts of movable VMs; counts: by class of size, shape (NUMA
    nodes, CLASSES). Sizes are in slots.
    """
    slot = numas[n, SLOT]
    unit = 1.0 / slot
    cpu = max(0, free[n, 0])
    size = kinds[kind, DEMAND]
    rest = cpu % slot
    after = max(0, cpu + sign * size) % slot
    lacking = slot - after if sign < 0 or after > 0 else slot
    before = slot - rest
    x[0] = rest * unit
    x[1] = min(4.0, cpu * unit / 3)
    x[2] = min(4.0, size * unit)
    x[3] = change / (2.0 if two else 1.0)
    x[4] = after * unit
    x[5] = 1.0 if after == 0 else 0.0
    x[6] = two
    for k in range(CLASSES):
        x[7 + k] = 0.25 * min(4, counts[n, k])
    # Another VM here that would make the next slot whole by leaving, and exactly so; a smaller
    # one that would do instead of this one.
    enough = 0.0
    exact = 0.0
    smaller = 0.0
    for other in range(len(kinds)):
        there = inside[other, n] - (1 if sign > 0 and other == kind else 0)
        if there <= 0:
            continue
        if kinds[other, DEMAND] >= lacking:
            enough = 1.0
        if kinds[other, DEMAND] == lacking:
            exact = 1.0
        if before <= kinds[other, DEMAND] < size:
            smaller = 1.0
    x[12] = lacking * unit
    x[13] = enough
    sibling = 0.0
    for other in (n - 1, n + 1):
        if 0 <= other < len(numas) and numas[other, NUMA_PM] == numas[n, NUMA_PM]:
            sibling = (max(0, free[other, 0]) % slot) * unit
    x[14] = sibling
    tight = 1.0
    for r in range(1, free.shape[1]):
        left = free[n, r] + sign * kinds[kind, DEMAND + r]
        tight = min(tight, max(0.0, left / max(1.0, np.float64(capacity[n, r]))))
    x[15] = tight
    x[16] = x[17] = x[18] = 0.0
    if numas[n, OTHER] > 0:
        unit2 = 1.0 / numas[n, OTHER]
        x[16] = (cpu % numas[n, OTHER]) * unit2
        x[17] = (max(0, cpu + sign * size) % numas[n, OTHER]) * unit2
        x[18] = 1.0
    if sign > 0:
        x[19] = exact
        x[20] = 1.0 if rest == 0 else 0.0
        x[21] = 1.0 if size >= before else 0.0
        x[22] = (size - before) * unit if size >= before else 0.0
        x[23] = smaller
        x[24] = before * unit
    else:
        x[19] = 1.0 if rest >= size else 0.0
        x[20] = (rest - size) * unit if rest >= size else 0.0
        x[21] = exact
