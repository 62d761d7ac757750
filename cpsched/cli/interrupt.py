"""Ctrl-C and SIGTERM as a request to end with the best found."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stop_on_signal() -> Iterator[threading.Event]:
    """Event that the first Ctrl-C or SIGTERM sets; a second one ends the process at once."""
    stop = threading.Event()
    received = False

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal received
        # The default action works even while the main thread is inside a solver. Both signals:
        # a service manager's SIGTERM may follow a Ctrl-C.
        for each in _SIGNALS:
            signal.signal(each, signal.SIG_DFL)
        if not received:  # the event's lock is not reentrant: set it once
            received = True
            stop.set()

    if threading.current_thread() is not threading.main_thread():
        yield stop  # only the main thread may install handlers
        return
    previous = {number: signal.signal(number, handle) for number in _SIGNALS}
    try:
        yield stop
    finally:
        for number, action in previous.items():
            signal.signal(number, action)
