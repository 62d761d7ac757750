"""Ctrl-C and SIGTERM as a request to end with the best found."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)

#: What is said when a second signal ends the process.
_ABORTED = b"error: interrupted\n"


@contextmanager
def stop_on_signal() -> Iterator[threading.Event]:
    """Event that the first Ctrl-C or SIGTERM sets; a second one ends the process at once.

    Then its exit code is 128 + the signal's number, as shells count it. Once the event is set,
    this stays so after the block too, until the process has ended by itself: Python's own
    handler would print a traceback into whatever is being finished.
    """
    stop = threading.Event()

    def handle(number: int, frame: FrameType | None) -> None:
        if not stop.is_set():  # the event's lock is not reentrant: set it once
            stop.set()

    if threading.current_thread() is not threading.main_thread():
        yield stop  # only the main thread may install handlers
        return
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    # A handler waits until the main thread is back from compiled code; the pipe does not.
    threading.Thread(target=_abort_on_second, args=(reader,), daemon=True).start()
    wakeup = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    previous = {number: signal.signal(number, handle) for number in _SIGNALS}
    try:
        yield stop
    finally:
        if not stop.is_set():
            for number, action in previous.items():
                signal.signal(number, action)
            signal.set_wakeup_fd(wakeup)
            os.close(writer)


def _abort_on_second(reader: int) -> None:
    """Read numbers of signals from *reader*; end the process at the second."""
    received = 0
    while data := os.read(reader, 1):
        received += data[0] in _SIGNALS
        if received == 2:
            os.write(2, _ABORTED)
            os._exit(128 + data[0])
    os.close(reader)
