"""What a pointer sees: the legal decisions of a batch of states, each with a few numbers.

The graph of an instance does not change during an episode, and an encoder looks at it once. What
changes is read here, for the legal decisions only: their own features of the observation, those
of the constraints they are in, and of the decision that comes next. Nothing is known of the
family: the same code reads a job shop, a flexible one, and pods.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from cpsched.construct.root import Root

Floats = npt.NDArray[np.float32]
Longs = npt.NDArray[np.int64]

#: Constraints of a decision that are looked at, those of the largest weight first.
CONSTRAINTS = 2
#: Version of the features: another one when a number changes its meaning.
FEATURES = 1
#: Features of a candidate that every formulation has; its own columns follow.
COMMON = 27
CONTEXT = 3
#: Columns of a decision's features in the observation; see ``construct.observe``.
_START, _LATEST, _SIZE, _TAIL, _DONE, _FIXED = 1, 2, 3, 4, 5, 8


@dataclass(frozen=True, eq=False)
class Map:
    """What never changes of an instance, by decision.

    decision, constraint: features at the root. following: shape (decisions,), the first decision
    that comes after each, -1 for none. inside: shape (decisions, CONSTRAINTS), constraints it is
    in, -1 for none; weight: the share of each that it uses. precedence, membership, share: the
    edges and the weights of the memberships, without padding. unit, reach: mean size and mean
    tail of a decision, by which times are divided.
    """

    decision: Floats
    constraint: Floats
    following: Longs
    inside: Longs
    weight: Floats
    precedence: Longs
    membership: Longs
    share: Floats
    unit: float
    reach: float

    @classmethod
    def of(cls, root: Root) -> Map:
        """Map of *root*."""
        precedence = root.precedence[:, root.precedence[0] >= 0].astype(np.int64)
        kept = root.membership[0] >= 0
        membership = root.membership[:, kept].astype(np.int64)
        share = root.weight[: len(kept)][kept]
        count = len(root.decision)
        following = np.full(count, -1, np.int64)
        following[precedence[0, ::-1]] = precedence[1, ::-1]
        inside = np.full((count, CONSTRAINTS), -1, np.int64)
        weight = np.zeros((count, CONSTRAINTS), np.float32)
        # By decision, the largest share first: the rank within the decision is the column.
        order = np.lexsort((-share, membership[0]))
        owner = membership[0, order]
        first = np.searchsorted(owner, owner)
        rank = np.arange(len(owner)) - first
        low = rank < CONSTRAINTS
        inside[owner[low], rank[low]] = membership[1, order][low]
        weight[owner[low], rank[low]] = share[order][low]
        size, tail = np.abs(root.decision[:, _SIZE]), np.abs(root.decision[:, _TAIL])
        return cls(
            decision=root.decision,
            constraint=root.constraint,
            following=following,
            inside=inside,
            weight=weight,
            precedence=precedence,
            membership=membership,
            share=share,
            unit=float(size.mean()) or 1.0,
            reach=float(tail.mean()) or 1.0,
        )


@dataclass(frozen=True, eq=False)
class Candidates:
    """Legal decisions of some states.

    index: shape (rows, most legal decisions), -1 for padding; feature: shape (rows, most, COMMON
    + own columns); context: shape (rows, CONTEXT).
    """

    index: Longs
    feature: Floats
    context: Floats


class Reader:
    """Reads the candidates of rows whose instances have the *maps*.

    which: shape (rows,), number of each row's map; least: decisions that there is room for.
    """

    def __init__(self, maps: list[Map], which: Longs, least: int = 0) -> None:
        self.which = which
        most = max([len(one.decision) for one in maps] + [least])
        self.following = np.full((len(maps), most), -1, np.int64)
        self.inside = np.full((len(maps), most, CONSTRAINTS), -1, np.int64)
        self.weight = np.zeros((len(maps), most, CONSTRAINTS), np.float32)
        self.unit, self.reach, self.count = (np.zeros(len(maps), np.float32) for _ in range(3))
        for number, one in enumerate(maps):
            self.put(number, one)

    def put(self, number: int, one: Map) -> None:
        """Have another map in the place of map *number*."""
        count = len(one.decision)
        self.following[number] = self.inside[number] = -1
        self.following[number, :count] = one.following
        self.inside[number, :count] = one.inside
        self.weight[number, :count] = one.weight
        self.unit[number], self.reach[number], self.count[number] = one.unit, one.reach, count

    def read(self, decision: Floats, constraint: Floats, mask: npt.NDArray[np.int8]) -> Candidates:
        """Candidates of the rows of a batch.

        decision, constraint: features now, shapes (rows, decisions, own) and (rows, constraints,
        4); mask: shape (rows, decisions), 1 where legal.
        """
        row, chosen = np.nonzero(mask)
        rows = len(mask)
        count = np.bincount(row, minlength=rows)
        at = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
        most = max(1, int(count.max(initial=0)))
        which = self.which[row]
        unit, reach = self.unit[which], self.reach[which]
        own = decision[row, chosen]
        found = np.zeros((len(row), COMMON + own.shape[1] - _FIXED), np.float32)
        start = own[:, _START]
        now = np.full(rows, np.inf, np.float32)
        np.minimum.at(now, row, start)
        found[:, 0] = (start - now[row]) / unit
        found[:, 1] = own[:, _SIZE] / unit
        found[:, 2] = own[:, _TAIL] / reach
        found[:, 3] = (own[:, _LATEST] - start) / reach
        self._constraints(found, 4, row, which, chosen, constraint)
        following = self.following[which, chosen]
        there = following >= 0
        after = decision[row, np.maximum(following, 0)]
        end = start + own[:, _SIZE]
        found[:, 14] = there
        found[:, 15] = np.where(there, after[:, _SIZE] / unit, 0.0)
        found[:, 16] = np.where(there, (after[:, _START] - end) / unit, 0.0)
        self._constraints(found, 17, row, which, np.where(there, following, -1), constraint, 1)
        # Beside the others of the set.
        for column, source in ((22, 0), (23, 1), (24, 2)):
            total = np.bincount(row, found[:, source], minlength=rows)
            found[:, column] = found[:, source] - (total / np.maximum(1, count))[row]
        best = np.full(rows, -np.inf, np.float32)
        np.maximum.at(best, row, found[:, 2])
        found[:, 25] = best[row] - found[:, 2]
        end_of_set = np.full(rows, np.inf, np.float32)
        np.minimum.at(end_of_set, row, end)
        found[:, 26] = (end - end_of_set[row]) / unit
        found[:, COMMON:] = own[:, _FIXED:]
        index = np.full((rows, most), -1, np.int64)
        feature = np.zeros((rows, most, found.shape[1]), np.float32)
        index[row, at], feature[row, at] = chosen, found
        done = decision[:, :, _DONE].sum(axis=1) / self.count[self.which]
        context = np.stack((done, count / 10.0, np.sqrt(self.count[self.which]) / 20.0), axis=1)
        return Candidates(index, feature, context.astype(np.float32))

    def _constraints(
        self,
        found: Floats,
        column: int,
        row: Longs,
        which: Longs,
        chosen: Longs,
        constraint: Floats,
        most: int = CONSTRAINTS,
    ) -> None:
        """Five numbers of each of the first *most* constraints of *chosen*, -1 for none."""
        inside = self.inside[which, chosen]
        weight = self.weight[which, chosen]
        for k in range(most):
            there = (inside[:, k] >= 0) & (chosen >= 0)
            now = constraint[row, np.maximum(inside[:, k], 0)]
            share = weight[:, k]
            columns = (now[:, 1], now[:, 2], now[:, 3], share, 1 - now[:, 2] - share)
            for offset, values in enumerate(columns):
                found[:, column + 5 * k + offset] = np.where(there, values, 0.0)
