"""Frames: which of the decisions that could be taken are offered."""

from __future__ import annotations

import enum


class Frame(enum.StrEnum):
    """Which eligible decisions are legal; only starts are restricted, but for ``NEXT``.

    ``ALL``: every interval all of whose predecessors have started. ``ACTIVE``: the conflict set of
    Giffler & Thompson (1960): those on the resource of the earliest possible completion that could
    start before it. ``NONDELAY``: those that can start earliest. ``WAIT``: the same, or waiting
    for the next event (Tassel et al. 2023). ``NEXT``: the decisions of the first undecided task,
    in the model's order.
    """

    ALL = "all"
    ACTIVE = "active"
    NONDELAY = "nondelay"
    WAIT = "wait"
    NEXT = "next"
