"""Oracles: the processor time that the system counts, the time that passes on the wall."""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Iterator
from multiprocessing.synchronize import Semaphore
from pathlib import Path

import pytest

from converse.experiments.speed.timing import own_clock

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="the account of waiting threads is Linux's")


def busy(core: int, begun: Semaphore) -> None:
    """Take all that the system gives of a core."""
    os.sched_setaffinity(0, {core})
    begun.release()
    while True:
        pass


@pytest.fixture
def shared_core() -> Iterator[None]:
    """This thread and two busy processes on one core."""
    cores = os.sched_getaffinity(0)
    core = min(cores)
    spawning = multiprocessing.get_context("spawn")
    begun = spawning.Semaphore(0)
    others = [spawning.Process(target=busy, args=(core, begun), daemon=True) for _ in range(2)]
    for other in others:
        other.start()
    try:
        for _ in others:
            assert begun.acquire(timeout=60)  # a busy machine takes seconds to start one
        os.sched_setaffinity(0, {core})
        yield
    finally:
        os.sched_setaffinity(0, cores)
        for other in others:
            other.kill()
            other.join()


def work() -> None:
    """Compute until 0.2 s of the processor are spent."""
    end = time.thread_time() + 0.2
    while time.thread_time() < end:
        sum(range(1000))


def spent(clock: Callable[[], float]) -> tuple[float, float, float]:
    """Of some work: seconds on the clock, on a processor, and on the wall."""
    wall, processor, own = time.perf_counter(), time.thread_time(), clock()
    work()
    return clock() - own, time.thread_time() - processor, time.perf_counter() - wall


@LINUX
def test_the_clock_stands_still_while_others_have_the_processor(shared_core: None) -> None:
    with own_clock(1) as clock:
        own, processor, wall = spent(clock)
    assert wall > 1.5 * processor  # the others had it, most of the time
    assert own < processor + 0.2 * (wall - processor)
    assert own > 0.9 * processor


def test_to_sleep_takes_time() -> None:
    with own_clock(1) as clock:
        before = clock()
        time.sleep(0.05)
        assert clock() - before > 0.049


def test_with_several_threads_it_is_the_time_that_passes() -> None:
    with own_clock(2) as clock:
        assert clock is time.perf_counter


def test_without_an_account_it_is_the_time_that_passes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("converse.experiments.speed.timing._SCHEDULER", tmp_path / "not-there")
    with own_clock(1) as clock:
        assert clock is time.perf_counter
