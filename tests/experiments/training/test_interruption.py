"""Oracle: real signals to this process."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from converse.experiments.training.interruption import Stopped, stoppable


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_asks(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with stoppable() as stop:
        stop.check()
        os.kill(os.getpid(), number)
        assert stop.asked
        with pytest.raises(Stopped, match="the same command continues"):
            stop.check()
    assert signal.getsignal(number) is before


def test_the_second_insists() -> None:
    with stoppable():
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_stopped_is_an_interrupt() -> None:
    assert issubclass(Stopped, KeyboardInterrupt)


def test_another_thread_has_no_signals() -> None:
    asked: list[bool] = []

    def work() -> None:
        with stoppable() as stop:
            asked.append(stop.asked)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert asked == [False]
