"""Which rules over sets of intervals a no-overlap applies beyond pairs."""

from __future__ import annotations

import enum


class DisjunctiveRule(enum.Flag):
    """Rules that tighten the windows of the intervals of one machine (Vilím 2007).

    Their bits are those that ``disjunctive.filter_disjunctive`` takes.
    """

    NONE = 0
    DETECTABLE_PRECEDENCES = 1
    NOT_FIRST_NOT_LAST = 2
    EDGE_FINDING = 4
    ALL = 7
