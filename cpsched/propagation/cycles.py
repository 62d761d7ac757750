"""Precedences that run in a circle: they would push each other through all of the domains."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from cpsched.propagation.sections import Ints


def positive_cycle(precedence: Ints) -> int:
    """Index of a precedence x + c <= y on a cycle whose c sum to more than 0, -1 if there is none.

    Such precedences have no solution. Bounds propagation finds that only after as many rounds as
    the domains are wide; this by Bellman and Ford's algorithm on what lies on cycles at all.

    precedence: shape (n, 3), rows (x, c, y).
    """
    rows = np.arange(len(precedence))
    while len(rows):
        x, _, y = precedence[rows].T
        # What nothing comes before, or after, is on no cycle.
        inner = np.isin(x, y) & np.isin(y, x)
        if inner.all():
            break
        if np.count_nonzero(inner) > 0.9 * len(rows):
            # Long chains would be peeled one by one.
            rows = rows[_on_cycles(x, y)]
            break
        rows = rows[inner]
    if len(rows) == 0:
        return -1
    x, c, y = precedence[rows].T
    nodes, flat = np.unique(np.concatenate((x, y)), return_inverse=True)
    first, second = flat[: len(x)], flat[len(x) :]
    longest = np.zeros(len(nodes), np.int64)
    late = np.zeros(0, np.int64)
    for _ in range(len(nodes) + 1):
        reach = longest[first] + c
        late = np.flatnonzero(reach > longest[second])
        if len(late) == 0:
            return -1
        np.maximum.at(longest, second, reach)
    return int(rows[late[0]])


def _on_cycles(x: Ints, y: Ints) -> Ints:
    """Rows that peeling from both ends leaves, in one pass each."""
    keep = np.ones(len(x), np.bool_)
    for tail, head in ((x, y), (y, x)):
        size = int(max(x.max(), y.max())) + 1
        alive = np.flatnonzero(keep)
        degree = np.bincount(head[alive], minlength=size)
        order = alive[np.argsort(tail[alive], kind="stable")]
        begin = np.searchsorted(tail[order], np.arange(size + 1))
        targets = head[order].tolist()
        first = begin.tolist()
        waiting = np.flatnonzero(degree == 0).tolist()
        count = degree.tolist()
        while waiting:
            v = waiting.pop()
            for target in targets[first[v] : first[v + 1]]:
                count[target] -= 1
                if count[target] == 0:
                    waiting.append(target)
        keep &= np.array(count)[tail] > 0
    return np.flatnonzero(keep)
