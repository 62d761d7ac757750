"""Pods placed one by one by a small network, in one kernel; see ``score``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt
from numba import types

from cpsched import draws
from cpsched.kernels import kernel, part

if TYPE_CHECKING:
    from cpsched.draws import Words

Longs = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
#: A number inside a kernel: its width is in the signature, beyond what mypy can follow.
Int: TypeAlias = Any

NUM_FEATURES = 14

INT, FLOAT, VOID = types.int64, types.float64, types.void
I8, I8S = types.int64[::1], types.int64[:, ::1]
F8, F8S = types.float64[::1], types.float64[:, ::1]


@part(VOID(INT, INT, I8S, I8S, I8S, I8, F8, F8, FLOAT, F8))
def describe(
    pod: Int,
    node: Int,
    request: Longs,
    allocatable: Longs,
    free: Longs,
    now: Longs,
    demand: Floats,
    room: Floats,
    progress: float,
    x: Floats,
) -> None:
    """Features of *pod* on *node*, where it fits.

    Amounts are shares of the node's resource; those that a node does not have are left out.
    demand, room: shape (resources,), what pods still ask for and what nodes have left.
    """
    count = 0
    least, most, mean = 1.0, 0.0, 0.0
    before_least, before_most, before_mean = 1.0, 0.0, 0.0
    asked_most, asked_mean = 0.0, 0.0
    press_least, press_most = 1e9, 0.0
    for r in range(request.shape[1]):
        if allocatable[node, r] <= 0 or demand[r] <= 0:
            continue
        count += 1
        share = 1.0 / allocatable[node, r]
        asked = request[pod, r] * share
        before = free[node, r] * share
        left = before - asked
        least, most = min(least, left), max(most, left)
        before_least, before_most = min(before_least, before), max(before_most, before)
        mean += left
        before_mean += before
        asked_most = max(asked_most, asked)
        asked_mean += asked
        press = min(4.0, demand[r] / max(1.0, room[r]))
        press_least, press_most = min(press_least, press), max(press_most, press)
    count = max(1, count)
    mean /= count
    before_mean /= count
    asked_mean /= count
    match = 0.0
    for r in range(request.shape[1]):
        if allocatable[node, r] <= 0 or demand[r] <= 0:
            continue
        share = 1.0 / allocatable[node, r]
        match += (request[pod, r] * share - asked_mean) * (free[node, r] * share - before_mean)
    x[0], x[1], x[2] = least, most, mean
    x[3], x[4] = most - least, before_most - before_least
    x[5], x[6] = asked_most, asked_mean
    x[7] = 1.0 if now[pod] == node else 0.0
    x[8] = 1.0 if now[pod] >= 0 else 0.0
    x[9], x[10] = press_most, min(press_least, 4.0)
    x[11] = progress
    x[12] = 10.0 * match
    x[13] = before_mean


@part(FLOAT(F8, F8, INT))
def rate(x: Floats, weights: Floats, width: Int) -> Int:
    """Output of the network of one hidden layer."""
    bias = NUM_FEATURES * width
    found = 0.0
    for h in range(width):
        value = weights[bias + h]
        for f in range(NUM_FEATURES):
            value += x[f] * weights[h * NUM_FEATURES + f]
        found += np.tanh(value) * weights[bias + width + h]
    return found


@kernel(
    INT(I8, I8S, I8S, I8S, I8, I8, I8S, F8, INT, FLOAT, types.uint64[::1], I8, I8),
)
def place(
    order: Longs,
    request: Longs,
    allocatable: Longs,
    free: Longs,
    now: Longs,
    profile: Longs,
    allowed: Longs,
    weights: Floats,
    width: Int,
    temperature: float,
    rng: Words,
    node: Longs,
    halt: Longs,
) -> Int:
    """Place the pods of *order* one by one; returns how many found no node, -1 if halted.

    Parameters
    ----------
    order
        Pods, the first to be placed first.
    request, allocatable, free
        Shapes (pods or nodes, resources); *free*, without these pods, is changed in place.
    now
        Shape (pods,): node that each runs on, -1 for none.
    profile, allowed
        As in ``Cluster``; a pod may stay where it runs.
    weights, width
        Of the network, see ``score.shapes``.
    temperature, rng
        Of the draws, 0 for the highest score; state of the generator, shape (1,).
    node
        Shape (pods,): filled for the pods of *order*, -1 for none.
    halt
        Shape (1,): anything but 0 ends the call soon.
    """
    resources = request.shape[1]
    demand = np.zeros(resources)
    room = np.zeros(resources)
    for r in range(resources):
        for pod in order:
            demand[r] += request[pod, r]
        for n in range(len(free)):
            room[r] += max(0, free[n, r])
    x = np.zeros(NUM_FEATURES)
    missed = 0
    for k in range(len(order)):
        if halt[0] != 0:
            return -1
        pod = order[k]
        best = -1e300
        chosen = -1
        for n in range(len(free)):
            if allowed[profile[pod], n] == 0 and now[pod] != n:
                continue
            fits = True
            for r in range(resources):
                if request[pod, r] > 0 and request[pod, r] > free[n, r]:
                    fits = False
            if not fits:
                continue
            describe(pod, n, request, allocatable, free, now, demand, room, k / len(order), x)
            score = rate(x, weights, width)
            if temperature > 0:
                score -= temperature * np.log(-np.log(draws.positive(rng) * (1 - 1e-12)))
            if score > best:
                best = score
                chosen = n
        node[pod] = chosen
        missed += 1 if chosen < 0 else 0
        for r in range(resources):
            demand[r] -= request[pod, r]
            if chosen >= 0:
                free[chosen, r] -= request[pod, r]
                room[r] -= request[pod, r]
    return missed
