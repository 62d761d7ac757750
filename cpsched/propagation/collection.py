"""What a reader collects of a model: variables, intervals, resources and items to propagate."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

#: (variable, coefficient).
Term = tuple[int, int]
#: (variable, coefficient, offset).
Affine = tuple[int, int, int]


def variable_of(ref: int) -> int:
    """Variable of a literal."""
    return ref if ref >= 0 else -ref - 1


class Items:
    """What the queues will hold, and the bounds that wake it."""

    def __init__(self) -> None:
        self.kind: list[int] = []
        self.source: list[int] = []
        self.data: list[int] = []
        #: Where the data of each begins in ``data``.
        self.begin: list[int] = []
        #: Variables, and the items that wake when their lower (upper) bound moves; in pairs that
        #: may come more than once.
        self.lower: tuple[list[int], list[int]] = ([], [])
        self.upper: tuple[list[int], list[int]] = ([], [])

    def __len__(self) -> int:
        return len(self.kind)

    def add(self, kind: int, data: Sequence[int], source: int) -> None:
        """Append an item; the methods below are about the last one."""
        self.kind.append(kind)
        self.source.append(source)
        self.begin.append(len(self.data))
        self.data += data

    def wake_by_lower(self, v: int) -> None:
        """The last item runs when the lower bound of *v* rises."""
        self.lower[0].append(v)
        self.lower[1].append(len(self.kind) - 1)

    def wake_by_upper(self, v: int) -> None:
        """The last item runs when the upper bound of *v* falls."""
        self.upper[0].append(v)
        self.upper[1].append(len(self.kind) - 1)

    def watch(self, variables: Iterable[int]) -> None:
        """The last item runs when any bound of these moves."""
        for v in variables:
            self.wake_by_lower(v)
            self.wake_by_upper(v)

    def watch_true(self, ref: int) -> None:
        """The last item runs when a literal becomes true."""
        (self.wake_by_lower if ref >= 0 else self.wake_by_upper)(variable_of(ref))

    def watch_false(self, ref: int) -> None:
        """The last item runs when a literal becomes false."""
        self.watch_true(-ref - 1)


class Collection:
    """Variables with their domains, intervals, resources and items, as they are read."""

    def __init__(self) -> None:
        self.domains: list[list[int]] = []
        self.low: list[int] = []
        self.high: list[int] = []
        self.items = Items()
        #: ``layout.INTERVAL`` slots for each interval; its number by constraint of the model.
        self.intervals: list[int] = []
        self.interval_of: dict[int, int] = {}
        self.no_overlaps: list[tuple[int, list[int]]] = []
        self.cumulatives: list[tuple[int, Affine, list[tuple[int, Affine]]]] = []
        #: Variable of a constant.
        self.fixed: dict[int, int] = {}

    def new_variable(self, domain: list[int]) -> int:
        """Number of a new variable; *domain* as flat intervals, of the model or auxiliary."""
        self.domains.append(domain)
        self.low.append(domain[0])
        self.high.append(domain[len(domain) - 1])
        return len(self.domains) - 1

    def constant(self, value: int) -> int:
        """Variable that has one value."""
        if value not in self.fixed:
            self.fixed[value] = self.new_variable([value, value])
        return self.fixed[value]

    def range_of(self, terms: Iterable[Term]) -> tuple[int, int]:
        """Least and greatest value of a sum."""
        low = high = 0
        for v, a in terms:
            if a > 0:
                low += a * self.low[v]
                high += a * self.high[v]
            else:
                low += a * self.high[v]
                high += a * self.low[v]
        return low, high

    def least(self, expr: Affine) -> int:
        """Least value of an affine expression."""
        v, a, b = expr
        return self.range_of([(v, a)])[0] + b
