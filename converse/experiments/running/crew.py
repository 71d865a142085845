"""The processes beside a trial's own that train it together with it: begun, fed the same state, and ended with it.

They keep and measure nothing. Whether to stop is decided by the trial's own process alone: the others then wait for it
in the next step, and are ended there.
"""

from __future__ import annotations

import contextlib
import os
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

from converse.experiments.processes import clean_context, end
from converse.experiments.running.torch_settings import torch_settings
from converse.experiments.training.checkpoints import Snapshot
from converse.experiments.training.learner import Learner
from converse.experiments.training.together import device_of, joined

Make = Callable[[str, tuple[int, int]], tuple[Learner, Any]]
"""Makes learner and batches, given the device and the share of each batch; it can be pickled."""

_LOADED: Final = ("converse.experiments.running.execute", "torch._dynamo")


@contextlib.contextmanager
def together(make: Make, count: int, device: str, threads: int, snapshot: Snapshot | None) -> Iterator[str]:
    """Have a training done by several processes, of which this one is the first.

    Args:
        make: makes learner and batches in each of them.
        count: how many, with this one.
        device: ``cpu`` or ``cuda``.
        threads: CPU threads of each.
        snapshot: where they begin; ``None`` for the start.

    Yields:
        The device of this one.

    Raises:
        OptionError: this machine has not so many devices.
    """
    devices = [device_of(rank, device, count) for rank in range(count)]
    with tempfile.TemporaryDirectory(prefix="converse-") as place:
        meeting, context = Path(place) / "meeting", clean_context(_LOADED)
        others, ours = [], []
        try:
            for rank in range(1, count):
                here, there = context.Pipe()
                arguments = (there, make, rank, count, meeting, devices[rank], threads, snapshot)
                others.append(context.Process(target=_follow, args=arguments, name=f"converse-rank-{rank}"))
                others[-1].start()
                there.close()
                ours.append(here)
            with joined(0, count, meeting, devices[0]):
                yield devices[0]
        finally:
            for here in ours:
                here.close()
            for other in others:
                end(other, patiently=False)


def _follow(
    pipe: Connection,
    make: Make,
    rank: int,
    count: int,
    meeting: Path,
    device: str,
    threads: int,
    snapshot: Snapshot | None,
) -> None:
    """What the other processes do."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all, and the first decides
    threading.Thread(target=_end_with, args=(pipe,), name="converse-listens", daemon=True).start()
    with torch_settings(device, threads), joined(rank, count, meeting, device):
        learner, batches = make(device, (rank, count))
        if snapshot is not None:
            learner.restore(snapshot)
        for step in range(0 if snapshot is None else snapshot.step, learner.settings.steps):
            learner.step(step, batches(step))


def _end_with(pipe: Connection) -> None:
    """End when the first process is gone, however it went."""
    with contextlib.suppress(EOFError, OSError):
        pipe.recv()
    os._exit(1)
