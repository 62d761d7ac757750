"""CP-SAT on one stage of an objective after the other, each held before the next begins."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar

from cpsched.cpsat import run
from cpsched.incumbent import Incumbent
from cpsched.result import Status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cpsched.formulation import Formulation

#: Seconds that a stage gets at least, if there are so many.
_LEAST_SHARE = 1.0

SolutionT = TypeVar("SolutionT")


class StagedSolve(ABC, Generic[SolutionT]):
    """Rounds of solving all stages of a model, and what is known between them.

    Each stage is fixed to its proven value, or held to its best where time ran out, before the
    next; it may take an equal share of the time left.

    Parameters
    ----------
    incumbent
        Of the whole solve.
    workers, seed
        Of CP-SAT.
    least
        For each stage, what it is at least.
    strict_until
        The model is a stricter one, to be solved to that moment of the clock: what it proves is
        not passed on, and what is known may be no solution of it, and better.
    """

    source: ClassVar[str]

    def __init__(
        self,
        incumbent: Incumbent[SolutionT],
        workers: int,
        seed: int,
        least: Sequence[int],
        *,
        strict_until: float | None = None,
    ) -> None:
        self.incumbent, self.workers, self.seed = incumbent, workers, seed
        self.strict = strict_until is not None
        self.deadline = incumbent.deadline if strict_until is None else strict_until
        self.least = list(least)
        #: Bounds of the stages, each given that those before it have their proven values.
        self.floor = list(least)

    @abstractmethod
    def formulation(self) -> Formulation[SolutionT]:
        """A new model of what is still to be looked for, with its stages and no objective."""

    @abstractmethod
    def start(self, formulation: Formulation[SolutionT]) -> SolutionT | None:
        """The best solution of the model, or of a less strict one, that is known; None if none."""

    @abstractmethod
    def values(self, solution: SolutionT) -> tuple[int, ...]:
        """Values of the stages as the model counts them."""

    @abstractmethod
    def offer(self, solution: SolutionT) -> None:
        """Take what the model has found."""

    @abstractmethod
    def bounded(self, digits: Sequence[int]) -> None:
        """Take what is proven of the whole: a lower bound of the stages, lexicographically."""

    @abstractmethod
    def settle(self, solution: SolutionT, *, all_proven: bool) -> bool:
        """After all stages have ended in *solution*; whether no other round is needed."""

    def nothing_left(self) -> bool:
        """After the model was proven to have no solution; whether no other round is needed."""
        return True

    @property
    def remaining(self) -> float:
        """Seconds left."""
        return min(self.incumbent.remaining, self.deadline - time.perf_counter())

    @property
    def over(self) -> bool:
        """Whether to stop."""
        return self.incumbent.done or self.remaining <= 0

    def rounds(self) -> None:
        """Solve until all is proven or time is up."""
        while not self.over and not self.round():
            pass

    def round(self) -> bool:
        """Solve all stages; whether that settles everything, or time is up."""
        formulation = self.formulation()
        best = self.start(formulation)
        proven: list[int] = []
        all_proven = True
        for number in range(len(self.least)):
            if self.over:
                return True
            view = _Stage(self, number, tuple(proven) if all_proven else None)
            if best is not None:
                view.offer(self.values(best)[number], best, self.source)
            view.raise_bound(self.floor[number], self.source)
            if not view.done:
                status = self._run(formulation, number, best, view)
                if status is Status.INFEASIBLE and view.solution is None:
                    return self.nothing_left()
            if view.objective is None or view.solution is None:
                return True
            best, value = view.solution, view.objective
            if all_proven and view.bound is not None:
                self.floor[number] = view.bound
            if view.bound == value:
                formulation.model.add(formulation.stages[number] == value)
            else:
                formulation.model.add(formulation.stages[number] <= value)
                all_proven = False
            proven.append(value)
        return best is None or self.settle(best, all_proven=all_proven)

    def raise_bound(self, proven: tuple[int, ...], bound: int) -> None:
        """Take a *bound* on the stage after those that are *proven*."""
        if not self.strict:
            self.bounded((*proven, bound, *self.least[len(proven) + 1 :]))

    def _run(
        self,
        formulation: Formulation[SolutionT],
        number: int,
        best: SolutionT | None,
        view: _Stage[SolutionT],
    ) -> Status:
        formulation.model.minimize(formulation.stages[number])
        stage = replace(formulation, objective=partial(self._value, number))
        if best is not None:
            stage.hint(best)
        return run(stage, view, workers=self.workers, seed=self.seed, source=self.source).status

    def _value(self, number: int, solution: SolutionT) -> int:
        return self.values(solution)[number]


class _Stage(Incumbent[SolutionT]):
    """Best value and bound of one stage, passed on to the solve of all.

    proven: values of the stages before, None if one of them is not proven: then a bound on this
    one says nothing of the whole.
    """

    def __init__(
        self, solve: StagedSolve[SolutionT], number: int, proven: tuple[int, ...] | None
    ) -> None:
        share = max(_LEAST_SHARE, solve.remaining / (len(solve.least) - number))
        super().__init__(max(0.0, min(solve.remaining, share)))
        self.solve, self.proven = solve, proven

    @property
    def done(self) -> bool:
        """Whether the stage or the solve is over."""
        return self.solve.over or super().done

    def offer(self, objective: int, solution: SolutionT, source: str) -> bool:
        """Take and pass on a solution."""
        self.solve.offer(solution)
        return super().offer(objective, solution, source)

    def raise_bound(self, bound: int, source: str) -> bool:
        """Take and pass on a bound."""
        if self.proven is not None:
            self.solve.raise_bound(self.proven, bound)
        if self.solve.strict and self.objective is not None:
            # What the stage began with may be no state of that stricter model, and better.
            bound = min(bound, self.objective)
        return super().raise_bound(bound, source)
