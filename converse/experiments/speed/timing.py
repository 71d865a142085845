"""How long one call takes: PyTorch's own timer on a CPU, events of the device on a GPU; both wait for it to be done."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

import torch

from converse.experiments.devices import synchronise

# Importing it looks for a compiler of CUDA, and complains where there is none.
logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)
from torch.utils.benchmark import Timer  # noqa: E402

BLOCKS: Final = 8
"""Into which the calls of a turn are divided."""


def seconds_per_call(call: Callable[[], object], calls: int, *, device: str, threads: int) -> float:
    """The time of one call, from a few in a row, after some that are not counted.

    The calls are made in up to :data:`BLOCKS` blocks, and the fastest counts: on a machine that has other work too, the
    longer blocks are those in which the system let others have the processor.

    Args:
        call: what to time.
        calls: how many are counted, ≥ 1.
        device: where it computes: ``cpu``, ``cuda``, ``cuda:1`` …
        threads: CPU threads.

    Returns:
        Seconds of one call, the mean over the fastest block.
    """
    in_a_block = -(-calls // BLOCKS)
    blocks = range(-(-calls // in_a_block))
    if device.startswith("cuda"):
        return min(_on_a_gpu(call, in_a_block, device) for _ in blocks)
    # Of each block two calls at least are made before those that are counted.
    names = {"call": call, "synchronise": synchronise, "device": device}
    timer = Timer("call(); synchronise(device)", globals=names, num_threads=threads)
    return min(float(timer.timeit(in_a_block).mean) for _ in blocks)


def _on_a_gpu(call: Callable[[], object], calls: int, device: str) -> float:
    with torch.cuda.device(device):
        call()
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        torch.cuda.synchronize()
        start.record()
        for _ in range(calls):
            call()
        end.record()
        torch.cuda.synchronize()
        return float(start.elapsed_time(end)) / 1e3 / calls
