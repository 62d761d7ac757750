"""Annealing over final states: one VM to another place, or two that change places."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import float64, int64, types

from cpsched.kernels import kernel, part

LongArray = npt.NDArray[np.int64]

V = int64[::1]
M = int64[:, ::1]
B = types.boolean[::1]
B2 = types.boolean[:, ::1]

#: Numbers of ``control``.
STEPS, LIMIT, AWAY, WORTH, BEST, BEST_AWAY, STATE = range(7)
CONTROL = 7


@part(int64(V))
def _draw(control: LongArray) -> int:
    """A random number >= 0: xorshift (Marsaglia 2003)."""
    x = np.uint64(control[6])
    x ^= x << np.uint64(13)
    x ^= x >> np.uint64(7)
    x ^= x << np.uint64(17)
    control[6] = np.int64(x)
    return int(x >> np.uint64(2))


@part(int64(int64, M, V, V, V, V, V, V))
def _worth(
    pm: int,
    free: LongArray,
    numa_ptr: LongArray,
    active: LongArray,
    size: LongArray,
    worth: LongArray,
    share: LongArray,
    share_worth: LongArray,
) -> int:
    """Worth of the slots of a PM."""
    if active[pm] == 0:
        return 0
    total = 0
    least = free[numa_ptr[pm], 0]
    for n in range(numa_ptr[pm], numa_ptr[pm + 1]):
        room = max(0, free[n, 0])
        least = min(least, free[n, 0])
        for k in range(len(size)):
            total += worth[k] * (room // size[k])
    least = max(0, least)
    count = numa_ptr[pm + 1] - numa_ptr[pm]
    for k in range(len(share)):
        total += share_worth[k] * (least // (share[k] // count))
    return total


@part(types.boolean(int64, int64, int64, V, V, V, V, V, M, M, V))
def _unwelcome(
    vm: int,
    pm: int,
    without: int,
    at: LongArray,
    partner_ptr: LongArray,
    partner: LongArray,
    group_ptr: LongArray,
    group: LongArray,
    domain: LongArray,
    count: LongArray,
    most: LongArray,
) -> bool:
    """Whether a conflict or a group keeps *vm* from *pm*; *without* is about to leave it."""
    if at[vm] == pm:
        return False
    for k in range(partner_ptr[vm], partner_ptr[vm + 1]):
        if at[partner[k]] == pm and partner[k] != without:
            return True
    for k in range(group_ptr[vm], group_ptr[vm + 1]):
        g = group[k]
        place = domain[g, pm]
        if domain[g, at[vm]] == place:
            continue
        there = count[g, place]
        if without >= 0 and domain[g, at[without]] == place:
            for j in range(group_ptr[without], group_ptr[without + 1]):
                if group[j] == g:
                    there -= 1
        if there >= most[g]:
            return True
    return False


@part(types.void(int64, int64, int64, int64, M, M, V, V, M, V, V, M, M))
def _put(
    vm: int,
    first: int,
    second: int,
    pm: int,
    numa: LongArray,
    free: LongArray,
    parts: LongArray,
    at: LongArray,
    demand: LongArray,
    group_ptr: LongArray,
    group: LongArray,
    domain: LongArray,
    count: LongArray,
) -> None:
    """Move *vm*, unasked."""
    for r in range(demand.shape[1]):
        free[numa[vm, 0], r] += demand[vm, r]
        free[first, r] -= demand[vm, r]
        if parts[vm] == 2:
            free[numa[vm, 1], r] += demand[vm, r]
            free[second, r] -= demand[vm, r]
    for k in range(group_ptr[vm], group_ptr[vm + 1]):
        count[group[k], domain[group[k], at[vm]]] -= 1
        count[group[k], domain[group[k], pm]] += 1
    numa[vm, 0], numa[vm, 1] = first, second
    at[vm] = pm


@part(types.boolean(int64, int64, M, M))
def _fits(vm: int, node: int, free: LongArray, demand: LongArray) -> bool:
    good = True
    for r in range(demand.shape[1]):
        good &= demand[vm, r] == 0 or demand[vm, r] <= free[node, r]
    return good


@kernel(
    types.void(
        M, M, M, V, M, V, M, V, V, V, B2, V, V, V, V, V, M, M, V, V, V, V, V, V, V, float64[::1], V
    )
)
def anneal(
    numa: LongArray,
    home: LongArray,
    best: LongArray,
    parts: LongArray,
    demand: LongArray,
    movable: LongArray,
    free: LongArray,
    numa_pm: LongArray,
    numa_ptr: LongArray,
    active: LongArray,
    opens: npt.NDArray[np.bool_],
    profile: LongArray,
    partner_ptr: LongArray,
    partner: LongArray,
    group_ptr: LongArray,
    group: LongArray,
    domain: LongArray,
    count: LongArray,
    most: LongArray,
    size: LongArray,
    worth: LongArray,
    share: LongArray,
    share_worth: LongArray,
    at: LongArray,
    control: LongArray,
    heat: npt.NDArray[np.float64],
    halt: LongArray,
) -> None:
    """Make ``control[STEPS]`` trials, unless *halt* turns 1; keep the best state in *best*.

    numa, home, best: (VMs, 2), states now, at first and the best; free: (NUMA nodes, resources);
    opens: (profiles, PMs); partner_ptr, partner: conflicts of each VM; group_ptr, group: its
    anti-affinity groups, with domain (groups, PMs), count (groups, PMs) and most; size, worth:
    slots of NUMA nodes; share, share_worth: of PMs; at: (VMs,), their PMs. heat: temperature and
    price of a VM that is away from home, in units of worth. At most ``control[LIMIT]`` are.
    """
    for step in range(control[0]):
        if step % 1024 == 0 and halt[0] != 0:
            return
        vm = movable[_draw(control) % len(movable)]
        source = at[vm]
        other = -1
        first = _draw(control) % len(numa_pm)
        pm = numa_pm[first]
        second = -1
        if parts[vm] == 2:
            if numa_ptr[pm + 1] - numa_ptr[pm] < 2:
                continue
            first = numa_ptr[pm] + _draw(control) % (numa_ptr[pm + 1] - numa_ptr[pm] - 1)
            second = first + 1
            if pm == source:
                continue
        elif _draw(control) % 3 == 0:
            other = movable[_draw(control) % len(movable)]
            if parts[other] == 2 or numa[other, 0] == numa[vm, 0]:
                continue
            first = numa[other, 0]
            pm = numa_pm[first]
        if first == numa[vm, 0] and second == numa[vm, 1]:
            continue
        if not opens[profile[vm], pm] or (other >= 0 and not opens[profile[other], source]):
            continue
        if _unwelcome(
            vm, pm, other, at, partner_ptr, partner, group_ptr, group, domain, count, most
        ) or (
            other >= 0
            and _unwelcome(
                other, source, vm, at, partner_ptr, partner, group_ptr, group, domain, count, most
            )
        ):
            continue
        old_first, old_second = numa[vm, 0], numa[vm, 1]
        away = control[2]
        away -= old_first != home[vm, 0] or old_second != home[vm, 1]
        away += first != home[vm, 0] or second != home[vm, 1]
        if other >= 0:
            away -= numa[other, 0] != home[other, 0]
            away += old_first != home[other, 0]
        if away > control[1] and away > control[2]:
            continue
        before = _worth(source, free, numa_ptr, active, size, worth, share, share_worth)
        if pm != source:
            before += _worth(pm, free, numa_ptr, active, size, worth, share, share_worth)
        if other >= 0:
            # Both leave before any of them is measured.
            for r in range(demand.shape[1]):
                free[first, r] += demand[other, r]
                free[old_first, r] += demand[vm, r]
            good = _fits(vm, first, free, demand) and _fits(other, old_first, free, demand)
            for r in range(demand.shape[1]):
                free[first, r] -= demand[other, r]
                free[old_first, r] -= demand[vm, r]
        else:
            good = _fits(vm, first, free, demand)
            good &= second < 0 or _fits(vm, second, free, demand)
        if not good:
            continue
        _put(vm, first, second, pm, numa, free, parts, at, demand, group_ptr, group, domain, count)
        if other >= 0:
            _put(
                other, old_first, -1, source, numa, free, parts, at, demand, group_ptr, group,
                domain, count,
            )  # fmt: skip
        after = _worth(source, free, numa_ptr, active, size, worth, share, share_worth)
        if pm != source:
            after += _worth(pm, free, numa_ptr, active, size, worth, share, share_worth)
        loss = np.float64(before - after) + heat[1] * np.float64(away - control[2])
        if loss > 0.0:
            chance = np.float64(_draw(control) & 0xFFFFFFFF) / 4294967296.0
            if chance >= np.exp(-loss / heat[0]):
                if other >= 0:
                    _put(
                        other, first, -1, pm, numa, free, parts, at, demand, group_ptr, group,
                        domain, count,
                    )  # fmt: skip
                _put(
                    vm, old_first, old_second, source, numa, free, parts, at, demand, group_ptr,
                    group, domain, count,
                )  # fmt: skip
                continue
        control[3] += after - before
        control[2] = away
        if away <= control[1] and (
            control[3] > control[4] or (control[3] == control[4] and away < control[5])
        ):
            control[4], control[5] = control[3], away
            best[:] = numa
