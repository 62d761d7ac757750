"""Ruin and recreate over contents of bins: good solutions of a packing in milliseconds.

A few bins are emptied, in part or whole, and filled again with what is left over, most important
items first; worse results are taken now and then (simulated annealing). After Christiaens and
Vanden Berghe, Slack Induction by String Removals, Transportation Science 54(2), 2020, reduced to
bins. It works on counts by type, so that interchangeable items are never told apart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from numba import types

from cpsched.kernels import kernel

if TYPE_CHECKING:
    from cpsched.columns.packing import LongArray

INT = types.int64
FLOAT = types.float64
I8 = types.int64[::1]
I8X2 = types.int64[:, ::1]
F8 = types.float64[::1]
U1X2 = types.uint8[:, ::1]
U8 = types.uint64[::1]

#: Most bins that one ruin takes.
_MOST_BINS = 4


@kernel(
    INT(
        I8X2,
        I8X2,
        I8X2,
        I8X2,
        U1X2,
        I8,
        I8,
        I8,
        I8,
        I8,
        I8X2,
        I8,
        F8,
        I8X2,
        I8,
        U8,
        I8,
        INT,
        FLOAT,
        FLOAT,
        FLOAT,
    )
)
def ruin_and_recreate(
    weight: LongArray,
    capacity: LongArray,
    limit: LongArray,
    home: LongArray,
    conflict: npt.NDArray[np.uint8],
    count: LongArray,
    running: LongArray,
    tier: LongArray,
    move: LongArray,
    evict: LongArray,
    quota_member: LongArray,
    quota_allowed: LongArray,
    tier_weight: npt.NDArray[np.float64],
    contents: LongArray,
    best_digits: LongArray,
    random: npt.NDArray[np.uint64],
    halt: LongArray,
    iterations: int,
    hot: float,
    cold: float,
    disruption: float,
) -> int:
    """Improve *contents* in place; return how often the best was replaced.

    weight (types, resources); capacity (bins, resources); limit, home, contents (bins, types);
    count, running, tier, move, evict (types,): tier 0 is the most important; quota_member
    (quotas, types), quota_allowed (quotas,); tier_weight (tiers,): cost of an item without a
    place; disruption: weight of the cost of moves; best_digits (2 * tiers,): unplaced by tier,
    then disruption by tier, of the best so far: *contents* ends as the best. random, shape (1,):
    state of the generator. hot, cold: temperature at the begin and at the end.
    """
    bins, number = contents.shape
    resources = weight.shape[1]
    tiers = len(tier_weight)
    quotas = len(quota_allowed)
    share = np.zeros((bins, resources))
    for b in range(bins):
        for r in range(resources):
            if capacity[b, r] > 0:
                share[b, r] = 1.0 / capacity[b, r]
    size = np.zeros(number)
    for i in range(number):
        for r in range(resources):
            top = 1
            for b in range(bins):
                if capacity[b, r] > top:
                    top = capacity[b, r]
            size[i] += weight[i, r] / top
    free = capacity.copy()
    placed = np.zeros(number, np.int64)
    stays = np.zeros(number, np.int64)
    for b in range(bins):
        for i in range(number):
            if contents[b, i] > 0:
                placed[i] += contents[b, i]
                stays[i] += min(contents[b, i], home[b, i])
                for r in range(resources):
                    free[b, r] -= contents[b, i] * weight[i, r]
    best = contents.copy()
    saved = np.zeros((_MOST_BINS, number), np.int64)
    saved_free = np.zeros((_MOST_BINS, resources), np.int64)
    saved_placed = np.zeros(number, np.int64)
    saved_stays = np.zeros(number, np.int64)
    chosen = np.zeros(_MOST_BINS, np.int64)
    touched = np.zeros(2 * bins + 8, np.int64)
    others_row = np.zeros((16, number), np.int64)
    pool = np.zeros(number, np.int64)
    key = np.zeros(number)
    digits = np.zeros(2 * tiers, np.int64)
    state = random[0]
    improved = 0
    current = 0.0
    first = True
    log_ratio = np.log(cold / hot) if hot > 0.0 and cold > 0.0 else 0.0
    for step in range(iterations + 1):
        if step & 63 == 0 and halt[0] != 0:
            break
        extra = 0
        if step > 0:
            # -- ruin
            state ^= state << np.uint64(13)
            state ^= state >> np.uint64(7)
            state ^= state << np.uint64(17)
            draw = state
            most = min(bins, 1 + np.int64(draw % np.uint64(_MOST_BINS)))
            draw //= np.uint64(_MOST_BINS)
            if bins > 1 and most == 1 and draw & np.uint64(3) != np.uint64(0):
                most = 2
            draw >>= np.uint64(2)
            for q in range(most):
                state ^= state << np.uint64(13)
                state ^= state >> np.uint64(7)
                state ^= state << np.uint64(17)
                pick = np.int64((state >> np.uint64(11)) % np.uint64(bins))
                again = True
                while again:
                    again = False
                    for p in range(q):
                        if chosen[p] == pick:
                            again = True
                    if again:
                        pick = (pick + 1) % bins
                chosen[q] = pick
            for i in range(number):
                saved_placed[i] = placed[i]
                saved_stays[i] = stays[i]
            whole = draw & np.uint64(1) != np.uint64(0)
            keep_home = draw & np.uint64(2) != np.uint64(0)
            for q in range(most):
                b = chosen[q]
                for r in range(resources):
                    saved_free[q, r] = free[b, r]
                for i in range(number):
                    held = contents[b, i]
                    saved[q, i] = held
                    if held == 0:
                        continue
                    out = held + 0
                    if not whole:
                        state ^= state << np.uint64(13)
                        state ^= state >> np.uint64(7)
                        state ^= state << np.uint64(17)
                        out = np.int64((state >> np.uint64(11)) % np.uint64(held + 1))
                    elif keep_home:
                        out = max(0, held - home[b, i])
                    if out > 0:
                        stays[i] -= min(held, home[b, i]) - min(held - out, home[b, i])
                        contents[b, i] = held - out
                        placed[i] -= out
                        for r in range(resources):
                            free[b, r] += out * weight[i, r]
            # -- recreate: bins that take part are the ruined ones and a few others
            for q in range(most):
                touched[q] = chosen[q]
            while extra < 6 and most + extra < bins:
                state ^= state << np.uint64(13)
                state ^= state >> np.uint64(7)
                state ^= state << np.uint64(17)
                pick = np.int64((state >> np.uint64(11)) % np.uint64(bins))
                known = False
                for q in range(most + extra):
                    if touched[q] == pick:
                        known = True
                if known:
                    break
                touched[most + extra] = pick
                for i in range(number):
                    others_row[extra, i] = contents[pick, i]
                extra += 1
            state ^= state << np.uint64(13)
            state ^= state >> np.uint64(7)
            state ^= state << np.uint64(17)
            style = (state >> np.uint64(20)) % np.uint64(8)
            waiting = 0
            for i in range(number):
                if placed[i] < count[i]:
                    state ^= state << np.uint64(13)
                    state ^= state >> np.uint64(7)
                    state ^= state << np.uint64(17)
                    noise = np.float64(state >> np.uint64(40)) / 16777216.0
                    if style < 3:
                        value = -size[i] * (0.8 + 0.4 * noise)
                    elif style < 5:
                        value = size[i] * (0.8 + 0.4 * noise)
                    else:
                        value = noise
                    rank = np.float64(tier[i])
                    if style == 7:
                        rank = rank * 0.25
                    value += rank * 100.0
                    at = waiting
                    while at > 0 and key[at - 1] > value:
                        key[at] = key[at - 1]
                        pool[at] = pool[at - 1]
                        at -= 1
                    key[at] = value
                    pool[at] = i
                    waiting += 1
            for position in range(waiting):
                i = pool[position]
                while placed[i] < count[i]:
                    target = -1
                    least = 1e300
                    for q in range(most + extra):
                        b = touched[q]
                        if contents[b, i] >= limit[b, i] and contents[b, i] >= home[b, i]:
                            continue
                        left = 0.0
                        fits = True
                        for r in range(resources):
                            room = free[b, r] - weight[i, r]
                            if room < 0 and weight[i, r] > 0:
                                fits = False
                                break
                            left += room * share[b, r]
                        if not fits:
                            continue
                        for j in range(number):
                            if conflict[i, j] and contents[b, j] > 0:
                                fits = False
                                break
                        if not fits:
                            continue
                        state ^= state << np.uint64(13)
                        state ^= state >> np.uint64(7)
                        state ^= state << np.uint64(17)
                        if (state >> np.uint64(30)) % np.uint64(32) == np.uint64(0):
                            continue  # a blink
                        if contents[b, i] < home[b, i]:
                            left -= 10.0 * disruption
                        if left < least:
                            least = left
                            target = b
                    if target < 0:
                        break
                    if contents[target, i] < home[target, i]:
                        stays[i] += 1
                    contents[target, i] += 1
                    placed[i] += 1
                    for r in range(resources):
                        free[target, r] -= weight[i, r]
        else:
            most = 0
        # -- judge
        for t in range(2 * tiers):
            digits[t] = 0
        for i in range(number):
            digits[tier[i]] += count[i] - placed[i]
            kept = min(placed[i], running[i])
            digits[tiers + tier[i]] += move[i] * (kept - min(stays[i], kept))
            digits[tiers + tier[i]] += evict[i] * (running[i] - kept)
        cost = 0.0
        for t in range(tiers):
            cost += tier_weight[t] * digits[t]
            cost += disruption * tier_weight[t] / tier_weight[tiers - 1] * digits[tiers + t]
        allowed = True
        for k in range(quotas):
            gone = 0
            for i in range(number):
                if quota_member[k, i]:
                    gone += running[i] - min(stays[i], min(placed[i], running[i]))
            if gone > quota_allowed[k]:
                allowed = False
        accept = first
        if not first and allowed:
            temperature = hot * np.exp(log_ratio * step / iterations) if hot > 0.0 else 0.0
            state ^= state << np.uint64(13)
            state ^= state >> np.uint64(7)
            state ^= state << np.uint64(17)
            noise = (np.float64(state >> np.uint64(40)) + 1.0) / 16777217.0
            accept = cost <= current - temperature * np.log(noise)
        first = False
        if accept:
            current = cost
            better = False
            for t in range(2 * tiers):
                if digits[t] != best_digits[t]:
                    better = digits[t] < best_digits[t]
                    break
            if better:
                improved += 1
                for t in range(2 * tiers):
                    best_digits[t] = digits[t]
                for b in range(bins):
                    for i in range(number):
                        best[b, i] = contents[b, i]
        elif step > 0:
            for q in range(most):
                b = chosen[q]
                for r in range(resources):
                    free[b, r] = saved_free[q, r]
                for i in range(number):
                    contents[b, i] = saved[q, i]
            for q in range(extra):
                b = touched[most + q]
                for i in range(number):
                    gained = contents[b, i] - others_row[q, i]
                    if gained:
                        contents[b, i] = others_row[q, i]
                        for r in range(resources):
                            free[b, r] += gained * weight[i, r]
            for i in range(number):
                placed[i] = saved_placed[i]
                stays[i] = saved_stays[i]
    for b in range(bins):
        for i in range(number):
            contents[b, i] = best[b, i]
    random[0] = state
    return improved
