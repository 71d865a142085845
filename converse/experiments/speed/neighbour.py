"""A process that does nothing but compute, so that what is measured shares the machine, as on a runner of others."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing import get_context


@contextmanager
def neighbours(count: int = 1) -> Iterator[None]:
    """Let so many processes compute while the block runs.

    Args:
        count: each of them loads one core.
    """
    with ExitStack() as begun:
        for _ in range(count):
            process = get_context("spawn").Process(target=_compute, args=(os.getpid(),), daemon=True)
            process.start()
            begun.callback(process.kill)
        yield


def _compute(parent: int) -> None:
    while os.getppid() == parent:  # it ends with whoever wanted it, however that ended
        sum(range(100_000))
