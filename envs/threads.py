"""Whether a step is shared among threads: found out by trying."""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING

import numba

from cpsched.construct.batch import max_threads
from cpsched.errors import InputError

if TYPE_CHECKING:
    from cpsched.construct.batch import Batch
    from cpsched.propagation.domains import Ints

#: Steps for which the way that is not in use is tried.
_TRIAL = 16
#: Steps between two trials: at first; at most with one thread, whose trials get rarer the more
#: often several have lost; at most with several, of which every thousandth may cost more than the
#: others together.
_FIRST, _LONGEST_ALONE, _LONGEST_SHARED = 64, 65_536, 1024
#: To be changed to, the other way must take less than this part of the time.
_WORTHWHILE = 0.9

#: numba's threads must not be used by two threads at once, nor by a child of a process that has
#: used them: where they are OpenMP's or its own, that ends the process.
_LOCK = threading.Lock()
_forked = False


def _note_fork() -> None:
    global _forked
    _forked = True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_note_fork)


class Threads:
    """Steps a batch with one thread or with several.

    Threads pay off if rows are many and their instances large, and cost up to a hundredfold on a
    machine whose cores are busy with something else. What is better now is measured now and then.

    Parameters
    ----------
    wanted
        Number of threads; None: one or all, whichever is faster. A forked process uses one.
    num_rows
        Rows of the batch; more threads are of no use.

    Raises InputError if *wanted* is more than numba has, or less than 1.
    """

    def __init__(self, wanted: int | None, num_rows: int) -> None:
        most = max_threads()
        if wanted is not None and not 1 <= wanted <= most:
            raise InputError(f"num_threads must be in 1..{most}, not {wanted}")
        self.most = min(num_rows, most if wanted is None else wanted)
        self.parallel = wanted is not None and self.most > 1 and not _forked
        self._tuned = wanted is None and self.most > 1
        self._trying = False
        self._calls, self._seconds, self._mean = 0, 0.0, 0.0
        self._until = self._alone = self._shared = _FIRST

    def step(self, batch: Batch, actions: Ints) -> int:
        """``batch.step``."""
        if not self._tuned:
            return self._run(batch, actions, self.parallel)
        begin = time.perf_counter()
        illegal = self._run(batch, actions, self.parallel != self._trying)
        self._seconds += time.perf_counter() - begin
        self._calls += 1
        if self._calls == self._until:
            self._judge(self._seconds / self._calls)
            self._calls, self._seconds = 0, 0.0
        return illegal

    def _judge(self, mean: float) -> None:
        """A stretch of steps has ended that took *mean* seconds each."""
        # Means, not medians: a core that is busy with something else stops few steps, for long.
        self._trying = not self._trying
        if self._trying:
            self._mean, self._until = mean, _TRIAL
            return
        if mean < _WORTHWHILE * self._mean:
            self.parallel = not self.parallel
            self._shared = _FIRST
        elif self.parallel:
            self._shared = min(2 * self._shared, _LONGEST_SHARED)
        if not self.parallel:
            self._alone = min(4 * self._alone, _LONGEST_ALONE)
        self._until = self._shared if self.parallel else self._alone

    def _run(self, batch: Batch, actions: Ints, parallel: bool) -> int:
        if not parallel or _forked:
            return batch.step(actions, parallel=False)
        with _LOCK:
            before = numba.get_num_threads()
            numba.set_num_threads(self.most)
            try:
                return batch.step(actions, parallel=True)
            finally:
                numba.set_num_threads(before)
