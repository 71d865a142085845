"""How long one call takes: the standard library's timer on a CPU, events of the device on a GPU, which wait for it."""

from __future__ import annotations

import os
import time
import timeit
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import torch

from converse.experiments.devices import synchronise

BLOCKS: Final = 8
"""Into which the calls of a turn are divided."""

_SCHEDULER: Final = Path("/proc/thread-self/schedstat")
"""Linux's account of a thread: nanoseconds on a processor, nanoseconds in which it waited for one, and how often."""


def seconds_per_call(call: Callable[[], object], calls: int, *, device: str, threads: int) -> float:
    """The time of one call, from a few in a row, after one that is not counted.

    The calls are made in up to :data:`BLOCKS` blocks, and the fastest counts: on a machine that has other work too, the
    longer blocks are those in which others emptied the caches, or had the processor (:func:`own_clock`).

    Args:
        call: what to time.
        calls: how many are counted, ≥ 1.
        device: where it computes: ``cpu``, ``cuda``, ``cuda:1`` …
        threads: CPU threads with which this process computes.

    Returns:
        Seconds of one call, the mean over the fastest block.
    """
    in_a_block = -(-calls // BLOCKS)
    blocks = range(-(-calls // in_a_block))

    def done() -> None:
        call()
        synchronise(device)

    # PyTorch's own timer makes two calls more for each block, which are most of the calls where a block is one of them.
    done()
    if device.startswith("cuda"):
        return min(_on_a_gpu(call, in_a_block, device) for _ in blocks)
    with own_clock(threads) as clock:
        return min(timeit.repeat(done, timer=clock, repeat=len(blocks), number=in_a_block)) / in_a_block


@contextmanager
def own_clock(threads: int) -> Iterator[Callable[[], float]]:
    """A clock that stands still while this thread is ready to go on, and the system lets others have the processor.

    A call that is longer than the system's slices of time is otherwise timed with the slices of others. To sleep and to
    wait for a file or another thread takes time on this clock as on any other. With several threads, and where the
    system keeps no such account (it is Linux's), it is :func:`time.perf_counter`: a thread that waits for a processor
    while another one computes loses nothing.

    Args:
        threads: with which is computed.

    Yields:
        The clock, in seconds from some moment.
    """
    if threads > 1 or not _SCHEDULER.exists():
        yield time.perf_counter
        return
    account = os.open(_SCHEDULER, os.O_RDONLY)

    def waited() -> int:
        return int(os.pread(account, 64, 0).split()[1])

    def own() -> float:
        before = waited()
        while True:
            now, after = time.perf_counter(), waited()
            if after == before:
                return now - 1e-9 * after
            before = after  # the processor was lost between the two: they don't belong together

    try:
        yield own
    finally:
        os.close(account)


def _on_a_gpu(call: Callable[[], object], calls: int, device: str) -> float:
    with torch.cuda.device(device):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        torch.cuda.synchronize()
        start.record()
        for _ in range(calls):
            call()
        end.record()
        torch.cuda.synchronize()
        return float(start.elapsed_time(end)) / 1e3 / calls
