"""Stopping in an orderly way: the first signal asks, the second insists."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

STOPPED = "stopped; the same command continues"


class Stopped(KeyboardInterrupt):
    """Work was stopped on request, at a point from which it can go on."""


class Stop:
    """Whether somebody asked to stop."""

    def __init__(self) -> None:
        self.asked = False

    def check(self) -> None:
        """Stop here, if that was asked for.

        Raises:
            Stopped: it was.
        """
        if self.asked:
            raise Stopped(STOPPED)


@contextlib.contextmanager
def stoppable() -> Iterator[Stop]:
    """Turn SIGINT and SIGTERM into a request; a second SIGINT interrupts at once.

    Outside the main thread, where signals do not arrive, nobody asks.

    Yields:
        The request.
    """
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def ask(number: int, frame: FrameType | None) -> None:
        if stop.asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        stop.asked = True

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
