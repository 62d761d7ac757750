"""Ruin and recreate on a placement of pods, in one numba kernel.

An iteration clears two to four nodes in whole or in part, inserts what came out, and some of the
pods without a place, in a random order (priority and size first), and keeps the outcome by
simulated annealing (after Christiaens & Vanden Berghe 2020, "Slack induction by string removals").
"""

from __future__ import annotations

import numpy as np
from numba import types

from cpsched.draws import U8, below, uniform
from cpsched.kernels import kernel
from cpsched.pods.shifts import (
    B1,
    F8,
    I4,
    I8,
    Array,
    B1x2,
    I8x2,
    Number,
    fits,
    price,
    put,
    room,
    take,
)

#: Slots of ``control``: iterations to do, done, pods tried in each, best found at, pods return.
LIMIT, ITERATION, SAMPLE, IMPROVED_AT, HOMING = range(5)
#: Slots of ``heat``: temperature, weight of concentrated room, preference for a pod's own node.
TEMPERATURE, ROOM, HOME = range(3)
#: Up to so many nodes, all of them are asked for room; beyond, a sample.
_ALL_NODES = 48
_NODE_SAMPLE = 16
_HUGE = np.int64(2**62)


@kernel(
    types.void(
        *(I4, I4, I4, I8x2, I8x2, B1x2, B1x2, I4, B1, I4, I4, I4, I4, I4, I8),
        *(I8, I4, I8, I8, F8, F8, F8, F8, I8, I8, I8, F8, U8, I8),
    )
)
def ruin_recreate(
    home: Array,
    node: Array,
    best_node: Array,
    request: Array,
    free: Array,
    over: Array,
    allowed: Array,
    profile: Array,
    mobile: Array,
    mate: Array,
    rule_start: Array,
    rule: Array,
    side: Array,
    budget: Array,
    used: Array,
    quota: Array,
    tier: Array,
    evict_cost: Array,
    move_cost: Array,
    absent_price: Array,
    evict_price: Array,
    move_price: Array,
    scale: Array,
    value: Array,
    best_value: Array,
    control: Array,
    heat: Array,
    rng: Array,
    halt: Array,
) -> None:
    """Run ``control[LIMIT]`` iterations from *node*, unless *halt* turns non-zero.

    Parameters
    ----------
    home, node, best_node
        Shape (P,): node of each pod now, in the search, in the best placement of the search.
    request, free, over
        Shape (P, R), (N, R), (N, R): *over*: only what runs there may come back with a request.
    allowed, profile, mobile
        Shape (profiles, N), (P,), (P,): where pods may come, which pods the search may touch.
    mate
        Shape (P,): next pod of a ring of interchangeable pods.
    rule_start, rule, side
        Conflicts within a node, of pod p from rule_start[p] on; side 1 holder, 2 target, 3 both.
    budget, used, quota
        Shape (P,), (B,), (B,): budget of each pod or -1; disruptions so far, and allowed.
    tier, evict_cost, move_cost
        Shape (P,): tier (0 the highest) and what the disruption stage counts.
    absent_price, evict_price, move_price
        Shape (P,): what the annealing counts, the lowest tier's pod being worth 1.
    scale
        Shape (R,): makes free amounts comparable.
    value, best_value
        Shape (2 tiers,): unplaced, then disruption, of *node* and *best_node*.
    control, heat, rng, halt
        See the slot names; state of the generator, shape (1,); halt shape (1,).
    """
    pods = len(home)
    nodes = len(free)
    tiers = len(value) // 2
    width = request.shape[1]
    first = np.full(nodes, -1, np.int32)
    after = np.full(pods, -1, np.int32)
    before = np.full(pods, -1, np.int32)
    absent = np.empty(pods, np.int32)
    place = np.full(pods, -1, np.int32)
    count = 0
    astray = np.empty(pods, np.int32)
    astray_place = np.full(pods, -1, np.int32)
    strays = 0
    size = np.zeros(pods, np.float64)
    for p in range(pods):
        for r in range(width):
            size[p] += request[p, r] * scale[r]
        n: Number = node[p]
        if n >= 0:
            after[p] = first[n]
            if first[n] >= 0:
                before[first[n]] = p
            first[n] = p
        elif mobile[p]:
            place[p] = count
            absent[count] = p
            count += 1
        if mobile[p] and home[p] >= 0 and n != home[p]:
            astray_place[p] = strays
            astray[strays] = p
            strays += 1
    touched = np.empty(pods, np.int32)
    origin = np.empty(pods, np.int32)
    stamp = np.full(pods, -1, np.int64)
    node_stamp = np.full(nodes, -1, np.int64)
    cleared = np.empty(nodes, np.int32)
    room_before = np.empty(nodes, np.float64)
    queue = np.empty(pods, np.int32)
    key = np.empty(pods, np.float64)
    change = np.zeros(2 * tiers, np.int64)
    least = np.empty(width, np.int64)
    probe = np.empty(nodes + _NODE_SAMPLE, np.int32)
    homing = control[HOMING] != 0
    for iteration in range(control[LIMIT]):
        if halt[0] != 0:
            break
        control[ITERATION] += 1
        moved = 0
        seen = 0
        waiting = 0
        focus: Number = -1
        if homing and strays > 0:
            focus = astray[below(rng, strays)]
        elif count > 0:
            focus = absent[below(rng, count)]
        # Nodes to clear: with much room, and allowed to the pod that the iteration is about.
        wanted = 1 + below(rng, 4)
        for k in range(wanted + 2):
            n = np.int64(-1)
            if k == 0 and homing and focus >= 0:
                n = np.int64(home[focus])
            elif k == 1 and homing and focus >= 0:
                n = np.int64(node[focus])
            else:
                most = -1.0
                for _ in range(1 + below(rng, 4)):
                    m = below(rng, nodes)
                    if focus >= 0 and not allowed[profile[focus], m]:
                        continue
                    here = room(free, scale, m)
                    if here > most:
                        most = here
                        n = m
            if n < 0 or node_stamp[n] == iteration or seen > wanted:
                continue
            node_stamp[n] = iteration
            cleared[seen] = n
            room_before[seen] = room(free, scale, n)
            seen += 1
        ruined = seen
        for k in range(ruined):
            share = 1.0 if below(rng, 2) == 0 else 0.2 + 0.6 * uniform(rng)
            p = first[cleared[k]]
            while p >= 0:
                q = after[p]
                if (
                    mobile[p]
                    and (share == 1.0 or p == focus or uniform(rng) < share)
                    and not (
                        budget[p] >= 0
                        and home[p] == node[p]
                        and used[budget[p]] >= quota[budget[p]]
                    )
                ):
                    stamp[p] = iteration
                    touched[moved] = p
                    origin[moved] = node[p]
                    moved += 1
                    take(p, node, home, first, after, before, request, free, budget, used)
                    queue[waiting] = p
                    waiting += 1
                p = q
        # Pods without a place that are tried: a window of the list.
        tries = min(count, control[SAMPLE])
        begin = below(rng, count) if count > tries else 0
        for k in range(tries):
            p = absent[(begin + k) % count]
            stamp[p] = iteration
            touched[moved] = p
            origin[moved] = -1
            moved += 1
            queue[waiting] = p
            waiting += 1
        if waiting == 0:
            continue
        draw = below(rng, 4)
        by_tier = 0.0 if draw == 0 else (0.3 if draw == 1 else 100.0)
        noise = uniform(rng)
        for k in range(waiting):
            p = queue[k]
            key[k] = tier[p] * by_tier - size[p] * (1.0 + noise * (uniform(rng) - 0.5) * 2.0)
            if homing and p == focus and draw != 0:
                key[k] -= 1e6
        # Insertion sort: a few dozen entries, no allocation.
        for k in range(1, waiting):
            p = queue[k]
            rank = key[k]
            j = k
            while j > 0 and key[j - 1] > rank:
                key[j] = key[j - 1]
                queue[j] = queue[j - 1]
                j -= 1
            key[j] = rank
            queue[j] = p
        # Only nodes with room for the least request in every resource are worth a question.
        least[:] = _HUGE
        for k in range(waiting):
            for r in range(width):
                least[r] = min(least[r], request[queue[k], r])
        probes = 0
        for k in range(nodes if nodes <= _ALL_NODES else ruined + _NODE_SAMPLE):
            n = k
            if nodes > _ALL_NODES:
                n = cleared[k] if k < ruined else below(rng, nodes)
            roomy = True
            for r in range(width):
                if least[r] > free[n, r] and least[r] > 0:
                    roomy = False
            if roomy:
                probe[probes] = n
                probes += 1
        for index in range(waiting):
            p = queue[index]
            if node[p] >= 0:
                continue
            # The node that p fills best, or its own.
            target = -1
            score = 1e300
            for k in range(probes + 1):
                # Its own node is asked in any case.
                n = probe[k] if k < probes else home[p]
                if n < 0:
                    continue
                if not fits(
                    p, n, node, home, first, after, request, free, over, allowed, profile,
                    rule_start, rule, side,
                ):  # fmt: skip
                    continue
                left = 0.0
                for r in range(width):
                    gap = max(free[n, r] - request[p, r], 0) * scale[r]
                    left += gap
                if n == home[p]:
                    left -= heat[HOME]
                if left < score:
                    score = left
                    target = n
            if target < 0:
                continue
            # Of interchangeable pods the one that belongs there, else one that runs.
            chosen = p
            if home[p] != target and mate[p] != p:
                q = mate[p]
                for _ in range(16):
                    if q == p:
                        break
                    if home[q] == target and node[q] != target:
                        chosen = q
                        break
                    if home[q] >= 0 and home[chosen] < 0 and node[q] < 0:
                        chosen = q
                    q = mate[q]
            if stamp[chosen] != iteration:
                stamp[chosen] = iteration
                touched[moved] = chosen
                origin[moved] = node[chosen]
                moved += 1
            if node_stamp[target] != iteration:
                node_stamp[target] = iteration
                cleared[seen] = target
                room_before[seen] = room(free, scale, target)
                seen += 1
            swap = node[chosen]
            if swap >= 0:
                take(chosen, node, home, first, after, before, request, free, budget, used)
            put(chosen, target, node, home, first, after, before, request, free, budget, used)
            if swap >= 0:
                put(p, swap, node, home, first, after, before, request, free, budget, used)
            elif (
                chosen != p
                and home[p] >= 0
                and fits(
                    p, home[p], node, home, first, after, request, free, over, allowed, profile,
                    rule_start, rule, side,
                )
            ):  # fmt: skip
                # Its mate took its turn, but there is room at home.
                n = home[p]
                if node_stamp[n] != iteration:
                    node_stamp[n] = iteration
                    cleared[seen] = n
                    room_before[seen] = room(free, scale, n)
                    seen += 1
                put(p, n, node, home, first, after, before, request, free, budget, used)
        # The whole change, and whether it is kept.
        delta = 0.0
        change[:] = 0
        for k in range(moved):
            p = touched[k]
            was = origin[k]
            now = node[p]
            if was == now:
                continue
            delta += price(p, now, home, absent_price, evict_price, move_price)
            delta -= price(p, was, home, absent_price, evict_price, move_price)
            t = tier[p]
            change[t] += (1 if now < 0 else 0) - (1 if was < 0 else 0)
            if home[p] >= 0:
                change[tiers + t] += (
                    evict_cost[p] if now < 0 else (0 if now == home[p] else move_cost[p])
                )
                change[tiers + t] -= (
                    evict_cost[p] if was < 0 else (0 if was == home[p] else move_cost[p])
                )
        for k in range(seen):
            here = room(free, scale, cleared[k])
            delta -= heat[ROOM] * (here * here - room_before[k] * room_before[k])
        if delta <= 0.0 or uniform(rng) < np.exp(-delta / heat[TEMPERATURE]):
            for k in range(moved):
                p = touched[k]
                if node[p] < 0 and place[p] < 0:
                    place[p] = count
                    absent[count] = p
                    count += 1
                elif node[p] >= 0 and place[p] >= 0:
                    count -= 1
                    last = absent[count]
                    absent[place[p]] = last
                    place[last] = place[p]
                    place[p] = -1
                stray = home[p] >= 0 and node[p] != home[p]
                if stray and astray_place[p] < 0:
                    astray_place[p] = strays
                    astray[strays] = p
                    strays += 1
                elif not stray and astray_place[p] >= 0:
                    strays -= 1
                    last = astray[strays]
                    astray[astray_place[p]] = last
                    astray_place[last] = astray_place[p]
                    astray_place[p] = -1
            better = 0
            for t in range(2 * tiers):
                value[t] += change[t]
                if better == 0 and value[t] != best_value[t]:
                    better = 1 if value[t] < best_value[t] else -1
            if better == 1:
                best_value[:] = value
                best_node[:] = node
                control[IMPROVED_AT] = control[ITERATION]
        else:
            for k in range(moved):
                p = touched[k]
                if node[p] >= 0 and node[p] != origin[k]:
                    take(p, node, home, first, after, before, request, free, budget, used)
            for k in range(moved):
                p = touched[k]
                if node[p] < 0 and origin[k] >= 0:
                    put(
                        p, origin[k], node, home, first, after, before, request, free, budget, used
                    )
