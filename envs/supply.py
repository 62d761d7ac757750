"""Where a batch gets its next instance from: a pool in seeded random order, or a generator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from cpsched.construct import compile_formulation
from cpsched.construct.root import NothingToDecideError, Root
from cpsched.envs.sources import formulation_for
from cpsched.errors import InputError
from cpsched.propagation import InfeasibleModelError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cpsched.construct import Frame
    from cpsched.construct.batch import Batch
    from cpsched.envs.sources import Kind
    from cpsched.propagation import DisjunctiveRule

#: Times that a generator may be asked for one instance.
_MOST_DRAWS = 100


class Supply(Protocol):
    """Gives rows of a batch the instances of their next episodes.

    roots: what the slots of the batch hold at first.
    """

    roots: list[Root]

    def restart(self) -> None:
        """Forget what is left of the order, after a new seed."""

    def slots(self, batch: Batch, rows: list[int], rng: np.random.Generator) -> list[int]:
        """Slots that *rows* go on with, filled."""


class Pool:
    """Instances in random order, each once before any comes again.

    Parameters
    ----------
    roots
        One for each instance.
    """

    def __init__(self, roots: list[Root]) -> None:
        self.roots = roots
        self._left: list[int] = []

    def restart(self) -> None:
        """Begin a new round with the next instance."""
        self._left = []

    def slots(self, batch: Batch, rows: list[int], rng: np.random.Generator) -> list[int]:
        """The next instances of the round."""
        return [self._next(rng) for _ in rows]

    def _next(self, rng: np.random.Generator) -> int:
        if not self._left:
            self._left = rng.permutation(len(self.roots)).tolist()
        return self._left.pop()


class Generated:
    """A new instance for every episode.

    One that has no solution or leaves nothing to decide is drawn again, up to 100 times; then the
    generator is at fault, and InputError is raised.

    Parameters
    ----------
    generator
        Called with a random generator; returns an instance, a model or a formulation.
    num_rows
        Rows of the batch, each with a slot of its own.
    make
        Root of what *generator* returns.
    """

    def __init__(
        self,
        generator: Callable[[np.random.Generator], Any],
        num_rows: int,
        make: Callable[[Any], Root],
    ) -> None:
        self._generator, self._make = generator, make
        # The first instances show how large they are; the seeded ones come with the reset.
        rng = np.random.default_rng(0)
        self.roots = [self._draw(rng) for _ in range(num_rows)]

    def restart(self) -> None:
        """Nothing to forget."""

    def slots(self, batch: Batch, rows: list[int], rng: np.random.Generator) -> list[int]:
        """The rows' own slots, each holding a new instance."""
        # All are made before any is put, so that one that cannot be used leaves every row as it
        # was.
        roots = [self._draw(rng) for _ in rows]
        for root in roots:
            batch.check(root)
        for row, root in zip(rows, roots, strict=True):
            batch.put(row, root)
        return rows

    def _draw(self, rng: np.random.Generator) -> Root:
        reason = ""
        for _ in range(_MOST_DRAWS):
            try:
                return self._make(self._generator(rng))
            except (InfeasibleModelError, NothingToDecideError) as error:
                reason = error.reason
        raise InputError(
            f"{_MOST_DRAWS} instances of the generator, one after the other, could not be used; "
            f"the last one: {reason}"
        )


def root_maker(
    kind: Kind, frame: Frame, rules: DisjunctiveRule, *, probe: bool
) -> Callable[[Any], Root]:
    """Function from a source (see ``formulation_for``) to its root."""

    def make(source: Any) -> Root:
        construction = compile_formulation(formulation_for(kind, source), rules)
        return Root.of(construction, frame, probe=probe)

    return make


def pool_of(sources: Sequence[Any], make: Callable[[Any], Root]) -> Pool:
    """Pool of *sources*; InputError, saying which, if one of them cannot be used."""
    if isinstance(sources, str) or not hasattr(sources, "__len__"):
        raise InputError("a sequence of instances is needed")
    if not len(sources):
        raise InputError("at least one instance is needed")
    roots = []
    for index, source in enumerate(sources):
        try:
            roots.append(make(source))
        except InputError as error:
            if error.source is not None or isinstance(source, str):
                raise
            raise error.at(f"number {index} of the {len(sources)} given") from None
    return Pool(roots)
