"""Lays out what was read of a model in the two flat arrays of ``layout``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cpsched.propagation import layout as at
from cpsched.propagation.network import Network
from cpsched.propagation.rules import DisjunctiveRule
from cpsched.propagation.sections import Ints, Sections, flat

if TYPE_CHECKING:
    from cpsched.propagation.collection import Collection, Term


class Assembly:
    """Puts a collection together, adding the items of its resources.

    Parameters
    ----------
    read
        What was read.
    objective
        Terms of the sum that is minimised.
    rules
        Rules over sets of intervals for every no-overlap.
    """

    def __init__(self, read: Collection, objective: list[Term], rules: DisjunctiveRule) -> None:
        self.read = read
        self.objective = objective
        self.rules = rules
        #: Shapes (2, num_vars) and (num_intervals, ``layout.INTERVAL``).
        self.bounds: Ints = np.array([read.low, read.high], dtype=np.int64)
        self.table: Ints = np.array(read.intervals, dtype=np.int64).reshape(-1, at.INTERVAL)

    def network(
        self,
        *,
        num_variables: int,
        sources: tuple[tuple[str, str, tuple[int, ...]], ...],
        names: tuple[str, ...],
        has_objective: bool,
    ) -> Network:
        """The two arrays, and what ``Network`` remembers beside them."""
        read, items = self.read, self.read.items
        num_vars = len(read.domains)
        static = Sections(np.zeros(at.HEADER, np.int64))
        state = Sections(np.zeros(at.HEADER, np.int64))
        self._add_domains(static)
        state.add(self.bounds.T)
        intervals = static.add(self.table)
        earliest = state.fill(-(2**62), len(self.table))
        self._add_members(static, state)
        num_cheap = len(items)
        self._add_cumulatives()
        addresses = np.array(items.begin, dtype=np.int64) + static.add(items.data)
        if self.rules is not DisjunctiveRule.NONE:
            addresses = np.append(addresses, self._add_no_overlaps())
        header = {
            at.NUM_VARS: num_vars,
            at.NUM_MODEL_VARS: num_variables,
            at.NUM_ITEMS: len(items),
            at.NUM_CHEAP: num_cheap,
            at.NUM_INTERVALS: len(self.table),
            at.ITEM_KIND: static.add(items.kind),
            at.ITEM_DATA: static.add(addresses),
            at.ITEM_SOURCE: static.add(items.source),
            at.LOWER_WATCH: self._add_watchers(static, *items.lower),
            at.UPPER_WATCH: self._add_watchers(static, *items.upper),
            at.INTERVALS: intervals,
            at.OBJECTIVE: static.add([len(self.objective), *flat(self.objective)]),
            at.RULES: self.rules.value,
            at.T_EARLIEST: earliest,
            at.T_QUEUED: state.fill(0, len(items)),
            at.T_QUEUE: state.fill(0, num_cheap),
            at.T_QUEUE2: state.fill(0, len(items) - num_cheap),
            at.T_CHANGED_LIST: state.fill(0, num_vars),
            at.T_CHANGED_FLAG: state.fill(0, num_vars),
            at.STATE_SIZE: len(state),
        }
        resources = [
            (source, tuple((number, 1) for number in members))
            for source, members in self.read.no_overlaps
        ] + [
            (source, tuple((number, self.read.least(demand)) for number, demand in entries))
            for source, _, entries in self.read.cumulatives
        ]
        return Network(
            static=static.array(header),
            initial=state.array({at.SLOTS: len(state)}),
            num_variables=num_variables,
            sources=sources,
            names=names,
            has_objective=has_objective,
            intervals=read.interval_of,
            resources=tuple(resources),
        )

    def _add_domains(self, static: Sections) -> None:
        """Domains with holes; before them, for every variable, the index of its own or 0."""
        num_vars = len(self.read.domains)
        place = len(static) + num_vars
        begin = np.zeros(num_vars, np.int64)
        sections: list[int] = []
        for v, domain in enumerate(self.read.domains):
            if len(domain) > 2:
                begin[v] = place + len(sections)
                sections += [len(domain) // 2, *domain]
        static.add(begin)
        static.add(sections)

    def _add_members(self, static: Sections, state: Sections) -> None:
        """The items of intervals in no-overlaps; the data of the no-overlaps behind them."""
        low, high = self.bounds
        items = self.read.items
        #: Index of the data of each no-overlap.
        self.whole: list[int] = []
        for source, members in self.read.no_overlaps:
            rows = self.table[members]
            count = len(members)
            plain = rows[:, at.START + 1] == 1
            v, a, b = rows[:, at.SIZE : at.SIZE + 3].T
            columns = (
                members,
                np.where(plain, rows[:, at.START], -1),
                np.where(plain, rows[:, at.START + 2], 0),
                np.where(low[v] == high[v], a * low[v] + b, -1),
            )
            fixed, flags = state.fill(0, 1 + 2 * count), state.fill(at.FREE, count)
            entries = static.add(np.column_stack(columns))
            whole = static.add([count, fixed, flags, entries])
            self.whole.append(whole)
            first = len(items)
            presence = rows[:, at.PRESENCE]
            sure = plain & (low[v] == high[v]) & (presence >= 0) & (low[presence] == 1)
            starts = np.where(sure, rows[:, at.START], -1).tolist()
            offsets = rows[:, at.START + 2].tolist()
            for position, (start, offset) in enumerate(zip(starts, offsets, strict=True)):
                items.add(at.K_MEMBER, (whole, position, start, offset, fixed), source)
            variables, positions = self._moving(members)
            for pair in (items.lower, items.upper):
                pair[0].extend(variables.tolist())
                pair[1].extend((first + positions).tolist())

    def _moving(self, numbers: list[int]) -> tuple[Ints, Ints]:
        """Variables of intervals that their resources watch; positions of the intervals."""
        rows = self.table[numbers]
        presence = rows[:, at.PRESENCE]
        variables = np.concatenate(
            (
                rows[:, at.START],
                rows[:, at.SIZE],
                np.where(presence >= 0, presence, -presence - 1),
                np.where(rows[:, at.TIED] > 0, rows[:, at.TIED] - 1, rows[:, at.START]),
            )
        )
        low, high = self.bounds
        moving = low[variables] < high[variables]
        moving[3 * len(rows) :] &= rows[:, at.TIED] > 0
        positions = np.tile(np.arange(len(numbers), dtype=np.int64), 4)
        return variables[moving], positions[moving]

    def _add_cumulatives(self) -> None:
        for source, capacity, entries in self.read.cumulatives:
            data = [*capacity, len(entries)]
            for number, demand in entries:
                data += [number, *demand]
            self.read.items.add(at.K_CUMULATIVE, data, source)
            self.read.items.watch([capacity[0], *(demand[0] for _, demand in entries)])
            self.read.items.watch(self._moving([number for number, _ in entries])[0].tolist())

    def _add_no_overlaps(self) -> list[int]:
        """The items of whole no-overlaps; the index of the data of each."""
        for (source, members), whole in zip(self.read.no_overlaps, self.whole, strict=True):
            self.read.items.add(at.K_NO_OVERLAP, (whole,), source)
            self.read.items.watch(self._moving(members)[0].tolist())
            self.read.items.watch(self.table[members, at.END].tolist())
        return self.whole

    def _add_watchers(self, static: Sections, variables: list[int], watching: list[int]) -> int:
        """For every variable the items that watch a bound of it, each once."""
        num_items = max(1, len(self.read.items))
        pairs = np.array(variables, dtype=np.int64) * num_items + np.array(watching, np.int64)
        variable, item = np.divmod(np.unique(pairs), num_items)
        return static.add_lists(np.bincount(variable, minlength=len(self.read.domains)), item)
