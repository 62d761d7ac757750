"""Trajectories of two small networks over single migrations, in one kernel; see ``score``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numba import types

from cpsched import draws
from cpsched.kernels import kernel, part
from cpsched.vms.score_features import (
    APART,
    CLASSES,
    COME_FEATURES,
    DEMAND,
    F8,
    F8S,
    FIRST,
    FLOAT,
    I8,
    I8S,
    INT,
    KIND,
    LEAVE_FEATURES,
    MAY,
    MOST,
    NEVER,
    PARTS,
    PLACE,
    PM,
    SECOND,
    SLOT,
    VOID,
    WORTH,
    Floats,
    Int,
    Longs,
    describe,
    size_class,
    worth_of,
)

if TYPE_CHECKING:
    from cpsched.draws import Words

#: Scores below it are none.
_POSSIBLE = -1e17


@part(FLOAT(F8, INT, F8, INT, INT))
def rate(x: Floats, count: Int, weights: Floats, at: Int, width: Int) -> Int:
    """Output of the network of one hidden layer whose weights begin at *at*."""
    bias = at + count * width
    found = 0.0
    for h in range(width):
        value = weights[bias + h]
        for f in range(count):
            value += x[f] * weights[at + h * count + f]
        found += np.tanh(value) * weights[bias + width + h]
    return found


@part(VOID(INT, I8S, I8S, I8S, I8, I8, I8S, I8S, I8S, I8S, I8S, I8S, F8, INT, F8, F8S, F8S))
def refresh(
    pm: Int,
    free: Longs,
    capacity: Longs,
    numas: Longs,
    numa_ptr: Longs,
    place_ptr: Longs,
    places: Longs,
    kinds: Longs,
    is_open: Longs,
    inside: Longs,
    counts: Longs,
    fragments: Longs,
    weights: Floats,
    width: Int,
    x: Floats,
    leave: Floats,
    come: Floats,
) -> None:
    """Scores of leaving and of coming to the places of *pm*, shapes (kinds, places)."""
    now = worth_of(pm, free, numas, numa_ptr, fragments)
    unit = 1.0 / fragments[0, WORTH]
    second = LEAVE_FEATURES * width + 2 * width
    for place in range(place_ptr[pm], place_ptr[pm + 1]):
        two = 1 if places[place, SECOND] >= 0 else 0
        for kind in range(len(kinds)):
            leave[kind, place] = NEVER
            come[kind, place] = NEVER
            if kinds[kind, PARTS] != two + 1:
                continue
            here = inside[kind, places[place, FIRST]] > 0
            fits = is_open[kind, place] != 0
            for side in range(two + 1):
                n = places[place, side]
                for r in range(free.shape[1]):
                    asked = kinds[kind, DEMAND + r]
                    fits &= asked == 0 or asked <= free[n, r]
            for sign in (1, -1):
                if not (here if sign > 0 else fits):
                    continue
                for side in range(two + 1):
                    free[places[place, side], 0] += sign * kinds[kind, DEMAND]
                change = worth_of(pm, free, numas, numa_ptr, fragments) - now
                for side in range(two + 1):
                    free[places[place, side], 0] -= sign * kinds[kind, DEMAND]
                score = 0.0
                for side in range(two + 1):
                    describe(
                        places[place, side],
                        kind,
                        two,
                        change,
                        sign,
                        free,
                        capacity,
                        numas,
                        kinds,
                        inside,
                        counts,
                        x,
                    )
                    x[3] *= unit
                    if sign > 0:
                        score += rate(x, LEAVE_FEATURES, weights, 0, width)
                    else:
                        score += rate(x, COME_FEATURES, weights, second, width)
                if sign > 0:
                    leave[kind, place] = score
                else:
                    come[kind, place] = score


@part(FLOAT(FLOAT, types.uint64[::1]))
def noise(temperature: float, rng: Words) -> Any:
    """A Gumbel number times *temperature*: the largest sum with it is a draw by softmax."""
    if temperature <= 0:
        return 0.0
    return -temperature * np.log(-np.log(draws.positive(rng) * (1 - 1e-12)))


@part(VOID(INT, I8S, I8, I8, I8, I8, I8S, I8S, I8S, I8S, I8))
def bar(
    vm: Int,
    vms: Longs,
    partner_ptr: Longs,
    partners: Longs,
    group_ptr: Longs,
    groups_of: Longs,
    groups: Longs,
    domains: Longs,
    members: Longs,
    places: Longs,
    barred: Longs,
) -> None:
    """Mark with 1 the PMs to which rules between VMs keep *vm* from coming; others with 0."""
    barred[:] = 0
    own = places[vms[PLACE, vm], PM]
    for k in range(partner_ptr[vm], partner_ptr[vm + 1]):
        barred[places[vms[PLACE, partners[k]], PM]] = 1
    for k in range(group_ptr[vm], group_ptr[vm + 1]):
        group = groups_of[k]
        total = 0
        for domain in range(members.shape[1]):
            total += members[group, domain]
        for pm in range(len(barred)):
            domain = domains[group, pm]
            if domain == domains[group, own]:
                continue
            if groups[group, APART] != 0:
                if members[group, domain] >= groups[group, MOST]:
                    barred[pm] = 1
            elif members[group, domain] < total - 1:
                barred[pm] = 1


@kernel(
    INT(
        *(I8S, I8S, I8S, I8, I8S, I8, I8S, I8S, I8S, I8, I8, I8, I8, I8S, I8S, I8S),
        *(F8, INT, INT, FLOAT, types.uint64[::1], I8S, I8, I8),
    )
)
def trajectory(
    free: Longs,
    capacity: Longs,
    numas: Longs,
    numa_ptr: Longs,
    places: Longs,
    place_ptr: Longs,
    kinds: Longs,
    is_open: Longs,
    vms: Longs,
    partner_ptr: Longs,
    partners: Longs,
    group_ptr: Longs,
    groups_of: Longs,
    groups: Longs,
    domains: Longs,
    fragments: Longs,
    weights: Floats,
    width: Int,
    limit: Int,
    temperature: float,
    rng: Words,
    plan: Longs,
    worth: Longs,
    halt: Longs,
) -> Int:
    """One migration after another, each the one with the highest score; returns how many.

    Parameters
    ----------
    free, vms
        The state, changed in place; see ``score.Moves`` for these and the others.
    weights, width
        Of the two networks, of leaving and of coming, one hidden layer each.
    limit
        Most migrations.
    temperature, rng
        Of the draws, 0 for the highest score; state of the generator, shape (1,).
    plan
        Shape (at least limit, 2): filled with VM and place of each migration.
    worth
        Shape (at least limit + 1,): filled with the worth of all slots before each migration and
        after the last.
    halt
        Shape (1,): anything but 0 ends the call with what has been done so far.
    """
    num_kinds, num_places, num_pms = len(kinds), len(places), len(numa_ptr) - 1
    num_vms = vms.shape[1]
    leave = np.full((num_kinds, num_places), NEVER)
    come = np.full((num_kinds, num_places), NEVER)
    inside = np.zeros((num_kinds, len(numas)), np.int64)
    counts = np.zeros((len(numas), CLASSES), np.int64)
    most_domains = 1
    if len(groups) > 0:
        most_domains = domains.max() + 1
    members = np.zeros((len(groups), most_domains), np.int64)
    for vm in range(num_vms):
        place = vms[PLACE, vm]
        for side in range(2):
            n = places[place, side]
            if n >= 0 and vms[MAY, vm] > 0:
                inside[vms[KIND, vm], n] += 1
                counts[n, size_class(kinds[vms[KIND, vm], DEMAND], numas[n, SLOT])] += 1
        for k in range(group_ptr[vm], group_ptr[vm + 1]):
            members[groups_of[k], domains[groups_of[k], places[place, PM]]] += 1
    x = np.zeros(max(LEAVE_FEATURES, COME_FEATURES))
    barred = np.zeros(num_pms, np.int64)
    is_dirty = np.ones(num_pms, np.int64)
    total = 0
    for pm in range(num_pms):
        total += worth_of(pm, free, numas, numa_ptr, fragments)
    worth[0] = total
    done = 0
    while done < limit and halt[0] == 0:
        for pm in range(num_pms):
            if is_dirty[pm] == 0:
                continue
            is_dirty[pm] = 0
            refresh(
                pm,
                free,
                capacity,
                numas,
                numa_ptr,
                place_ptr,
                places,
                kinds,
                is_open,
                inside,
                counts,
                fragments,
                weights,
                width,
                x,
                leave,
                come,
            )
        mover = -1
        target = -1
        while mover < 0:
            # The kind and the place that it leaves, by both scores.
            best = _POSSIBLE
            kind = -1
            source = -1
            for k in range(num_kinds):
                while True:
                    top = _POSSIBLE
                    at = -1
                    for place in range(num_places):
                        if leave[k, place] > _POSSIBLE:
                            value = leave[k, place] + noise(temperature, rng)
                            if value > top:
                                top = value
                                at = place
                    if at < 0:
                        break
                    reach = _POSSIBLE
                    for place in range(num_places):
                        if come[k, place] > reach and places[place, PM] != places[at, PM]:
                            reach = come[k, place]
                    if reach > _POSSIBLE:
                        if top + reach > best:
                            best = top + reach
                            kind = k
                            source = at
                        break
                    # No place on another PM: not from here, until something has moved.
                    leave[k, at] = NEVER
                    is_dirty[places[at, PM]] = 1
            if kind < 0:
                return done
            # A VM of that kind there, and where it goes.
            for vm in range(num_vms):
                if vms[KIND, vm] != kind or vms[PLACE, vm] != source or vms[MAY, vm] == 0:
                    continue
                bar(
                    vm,
                    vms,
                    partner_ptr,
                    partners,
                    group_ptr,
                    groups_of,
                    groups,
                    domains,
                    members,
                    places,
                    barred,
                )
                top = _POSSIBLE
                for place in range(num_places):
                    pm = places[place, PM]
                    if pm == places[source, PM] or barred[pm] != 0:
                        continue
                    if come[kind, place] > _POSSIBLE:
                        value = come[kind, place] + noise(temperature, rng)
                        if value > top:
                            top = value
                            target = place
                if target >= 0:
                    mover = vm
                    break
            if mover < 0:
                # Rules keep all of them from going anywhere, until something has moved.
                leave[kind, source] = NEVER
                is_dirty[places[source, PM]] = 1
        for sign in (1, -1):
            place = source if sign > 0 else target
            pm = places[place, PM]
            total -= worth_of(pm, free, numas, numa_ptr, fragments)
            for side in range(2):
                n = places[place, side]
                if n < 0:
                    continue
                for r in range(free.shape[1]):
                    free[n, r] += sign * kinds[kind, DEMAND + r]
                if sign > 0 or vms[MAY, mover] > 1:
                    inside[kind, n] -= sign
                    counts[n, size_class(kinds[kind, DEMAND], numas[n, SLOT])] -= sign
            total += worth_of(pm, free, numas, numa_ptr, fragments)
            for k in range(group_ptr[mover], group_ptr[mover + 1]):
                members[groups_of[k], domains[groups_of[k], pm]] -= sign
            is_dirty[pm] = 1
        vms[PLACE, mover] = target
        vms[MAY, mover] -= 1
        plan[done, 0] = mover
        plan[done, 1] = target
        done += 1
        worth[done] = total
    return done
